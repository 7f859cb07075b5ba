"""The parameters of an alignment: shift and rotation of every module of a spectrometer, and their common modes.

A module is rigid: all its planes move with its centre (dx, dy) [mm] and turn about it (drotation [rad], from x to y).
A module that measures y only, such as a station of slabs, has no dx.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from na64mu.detector import Detector, DetectorLike, load_detector
from na64mu.detector.elements import Tracker
from na64mu.errors import CalibrationError
from na64mu.tracking.spectrometer import Spectrometer, bending_integral
from na64mu.typing import FloatArray, IntArray

__all__ = ("COMPONENTS", "FreeParameters", "Mode", "fixed_modules", "moved")

COMPONENTS = ("dx", "dy", "drotation")


def fixed_modules(fixed: Iterable[str] | str, detector: Detector) -> tuple[str, ...]:
    """Names of modules that are fixed: one name is one module.

    Raises
    ------
    CalibrationError
        If the description has no such module.
    """
    names = (fixed,) if isinstance(fixed, str) else tuple(fixed)
    unknown = sorted(str(name) for name in names if name not in detector.trackers)
    if unknown:
        msg = f"there is no module {unknown[0]!r} to fix: detector {detector.tag!r} has {', '.join(detector.trackers)}"
        raise CalibrationError(msg)
    return names


@dataclass(frozen=True)
class Mode:
    """A common movement: name, unit of its amplitude, and change of every parameter per unit, shape (n_parameters,)."""

    name: str
    unit: str
    vector: FloatArray


@dataclass(frozen=True)
class FreeParameters:
    """Free parameters of one spectrometer.

    Attributes
    ----------
    modules : tuple of str
        Modules in order along the beam.
    free : tuple of (int, str)
        Module and component of every parameter.
    survey : FloatArray
        Prior uncertainty of the description: standard deviation of every parameter [mm or rad], shape (n_parameters,).
    """

    modules: tuple[str, ...]
    free: tuple[tuple[int, str], ...]
    survey: FloatArray

    def __len__(self) -> int:
        return len(self.free)

    @classmethod
    def of(
        cls, spectrometer: Spectrometer, detector: DetectorLike, fixed: Iterable[str] | str, survey_shift: float, survey_rotation: float
    ) -> FreeParameters:
        """All parameters of a spectrometer except those of the fixed modules.

        Parameters
        ----------
        spectrometer : Spectrometer
            MS1 or MS2.
        detector : Detector, str or Path
            Detector description.
        fixed : str or iterable of str
            Modules that keep their position in the description.
        survey_shift, survey_rotation : float
            Prior uncertainty of the description [mm, rad].

        Returns
        -------
        FreeParameters
            Free parameters in order along the beam.

        Raises
        ------
        CalibrationError
            If the description has no such module.
        """
        detector = load_detector(detector)
        fixed = fixed_modules(fixed, detector)
        modules = tuple(dict.fromkeys(p.station for p in spectrometer.planes))
        free = []
        for i, name in enumerate(modules):
            if name not in fixed:
                views = detector.trackers[name].views  # a module that does not measure a coordinate cannot be moved along it
                free += [(i, c) for c in COMPONENTS if not (c == "dx" and 0 not in views) and not (c == "dy" and 1 not in views)]
        survey = np.array([survey_rotation if c == "drotation" else survey_shift for _, c in free])
        return cls(modules, tuple(free), survey)

    @cached_property
    def names(self) -> list[str]:
        """Parameters by name: "mm1 dx" ..."""
        return [f"{self.modules[i]} {c}" for i, c in self.free]

    def columns(self, spectrometer: Spectrometer) -> IntArray:
        """Parameter of every plane and component, -1 where it is not free, shape (n_planes, 3)."""
        index = {key: j for j, key in enumerate(self.free)}
        return np.array([[index.get((self.modules.index(p.station), c), -1) for c in COMPONENTS] for p in spectrometer.planes])

    def modes(self, spectrometer: Spectrometer, detector: Detector) -> list[Mode]:
        """Movements of all modules together that tracks can follow: they hardly change any chi2.

        Shift and shear of both views, rotation and twist, and in the bending view a movement along the bent path,
        which makes all q/p wrong by the same amount. Amplitudes: mm (shear and bend: at the farthest plane) and mrad.

        Parameters
        ----------
        spectrometer : Spectrometer
            The planes with their field.
        detector : Detector
            Detector with the positions of the modules.

        Returns
        -------
        list of Mode
            Only modes that move a free parameter.
        """
        z = np.array([np.mean([p.z for p in spectrometer.planes if p.station == name]) for name in self.modules])
        centre = np.array([detector.trackers[name].centre for name in self.modules])
        lever = (z - z.mean()) / np.abs(z - z.mean()).max()
        one, zero = np.ones_like(z), np.zeros_like(z)
        beam = _beam_path(z, spectrometer, detector)
        # tracks do not notice when modules turn together about the points where the beam crosses them
        turn = 1e-3 * np.column_stack([beam[:, 1] - centre[:, 1], centre[:, 0] - beam[:, 0], one])
        named = {("shift in x", "mm"): (one, zero, zero), ("shift in y", "mm"): (zero, one, zero)}
        named |= {("shear in x", "mm"): (lever, zero, zero), ("shear in y", "mm"): (zero, lever, zero)}
        named |= {("rotation", "mrad"): tuple(turn.T), ("twist", "mrad"): tuple((lever[:, None] * turn).T)}
        if spectrometer.bend_view in (0, 1):
            path = bending_integral(z, spectrometer)
            path = path / np.abs(path).max()
            named["bend", "mm"] = (path, zero, zero) if spectrometer.bend_view == 0 else (zero, path, zero)
        modes = [
            Mode(name, unit, np.array([movement[COMPONENTS.index(c)][i] for i, c in self.free])) for (name, unit), movement in named.items()
        ]
        return [m for m in modes if np.any(m.vector != 0.0)]


def _beam_path(z: FloatArray, spectrometer: Spectrometer, detector: Detector) -> FloatArray:
    """x, y [mm] of the beam at its nominal momentum, on the axis at the ECAL, shape (n, 2)."""
    path = np.zeros((len(z), 2))
    if spectrometer.bend_view in (0, 1):
        at = bending_integral(np.array([-1.0, 0.0]), spectrometer)
        bend = bending_integral(z, spectrometer) - at[1] - (at[1] - at[0]) * z
        path[:, spectrometer.bend_view] = detector.beam.charge / detector.beam.momentum * bend
    return path


def moved(detector: DetectorLike, parameters: FreeParameters, values: FloatArray) -> Detector:
    """A description with moved modules.

    Parameters
    ----------
    detector : Detector, str or Path
        The description to start from.
    parameters : FreeParameters
        Module and component of each value.
    values : FloatArray
        Corrections to the parameters [mm or rad], shape (n_parameters,).

    Returns
    -------
    Detector
        Detector with the new centres and rotations.
    """
    detector = load_detector(detector)
    changed: dict[str, Tracker] = {}
    for (i, component), value in zip(parameters.free, values.tolist(), strict=True):
        name = parameters.modules[i]
        module = changed.get(name, detector.trackers[name])
        x, y = module.centre
        update = {
            "dx": {"centre": (x + value, y)},
            "dy": {"centre": (x, y + value)},
            "drotation": {"rotation": module.rotation + value},
        }[component]
        changed[name] = module.model_copy(update=update)
    return detector.replaced(changed)
