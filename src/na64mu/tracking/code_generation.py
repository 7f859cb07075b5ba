"""Source code of the fit of a spectrometer: its route unrolled to a straight sequence of formulas (kalman.py).

A loop over planes inside the loop over tracks would keep the compiler from vectorising over tracks; written out, the
whole fit of eight tracks runs in vector registers. The source depends on the kinds of the steps only (step_kinds.py): lengths,
angles, losses, fields and directions are an argument, and are loaded before the loop. Tracks come in blocks (rows.py), read and
written in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, get_args

from na64mu.common.arguments import one_of
from na64mu.tracking import field_propagation, kalman  # noqa: F401  # what is written imports their formulas
from na64mu.tracking.rows import LANES, TRACK, Kind, Rows, block_rows
from na64mu.tracking.step_kinds import NUMBERS, Form

__all__ = ("kernel_source",)


class _Step(NamedTuple):
    """A step in the source: its kind, its plane or region, a number that names its variables, and the names of its numbers."""

    kind: str
    which: int
    number: int
    values: tuple[str, ...]


def _steps(form: Form) -> list[_Step]:
    return [_Step(name, which, i, tuple(f"{v}{i}" for v in NUMBERS[name])) for i, (name, which) in enumerate(form.steps)]


def _at(row: int) -> str:
    return f"block[{row * LANES} + lane]"


def _given(step: _Step) -> str:
    """Further arguments of a formula: the numbers of the step."""
    return "".join(f", {v}" for v in step.values)


def _against(step: _Step) -> _Step:
    """The step as it is met by a filter that runs upstream."""
    match step.kind, step.values:
        case "follow", (z, length):
            return step._replace(values=(f"{z} + {length}", f"-{length}"))
        case "scatter", (angle2, length):
            return step._replace(values=(angle2, f"-{length}"))
        case (("lose" | "drift" | "cross_x" | "cross_y"), values):
            return step._replace(values=tuple(f"-{v}" for v in values))
        case _:
            return step


def _upstream(steps: Iterable[_Step]) -> Iterator[_Step]:
    """Steps as a filter that runs upstream meets them; scattering on the way is felt at the way's other end."""
    felt: list[_Step] = []
    for step in reversed(list(steps)):
        if step.kind == "scatter":
            felt = [_against(step)]
        else:
            yield _against(step)
            yield from felt
            felt = []


def _forward(step: _Step, rows: Rows, *, keep: bool) -> Iterator[str]:
    """Statements of one step of a filter; `keep` stores what the smoother needs."""
    number = step.number
    match step.kind:
        case "measure_x" | "measure_y" | "measure_along":
            if keep and rows.states >= 0:
                yield f"p{number} = t"
            yield f"t, c, g{number} = {step.kind}(t, {_at(rows.u + step.which)}, {_at(rows.weight + step.which)}{_given(step)})"
            yield "chi2 += c"
        case "scatter_thin" | "scatter":
            yield f"t = {step.kind}(t, {step.values[0]} * k2{''.join(f', {v}' for v in step.values[1:])})"
        case "lose":
            yield f"t = lose(t{_given(step)})"
            if keep:
                yield f"e{number} = t[4]"
        case "drift":
            yield f"t = drift(t{_given(step)})"
        case "cross_x":
            yield f"t, j{number} = cross(t{_given(step)})"
        case "cross_y":
            yield f"t, j{number} = cross(swap(t){_given(step)})"
            yield "t = swap(t)"
        case "follow":
            yield f"t, j{number} = follow(t, state, jacobian{_given(step)}, regions[{step.which}])"


def _smooth(step: _Step, rows: Rows) -> Iterator[str]:
    """Statements of one step of the smoother."""
    number = step.number
    match step.kind:
        case "measure_x" | "measure_y" | "measure_along":
            results = f"a, {_at(rows.score + step.which)}, {_at(rows.information + step.which)}"
            yield f"{results} = {step.kind}_back(a, g{number}{_given(step)})"
            if rows.states >= 0:
                yield f"s = smoothed(p{number}, a)"
                yield from _store("s", rows.states + TRACK * step.which)
        case "lose":
            yield f"a = lose_back(a, e{number}{_given(step)})"
        case "drift":
            yield f"a = drift_back(a{_given(step)})"
        case "cross_x":
            yield f"a = cross_back(a, j{number})"
        case "cross_y":
            yield f"a = swap(cross_back(swap(a), j{number}))"
        case "follow":
            yield f"a = carry_back(a, j{number})"
        case _:
            yield from ()  # noise does not enter the adjoint


def _store(name: str, row: int) -> Iterator[str]:
    yield from (f"{_at(row + i)} = {name}[{i}]" for i in range(TRACK))


def _numbers(first: int, n: int = 5) -> str:
    return ", ".join(_at(first + i) for i in range(n))


def _passes(form: Form, rows: Rows) -> Iterator[list[str]]:
    """Statements of each loop over the tracks of a block."""
    steps, is_filter = _steps(form), rows.score < 0
    k2 = f"k2 = {_at(rows.seed + 4)} * {_at(rows.seed + 4)}"
    down = [k2, f"t = start({_numbers(rows.seed)}, {_numbers(rows.sigma)})", "first = t", "chi2 = 0.0"]
    for step in steps:
        down += _forward(step, rows, keep=not is_filter)
    down += [*_store("t", rows.downstream), f"{_at(rows.chi2)} = chi2"]
    if is_filter:
        yield down
        # a loop of its own, which begins with what the first one stored: half as long, it compiles in less than half of the time
        up = [k2, "chi2 = 0.0", f"t = start({_numbers(rows.downstream)}, {_numbers(rows.sigma)})"]
        for step in _upstream(steps):
            up += _forward(step, rows, keep=False)
        yield [*up, *_store("t", rows.upstream)]
    else:
        down.append(f"a = ({', '.join(['0.0'] * TRACK)})")
        for step in reversed(steps):
            down += _smooth(step, rows)
        yield [*down, "t = smoothed(first, a)", *_store("t", rows.upstream)]


def kernel_source(form: Form, kind: Kind | str) -> str:
    """Source of a module with the compiled function `fit_blocks(blocks, numbers)`.

    Parameters
    ----------
    form : Form
        Kinds of the steps of the spectrometer.
    kind : Kind or str
        "filter", "smooth" or "states".

    Returns
    -------
    str
        Python source; `fit_blocks` takes an array of shape (n_blocks, rows.total * LANES), which it fills in place, the
        numbers of the steps, and with fringe fields or maps the tuple of their regions.
    """
    kind = one_of(kind, get_args(Kind), "kind")
    names = [v for step in _steps(form) for v in step.values]
    before = "".join(f"    {name} = numbers[{i}]\n" for i, name in enumerate(names))
    types, fields = '"void(float64[:, ::1], float64[::1])"', ""
    if any(step.name == "follow" for step in form.steps):
        # a field map is looked up track by track: its fit is not vectorised, and its types are known at the first call only
        types, fields = "None", ", regions"
        before += "    state, jacobian = np.empty(5), np.empty((5, 5))\n"
    loops = "".join(
        f"        for lane in range({LANES}):\n" + "".join(f"            {line}\n" for line in body)
        for body in _passes(form, block_rows(form.n_planes, kind))
    )
    return f'''"""Written by na64mu.tracking.code_generation: a track fit of {form.n_planes} planes, kind {kind!r}."""
import numpy as np

from na64mu.compiled.kernel import vector_kernel
from na64mu.tracking.field_propagation import follow
from na64mu.tracking.kalman import *


@vector_kernel({types})
def fit_blocks(blocks, numbers{fields}):
{before}    for i in range(len(blocks)):
        block = blocks[i]
{loops}'''
