"""How the objects of an analysis show themselves in a terminal and in Jupyter, and what Tab offers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import na64mu
from na64mu.analysis.backgrounds import regions_of
from na64mu.analysis.counting import letter_counting
from na64mu.analysis.limits import search_limits
from na64mu.analysis.recast import read_user_table, recast
from na64mu.analysis.yields import EfficiencyTable, PileUpLoss, SignalYield
from na64mu.common.table import HTML_LIMIT
from na64mu.errors import CutFlowMismatchError
from na64mu.events.nanoevents import open_events
from na64mu.reconstruction.event_summary import EventSummary, momentum_vector
from na64mu.results.comparison import compare
from na64mu.results.cutflow import CutFlow
from na64mu.results.exposure import Exposure, RunExposure
from na64mu.results.run import Counts, RegionCounts


@pytest.fixture(scope="module")
def detector():
    return na64mu.load_detector("na64mu-2022")


@pytest.fixture(scope="module")
def files():
    return na64mu.sample_files("zprime_100MeV_*")


@pytest.fixture(scope="module")
def events(files):
    return open_events(files[0])


@pytest.fixture(scope="module")
def summary(events, detector):
    return na64mu.reconstruct(events, detector)


@pytest.fixture(scope="module")
def tracks(events, detector):
    return na64mu.spectrometer_tracks(events, detector)


@pytest.fixture(scope="module")
def result(files):
    return na64mu.run_search(files[0], progress=False)


@pytest.fixture(scope="module")
def limits():
    masses = np.geomspace(0.01, 0.2, 30)
    counting = letter_counting()
    table = EfficiencyTable.read("na64mu-2022")
    found = [table.efficiency(masses, config) for config in (1, 2)]
    efficiency, error = (np.stack(columns, axis=1) for columns in zip(*found, strict=True))
    loss = PileUpLoss(0.13, 0.0, "of the Letter")
    per_muon = np.full(30, 1e-10)
    return search_limits(counting, SignalYield(masses, 1e-4, counting.exposures, per_muon, np.ones(30), efficiency, error, loss))


def names(thing):
    return [name for name in dir(thing) if not name.startswith("_")]


def test_everything_is_short(detector, summary, tracks, result, limits):
    shown = [
        detector,
        detector.ecal,
        detector.trackers["mm5"],
        detector.beam,
        na64mu.load_working_point("prl2024"),
        na64mu.load_calibration("na64mu-2022"),
        summary,
        tracks.ms1,
        tracks.ms2.best,
        tracks.ms2.all[:0],
        result,
        result.total,
        result.exposure,
        result.regions,
        regions_of(result.histogram("plane_before")),
        limits,
    ]
    for thing in shown:
        page = thing._repr_html_()
        assert 0 < len(page.encode()) <= HTML_LIMIT, type(thing)
        assert page.count("<table>") == page.count("</table>")
        assert len(repr(thing)) < HTML_LIMIT, type(thing)


def test_a_detector_shows_its_elements_along_the_beam(detector):
    lines = repr(detector).splitlines()
    places = [float(line.split()[1]) for line in lines[2:-2]]
    assert places == sorted(places)
    assert any(line.startswith("GEM1") for line in lines)
    assert "model_fields" not in names(detector)
    assert {"ecal", "trackers", "magnets_of", "digest"} <= set(names(detector))


def test_an_element_shows_numbers_with_their_sources(detector):
    page = detector.ecal._repr_html_()
    for key in set(type(detector.ecal).model_fields) - {"source", "sources"}:
        assert f">{key}<" in page
    assert detector.ecal.source_of("mip").split(":")[1].strip() in page


def test_a_selection_shows_cuts_box_and_regions():
    text = repr(na64mu.load_working_point("prl2024"))
    for piece in ("centre 160.0, half_width 20.0", "p_out <= 80 GeV/c, E_CAL < 12 GeV", "region D", "max_hits 1"):
        assert piece in text


def test_a_calibration_shows_peaks_and_windows():
    calibration = na64mu.load_calibration("na64mu-2022")
    (line,) = [row for row in repr(calibration).splitlines() if row.startswith("e_hcal1 ")]
    assert f"{calibration.mip['e_hcal1'].mode:.4g}" in line
    assert f"{calibration.mip['e_hcal1'].high:.4g}" in line


def test_an_event_shows_its_hits_and_energies(events):
    shown = events[2]._repr_mimebundle_()
    text = shown["text/plain"]
    assert f"run {events.run[2]}, spill {events.spill[2]}, event {events.event[2]}" in text
    assert "trigger: " in text
    assert f"{float(events.ecal[2].total):.4g} GeV" in text
    assert len(shown["text/html"].encode()) <= HTML_LIMIT
    assert "mc_weight" in text
    assert repr(events).startswith("<RawEventArray [{run")
    assert "text/html" in events._repr_mimebundle_()
    assert {"ecal", "mm", "is_physics"} <= set(names(events))


def test_an_event_summary_shows_columns_with_unit_and_meaning(summary):
    text = repr(summary)
    assert f"event summary: {summary.n_events} events, {len(summary)} columns" in text
    assert "momentum of the best MS2 track" in text
    assert "n_hits_bms1 ... n_hits_st11: 22 columns" in text
    assert {"p_out", "e_cal", "mc_p_out", "rows", "momentum_in"} <= set(names(summary))


def test_no_row_of_data_is_shown(summary):
    data = EventSummary({name: column for name, column in summary.items() if not name.startswith("mc_")})
    text = repr(data)
    assert "rows of data are not shown: they may lie in the blinded signal box" in text
    (line,) = [row for row in text.splitlines() if row.startswith("p_out ")]
    assert line.split() == ["p_out", "GeV/c", "momentum", "of", "the", "best", "MS2", "track"]


def test_a_column_is_an_attribute(summary):
    assert summary.p_out is summary["p_out"]
    with pytest.raises(AttributeError, match=r"no column 'p_0ut': the summary has run, spill"):
        summary.p_0ut  # noqa: B018


def test_rows_and_joined_summaries(summary):
    soft = summary.rows(summary.p_out < 40)
    assert soft.n_events == np.count_nonzero(summary["p_out"] < 40)
    assert list(soft) == list(summary)
    joined = EventSummary.joined([soft, summary.rows(slice(0, 3))])
    assert joined.n_events == soft.n_events + 3
    without_truth = {name: column for name, column in summary.items() if not name.startswith("mc_")}
    assert list(EventSummary.joined([summary, without_truth])) == list(without_truth)
    assert EventSummary.joined([]).n_events == 0


def test_momenta_are_vectors_of_the_right_size_and_direction(summary):
    seen = np.isfinite(summary.p_out)
    assert seen.any()
    np.testing.assert_allclose(summary.momentum_out.p[seen], summary.p_out[seen], rtol=1e-12)
    np.testing.assert_allclose((summary.momentum_in.px / summary.momentum_in.pz)[seen], summary.tx_in[seen], rtol=1e-9, atol=1e-12)
    assert np.isnan(summary.momentum_out.p[~seen]).all()


def test_a_vector_of_known_slopes():
    momentum = momentum_vector(np.array([5.0, np.nan]), np.array([0.75, 0.0]), np.array([1.0, 0.0]))
    pz = 5.0 / np.sqrt(1 + 0.75**2 + 1)
    assert (momentum.px[0], momentum.py[0], momentum.pz[0]) == pytest.approx((0.75 * pz, pz, pz))
    assert momentum.pt[0] == pytest.approx(1.25 * pz)
    assert np.isnan(momentum.pz[1])


def test_tracks_give_momenta_and_tables(tracks):
    best = tracks.ms2.best
    np.testing.assert_allclose(best.momentum_downstream.p[best.good], tracks.ms2.momentum[best.good], rtol=1e-12)
    np.testing.assert_allclose(best.momentum_upstream.p[best.good], tracks.ms2.momentum[best.good], rtol=1e-2)
    assert f"tracks of {len(tracks.ms2.n)} events" in repr(tracks.ms2)
    assert f"{len(best)} fitted tracks, {best.good.sum()} good" in repr(best)
    assert f"{len(best) - 20} more tracks" in repr(best)


def test_tracks_are_those_of_the_summary(tracks, summary):
    np.testing.assert_array_equal(tracks.ms1.momentum, summary.p_in)
    np.testing.assert_array_equal(tracks.ms2.n, summary.n_tracks_ms2)


def test_a_result_says_what_is_in_the_box(result):
    (line,) = [row for row in repr(result).splitlines() if row.startswith("zprime_100MeV ")]
    flow, regions = result.cutflows["zprime_100MeV"], result.regions["zprime_100MeV"]
    assert "visible" in line
    assert line.split()[-1] == str(regions["box_after"].n)
    assert f" {flow.steps[0].n} " in line
    assert f" {flow.steps[-1].n} " in line


def test_regions_of_data_hide_the_box():
    text = repr(RegionCounts({"run1": {"A": Counts(5), "D": Counts(1)}, "mc": {"A": Counts(7), "box": Counts(2)}}))
    assert "the signal box of run1 is blinded" in text
    (line,) = [row for row in text.splitlines() if row.startswith("run1")]
    assert line.split() == ["run1", "5", "1", "-"]


def test_an_exposure_adds_runs_and_keeps_warnings():
    runs = [RunExposure("data", run, 1, 1_000, 900.0, 0, 0.0, 0.0, 0.0, 90, 10) for run in range(2_000)]
    exposure = Exposure(tuple(runs), ("f.root: <no> bookkeeping",))
    assert "1.8e+06 muons on target read, 2e+06 recorded" in repr(exposure)
    assert repr(exposure).splitlines()[-2].split() == ["data", "1", "2000", "1.8e+06", "2e+06", "180000", "20000"]
    assert "&lt;no&gt;" in exposure._repr_html_()
    assert len(exposure._repr_html_().encode()) <= HTML_LIMIT
    assert repr(Exposure()) == "exposure: 0 muons on target read, 0 recorded"


def test_a_cutflow_escapes_its_labels():
    mask = np.array([True, False])
    page = CutFlow.from_masks({"hits": mask}, np.ones(2), labels={"hits": "(iii) <= 1 hit"})._repr_html_()
    assert "(iii) &lt;= 1 hit" in page


def test_limits_show_both_methods_at_a_dozen_masses(limits):
    text = repr(limits)
    assert "12 of 30 masses" in text
    assert f"{limits.couplings('exact')[0, 0]:.3g}" in text
    assert f"{limits.couplings('asymptotic')[-1, 0]:.3g}" in text


def test_a_recast_shows_the_exact_limit(tmp_path):
    path = tmp_path / "model.csv"
    path.write_text("mass_GeV,per_mot\n0.1,1e-10\n0.2,5e-11\n")
    found = recast(read_user_table(path), letter_counting(), PileUpLoss(0.13, 0.0, "of the Letter"))
    head, _, *rows = repr(found).splitlines()
    assert head == "limits on the model of model.csv, exact CLs"
    assert [row.split()[-1] for row in rows] == [f"{g:.3g}" for g in found.couplings("exact")[:, 0]]
    assert len(found._repr_html_().encode()) <= HTML_LIMIT


def test_cutflows_side_by_side():
    mask = np.array([True, True, False, True])
    loose = CutFlow.from_masks({"cut": mask}, np.ones(4), labels={"cut": "below 9"})
    tight = CutFlow.from_masks({"cut": mask & [1, 0, 1, 0] > 0}, np.ones(4), labels={"cut": "below 5"})
    table = compare({"loose": loose, "tight": tight})
    assert table.headings == ("cut", "loose", "tight", "tight / loose")
    assert table.rows == (("events", "4", "4", "100.0%"), ("cut", "3", "1", "33.3%"))


def test_cutflows_of_other_cuts_are_refused():
    one, other = (CutFlow.from_masks({name: np.array([True])}, np.ones(1)) for name in ("a", "b"))
    with pytest.raises(CutFlowMismatchError, match=r"cut-flows of the same cuts are wanted, found x: events, a; y: events, b"):
        compare({"x": one, "y": other})
    with pytest.raises(CutFlowMismatchError, match="found none"):
        compare({})


def test_the_package_offers_what_a_notebook_begins_with():
    assert set(na64mu.__all__) <= set(dir(na64mu))
    for name in na64mu.__all__:
        assert getattr(na64mu, name) is not None
    with pytest.raises(AttributeError, match="module 'na64mu' has no attribute 'open_event'"):
        na64mu.open_event  # noqa: B018


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys; before = set(sys.modules); import na64mu; dir(na64mu); print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(ast.literal_eval(done.stdout)) <= {"__future__", "na64mu", "na64mu.common", "na64mu.common.deprecation"}


def test_sample_files_are_found_by_name():
    everything = na64mu.sample_files()
    assert everything == sorted(everything)
    assert {path.suffix for path in everything} == {".root"}
    assert [path.name for path in na64mu.sample_files("physics_*")] == ["physics_1.root", "physics_2.root"]


def test_every_name_is_in_one_group_and_has_a_type():
    names = [name for group in na64mu.GROUPS.values() for name in group]
    assert len(names) == len(set(names))
    tree = ast.parse(Path(na64mu.__file__).read_text(encoding="utf-8"))
    imported = {
        alias.asname: node.module
        for branch in tree.body
        if isinstance(branch, ast.If)
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == {name: module for group in na64mu.GROUPS.values() for name, module in group.items()}
