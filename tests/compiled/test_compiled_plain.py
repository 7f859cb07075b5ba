"""Kernels as plain Python give what compiled kernels give."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from na64mu.compiled.intrinsics import _trailing_zeros_in_python
from na64mu.compiled.plain import plain
from na64mu.compiled.reference import _by_reference_in_python

#: What both ways compute: draws of every kind, a simulated file, and the columns of its events and of some of the sample.
CODE = """
import sys
import numpy as np
import na64mu
from na64mu.data import sample_files
from na64mu.events.reader import read_batch
from na64mu.simulation.stream import Stream

def computed(folder):
    stream = Stream(7, 11)
    draws = [[stream.random(), stream.standard_normal(), stream.standard_exponential(), stream.standard_gamma(0.3), stream.poisson(30.0)]
             for _ in range(50)]
    detector = na64mu.load_detector("na64mu-2022")
    made = folder + "/made.root"
    na64mu.produce(made, detector, "nuclear", n_events=3, config=1, seed=5, prescale_calibration=1)
    found = {"draws": np.array(draws)}
    for path in (made, *map(str, sample_files())):
        summary = na64mu.reconstruct(read_batch(path, 0, 3), detector)
        found |= {f"{path.rpartition('/')[2]}:{name}": np.asarray(summary[name]) for name in summary}
    return found
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Results of compiled kernels, and of a process without compiler."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "computing.py").write_text(CODE)
    run = f"{CODE}\nnp.savez(sys.argv[1] + '/plain.npz', **computed(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", run, str(folder)],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        import computing  # type: ignore[import-not-found]

        (folder / "compiled").mkdir()
        compiled = computing.computed(str(folder / "compiled"))
    return compiled, dict(np.load(folder / "plain.npz"))


def _of_the_fit(name: str) -> bool:
    """Columns that hold sums of the track fit, where the compiler joins multiplications and additions."""
    return name.rpartition(":")[2].startswith(("p_in", "p_out", "chi2_", "x_", "y_", "tx_", "ty_"))


def test_random_numbers_counts_and_energies_are_the_same_bits(both):
    compiled, uncompiled = both
    assert compiled.keys() == uncompiled.keys()
    exact = [name for name in compiled if not _of_the_fit(name)]
    assert {"draws", "made.root:e_ecal", "physics_1.root:e_hcal1"} <= set(exact)
    for name in exact:
        np.testing.assert_array_equal(uncompiled[name], compiled[name], err_msg=name)


def test_tracks_are_the_same_but_for_rounding(both):
    compiled, uncompiled = both
    fitted = [name for name in compiled if _of_the_fit(name)]
    assert any(np.isfinite(compiled[name]).any() for name in fitted)
    for name in fitted:
        np.testing.assert_allclose(uncompiled[name], compiled[name], rtol=1e-9, atol=1e-9, err_msg=name)


def test_instructions_in_python():
    assert [_trailing_zeros_in_python(np.uint64(word)) for word in (1, 0b101000, 2**63, 0)] == [0, 3, 63, 64]
    pair = (1, 2)
    assert _by_reference_in_python(pair) is pair


def test_a_plain_kernel_is_as_silent_as_a_compiled_one():
    @plain
    def run_over(x, y):
        return x * y

    assert run_over(np.uint64(2**63), np.uint64(3)) == np.uint64(2**63)
    assert run_over(np.uint64(2), y=np.uint64(4)) == 8
    assert run_over.py_func(np.uint64(2), np.uint64(3)) == 6
