"""Description of the apparatus: planes, magnets, calorimeters and counters, each number with its source."""

from __future__ import annotations

from na64mu.detector.description import Detector, DetectorLike, detector_path, known_detectors, load_detector, read_detector

__all__ = ("Detector", "DetectorLike", "detector_path", "known_detectors", "load_detector", "read_detector")
