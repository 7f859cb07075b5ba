from __future__ import annotations

from collections.abc import Iterator

import pytest
from search_examples import FakeReconstruction, summary_table

from na64mu.reconstruction import summary
from na64mu.selections.user import as_in_a_new_process


@pytest.fixture(autouse=True, scope="module")
def _own_things_end_with_a_module() -> Iterator[None]:
    """What the tests of a module register as a user does is not known to those of the next."""
    with as_in_a_new_process():
        yield


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeReconstruction:
    """Reconstruction by look-up; the table is free to change."""
    reconstruction = FakeReconstruction(summary_table(400))
    monkeypatch.setattr(summary, "reconstruct", reconstruction)
    return reconstruction
