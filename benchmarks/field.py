"""What a hard-edged box in place of a fringe field does to the momentum, and how the steps through a field converge.

`python benchmarks/field.py [DETECTOR]` prints, for MS2: the bias of q/p, in standard deviations, of a fit that takes the field for
a box when it has tanh edges of the same integral; the error of the Nystroem steps; and the time per crossing.
"""

from __future__ import annotations

import sys
import time
from itertools import pairwise

import numba
import numpy as np
from rich.console import Console
from rich.table import Table

from na64mu.detector import load_detector
from na64mu.tracking.field import FieldRegion, field_regions
from na64mu.tracking.nystrom import cross_map, crossed_map
from na64mu.tracking.spectrometer import C_FIELD, Spectrometer, highland_angle, spectrometer
from na64mu.tracking.transport import crossed
from na64mu.typing import FloatArray

MOMENTA = (10.0, 20.0, 40.0, 80.0, 120.0, 160.0)
FRINGES = (75.0, 100.0, 150.0, 200.0)
SLOPE, OFFSET = 2e-3, 15.0  # of the tracks off the middle plane


def through_box(state: FloatArray, ms: Spectrometer, planes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """States and derivatives at every plane through the box, shapes (n_planes, 5), (n_planes, 5, 5)."""
    here, jacobian = np.array(state), np.eye(5)
    states, jacobians = np.empty((len(planes), 5)), np.empty((len(planes), 5, 5))
    states[planes == planes[0]], jacobians[planes == planes[0]] = here, jacobian
    for start, end, bx, by, _ in ms.steps():
        if bx or by:
            here, step = crossed(here, end - start, (bx, by))
        else:
            step = np.eye(5) + (end - start) * np.diag([1.0, 1.0, 0.0], k=2)
            here = step @ here
        jacobian = step @ jacobian
        states[planes == end], jacobians[planes == end] = here, jacobian
    return states, jacobians


def through_field(state: FloatArray, region: FieldRegion, planes: FloatArray) -> FloatArray:
    """States at every plane through a field, shape (n_planes, 5)."""
    return np.array([crossed_map(state, planes[0], z - planes[0], region)[0] for z in planes])


def fit(hits: FloatArray, start: FloatArray, ms: Spectrometer) -> tuple[FloatArray, FloatArray, float]:
    """Global least squares through the box, scattering in planes and air included: parameters, covariance, chi2."""
    directions = np.array([p.direction for p in ms.planes])
    legs = ms.steps()
    scatter_z = np.append(ms.z, 0.5 * (legs[:, 0] + legs[:, 1]))
    thickness = np.append([p.x_over_x0 for p in ms.planes], legs[:, 4])
    lever = np.clip(ms.z[:, None] - scatter_z, 0.0, None)
    angle2 = highland_angle(thickness, ms.total_x0) ** 2 * start[4] ** 2
    covariance = (lever * angle2) @ lever.T * (directions @ directions.T) + np.diag([p.sigma**2 for p in ms.planes])
    weight = np.linalg.inv(covariance)
    parameters = start.copy()
    for _ in range(4):
        states, jacobians = through_box(parameters, ms, ms.z)
        residual = hits - np.einsum("ni,ni->n", directions, states[:, :2])
        derivative = np.einsum("ni,nij->nj", directions, jacobians[:, :2])
        information = derivative.T @ weight @ derivative
        parameters = parameters + np.linalg.solve(information, derivative.T @ weight @ residual)
    return parameters, np.linalg.inv(information), float(residual @ weight @ residual)


def bias_table(name: str, y: float, ty: float) -> Table:
    detector = load_detector(name)
    ms = spectrometer(detector, 2)
    directions = np.array([p.direction for p in ms.planes])
    table = Table(title=f"{name}, MS2: bias of q/p in sigma (and added chi2) of a fit with a box, y = {y:g} mm, dy/dz = {1e3 * ty:g} mrad")
    table.add_column("p [GeV/c]", justify="right")
    table.add_column("sigma(q/p) [%]", justify="right")
    for fringe in FRINGES:
        table.add_column(f"fringe {fringe:g} mm", justify="right")
    for p in MOMENTA:
        truth = np.array([0.0, y, 0.0, ty, -1.0 / p])
        cells: list[str] = []
        for fringe in FRINGES:
            magnets = tuple(m.model_copy(update={"fringe": fringe}) for m in detector.magnets_of(2))
            states = through_field(truth, field_regions(magnets)[0], ms.z)
            found, covariance, chi2 = fit(np.einsum("ni,ni->n", directions, states[:, :2]), truth, ms)
            sigma = np.sqrt(covariance[4, 4])
            cells.append(f"{(found[4] - truth[4]) / sigma:+.4f} ({chi2:.3f})")
        table.add_row(f"{p:g}", f"{100 * sigma * p:.3f}", *cells)
    return table


def convergence_table(name: str, fringe: float = 150.0) -> Table:
    magnets = tuple(m.model_copy(update={"fringe": fringe}) for m in load_detector(name).magnets_of(2))
    region = field_regions(magnets)[0]
    z, length = region.z_in, region.z_out - region.z_in
    table = Table(
        title=f"Nystroem steps through MS2 with a fringe of {fringe:g} mm (its step is {region.step:g} mm): error of the deflection / deflection"
    )
    for heading in ("step [mm]", "1 GeV/c", "10 GeV/c", "160 GeV/c", "10 GeV/c, cut at 8 planes", "us per crossing"):
        table.add_column(heading, justify="right")
    cuts = np.linspace(z, z + length, 9) + np.array([0.0, 31.0, -17.0, 23.0, 5.0, -29.0, 11.0, 41.0, 0.0])
    for factor in (2.0, 1.0, 0.5, 0.25):
        coarse, fine = region._replace(step=factor * region.step), region._replace(step=region.step / 32.0)
        row = [f"{coarse.step:g}"]
        for p in (1.0, 10.0, 160.0):
            state = np.array([3.0, 20.0, 0.01, 0.002, -1.0 / p])
            error = crossed_map(state, z, length, coarse)[0] - crossed_map(state, z, length, fine)[0]
            row.append(f"{abs(error[2]) / (C_FIELD * 1.4 / p):.1e}")
        state = np.array([3.0, 20.0, 0.01, 0.002, -0.1])
        reference = crossed_map(state, z, length, fine)[0]
        for start, end in pairwise(cuts):
            state = crossed_map(state, start, end - start, coarse)[0]
        row.append(f"{abs(state[2] - reference[2]) / (C_FIELD * 0.14):.1e}")
        table.add_row(*row, f"{1e6 * seconds(coarse, z, length):.1f}")
    return table


@numba.njit(nogil=True)
def repeat(n: int, start: FloatArray, z: float, length: float, region: FieldRegion) -> None:
    state, jacobian = start.copy(), np.empty((5, 5))
    for _ in range(n):
        state[:] = start
        cross_map(state, z, length, region, jacobian)


def seconds(region: FieldRegion, z: float, length: float, n: int = 10_000) -> float:
    """Seconds per crossing with its derivatives."""
    start = np.array([3.0, 20.0, 0.01, 0.002, -0.01])
    repeat(1, start, z, length, region)
    begin = time.process_time()
    repeat(n, start, z, length, region)
    return (time.process_time() - begin) / n


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "na64mu-2022"
    console = Console(width=140)
    console.print(bias_table(name, 0.0, 0.0))
    console.print(bias_table(name, OFFSET, SLOPE))
    console.print(convergence_table(name))


if __name__ == "__main__":
    main()
