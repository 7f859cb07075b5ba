"""Raw batches and files for the tests of na64mu.events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from na64mu.detector import load_detector
from na64mu.events.batch import Jagged, RawBatch
from na64mu.events.channel_ranges import channel_limits
from na64mu.events.schema_v1 import ALL_COLLECTIONS, COLLECTIONS, RUNS, TRUTH, WAVEFORMS, waveform_of

SAMPLES = Path(__file__).parents[2].parent / "shared" / "samples"

RUN_ROW = {
    "run": 7,
    "config": 1,
    "n_spills": 2,
    "n_mot": 100_000,
    "n_generated": 100_000,
    "sum_weights": 100_000.0,
    "g_ref": 1e-4,
    "prescale_calibration": 1,
    "detector": "na64mu-2022",
    "conditions": "nominal",
    "seed": 11,
}


def make_batch(
    n: int, seed: int = 1, *, truth: bool = True, first_event: int = 0, mean_rows: float = 3.0, waveforms: bool = False
) -> RawBatch:
    """Random events whose every channel exists in na64mu-2022; calorimeters and counters as waveforms if asked for."""
    rng = np.random.default_rng(seed)
    limits = channel_limits(load_detector("na64mu-2022"))
    scalars: dict[str, Any] = {
        "run": np.full(n, 7, np.uint32),
        "spill": rng.integers(1, 3, n, dtype=np.uint32),
        "event": np.arange(first_event, first_event + n, dtype=np.uint64),
        "config": np.ones(n, np.uint8),
        "trigger": rng.choice(np.array([1, 3], np.uint32), n),
    }
    if truth:
        scalars |= {name: rng.integers(0, 4, n).astype(kind) for name, kind in TRUTH.items()}
    collections = {}
    for name in (waveform_of(n) or n for n in COLLECTIONS) if waveforms else COLLECTIONS:
        kinds = ALL_COLLECTIONS[name]
        offsets = np.concatenate([[0], np.cumsum(rng.poisson(mean_rows, n))]).astype(np.int64)
        rows = int(offsets[-1])
        elements = list(limits[name].sizes)
        picked = rng.integers(0, len(elements), rows)
        *lead, last = limits[name].fields
        fields = {field: np.array([e[i] for e in elements])[picked] for i, field in enumerate(lead)}
        fields[last] = (rng.random(rows) * np.array(list(limits[name].sizes.values()))[picked]).astype(int)
        for field in kinds:
            if field not in fields:
                fields[field] = np.abs(rng.normal(50, 20, rows)) if name in WAVEFORMS else rng.normal(50, 20, rows)
        made = Jagged(offsets, {field: fields[field].astype(kind) for field, kind in kinds.items()})
        if name in ("mm", "gem"):  # one row for each channel
            _, first = np.unique([made.event_index, *(made[f] for f in limits[name].fields)], axis=1, return_index=True)
            once = np.zeros(rows, np.bool_)
            once[first] = True
            made = made.with_rows(once)
        collections[name] = made
    return RawBatch(scalars, collections)


def assert_same(a: RawBatch, b: RawBatch) -> None:
    assert a.scalars.keys() == b.scalars.keys()
    assert a.collections.keys() == b.collections.keys()
    for name, column in a.scalars.items():
        assert column.dtype == b.scalars[name].dtype
        np.testing.assert_array_equal(column, b.scalars[name], err_msg=name)
    for name, collection in a.collections.items():
        np.testing.assert_array_equal(collection.offsets, b.collections[name].offsets, err_msg=name)
        for field, column in collection.fields.items():
            assert column.dtype == b.collections[name][field].dtype
            np.testing.assert_array_equal(column, b.collections[name][field], err_msg=f"{name}_{field}")


def columns_of(batch: RawBatch) -> dict[str, Any]:
    """Branch -> array, as flat names."""
    columns: dict[str, Any] = dict(batch.scalars)
    for name, collection in batch.collections.items():
        columns[f"n{name}"] = collection.counts.astype(np.int32)
        for field, column in collection.fields.items():
            columns[f"{name}_{field}"] = ak.Array(
                ak.contents.ListOffsetArray(ak.index.Index64(collection.offsets), ak.contents.NumpyArray(column))
            )
    return columns


def write_columns(path: Path, columns: dict[str, Any], runs: list[dict[str, Any]] | None, tree: str = "events") -> Path:
    """Write branches as they are, right or wrong, with uproot alone; each list branch gets a counter of its own."""
    with uproot.recreate(path) as file:
        types = {name: column.type.content if isinstance(column, ak.Array) else _dtype(column) for name, column in columns.items()}
        file.mktree(tree, types, counter_name=lambda name: f"length_{name}")
        file[tree].extend(columns)
        if runs is not None:
            rows: dict[str, Any] = {}
            for name in runs[0]:
                kind = RUNS.get(name, str)
                values = [row[name] for row in runs]
                rows[name] = ak.Array(values) if isinstance(kind, type) else np.array(values, kind)
            string = ak.Array(["a"]).type.content
            file.mktree("runs", {k: string if isinstance(v, ak.Array) else v.dtype for k, v in rows.items()})
            file["runs"].extend(rows)
    return path


def _dtype(column: Any) -> Any:
    return np.dtype((column.dtype, column.shape[1:])) if column.ndim > 1 else column.dtype


def damage(path: Path, branch: str) -> None:
    """Overwrite the start of the packed data of the first basket of a branch."""
    with uproot.open(path) as file:
        begin = file["events"][branch].member("fBasketSeek")[0]
    content = bytearray(path.read_bytes())
    begin = content.index(b"ZS\x01", begin) + 9
    content[begin : begin + 12] = b"\xff" * 12
    path.write_bytes(content)
