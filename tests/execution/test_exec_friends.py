"""Friend trees in another file: read like one tree; what happens to the friend happens to the exposure of its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from click.testing import CliRunner
from search_examples import DETECTOR, FakeReconstruction, runs_row, write_file

from na64mu.cli import main
from na64mu.detector import load_detector
from na64mu.errors import BlindedError, CheckpointError, InputError, LayoutError
from na64mu.events.layout import load_layout
from na64mu.events.reader import read_batch
from na64mu.events.schema_v1 import COLLECTIONS
from na64mu.execution import run_search
from na64mu.execution.freezing import freeze
from na64mu.execution.skim import skim
from na64mu.execution.unblinding import unblind

N = 400
BASKET = 100
LAYOUT = f"""
format_version = 1
absent = {[name for name in COLLECTIONS if name != "ecal"]}
[trees]
events = "tree"
friends = [FRIEND]
runs = "runs"
[scalars]
run = "run"
spill = {{ constant = 1 }}
config = {{ constant = 1 }}
event = "event"
trigger = {{ bits = {{ physics = "isMuon" }} }}
[collections.ecal]
matrix = "ECAL_ene"
axes = ["section", "ix", "iy"]
time = {{ constant = 0.0 }}
[run_fields]
"""
FRIEND = '{ tree = "calo", file = "../calo/{stem}_calo.root", strip = "_raw" }'


def layout_of(folder: Path, friend: str = FRIEND) -> Path:
    fields = "\n".join(f'{name} = "{name}"' for name in runs_row())
    (folder / "mine.toml").write_text(LAYOUT.replace("'", '"').replace("FRIEND", friend) + fields)
    return folder / "mine.toml"


def write_tree(path: Path, name: str, columns: dict[str, np.ndarray]) -> None:
    path.parent.mkdir(exist_ok=True)
    with uproot.recreate(path) as file:
        tree = file.mktree(name, {key: (column.dtype, column.shape[1:]) for key, column in columns.items()})
        for start in range(0, len(columns["event"]), BASKET):
            tree.extend({key: column[start : start + BASKET] for key, column in columns.items()})
        if name == "tree":
            row = runs_row(int(columns["run"][0]))
            file["runs"] = {key: [value] if isinstance(value, str) else np.array([value]) for key, value in row.items()}


def energies(run: int) -> np.ndarray:
    """(event, section, ix, iy): as many cells as the ECAL has, energy elsewhere is refused."""
    return np.random.default_rng(run).exponential(1.0, (N, 2, *load_detector(DETECTOR).ecal.cells)).astype(np.float32)


def pair(folder: Path, run: int = 1, **friend: Any) -> Path:
    """The file of the events and its friend; returns the former. `friend` changes columns of the latter."""
    number = {"run": np.full(N, run, np.uint32), "event": np.arange(N, dtype=np.uint64)}
    path = folder / "raw" / f"beam_{run}_raw.root"
    write_tree(path, "tree", number | {"isMuon": np.ones(N, np.bool_)})
    write_friend(path, run, **friend)
    return path


def write_friend(path: Path, run: int = 1, **friend: Any) -> None:
    number = {"run": np.full(N, run, np.uint32), "event": np.arange(N, dtype=np.uint64)}
    write_tree(friend_of(path), "calo", number | {"ECAL_ene": energies(run)} | friend)


def friend_of(path: Path) -> Path:
    return path.parents[1] / "calo" / f"{path.stem.removesuffix('_raw')}_calo.root"


def search(files: Any, folder: Path, **options: Any) -> Any:
    return run_search(files, layout=folder / "mine.toml", progress=False, **options)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    layout_of(tmp_path)
    return tmp_path


def test_it_reads_like_one_tree(here):
    path = pair(here)
    batch = read_batch(path, 150, 250, layout=load_layout(here / "mine.toml"))
    np.testing.assert_array_equal(batch.collections["ecal"]["energy"], energies(1)[150:250].ravel())
    np.testing.assert_array_equal(batch.scalars["event"], np.arange(150, 250))


@pytest.mark.parametrize("executor", ["iterative", "futures"])
def test_a_run_reads_it_on_every_executor_and_says_which_file_it_was(here, executor):
    files = [pair(here, 1), pair(here, 2)]
    result = search(files, here, executor=executor, workers=1, chunksize=150, output=here / "out")
    assert result.total.counts[0] == 2 * N
    assert (result.exposure.n_mot(), result.exit_code) == (2000, 0)
    friends = [file.friends for file in result.provenance.inputs]
    assert [friend[0][0] for friend in friends] == [str(friend_of(path)) for path in files]
    assert all(len(friend[0][1]) == 64 for friend in friends)


def _missing(path: Path) -> None:
    path.unlink()


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _shorter(path: Path) -> None:
    number = {"run": np.full(N - 1, 2, np.uint32), "event": np.arange(N - 1, dtype=np.uint64)}
    write_tree(path, "calo", number | {"ECAL_ene": energies(2)[:-1]})


def _other_tree(path: Path) -> None:
    number = {"run": np.full(N, 2, np.uint32), "event": np.arange(N, dtype=np.uint64)}
    write_tree(path, "other", number | {"ECAL_ene": energies(2)})


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (_missing, r"beam_2_raw\.root: its friend file cannot be used: .*beam_2_calo\.root: no such file"),
        (_truncated, r"beam_2_raw\.root: its friend file cannot be used: .*beam_2_calo\.root: the file is truncated"),
        (_shorter, r"beam_2_raw\.root: friend tree 'calo of .*' has 399 entries, tree 'tree' has 400"),
        (_other_tree, r"beam_2_raw\.root: its friend file cannot be used: .*beam_2_calo\.root: no tree 'calo'"),
    ],
)
def test_without_a_good_friend_a_file_is_lost_with_its_muons(here, harm, sentence):
    files = [pair(here, 1), pair(here, 2)]
    harm(friend_of(files[1]))
    result = search(files, here)
    (loss,) = result.losses
    assert loss.kind == "file"
    with pytest.raises(InputError, match=sentence):
        search(files, here, strict=True)
    assert (result.total.counts[0], result.exposure.n_mot(), result.exit_code) == (N, 1000, 3)


def test_entries_of_other_events_are_lost_chunk_by_chunk(here):
    event = np.arange(N, dtype=np.uint64)
    event[250:] += 1
    path = pair(here, event=event)
    result = search(path, here, chunksize=BASKET)
    losses = [(x.entry_start, x.entry_stop) for x in result.losses]
    assert losses == [(200, 300), (300, 400)]
    assert "entry 250 is event 250 in tree 'tree' and 251 in friend tree 'calo of" in result.losses[0].reason
    assert (result.total.counts[0], result.exposure.n_mot(), result.exit_code) == (200, 500, 3)


def test_a_damaged_basket_of_the_friend_loses_its_chunk(here):
    path = pair(here)
    with uproot.open(friend_of(path)) as file:
        seek, size = (int(file["calo"]["ECAL_ene"].member(f"fBasket{what}")[2]) for what in ("Seek", "Bytes"))
    content = bytearray(friend_of(path).read_bytes())
    content[seek + size // 2 : seek + size] = b"\xff" * (size - size // 2)
    friend_of(path).write_bytes(content)
    result = search(path, here, chunksize=BASKET)
    (loss,) = result.losses
    assert (loss.entry_start, loss.entry_stop) == (200, 300)
    assert "branch 'ECAL_ene' of tree 'calo' cannot be read in entries 200 to 299" in loss.reason
    assert (result.total.counts[0], result.exposure.n_mot()) == (300, 750)


def test_resume_refuses_another_friend(here):
    path = pair(here)
    search(path, here, chunksize=BASKET, output=here / "out")
    assert search(path, here, chunksize=BASKET, output=here / "out", resume=True).total.counts[0] == N
    write_friend(path, ECAL_ene=energies(3))
    with pytest.raises(CheckpointError, match="other input files, or files with other content"):
        search(path, here, chunksize=BASKET, output=here / "out", resume=True)


def test_unblinding_refuses_another_friend(here):
    path = pair(here)
    search(path, here, output=here / "out").write(here / "out")
    freeze(path, layout=here / "mine.toml").write(here / "freeze.json")
    write_friend(path, ECAL_ene=energies(3))
    with pytest.raises(BlindedError, match=r"the friend .*beam_1_calo\.root of the input .*beam_1_raw\.root: not what was frozen"):
        unblind(here / "out", here / "open", freeze=here / "freeze.json", reason="a test")
    freeze(path, layout=here / "mine.toml").write(here / "late.json")
    with pytest.raises(BlindedError, match=r"something else than what was frozen: the friend .*beam_1_calo\.root of the input"):
        unblind(here / "out", here / "open", freeze=here / "late.json", reason="a test")
    assert not (here / "unblinding.jsonl").exists()


def test_unblinding_accepts_the_same_friend(here):
    path = pair(here)
    search(path, here, output=here / "out").write(here / "out")
    freeze(path, layout=here / "mine.toml").write(here / "freeze.json")
    assert unblind(here / "out", here / "open", freeze=here / "freeze.json", reason="a test").exit_code == 0


def test_a_friend_that_changes_while_it_is_read_stops_the_run(fake: FakeReconstruction, here, monkeypatch):
    path = pair(here)

    def changing(batch: object, detector: object) -> object:
        write_friend(path, ECAL_ene=energies(4))
        return fake(batch, detector)

    monkeypatch.setattr("na64mu.reconstruction.summary.reconstruct", changing)
    with pytest.raises(InputError, match=r"beam_1_calo\.root: was changed while it was read"):
        search(path, here)


def test_skim_and_check_read_it(here):
    path = pair(here)
    assert skim(path, here / "fast.root", layout=here / "mine.toml") == (N, N)
    np.testing.assert_array_equal(read_batch(here / "fast.root").collections["ecal"]["energy"], energies(1).ravel())
    check = ["check", str(path), "--layout", str(here / "mine.toml")]
    assert "friend" not in CliRunner().invoke(main, check).output
    friend_of(path).unlink()
    assert "its friend file cannot be used" in CliRunner().invoke(main, check).output
    with pytest.raises(InputError, match="its friend file cannot be used"):
        skim(path, here / "fast.root", layout=here / "mine.toml")


def test_friends_in_the_same_folder_are_no_input_of_their_own(tmp_path):
    layout_of(tmp_path, FRIEND.replace("../calo/", ""))
    path = pair(tmp_path)
    friend_of(path).rename(path.parent / "beam_1_calo.root")
    result = search(path.parent, tmp_path)
    assert [loss.kind for loss in result.losses] == ["note"]
    assert "is read as the friend of" in result.losses[0].reason
    assert (result.total.counts[0], result.exit_code) == (N, 0)
    assert skim(path.parent, tmp_path / "fast.root", layout=tmp_path / "mine.toml") == (N, N)


def test_a_copy_of_the_events_is_found_whatever_its_friend(here):
    path = pair(here)
    copy = path.with_name("copy_1_raw.root")
    copy.write_bytes(path.read_bytes() + b"\0")
    friend_of(copy).write_bytes(friend_of(path).read_bytes())
    result = search([path, copy], here)
    assert [loss.kind for loss in result.losses] == ["duplicate"]
    assert (result.total.counts[0], result.exposure.n_mot()) == (N, 1000)


def test_a_friend_without_numbers_of_events_is_refused(here):
    path = pair(here)
    write_tree(friend_of(path), "calo", {"event": np.arange(N, dtype=np.uint64), "ECAL_ene": energies(1)})
    with pytest.raises(
        LayoutError, match=r"scalars\.run \(a friend in another file repeats it\) names the branch 'run', which tree 'calo' of"
    ):
        search(path, here)
    lists = np.zeros((N, 3), np.uint32)
    write_tree(friend_of(path), "calo", {"run": lists, "event": np.arange(N, dtype=np.uint64), "ECAL_ene": energies(1)})
    with pytest.raises(InputError, match=r"branch 'run' of friend tree 'calo of .*' is 3 \* uint32 per event, one number is needed"):
        search(path, here)


@pytest.mark.parametrize(
    ("friend", "sentence"),
    [
        ('{ tree = "calo", file = "calo.root" }', r"\{stem\} must be in it"),
        ('{ tree = "calo", file = "{stem}{run}.root" }', r"no other \{\.\.\.\}"),
        ('{ tree = "calo", strip = "_raw" }', "strip goes with file"),
    ],
)
def test_a_pattern_that_means_nothing_is_refused(tmp_path, friend, sentence):
    with pytest.raises(LayoutError, match=sentence):
        load_layout(layout_of(tmp_path, friend))


def test_where_the_friend_stands():
    (friend,) = load_layout_friend('{ tree = "calo", file = "../calo/{stem}_calo.root", strip = "_raw" }')
    assert friend.path_beside("/d/raw/b_1_raw.root") == "/d/calo/b_1_calo.root"
    assert friend.path_beside("b_1.root") == "../calo/b_1_calo.root"
    assert friend.path_beside("root://h//d/raw/b_1_raw.root") == "root://h//d/raw/../calo/b_1_calo.root"


def load_layout_friend(text: str) -> Any:
    import tomllib

    from na64mu.events.layout import Trees

    return Trees.model_validate({"friends": [tomllib.loads(f"x = {text}")["x"]]}).friends


def test_the_raw_tree_has_no_friends(tmp_path):
    assert write_file(tmp_path / "a.root", 10).exists()
    assert run_search(tmp_path / "a.root", progress=False).provenance.inputs[0].friends == ()
