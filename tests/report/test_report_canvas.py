"""Figures depend on no setting of the user, nothing in them is cut at the edge, and one that fails is a warning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from na64mu.analysis.backgrounds import estimate_tail, threshold_scan
from na64mu.errors import InputError, OutputError
from na64mu.report import write_figures, write_html
from na64mu.report.attempts import attempt, for_files
from na64mu.report.backgrounds import tail_figure, threshold_figure
from na64mu.report.canvas import ENDINGS, _OwnFigure, own_style, plain, save, subplots
from na64mu.report.figures import plane, plane_before_and_after, spectrum
from na64mu.report.limits import bands_figure, efficiency_figure, limit_g, limit_y, yields_figure

#: What people have in their matplotlibrc: each of these changes or breaks a figure.
USERS = {
    "text.usetex": True,
    "font.family": "monospace",
    "font.size": 30,
    "axes.grid": True,
    "savefig.transparent": True,
    "savefig.bbox": "tight",
    "savefig.facecolor": "red",
    "axes.facecolor": "black",
    "text.color": "white",
    "lines.linewidth": 9,
    "xtick.labelsize": 4,
    "axes.formatter.use_locale": True,
    "image.cmap": "gray",
}


@pytest.fixture(autouse=True)
def no_figure_is_left() -> Iterator[None]:
    yield
    plt.close("all")


def bytes_of(result: Any, limits: Any, folder: Path) -> dict[str, bytes]:
    write_figures(result, folder)
    with for_files():
        save(spectrum(result, "p_out")[0], folder / "spectrum.png")
        save(yields_figure(limits)[0], folder / "yields.pdf")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_settings_of_the_user_change_nothing(result, limits, tmp_path):
    expected = bytes_of(result, limits, tmp_path / "a")
    with mpl.rc_context(USERS):
        before = dict(mpl.rcParams)
        found = bytes_of(result, limits, tmp_path / "b")
        assert dict(mpl.rcParams) == before  # they are left as they were
    assert found == expected


def test_a_style_of_the_same_process_changes_nothing_of_a_figure_that_is_saved_later(result, tmp_path):
    with for_files():
        figure, _ = spectrum(result, "p_out")
        other, _ = spectrum(result, "p_out")
    expected = save(figure, tmp_path / "a.png").read_bytes()
    with mpl.rc_context(USERS):
        other.savefig(tmp_path / "b.png", dpi=150, metadata={"Software": None})  # by the user, not by us
    assert (tmp_path / "b.png").read_bytes() == expected


def test_a_backend_of_another_environment_is_not_asked(result, tmp_path, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        msg = "no display"
        raise ImportError(msg)

    monkeypatch.setattr(plt, "figure", broken)
    assert [path.name for path in write_figures(result, tmp_path)] == ["plane.png"]
    figure, _ = spectrum(result, "p_out")  # one of its own where pyplot cannot make one
    assert type(figure) is _OwnFigure
    assert plt.get_fignums() == []


def test_a_figure_in_python_is_one_of_pyplot_and_one_for_files_is_not(result):
    with for_files():
        plane_before_and_after(result)
    assert plt.get_fignums() == []
    figure, _ = plane_before_and_after(result)
    assert plt.get_fignums() == [figure.number]
    assert isinstance(figure, _OwnFigure)


def test_a_figure_that_fails_is_a_warning(result, tmp_path, monkeypatch, caplog):
    def failing(*_: object, **__: object) -> None:
        msg = "Failed to process string with tex"
        raise RuntimeError(msg)

    monkeypatch.setattr("na64mu.report.plane.plane", failing)
    (tmp_path / "plane.png").touch()
    assert write_figures(result, tmp_path) == []
    assert not (tmp_path / "plane.png").exists()  # no figure of an earlier result lies beside the new numbers
    assert (
        "the figure plane.png could not be drawn (RuntimeError: Failed to process string with tex); everything else is written"
        in caplog.text
    )
    page = write_html(result, tmp_path).read_text(encoding="utf-8")
    assert "with the regions A to D and the signal box: could not be drawn.</div>" in page
    assert page.count('<img alt="spectrum of') == len(result.working_point.spectra)


def test_a_full_disk_is_no_failure_of_drawing(tmp_path):
    def full() -> None:
        msg = "a.png: cannot be written: no space left on device"
        raise OutputError(msg)

    with pytest.raises(OutputError, match="no space left"):
        attempt("a.png", full, None)


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_ending_gives_the_same_bytes_twice(ending, tmp_path):
    for name in ("a", "b"):
        with own_style(), for_files():
            figure, ax = subplots(size=(2.0, 1.0))
            ax.plot([1, 2])
        save(figure, tmp_path / f"{name}{ending}")
    assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


def test_a_picture_that_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match=r"ev\.xyz: the ending chooses the form of a picture: one of \.png, \.pdf, .* is wanted"):
        save(Figure(), tmp_path / "ev.xyz")
    with pytest.raises(OutputError, match=r"no.ev\.png: cannot be written: no such file or directory"):
        save(Figure(), tmp_path / "no" / "ev.png")


def test_a_name_from_a_file_is_no_formula():
    assert plain("a$_$\x1b[2J\n") == r"a\$_\$\x1b[2J\n"


def texts_outside(figure: Figure) -> list[str]:
    """Texts, those of legends among them, that are drawn and are not wholly on the paper."""
    drawn: list[Text] = []
    draw = Text.draw

    def recorded(self: Text, renderer: Any) -> None:
        if self.get_visible() and self.get_text().strip():
            drawn.append(self)
        draw(self, renderer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", recorded)
        figure.canvas.draw()
    assert drawn
    paper = figure.bbox.padded(0.5)
    boxes = [(text.get_text(), text.get_window_extent()) for text in drawn]
    return [words for words, b in boxes if not (paper.x0 <= b.x0 and b.x1 <= paper.x1 and paper.y0 <= b.y0 and b.y1 <= paper.y1)]


FIGURES = {
    "plane": lambda get: plane_before_and_after(get("blinded_result")),
    "one plane": lambda get: plane(get("result").histogram("plane_before", "physics"), get("result").working_point),
    "tail": lambda get: tail_figure(get("sample"), estimate_tail(get("sample"), n_bootstrap=20, seed=1)),
    "thresholds": lambda get: threshold_figure(threshold_scan(get("sample"), seed=1)),
    "limit_g": lambda get: limit_g(get("limits")),
    "limit_y": lambda get: limit_y(get("limits"), ()),
    "bands": lambda get: bands_figure(get("limits")),
    "efficiency": lambda get: efficiency_figure(get("limits")),
    "yields": lambda get: yields_figure(get("limits")),
}


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_cut_at_the_edge(name, request):
    figure, _ = FIGURES[name](request.getfixturevalue)
    assert texts_outside(figure) == []


@pytest.mark.parametrize("which", ["result", "blinded_result"])
def test_no_spectrum_is_cut_whatever_its_datasets_are_called(which, request):
    """A legend has as many columns as there is room for, and a text as many lines."""
    result = request.getfixturevalue(which)
    long = "zprime_of_100_MeV_with_a_very_long_name_that_somebody_gave_to_a_file_in_the_year_2022_and_never_changed"
    names = {name: long if name == result.datasets[-1] else name for name in result.datasets}
    rename = lambda parts: {names[name]: part for name, part in parts.items()}  # noqa: E731
    runs = tuple(replace(run, dataset=names[run.dataset]) for run in result.exposure.runs)
    longer = replace(
        result,
        cutflows=rename(result.cutflows),
        histograms=rename(result.histograms),
        outside=rename(result.outside),
        regions=rename(result.regions),
        exposure=replace(result.exposure, runs=runs),
    )
    for shown in (result, longer):
        for described in shown.working_point.spectra if shown is result else shown.working_point.spectra[:3]:
            figure, ax = spectrum(shown, described.column)
            assert texts_outside(figure) == [], described.column
            frame = ax.get_window_extent().height / figure.dpi
            assert frame == pytest.approx(3.1, abs=0.01)  # the same in all
            plt.close(figure)
