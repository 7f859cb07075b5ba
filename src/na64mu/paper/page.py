"""paper/report.html: every published number beside ours with a verdict, all figures, tables, times. One file, no network, for phone and paper."""

from __future__ import annotations

import base64
import csv
import json
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from na64mu import __version__
from na64mu.common.text import in_html
from na64mu.common.whole_file import write_whole
from na64mu.paper.comparison import Compared, Verdict, compare, write_csv
from na64mu.paper.scale import Scale
from na64mu.paper.text import FIGURES, Figure, remarks
from na64mu.paper.values import Value, read_values
from na64mu.paper.workflow import Record, Workflow
from na64mu.report.elements import STYLE
from na64mu.report.numbers import count
from na64mu.results.output_folder import output_folder
from na64mu.results.provenance import package_versions, repository_state

__all__ = ("write_report",)

OWN_STYLE = """
td small { display: block; color: #555; font-size: .8rem; max-width: 34rem; white-space: normal; }
td.verdict { white-space: normal; min-width: 7rem; text-align: left; font-weight: 600; }
td.verdict small { font-weight: 400; }
.agrees { color: #00694e; } .differs { color: #b04a00; } .open { color: #5f5f5f; font-weight: 400; }
.agrees::before { content: "\\2713\\00a0"; } .differs::before { content: "\\2260\\00a0"; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(26rem, 1fr)); gap: 1.5rem; } .figures figure.whole { grid-column: 1 / -1; }
figcaption { font-size: .85rem; color: #444; }
p.text { max-width: 60rem; margin: .5rem 0; }
.phone { display: none; }
@media (max-width: 40rem) { .more { display: none; } .phone { display: inline; } .compare td, .compare th { padding-right: .4rem; } .compare td { font-size: .82rem; }
  .compare td.verdict { min-width: 4.5rem; } .compare td.word { min-width: 6rem; } .compare td small { max-width: none; } .figures { grid-template-columns: 1fr; } }
@media print { .figures { grid-template-columns: 1fr 1fr; } td small { font-size: 7pt; } .agrees, .differs { color: #000; } }
"""
CLASSES = {Verdict.AGREES: "agrees", Verdict.DIFFERS: "differs"}


def write_report(folder: Path, workflow: Workflow, scale: Scale, *, command: str) -> Path:
    """Write comparison.csv and report.html.

    Parameters
    ----------
    folder : Path
        Output folder of the paper, with all steps finished.
    workflow : Workflow
        Workflow with the records of all steps.
    scale : Scale
    command : str
        Command line.

    Returns
    -------
    Path
        report.html.
    """
    values: dict[str, Value] = {}
    for name in ("calibrate", "run", "efficiency", "backgrounds", "boxes", "theory", "limits"):
        values |= read_values(folder / name)
    compared = compare(values)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    parts = (
        _head(scale, compared, workflow, now),
        _remarks(values, compared),
        _comparison(compared),
        _figures(folder),
        _limits_table(folder),
        _backgrounds(folder),
        _steps(workflow, scale),
        _provenance(command),
    )
    title = "NA64mu 2022: the Letter made again from simulated events"
    with output_folder(folder, "paper") as place:
        write_csv(place / "comparison.csv", compared)
        write_whole(
            place / "report.html",
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{in_html(title)}</title><style>{STYLE}{OWN_STYLE}</style></head><body>\n<h1>{in_html(title)}</h1>"
            + "\n".join(parts)
            + "\n</body></html>\n",
        )
    return folder / "report.html"


def _head(scale: Scale, compared: Sequence[Compared], workflow: Workflow, now: str) -> str:
    of = {verdict: sum(c.verdict is verdict and c.is_counted for c in compared) for verdict in Verdict}
    seconds, cpu = (sum(getattr(r, name) for r in workflow.records.values()) for name in ("seconds", "cpu_seconds"))
    muons = sum(s.n_events for s in scale.samples())
    facts = {
        "independent checks agree": str(of[Verdict.AGREES]),
        "independent checks differ": str(of[Verdict.DIFFERS]),
        "not decided at this statistics": str(of[Verdict.UNDECIDED]),
        "not computed": str(of[Verdict.MISSING]),
        "inputs, consequences, not published": str(sum(not c.is_counted for c in compared)),
        "beam muons simulated": count(muons),
        "steps, wall time summed": f"{seconds:.0f} s",
        "of it processor, without workers": f"{cpu:.0f} s",
    }
    cards = "".join(f"<div><b>{in_html(value)}</b><span>{in_html(name)}</span></div>" for name, value in facts.items())
    lead = f"Published: PRL 132, 211803 (arXiv:2401.01708). Ours: simulation at the scale {scale.name!r}, na64mu {__version__}, {now}. Nothing is tuned to agree."
    return f'<p class="lead">{in_html(lead)}</p><div class="facts">{cards}</div>'


def _remarks(values: dict[str, Value], compared: Sequence[Compared]) -> str:
    return "<h2>What to know first</h2>" + "".join(f'<p class="text">{in_html(text)}</p>' for text in remarks(values, compared))


def _number(value: float, error: float, is_upper: bool) -> str:
    if not math.isfinite(value):
        return "-"
    text = f"< {value:.3g}" if is_upper else f"{value:.4g}"
    if error > 0 and not is_upper:
        digits = max(0, 1 - math.floor(math.log10(error)))
        text = f"{value:.{digits}f} \u00b1 {error:.{digits}f}" if digits < 7 else f"{value:.3g} \u00b1 {error:.2g}"
    return text.replace("-", "\u2212")


def _comparison(compared: Sequence[Compared]) -> str:
    body = []
    for group, rows in groupby(compared, key=lambda c: c.published.group):
        body.append(f"<h3>{in_html(group)}</h3>" + _comparison_table(list(rows)))
    text = (
        "Tolerances and their reasons are in data/published/comparison.toml and were not made to fit. Input: the simulation takes the published number. Consequence: ours follows from inputs, "
        "or the row says again what another one says; it is not counted. All others are independent checks. A number differs where a true value within the tolerance would give ours, or one farther "
        "away, with a probability below 2.3 %: by Poisson for a count of simulated events, otherwise by a normal distribution of our statistical error."
    )
    return f"<h2>Published numbers beside ours</h2><p class='note'>{in_html(text)}</p>" + "".join(body)


def _comparison_table(rows: Iterable[Compared]) -> str:
    lines = []
    for c in rows:
        p, o = c.published, c.ours
        small = [
            p.reason and f"Tolerance: {p.reason}.",
            c.verdict is Verdict.DIFFERS and p.cause and f"Known reason: {p.cause}.",
            o.note and f"Ours: {o.note}.",
        ]
        notes = "".join(f"<small>{in_html(str(text))}</small>" for text in small if text)
        unit = f"<span class='phone'> [{in_html(p.unit)}]</span>" if p.unit else ""
        ratio = f"{c.ratio:.3g}" if math.isfinite(c.ratio) and not o.is_upper and c.verdict is not Verdict.INPUT else ""
        tolerance = "" if p.tolerance is None or not p.letter else str(p.tolerance).replace("+-", "\u00b1")
        cells = [
            f"<td class='word'>{in_html(p.what)}{unit}{notes}</td>",
            f"<td class='word more'>{in_html(p.unit)}</td>",
            f"<td>{in_html(_number(c.letter, c.letter_error, p.is_upper))}</td>",
            f"<td>{in_html(_number(o.value, o.error, o.is_upper))}</td>",
            f"<td class='more'>{in_html(ratio)}</td>",
            f"<td class='more'>{in_html(tolerance)}</td>",
            f"<td class='verdict {CLASSES.get(c.verdict, 'open') if c.is_counted else 'open'}'>{in_html(c.words)}{_kind(c)}</td>",
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    head = "".join(
        f"<th class='{'word' if i in (0, 1, 6) else ''} {'more' if i in (1, 4, 5) else ''}'>{text}</th>"
        for i, text in enumerate(("quantity", "unit", "Letter", "ours", "ratio", "tolerance", "verdict"))
    )
    return f"<div class='wide'><table class='compare'><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"


def _kind(c: Compared) -> str:
    """What a row is worth, in small letters."""
    if not c.published.letter or c.published.kind == "input":
        return ""
    text = "independent check" if c.is_counted else f"consequence of {c.published.follows}; not counted"
    return f"<small>{in_html(text)}</small>"


def _figures(folder: Path) -> str:
    return "<h2>Figures</h2><div class='figures'>" + "".join(_figure(folder, figure) for figure in FIGURES) + "</div>"


def _figure(folder: Path, figure: Figure) -> str:
    path = folder / figure.file
    if not path.is_file():
        return ""
    image = f'<img alt="{in_html(figure.title)}" src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}">'
    others = [name for name in (f"{path.stem}.pdf", f"{path.stem}_numbers.csv") if path.with_name(name).is_file()]
    files = ", ".join([figure.file, *others])
    kind = " class='whole'" if figure.whole else ""
    return f"<figure{kind}>{image}<figcaption><b>{in_html(figure.title)}.</b> {in_html(figure.caption)} <i>({in_html(files)})</i></figcaption></figure>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], words: Sequence[int] = (0,)) -> str:
    kinds = [" class='word'" if i in words else "" for i in range(len(head))]
    top = "".join(f"<th{kind}>{in_html(text)}</th>" for kind, text in zip(kinds, head, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{in_html(text)}</td>" for kind, text in zip(kinds, row, strict=True)) + "</tr>" for row in rows
    )
    return f"<div class='wide'><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


def _limits_table(folder: Path) -> str:
    with (folder / "limits" / "limits.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(line for line in stream if not line.startswith("#")))
    with (folder / "limits" / "yields.csv").open(encoding="utf-8") as stream:
        yields = {row["mass_GeV"]: row for row in csv.DictReader(line for line in stream if not line.startswith("#"))}
    keys = ("g_asymptotic_observed", "g_exact_observed", "g_exact_expected", "y_asymptotic_observed", "y_exact_observed")
    body = []
    for row in rows:
        of_mass = yields[row["mass_GeV"]]
        efficiencies = [f"{100 * float(of_mass[f'efficiency_config_{c}']):.2f}" for c in (1, 2)]
        body.append([f"{1000 * float(row['mass_GeV']):.4g}", *efficiencies, *(f"{float(row[key]):.3g}" for key in keys)])
    head = ("m_Z' [MeV]", "eff. 1 [%]", "eff. 2 [%]", "g asymptotic", "g exact", "g exact, expected", "y asymptotic", "y exact")
    note = "Observed limits at 90 % CL for 1.98e10 muons on target, Table I of the Letter and no event; y with g_chi = 0.05 and m_Z' = 3 m_chi. LaTeX: limits/limits.tex, systematics.tex; likelihood: limits/background_only.json with patchset.json (INSPIRE number 9999999: a stand-in), HS3: limits/hs3_*.json; the same with our backgrounds: limits/own_backgrounds/."
    return f"<h2>Limits against mass</h2>{_table(head, body)}<p class='note'>{in_html(note)}</p>"


def _backgrounds(folder: Path) -> str:
    content = json.loads((folder / "backgrounds" / "backgrounds.json").read_text(encoding="utf-8"))
    lines = [
        content["tail"]["repr"],
        *([content["leakage"]["repr"]] if content.get("leakage") else []),
        *(f"closure of the E_CAL spectrum: {line}" for line in content.get("leakage_closure", ())),
        content["closure_test"],
        *(f"{name} not estimated: {why}" for name, why in content["missing"].items()),
    ]
    text = "\n".join(in_html(line) for part in lines for line in part.splitlines())
    return f"<h2>Backgrounds in detail</h2><div class='wide'><pre>{text}</pre></div><p class='note'>LaTeX and CSV: backgrounds/table_1.tex, table_1.csv. (III) is the E_CAL spectrum of region D, extrapolated where it has enough events; D X / Y is its cross-check, or an upper limit where it has not. The closure test predicts a part of region D from its neighbours: a small p-value says that p_out and E_CAL are not independent there, and with it that D X / Y is no more than indicative.</p>"


def _steps(workflow: Workflow, scale: Scale) -> str:
    samples = {f"sample_{s.name}": s for s in scale.samples()}
    rows: list[tuple[str, ...]] = []
    by_kind: dict[str, list[Record]] = {}
    for name, record in workflow.records.items():
        if name in samples:
            kind = (
                samples[name].process
                + (" with pile-up" if samples[name].pile_up else "")
                + (", calibration" if samples[name].calibration_triggers else "")
            )
            by_kind.setdefault(kind, []).append(record)
    for kind, records in by_kind.items():
        muons = sum(samples[r.step].n_events for r in records)
        rows.append(
            (
                f"simulate {kind}",
                str(len(records)),
                count(muons),
                f"{sum(r.seconds for r in records):.1f}",
                f"{sum(r.cpu_seconds for r in records):.1f}",
            )
        )
    rows += [(r.step, "1", "", f"{r.seconds:.1f}", f"{r.cpu_seconds:.1f}") for n, r in workflow.records.items() if n not in samples]
    note = "Every step left steps/<name>.json with the hash of its inputs: parameters, code, files of the steps before. Processor time of the main job and the efficiency is that of the steering process alone if they ran on several processes."
    return (
        f"<h2>Steps</h2>{_table(('step', 'files', 'beam muons', 'seconds', 'processor seconds'), rows)}<p class='note'>{in_html(note)}</p>"
    )


def _provenance(command: str) -> str:
    commit, clean = repository_state()
    state = {True: "clean", False: "with changes", None: "not a checkout"}[clean]
    facts = {"command": command, "version": f"na64mu {__version__}, commit {commit or '-'}, {state}"}
    facts["packages"] = ", ".join(f"{name} {version}" for name, version in package_versions().items())
    lines = "".join(f"<dt>{in_html(name)}</dt><dd>{in_html(value)}</dd>" for name, value in facts.items())
    return f"<h2>Provenance</h2><dl>{lines}</dl>"
