from __future__ import annotations

import os

import pytest

from na64mu.common.people import host_name, user_name


@pytest.mark.parametrize("error", [KeyError, OSError, ImportError])
def test_a_user_without_a_name_is_a_number(error, monkeypatch):
    def nobody():
        raise error

    monkeypatch.setattr("getpass.getuser", nobody)
    assert user_name() == f"uid {os.getuid()}"


def test_a_user_and_a_machine_with_a_name(monkeypatch):
    monkeypatch.setenv("LOGNAME", "anna")
    assert user_name() == "anna"
    monkeypatch.setattr("platform.node", lambda: "here")
    assert host_name() == "here"
    monkeypatch.setattr("platform.node", lambda: "")
    assert host_name() == "unknown"
