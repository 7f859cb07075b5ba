"""Which events of the box may be looked at: those that an opened folder lists, for the files that it was made of."""

from __future__ import annotations

from pathlib import Path

from na64mu.errors import BlindedError
from na64mu.results.manifest import differences
from na64mu.results.opening_line import DONE
from na64mu.results.openings import NAME, read_lines
from na64mu.results.provenance import file_hash
from na64mu.results.run import RunResult

__all__ = ("opened_events",)


def opened_events(folder: str | Path, file: str | Path) -> set[tuple[int, int]]:
    """Events of a file that lie in a box that was opened.

    Parameters
    ----------
    folder : str or Path
        Folder that `na64mu unblind` wrote.
    file : str or Path
        Raw tree.

    Returns
    -------
    set of (int, int)
        Run and event number.

    Raises
    ------
    BlindedError
        If the folder is not the result of a recorded opening, was edited, or was made of other files.
    """
    place, closed = Path(folder), "the box stays closed: "
    result = RunResult.read(place)
    opening = result.provenance.opening
    lines = read_lines(place / NAME)
    if not any(line.event == DONE and line.opening == opening.get("line") for line in lines):
        msg = f"{closed}{place} is not the result of an opening that {place / NAME} has; the folder that `na64mu unblind` wrote is wanted"
        raise BlindedError(msg)
    edited = [name for name in differences(place) if name.endswith(".json")]
    if edited:
        msg = f"{closed}{place} is not what `na64mu unblind` wrote: {', '.join(edited)}"
        raise BlindedError(msg)
    digest = file_hash(file)
    datasets = {one.dataset for one in result.provenance.inputs if one.sha256 and one.sha256 == digest}
    if not datasets:
        msg = f"{closed}{file} is none of the files that {place} was made of"
        raise BlindedError(msg)
    return {(event.run, event.event) for name in datasets for event in result.in_box.get(name, ())}
