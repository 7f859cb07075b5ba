from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from na64mu.errors import InputError
from na64mu.results.exposure import RunExposure
from na64mu.results.recorded import must_be, must_have_datasets
from na64mu.results.value_files import read_value, write_value

RUN = {
    "dataset": "beam",
    "run": 1,
    "config": 1,
    "n_mot": 10,
    "n_mot_read": 10,
    "n_generated": 0,
    "sum_weights": 0.0,
    "sum_weights_read": 0.0,
}
RUN |= {"g_ref": 0.0, "events_read": 5, "events_lost": 0}


def test_values_of_the_right_types_come_back_as_they_are():
    assert must_be(RunExposure, RUN, "runs") is RUN
    assert must_be(dict[str, bool], {"beam": True}, "blinded") == {"beam": True}
    assert np.isnan(must_be(dict[str, float], {"beam": float("nan")}, "w")["beam"])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("n_mot_read", "x", "runs.n_mot_read: input should be a valid number, found 'x'"),
        ("n_mot", True, "runs.n_mot: input should be a valid integer, found 'True'"),
        ("events_read", 1.5, r"runs.events_read: input should be a valid integer"),
        ("dataset", None, "runs.dataset: input should be a valid string, found 'None'"),
    ],
)
def test_a_value_of_another_type_is_named(key, value, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        must_be(RunExposure, RUN | {key: value}, "runs")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"regions": {"a": 1}}, "regions lacks the dataset 'b', the cut-flow has it"),
        ({"regions": {"a": 1, "b": 1, "c": 1}}, "regions has the dataset 'c', the cut-flow lacks it"),
    ],
)
def test_all_parts_have_the_same_datasets(parts, message):
    must_have_datasets(["a", "b"], {"regions": {"a": 1, "b": 2}})
    with pytest.raises(ValueError, match=message):
        must_have_datasets(["a", "b"], parts)


def test_a_result_has_a_dataset():
    with pytest.raises(ValueError, match="the cut-flow has no dataset"):
        must_have_datasets([], {})


def _spoil_crc(path: Path) -> None:
    with zipfile.ZipFile(path) as file:
        crc = file.infolist()[0].CRC.to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(crc, bytes(byte ^ 0xFF for byte in crc)))


def _other_storage(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    next(iter(content.values()))["storage"] = []
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(("name", "spoil"), [("arrays.npz", _spoil_crc), ("histograms.json", _other_storage)])
def test_a_damaged_file_of_a_value_is_named(tmp_path, name, spoil):
    import hist

    write_value({"a": np.arange(5.0), "h": hist.Hist(hist.axis.Regular(3, 0, 1, name="x"))}, tmp_path)
    read_value(tmp_path)
    spoil(tmp_path / name)
    with pytest.raises(InputError, match="what the processor returned cannot be read"):
        read_value(tmp_path)
