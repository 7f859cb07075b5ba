"""How fuzz.py damages files: bytes of any file, values of TOML and JSON, kept chunks, and columns of raw trees and summaries."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

#: What a value of a TOML file is replaced by.
TOML_VALUES = ("nan", "inf", "-inf", "1e300", "-1", "0", "-0.0", "9223372036854775807", '""', '"x"', "[]", "{}", "true", "[[[]]]")
TOML_VALUES += ('["a", 1]', "{ a = 1 }", "1979-05-27", '"/etc/passwd"', '"\\u0000"', "[1e400]", "0.0000000001", "[0, 0]", "[-1.0, nan]")
#: What a line of a TOML file is replaced by.
TOML_LINES = ("[a.b]", "[[cuts]]", "x." * 400 + "y = 1", "a = " + "[" * 900, "base = 'selection.toml'", "\x00")
#: What a value of a JSON file is replaced by.
JSON_VALUES: tuple[Any, ...] = (
    None,
    -1,
    0,
    1e300,
    2**64,
    10**400,
    "",
    "x",
    "\0",
    [],
    {},
    True,
    [[]],
    {"a": 1},
    float("nan"),
    float("inf"),
    -1.5,
)
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")


def bytes_changed(rng: random.Random, content: bytes) -> bytes:
    """The content with one to four things done to it."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(max(len(data), 1))
        n = min(rng.choice((1, 1, 2, 8, 64)), max(len(data) - at, 0))
        what = rng.randrange(7)
        if what == 0 and n:
            data[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            data[at : at + n] = rng.randbytes(n)
        elif what == 2:
            data[at : at + n] = rng.choice((b"\0", b"\xff", b"9", b"-", b"[")) * n
        elif what == 3:
            del data[at : at + n]
        elif what == 4:
            data[at:at] = data[at : at + n] * rng.choice((1, 5))
        elif what == 5 and rng.random() < 0.5:
            del data[at:]
        elif what == 6:
            other = rng.randrange(max(len(data), 1))
            data[at : at + n] = data[other : other + n]
    return bytes(data)


def toml_changed(rng: random.Random, content: bytes) -> bytes:
    """The text with some values replaced, by values of the same file too, or lines removed, repeated or replaced."""
    lines = content.decode("utf-8", "replace").splitlines()
    keys = [i for i, line in enumerate(lines) if re.match(r"\s*[\w.\"-]+\s*=", line)] or [0]
    for _ in range(rng.choice((1, 1, 2, 3))):
        i = min(rng.choice(keys), len(lines) - 1)
        key, _, value = lines[i].partition("=")
        what = rng.randrange(10)
        if what < 3:
            lines[i] = f"{key}= {rng.choice(TOML_VALUES)}"
        elif what == 3:
            lines[i] = f"{key}={lines[min(rng.choice(keys), len(lines) - 1)].partition('=')[2]}"
        elif what < 7:
            lines[i] = f"{key}={_other_number(rng, value)}"
        elif what == 7:
            del lines[i]
        elif what == 8:
            lines.insert(i, rng.choice(lines))
        else:
            lines[i] = rng.choice(TOML_LINES)
        if not lines:
            break
    return "\n".join(lines).encode()


def _other_number(rng: random.Random, text: str) -> str:
    """A value with one of its numbers changed."""
    found = list(NUMBER.finditer(text))
    if not found:
        return text
    number = rng.choice(found)
    changed = rng.choice((f"-{number[0]}", "0", f"{number[0]}0", f"{number[0]}0000000", "1e-30", "1e30", "nan", "inf", "3", "1"))
    return text[: number.start()] + changed.replace("--", "") + text[number.end() :]


def _values(node: Any) -> Iterator[Any]:
    for one in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield one
        yield from _values(one)


def json_changed(rng: random.Random, content: bytes) -> bytes:
    """The document with some values replaced, by values of the same document too, or removed."""
    document = json.loads(content)
    for _ in range(rng.choice((1, 1, 2))):
        at, parents = document, []
        while isinstance(at, dict | list) and at and (not parents or rng.random() < 0.85):
            key = rng.choice(list(at)) if isinstance(at, dict) else rng.randrange(len(at))
            parents.append((at, key))
            at = at[key]
        if not parents:
            return json.dumps(rng.choice(JSON_VALUES)).encode()
        parent, key = parents[-1]
        what = rng.random()
        if what < 0.15:
            del parent[key]
        elif what < 0.3:
            parent[key] = json.loads(json.dumps(rng.choice(list(_values(document)))))
        elif isinstance(parent[key], int | float) and what < 0.6:
            parent[key] = parent[key] * rng.choice((2, -1, 10)) + rng.choice((0, 1))
        else:
            parent[key] = copy.deepcopy(rng.choice(JSON_VALUES))
    return json.dumps(document).encode()


def checkpoint_changed(rng: random.Random, content: bytes) -> bytes:
    """The kept chunks with some values replaced, and their seal made again."""
    from na64mu.execution.checkpoint import END_OF_SEAL

    head, _, body = content.partition(END_OF_SEAL)
    body = json_changed(rng, b"{" + body)[1:]
    seal = json.loads(head + b"}") | {"sha256": hashlib.sha256(body).hexdigest()}
    return json.dumps(seal).encode()[:-1] + END_OF_SEAL + body


def freeze_changed(rng: random.Random, content: bytes) -> bytes:
    """A freeze with some values replaced, half of them with a hash that fits again."""
    from na64mu.results.freeze import Freeze

    changed = json_changed(rng, content)
    with contextlib.suppress(Exception):  # what is no freeze any more is as good
        freeze = Freeze.model_validate_json(changed)
        if rng.random() < 0.5:
            changed = freeze.model_copy(update={"hash": freeze.computed_hash}).model_dump_json().encode()
    return changed


def _spoiled(rng: random.Random, values: Any) -> Any:
    """A column with one, some or all numbers at an end of their type."""
    values = np.array(values)
    if len(values):
        some = rng.sample(range(len(values)), rng.choice((1, min(3, len(values)), len(values))))
        floats = (np.nan, np.inf, -np.inf, 1e38, -1e38)
        whole = values.dtype.kind in "iu"
        ends = (
            (np.iinfo(values.dtype).min, np.iinfo(values.dtype).max, 0) if whole else floats if values.dtype.kind == "f" else (False, True)
        )
        values[some] = rng.choice(ends)
    return values


def raw_tree_changed(rng: random.Random, content: bytes, path: Path) -> None:
    """Write a raw tree with columns and bookkeeping that hold what they must not."""
    from na64mu.events.reader import read_batch, read_runs
    from na64mu.events.writer import RawTreeWriter

    path.write_bytes(content)
    batch, rows = read_batch(path), read_runs(path)
    for _ in range(rng.choice((1, 1, 2, 3))):
        name = rng.choice(["", *batch.collections])
        columns = batch.collections[name].fields if name else batch.scalars
        column = rng.choice(list(columns))
        columns[column] = _spoiled(rng, columns[column])
    if rng.random() < 0.2:
        name = rng.choice(list(batch.collections))
        batch.collections[name] = batch.collections[name].with_rows(np.zeros(int(batch.collections[name].offsets[-1]), np.bool_))
    if rng.random() < 0.2:
        rows[0] |= {"n_mot": rng.choice((0, 1, 10**15)), "sum_weights": rng.choice((0.0, 1e-300, 1e300))}
    with RawTreeWriter(path) as writer:
        writer.extend(batch)
        writer.finish(rows)


def summary_changed(rng: random.Random, content: bytes, path: Path) -> None:
    """Write event summaries (Parquet) with columns that hold what they must not, lack, or have another type."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(content))
    for _ in range(rng.choice((1, 1, 2, 3))):
        i = rng.randrange(table.num_columns)
        name, values = table.column_names[i], table.column(i).to_numpy()
        what = rng.randrange(10)
        if what == 0:
            table = table.remove_column(i)
        elif what == 1:
            table = table.append_column(name, table.column(i))
        elif what == 2:
            other = rng.choice((pa.string(), pa.float64(), pa.int64()))
            table = table.set_column(i, name, pa.array(values.astype(object), pa.float64()).cast(other, safe=False))
        elif what == 3:
            table = table.set_column(i, name, pa.nulls(len(values), table.column(i).type))
        else:
            table = table.set_column(i, name, pa.array(_spoiled(rng, values)))
    if rng.random() < 0.1:
        table = table.slice(0, rng.choice((0, 1, table.num_rows // 2)))
    pq.write_table(table, path)
