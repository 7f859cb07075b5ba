"""A page part for every event of an opened box: picture, tracks, hits, energies, times, and what each cut saw."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from na64mu.common.text import in_html
from na64mu.detector import Detector
from na64mu.detector.readout import VIEWS
from na64mu.events.schema_v1 import COLLECTIONS
from na64mu.reconstruction.columns import COLUMNS, with_derived
from na64mu.reconstruction.event import event_junction, event_tracks
from na64mu.reconstruction.pulses.digits import with_digits
from na64mu.reconstruction.summary import reconstruct
from na64mu.report.elements import image, table
from na64mu.report.tables import Cells

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from na64mu.events.batch import RawBatch
    from na64mu.reconstruction.event import EventTracks
    from na64mu.results.candidates import Candidate
    from na64mu.results.run import RunResult
    from na64mu.selections.working_point import BoundCut
    from na64mu.typing import Summary

__all__ = ("DRAWN", "candidate_cells", "candidate_html", "candidates_html")

#: Events with a picture; the tables of all others are there too.
DRAWN = 20


def candidates_html(result: RunResult) -> str:
    """Every candidate of an opened box.

    Parameters
    ----------
    result : RunResult

    Returns
    -------
    str
        HTML; empty where no box was opened, or it holds no event.
    """
    if not result.candidates:
        return ""
    n = sum(len(events) for events in result.in_box.values())
    note = f"{n} events in the box before the plane cut" + (
        f"; the first {len(result.candidates)} are kept" if n > len(result.candidates) else ""
    )
    note += ". Those that pass all cuts come first. Reconstructed anew from the digits in candidates.json, with description and windows of this run."
    links = " ".join(f"<a href='#{_anchor(one)}'>{in_html(one.name)}</a>" for one in result.candidates)
    parts = [candidate_html(result, one, drawn=i < DRAWN) for i, one in enumerate(result.candidates)]
    return f"<p class='note'>{in_html(note)}</p><nav>{links}</nav>{''.join(parts)}"


def _anchor(one: Candidate) -> str:
    return f"run-{one.scalars['run']}-event-{one.scalars['event']}"


def candidate_html(result: RunResult, one: Candidate, *, drawn: bool = True) -> str:
    """One candidate.

    Parameters
    ----------
    result : RunResult
        Its result, with descriptions and windows.
    one : Candidate
    drawn : bool
        Whether it has a picture.

    Returns
    -------
    str
        HTML.
    """
    detector = Detector.model_validate(result.setup["detectors"][one.detector])
    batch = with_digits(one.batch(), detector)

    def draw() -> Figure:
        from na64mu.report.display import draw_event

        return draw_event(batch, detector)[0]

    words = f"Event display of {one.name}: beam line with tracks, residuals, calorimeter cells"
    picture = f"<div class='wide'>{image(partial(draw), words, dpi=75)}</div>" if drawn else ""
    tables = "".join(f"<div>{table(cells)}</div>" for cells in candidate_cells(result, one, batch, detector))
    title = f"{one.name}, configuration {one.scalars['config']} ({one.dataset})"
    return f"<h3 id='{_anchor(one)}' class='candidate'>{in_html(title)}</h3>{picture}<div class='candidate'>{tables}</div>"


def candidate_cells(result: RunResult, one: Candidate, batch: RawBatch, detector: Detector) -> list[Cells]:
    """Tables of one candidate: cuts, tracks, energies and times, hits.

    Parameters
    ----------
    result : RunResult
    one : Candidate
    batch : RawBatch
        The event with digits.
    detector : Detector
        Its description.

    Returns
    -------
    list of Cells
    """
    row = reconstruct(batch, detector)
    windows = {name: (-math.inf if low is None else low, high) for name, (low, high) in result.windows[one.detector].items()}
    cuts = result.working_point.bind(windows)
    ms = event_tracks(batch, detector)
    box = result.working_point.box
    inside = "in the box" if row["p_out"][0] <= box.p_out_max and row["e_cal"][0] < box.e_cal_max else "outside the box"
    what = f"p_out {_value(row['p_out'][0])} GeV/c, E_CAL {_value(row['e_cal'][0])} GeV"
    limits = f"p_out <= {box.p_out_max:g} GeV/c, E_CAL < {box.e_cal_max:g} GeV"
    verdicts = [_verdict(cut, row) for cut in cuts] + [("signal box", what, limits, inside)]
    return [
        Cells("What each cut saw", ("cut", "it saw", "it wants", "verdict"), verdicts, frozenset({0, 1, 2, 3})),
        _tracks(ms, detector),
        _energies(batch, row),
        _hits(ms),
    ]


def _value(value: Any) -> str:
    number = value.item() if isinstance(value, np.generic) else value
    return "-" if isinstance(number, float) and math.isnan(number) else f"{number:.4g}" if isinstance(number, float) else str(number)


def _verdict(cut: BoundCut, row: Summary) -> tuple[str, str, str, str]:
    """What a cut saw, what it wants, and whether the event passes."""
    full = with_derived(row, cut.columns)
    windows = getattr(cut.thresholds, "windows", {})
    seen = ", ".join(f"{name} {_value(full[name][0])}" for name in cut.columns)
    wants = [f"{name} {_value(low)} to {_value(high)}" for name, (low, high) in windows.items()]
    for name, value in cut.thresholds.model_dump(exclude={"windows", "mip"}).items():
        wants.append(f"{name} {', '.join(map(str, value)) if isinstance(value, list | tuple) else value}")
    return cut.label, seen, "; ".join(wants), "passes" if bool(cut(row)[0]) else "FAILS"


def _tracks(ms: tuple[EventTracks, EventTracks], detector: Detector) -> Cells:
    """Momentum, quality and direction of every track."""
    rows = []
    for number, event in enumerate(ms, start=1):
        fits = event.fits
        for t in range(len(fits)):
            k, error = fits.downstream[t, 4], math.sqrt(fits.downstream_covariance[t, 4, 4])
            near = (fits.downstream if number == 1 else fits.upstream)[t]
            rows.append(
                (
                    f"MS{number} {t + 1}", f"{1.0 / abs(k):.2f} \u00b1 {error / k**2:.2f}", "+1" if k > 0 else "\u22121",
                    f"{fits.chi2[t]:.1f}/{fits.ndf[t]}", str(int((event.chosen[t] >= 0).sum())), str(int(fits.removed[t].sum())),
                    f"{near[0]:.2f}", f"{near[1]:.2f}", f"{1e3 * near[2]:.2f}", f"{1e3 * near[3]:.2f}",
                )
            )  # fmt: skip
        if not len(fits):
            rows.append((f"MS{number}", "no track", "", "", "", "", "", "", "", ""))
    junction = event_junction(*ms, detector)
    note = "Positions and slopes at the plane nearest to the ECAL."
    if junction is not None:
        note += (
            f" Both spectrometers joined in the ECAL: kink {1e3 * junction.kink[0]:.2f} mrad (scattering {1e3 * junction.scattering[0]:.2f}), "
            f"chi2/ndf {junction.chi2[0]:.1f}/4, vertex z {junction.z[0]:.0f} \u00b1 {junction.z_error[0]:.0f} mm."
        )
    head = ("track", "p [GeV/c]", "charge", "chi2/ndf", "hits", "removed", "x [mm]", "y [mm]", "x' [mrad]", "y' [mrad]")
    return Cells("Tracks", head, rows, frozenset({0}), note)


def _energies(batch: RawBatch, row: Summary) -> Cells:
    """Energy sums of the reconstruction, and the rows of counters, VETO and calorimeters with their times."""
    rows = []
    for name in (n for n in row if n.startswith("e_") and n in COLUMNS):
        unit, meaning = COLUMNS[name][1:]
        rows.append((name, f"{_value(row[name][0])} {unit}", "", meaning))
    for kind, fields in COLLECTIONS.items():
        if "energy" not in fields or kind not in batch.collections:
            continue
        digits = batch.collections[kind]
        addresses = [f for f in fields if f not in ("energy", "time")]
        order = np.argsort(-digits["energy"], kind="stable")[:6]
        unit = "MeV" if kind in ("counter", "veto") else "GeV"
        for i in order:
            address = ", ".join(f"{f} {int(digits[f][i])}" for f in addresses)
            rows.append((kind, f"{digits['energy'][i]:.4g} {unit}", f"{digits['time'][i]:.2f}", address))
    note = "Sums of the reconstruction (in time), then the largest channels of each collection, six at most."
    return Cells("Energies and times", ("quantity", "energy", "time [ns]", "what it is"), rows, frozenset({0, 3}), note)


def _hits(ms: tuple[EventTracks, EventTracks]) -> Cells:
    """Hits of every plane, and the residual of the best track."""
    rows = []
    for number, event in enumerate(ms, start=1):
        fits = event.fits
        for p, plane in enumerate(event.spectrometer.planes):
            low, high = event.hits.offsets[p], event.hits.offsets[p + 1]
            used, pull = "-", "-"
            if len(fits) and event.chosen[0][p] >= 0:
                removed = " (removed)" if fits.removed[0][p] else ""
                used, pull = f"{event.hits.u[event.chosen[0][p]]:.2f}{removed}", _value(float(fits.pull[0][p]))
            others = ", ".join(f"{u:.1f}" for u in event.hits.u[low:high][:8]) + (" ..." if high - low > 8 else "")
            layer = "ab"[plane.layer] if plane.layers == 2 else ""
            rows.append(
                (
                    f"MS{number} {plane.station.upper()}{layer} {VIEWS[plane.view]}",
                    f"{plane.z:.0f}",
                    str(int(high - low)),
                    used,
                    pull,
                    others,
                )
            )
    note = "Pull: residual over its standard deviation, of the fit without this hit. Both sides of a wire are candidates."
    head = ("plane", "z [mm]", "hits", "on the best track [mm]", "pull", "all hits [mm]")
    return Cells("Hits", head, rows, frozenset({0, 5}), note)
