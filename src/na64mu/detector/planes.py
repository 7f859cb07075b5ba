"""Names of all read-out planes of a set-up and how many channels each has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from na64mu.detector.description import Detector

__all__ = ("plane_sizes",)

VIEWS = ("x", "y")


def plane_sizes(detector: Detector) -> dict[str, int]:
    """Planes by the names that a conditions file uses.

    Parameters
    ----------
    detector : Detector
        The description.

    Returns
    -------
    dict of str to int
        mm5_x, gem2_y, bms3, st4_y1 (layer), ecal0, ecal1, vhcal, hcal1, hcal2, veto, counter -> number of channels.
    """
    sizes = {f"bms{b.station}": sum(b.row_slabs) for b in detector.bms}
    sizes |= {f"mm{m.module}_{VIEWS[v]}": m.channels[v] for m in detector.micromegas for v in (0, 1)}
    sizes |= {f"gem{g.module}_{VIEWS[v]}": g.strips for g in detector.gem for v in (0, 1)}
    sizes |= {f"st{s.module}_{VIEWS[v]}{layer}": s.wires[v] for s in detector.straws for v in (0, 1) for layer in (0, 1)}
    ecal, vhcal, hcal = (c.cells[0] * c.cells[1] for c in (detector.ecal, detector.vhcal, detector.hcal))
    sizes |= {"ecal0": ecal, "ecal1": ecal, "vhcal": vhcal}
    sizes |= {f"hcal{module}": hcal for module in range(1, len(detector.hcal.front) + 1)}
    return sizes | {"veto": 2 * detector.veto.panels, "counter": 1 + max(c.id for c in detector.counters)}
