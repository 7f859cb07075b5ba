"""The read-out of a set-up for the kernels that make digits: trackers by kind, and what measures energies.

Lengths mm, times ns, energies as in the raw tree.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from na64mu.compiled.records import record_kind, records
from na64mu.detector import Detector
from na64mu.detector.readout import banks, readout_planes
from na64mu.errors import DetectorError
from na64mu.events.schema_v1 import COLLECTIONS
from na64mu.simulation.digitisers import DIGITISERS, Digitiser
from na64mu.typing import FloatArray, Record

__all__ = ("EnergyReadout", "Readout", "build_readout")

#: How a cell is read out: relative resolution, threshold, and resolution in time.
RESPONSE = record_kind("resolution threshold sigma_t")


class EnergyReadout(NamedTuple):
    """Counters, VETO and calorimeters.

    Attributes
    ----------
    counter_sigma_t : FloatArray
        Resolution in time of every counter, shape (n_counters,).
    veto_response, ecal_response, vhcal_response, hcal_response : Record
        Records of the kind RESPONSE.
    counter, veto : FloatArray
        Gain of every channel, 0 of a dead one.
    ecal, vhcal, hcal : FloatArray
        Gain of every cell, 0 of a dead one, shape (n_sections, n_x, n_y).
    """

    counter_sigma_t: FloatArray
    veto_response: Record
    ecal_response: Record
    vhcal_response: Record
    hcal_response: Record
    counter: FloatArray
    veto: FloatArray
    ecal: FloatArray
    vhcal: FloatArray
    hcal: FloatArray


class Readout(NamedTuple):
    """The read-out of a set-up under its conditions.

    Attributes
    ----------
    trackers : tuple of (Digitiser, Any)
        Every digitiser that the set-up needs, and what it has prepared.
    energies : EnergyReadout
        What measures energies.
    """

    trackers: tuple[tuple[Digitiser, Any], ...]
    energies: EnergyReadout


def _gains(detector: Detector, kind: str) -> FloatArray:
    """Gain of every channel of a kind, 0 of a dead one, bank by bank."""
    own = [bank for bank in banks(detector).values() if bank.kind == kind]
    return np.stack([np.where(bank.alive, bank.gain, 0.0).reshape(bank.shape) for bank in own])


def _energies(detector: Detector) -> EnergyReadout:
    veto, cells = detector.veto, (detector.ecal, detector.vhcal, detector.hcal)
    rows = [(veto.end_resolution, veto.threshold, veto.sigma_t), *((c.cell_resolution, c.threshold, c.sigma_t) for c in cells)]
    responses = records(rows, RESPONSE)
    return EnergyReadout(
        counter_sigma_t=np.array([c.sigma_t for c in sorted(detector.counters, key=lambda c: c.id)]),
        veto_response=responses[0],
        ecal_response=responses[1],
        vhcal_response=responses[2],
        hcal_response=responses[3],
        counter=_gains(detector, "counter")[0],
        veto=_gains(detector, "veto")[0],
        ecal=_gains(detector, "ecal"),
        vhcal=_gains(detector, "vhcal"),
        hcal=_gains(detector, "hcal"),
    )


def build_readout(detector: Detector) -> Readout:
    """The read-out of a set-up for the digitisation kernels.

    Parameters
    ----------
    detector : Detector
        The description; its `operation` are the conditions.

    Returns
    -------
    Readout
        Plain arrays.

    Raises
    ------
    DetectorError
        If the set-up has a kind of tracker without a digitiser.
    """
    kinds = dict.fromkeys(p.kind for p in readout_planes(detector))
    unknown = [kind for kind in kinds if kind not in DIGITISERS]
    if unknown:
        msg = (
            f"detector {detector.tag!r} has trackers of the kind {unknown[0]!r}, which has no digitiser: known are {', '.join(DIGITISERS)}"
        )
        raise DetectorError(msg)
    # the collections that every raw tree has are there without modules too
    needed = dict.fromkeys(digitiser for kind, digitiser in DIGITISERS.items() if kind in kinds or kind in COLLECTIONS)
    return Readout(tuple((digitiser, digitiser.prepare(detector)) for digitiser in needed), _energies(detector))
