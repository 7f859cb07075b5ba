"""The limits as files (limits.csv, systematics.csv, yields.csv) and as a comparison with the Letter's numbers."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from na64mu.analysis.curves import crossing, g_minus_2_line, letter_numbers
from na64mu.analysis.limits import METHODS, SearchLimits
from na64mu.common.whole_file import whole_file
from na64mu.physics.couplings import coupling_from_y, y_parameter
from na64mu.statistics.model import SIGNAL
from na64mu.typing import FloatArray

__all__ = (
    "Comparison",
    "at_mass",
    "caution_of",
    "compared",
    "limits_dict",
    "plain",
    "published_point",
    "write_table",
    "write_tables",
)

COLUMNS = ("observed", "expected_m2", "expected_m1", "expected", "expected_p1", "expected_p2")


class Comparison(NamedTuple):
    """A published number beside ours; NaN where there is none.

    Attributes
    ----------
    what : str
    letter : float
    asymptotic, exact : float
        Ours by both methods (equal where the method does not enter).
    note : str
        Source of the published number, or a remark on it.
    """

    what: str
    letter: float
    asymptotic: float
    exact: float
    note: str

    @property
    def ratio(self) -> float:
        """Asymptotic (the Letter's method) over the Letter's."""
        return self.asymptotic / self.letter


def at_mass(limits: SearchLimits, values: FloatArray, mass: float) -> float:
    """A quantity at one mass [GeV], interpolated in logarithms; NaN outside the masses."""
    if not limits.masses[0] * (1 - 1e-9) <= mass <= limits.masses[-1] * (1 + 1e-9):
        return math.nan
    return float(np.exp(np.interp(math.log(mass), np.log(limits.masses), np.log(values))))


def _column(limits: SearchLimits) -> int:
    """The observed limit, or the expected one while blinded."""
    return 3 if limits.is_blinded else 0


def compared(limits: SearchLimits) -> list[Comparison]:
    """Numbers of the Letter beside ours; every one as printed there, none adjusted.

    Parameters
    ----------
    limits : SearchLimits

    Returns
    -------
    list of Comparison
        y at the published point, the coupling it corresponds to, the crossing with the lower edge of the g-2 band, peak efficiency.
    """
    letter = letter_numbers()
    return [*_y_rows(limits, letter), *_band_rows(limits, letter), *_efficiency_rows(limits, letter)]


def published_point(letter: dict[str, Any] | None = None) -> tuple[float, float]:
    """Mass of the Z' [GeV] and coupling g of the published y.

    Parameters
    ----------
    letter : dict, optional
        Content of letter.toml.

    Returns
    -------
    mass, coupling : float
    """
    letter = letter_numbers() if letter is None else letter
    y = letter["limit"]["y"]
    mass = y["m_chi"] * y["mass_ratio"]
    return mass, float(coupling_from_y(y["value"], y["g_chi"], y["m_chi"], mass))


def _y_rows(limits: SearchLimits, letter: dict[str, Any]) -> list[Comparison]:
    published = letter["limit"]["y"]
    mass, g_published = published_point(letter)
    g = [at_mass(limits, limits.dark_couplings(m)[:, _column(limits)], mass) for m in METHODS]
    y = [float(y_parameter(one, published["g_chi"], published["m_chi"], mass)) for one in g]
    return [
        Comparison(f"y at m_chi = {1000 * published['m_chi']:g} MeV", published["value"], y[0], y[1], "printed, read as 'about'"),
        Comparison(f"g at m_Z' = {1000 * mass:g} MeV (from that y)", g_published, g[0], g[1], "converted"),
    ]


def _band_rows(limits: SearchLimits, letter: dict[str, Any]) -> list[Comparison]:
    """Rows on the masses at which the limit is below the lower edge of the g-2 band."""
    cross = letter["limit"]["g_minus_2_crossing"]
    edge = g_minus_2_line(limits.masses, -2.0)
    g = [limits.couplings(m)[:, _column(limits)] for m in METHODS]
    (first, last), (first_exact, last_exact) = (crossing(limits.masses, one, edge) for one in g)
    edge_at = float(g_minus_2_line(np.array([cross["mass"]]), -2.0)[0])
    here = [at_mass(limits, one, cross["mass"]) for one in g]
    note = "read from text as 'about'"
    if math.isnan(first):
        note += f"; -: {'below that line from the lowest mass on' if g[0][0] < edge[0] else 'never below that line'}"
    return [
        Comparison("g-2 at -2 sigma excluded from [MeV]", 1000 * cross["mass"], 1000 * first, 1000 * first_exact, note),
        Comparison("g-2 at -2 sigma excluded up to [MeV]", math.nan, 1000 * last, 1000 * last_exact, "not printed"),
        Comparison(f"g at m_Z' = {1000 * cross['mass']:g} MeV (on that line)", edge_at, here[0], here[1], "converted"),
    ]


def _efficiency_rows(limits: SearchLimits, letter: dict[str, Any]) -> list[Comparison]:
    """The printed maximum, and with the exposure of the Letter those that its limits ask for."""
    efficiency = 100 * limits.yields.mean_efficiency
    low, high = letter["signal_efficiency"]["masses"]
    inside = (limits.masses >= low) & (limits.masses <= high)
    peak = float(efficiency[inside].max()) if inside.any() else math.nan
    printed = 100 * letter["signal_efficiency"]["peak"]
    rows = [Comparison("largest efficiency, 0.1 to 1 GeV [%]", printed, peak, peak, "printed, with accidentals")]
    if not math.isclose(sum(limits.counting.exposures), letter["exposure"]["total"], rel_tol=0.02):
        return rows
    crossed = letter["limit"]["g_minus_2_crossing"]["mass"]
    for mass, g in (published_point(letter), (crossed, float(g_minus_2_line(np.array([crossed]), -2.0)[0]))):
        here = at_mass(limits, efficiency, mass)
        note = "inferred from that g: asymptotic events over our Z' / MOT"
        rows.append(Comparison(f"efficiency at {1000 * mass:g} MeV [%]", 100 * _efficiency_asked(limits, mass, g), here, here, note))
    return rows


def _efficiency_asked(limits: SearchLimits, mass: float, coupling: float) -> float:
    """Efficiency with which the asymptotic limit of this exposure would lie at a coupling, all decays invisible."""
    events = at_mass(limits, limits.events("asymptotic")[:, _column(limits)], mass)
    produced = at_mass(limits, limits.yields.per_muon, mass) * (coupling / limits.yields.g_ref) ** 2
    return events / (sum(limits.counting.exposures) * produced)


def _rows(limits: SearchLimits) -> Iterable[dict[str, Any]]:
    tables = {(q, m): getattr(limits, q)(m) for q in ("couplings", "y", "events") for m in METHODS}
    names = {"couplings": "g", "y": "y", "events": "n"}
    for i, mass in enumerate(limits.masses):
        row: dict[str, Any] = {"mass_GeV": float(mass), "m_chi_GeV": float(limits.m_chi[i])}
        for (quantity, method), values in tables.items():
            row |= {f"{names[quantity]}_{method}_{column}": float(v) for column, v in zip(COLUMNS, values[i], strict=True)}
        yield row


def _yield_rows(limits: SearchLimits) -> Iterable[dict[str, Any]]:
    yields = limits.yields
    events = yields.events()
    for i, mass in enumerate(limits.masses):
        row = {"mass_GeV": float(mass), "produced_per_mot": float(yields.per_muon[i]), "branching_invisible": float(yields.invisible[i])}
        for c, channel in enumerate(limits.counting.channels):
            row |= {
                f"efficiency_{channel}": float(yields.total_efficiency[i, c]),
                f"efficiency_error_{channel}": float(yields.efficiency_error[i, c] * (1.0 - yields.pile_up_loss.value)),
                f"events_{channel}": float(events[i, c]),
            }
        yield row


def _systematics_rows(limits: SearchLimits) -> Iterable[dict[str, Any]]:
    for mass, model in limits.models.items():
        for s in model.systematics:
            for sample in s.effects:
                yield {
                    "mass_GeV": mass,
                    "source": s.name,
                    "sample": "signal" if sample == SIGNAL else sample,
                    "correlated": "yes" if s.correlated else "no",
                    "shape": s.shape,
                    **{f"size_{channel}": s.size(sample, c) for c, channel in enumerate(model.channels)},
                    "where": s.source,
                }


def write_tables(limits: SearchLimits, folder: Path) -> list[Path]:
    """Write limits.csv, yields.csv and systematics.csv.

    Parameters
    ----------
    limits : SearchLimits
    folder : Path
        Exists.

    Returns
    -------
    list of Path
        The files.
    """
    head = [
        f"{100 * limits.scan.limits[0].level:g} % CL upper limits; {limits.counting.source}",
        f"muons on target per configuration: {', '.join(f'{n:.6g}' for n in limits.counting.exposures)}",
        f"y = (g g_chi)^2 (m_chi/m_Z')^4 with g_chi = {limits.dark.dark_coupling:g}, m_Z' = {limits.dark.ratio:g} m_chi, {limits.dark.kind}",
        "expected limits: as they were while the box was shut, nuisance parameters at their nominal values, not fitted to the counts",
        *limits.bound_notes(),
        *([f"caution: {caution_of(limits)}"] if caution_of(limits) else []),
    ]
    yields = [
        f"signal at g = {limits.yields.g_ref:g}; efficiencies with a loss to pile-up of {limits.yields.pile_up_loss.value:.4f} ({limits.yields.pile_up_loss.source})"
    ]
    return [
        write_table(folder / "limits.csv", head, list(_rows(limits))),
        write_table(folder / "yields.csv", yields, list(_yield_rows(limits))),
        write_table(
            folder / "systematics.csv",
            ["relative sizes; not correlated: one nuisance parameter per configuration"],
            list(_systematics_rows(limits)),
        ),
    ]


def write_table(path: Path, head: Sequence[str], rows: Sequence[dict[str, Any]]) -> Path:
    """Write rows as CSV, behind a head of lines that begin with #; returns the path."""
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(f"# {line}\n" for line in head)
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    return path


def caution_of(limits: SearchLimits) -> str:
    """The first caution of the masses; empty if there is none."""
    return next((one.caution for one in limits.scan.limits if one.caution), "")


def limits_dict(limits: SearchLimits) -> dict[str, Any]:
    """Return the limits as plain values, which `--json` prints. Numbers that do not exist are null."""
    content = {
        "level": limits.scan.limits[0].level,
        "source": limits.counting.source,
        "exposures": list(limits.counting.exposures),
        "backgrounds": dict(limits.counting.backgrounds),
        "background_errors": dict(limits.counting.errors),
        "background_methods": dict(limits.counting.methods),
        "bounded_backgrounds": dict(limits.counting.bounds),
        "bound_notes": limits.bound_notes(),
        "missing_backgrounds": dict(limits.counting.missing),
        "observed": None if limits.counting.observed is None else list(limits.counting.observed),
        "pile_up_loss": {
            "value": limits.yields.pile_up_loss.value,
            "error": limits.yields.pile_up_loss.error,
            "source": limits.yields.pile_up_loss.source,
        },
        "limits": list(_rows(limits)),
        "yields": list(_yield_rows(limits)),
        "comparison": [c._asdict() | {"ratio": c.ratio} for c in compared(limits)],
        "caution": caution_of(limits),
    }
    return plain(content)


def plain(value: Any) -> Any:
    """Numbers that do not exist become null, at any depth."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
