"""Table I: the three backgrounds as published and as estimated, side by side. All numbers are events of one exposure."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass

from na64mu.analysis.backgrounds.abcd import AbcdEstimate
from na64mu.analysis.backgrounds.decays import DecayEstimate
from na64mu.analysis.backgrounds.leakage import LeakageEstimate
from na64mu.analysis.backgrounds.tail import TailEstimate
from na64mu.common.table import Table
from na64mu.errors import BackgroundError

__all__ = ("PUBLISHED", "PUBLISHED_EXPOSURE", "BackgroundTable", "Entry", "Row", "background_table")

#: Muons on target of the Letter.
PUBLISHED_EXPOSURE = 1.98e10
#: Standard deviations of a one-sided 95 %.
ONE_SIDED_95 = 1.645


@dataclass(frozen=True)
class Entry:
    """A number of events: value and error, or an upper limit.

    Attributes
    ----------
    value : float
        Events; of an upper limit, the limit.
    error : float
        Symmetric error; 0 for an upper limit.
    is_upper : bool
    note : str
        Method by which it was found.
    per_event : float
        Part of the value that one simulated event makes; 0 where it is no count of events.
    """

    value: float
    error: float = 0.0
    is_upper: bool = False
    note: str = ""
    per_event: float = 0.0

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "not estimated"
        return f"< {self.value:.2g}" if self.is_upper else f"{self.value:.3g} +- {self.error:.2g}"


@dataclass(frozen=True)
class Row:
    """A background: name in a model, title in the table, published and our numbers."""

    name: str
    title: str
    published: Entry
    ours: Entry


#: Table I of PRL 132, 211803 (arXiv:2401.01708).
PUBLISHED = {
    "momentum": ("(I) momentum mis-reconstruction in MS2", Entry(0.05, 0.03)),
    "decays": ("(II) decays in flight", Entry(0.010, 0.001)),
    "hadrons": ("(III) calorimeter non-hermeticity", Entry(0.01, is_upper=True)),
    "total": ("total (conservative)", Entry(0.07, 0.03)),
}


@dataclass(frozen=True)
class BackgroundTable:
    """Rows of Table I.

    Attributes
    ----------
    rows : tuple of Row
        Three backgrounds and their total.
    n_mot : float
        Muons on target of our numbers.
    """

    rows: tuple[Row, ...]
    n_mot: float

    def expected(self) -> dict[str, float]:
        """Background -> events, of those that are estimated; those with an upper limit only are in `bounds`."""
        return {row.name: row.ours.value for row in self._known() if not row.ours.is_upper}

    def errors(self) -> dict[str, float]:
        """Background -> error of the estimate, with the differences between the forms of an extrapolation."""
        return {row.name: row.ours.error for row in self._known() if not row.ours.is_upper}

    def bounds(self) -> dict[str, float]:
        """Background -> upper limit, of those of which nothing else is known. A bound is no expectation: it never enters a model as events."""
        return {row.name: row.ours.value for row in self._known() if row.ours.is_upper}

    def _known(self) -> list[Row]:
        return [row for row in self.rows if row.name != "total" and not math.isnan(row.ours.value)]

    def to_csv(self) -> str:
        """Write one line per background: source, published value and error, our value and error, how it was found."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(["source", "published", "published_error", "published_is_upper", "ours", "ours_error", "ours_is_upper", "method"])
        for row in self.rows:
            numbers = [v for e in (row.published, row.ours) for v in (f"{e.value:.6g}", f"{e.error:.6g}", int(e.is_upper))]
            writer.writerow([row.title, *numbers, row.ours.note])
        return buffer.getvalue()

    def to_latex(self) -> str:
        """A tabular environment."""

        def cell(entry: Entry) -> str:
            return str(entry) if math.isnan(entry.value) else f"${str(entry).replace('+-', chr(92) + 'pm')}$"

        body = [f"{row.title} & {cell(row.published)} & {cell(row.ours)} \\\\" for row in self.rows]
        head = ["\\begin{tabular}{lcc}", "\\hline", "Source & published & this analysis \\\\", "\\hline"]
        return "\n".join([*head, *body[:-1], "\\hline", body[-1], "\\hline", "\\end{tabular}"]) + "\n"

    def __repr__(self) -> str:
        head = f"{'background events':<40} {'published':>16} {'ours':>22}   for {self.n_mot:.3g} muons on target (published: {PUBLISHED_EXPOSURE:.3g})"
        return "\n".join([head, *(f"{r.title:<40} {r.published!s:>16} {r.ours!s:>22}   {r.ours.note}".rstrip() for r in self.rows)])

    def _repr_html_(self) -> str:
        rows = tuple((r.title, str(r.published), str(r.ours), r.ours.note) for r in self.rows)
        title = f"background events for {self.n_mot:.3g} muons on target (published: {PUBLISHED_EXPOSURE:.3g})"
        return Table(title, ("source", "published", "ours", "how"), rows).html()


def _tail_entry(tail: TailEstimate) -> Entry:
    if tail.nominal is None and tail.forms:
        return Entry(tail.upper, is_upper=True, note="no MIP-tagged muon of the physics trigger sets the rate: upper limit")
    if tail.nominal is None:
        return Entry(tail.upper, is_upper=True, note=f"{tail.n_tail:.0f} events in the tail, too few for a fit: 95 % upper limit")
    low, high = tail.statistical
    text = (
        f"{tail.nominal.name}: {tail.value:.2g}, this form alone {low:.2g} to {high:.2g} (68 % bootstrap, as in the Letter), "
        f"with the other forms {tail.envelope[0]:.2g} to {tail.envelope[1]:.2g}, < {tail.upper:.2g} (95 %)"
    )
    return _with_envelope(tail.value, tail.envelope, tail.upper, text)


def _with_envelope(value: float, envelope: tuple[float, float], upper: float, text: str) -> Entry:
    """An estimate with the interval of all forms; wider than its value (the forms differ) it is an upper limit: a log-normal error has no meaning then."""
    error = 0.5 * (envelope[1] - envelope[0])
    if error > value:
        return Entry(upper, is_upper=True, note=f"{text}; error above the value: 95 % upper limit")
    return Entry(value, error, note=text)


def _abcd_entry(abcd: AbcdEstimate | None, why: str) -> Entry:
    """(III) where region D has too few events for its spectrum."""
    if abcd is None:
        return Entry(float("nan"), note="no events next to the signal box")
    d, x, y = (region.n for region in abcd.regions)
    return Entry(abcd.upper_90, is_upper=True, note=f"{d} x {x} / {y} = {abcd.value:.2g}; 90 % upper limit" + (f"; {why}" if why else ""))


def _leakage_entry(leakage: LeakageEstimate, abcd: AbcdEstimate | None, why: str) -> Entry:
    """(III) by the spectrum of region D."""
    nominal = leakage.nominal
    fit = f"{nominal.name}" + ("" if nominal.p_value is None else f", p = {nominal.p_value:.2f}")
    text = f"{fit}: {leakage.value:.2g}, with the other forms {leakage.low:.2g} to {leakage.high:.2g}, < {leakage.upper:.2g} (95 %)"
    text += f", from {leakage.n_shape:.0f} events of region D before cut (iv)"
    text += f"; {why}" if abcd is None else f"; cross-check D X / Y: {abcd.value:.2g}, < {abcd.upper_90:.2g} (90 %)"
    return _with_envelope(leakage.value, (leakage.low, leakage.high), leakage.upper, text)


def _decay_entry(decays: DecayEstimate | None) -> Entry:
    if decays is None:
        return Entry(float("nan"), note="no simulated hadrons")
    if decays.n_selected == 0:
        return Entry(decays.upper, is_upper=True, note="no simulated event selected: 95 % upper limit (binomial)")
    return Entry(
        decays.value,
        decays.error,
        note=f"{decays.n_selected} simulated events: {decays.low:.2g} to {decays.high:.2g} (68 %, binomial), < {decays.upper:.2g} (95 %); statistics of the simulation alone",
        per_event=decays.value / decays.n_selected,
    )


def _total(known: list[Entry], note: str) -> Entry:
    """Sum with upper limits in full; an upper limit itself (95 %) where these are more than the error of the rest."""
    if not known:
        return Entry(math.nan, note=note)
    estimated, bounds = (sum(e.value for e in known if e.is_upper is upper) for upper in (False, True))
    error = math.sqrt(sum(e.error**2 for e in known))
    if bounds > error:
        return Entry(
            estimated + ONE_SIDED_95 * error + bounds, is_upper=True, note=f"{note}, estimates with {ONE_SIDED_95} of their errors"
        )
    return Entry(estimated + bounds, error, note=note)


def background_table(
    tail: TailEstimate | None,
    decays: DecayEstimate | None,
    abcd: AbcdEstimate | None,
    *,
    leakage: LeakageEstimate | None = None,
    no_leakage: str = "",
    n_mot: float = PUBLISHED_EXPOSURE,
) -> BackgroundTable:
    """Compare our estimates with Table I.

    Parameters
    ----------
    tail : TailEstimate, optional
        Background (I); scaled to the exposure here.
    decays : DecayEstimate, optional
        Background (II), made for this exposure.
    abcd : AbcdEstimate, optional
        Background (III) as D X / Y; scaled to the exposure here. Beside `leakage` a cross-check in the note, otherwise its upper limit is taken.
    leakage : LeakageEstimate, optional
        Background (III) by the spectrum of region D, made for this exposure.
    no_leakage : str
        Why one of the two estimates of (III) is not there; for the note.
    n_mot : float
        Muons on target.

    Returns
    -------
    BackgroundTable

    Raises
    ------
    BackgroundError
        If decays or leaking hadrons were made for another exposure, or an estimate cannot be scaled.
    """
    for what, made in (("decays", decays), ("leaking hadrons", leakage)):
        if made is not None and not math.isclose(made.n_mot, n_mot, rel_tol=1e-6):
            msg = f"the {what} were estimated for {made.n_mot:.4g} muons on target, the table is for {n_mot:.4g}: estimate them for the same exposure"
            raise BackgroundError(msg)
    scaled = None if abcd is None else abcd.scaled(n_mot)
    ours = {
        "momentum": Entry(math.nan, note="no spectrum of p_out") if tail is None else _tail_entry(tail.scaled(n_mot)),
        "decays": _decay_entry(decays),
        "hadrons": _abcd_entry(scaled, no_leakage) if leakage is None else _leakage_entry(leakage, scaled, no_leakage),
    }
    known = [entry for entry in ours.values() if not math.isnan(entry.value)]
    missing = "" if len(known) == len(ours) else " of the estimated ones"
    ours["total"] = _total(known, f"sum{missing}; upper limits count in full")
    return BackgroundTable(tuple(Row(name, title, published, ours[name]) for name, (title, published) in PUBLISHED.items()), n_mot)
