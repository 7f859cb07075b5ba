from __future__ import annotations

import importlib.util
import tarfile
from pathlib import Path

import numpy as np
import pytest

from na64mu.detector import load_detector
from na64mu.errors import Na64muError
from na64mu.events.reader import read_batch, read_runs
from na64mu.simulation.geant4 import backend
from na64mu.simulation.geant4.backend import Geant4Settings
from na64mu.simulation.geant4.data import SETS, data_environment, data_label
from na64mu.simulation.produce import produce

DETECTOR = load_detector("na64mu-2022")
SETTINGS = Geant4Settings(scales=(9.0, 87.0, 38.0))


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*SETS, "GEANT4_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def data(shared_samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Generated data sets, unpacked."""
    if importlib.util.find_spec("geant4_pybind") is None:
        pytest.skip("geant4-pybind is not installed (extra geant4)")
    archive = shared_samples.parent / "geant4" / "g4mini.tgz"
    if not archive.is_file():
        pytest.skip("the generated Geant4 data sets are not here")
    folder = tmp_path / "g4data"
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    monkeypatch.setenv("GEANT4_DATA_DIR", str(folder))
    return folder


def test_beam_through_geant4(data: Path, tmp_path: Path) -> None:
    path, gdml = tmp_path / "g.root", tmp_path / "setup.gdml"
    row = produce(path, DETECTOR, "beam", 60, 1, 3, engine="geant4", geant4=SETTINGS._replace(gdml=gdml))
    batch, (run,) = read_batch(path), read_runs(path)
    assert row["n_mot"] == len(batch) > 20
    assert "geant4-11-04" in run["conditions"]
    assert ";FTFP_BERT;cut=0.7 mm;g4data=generated-" in run["conditions"]
    assert gdml.read_text().count("<physvol") > 50
    s = batch.scalars
    assert np.median(s["mc_p_in"] - s["mc_p_out"]) == pytest.approx(0.6, abs=0.25)
    n = len(batch)
    ecal = np.bincount(batch.collections["ecal"].event_index, batch.collections["ecal"]["energy"], n)
    assert np.median(ecal) == pytest.approx(DETECTOR.ecal.mip, rel=0.2)
    hcal = np.bincount(batch.collections["hcal"].event_index, batch.collections["hcal"]["energy"], n)
    assert np.median(hcal) == pytest.approx(2.0 * DETECTOR.hcal.mip, rel=0.25)
    # the same digits as those of the fast engine: one particle in every plane
    fast = tmp_path / "f.root"
    produce(fast, DETECTOR, "beam", 400, 1, 3)
    other = read_batch(fast)
    for name in ("bms", "mm", "straw"):
        a, b = (len(x.collections[name].event_index) / len(x) for x in (batch, other))
        assert a == pytest.approx(b, rel=0.3), name


def test_data_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Na64muError, match="set GEANT4_DATA_DIR to the directory"):
        data_environment()
    monkeypatch.setenv("GEANT4_DATA_DIR", str(tmp_path))
    with pytest.raises(Na64muError, match=r"has no folder G4ENSDFSTATE\.\.\."):
        data_environment()
    for name in ("G4ENSDFSTATE3.0", "G4EMLOW8.6", "G4EMLOW8.8", "G4PARTICLEXS4.2", "PhotonEvaporation6.1.2"):
        (tmp_path / name).mkdir()
    environment = data_environment()
    assert environment["G4LEDATA"].endswith("G4EMLOW8.8")
    generated = data_label(environment)
    assert generated.startswith("generated-")
    (tmp_path / "G4EMLOW8.8" / "one").write_text("1")
    assert data_label(environment) != generated
    (tmp_path / "PhotonEvaporation6.1.2" / "z1.a1").write_text("levels")
    assert data_label(environment) == "official"
    monkeypatch.setenv("G4LEDATA", "/elsewhere")  # the user's own variable wins
    assert data_environment()["G4LEDATA"] == "/elsewhere"


def test_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Na64muError, match="makes process beam only, not nuclear"):
        produce(tmp_path / "x.root", DETECTOR, "nuclear", 10, 1, 1, engine="geant4")
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(Na64muError, match=r"install na64mu\[geant4\]"):
        produce(tmp_path / "x.root", DETECTOR, "beam", 10, 1, 1, engine="geant4")
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(backend, "data_environment", dict)
    monkeypatch.setattr(backend.sys, "executable", "false")
    with pytest.raises(Na64muError, match="Geant4 ended with code 1: no message"):
        produce(tmp_path / "x.root", DETECTOR, "beam", 10, 1, 1, engine="geant4")
    assert not list(tmp_path.iterdir())
