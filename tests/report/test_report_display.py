from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from click.testing import CliRunner

from na64mu.cli import main
from na64mu.detector import load_detector
from na64mu.events.reader import read_batch
from na64mu.reconstruction.event import event_tracks, trajectory
from na64mu.report.display import draw_event

SAMPLE = Path(__file__).parents[2] / "data" / "sample"


def any_file() -> Path:
    return next(p for p in sorted(SAMPLE.glob("*.root")) if "zprime" in p.name)


def test_track_passes_through_its_hits() -> None:
    batch = read_batch(any_file(), 0, 40)
    detector = load_detector("na64mu-2022")
    seen = 0
    for entry in range(len(batch)):
        for tracks in event_tracks(read_batch(any_file(), entry, entry + 1), detector):
            if not tracks.tracks.best.good[0]:
                continue
            path = trajectory(tracks.tracks.best.upstream[0], tracks.spectrometer)
            for view in (0, 1):
                z, u, on_track = tracks.points(view)
                distance = np.abs(u - np.interp(z, path[:, 0], path[:, 1 + view]))[on_track > 0]
                assert np.all(distance < 10.0), "beam station slabs are 5 mm wide, all else is finer"
                seen += len(distance)
    assert seen > 200


def test_drawing_has_tracks_and_calorimeters() -> None:
    figure, axes = draw_event(read_batch(any_file(), 0, 1), load_detector("na64mu-2022"))
    titles = [ax.get_title() for ax in axes]
    assert titles[:2] == ["MS1", "MS2"]
    assert [t.partition(":")[0] for t in titles[4:]] == ["preshower", "ECAL main", "VHCAL", "HCAL1", "HCAL2"]
    plt.close(figure)


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
