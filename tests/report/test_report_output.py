"""Terminal tables and the HTML page, read back."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from na64mu.errors import ArgumentError
from na64mu.report import render_terminal, write_figures, write_html
from na64mu.report.html import SECTIONS, register_section
from na64mu.report.html import page as html_page
from na64mu.report.numbers import count
from na64mu.report.tables import cutflow_cells, exposure_cells, region_cells
from na64mu.report.terminal import timing_line
from na64mu.results.losses import Loss


def rendered(result, width: int, *, terminal: bool = True) -> str:
    stream = io.StringIO()
    render_terminal(result, Console(file=stream, width=width, force_terminal=terminal, color_system=None, legacy_windows=False))
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_every_count_of_the_cutflow_is_on_the_terminal(blinded_result, width):
    text = rendered(blinded_result, width)
    for cutflow in blinded_result.cutflows.values():
        for step in cutflow.steps:
            assert f" {count(step.n)} " in text
    assert "\u2026" not in text
    assert max(len(line) for line in text.splitlines()) <= width


def test_a_file_gets_the_whole_table(result):
    text = rendered(result, 60, terminal=False)
    assert "N-1 efficiency" in text
    assert "N-1 efficiency" not in rendered(result, 80)


def test_cutflow_cells_against_the_cutflow(result):
    physics, signal = cutflow_cells(result)
    assert [t.title for t in (physics, signal)] == ["Cut-flow: physics", "Cut-flow: signal"]
    flow = result.cutflows["physics"]
    assert [row[1] for row in physics.rows] == [count(n) for n in flow.counts]
    cut = physics.rows[2]
    assert cut[0] == flow.steps[2].label
    assert float(cut[2].split()[0]) == pytest.approx(100 * flow.steps[2].n / flow.steps[1].n, abs=0.006)
    assert float(cut[3].split()[0]) == pytest.approx(100 * flow.steps[2].n / flow.steps[0].n, abs=0.006)
    assert cut[4] == count(flow.steps[2].n_minus_1)
    assert float(cut[5].split()[0]) == pytest.approx(100 * flow.steps[0].n_minus_1 / flow.steps[2].n_minus_1, abs=0.006)
    assert "Clopper-Pearson" in signal.note
    assert physics.note == ""


def test_simulated_signal_is_never_added_to_other_events(result):
    """Weighted simulation, and data with simulation, stand in no sum and no headline."""
    other = replace(result.exposure, runs=(*result.exposure.runs, replace(result.exposure.runs[0], dataset="more", run=77)))
    both = replace(
        result,
        exposure=other,
        **{
            name: getattr(result, name) | {"more": getattr(result, name)["physics"]}
            for name in ("cutflows", "histograms", "outside", "regions", "blinded")
        },
    )
    titles = [cells.title for cells in cutflow_cells(both)]
    assert titles == ["Cut-flow: physics", "Cut-flow: signal", "Cut-flow: more", "Cut-flow: physics, more together"]
    together = cutflow_cells(both)[-1]
    assert [row[1] for row in together.rows] == [count(2 * n) for n in result.cutflows["physics"].counts]
    text = html_page(both)
    head = text[: text.index("<nav>")]
    for name in ("physics", "more"):
        assert (
            f"<b>{count(result.cutflows[name if name == 'physics' else 'physics'].counts[-1])}</b><span>pass all cuts: {name}</span>"
            in head
        )
    assert "signal</span>" not in head


def test_the_footnote_names_the_cut_that_blinded_events_fail(blinded_result):
    point = blinded_result.working_point
    label = next(cut.label for cut in point.cuts if cut.name == point.blind_at)
    assert f"count as failing the cut '{label}'" in cutflow_cells(blinded_result)[-1].note
    assert label == "(i) p_in in 160 +- 20 GeV/c"


def test_weights_get_their_own_columns(result):
    physics, signal = cutflow_cells(result)
    assert "sum of weights" not in physics.head
    assert signal.head[-2:] == ("sum of weights", "weighted [%]")
    n = result.cutflows["signal"].counts
    assert float(signal.rows[-1][-2]) == pytest.approx(3e-13 * n[-1], rel=1e-3)
    assert signal.rows[-1][-1] == f"{100 * n[-1] / n[0]:.3g}"


def test_the_box_of_data_is_blinded_and_that_of_simulation_is_not(blinded_result):
    rows = {row[0]: row for row in region_cells(blinded_result).rows}
    n = blinded_result.regions["signal"]["box"].n
    assert rows["box"][2:] == ("blinded", f"{count(n)} (weight {3e-13 * n:.4g})")
    assert rows["box, after (iv)"][2] == "blinded"
    assert rows["A"][2] == count(blinded_result.regions["physics"]["A"].n)


def test_weighted_regions_show_their_weight(result):
    regions = {d: {k: replace(c, sumw=2.5 * c.n) for k, c in r.items()} for d, r in result.regions.items()}
    rows = {row[0]: row for row in region_cells(replace(result, regions=regions)).rows}
    n = result.regions["physics"]["A"].n
    assert rows["A"][2] == f"{count(n)} (weight {2.5 * n:.4g})"


def test_a_region_that_was_not_counted_is_a_dash(result):
    regions = {d: {k: c for k, c in r.items() if k != "B"} for d, r in result.regions.items()}
    assert {row[0]: row for row in region_cells(replace(result, regions=regions)).rows}["B"][2] == "-"


def test_exposure_adds_the_runs_of_a_configuration(result):
    twice = replace(result, exposure=replace(result.exposure, runs=result.exposure.runs + result.exposure.runs[:1]))
    row = next(r for r in exposure_cells(twice).rows if r[:2] == ("physics", "1"))
    assert row[2:5] == ("2", "2.34e07", "2.317e07")


def test_losses_warnings_and_time_are_named(result, clean_result):
    text = rendered(result, 200)
    assert "Lost: data/sample/physics.root: entries 19900 to 20000 <cannot> be read" in text
    assert "Warning: data/sample/physics.root: 3 events of run 9" in text
    assert "21 000 events in 8.6 s (2 442 events/s; 2 625 events/s and core): read 12 %, reconstruct 75 %, select 6 %, fill 6 %" in text
    quiet = rendered(clean_result, 200)
    assert "Lost:" not in quiet
    assert "Warning:" not in quiet


def test_many_losses_are_cut_short_but_counted(result):
    losses = tuple(Loss("physics", f"{i}.root", "file", f"[{i}].root: empty") for i in range(40))
    text = rendered(replace(result, losses=losses), 200)
    assert "Lost: [11].root: empty" in text
    assert "Lost: and 28 more, all in summary.json" in text


def test_a_run_without_time_has_a_line(result):
    assert timing_line(replace(result, timing=type(result.timing)())) == "0 events in 0.0 s"


class Page(HTMLParser):
    """Collects addresses and text, and checks that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in {"src", "href"}]
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_html_says_what_the_spectra_of_blinded_data_lack(blinded_result, result, tmp_path):
    words = "all spectra lack its events, and the decoys among which they are hidden"
    assert words in write_html(blinded_result, tmp_path / "blinded").read_text(encoding="utf-8")
    assert words not in write_html(result, tmp_path / "open").read_text(encoding="utf-8")


def test_html_is_one_file_without_network(blinded_result, tmp_path):
    path = write_html(blinded_result, tmp_path / "new")
    text = path.read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    pictures = [address for address in page.addresses if not address.startswith("#")]
    assert len(pictures) == 1 + len(blinded_result.working_point.spectra)
    assert all(a.startswith("data:image/png;base64,iVBOR") for a in pictures)
    assert "@import" not in text
    assert not re.search(r"url\(|https?://", text)
    words = " ".join(page.words)
    for expected in (
        "<cannot> be read",
        blinded_result.provenance.configuration_hash,
        blinded_result.working_point.hash,
        "blinded",
        "Clopper-Pearson",
        "24 events without this quantity",
        *[count(n) for flow in blinded_result.cutflows.values() for n in flow.counts],
    ):
        assert expected in words


def test_a_complete_run_says_so(clean_result, monkeypatch):
    from na64mu.report import html

    monkeypatch.setattr(html, "_spectra", lambda result: "")
    assert "all input was read" in html.page(clean_result)


def test_figures_are_written_into_a_new_folder(result, tmp_path):
    assert write_figures(result, tmp_path / "a" / "b") == [tmp_path / "a" / "b" / "plane.png"]
    assert (tmp_path / "a" / "b" / "plane.png").stat().st_size > 10_000


@pytest.fixture
def _leaves_no_section():
    before = list(SECTIONS)
    yield
    SECTIONS[:] = before


@pytest.mark.usefixtures("_leaves_no_section")
def test_a_user_adds_a_section_which_is_in_the_contents_too(blinded_result):
    from matplotlib.figure import Figure

    @register_section("My numbers", before="Exposure")
    def mine(result):
        return f"<p>{len(result.datasets)} datasets</p>"

    @register_section("My picture")
    def picture(result):
        return Figure(figsize=(1, 1))

    @register_section("Nothing here")
    def nothing(result):
        return None

    @register_section("Broken")
    def broken(result):
        return result.no_such_thing

    page = html_page(blinded_result)
    assert "<a href='#my-numbers'>My numbers</a>" in page
    assert page.index("<h2 id='my-numbers'>My numbers</h2><p>") < page.index("<h2 id='exposure'>")
    assert page.count('<img alt="My picture"') == 1
    assert "Nothing here" not in page
    assert "this section could not be made (AttributeError" in page
    for name, message in (("X", "no section 'Y': the report has"), ("Cut-flow", "'Cut-flow' is a section of the package")):
        with pytest.raises(ArgumentError, match=message):
            register_section(name, before="Y" if name == "X" else "Exposure")
