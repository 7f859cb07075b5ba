"""What was written of a result, read back: every value has the type that it had, and all parts speak of the same datasets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from na64mu.common.toml_model import key_of

__all__ = ("must_be", "must_have_datasets")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def must_be(kind: Any, content: Any, where: str) -> Any:
    """Return plain values of a JSON file as they are, if they have the types that are wanted.

    Parameters
    ----------
    kind : type
        A dataclass, or a type such as ``dict[str, bool]``.
    content : object
        What the file holds in the place of it.
    where : str
        Its key in the file, for the message.

    Returns
    -------
    object
        `content`.

    Raises
    ------
    ValueError
        With the place, what was expected, and what was found.
    """
    try:
        _adapter(kind).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = key_of((where, *first["loc"]))
        msg = f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}, found {str(first['input'])[:60]!r}"
        raise ValueError(msg) from error
    return content


def must_have_datasets(datasets: Iterable[str], parts: Mapping[str, Mapping[str, Any]]) -> None:
    """Compare the datasets of the parts of a result with those of its cut-flows.

    Parameters
    ----------
    datasets : iterable of str
        What the cut-flows have.
    parts : mapping of str to mapping
        Name of a part -> dataset -> what it has of it.

    Raises
    ------
    ValueError
        Naming the part and the dataset.
    """
    known = set(datasets)
    if not known:
        msg = "the cut-flow has no dataset"
        raise ValueError(msg)
    for name, part in parts.items():
        for dataset in sorted(known ^ set(part)):
            msg = f"{name} {'lacks' if dataset in known else 'has'} the dataset {dataset!r}, the cut-flow {'has' if dataset in known else 'lacks'} it"
            raise ValueError(msg)
