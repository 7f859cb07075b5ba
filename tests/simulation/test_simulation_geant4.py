from __future__ import annotations

import importlib.util
import tarfile
from pathlib import Path

import numpy as np
import pytest

from na64mu.detector import load_detector
from na64mu.errors import Na64muError
from na64mu.events.reader import read_batch, read_runs
from na64mu.simulation.geant4 import backend, processes
from na64mu.simulation.geant4.backend import run_geant4
from na64mu.simulation.geant4.data import SETS, data_environment, data_label
from na64mu.simulation.geant4.gdml import write_gdml
from na64mu.simulation.geant4.processes import Geant4Settings
from na64mu.simulation.geant4.scales import energy_scales, gun
from na64mu.simulation.geant4.shots import Choice, event_seeds
from na64mu.simulation.geant4.vertex import scattered
from na64mu.simulation.plans import plans_of
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
        # Python before 3.11.4 knows no filters; the archive is ours
        tar.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # type: ignore[arg-type]
    monkeypatch.setenv("GEANT4_DATA_DIR", str(folder))
    return folder


def test_beam_through_geant4(data: Path, tmp_path: Path) -> None:
    path, done = tmp_path / "g.root", []
    row = produce(path, DETECTOR, "beam", 60, 1, 3, engine="geant4", geant4=SETTINGS, progress=done.append)
    assert sum(done) == 60  # however often it was told
    batch, (run,) = read_batch(path), read_runs(path)
    assert row["n_mot"] == len(batch) > 20
    assert "geant4-11-04" in run["conditions"]
    assert ";FTFP_BERT;cut=0.7 mm;g4data=generated-" in run["conditions"]
    s = batch.scalars
    assert np.median(s["mc_p_in"] - s["mc_p_out"]) == pytest.approx(0.6, abs=0.25)
    n = len(batch)
    ecal = np.bincount(batch.collections["ecal"].event_index, batch.collections["ecal"]["energy"], n)
    assert DETECTOR.ecal.mip < np.median(ecal) < 1.5 * DETECTOR.ecal.mip  # the tail of hard losses lies above the peak
    hcal = np.bincount(batch.collections["hcal"].event_index, batch.collections["hcal"]["energy"], n)
    assert np.median(hcal) == pytest.approx(2.0 * DETECTOR.hcal.mip, rel=0.25)
    # the same digits as those of the fast engine: one particle in every plane
    fast = tmp_path / "f.root"
    produce(fast, DETECTOR, "beam", 400, 1, 3)
    other = read_batch(fast)
    for name in ("bms", "mm", "straw"):
        a, b = (len(x.collections[name].event_index) / len(x) for x in (batch, other))
        assert a == pytest.approx(b, rel=0.3), name


@pytest.mark.parametrize("reports", [[1] * 45, [45], [10, 0, 35], [7, 7, 7, 7, 7, 7], [20], []])
def test_what_is_told_of_the_progress_adds_up(reports: list[int]) -> None:
    """45 of 60 muons are sent: every report of shots is told as events, and what is not sent or does not arrive is told at the end."""
    done: list[int] = []
    told = backend._Told(done.append, 60, 45)
    for shots in reports:
        told(shots)
        assert sum(done) <= 60
    assert sum(done) == 60 * min(sum(reports), 45) // 45
    told.finish()
    assert sum(done) == 60
    assert all(n > 0 for n in done)


def test_any_number_of_workers(data: Path) -> None:
    one = run_geant4(DETECTOR, 1, 16, 2, 5, SETTINGS)
    two = run_geant4(DETECTOR, 1, 16, 2, 5, SETTINGS._replace(workers=2))
    assert one.n_mot == two.n_mot > 3
    assert len(one.truth.facts) == one.n_mot // 2
    for name, a, b in zip(one.truth._fields, one.truth, two.truth, strict=True):
        assert a.tobytes() == b.tobytes(), name


def test_hard_losses_are_chosen_not_biased(data: Path) -> None:
    above = 0.5  # GeV: a tenth of all muons
    found = run_geant4(DETECTOR, 1, 40, 1, 5, SETTINGS, process="hardloss", above=above)
    everything = run_geant4(DETECTOR, 1, 40, 1, 5, SETTINGS)
    assert found.n_mot == pytest.approx(everything.n_mot, abs=2)  # the V1 of dropped events has not seen their delta rays
    index = {row["index"]: i for i, row in enumerate(everything.truth.facts)}
    assert 0 < len(found.truth.facts) < 0.4 * found.n_mot
    for i, row in enumerate(found.truth.facts):
        # the same event as without a choice, up to the random numbers of secondaries ahead of the ECAL
        assert row.p_out == everything.truth.facts[index[row["index"]]].p_out
        assert found.truth.ecal[i].sum() > above * 0.5


def test_boson_takes_its_share(data: Path) -> None:
    plans = plans_of(12, z=200.0, x=0.6, psi=0.002, mass=0.1)
    truth = run_geant4(DETECTOR, 1, 12, 1, 5, SETTINGS, process="zprime", plans=plans).truth
    assert len(truth.facts) > 2
    np.testing.assert_array_equal(truth.facts["process"], 20.0)
    np.testing.assert_array_equal(truth.facts["xfrac"], 0.6)
    assert np.all((truth.facts["vertex_z"] >= 200.0) & (truth.facts["vertex_z"] < 203.2))
    assert np.median(truth.facts["p_out"] / truth.facts["p_in"]) == pytest.approx(0.4, abs=0.01)
    first_gem = len(DETECTOR.bms) + len(DETECTOR.micromegas)
    assert np.all(np.diff(truth.hit_offsets) > first_gem)  # hits before and behind the vertex
    assert np.median(truth.ecal.sum(axis=(1, 2, 3))) == pytest.approx(DETECTOR.ecal.mip, rel=0.3)


def test_hadrons_shower(data: Path) -> None:
    truth = run_geant4(DETECTOR, 1, 4, 1, 5, SETTINGS, process="hadron").truth
    assert len(truth.facts) > 0
    np.testing.assert_array_equal(truth.facts["process"], 7.0)
    assert max(cells.sum() for cells in truth.hcal + truth.ecal.sum()) > 30.0  # GeV


def test_gun_and_scales(data: Path) -> None:
    few = Geant4Settings(electrons=2, pions=1)
    scales = energy_scales(DETECTOR, few)
    assert energy_scales(DETECTOR, few._replace(scales=(1.0, 2.0, 3.0))) == (1.0, 2.0, 3.0)
    states = np.tile([0.0, 0.0, -0.005, 0.0, 0.0, 5.0], (3, 1))
    found = gun(DETECTOR, "e-", states, 1)
    assert scales[0] * found.ecal.sum(axis=(1, 2, 3)).mean() == pytest.approx(5.0, rel=0.15)
    assert found.facts["transfer"].max() == 0.0
    assert 20.0 < scales[2] < 60.0  # one part in 38 of a pion's energy is seen in the scintillator


def test_scattered_muon() -> None:
    state = np.array([1.0, 2.0, 200.0, 0.001, -0.002, 160.0])
    x, y, z, tx, ty, p = scattered(state, plans_of(1, z=200.0, x=0.75, psi=0.01, mass=0.1)[0], 0.3)
    assert (x, y, z) == (1.0, 2.0, 200.0)
    assert p == pytest.approx(40.0, abs=1e-3)
    before, after = np.array([0.001, -0.002, 1.0]), np.array([tx, ty, 1.0])
    cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
    assert np.arccos(cosine) == pytest.approx(0.01, rel=1e-4)


def test_choice_and_seeds() -> None:
    choice = Choice(20.0, 0.0, 471.0, 3.0)
    assert choice.takes({(1.0, 100.0): 50.0, (3.0, 100.0): 21.0})
    assert not choice.takes({(1.0, 100.0): 50.0, (3.0, 100.0): 19.0, (3.0, 480.0): 30.0})
    assert choice._replace(process=0.0).takes({(1.0, 100.0): 50.0})
    numbers = np.array([3, 5])
    np.testing.assert_array_equal(event_seeds(1, 1, numbers), event_seeds(1, 1, np.arange(9))[numbers])
    assert not set(event_seeds(1, 1, np.arange(9))) & set(event_seeds(1, 2, np.arange(9)))


def test_gdml(tmp_path: Path) -> None:
    if importlib.util.find_spec("geant4_pybind") is None:
        pytest.skip("geant4-pybind is not installed (extra geant4)")
    path = tmp_path / "setup.gdml"
    check = write_gdml(DETECTOR, 1, path)  # without data sets
    text = path.read_text()
    assert check.overlaps == []
    assert check.volumes == text.count("<physvol") + text.count("<replicavol") > 100
    assert 'auxtype="Field" auxvalue="0 -0.7 0"' in text
    e = DETECTOR.ecal
    area = e.cells[0] * e.cell[0] * e.cells[1] * e.cell[1]
    lead, plastic = (1e-6 * density * sum(e.layers) * t * area for density, t in ((11.35, e.lead), (1.06, e.scintillator)))
    assert check.read_back["ecal"] == pytest.approx(lead + plastic, rel=1e-3)
    assert check.read_back == pytest.approx(check.masses)
    # the GEM that is moved into the VETO
    veto = DETECTOR.veto
    moved = [g.model_copy(update={"z": veto.z + 20.0}) if g.module == 1 else g for g in DETECTOR.gem]
    with pytest.raises(Na64muError, match=r"the volumes .* overlap with others"):
        write_gdml(DETECTOR.model_copy(update={"gem": tuple(moved)}), 1, tmp_path / "overlapping.gdml")
    assert not (tmp_path / "overlapping.gdml").exists()
    assert path.read_text() == text


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
    with pytest.raises(Na64muError, match="does not make process kaon: it makes beam, hadron, hardloss, nuclear and the bosons"):
        produce(tmp_path / "x.root", DETECTOR, "kaon", 10, 1, 1, engine="geant4")
    monkeypatch.setattr(processes.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(Na64muError, match="writing GDML needs the package geant4-pybind"):
        write_gdml(DETECTOR, 1, tmp_path / "x.gdml")
    with pytest.raises(Na64muError, match=r"install na64mu\[geant4\]"):
        produce(tmp_path / "x.root", DETECTOR, "beam", 10, 1, 1, engine="geant4")
    monkeypatch.setattr(processes.importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(processes, "data_environment", dict)
    monkeypatch.setattr(processes.sys, "executable", "false")
    with pytest.raises(Na64muError, match="Geant4 ended with code 1: no message"):
        produce(tmp_path / "x.root", DETECTOR, "beam", 10, 1, 1, engine="geant4")
    assert not list(tmp_path.iterdir())
