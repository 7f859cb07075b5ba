from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

from na64mu.cli import main
from na64mu.detector import load_detector
from na64mu.errors import BlindedError
from na64mu.events.batch import RawBatch
from na64mu.events.nanoevents import open_events
from na64mu.events.reader import read_batch
from na64mu.reconstruction.event import event_tracks, trajectory
from na64mu.reconstruction.summary import reconstruct
from na64mu.report.apparatus import draw_cells, draw_line, event_cells
from na64mu.report.display import display_event, draw_event
from na64mu.selections import in_box, load_working_point
from na64mu.tracking.spectrometer import spectrometer

SAMPLE = Path(__file__).parents[2] / "data" / "sample"


def any_file() -> Path:
    return next(p for p in sorted(SAMPLE.glob("*.root")) if "zprime" in p.name)


def one(path: Path, entry: int) -> RawBatch:
    return read_batch(path, entry, entry + 1)


def test_tracks_pass_through_their_hits() -> None:
    detector = load_detector("na64mu-2022")
    seen = 0
    for entry in range(25):
        for tracks in event_tracks(one(any_file(), entry), detector):
            assert len(tracks.fits) <= tracks.n
            for t in range(len(tracks.fits)):
                path = trajectory(tracks.fits.upstream[t], tracks.spectrometer)
                for view in (0, 1):
                    points = tracks.points(view)
                    assert np.array_equal(points.z, tracks.spectrometer.z[points.plane])
                    on = points.track == t
                    distance = np.abs(points.u - np.interp(points.z, path[:, 0], path[:, 1 + view]))[on]
                    assert np.all(distance < 10.0), "beam station slabs are 5 mm wide, all else is finer"
                    seen += int(on.sum())
    assert seen > 500


def test_trajectory_follows_a_fringe_field() -> None:
    detector = load_detector("na64mu-2022")
    ms2 = detector.magnets_of(2)[0]
    others = tuple(m for m in detector.magnets if m.name != ms2.name)
    soft = detector.model_copy(update={"magnets": (*others, ms2.model_copy(update={"fringe": 150.0})), "tag": "soft"})
    state = np.array([0.0, 0.0, 0.0, 0.0, -1 / 20.0])
    box, fringe = (trajectory(state, spectrometer(d, 2)) for d in (detector, soft))
    assert fringe[-1, 1] == pytest.approx(box[-1, 1], abs=0.5), "the same integral"
    at = [np.interp(2250.0, path[:, 0], path[:, 1]) for path in (box, fringe)]
    assert at[0] == 0.0
    assert at[1] < -0.001, "bends before the edge of the box"


def test_all_tracks_are_drawn() -> None:
    path, detector = SAMPLE / "nuclear_1.root", load_detector("na64mu-2022")
    batch, entry = next((b, e) for e in range(20) if len(event_tracks(b := one(path, e), detector)[1].fits) > 1)
    ms1, ms2 = event_tracks(batch, detector)
    _, axes = draw_event(batch, detector)
    first, last = 1e-3 * ms2.spectrometer.z[[0, -1]]
    for view, ax in ((0, axes[1]), (1, axes[3])):
        lines = [
            line
            for line in ax.lines
            if line.get_linestyle() != "None"
            and len(line.get_xdata()) > 10
            and (line.get_xdata()[0], line.get_xdata()[-1]) == (first, last)
        ]
        assert sorted(line.get_ydata()[0] for line in lines) == sorted(ms2.fits.upstream[:, view].tolist()), entry
    assert len(ms1.fits) == 1


def test_panels_and_their_contents() -> None:
    path, detector = any_file(), load_detector("na64mu-2022")
    # the first event with one track in each spectrometer
    batches = (one(path, entry) for entry in range(20))
    batch = next(b for b in batches if all(len(side.fits) == 1 for side in event_tracks(b, detector)))
    figure, axes = draw_event(batch, detector)
    titles = [ax.get_title() for ax in axes]
    assert titles[4:8] == ["MS1, x", "MS1, y", "MS2, x", "MS2, y"]
    assert [t.partition(":")[0] for t in titles[8:]] == ["preshower", "ECAL", "VHCAL", "HCAL1", "HCAL2"]
    row = reconstruct(batch, detector)
    energies = [float(t.partition(": ")[2].partition(" GeV")[0]) for t in titles[8:]]
    assert sum(energies) == pytest.approx(row["e_cal"][0], abs=0.03)
    heading = figure.get_suptitle()
    assert f"{row['p_in'][0]:.1f} $\\pm$ {row['p_in_error'][0]:.1f}" in heading
    assert "kink" in heading
    names = [t.get_text() for t in axes[1].texts]
    assert {"ECAL", "VHCAL", "HCAL1", "MS2", "GEM1", "MM7", "S4", "VETO"} <= set(names)
    assert {"BMS1", "MS1_2", "MM1", "ST4"} <= {t.get_text() for t in axes[0].texts}
    assert "ECAL" not in {t.get_text() for t in axes[0].texts}, "outside the frame"


def test_elements_are_drawn_to_scale() -> None:
    batch, detector = one(any_file(), 1), load_detector("na64mu-2022")
    figure, (ax, lower) = Figure(), Figure().subplots(2, 1)
    for view, frame in ((0, ax), (1, lower)):
        draw_line(frame, detector, view, 2, event_cells(batch, detector))
    boxes = {tuple(np.round(p.get_bbox().extents, 4)) for p in ax.patches}
    assert (2.3, -250.0, 4.3, 250.0) in boxes, "MS2: 2 m long, aperture 50 cm"
    assert {b[2] for b in boxes if abs(b[0] - 0.0502) < 1e-3} == {0.471}, "the ECAL behind its preshower"
    hole = [(b[1], b[3]) for b in boxes if b[0] == 0.9]
    assert max(b for _, b in hole if b < 0) == -60.0, "the hole of the VHCAL is free"
    assert min(a for a, _ in hole if a > 0) == 60.0
    s_mu = [line.get_ydata() for line in ax.lines if line.get_xdata()[0] == pytest.approx(11.3)]
    assert tuple(s_mu[0]) == (-417.0, -117.0), "configuration 2"
    assert sum(p.get_bbox().x0 == 0.9 for p in lower.patches) >= 4
    assert figure is not None


def test_cells_out_of_time_stand_aside() -> None:
    batch, detector = one(any_file(), 0), load_detector("na64mu-2022")
    times = batch.collections["hcal"].fields["time"]
    module = batch.collections["hcal"]["module"]
    times[module == 1] += 100.0
    hcal1 = event_cells(batch, detector)[3]
    assert hcal1.energy.sum() == 0.0
    assert hcal1.late.sum() > 1.0
    ax = Figure().subplots()
    draw_cells(ax, hcal1)
    assert "late" in ax.get_title()
    assert all(t.get_text().startswith("(") for t in ax.texts)


def test_event_without_a_track_is_drawn() -> None:
    detector = load_detector("na64mu-2022")
    summary = reconstruct(read_batch(any_file()), detector)
    entry = int(np.flatnonzero(summary["n_tracks_ms2"] == 0)[0])
    figure, _ = draw_event(one(any_file(), entry), detector)
    assert "$p_{out}$: no track" in figure.get_suptitle()


def test_notebook_shows_a_picture() -> None:
    detector = load_detector("na64mu-2022")
    events = open_events(any_file())
    shown = display_event(events[1], detector)
    figure, axes = shown
    assert isinstance(figure, Figure)
    assert len(axes) == 13
    assert shown._repr_png_().startswith(b"\x89PNG")
    again = display_event(events[1:2], detector)
    assert again.figure.get_suptitle() == figure.get_suptitle() == display_event(one(any_file(), 1), detector).figure.get_suptitle()


def test_data_in_the_signal_box_is_not_drawn() -> None:
    detector = load_detector("na64mu-2022")
    summary = reconstruct(read_batch(any_file(), 0, 60), detector)
    entry = int(np.flatnonzero(in_box(summary, load_working_point("prl2024").box))[0])
    simulated = one(any_file(), entry)
    display_event(simulated, detector)
    data = replace(simulated, scalars={name: column for name, column in simulated.scalars.items() if not name.startswith("mc_")})
    with pytest.raises(
        BlindedError, match="is withheld: in data, the events of the signal box, and others among which they are hidden, are not shown"
    ):
        display_event(data, detector)


def test_only_one_event_is_drawn() -> None:
    with pytest.raises(ValueError, match="one event, found 2"):
        event_tracks(read_batch(any_file(), 0, 2), load_detector("na64mu-2022"))


def test_display_writes_a_picture(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["display", str(any_file()), "--event", "1", "-o", str(tmp_path / "e.png")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "e.png").stat().st_size > 20_000
    plt.close("all")


def test_entry_beyond_the_file(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["display", str(any_file()), "--event", "999999", "-o", str(tmp_path / "e.png")])
    assert result.exit_code == 1
    assert "there is no entry 999999" in result.output
