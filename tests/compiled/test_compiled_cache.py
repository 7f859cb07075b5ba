"""What is compiled belongs to the content of the sources: old code is never run, and damage is compiled anew."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import pytest
from kernels_examples import TinyPackage

from na64mu.compiled import cache
from na64mu.compiled.cache import DAY, KEPT, remove_old
from na64mu.compiled.folder import KernelFolder
from na64mu.compiled.kernel import general_kernel, kernel
from na64mu.simulation.stream import Stream


def test_processes_load_what_others_have_compiled_and_see_an_edited_helper(tiny):
    assert tiny.run_alone() == ("2.5 0", "")
    assert tiny.run_alone() == ("2.5 1", "")
    tiny.write(formula="3.0 * x")
    assert tiny.run_alone() == ("3.5 0", "")


def test_an_edited_helper_in_another_file_is_seen(tiny):
    assert tiny.run() == (2.5, 0)
    tiny.write(formula="3.0 * x")
    assert tiny.run() == (3.5, 0)
    tiny.write()
    assert tiny.run() == (2.5, 1), "the first version is still there"


def test_an_edited_constant_in_another_file_is_seen(tiny):
    tiny.write(constant="SHIFT = 1.0", shift="SHIFT")
    assert tiny.run() == (3.0, 0)
    tiny.write(constant="SHIFT = 7.0", shift="SHIFT")
    assert tiny.run() == (9.0, 0)


def test_an_edited_formula_that_is_written_out_where_it_is_called_is_seen(tiny):
    tiny.write(form="formula")
    assert tiny.run() == (2.5, 0)
    tiny.write(formula="3.0 * x", form="formula")
    assert tiny.run() == (3.5, 0)


def test_an_upgrade_in_place_with_equal_time_and_size_is_seen(tiny):
    helper = tiny.folder / "tinykernels" / "helper.py"
    os.utime(helper, (1.0e9, 1.0e9))
    before = helper.stat()
    assert tiny.run() == (2.5, 0)
    tiny.write(formula="3.0 * x")
    os.utime(helper, (1.0e9, 1.0e9))
    assert (helper.stat().st_mtime, helper.stat().st_size) == (before.st_mtime, before.st_size)
    assert tiny.run() == (3.5, 0)


def test_two_versions_side_by_side_share_a_folder(tiny, tmp_path):
    other = TinyPackage(tmp_path / "other", tiny.cache)
    other.write(formula="3.0 * x")
    assert (tiny.run(), other.run()) == ((2.5, 0), (3.5, 0))
    assert (tiny.run(), other.run()) == ((2.5, 1), (3.5, 1))


def test_a_copy_in_another_place_is_the_same_code(tiny, tmp_path):
    tiny.run()
    shutil.copytree(tiny.folder, tmp_path / "moved")
    assert TinyPackage(tmp_path / "moved", tiny.cache).run() == (2.5, 1)


def test_a_constant_that_another_file_gives_is_seen(tiny, tmp_path):
    (tmp_path / "number").write_text("1.0")
    tiny.write(constant=f"import pathlib\nSHIFT = float(pathlib.Path({str(tmp_path / 'number')!r}).read_text())", shift="SHIFT")
    assert tiny.run() == (3.0, 0)
    (tmp_path / "number").write_text("4.0")
    assert tiny.run() == (6.0, 0)


def test_code_that_was_edited_after_its_import_is_not_kept_under_the_new_text(tiny):
    helper = tiny.folder / "tinykernels" / "helper.py"
    edited = helper.read_text().replace("2.0", "3.0")
    late = f"import tinykernels.main\nopen({str(helper)!r}, 'w').write({edited!r})\nprint(tinykernels.main.total(1.0))"
    assert tiny.run_alone(code=late)[0] == "2.5", "what this process has imported"
    assert tiny.run() == (3.5, 0), "what the next one finds"


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign"])
def test_a_damaged_file_is_compiled_anew(tiny, damage):
    assert tiny.run() == (2.5, 0)
    (tiny.cache / "other").mkdir()
    for path in tiny.files():
        content = path.read_bytes()
        middle = len(content) // 2
        path.write_bytes(
            {
                "cut": content[:middle],
                "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
                "empty": b"",
                "foreign": b"something that is no compiled kernel",
            }[damage]
        )
    assert tiny.run() == (2.5, 0)
    assert tiny.run() == (2.5, 1), "written again"


def test_a_file_of_another_kernel_under_this_name_is_not_run(tiny):
    tiny.run()
    (old,) = [path for path in tiny.files() if "main" in path.name]
    content = old.read_bytes()
    tiny.write(formula="3.0 * x")
    tiny.run()
    (new,) = [path for path in tiny.files() if "main" in path.name and path != old]
    new.write_bytes(content)
    assert tiny.run() == (3.5, 0)


def test_a_file_that_others_can_write_is_not_loaded(tiny):
    tiny.run()
    for path in tiny.files():
        path.chmod(0o666)
    assert tiny.run() == (2.5, 0)


@pytest.mark.parametrize("setting", ["BOUNDSCHECK", "OPT"])
def test_settings_that_change_the_code_are_part_of_the_key(tiny, monkeypatch, setting):
    assert tiny.run() == (2.5, 0)
    with monkeypatch.context() as patch:
        patch.setattr(numba.config, setting, 1)
        assert tiny.run() == (2.5, 0)
    assert tiny.run() == (2.5, 1)


def test_a_disk_that_is_full_costs_a_warning(tmp_path, monkeypatch, caplog):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_write", full)
    monkeypatch.setattr(cache, "_SAID", set())
    assert _two_signatures(tmp_path, monkeypatch) == (3, 3.5)
    assert [r.message for r in caplog.records] == [f"compiled kernels cannot be kept in {tmp_path}: No space left on device"]


def test_without_any_folder_kernels_live_in_memory(monkeypatch):
    assert _two_signatures(None, monkeypatch) == (3, 3.5)


def test_each_kind_of_arguments_has_a_file(tmp_path, monkeypatch):
    assert _two_signatures(tmp_path, monkeypatch) == (3, 3.5)
    assert len(list(tmp_path.glob("*.kernel"))) == 2
    assert not list(tmp_path.glob(".part-*"))


def _two_signatures(folder: Path | None, monkeypatch: pytest.MonkeyPatch) -> tuple[int, float]:
    monkeypatch.setattr(cache, "kernel_folder", lambda: KernelFolder(folder, persists=True))
    add = general_kernel(_add)
    return add(1, 2), add(1.0, 2.5)


def _add(a: float, b: float) -> float:
    return a + b


def test_a_folder_that_is_only_read_is_used(tmp_path, monkeypatch):
    _two_signatures(tmp_path / "shipped" if (tmp_path / "shipped").mkdir() is None else None, monkeypatch)
    (tmp_path / "own").mkdir()
    monkeypatch.setattr(cache, "kernel_folder", lambda: KernelFolder(tmp_path / "own", persists=True, also_read=(tmp_path / "shipped",)))
    add = general_kernel(_add)
    assert add(1, 2) == 3
    assert sum(add.stats.cache_hits.values()) == 1
    assert list((tmp_path / "own").iterdir()) == []


class _Pair(NamedTuple):
    rng: Stream
    scale: float


def _draw(pair: _Pair, rng: Stream) -> float:
    return pair.scale * rng.random()


def test_kernels_of_streams_and_named_tuples_are_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "kernel_folder", lambda: KernelFolder(tmp_path, persists=True))
    expected = Stream(1).random()
    for hits in (0, 1):
        draw = kernel(_draw)
        assert draw(_Pair(Stream(2), 1.0), Stream(1)) == expected
        assert sum(draw.stats.cache_hits.values()) == hits


def test_what_nobody_has_used_for_long_is_removed(tmp_path):
    for name, days in {"old.kernel": KEPT + 1, "new.kernel": KEPT - 1, ".part-old": KEPT + 1, "another.txt": KEPT + 1}.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - days * DAY,) * 2)
    assert remove_old(tmp_path) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["another.txt", "new.kernel"]


def test_use_makes_a_file_young(tmp_path, monkeypatch):
    _two_signatures(tmp_path, monkeypatch)
    for path in tmp_path.glob("*.kernel"):
        os.utime(path, (time.time() - (KEPT + 1) * DAY,) * 2)
    _two_signatures(tmp_path, monkeypatch)
    assert remove_old(tmp_path) == 0


def test_a_numba_that_was_not_tried_is_said_once(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(cache, "untried", lambda: "numba 9.9.0 was not tried")
    monkeypatch.setattr(cache, "_SAID", set())
    _two_signatures(tmp_path, monkeypatch)
    assert [r.message for r in caplog.records] == ["numba 9.9.0 was not tried"]


def test_the_cache_of_other_packages_is_numbas_own(tmp_path):
    assert numba.njit(cache=True)(_add)._cache.__class__.__module__ == "numba.core.caching"
    assert np.isclose(numba.njit(_add)(1.0, 2.0), 3.0)
