"""A real terminal as stdout and stderr of this process."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import termios
import threading
from types import TracebackType
from typing import Any, Self

__all__ = ("Terminal",)


class Terminal:
    """While it is entered, stderr (and stdout) of this process are a terminal of so many columns; `text` is what it was sent.

    Parameters
    ----------
    columns : int
        Its width.
    stdout : bool
        Whether stdout is the terminal too.
    encoding : str
        Of both streams.
    **variables
        Of the environment; TERM is that of a usual terminal unless it is given.
    """

    def __init__(self, columns: int, *, stdout: bool = True, encoding: str = "utf-8", **variables: str) -> None:
        self._columns, self._stdout, self._encoding = columns, stdout, encoding
        self._variables = {"TERM": "xterm-256color"} | variables
        self._sent = bytearray()
        self._why = ""

    @property
    def text(self) -> str:
        """Everything that was sent so far."""
        return self._sent.decode("utf-8", "replace")

    def wait_for(self, words: str) -> None:
        """Wait until some words were sent; there is nothing to wait for once the terminal is closed."""
        while words not in self.text:
            assert self._reader.is_alive(), f"the terminal was closed ({self._why}); it was sent {self.text!r}"
            self._reader.join(0.01)

    def __enter__(self) -> Self:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, self._columns, 0, 0))
        self._stream = os.fdopen(theirs, "w", encoding=self._encoding, buffering=1)
        self._before: dict[str, Any] = {"stdout": sys.stdout, "stderr": sys.stderr}
        self._environment = dict(os.environ)
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
            os.environ.pop(name, None)
        os.environ.update(self._variables)
        sys.stderr = self._stream
        if self._stdout:
            sys.stdout = self._stream
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        sys.stdout, sys.stderr = self._before["stdout"], self._before["stderr"]
        os.environ.clear()
        os.environ.update(self._environment)
        self._stream.close()
        self._reader.join()
        os.close(self._ours)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._ours, 65536)
            except OSError as error:  # the other end is closed
                self._why = str(error)
                return
            if not data:
                self._why = "end of file"
                return
            self._sent += data
