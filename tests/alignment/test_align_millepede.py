from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from alignment_examples import toy_sample, true_detector

from na64mu.alignment.align import align_spectrometer, chunks
from na64mu.alignment.closure import displaced
from na64mu.alignment.millepede import label, write_millepede
from na64mu.alignment.solver import NormalEquations

Measurement = tuple[float, dict[int, float], float, dict[int, float]]  # value, local, sigma, global


def read_mille(path: Path) -> list[list[Measurement]]:
    """Own reader of the format: int32 length, then as many float32 and int32."""
    data, at, records = path.read_bytes(), 0, []
    while at < len(data):
        (n,) = np.frombuffer(data, np.int32, 1, at)
        floats = np.frombuffer(data, np.float32, n // 2, at + 4)
        integers = np.frombuffer(data, np.int32, n // 2, at + 4 + 2 * n)
        at += 4 + 4 * n
        assert floats[0] == 0.0
        assert integers[0] == 0
        zeros = [*np.flatnonzero(integers[1:] == 0) + 1, len(integers)]
        record = []
        for value, sigma, end in zip(zeros[:-1:2], zeros[1:-1:2], zeros[2::2], strict=True):
            local = dict(zip(integers[value + 1 : sigma].tolist(), floats[value + 1 : sigma].tolist(), strict=True))
            globe = dict(zip(integers[sigma + 1 : end].tolist(), floats[sigma + 1 : end].tolist(), strict=True))
            record.append((float(floats[value]), local, float(floats[sigma]), globe))
        records.append(record)
    return records


def test_labels_are_unique_and_positive() -> None:
    labels = [label(true_detector(), m, c) for m in true_detector().trackers for c in ("dx", "dy", "drotation")]
    assert len(set(labels)) == len(labels)
    assert min(labels) > 0


@pytest.mark.parametrize("field", [True, False])
def test_the_file_holds_the_same_normal_equations(tmp_path: Path, field: bool) -> None:
    wrong = displaced(true_detector(), np.random.default_rng(41), 0.2, 1e-3)
    sample = toy_sample(2, 700, 41, wrong, field=field, efficiency=0.98)
    aligned = align_spectrometer([sample])
    binary, steering = write_millepede(tmp_path / "ms2.mille", [aligned], [[sample]])
    records = read_mille(binary)
    parameters = aligned.parameters
    names = [label(wrong, parameters.modules[i], c) for i, c in parameters.free]
    matrix, right = np.zeros((len(names), len(names))), np.zeros(len(names))
    for record in records:
        r = np.array([m[0] / m[2] for m in record])
        local = np.array([[m[1][k] / m[2] for k in sorted(record[0][1])] for m in record])
        globe = np.array([[m[3].get(n, 0.0) / m[2] for n in names] for m in record])
        basis, _ = np.linalg.qr(local / np.abs(local).max(axis=0))
        take_out = np.eye(len(r)) - basis @ basis.T
        matrix += globe.T @ take_out @ globe
        right += globe.T @ take_out @ r
    expected = NormalEquations.empty(len(parameters), len(sample.planes(wrong).planes))
    for _, part in chunks(aligned.tracks[0], sample, wrong):
        expected.add(part, parameters.columns(sample.planes(wrong)))
    assert len(records) == expected.n_tracks
    size = np.sqrt(np.outer(np.diag(expected.matrix), np.diag(expected.matrix)))
    assert np.abs((matrix - expected.matrix) / size).max() < 1e-4
    assert (
        np.abs((right - expected.right) / np.sqrt(np.diag(expected.matrix))).max()
        < 1e-2 * np.abs(expected.right / np.sqrt(np.diag(expected.matrix))).max()
    )
    text = steering.read_text(encoding="utf-8")
    assert "ms2.mille" in text
    assert f"{names[0]:6d}  0.0  1  ! {parameters.names[0]}" in text
