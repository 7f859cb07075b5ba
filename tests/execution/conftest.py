from __future__ import annotations

import pytest
from search_examples import FakeReconstruction, summary_table

from na64mu.reconstruction import summary


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeReconstruction:
    """Reconstruction by look-up; the table is free to change."""
    reconstruction = FakeReconstruction(summary_table(400))
    monkeypatch.setattr(summary, "reconstruct", reconstruction)
    return reconstruction
