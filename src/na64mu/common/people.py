"""Who does something, where: for records. Never fails, whatever the machine does not know."""

from __future__ import annotations

import getpass
import os
import platform
from contextlib import suppress

__all__ = ("host_name", "user_name")


def user_name() -> str:
    """Name of the user, or the number that the system knows him by.

    Returns
    -------
    str
        As `getpass.getuser` finds it; "uid 1234" in a container or a batch job whose user has no name and no environment.
    """
    with suppress(KeyError, OSError, ImportError):  # what it raises depends on the version of Python
        return getpass.getuser()
    return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"


def host_name() -> str:
    """Name of the machine.

    Returns
    -------
    str
        "unknown" where it has none.
    """
    return platform.node() or "unknown"
