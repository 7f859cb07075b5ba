"""Source code of the fit of one spectrometer: its route unrolled to a straight sequence of formulas (kalman.py).

A loop over planes inside the loop over tracks would keep the compiler from vectorising over tracks; written out, the
whole fit of eight tracks runs in vector registers. Tracks come in blocks of LANES: a block is a flat array of rows of
LANES numbers (rows: see Rows), one lane a track, read and written in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from na64mu.common.arguments import one_of
from na64mu.tracking import field_propagation, kalman  # noqa: F401  # what is written imports their formulas
from na64mu.tracking.navigation import Cross, Drift, Follow, Lose, Measure, Route, Scatter, Step

__all__ = ("LANES", "Kind", "Rows", "kernel_source")

LANES = 64  # tracks per block

#: "filter": filters downstream and upstream; "smooth": filter downstream, smoother upstream with every hit's residual;
#: "states": as "smooth", with the smoothed track at every plane.
Kind = Literal["filter", "smooth", "states"]


@dataclass(frozen=True)
class Rows:
    """Rows of a block for a spectrometer of n planes.

    Attributes
    ----------
    n_planes : int
        Number of measuring planes n.
    kind : Kind
        Output of the kernel: filter, smoother or states.
    """

    n_planes: int
    kind: Kind

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", one_of(self.kind, get_args(Kind), "kind"))

    # 0 to 4 are the parameters to start from, at the first plane; 5 to 9 their standard deviations
    @property
    def u(self) -> int:
        """First of n rows: measured coordinates [mm]."""
        return 10

    @property
    def weight(self) -> int:
        """First of n rows: 1 / sigma^2 [1/mm2], 0 for a missing hit."""
        return self.u + self.n_planes

    @property
    def downstream(self) -> int:
        """First of 20 rows: track at the last plane."""
        return self.weight + self.n_planes

    @property
    def upstream(self) -> int:
        """First of 20 rows: track at the first plane."""
        return self.downstream + 20

    @property
    def chi2(self) -> int:
        """Chi2 of the filter."""
        return self.upstream + 20

    @property
    def score(self) -> int:
        """First of n rows: residual of the track without the hit over its variance [1/mm]."""
        return self.chi2 + 1

    @property
    def information(self) -> int:
        """First of n rows: 1 / variance of the residual of the track without the hit [1/mm2]."""
        return self.score + self.n_planes

    @property
    def states(self) -> int:
        """First of 20 n rows: smoothed track at every plane."""
        return self.information + self.n_planes

    @property
    def total(self) -> int:
        """Number of rows."""
        return {"filter": self.score, "smooth": self.states, "states": self.states + 20 * self.n_planes}[self.kind]


def _at(row: int) -> str:
    return f"block[{row * LANES} + lane]"


def _along(direction: tuple[float, float]) -> str:
    return {(1.0, 0.0): "x", (0.0, 1.0): "y"}.get(direction, "along")


def _given(plane: int, direction: tuple[float, float]) -> str:
    """Arguments of a turned plane: its direction is no part of the source, so that an alignment needs no new compilation."""
    return f", hx{plane}, hy{plane}" if _along(direction) == "along" else ""


def _forward(step: Step, number: int, rows: Rows, keep: bool) -> Iterator[str]:
    """Statements of one step downstream; `keep` stores what the smoother needs."""
    match step:
        case Measure(plane, direction):
            if keep and rows.kind == "states":
                yield f"p{number} = t"
            values = f"t, {_at(rows.u + plane)}, {_at(rows.weight + plane)}"
            yield f"t, c, g{number} = measure_{_along(direction)}({values}{_given(plane, direction)})"
            yield "chi2 += c"
        case Scatter(angle2, length):
            yield f"t = scatter(t, {angle2!r} * k2, {length!r})"
        case Lose(loss):
            yield f"t = lose(t, {loss!r})"
            if keep:
                yield f"e{number} = t[4]"
        case Drift(length):
            yield f"t = drift(t, {length!r})"
        case Cross(length, view, bend):
            inner = f"cross({'swap(t)' if view == 1 else 't'}, {length!r}, {bend!r})"
            yield f"t, j{number} = {inner}"
            if view == 1:
                yield "t = swap(t)"
        case Follow(region, z, length):
            yield f"t, j{number} = follow(t, state, jacobian, {z!r}, {length!r}, regions[{region}])"


def _reverse(step: Step) -> Step:
    """The step as it is met by a filter that runs upstream."""
    match step:
        case Scatter(angle2, length):
            return Scatter(angle2, -length)
        case Lose(loss):
            return Lose(-loss)
        case Drift(length):
            return Drift(-length)
        case Cross(length, view, bend):
            return Cross(-length, view, -bend)
        case Follow(region, z, length):
            return Follow(region, z + length, -length)
        case _:
            return step


def _upstream(steps: Iterable[Step]) -> Iterator[tuple[int, Step]]:
    """Steps as a filter that runs upstream meets them, with their numbers; scattering on the way is felt at the way's other end."""
    felt: list[tuple[int, Step]] = []
    for number, step in reversed(list(enumerate(steps))):
        if isinstance(step, Scatter) and step.length != 0.0:
            felt = [(number, _reverse(step))]
        else:
            yield number, _reverse(step)
            yield from felt
            felt = []


def _smooth(step: Step, number: int, rows: Rows) -> Iterator[str]:
    """Statements of one step of the smoother."""
    match step:
        case Measure(plane, direction):
            values = f"a, g{number}{_given(plane, direction)}"
            yield f"a, {_at(rows.score + plane)}, {_at(rows.information + plane)} = measure_{_along(direction)}_back({values})"
            if rows.kind == "states":
                yield f"s = smoothed(p{number}, a)"
                yield from _store("s", rows.states + 20 * plane)
        case Lose(loss):
            yield f"a = lose_back(a, e{number}, {loss!r})"
        case Drift(length):
            yield f"a = drift_back(a, {length!r})"
        case Cross(_, view, _):
            yield f"a = cross_back({'swap(a)' if view == 1 else 'a'}, j{number})"
            if view == 1:
                yield "a = swap(a)"
        case Follow():
            yield f"a = carry_back(a, j{number})"
        case _:
            yield from ()  # noise does not enter the adjoint


def _store(name: str, row: int) -> Iterator[str]:
    yield from (f"{_at(row + i)} = {name}[{i}]" for i in range(20))


def _body(path: Route, rows: Rows) -> Iterator[str]:
    prior = ", ".join(_at(5 + i) for i in range(5))
    yield f"k2 = {_at(4)} * {_at(4)}"
    yield f"t = start({', '.join(_at(i) for i in range(5))}, {prior})"
    if rows.kind != "filter":
        yield "first = t"
    yield "chi2 = 0.0"
    for number, step in enumerate(path.steps):
        yield from _forward(step, number, rows, keep=rows.kind != "filter")
    yield from _store("t", rows.downstream)
    yield f"{_at(rows.chi2)} = chi2"
    if rows.kind == "filter":
        yield f"t = start(t[0], t[1], t[2], t[3], t[4], {prior})"
        for number, step in _upstream(path.steps):
            yield from _forward(step, number, rows, keep=False)
    else:
        yield f"a = ({', '.join(['0.0'] * 20)})"
        for number, step in reversed(list(enumerate(path.steps))):
            yield from _smooth(step, number, rows)
        yield "t = smoothed(first, a)"
    yield from _store("t", rows.upstream)


def kernel_source(path: Route, kind: Kind | str) -> str:
    """Source of a module with the compiled function `fit_blocks(blocks, directions)`.

    Parameters
    ----------
    path : Route
        The spectrometer.
    kind : Kind or str
        "filter", "smooth" or "states".

    Returns
    -------
    str
        Python source; `fit_blocks` takes an array of shape (n_blocks, Rows.total * LANES), which it fills in place, the
        directions of the planes, shape (n_planes, 2), and with fringe fields or maps the tuple of their regions.
    """
    form: Kind = one_of(kind, get_args(Kind), "kind")
    rows = Rows(path.n_planes, form)
    body = "\n".join(f"        {line}" for line in _body(path, rows))
    turned = [s.plane for s in path.steps if isinstance(s, Measure) and _along(s.direction) == "along"]
    before = "".join(f"    hx{p}, hy{p} = directions[{p}, 0], directions[{p}, 1]\n" for p in turned)
    block, blocks, fields = '"void(float64[::1], float64[:, ::1])"', '"void(float64[:, ::1], float64[:, ::1])"', ", directions"
    if any(isinstance(step, Follow) for step in path.steps):
        # a field map is looked up track by track: its fit is not vectorised, and its types are known at the first call only
        block, blocks, fields = "None", "None", ", directions, regions"
        before += "    state, jacobian = np.empty(5), np.empty((5, 5))\n"
    return f'''"""Written by na64mu.tracking.code_generation: a track fit of {path.n_planes} planes, kind {form!r}."""
import numpy as np

from na64mu.compiled.kernel import typed_kernel, vector_kernel
from na64mu.tracking.field_propagation import follow
from na64mu.tracking.kalman import *


@vector_kernel({block})
def fit_block(block{fields}):
{before}    for lane in range({LANES}):
{body}


@typed_kernel({blocks})
def fit_blocks(blocks{fields}):
    for i in range(len(blocks)):
        fit_block(blocks[i]{fields})
'''
