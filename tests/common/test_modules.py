"""Modules of a folder are imported, in the order of their names."""

from __future__ import annotations

import sys

from na64mu.common.modules import import_modules


def test_every_module_of_a_folder_is_imported_in_order(tmp_path, monkeypatch):
    folder = tmp_path / "kinds_of_a_test"
    folder.mkdir()
    (folder / "__init__.py").write_text("SEEN = []\n")
    for name in ("wires", "pixels", "slabs"):
        (folder / f"{name}.py").write_text("from kinds_of_a_test import SEEN\nSEEN.append(__name__)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    try:
        import_modules("kinds_of_a_test", [str(folder)])
        assert [f"kinds_of_a_test.{name}" for name in ("pixels", "slabs", "wires")] == sys.modules["kinds_of_a_test"].SEEN
    finally:
        for name in set(sys.modules) - before:
            if name.startswith("kinds_of_a_test"):
                del sys.modules[name]
