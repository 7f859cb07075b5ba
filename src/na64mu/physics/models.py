"""What a limit can be read for: the bosons that are simulated, and models that are made of the same production with other decays, couplings or pairs.

Left out for want of a published formula that could be checked here: a spin-2 mediator (arXiv:2210.00751 and 2412.10150 have one), muon-to-tau conversion
(its final state is another), and axion-like particles that couple to photons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from na64mu.physics.alps import HEAVIEST
from na64mu.physics.bosons import BOSONS, Boson, Mediator
from na64mu.physics.constants import ALPHA
from na64mu.physics.pairs import Pairs
from na64mu.typing import FloatArray

__all__ = ("MODELS", "Model")


@dataclass(frozen=True)
class Model(Boson):
    """A model besides the bosons that are simulated; `process` and `mediator` are those of the boson that it is made as.

    Attributes
    ----------
    unit : str
        Unit of the coupling that is quoted; empty if it has none.
    scale : float
        The coupling that is quoted, over g of the muon.
    heaviest : float
        Mass above which the model is not valid, or its decays are seen [GeV].
    is_alp : bool
        Whether it decays to photons by a muon loop.
    is_derivative : bool
        Whether an axion-like particle couples by its derivative.
    pairs : Pairs or None
        How a pair is made; the mass is then that of one of the two, and the coupling the one that is quoted.
    source : str
        Where the formula is published.
    """

    unit: str = ""
    scale: float = 1.0
    heaviest: float = math.inf
    is_alp: bool = False
    is_derivative: bool = False
    pairs: Pairs | None = None
    source: str = ""

    def coupling(self, g: FloatArray) -> FloatArray:
        """The coupling that is quoted, from the coupling g to muons."""
        return self.scale * g


#: Name -> what `na64mu limits --model` reads a limit for. A further one is an entry here.
MODELS: dict[str, Boson] = BOSONS | {
    model.name: model
    for model in (
        Model(
            "alp", "axion-like particle, derivative coupling", Mediator.PSEUDOSCALAR, 22, "g_amumu", unit="1/GeV", scale=1.0 / HEAVIEST,
            heaviest=HEAVIEST, is_alp=True, is_derivative=True, source="arXiv:2501.06294, 1708.00443",
        ),
        Model(
            "alp-pseudoscalar", "axion-like particle, pseudoscalar coupling", Mediator.PSEUDOSCALAR, 22, heaviest=HEAVIEST, is_alp=True,
            source="arXiv:2504.05873",
        ),
        Model(
            "millicharge", "pairs of particles of charge epsilon e", Mediator.VECTOR, 20, "epsilon", pairs=Pairs((4.0 * math.pi * ALPHA) ** 2),
            source="arXiv:1810.06856, 2505.04295",
        ),
        Model(
            "massless", "pairs by a massless gauge boson of muons", Mediator.VECTOR, 20, "gg_chi", pairs=Pairs(), source="arXiv:2501.06294",
        ),
        Model(
            "contact", "pairs by (mubar gamma mu)(chibar gamma chi)", Mediator.VECTOR, 20, "C", unit="1/GeV^2", pairs=Pairs(is_contact=True),
            source="arXiv:2511.11801",
        ),
        Model(
            "contact-chiral", "pairs by (mubar gamma P_L mu)(chibar gamma P_R chi)", Mediator.VECTOR, 20, "C", unit="1/GeV^2", heaviest=0.1,
            pairs=Pairs(is_contact=True, is_chiral=True), source="arXiv:2511.11801",
        ),
    )
}  # fmt: skip
