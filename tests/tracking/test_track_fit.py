"""The fit against plain 5 x 5 matrices, its limits, and the compiled kernels themselves."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na64mu.tracking import kalman
from na64mu.tracking.compiled_fit import kernel
from na64mu.tracking.fit import fit_measurements
from na64mu.tracking.fitted import FittedTracks, unpacked_covariance
from na64mu.tracking.navigation import Cross, Drift, Lose, Measure, Scatter, Step, route
from na64mu.tracking.rows import block_rows
from na64mu.tracking.spectrometer import Plane, Spectrometer, spectrometer
from na64mu.tracking.step_kinds import kinds_and_numbers
from na64mu.tracking.transport import crossed
from na64mu.typing import FloatArray

PRIOR = np.array([5.0, 5.0, 0.01, 0.01, 0.02])
#: A kernel is compiled in these tests in some seconds: one plane in each view and one box.
TINY = "Route(2, (Measure(0, (1.0, 0.0)), Cross(500.0, 0, 1e-4), Scatter(1e-6, 500.0), Measure(1, (0.0, 1.0))))"
IMPORTS = (
    "from na64mu.tracking.compiled_fit import kernel\nfrom na64mu.tracking.navigation import Cross, Drift, Lose, Measure, Route, Scatter\n"
)


def plane(z: float, view: int, rotation: float = 0.0) -> Plane:
    return Plane(f"p{z}", view, z, 0.1, 0.01, 0, 100.0, rotation, 0.0, 0.05)


@pytest.fixture(scope="module")
def ms() -> Spectrometer:
    """Bends in x and in y, turned planes, air, energy loss: everything a route can hold."""
    planes = (
        plane(0.0, 0), plane(0.0, 1), plane(400.0, 0, 0.3), plane(600.0, 1), plane(2000.0, 0), plane(2400.0, 1, -0.5), plane(2800.0, 0), plane(2800.0, 1),
    )  # fmt: skip
    return Spectrometer("small", 0, planes, np.array([[700.0, 1200.0, 0.0, 1.2], [1300.0, 1800.0, -0.8, 0.0]]), 1000.0, 3e4, 0.2)


def random_tracks(ms: Spectrometer, n: int, seed: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Seeds, hits near their straight continuation bent by the seed's momentum, weights with missing hits."""
    rng = np.random.default_rng(seed)
    start = rng.normal(size=(n, 5)) * np.array([10.0, 10.0, 5e-3, 5e-3, 0.0])
    start[:, 4] = rng.choice((-1.0, 1.0), n) / rng.uniform(5.0, 160.0, n)
    u = np.empty((n, len(ms.planes)))
    for t in range(n):
        state = start[t]
        for step in route(ms).steps:
            if isinstance(step, Measure):
                u[t, step.plane] = np.dot(step.direction, state[:2]) + rng.normal(0.0, 0.1)
            state = moved(step, state, start[t, 4])[0]
    weight = np.full(u.shape, 100.0)
    weight[np.arange(0, n, 2), rng.integers(0, u.shape[1], len(weight[::2]))] = 0.0  # every second track misses one hit,
    weight[np.arange(0, n, 4), rng.integers(0, u.shape[1], len(weight[::4]))] = 0.0  # every fourth up to two
    seed_parameters = start + rng.normal(size=start.shape) * np.array([0.3, 0.3, 1e-3, 1e-3, 0.0])
    seed_parameters[:, 4] *= rng.normal(1.0, 0.05, n)
    return seed_parameters, u, weight


def moved(step: Step, x: FloatArray, k_seed: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """State, derivatives and noise of one step of a route, with matrices."""
    F, Q = np.eye(5), np.zeros((5, 5))
    if isinstance(step, Drift):
        F[0, 2] = F[1, 3] = step.length
        return F @ x, F, Q
    if isinstance(step, Cross):
        field = step.bend / (0.299792458e-3 * step.length)
        out, F = crossed(x, step.length, (field, 0.0) if step.view == 1 else (0.0, -field))
        return out, F, Q
    if isinstance(step, Scatter):
        variance, length = step.angle2 * k_seed**2, step.length
        block = variance * np.array([[length**2 / 3.0, length / 2.0], [length / 2.0, 1.0]])
        for view in (0, 1):
            Q[np.ix_([view, 2 + view], [view, 2 + view])] = block
        return x, F, Q
    if isinstance(step, Lose):
        p = 1.0 / abs(x[4])
        out = x.copy()
        out[4] = np.sign(x[4]) / (p - step.loss)
        F[4, 4] = (p / (p - step.loss)) ** 2
        return out, F, Q
    return x, F, Q


def matrix_smoother(ms: Spectrometer, seed: FloatArray, u: FloatArray, weight: FloatArray) -> dict[str, FloatArray]:
    """Kalman filter and Rauch-Tung-Striebel smoother of one track, as in the books."""
    x, C, chi2 = seed.copy(), np.diag(PRIOR**2), 0.0
    history = []
    for step in route(ms).steps:
        if isinstance(step, Measure):
            history.append((step, x, C, None, None, None))
            w = weight[step.plane]
            if w > 0.0:
                H = np.array([*step.direction, 0.0, 0.0, 0.0])
                residual, S = u[step.plane] - H @ x, 1.0 / w + H @ C @ H
                chi2 += residual**2 / S
                K = C @ H / S
                x, C = x + K * residual, C - np.outer(K, H @ C)
        else:
            ahead, F, Q = moved(step, x, seed[4])
            history.append((step, x, C, F, ahead, F @ C @ F.T + Q))
            x, C = ahead, F @ C @ F.T + Q
    out = {"downstream": x, "downstream_covariance": C, "chi2": np.array(chi2)}
    states, covariances = np.empty((len(ms.planes), 5)), np.empty((len(ms.planes), 5, 5))
    for step, before, before_C, F, ahead, ahead_C in reversed(history):
        if isinstance(step, Measure):
            states[step.plane], covariances[step.plane] = x, C
        else:
            A = before_C @ F.T @ np.linalg.inv(ahead_C)
            x, C = before + A @ (x - ahead), before_C + A @ (C - ahead_C) @ A.T
    return out | {"states": states, "covariances": covariances}


def in_sigma(a: FloatArray, b: FloatArray, covariance: FloatArray) -> float:
    return float(np.abs((a - b) / np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))).max())


def parts(track: tuple[float, ...]) -> tuple[FloatArray, FloatArray]:
    return np.array(track[:5]), unpacked_covariance(np.array([track[5:]]))[0]


number = st.floats(-1.0, 1.0)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.lists(number, min_size=30, max_size=30), st.floats(0.005, 0.1), st.booleans(), st.floats(-1.5, 1.5), st.sampled_from((-1.0, 1.0)))
def test_every_step_is_its_matrix(random: list[float], k: float, across: bool, field: float, side: float) -> None:
    x = np.array(random[:5]) * np.array([10.0, 10.0, 0.1, 0.1, 0.0])
    x[4] = side * k
    scale = np.array([1.0, 1.0, 1e-2, 1e-2, 1e-2])
    A = np.array(random[5:]).reshape(5, 5) * scale[:, None]
    C = A @ A.T + np.diag(1e-2 * scale**2)
    track = (*x, *C[np.tril_indices(5)])
    steps: list[tuple[Step, tuple[float, ...]]] = [
        (Drift(300.0), kalman.drift.py_func(track, 300.0)),
        (Scatter(1e-4, 200.0), kalman.scatter.py_func(track, 1e-4 * k * k, 200.0)),
        (Lose(0.1), kalman.lose.py_func(track, 0.1)),
    ]
    bend = 0.299792458e-3 * field * 400.0
    if abs(field) > 1e-3:
        inner = kalman.cross.py_func(kalman.swap.py_func(track) if across else track, 400.0, bend)[0]
        steps.append((Cross(400.0, int(across), bend), kalman.swap.py_func(inner) if across else inner))
    for step, result in steps:
        ahead, F, Q = moved(step, x, k)
        y, D = parts(result)
        assert np.allclose(y, ahead, rtol=1e-10, atol=1e-12)
        want = F @ C @ F.T + Q
        sigma = np.sqrt(np.diag(want))
        # the series of the arc keeps two orders of the bend in its derivatives
        assert np.allclose(D / np.outer(sigma, sigma), want / np.outer(sigma, sigma), rtol=0.0, atol=1e-5), step
    assert np.allclose(parts(kalman.cross.py_func(track, 300.0, 0.0)[0])[0], parts(kalman.drift.py_func(track, 300.0))[0]), "no field"
    straight = (*x[:4], 0.0, *track[5:])
    assert np.allclose(kalman.cross.py_func(straight, 300.0, 1e-2)[0][:5], kalman.drift.py_func(straight, 300.0)[:5]), "q/p -> 0"


@pytest.fixture(scope="module")
def fitted(ms: Spectrometer) -> tuple[FloatArray, FloatArray, FloatArray, FittedTracks]:
    seed, u, weight = random_tracks(ms, 40, 1)
    return seed, u, weight, fit_measurements(seed, u, weight, ms, prior=PRIOR)


def test_fit_is_the_matrix_filter_and_smoother(ms: Spectrometer, fitted: tuple[FloatArray, FloatArray, FloatArray, FittedTracks]) -> None:
    seed, u, weight, tracks = fitted
    compiled = kernel(route(ms), "states")
    blocks = compiled.pack(seed, PRIOR, u, weight)
    compiled.fit_blocks(blocks)
    states = compiled.unpack(blocks, compiled.rows.states, 20 * len(ms.planes), len(seed)).reshape(len(seed), len(ms.planes), 20)
    assert tracks.good.all()
    for t in range(len(seed)):
        want = matrix_smoother(ms, seed[t], u[t], weight[t])
        assert in_sigma(tracks.downstream[t], want["downstream"], want["downstream_covariance"]) < 1e-6
        assert np.allclose(tracks.downstream_covariance[t], want["downstream_covariance"], rtol=1e-6, atol=1e-18)
        assert tracks.chi2[t] == pytest.approx(float(want["chi2"]), rel=1e-8)
        assert in_sigma(tracks.upstream[t], want["states"][0], want["covariances"][0]) < 1e-5
        assert in_sigma(states[t, :, :5], want["states"], want["covariances"]) < 1e-5
        got = unpacked_covariance(states[t, :, 5:])
        sigma = np.sqrt(np.diagonal(want["covariances"], axis1=1, axis2=2))
        assert np.abs((got - want["covariances"]) / (sigma[:, :, None] * sigma[:, None, :])).max() < 1e-5
    assert np.allclose(states[:, 0, :5], tracks.upstream, rtol=1e-12, atol=1e-15), "states and smoother agree at the first plane"


def test_filter_upstream_ends_where_the_smoother_does(ms: Spectrometer) -> None:
    """Both know all hits; they differ by the place of the loose start alone."""
    seed, u, _ = random_tracks(ms, 40, 5)
    weight = np.full(u.shape, 100.0)
    loose = np.array([100.0, 100.0, 0.1, 0.1, 1.0])
    ends = []
    for kind in ("filter", "smooth"):
        compiled = kernel(route(ms), kind)  # type: ignore[arg-type] # a Kind
        blocks = compiled.pack(seed, loose, u, weight)
        compiled.fit_blocks(blocks)
        ends.append([compiled.unpack(blocks, row, 20, len(seed)) for row in (compiled.rows.downstream, compiled.rows.upstream)])
    (filter_down, filter_up), (smooth_down, smooth_up) = ends
    assert np.allclose(filter_down, smooth_down, rtol=1e-9, atol=1e-15), "downstream it is the same filter"
    covariance = unpacked_covariance(smooth_up[:, 5:])
    sigma = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    slow = 1.0 / np.abs(seed[:, 4]) < 100.0  # the formulas are taken at different tracks, which matters where q/p is poor
    assert np.abs((filter_up - smooth_up)[slow, :5] / sigma[slow]).max() < 0.02
    scaled = (unpacked_covariance(filter_up[:, 5:]) - covariance) / (sigma[:, :, None] * sigma[:, None, :])
    assert np.abs(scaled[slow]).max() < 0.02


def test_leave_one_out_is_a_fit_without_the_hit(ms: Spectrometer, fitted: tuple[FloatArray, FloatArray, FloatArray, FittedTracks]) -> None:
    seed, u, weight, tracks = fitted
    for p, where in enumerate(ms.planes):
        without = weight.copy()
        without[:, p] = 0.0
        H = np.array([*where.direction, 0.0, 0.0, 0.0])
        for t in np.flatnonzero(weight[:, p] > 0.0)[:6]:
            want = matrix_smoother(ms, seed[t], u[t], without[t])
            residual = u[t, p] - H @ want["states"][p]
            variance = 1.0 / weight[t, p] + H @ want["covariances"][p] @ H
            # the formulas of the two fits are taken at slightly different tracks
            assert tracks.unbiased_residual[t, p] == pytest.approx(residual, abs=3e-3 * np.sqrt(variance))
            assert tracks.unbiased_sigma[t, p] ** 2 == pytest.approx(variance, rel=3e-3)
            biased = u[t, p] - H @ matrix_smoother(ms, seed[t], u[t], weight[t])["states"][p]
            assert tracks.biased_residual[t, p] == pytest.approx(biased, abs=1e-6)
    assert np.array_equal(np.isnan(tracks.hit_chi2), weight == 0.0), "a missing hit has no residual"


def test_missing_hit_says_nothing(ms: Spectrometer, fitted: tuple[FloatArray, FloatArray, FloatArray, FittedTracks]) -> None:
    seed, u, weight, tracks = fitted
    other = fit_measurements(seed, np.where(weight > 0.0, u, 777.0), weight, ms, prior=PRIOR)
    assert np.array_equal(other.upstream, tracks.upstream)
    assert np.array_equal(tracks.ndf, (weight > 0.0).sum(axis=1) - 5)


def test_opposite_charge_is_the_mirror_image(ms: Spectrometer, fitted: tuple[FloatArray, FloatArray, FloatArray, FittedTracks]) -> None:
    seed, u, weight, tracks = fitted
    mirror = fit_measurements(-seed, -u, weight, ms, prior=PRIOR)
    assert np.allclose(mirror.upstream, -tracks.upstream, rtol=1e-12, atol=1e-15)
    assert np.allclose(mirror.chi2, tracks.chi2, rtol=1e-12)


def test_track_that_turns_around_leaves_its_neighbours_alone(
    ms: Spectrometer, fitted: tuple[FloatArray, FloatArray, FloatArray, FittedTracks]
) -> None:
    seed, u, weight, tracks = fitted
    wild = seed.copy()
    wild[17, 4] = 20.0  # 50 MeV/c
    other = fit_measurements(wild, u, weight, ms, prior=PRIOR)
    assert np.flatnonzero(~other.good).tolist() == [17]
    assert np.isnan(other.upstream[17]).all()
    assert np.isnan(other.pull[17]).all()
    rest = np.arange(len(seed)) != 17
    assert np.array_equal(other.upstream[rest], tracks.upstream[rest])
    assert np.array_equal(other.score[rest], tracks.score[rest])


def test_charge_is_free(ms: Spectrometer) -> None:
    seed, u, weight = random_tracks(ms, 20, 3)
    weight[:] = 100.0
    wrong = seed.copy()
    wrong[:, 4] *= -1.0
    tracks = fit_measurements(wrong, u, weight, ms, prior=np.array([20.0, 20.0, 0.1, 0.1, 1.0]))
    slow = np.abs(seed[:, 4]) > 1.0 / 60.0
    assert slow.sum() > 3
    assert np.array_equal(np.sign(tracks.upstream[slow, 4]), np.sign(seed[slow, 4]))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernels")


def in_other_process(cache: Path, code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", IMPORTS + code],
        env=os.environ | {"NA64MU_CACHE": str(cache)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_other_numbers_are_the_same_code(ms: Spectrometer) -> None:
    """Another place, angle, field, thickness, loss, material and scattering: nothing is written and nothing compiled."""
    planes = tuple(replace(p, z=1.01 * p.z, rotation=p.rotation + 0.01, x_over_x0=0.02, energy_loss=0.03) for i, p in enumerate(ms.planes))
    boxes = np.array([[690.0, 1210.0, 0.0, 1.1], [1313.0, 1795.0, -0.9, 0.0]])
    other = replace(ms, planes=planes, boxes=boxes, air_x0=2e4, total_x0=0.3)
    forms, numbers = zip(
        *(kinds_and_numbers(route(m, s)) for m, s in ((ms, "highland"), (other, "highland"), (other, "rossi"))), strict=True
    )
    assert forms[0] == forms[1] == forms[2]
    assert not np.any(numbers[0] == numbers[1]), "every number differs"
    assert not np.array_equal(numbers[1], numbers[2])
    assert (
        kernel(route(ms), "smooth").compiled is kernel(route(other), "smooth").compiled is kernel(route(other, "rossi"), "smooth").compiled
    )
    seed, u, weight = random_tracks(other, 12, 9)
    tracks = fit_measurements(seed, u, weight, other, prior=PRIOR)
    for t in range(len(seed)):
        want = matrix_smoother(other, seed[t], u[t], weight[t])
        assert in_sigma(tracks.downstream[t], want["downstream"], want["downstream_covariance"]) < 1e-6
        assert in_sigma(tracks.upstream[t], want["states"][0], want["covariances"][0]) < 1e-5


def test_a_spectrometer_of_the_description_that_is_aligned_is_the_same_code() -> None:
    """The first plane that is turned makes another form; how far the planes are turned and moved makes none."""
    ms2 = spectrometer("na64mu-2022", 2)
    moved_along = replace(ms2, planes=tuple(replace(p, z=1.1 * p.z) for p in ms2.planes), boxes=1.1 * ms2.boxes)
    turned = [
        replace(ms2, planes=tuple(replace(p, rotation=a * (i in some)) for i, p in enumerate(ms2.planes)))
        for a, some in ((1e-3, {3}), (2e-3, range(22)))
    ]
    forms = [kinds_and_numbers(route(m))[0] for m in (ms2, moved_along, *turned)]
    assert forms[0] == forms[1] != forms[2] == forms[3]
    assert {s.name for s in forms[0].steps} == {"measure_x", "measure_y", "scatter_thin", "scatter", "lose", "drift", "cross_x"}
    assert {s.name for s in forms[3].steps} == {"measure_along", "scatter_thin", "scatter", "lose", "drift", "cross_x"}


@pytest.mark.parametrize("kind", ["filter", "smooth", "states"])
def test_the_rows_of_a_block_are_one_behind_the_other(kind: str) -> None:
    rows = block_rows(7, kind)
    present = {k: v for k, v in rows._asdict().items() if k not in {"n_planes", "total"} and v >= 0}
    sizes = {
        "seed": 5,
        "sigma": 5,
        "u": 7,
        "weight": 7,
        "downstream": 20,
        "upstream": 20,
        "chi2": 1,
        "score": 7,
        "information": 7,
        "states": 140,
    }
    assert list(present) == [
        k for k in sizes if not (kind == "filter" and k in {"score", "information"}) and not (kind != "states" and k == "states")
    ]
    ends = np.cumsum([sizes[k] for k in present])
    assert list(present.values()) == [0, *ends[:-1]]
    assert rows.total == ends[-1]


SHOW = f"k = kernel({TINY}, 'smooth')\nprint(sum(k.compiled.fit_blocks.stats.cache_hits.values()))"


def test_two_processes_may_compile_at_once_and_others_load_what_they_wrote(cache: Path) -> None:
    both = [in_other_process(cache, SHOW) for _ in range(2)]
    for process in both:
        out, errors = process.communicate()
        assert process.returncode == 0, errors
        assert out.strip() in {"0", "1"}
    assert not list(cache.glob(".part-*")), "no half-written file is left"
    out, errors = in_other_process(cache, SHOW).communicate(timeout=300)
    assert out.strip() == "1", f"loaded, not compiled again; {errors}"


@pytest.fixture(scope="module")
def repaired(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str, str]:
    """A compiled fit, a copy that was cut when a process met it, the process's instructions and errors."""
    (file,) = cache.glob("*fit_blocks-*.kernel")
    damaged = tmp_path_factory.mktemp("damaged") / file.name
    damaged.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    code = f"print('\\n'.join(kernel({TINY}, 'smooth').compiled.fit_blocks.inspect_asm().values()))"
    out, errors = in_other_process(damaged.parent, code).communicate(timeout=300)
    return file, damaged, out, errors


def test_damaged_kernel_file_is_written_again(repaired: tuple[Path, Path, str, str]) -> None:
    file, damaged, out, errors = repaired
    assert out, errors
    assert damaged.stat().st_size > 0.9 * file.stat().st_size


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="looks for instructions of x86-64")
def test_fit_is_vectorised(repaired: tuple[Path, Path, str, str]) -> None:
    import llvmlite.binding as llvm

    if not llvm.get_host_cpu_features().get("avx2", False):
        pytest.skip("the processor has no AVX2")
    _, _, assembly, errors = repaired
    packed = re.findall(r"\bv(?:fn?m(?:add|sub)\d*|mul|add|sub|div|sqrt)pd\b.*[yz]mm", assembly)
    scalar = re.findall(r"\bv?(?:fn?m(?:add|sub)\d*|mul|add|sub|div|sqrt)sd\b.*", assembly)
    assert len(packed) > 200, errors
    assert any("vfmadd" in line or "vfnmadd" in line for line in packed), "multiplies and adds in one instruction"
    assert scalar == [], "nothing is left to one track at a time"
