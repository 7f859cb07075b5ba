from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from na64mu.compiled.kernel import kernel
from na64mu.simulation import stream as module
from na64mu.simulation.stream import Stream, ziggurat

N = 200_000


@kernel
def _fill(kind, parameter, out, rng):
    for i in range(len(out)):
        if kind == 0:
            out[i] = rng.random()
        elif kind == 1:
            out[i] = rng.standard_normal()
        elif kind == 2:
            out[i] = rng.standard_exponential()
        elif kind == 3:
            out[i] = rng.standard_gamma(parameter)
        else:
            out[i] = rng.poisson(parameter)


@kernel
def _first_of_each(key, out, rng):
    for i in range(len(out)):
        rng.restart(key, np.uint64(i))
        out[i, 0], out[i, 1] = rng.random(), rng.standard_normal()


def drawn(kind: int, parameter: float = 0.0, key: int = 1, n: int = N) -> np.ndarray:
    out = np.empty(n)
    _fill(kind, parameter, out, Stream(key))
    return out


def test_generator_gives_the_published_numbers() -> None:
    # xoshiro256++ from the state (1, 2, 3, 4): test vector of the reference implementation (https://prng.di.unimi.it)
    state = np.array([1, 2, 3, 4], dtype=np.uint64)
    assert [int(module._next(state)) for _ in range(4)] == [41943041, 58720359, 3588806011781223, 3591011842654386]


@pytest.mark.parametrize(
    ("kind", "parameter", "law"),
    [
        (0, 0.0, stats.uniform()),
        (1, 0.0, stats.norm()),
        (2, 0.0, stats.expon()),
        (3, 0.3, stats.gamma(0.3)),
        (3, 1.0, stats.gamma(1.0)),
        (3, 40.0, stats.gamma(40.0)),
    ],
)
def test_distributions(kind: int, parameter: float, law: stats.rv_continuous) -> None:
    out = drawn(kind, parameter)
    assert stats.kstest(out, law.cdf).pvalue > 1e-3
    assert out.mean() == pytest.approx(law.mean(), abs=4.5 * law.std() / np.sqrt(N))
    assert out.var() == pytest.approx(law.var(), rel=0.03)


@pytest.mark.parametrize("mean", [0.03, 0.9, 12.0, 57.0])
def test_poisson(mean: float) -> None:
    out = drawn(4, mean)
    counts = np.bincount(out.astype(int))
    expected = N * stats.poisson(mean).pmf(np.arange(len(counts)))
    enough = expected > 10.0
    chi2 = np.sum((counts[enough] - expected[enough]) ** 2 / expected[enough])
    assert stats.chi2(np.count_nonzero(enough)).sf(chi2) > 1e-3
    assert Stream(1).poisson(0.0) == 0


def test_tail_of_the_normal_distribution() -> None:
    out = drawn(1, n=2_000_000)
    for limit in (3.0, module.TAIL, 4.5):
        expected = 2.0 * stats.norm().sf(limit) * len(out)
        assert np.count_nonzero(np.abs(out) > limit) == pytest.approx(expected, abs=4.5 * np.sqrt(expected))
    assert abs(np.mean(out**3)) < 4.5 * np.sqrt(15.0 / len(out))
    assert np.mean(out**4) == pytest.approx(3.0, abs=4.5 * np.sqrt(96.0 / len(out)))


def test_ziggurat_closes() -> None:
    edges, heights = ziggurat()
    areas = edges[1:-1] * np.diff(heights[1:])
    np.testing.assert_allclose(areas, areas[0], rtol=1e-9)
    assert edges[0] * heights[1] == pytest.approx(areas[0])


def test_streams_of_neighbouring_events_are_independent() -> None:
    first = np.empty((N, 2))
    _first_of_each(np.uint64(7), first, Stream(0))
    other = np.empty((N, 2))
    _first_of_each(np.uint64(8), other, Stream(0))
    for sample in (first, other):
        assert stats.kstest(sample[:, 0], stats.uniform().cdf).pvalue > 1e-3
        assert stats.kstest(sample[:, 1], stats.norm().cdf).pvalue > 1e-3
        for lag in (1, 2, 3, 64):  # between events, within a batch
            assert abs(np.corrcoef(sample[:-lag, 0], sample[lag:, 0])[0, 1]) < 4.5 / np.sqrt(N)
    # between batches, and between the two numbers of an event
    assert abs(np.corrcoef(first[:, 0], other[:, 0])[0, 1]) < 4.5 / np.sqrt(N)
    assert abs(np.corrcoef(first[:, 0], first[:, 1] ** 2)[0, 1]) < 4.5 / np.sqrt(N)
    pairs = np.histogram2d(first[:-1, 0], first[1:, 0], bins=16, range=((0, 1), (0, 1)))[0]
    chi2 = np.sum((pairs - N / 256.0) ** 2 / (N / 256.0))
    assert stats.chi2(255).sf(chi2) > 1e-3


def test_restart_gives_the_same_numbers() -> None:
    rng = Stream(5, 3)
    once = [rng.random(), rng.standard_normal(), rng.standard_exponential(), rng.standard_gamma(2.0), rng.poisson(3.0)]
    rng.restart(5, 3)
    assert once == [rng.random(), rng.standard_normal(), rng.standard_exponential(), rng.standard_gamma(2.0), rng.poisson(3.0)]
    rng.restart(5, 4)
    assert rng.random() != once[0]
    assert repr(rng).startswith("Stream(state=['0x")
