"""The momentum scale: found with p_in = p_out, refused where nobody knows it, and said wherever the alignment is used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from alignment_examples import beam_states, toy_sample, true_detector

from na64mu.alignment.align import AlignedSpectrometer, align_spectrometer
from na64mu.alignment.closure import displaced, momenta
from na64mu.alignment.doubt import doubt_about
from na64mu.alignment.parameters import FreeParameters
from na64mu.alignment.reference import MomentumReference, reference_of
from na64mu.alignment.sample import Sample
from na64mu.alignment.start import far_modules
from na64mu.detector import Detector
from na64mu.detector.alignment import Alignment, MomentumScale
from na64mu.execution.configuration import Configuration
from na64mu.selections import load_working_point
from na64mu.tracking.spectrometer import spectrometer

N, SEED = 4000, 51


def moved(name: str, dx: float, dy: float) -> Detector:
    module = true_detector().trackers[name]
    return true_detector().replaced({name: module.model_copy(update={"centre": (module.centre[0] + dx, module.centre[1] + dy)})})


def reference(common: float = 1e-3) -> MomentumReference:
    """What MS1 and the ECAL would say of the particles of `toy_sample`."""
    rng = np.random.default_rng(3)
    value = beam_states(2, N, np.random.default_rng(SEED), field=True)[:, 4]
    spread = 0.003 * np.abs(value)
    return MomentumReference(value + spread * rng.standard_normal(N), spread**2, common)


@pytest.fixture(scope="module")
def wrong() -> Detector:
    return displaced(true_detector(), np.random.default_rng(5))


@pytest.fixture(scope="module")
def sample(wrong: Detector) -> Sample:
    return toy_sample(2, N, SEED, wrong)


@pytest.fixture(scope="module")
def held(sample: Sample) -> AlignedSpectrometer:
    return align_spectrometer([sample], references=[reference()])


def bias(sample: Sample, detector: Detector) -> float:
    event, p = momenta(sample, detector)
    true = np.abs(beam_states(2, N, np.random.default_rng(SEED), field=True)[:, 4])
    return float(np.median(1.0 / (p * true[event])) - 1.0)


def test_mip_muons_hold_the_bend(sample: Sample, wrong: Detector, held: AlignedSpectrometer) -> None:
    assert abs(bias(sample, wrong)) > 0.02
    assert abs(bias(sample, held.detector)) < 0.002
    scale = held.knowledge.scale()
    assert scale is not None
    assert scale.held_by == "p_in = p_out"
    assert 0.001 < scale.error < 0.002  # the common error of the reference, and 0.04 / sqrt(4000)
    assert scale.n_muons > 0.9 * N
    assert abs(scale.offset) < 5.0 * scale.offset_error
    bend = next(known for mode, known in zip(held.modes, held.knowledge.modes(held.modes), strict=True) if mode.name == "bend")
    assert bend.held_by == "p_in = p_out"
    assert bend.momentum == pytest.approx(scale.error, rel=0.5)
    assert doubt_about(held, [sample]) == ""


def test_a_scale_that_nobody_knows_is_refused(sample: Sample) -> None:
    alone = align_spectrometer([sample])
    scale = alone.knowledge.scale()
    assert scale is not None
    assert scale.error > abs(bias(sample, alone.detector)) / 3.0
    assert "nobody knows its momentum scale" in doubt_about(alone, [sample])
    assert doubt_about(alone, [sample], largest_scale_error=1.0) == ""


def test_momenta_that_contradict_p_in_are_refused(sample: Sample) -> None:
    off = reference()
    fixed = ("gem1", "gem3", "mm7", "gem2", "mm5")  # say where the planes are, and they are wrong
    aligned = align_spectrometer([sample], fixed=fixed, references=[off])
    assert "contradict those in front of the ECAL" in doubt_about(aligned, [sample], largest_scale_error=1.0)


def test_a_result_that_finds_fewer_tracks_is_refused(wrong: Detector, held: AlignedSpectrometer) -> None:
    right = toy_sample(2, N, SEED, true_detector())
    assert "it is worse than what it started from" in doubt_about(replace(held, detector=wrong), [right])


@pytest.mark.parametrize(("name", "dx", "dy"), [("mm6", 10.0, 0.0), ("gem3", 0.0, -5.0)])
def test_pairs_of_planes_show_a_module_that_is_far_off(name: str, dx: float, dy: float) -> None:
    detector = moved(name, dx, dy)
    toy = toy_sample(2, 2000, 7, detector)
    parameters = FreeParameters.of(spectrometer(detector, 2), detector, (), 1.0, 5e-3)
    correction = dict(zip(parameters.names, far_modules(toy, detector, parameters), strict=True))
    assert correction.pop(f"{name} dx") == pytest.approx(-dx, abs=0.5)
    assert correction.pop(f"{name} dy") == pytest.approx(-dy, abs=0.5)
    assert not any(correction.values())


def test_one_module_off_by_a_centimetre_leaves_the_others() -> None:
    detector = moved("mm6", 10.0, 0.0)
    aligned = align_spectrometer([toy_sample(2, 2000, 8, detector)])
    assert aligned.detector.trackers["mm6"].centre[0] == pytest.approx(true_detector().trackers["mm6"].centre[0], abs=0.1)
    assert aligned.detector.trackers["gem1"].centre[0] == pytest.approx(true_detector().trackers["gem1"].centre[0], abs=0.1)


def test_a_reference_needs_muons_and_an_ecal(sample: Sample) -> None:
    state = np.tile([0.0, 0.0, 0.0, 0.0, -1.0 / 160.0], (N, 1))
    event, variance = np.arange(N), np.full(N, 1e-10)
    assert reference_of(sample, event, state, variance, 1e-3) is None  # nobody looked at the ECAL
    few = np.where(event < 100, 0.5, np.nan)
    assert reference_of(replace(sample, mip=few), event, state, variance, 1e-3) is None
    found = reference_of(replace(sample, mip=np.full(N, 0.5)), event, state, variance, 1e-3)
    assert found is not None
    assert found.value == pytest.approx(np.full(N, -1.0 / 159.5))
    assert found.common == pytest.approx(np.hypot(1e-3, 0.05 / 159.5))


def test_what_is_left_of_the_scale_is_said_by_every_run() -> None:
    scale = MomentumScale(spectrometer="ms2", error=0.004, held_by="p_in = p_out", n_muons=1000, accepted="it is so")
    alignment = Alignment(
        format_version=1, detector="na64mu-2022", digest=true_detector().digest, version="0", n_tracks={"ms2": 1},
        survey_shift=1.0, survey_rotation=5e-3, modules=(), scales=(scale,),
    )  # fmt: skip
    detector = true_detector().aligned(alignment)
    assert detector.digest != true_detector().digest
    notes = Configuration(load_working_point("prl2024"), {"na64mu-2022": detector}, {}).notes()
    assert [n.reason for n in notes] == [
        "the alignment of na64mu-2022: the scale of p_out is known to 0.4 % (held by: p_in = p_out); it was accepted although it is so"
    ]
