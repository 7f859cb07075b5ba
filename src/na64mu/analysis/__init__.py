"""What is done with selected events: cut-flow, exposure, blinding, calibration, provenance, results."""

from __future__ import annotations
