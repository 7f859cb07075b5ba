"""The map of efficiencies is read without this package: the example of the page, with every import of na64mu refused."""

from __future__ import annotations

import builtins
from pathlib import Path

import numpy as np
import pytest
from page_blocks import blocks_of

from na64mu.analysis.yields import KinematicMap

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "recast.md"


def test_a_theorist_reads_the_map_with_numpy_alone(tmp_path, monkeypatch, own_files, capsys):
    block = next(b for b in blocks_of(PAGE) if b.kind == "python" and "na64mu-2022-kinematic.json" in b.text)
    assert len(block.text.strip().splitlines()) <= 11
    own_files("docs/howto/recast.md")
    monkeypatch.chdir(tmp_path)
    imported = builtins.__import__

    def refuse(name, *others, **more):
        assert not name.startswith("na64mu"), "the example wants this package"
        return imported(name, *others, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    namespace: dict = {}
    exec(compile(block.text, "example", "exec", dont_inherit=True), namespace)
    monkeypatch.undo()
    table = KinematicMap.read()
    share = table.share(namespace["x"], namespace["psi"])
    for config in (1, 2):
        value, error, _ = table.average(share, config)
        assert namespace["efficiency"][config - 1] == pytest.approx(value, rel=1e-4)
        assert namespace["error"][config - 1] == pytest.approx(error, rel=1e-3)
    assert np.isfinite(namespace["events"])
    assert "excluded at 90 % CL" in capsys.readouterr().out


def test_the_file_carries_what_a_reader_needs():
    import json
    from importlib.resources import files

    content = json.loads(files("na64mu.data").joinpath("efficiency", "na64mu-2022-kinematic.json").read_text(encoding="utf-8"))
    shape = (2, len(content["x_edges"]) - 1, len(content["psi_edges"]) - 1)
    assert all(np.shape(content[name]) == shape for name in ("efficiency", "efficiency_error", "known"))
    assert "efficiency[c][i][j]" in content["read_me"]
    assert "pile-up" in content["read_me"]
