"""The signal-box scan on the terminal; by rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from na64mu.report.boson_tables import number, plain_table
from na64mu.report.numbers import muons

if TYPE_CHECKING:
    from rich.console import Console

    from na64mu.analysis.optimisation import BoxScan

__all__ = ("render_boxes",)

#: Borders of the tables along one axis.
P_SHOWN, E_SHOWN = (40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0, 110.0, 120.0), (6.0, 8.0, 10.0, 12.0, 16.0, 20.0, 30.0)


def render_boxes(scan: BoxScan, console: Console) -> None:
    """Print the best boxes, the scan along both borders, the MIP fit and where the backgrounds come from.

    Parameters
    ----------
    scan : BoxScan
    console : rich.console.Console
        Console to print on.
    """
    names: tuple[str | None, ...] = (None, *scan.efficiencies)
    rows = []
    for name in names:
        for title, flag in (("exact, mean", False), ("asymptotic, median", True)):
            p, e, gain = scan.best(name, asymptotic=flag)
            i, j = scan.at(p, e)
            rows.append((name or "all", title, f"{p:g}", f"{e:g}", number(float(scan.backgrounds.total[i, j])), f"{gain:.3f}"))
    head = ("signal", "expected limit", "p_out <= [GeV/c]", "E_CAL < [GeV]", "background", "coupling / published box")
    (p_low, p_high), (e_low, e_high) = scan.plateau()
    note = (
        f"Within 1 % of the best limit on the coupling: p_out up to {p_low:g} to {p_high:g} GeV/c, E_CAL up to {e_low:g} to {e_high:g} GeV."
    )
    console.print(plain_table(f"Best signal box for {muons(scan.n_mot)} muons on target", head, rows, note))
    p_0, e_0 = scan.published
    shown = [(p, e_0) for p in P_SHOWN] + [(p_0, e) for e in E_SHOWN]
    console.print(_along(scan, shown))
    if scan.mip:
        fit = ", ".join(f"{name}: {value:.3g}" for name, value in scan.mip.items())
        console.print(Text(f"MIP fit of E_CAL (Landau folded with a Gaussian) [GeV, parts]: {fit}"))
    for name, source in scan.backgrounds.sources.items():
        console.print(Text(f"{name}: {source}"))


def _along(scan: BoxScan, shown: list[tuple[float, float]]) -> object:
    relative, asymptotic = scan.relative(), scan.relative(asymptotic=True)
    names = list(scan.efficiencies)
    picked = (names[0], names[-1]) if len(names) > 1 else tuple(names)
    rows = []
    for p, e in shown:
        i, j = scan.at(p, e)
        rows.append(
            (
                f"{scan.p_cuts[i]:g}, {scan.e_cuts[j]:g}",
                *(f"{100 * scan.efficiencies[name][i, j]:.2f}" for name in picked),
                *(number(float(part[i, j])) for part in scan.backgrounds.parts.values()),
                f"{scan.backgrounds.total[i, j]:.3g}",
                f"{scan.backgrounds.error[i, j]:.2g}",
                f"{scan.mean_events[i, j]:.3f}",
                f"{relative[i, j]:.3f}",
                f"{asymptotic[i, j]:.3f}",
            )
        )
    head = (
        "p_out, E_CAL",
        *(f"{name} [%]" for name in picked),
        *scan.backgrounds.parts,
        "sum",
        "error",
        "N exact, mean",
        "coupling, exact",
        "asymptotic",
    )
    return plain_table(
        "Along the borders", head, rows, "Coupling: expected limit over that of the box in use, geometric mean over the signals."
    )
