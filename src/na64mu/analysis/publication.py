"""Files that publish the limits: tables, the likelihood for pyhf, one mass as HS3, and the HEPData submission."""

from __future__ import annotations

import logging
import math
from pathlib import Path

from na64mu.analysis.backgrounds.table import PUBLISHED, BackgroundTable, Entry, Row
from na64mu.analysis.hepdata import DarkLimits, Publication, write_hepdata
from na64mu.analysis.limits import METHODS, SearchLimits
from na64mu.analysis.limits_files import write_tables
from na64mu.errors import InputError
from na64mu.statistics.hs3 import write_hs3
from na64mu.statistics.workspace import NO_RECORD, write_workspace

__all__ = ("observed_counts", "publication_of", "write_likelihood", "write_limits")

logger = logging.getLogger(__name__)


def observed_counts(limits: SearchLimits, why: str = "") -> list[float]:
    """Events in the box of every configuration of the models.

    Parameters
    ----------
    limits : SearchLimits
    why : str
        Purpose that needs the counts: the beginning of the message if there are none.

    Returns
    -------
    list of float

    Raises
    ------
    InputError
        If the box is blinded, or the exposure a projection.
    """
    if limits.counting.observed is None:
        raise InputError(why)
    return [limits.counting.observed[i] for i in limits.counting.used]


def write_limits(
    limits: SearchLimits,
    folder: Path,
    *,
    inspire: int | None = None,
    hs3_mass: float | None = None,
    hepdata: bool = False,
) -> list[Path]:
    """Write limits.csv, yields.csv, systematics.csv and the likelihood; on request, HS3 and the HEPData submission.

    Parameters
    ----------
    limits : SearchLimits
    folder : Path
        Exists.
    inspire : int, optional
        INSPIRE number of the publication.
    hs3_mass : float, optional
        Mass [GeV]; the likelihood of the nearest one of the scan is written as HS3.
    hepdata : bool
        Whether the HEPData submission is written.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    InputError
        If a likelihood with counts is requested and there are none.
    """
    files = write_tables(limits, folder) + write_likelihood(limits, folder, inspire)
    if hs3_mass is not None:
        counts = observed_counts(limits, "--hs3: the likelihood needs counts; leave out --n-mot, and unblind the signal box")
        mass = min(limits.models, key=lambda m: abs(math.log(m / hs3_mass)))
        files.append(write_hs3(folder / f"hs3_{1000 * mass:g}MeV.json", limits.models[mass], counts))
    if hepdata:
        files.append(write_hepdata(folder / "hepdata", publication_of(limits, inspire)))
    return files


def write_likelihood(limits: SearchLimits, folder: Path, inspire: int | None = None) -> list[Path]:
    """Write the pyhf files; none while the box is blinded, or where no background is expected: its format has no channel without one."""
    if limits.is_blinded:
        return []
    if not any(limits.counting.backgrounds.values()):
        logger.warning("no likelihood for pyhf is written: no background is expected, and the format knows no channel without one")
        return []
    counts = observed_counts(limits)
    return list(write_workspace(folder, limits.models, counts, g_ref=limits.yields.g_ref, inspire=inspire or NO_RECORD))


def publication_of(limits: SearchLimits, inspire: int | None = None) -> Publication:
    """Collect the content of the HEPData submission.

    Raises
    ------
    InputError
        If there are expected limits only.
    """
    counts = observed_counts(
        limits, "--hepdata: expected limits alone are not a result to publish; leave out --n-mot, and unblind the signal box"
    )
    used = list(limits.counting.used)
    efficiencies = {float(m): e[used].tolist() for m, e in zip(limits.masses, limits.yields.total_efficiency, strict=True)}
    y = f"y = (g g_chi)^2 (m_chi / M)^4 with g_chi = {limits.dark.dark_coupling:g}, M = {limits.dark.ratio:g} m_chi, {limits.dark.kind} dark matter"
    return Publication(
        limits.scan,
        limits.models,
        counts,
        inspire or NO_RECORD,
        efficiencies,
        backgrounds=_background_table(limits),
        exposures=[limits.counting.exposures[i] for i in used],
        dark=DarkLimits(limits.m_chi, {method: limits.y(method) for method in METHODS}, y),
    )


def _background_table(limits: SearchLimits) -> BackgroundTable:
    """The backgrounds of the counting beside those of Table I."""
    counting = limits.counting
    estimated = {name: Entry(events, counting.errors.get(name, 0.0)) for name, events in counting.backgrounds.items()}
    ours = estimated | {name: Entry(events, is_upper=True) for name, events in counting.bounds.items()}
    unknown = Entry(math.nan)
    rows = [
        Row(name, PUBLISHED.get(name, (name, unknown))[0], PUBLISHED.get(name, (name, unknown))[1], entry) for name, entry in ours.items()
    ]
    return BackgroundTable(tuple(rows), sum(counting.exposures))
