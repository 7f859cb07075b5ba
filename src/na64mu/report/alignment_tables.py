"""Tables of an alignment: corrections, common movements, planes, straws."""

from __future__ import annotations

from collections.abc import Iterable
from math import floor, log10
from typing import TYPE_CHECKING

from na64mu.errors import one_line

if TYPE_CHECKING:
    from rich.console import Console

    from na64mu.detector.alignment import Alignment

__all__ = ("render_alignment",)


def render_alignment(alignment: Alignment, console: Console) -> None:
    """Print the tables of an alignment.

    Parameters
    ----------
    alignment : Alignment
    console : rich.console.Console
        Console to print on.
    """
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    def table(title: str, rows: Iterable[tuple[str, ...]], columns: tuple[str, ...]) -> None:
        drawn = Table(title=escape(one_line(title)), box=SIMPLE)
        for i, name in enumerate(columns):
            drawn.add_column(name, justify="right" if i else "left", no_wrap=True)
        for row in rows:
            drawn.add_row(*(escape(one_line(cell)) for cell in row))
        console.print(drawn)

    tracks = ", ".join(f"{n} in {ms.upper()} (chi2/ndf {alignment.chi2_ndf[ms]:.3f})" for ms, n in alignment.n_tracks.items())
    corrections = [
        (m.name, _value(m.dx, m.dx_error, 1e3), _value(m.dy, m.dy_error, 1e3), _value(m.drotation, m.drotation_error, 1e3), str(m.n_hits))
        for m in alignment.modules
    ]
    table(
        f"Corrections to {alignment.detector}; tracks: {tracks}", corrections, ("module", "dx [um]", "dy [um]", "rotation [mrad]", "hits")
    )
    modes = [
        (
            m.spectrometer.upper(),
            m.name,
            "unknown" if m.error is None else f"{m.error:.2g} {m.unit}",
            m.held_by or ("as described" if m.held else "from tracks"),
            "" if m.size is None else f"{m.size:.2g} {m.unit}",
            "" if m.momentum is None else f"{100 * m.momentum:.2g} %",
        )
        for m in alignment.modes
    ]
    columns = ("spectrometer", "movement", "error from tracks", "held by", "error", "so 1/p is off by")
    table("Common movements, and what the tracks know of them", modes, columns)
    scales = [
        (
            s.spectrometer.upper(),
            f"{100 * s.error:.2g} %",
            s.held_by,
            "" if s.offset is None else f"{100 * s.offset:+.3f} ± {100 * (s.offset_error or 0.0):.3f} %",
            str(s.n_muons or ""),
        )
        for s in alignment.scales
    ]
    table("Momentum scales", scales, ("spectrometer", "error of 1/p", "held by", "1/p from p_in and ECAL, over the fitted", "MIP muons"))
    planes = [
        (
            p.name,
            _value(p.resolution, p.resolution_error, 1e3),
            f"{p.efficiency:.4f} +{p.efficiency_high - p.efficiency:.4f} -{p.efficiency - p.efficiency_low:.4f}",
            str(p.n_probes),
            _value(p.noise, p.noise_error, 1.0),
        )
        for p in alignment.planes
    ]
    table("Planes", planes, ("plane", "resolution [um]", "efficiency", "tracks", "noise hits per event"))
    straws = [
        (s.name, _value(s.t0, s.t0_error, 1.0), _value(s.drift_ns_per_mm, s.drift_error, 1.0), f"{s.chi2:.1f}/{s.ndf}")
        for s in alignment.straws
    ]
    table("Straws: time = t0 + drift x distance", straws, ("chamber", "t0 [ns]", "drift [ns/mm]", "chi2/ndf"))


def _value(value: float, error: float | None, scale: float) -> str:
    """Value and error, rounded to the first two digits of the error."""
    if error is None:
        return "" if value == 0.0 else f"{scale * value:.3g}"
    if error <= 0.0:
        return f"{scale * value:.4g}"
    digits = max(0, 1 - floor(log10(scale * error)))
    return f"{scale * value:.{digits}f} ± {scale * error:.{digits}f}"
