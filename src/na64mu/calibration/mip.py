"""The MIP peak: a Landau distribution folded with a Gaussian, fitted with a binned likelihood around the peak.

The energy loss of a muon in a thin layer follows the Landau distribution; sampling, light yield and electronics fold it with a Gaussian.
Energies in any one unit.

References
----------
L. Landau, J. Phys. USSR 8 (1944) 201. Quantile intervals and the binned likelihood: S. Baker and R. D. Cousins, NIM 221 (1984) 437.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from na64mu.errors import CalibrationError
from na64mu.typing import FloatArray

__all__ = ("MipFit", "MipShape", "fit_mip", "half_sample_mode")

#: Mode of the Landau distribution in the parametrisation of scipy.stats.landau (location 0, scale 1), and its scale per unit of Landau's xi.
LANDAU_MODE = -0.4293140940
LANDAU_SCALE = 0.5 * np.pi
#: The folded shape is tabulated on this many points.
GRID = 2048
#: Relative precision of the likelihood: that of the machine, and, where the minimum is not recognised with it, that of the table. With 200 000 events and more the
#: rounding of the table is larger than the change of the likelihood that is looked for.
PRECISIONS = (None, 1e-10)


@dataclass(frozen=True)
class MipShape:
    """Landau distribution folded with a Gaussian.

    Attributes
    ----------
    peak : float
        Most probable value of the Landau part.
    xi : float
        Landau's width parameter.
    sigma : float
        Standard deviation of the Gaussian.
    """

    peak: float
    xi: float
    sigma: float

    def table(self, low: float, high: float) -> tuple[FloatArray, FloatArray]:
        """Tabulated cumulative distribution.

        Parameters
        ----------
        low, high : float
            Ends of the table. Values within 9 sigma of them lack what is folded in from outside.

        Returns
        -------
        x, cdf : FloatArray
            Shape (GRID,).
        """
        from scipy.signal import fftconvolve
        from scipy.stats import landau, norm

        edges = np.linspace(low, high, GRID + 1)
        scale = LANDAU_SCALE * self.xi
        content = np.diff(landau.cdf(edges, loc=self.peak - LANDAU_MODE * scale, scale=scale))
        step = float(edges[1] - edges[0])
        half = 1 + int(np.ceil(9.0 * self.sigma / step))  # beyond it nothing is left, so that no step shows when it changes
        kernel = np.diff(norm.cdf((np.arange(-half, half + 2) - 0.5) * step, scale=self.sigma))  # integrated, so that it is smooth in sigma
        return edges[1:], np.cumsum(fftconvolve(content, kernel / kernel.sum(), mode="same"))

    @property
    def start(self) -> float:
        """Below this value there is nothing."""
        return self.peak - 12.0 * self.sigma - 8.0 * self.xi

    def cdf(self, x: FloatArray) -> FloatArray:
        """Cumulative distribution at x, shape (n,)."""
        grid, table = self.table(self.start, max(float(np.max(x)), self.peak) + 9.0 * self.sigma)
        return np.interp(x, grid, table, left=0.0)

    def quantile(self, probability: float) -> float:
        """Value below which this fraction of the shape lies."""
        grid, table = self.table(self.start, self.peak + 12.0 * self.sigma + LANDAU_SCALE * self.xi / (1.0 - probability))
        return float(np.interp(probability, table, grid))

    @property
    def mode(self) -> float:
        """Most probable value of the folded shape."""
        grid, table = self.table(self.start, self.peak + 12.0 * self.sigma + 10.0 * self.xi)
        step = float(grid[1] - grid[0])
        return float(grid[1 + int(np.argmax(np.diff(table)))] - 0.5 * step)


@dataclass(frozen=True)
class MipFit:
    """A fitted peak with its errors.

    Attributes
    ----------
    shape : MipShape
    errors : tuple of float
        Standard deviations of peak, xi and sigma.
    mode : float
        Most probable value of the folded shape.
    chi2 : float
        Likelihood-ratio chi2 of the fit.
    ndf : int
    n_events : int
        Events in the fit range.
    fit_range : (float, float)
    """

    shape: MipShape
    errors: tuple[float, float, float]
    mode: float
    chi2: float
    ndf: int
    n_events: int
    fit_range: tuple[float, float]


def half_sample_mode(values: FloatArray) -> float:
    """Robust estimate of the most probable value: the shortest half of the shortest half ... of the sample.

    Parameters
    ----------
    values : FloatArray
        Shape (n,), n > 0.

    Returns
    -------
    float
        The mode.

    References
    ----------
    D. R. Bickel and R. Fruehwirth, Comput. Stat. Data Anal. 50 (2006) 3500.
    """
    x = np.sort(values)
    while len(x) > 16:
        half = (len(x) + 1) // 2
        start = int(np.argmin(x[half - 1 :] - x[: len(x) - half + 1]))
        x = x[start : start + half]
    return float(np.median(x))


def fit_mip(values: FloatArray, name: str, *, fit_low: float, fit_high: float, min_events: int) -> MipFit:
    """Fit the MIP peak of a sample.

    Parameters
    ----------
    values : FloatArray
        Energies, shape (n,); NaN and zero (nothing deposited) are left out.
    name : str
        Quantity, for messages.
    fit_low, fit_high : float
        Fit range in units of the peak of the sample.
    min_events : int
        Fewest events in the fit range.

    Returns
    -------
    MipFit
        The shape and how well it describes the sample.

    Raises
    ------
    CalibrationError
        If there are too few events, or the fit does not converge.
    """
    from iminuit import Minuit
    from iminuit.cost import BinnedNLL

    positive = values[np.isfinite(values) & (values > 0)]
    if len(positive) < min_events:
        msg = f"{name}: {len(positive)} calibration events with a deposit, at least {min_events} are needed: give more calibration-trigger files"
        raise CalibrationError(msg)
    peak = half_sample_mode(positive)
    low, high = fit_low * peak, fit_high * peak
    sample = positive[(positive >= low) & (positive < high)]
    if len(sample) < min_events:
        msg = f"{name}: {len(sample)} calibration events between {low:.4g} and {high:.4g}, at least {min_events} are needed: give more calibration-trigger files"
        raise CalibrationError(msg)
    width = float(np.subtract(*np.quantile(sample, [0.75, 0.25]))) / 1.349
    bins = int(np.clip(len(sample) / 25, 20, 100))
    counts, edges = np.histogram(sample, bins=bins, range=(low, high))

    def cdf(x: FloatArray, peak: float, xi: float, sigma: float) -> FloatArray:
        # the grid does not move with the parameters: the likelihood stays smooth
        grid, table = MipShape(peak, xi, sigma).table(low - (high - low), high + (high - low))
        f = np.interp(x, grid, table)
        return (f - f[0]) / (f[-1] - f[0])  # the likelihood wants a distribution of the fit range alone

    def minimum(fraction: float, precision: float | None) -> Minuit:
        minuit = Minuit(BinnedNLL(counts, edges, cdf), peak=peak, xi=fraction * 0.5 * width, sigma=(1 - fraction) * width)
        minuit.limits["peak"] = (low, high)
        minuit.limits["xi"] = (1e-3 * width, 2.0 * width)
        minuit.limits["sigma"] = (2e-2 * width, 3.0 * width)
        minuit.precision = precision
        minuit.strategy = 1
        return minuit.migrad()

    best = None
    for precision in PRECISIONS:
        tried = [
            minimum(fraction, precision) for fraction in (0.3, 0.1, 0.6)
        ]  # of the width that is Landau's: there can be a second minimum
        best = min((fit for fit in tried if fit.valid), key=lambda fit: fit.fval or 0.0, default=None)
        if best is not None:
            break
    if best is None:
        msg = f"{name}: the fit of the MIP peak near {peak:.4g} did not converge ({len(sample)} events): look at the spectrum of the calibration sample"
        raise CalibrationError(msg)
    best.strategy = 2  # exact second derivatives
    best.hesse()
    shape = MipShape(*(float(best.values[p]) for p in ("peak", "xi", "sigma")))
    errors = (float(best.errors["peak"]), float(best.errors["xi"]), float(best.errors["sigma"]))
    return MipFit(shape, errors, shape.mode, float(best.fval), bins - 3, len(sample), (low, high))
