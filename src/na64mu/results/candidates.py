"""Candidates: the raw events of an opened signal box, kept in the output folder so that each can be shown there without the raw trees."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from na64mu.errors import InputError
from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.schema_v1 import fields_of, scalar_kinds

__all__ = ("CANDIDATES", "MOST", "Candidate", "candidate_of", "candidates_text", "read_candidates")

#: File of an output folder.
CANDIDATES = "candidates.json"
#: Events that are kept; more of them are a sample, and are listed in events_in_box.csv.
MOST = 100


class Candidate(NamedTuple):
    """A raw event of the box.

    Attributes
    ----------
    dataset, file : str
        Dataset and raw tree that it is from.
    detector : str
        Tag of its description.
    scalars : dict of str to int or float
        Its numbers, trigger and configuration.
    collections : dict of str to dict of str to list
        Digits: collection -> field -> values.
    """

    dataset: str
    file: str
    detector: str
    scalars: dict[str, Any]
    collections: dict[str, dict[str, list[Any]]]

    @property
    def name(self) -> str:
        """Run and number."""
        return f"run {self.scalars['run']}, event {self.scalars['event']}"

    def batch(self) -> RawBatch:
        """The event as a batch of one."""
        kinds = scalar_kinds()
        scalars = {name: np.array([value], kinds[name]) for name, value in self.scalars.items()}
        collections = {}
        for name, fields in self.collections.items():
            types = fields_of(name, [f"{name}_{field}" for field in fields])
            n = len(next(iter(fields.values())))
            collections[name] = Jagged(np.array([0, n], np.int64), {field: np.array(fields[field], types[field]) for field in fields})
        return RawBatch(scalars, collections)


def candidate_of(batch: RawBatch, dataset: str, file: str, detector: str) -> Candidate:
    """Return an event of data as a candidate.

    Parameters
    ----------
    batch : RawBatch
        One event.
    dataset, file, detector : str
        Dataset, raw tree, and tag of the description.

    Returns
    -------
    Candidate
    """
    scalars = {name: column[0].item() for name, column in batch.scalars.items()}
    collections = {name: {field: column.tolist() for field, column in one.fields.items()} for name, one in batch.collections.items()}
    return Candidate(dataset, file, detector, scalars, collections)


def candidates_text(candidates: Iterable[Candidate]) -> str:
    """Return the content of candidates.json: one event a line."""
    lines = ",\n".join(f"  {json.dumps(one._asdict())}" for one in candidates)
    return f'{{\n "format_version": 1,\n "candidates": [\n{lines}\n ]\n}}\n'


def read_candidates(folder: Path) -> tuple[Candidate, ...]:
    """Read the candidates of an opened result.

    Parameters
    ----------
    folder : Path
        Output folder.

    Returns
    -------
    tuple of Candidate
        Empty where the box is shut, or was opened by an earlier version.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    place = folder / CANDIDATES
    if not place.is_file():
        return ()
    try:
        return tuple(Candidate(**one) for one in json.loads(place.read_text(encoding="utf-8"))["candidates"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        msg = f"{place}: cannot be read ({error!r}): open the box again with `na64mu unblind`"
        raise InputError(msg) from error
