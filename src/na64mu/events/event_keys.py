"""Numbers of events that occur twice, in one file or in several."""

from __future__ import annotations

import numpy as np

from na64mu.events.file_scan import FileScan
from na64mu.events.layout import Layout
from na64mu.typing import AnyArray

__all__ = ("check_keys", "duplicates_across")


def check_keys(scan: FileScan, layout: Layout | None) -> None:
    """Find (run, event) that occur twice in a file.

    Parameters
    ----------
    scan : FileScan
        Has the numbers of all events; receives the sorted ones, each once, and the findings.
    layout : Layout or None
        Layout of a foreign tree.
    """
    if not scan.key_chunks:
        return
    keys = np.concatenate(scan.key_chunks)
    keys = keys[np.lexsort((keys["entry"], keys["event"], keys["run"]))]
    same = np.flatnonzero((keys["run"][1:] == keys["run"][:-1]) & (keys["event"][1:] == keys["event"][:-1])) + 1
    scan.keys = np.delete(keys, same)
    if len(same):
        again = same[np.argsort(keys["entry"][same], kind="stable")]
        key, earlier = keys[again[0]], keys[again[0] - 1]
        message = f"run {key['run']} event {key['event']} stands in entry {earlier['entry']} already"
        if layout is not None and layout.scalars["event"].constant is not None:
            message += "; the layout makes all of them one event: if the tree does not number its events, write event = { entry = true }"
        scan.found.add("duplicate", "event", message, keys["entry"][again])


def duplicates_across(files: list[AnyArray]) -> dict[int, dict[int, tuple[int, int, int, int]]]:
    """Find events that are in several files.

    Parameters
    ----------
    files : list of AnyArray
        Numbers of the events of each file, as `check_keys` leaves them.

    Returns
    -------
    dict
        File -> earlier file -> (first entry, number, run, event) of events that are in both.
    """
    if len(files) < 2:
        return {}
    keys, owner = np.concatenate(files), np.repeat(np.arange(len(files)), [len(k) for k in files])
    order = np.lexsort((owner, keys["event"], keys["run"]))
    keys, owner = keys[order], owner[order]
    same = np.flatnonzero((keys["run"][1:] == keys["run"][:-1]) & (keys["event"][1:] == keys["event"][:-1])) + 1
    found: dict[int, dict[int, tuple[int, int, int, int]]] = {}
    for mine, other in sorted({(int(a), int(b)) for a, b in zip(owner[same], owner[same - 1], strict=True)}):
        both = same[(owner[same] == mine) & (owner[same - 1] == other)]
        key = keys[both[np.argmin(keys["entry"][both])]]
        found.setdefault(mine, {})[other] = (int(key["entry"]), len(both), int(key["run"]), int(key["event"]))
    return found
