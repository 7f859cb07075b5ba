"""The counting model: expected events per trigger configuration, and the nuisance parameters that move them.

n_t ~ Poisson(mu s_t f_st(theta) + sum_k b_kt f_kt(theta)) for every channel (trigger configuration) t; every nuisance parameter theta_j has a
standard normal constraint. A log-normal systematic of relative size r multiplies a rate by (1 + r)^theta, a Gaussian one adds r theta to its factor.
All rates are events of the whole exposure; mu is the signal strength.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import numpy as np

from na64mu.common.arguments import one_of
from na64mu.errors import StatisticsError
from na64mu.typing import BoolArray, FloatArray, IntArray

__all__ = ("SIGNAL", "CountingModel", "Nuisance", "Rates", "Systematic")

#: Name of the signal among the samples of a model.
SIGNAL = "signal"

#: With more parameters than these, rates that none moves are left out of the singular value decomposition: they cost time alone.
MANY_PARAMETERS = 24

Shape = Literal["lognormal", "gaussian"]
Effect = float | tuple[float, ...]


@dataclass(frozen=True)
class Systematic:
    """One source of uncertainty.

    Attributes
    ----------
    name : str
        Letters, digits and underscores.
    effects : mapping of str to float or tuple of float
        Sample ("signal" or a background) -> relative size, one for all channels or one for each.
    correlated : bool
        Whether one nuisance parameter moves all channels; otherwise every channel has its own.
    shape : "lognormal" or "gaussian"
        Factor (1 + r)^theta, or 1 + r theta.
    source : str
        Source of the size.
    """

    name: str
    effects: Mapping[str, Effect]
    correlated: bool = True
    shape: Shape = "lognormal"
    source: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", one_of(self.shape, get_args(Shape), "shape", StatisticsError))

    def size(self, sample: str, channel: int) -> float:
        """Relative size for one sample in one channel, 0 where it has no effect."""
        effect = self.effects.get(sample, 0.0)
        return float(effect[channel]) if isinstance(effect, tuple) else float(effect)


class Nuisance(NamedTuple):
    """One nuisance parameter: a systematic, or its part in one channel."""

    name: str
    systematic: Systematic
    channel: int | None

    def size(self, sample: str, channel: int) -> float:
        """Relative size for one sample in one channel."""
        return self.systematic.size(sample, channel) if self.channel in (None, channel) else 0.0


class Rates(NamedTuple):
    """The model as arrays; one rate is one sample in one channel.

    Attributes
    ----------
    nominal : FloatArray
        Expected events, shape (n_rates,).
    is_signal : BoolArray
        Shape (n_rates,).
    channel : IntArray
        Shape (n_rates,).
    exponents, slopes : FloatArray
        Shape (n_rates, n_parameters): the factor of a rate is exp(exponents @ theta) * (1 + slopes @ theta).
    """

    nominal: FloatArray
    is_signal: BoolArray
    channel: IntArray
    exponents: FloatArray
    slopes: FloatArray

    def factors(self, theta: FloatArray) -> FloatArray:
        """Factors of all rates, shape (..., n_rates), for parameters of shape (..., n_parameters); a Gaussian factor below zero counts as zero."""
        return np.exp(theta @ self.exponents.T) * np.maximum(1.0 + theta @ self.slopes.T, 0.0)

    def reduced(self) -> Rates:
        """Return an equivalent model with the fewest parameters.

        Only exponents @ theta and slopes @ theta matter, so a rotation of theta, which keeps its normal constraint, leaves as many parameters
        as the matrices have independent rows. The likelihood profiled or averaged over the nuisance parameters is exactly the same.
        """
        if self.exponents.size == 0:  # no rate, or no parameter
            return self._replace(exponents=self.exponents[:, :0], slopes=self.slopes[:, :0])
        exponents, slopes = _rotated(self.exponents.tobytes(), self.slopes.tobytes(), self.exponents.shape)
        return self._replace(exponents=exponents.copy(), slopes=slopes.copy())


@lru_cache(maxsize=64)
def _rotated(exponents: bytes, slopes: bytes, shape: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Exponents and slopes with the fewest columns; kept, for the masses of a scan share those of the background."""
    stacked = np.concatenate([np.frombuffer(content).reshape(shape) for content in (exponents, slopes)])
    moved = np.any(stacked != 0.0, axis=1) if shape[1] > MANY_PARAMETERS else np.ones(len(stacked), dtype=np.bool_)
    u, singular, _ = np.linalg.svd(stacked[moved], full_matrices=False)
    kept = singular > 1e-12 * max(float(singular.max(initial=0.0)), 1e-300)
    rotated = np.zeros((len(stacked), int(kept.sum())))
    rotated[moved] = u[:, kept] * singular[kept]
    return np.ascontiguousarray(rotated[: shape[0]]), np.ascontiguousarray(rotated[shape[0] :])


@dataclass(frozen=True)
class CountingModel:
    """Expected signal and backgrounds in every channel, with their systematics.

    Attributes
    ----------
    signal : tuple of float
        Expected signal events per channel at mu = 1.
    backgrounds : mapping of str to tuple of float
        Background -> expected events per channel.
    systematics : tuple of Systematic
    channels : tuple of str
        Names of the trigger configurations.

    Raises
    ------
    StatisticsError
        If the parts do not fit together, or a rate is negative.
    """

    signal: tuple[float, ...]
    backgrounds: Mapping[str, tuple[float, ...]]
    systematics: tuple[Systematic, ...] = ()
    channels: tuple[str, ...] = field(default=("config_1", "config_2"))

    def __post_init__(self) -> None:
        n = len(self.channels)
        for name, values in {SIGNAL: self.signal, **self.backgrounds}.items():
            if len(values) != n:
                msg = f"{name}: {len(values)} rates for the {n} channels {', '.join(self.channels)}: give one for each"
                raise StatisticsError(msg)
            if not all(np.isfinite(v) and v >= 0 for v in values):
                msg = f"{name}: expected events {list(values)}: they must be finite and not negative"
                raise StatisticsError(msg)
        if SIGNAL in self.backgrounds:
            msg = f"a background is called {SIGNAL!r}: that name is the signal's, give it another one"
            raise StatisticsError(msg)
        if not sum(self.signal) > 0:
            msg = "the signal is zero in every channel: no strength of it can be excluded; leave this mass out of the scan"
            raise StatisticsError(msg)
        names = [s.name for s in self.systematics]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"systematic {twice[0]!r} is in the model twice: give every source its own name"
            raise StatisticsError(msg)
        for systematic in self.systematics:
            self._check(systematic)

    def _check(self, systematic: Systematic) -> None:
        known = [SIGNAL, *self.backgrounds]
        for sample, effect in systematic.effects.items():
            if sample not in known:
                msg = f"systematic {systematic.name}: no sample {sample!r} in the model: there are {', '.join(known)}"
                raise StatisticsError(msg)
            if isinstance(effect, tuple) and len(effect) != len(self.channels):
                msg = f"systematic {systematic.name}: {len(effect)} sizes for {sample} in {len(self.channels)} channels: give one size, or one for each channel"
                raise StatisticsError(msg)
            if any(not np.isfinite(r) or r <= -1 for r in (effect if isinstance(effect, tuple) else (effect,))):
                msg = f"systematic {systematic.name}: relative size {effect} of {sample}: it must be finite and above -1"
                raise StatisticsError(msg)

    def __repr__(self) -> str:
        rows = [
            f"  {name:<24} " + " ".join(f"{v:10.4g}" for v in values) for name, values in {SIGNAL: self.signal, **self.backgrounds}.items()
        ]
        head = f"CountingModel of {len(self.nuisances)} nuisance parameters; expected events in {', '.join(self.channels)}:"
        return "\n".join([head, *rows])

    @property
    def samples(self) -> tuple[str, ...]:
        """Signal and backgrounds, in order."""
        return (SIGNAL, *self.backgrounds)

    @property
    def total_signal(self) -> float:
        """Signal events of all channels at mu = 1."""
        return float(sum(self.signal))

    @property
    def total_background(self) -> float:
        """Background events of all channels."""
        return float(sum(sum(values) for values in self.backgrounds.values()))

    @property
    def nuisances(self) -> tuple[Nuisance, ...]:
        """The nuisance parameters: one for a correlated systematic, one per channel for the others."""
        found: list[Nuisance] = []
        for systematic in self.systematics:
            if systematic.correlated:
                found.append(Nuisance(systematic.name, systematic, None))
            else:
                found += [Nuisance(f"{systematic.name}_{channel}", systematic, i) for i, channel in enumerate(self.channels)]
        channels = range(len(self.channels))
        return tuple(n for n in found if any(n.size(s, c) != 0 for s in n.systematic.effects for c in channels))

    def expected(self, sample: str) -> tuple[float, ...]:
        """Expected events of one sample per channel."""
        return self.signal if sample == SIGNAL else self.backgrounds[sample]

    def with_signal(self, signal: Sequence[float]) -> CountingModel:
        """Return the model with another signal: another mass or coupling."""
        return replace(self, signal=tuple(float(s) for s in signal))

    def rates(self) -> Rates:
        """The model as arrays, one parameter per nuisance parameter."""
        cells = [(sample, c) for sample in self.samples for c in range(len(self.channels))]
        nuisances = self.nuisances
        exponents, slopes = np.zeros((2, len(cells), len(nuisances)))
        for j, nuisance in enumerate(nuisances):
            sizes = np.array([nuisance.size(sample, c) if sample in nuisance.systematic.effects else 0.0 for sample, c in cells])
            if nuisance.systematic.shape == "lognormal":
                exponents[:, j] = np.log1p(sizes)
            else:
                slopes[:, j] = sizes
        return Rates(
            nominal=np.array([self.expected(sample)[c] for sample, c in cells], dtype=np.float64),
            is_signal=np.array([sample == SIGNAL for sample, _ in cells]),
            channel=np.array([c for _, c in cells], dtype=np.int64),
            exponents=exponents,
            slopes=slopes,
        )
