"""Background (I): muons whose momentum is measured too low in MS2, from the tail of p_out extrapolated below the box edge.

The forms {exponential in p, exponential in k, power in p} give the nominal value (the best by the goodness of fit) and, as an envelope, the model error; the
bootstrap gives the statistical part; the Generalised Pareto distribution is a cross-check. Choice of forms and threshold (5 standard deviations below the peak) follow a
study of six true shapes: no single form covers them all, this envelope does (inferred: the Letter names neither form nor threshold).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from na64mu.analysis.backgrounds.fit import FormFit, FormTable, fit_form, form_table, minimum
from na64mu.analysis.backgrounds.forms import FORMS
from na64mu.analysis.backgrounds.sample import TailSample
from na64mu.errors import BackgroundError
from na64mu.typing import FloatArray

__all__ = ("CROSS_CHECKS", "ENVELOPE", "TailEstimate", "estimate_tail", "goodness_of_fit", "threshold_scan")

#: Forms of the envelope, and those that are only compared.
ENVELOPE = ("exponential in p", "exponential in k", "power in p")
CROSS_CHECKS = ("power in k", "Generalised Pareto in p", "Generalised Pareto in k")
#: Fewest events between box edge and threshold for a fit.
MIN_EVENTS = 5.0


@dataclass(frozen=True)
class TailEstimate:
    """Events of background (I).

    Attributes
    ----------
    threshold, box_edge : float
        Range of the fit [GeV/c].
    n_tail : float
        Effective events in it.
    n_mot : float
        Muons on target that the numbers below correspond to; 0 if not known.
    nominal : FormFit or None
        Best form; None if there are too few events for a fit.
    forms, cross_checks : tuple of FormFit
        Forms of the envelope, and the others.
    statistical : (float, float)
        Bootstrap of the nominal form, 68 %.
    envelope : (float, float)
        Union of the 68 % intervals of the forms: statistics and model.
    upper : float
        Largest 95 % upper limit of the forms; without a fit, that of the count between box edge and threshold, which a falling tail exceeds nowhere.
    """

    threshold: float
    box_edge: float
    n_tail: float
    n_mot: float
    nominal: FormFit | None
    forms: tuple[FormFit, ...]
    cross_checks: tuple[FormFit, ...]
    statistical: tuple[float, float]
    envelope: tuple[float, float]
    upper: float

    @property
    def value(self) -> float:
        """Nominal events below the box edge; NaN without a fit."""
        return self.nominal.value if self.nominal is not None else float("nan")

    def scaled(self, n_mot: float) -> TailEstimate:
        """Return the estimate scaled to another number of muons on target.

        Raises
        ------
        BackgroundError
            If the sample's own number is not known.
        """
        if not self.n_mot > 0:
            msg = "the tail sample has no muons on target behind it: its events cannot be scaled to an exposure; run over files with bookkeeping"
            raise BackgroundError(msg)
        return replace(self._times(n_mot / self.n_mot), n_mot=n_mot)

    def normalised_to(self, shape: TailSample, rate: TailSample) -> TailEstimate:
        """Return the tail for the muons of another trigger: shape from many calibration triggers, rate from the physics trigger.

        That momentum is mis-measured independently of how the muon fired the trigger is inferred; compare the two spectra where both have muons.

        Parameters
        ----------
        shape : TailSample
            The sample of this estimate.
        rate : TailSample
            Sample whose peak sets the number of muons, and whose muons on target set the exposure.

        Returns
        -------
        TailEstimate
        """
        return replace(self._times(rate.n_core / shape.n_core), n_mot=rate.n_mot)

    def at_most(self, shape: TailSample, n_mot: float) -> TailEstimate:
        """Return the tail as an upper limit if the physics trigger recorded no such muon, for the 90 % limit of 2.30 on their number.

        Parameters
        ----------
        shape : TailSample
            The sample of this estimate.
        n_mot : float
            Muons on target in which none was recorded.

        Returns
        -------
        TailEstimate
            Estimate without a nominal form.
        """
        scaled = self._times(_poisson_upper(0.0, 0.90) / shape.n_core)
        return replace(scaled, n_mot=n_mot, nominal=None, statistical=(0.0, 0.0), envelope=(0.0, scaled.envelope[1]))

    def _times(self, factor: float) -> TailEstimate:
        return replace(
            self,
            nominal=None if self.nominal is None else self.nominal.scaled(factor),
            forms=tuple(form.scaled(factor) for form in self.forms),
            cross_checks=tuple(form.scaled(factor) for form in self.cross_checks),
            statistical=(factor * self.statistical[0], factor * self.statistical[1]),
            envelope=(factor * self.envelope[0], factor * self.envelope[1]),
            upper=factor * self.upper,
        )

    def __repr__(self) -> str:
        head = f"momentum tail: {self.n_tail:.1f} events in {self.box_edge:g} to {self.threshold:g} GeV/c, extrapolated below {self.box_edge:g} GeV/c"
        if self.nominal is None:
            return f"{head}\ntoo few events for a fit: < {self.upper:.3g} events (95 %)"
        low, high = self.statistical
        first = (
            f"nominal {self.nominal.name}: {self.value:.3g}, statistical [{low:.3g}, {high:.3g}], "
            f"with model [{self.envelope[0]:.3g}, {self.envelope[1]:.3g}], < {self.upper:.3g} (95 %)"
        )
        return "\n".join([head, first, *(repr(form) for form in (*self.forms, *self.cross_checks))])


def goodness_of_fit(table: FormTable, counts: FloatArray, *, n_toys: int, generator: np.random.Generator) -> float:
    """p-value of a fitted form.

    Anderson-Darling distance between the cumulative distributions, with toys drawn from the fit and fitted again.

    Parameters
    ----------
    table : FormTable
    counts : FloatArray
        Shape (n_bins,).
    n_toys : int
    generator : numpy.random.Generator

    Returns
    -------
    float
        Fraction of toys that deviate at least as much.

    References
    ----------
    T. W. Anderson and D. A. Darling, J. Am. Stat. Assoc. 49 (1954) 765; M. A. Stephens, ibid. 69 (1974) 730 (fitted parameters).
    """
    position, _ = minimum(table, counts[None, :])
    probability = np.exp(table.log_probability[round(float(position[0]))])
    toys = generator.multinomial(max(round(float(counts.sum())), 1), probability / probability.sum(), size=n_toys).astype(np.float64)
    distances = _anderson_darling(table, np.concatenate([counts[None, :], toys]))
    return float(np.mean(distances[1:] >= distances[0]))


def _anderson_darling(table: FormTable, counts: FloatArray) -> FloatArray:
    position, _ = minimum(table, counts)
    probability = np.exp(table.log_probability[np.round(position).astype(np.int64)])
    fitted = np.cumsum(probability, axis=1)[:, :-1]
    total = counts.sum(axis=1, keepdims=True)
    empirical = np.cumsum(counts, axis=1)[:, :-1] / total
    variance = np.maximum(fitted * (1.0 - fitted), 1e-12)
    return np.asarray((total[:, 0]) * np.sum((empirical - fitted) ** 2 / variance * probability[:, :-1], axis=1), dtype=np.float64)


def estimate_tail(
    sample: TailSample,
    *,
    seed: int,
    box_edge: float = 80.0,
    threshold: float | None = None,
    n_sigma: float = 5.0,
    n_bootstrap: int = 1000,
    n_toys: int = 400,
) -> TailEstimate:
    """Extrapolate the tail of a spectrum below the box edge.

    Parameters
    ----------
    sample : TailSample
    seed : int
        Seed of bootstrap and toys.
    box_edge : float
        Upper edge of the signal box [GeV/c]; no event below it is used.
    threshold : float, optional
        Upper end of the fit [GeV/c]; by default `n_sigma` widths of the peak below its centre. The nearest bin edge is taken.
    n_sigma : float
        4.5 to 5: nearer to the peak its core sets the fit.
    n_bootstrap, n_toys : int
        Replicas for the statistical error, and toys for the goodness of fit.

    Returns
    -------
    TailEstimate
        Estimate for the muons on target of the sample; `scaled` converts it to another exposure.

    Raises
    ------
    BackgroundError
        If the threshold does not lie between box edge and peak.
    """
    centre = sample.centre
    low, high = sample.edge_near(box_edge), sample.edge_near(centre - n_sigma * sample.sigma if threshold is None else threshold)
    edges = sample.edges[low : high + 1]
    if len(edges) < 4 or sample.edges[high] >= centre:
        u = float(sample.edges[high])
        msg = f"threshold {u:g} GeV/c: it must lie between the box edge {box_edge:g} and the peak at {centre:.1f} GeV/c, with at least three bins above the box"
        raise BackgroundError(msg)
    counts = sample.counts[low:high]
    n_tail = float(counts.sum())
    head = (float(edges[-1]), float(edges[0]), n_tail, sample.n_mot)
    if n_tail < MIN_EVENTS:
        return TailEstimate(*head, None, (), (), (0.0, 0.0), (0.0, 0.0), sample.scale * _poisson_upper(n_tail, 0.95))
    generator = np.random.default_rng(seed)
    tables = {name: form_table(FORMS[name], edges, centre) for name in (*ENVELOPE, *CROSS_CHECKS)}
    fits = {}
    for name, table in tables.items():
        has_one_parameter = len(table.form.grid) == 1
        p_value = goodness_of_fit(table, counts, n_toys=n_toys, generator=generator) if has_one_parameter else None
        fits[name] = fit_form(table, counts, p_value)
    forms = tuple(fits[name] for name in ENVELOPE)
    nominal = max(forms, key=lambda fit: (fit.p_value or 0.0, -fit.deviance))
    replicas = generator.poisson(counts, size=(n_bootstrap, len(counts))).astype(np.float64)
    spread = replicas.sum(axis=1) * minimum(tables[nominal.name], replicas)[1]
    statistical = np.quantile(spread, [0.15865, 0.84135])
    result = TailEstimate(
        *head,
        nominal,
        forms,
        tuple(fits[name] for name in CROSS_CHECKS),
        (float(statistical[0]), float(statistical[1])),
        (min(fit.low for fit in forms), max(fit.high for fit in forms)),
        max(fit.upper for fit in forms),
    )
    return result._times(sample.scale)  # effective events to weighted ones


def _poisson_upper(n: float, level: float) -> float:
    """Classical upper limit on the mean of n events."""
    from scipy.stats import gamma

    return float(gamma.ppf(level, n + 1.0))


def threshold_scan(
    sample: TailSample, n_sigmas: Sequence[float] = (4.0, 4.25, 4.5, 4.75, 5.0, 5.25, 5.5), *, seed: int, box_edge: float = 80.0
) -> tuple[TailEstimate, ...]:
    """The estimate at several thresholds: it must not move by more than its errors.

    Parameters
    ----------
    sample : TailSample
    n_sigmas : sequence of float
        Thresholds in widths of the peak below its centre.
    seed : int
    box_edge : float
        Upper edge of the signal box [GeV/c].

    Returns
    -------
    tuple of TailEstimate
    """
    return tuple(estimate_tail(sample, seed=seed, box_edge=box_edge, n_sigma=n, n_bootstrap=200, n_toys=100) for n in n_sigmas)
