"""The set-up as Geant4 volumes, built from the detector description. Lengths mm, fields T.

Calorimeters are plates, cell by cell; planes are sheets of polystyrene of their thickness in radiation lengths; magnets
are boxes of uniform field in an iron yoke. The beam line is vacuum up to `medium.vacuum_until`, air behind it.
"""

from __future__ import annotations

from typing import Any

import geant4_pybind as g4

from na64mu.detector import Detector
from na64mu.detector.readout import sheets
from na64mu.physics.materials import SCINTILLATOR
from na64mu.simulation.geometry import ECAL, FIELD, HCAL, LEAD_IN, PLANE, VHCAL, build_line, build_surfaces

__all__ = ("Geometry",)

YOKE = 200.0  # iron around the aperture of a magnet [mm]
GAP = 0.01  # between a plane and what follows it [mm]
THINNEST = 0.02  # of a plane [mm]


class Geometry(g4.G4VUserDetectorConstruction):
    """Volumes of a set-up; `planes`, `fields` and `plates` are the sensitive logical volumes by name.

    Parameters
    ----------
    detector : Detector
        The description.
    config : int
        Trigger configuration.
    """

    def __init__(self, detector: Detector, config: int) -> None:
        super().__init__()
        self.detector, self.config = detector, config
        self.line, self.surfaces = build_line(detector), build_surfaces(detector)
        self.planes: dict[int, Any] = {}
        self.fields: list[tuple[Any, tuple[float, float], float]] = []
        self.plates: dict[str, Any] = {}
        self.holds: list[Any] = []  # Geant4 owns nothing that Python made
        nist = g4.G4NistManager.Instance()
        names = {"air": "AIR", "vacuum": "Galactic", "plastic": "POLYSTYRENE", "lead": "Pb", "iron": "Fe", "copper": "Cu"}
        self.materials = {name: nist.FindOrBuildMaterial(f"G4_{code}") for name, code in names.items()}
        self.world: Any = None
        self.hall: Any = None
        self.hall_z = 0.0

    def _place(self, solid: Any, material: str, name: str, at: tuple[float, float, float], mother: Any, copy: int = 0) -> Any:
        """Place a solid in a mother volume, or (None) in the vacuum or the hall at its z."""
        logical = g4.G4LogicalVolume(solid, self.materials[material], name)
        self._put(logical, name, at, mother, copy)
        self.holds.append(solid)
        return logical

    def _put(self, logical: Any, name: str, at: tuple[float, float, float], mother: Any, copy: int) -> None:
        x, y, z = at
        if mother is None:
            mother = self.hall if z > self.detector.medium.vacuum_until else self.world
            z -= self.hall_z if mother is self.hall else 0.0
        self.holds += [logical, g4.G4PVPlacement(None, g4.G4ThreeVector(x, y, z), logical, name, mother, False, copy, False)]

    def _box(self, name: str, half: tuple[float, float, float]) -> Any:
        return g4.G4Box(name, *half)

    def _replica(self, mother: Any, name: str, half: tuple[float, float, float], axis: Any, n: int, width: float) -> Any:
        solid = self._box(name, half)
        logical = g4.G4LogicalVolume(solid, self.materials["air"], name)
        self.holds += [solid, logical, g4.G4PVReplica(name, logical, mother, axis, n, width)]
        return logical

    def _stack(self, name: str, z: float, calorimeter: Any, layers: int, absorber: tuple[str, float], scintillator: float) -> None:
        """Columns, cells and layers of plates, each a replica: the copy numbers are (ix, iy, layer)."""
        (nx, ny), (dx, dy), length = calorimeter.cells, calorimeter.cell, calorimeter.length
        x, y = calorimeter.centre
        half = 0.5 * nx * dx, 0.5 * ny * dy, 0.5 * length
        block = self._place(self._box(name, half), "air", name, (x, y, z + half[2]), None)
        column = self._replica(block, f"{name}_column", (0.5 * dx, half[1], half[2]), g4.kXAxis, nx, dx)
        cell = self._replica(column, f"{name}_cell", (0.5 * dx, 0.5 * dy, half[2]), g4.kYAxis, ny, dy)
        pitch = length / layers
        layer = self._replica(cell, f"{name}_layer", (0.5 * dx, 0.5 * dy, 0.5 * pitch), g4.kZAxis, layers, pitch)
        material, thickness = absorber
        plate = self._box(f"{name}_absorber", (0.5 * dx, 0.5 * dy, 0.5 * thickness))
        self._place(plate, material, f"{name}_absorber", (0.0, 0.0, -0.5 * pitch + 0.5 * thickness), layer)
        plate = self._box(f"{name}_scintillator", (0.5 * dx, 0.5 * dy, 0.5 * scintillator))
        at = -0.5 * pitch + thickness + 0.5 * scintillator
        self.plates[name] = self._place(plate, "plastic", f"{name}_scintillator", (0.0, 0.0, at), layer)

    def _vhcal(self, z: float) -> None:
        """Plates with a hole; which cell a deposit is in follows from its place."""
        v = self.detector.vhcal
        half = 0.5 * v.cells[0] * v.cell[0], 0.5 * v.cells[1] * v.cell[1]
        pitch = v.length / v.layers
        plastic = None
        for material, thickness, offset in (("copper", v.absorber, 0.0), ("plastic", v.scintillator, v.absorber)):
            outer = self._box(f"vhcal_{material}_outer", (*half, 0.5 * thickness))
            hole = self._box(f"vhcal_{material}_hole", (*v.half_hole, thickness))
            solid = g4.G4SubtractionSolid(f"vhcal_{material}", outer, hole)
            plastic = g4.G4LogicalVolume(solid, self.materials[material], f"vhcal_{material}")
            self.holds += [outer, hole, solid, plastic]
            for layer in range(v.layers):
                self._put(plastic, f"vhcal_{material}", (*v.centre, z + layer * pitch + offset + 0.5 * thickness), None, layer)
        self.plates["vhcal"] = plastic

    def _magnet(self, i: int) -> None:
        line = self.line
        z_in, z_out = line.z_in[i], line.z_out[i]
        aperture = line.aperture[i]
        half = float(aperture.half_x), float(aperture.half_y)
        x, y = float(aperture.x), float(aperture.y)
        long, centre = 0.5 * float(z_out - z_in), 0.5 * float(z_in + z_out)
        outer = self._box(f"yoke{i}_outer", (half[0] + YOKE, half[1] + YOKE, long))
        hole = self._box(f"yoke{i}_hole", (*half, 2.0 * long))
        yoke = g4.G4SubtractionSolid(f"yoke{i}", outer, hole)
        self.holds += [outer, hole]
        self._place(yoke, "iron", f"yoke{i}", (x, y, centre), None)
        material = "vacuum" if centre < self.detector.medium.vacuum_until else "air"
        gap = self._place(self._box(f"magnet{i}", (*half, long)), material, f"magnet{i}", (x, y, centre), None)
        self.fields.append((gap, (float(line.field_x[i]), float(line.field_y[i])), float(z_in)))

    def _plane(self, surface: int, z: float) -> None:
        d, s = self.detector, self.surfaces
        thickness = max(THINNEST, float(s.x_over_x0[surface]) * SCINTILLATOR.x0)
        if surface >= s.veto:
            solid, centre = self._box("veto", (*d.veto.half, 0.5 * d.veto.thickness)), (0.0, 0.0)
            thickness = d.veto.thickness
        elif surface >= s.first_counter:
            counter = sorted(d.counters, key=lambda c: c.id)[surface - s.first_counter]
            thickness = counter.thickness
            if counter.shape == "box":
                (x1, x2), (y1, y2) = counter.x_range(self.config), counter.y
                solid = self._box(counter.name, (0.5 * (x2 - x1), 0.5 * (y2 - y1), 0.5 * thickness))
                centre = (0.5 * (x1 + x2), 0.5 * (y1 + y2))
            else:
                inner, outer = (0.0, counter.radius) if counter.shape == "disc" else (counter.radius, counter.outer_radius)
                solid, centre = g4.G4Tubs(counter.name, inner, outer, 0.5 * thickness, 0.0, 2.0 * g4.pi), (0.0, 0.0)
        else:
            sheet = sheets(d)[surface]
            solid, centre = self._box(f"plane{surface}", (*sheet.half, 0.5 * thickness)), sheet.centre
        self.planes[surface] = self._place(solid, "plastic", f"plane{surface}", (*centre, z + 0.5 * thickness + GAP), None)

    def Construct(self) -> Any:  # noqa: N802
        """Geant4 asks for the world."""
        line, d = self.line, self.detector
        ends = float(line.z_in[0]) - LEAD_IN, float(line.z_out[-1]) + LEAD_IN
        half = 2000.0, 2000.0, max(abs(ends[0]), abs(ends[1]))
        solid = self._box("world", half)
        self.world = g4.G4LogicalVolume(solid, self.materials["vacuum"], "world")
        top = g4.G4PVPlacement(None, g4.G4ThreeVector(), self.world, "world", None, False, 0, False)
        self.holds += [solid, self.world, top]
        low, high = max(d.medium.vacuum_until, -half[2] + 1.0), half[2] - 1.0
        self.hall_z = 0.5 * (low + high)
        hall = self._box("hall", (half[0] - 1.0, half[1] - 1.0, 0.5 * (high - low)))
        self.hall = g4.G4LogicalVolume(hall, self.materials["air"], "hall")
        placed = g4.G4PVPlacement(None, g4.G4ThreeVector(0.0, 0.0, self.hall_z), self.hall, "hall", self.world, False, 0, False)
        self.holds += [hall, self.hall, placed]
        for i, kind in enumerate(line.kind):
            z, number = float(line.z_in[i]), int(line.number[i])
            if kind == PLANE:
                self._plane(number, z)
            elif kind == FIELD:
                self._magnet(i)
            elif kind == ECAL:
                self._stack("ecal", z, d.ecal, sum(d.ecal.layers), ("lead", d.ecal.lead), d.ecal.scintillator)
            elif kind == VHCAL:
                self._vhcal(z)
            elif kind == HCAL:
                self._stack(f"hcal{number}", z, d.hcal, d.hcal.layers, ("iron", d.hcal.absorber), d.hcal.scintillator)
        return top

    def ConstructSDandField(self) -> None:  # noqa: N802
        """Fields in the magnets; the sensitive detectors are set by the run (see worker.py)."""
        for gap, (bx, by), _ in self.fields:
            field = g4.G4UniformMagField(g4.G4ThreeVector(bx * g4.tesla, by * g4.tesla, 0.0))
            manager = g4.G4FieldManager(field)
            manager.CreateChordFinder(field)
            gap.SetFieldManager(manager, True)
            self.holds += [field, manager]
        self.attach()

    def notes(self) -> list[tuple[Any, dict[str, str]]]:
        """Logical volumes with their field [T] and the name of what reads them, for files that have neither.

        Returns
        -------
        list
            Pairs of a volume and its notes.
        """
        fields = [(gap, {"Field": f"{bx:g} {by:g} 0"}) for gap, (bx, by), _ in self.fields]
        planes = [(logical, {"SensDet": f"plane{surface}"}) for surface, logical in self.planes.items()]
        return fields + planes + [(logical, {"SensDet": name}) for name, logical in self.plates.items()]

    def attach(self) -> None:
        """Set the sensitive detectors; the run replaces this."""
