"""The likelihood in the HEP Statistics Serialization Standard (HS3), version 0.2: distributions, data, likelihood, domains and parameter points in one JSON.

https://github.com/hep-statistics-serialization-standard. Each channel is a `histfactory_dist` with one bin. The interpolation of a `normsys` is left at the
default, whose value at one standard deviation is (1 + r) and 1 / (1 + r). The constraint of a modifier is written in both ways that readers know: as the
type word of version 0.2 (`parameter`, `constraint`), and as the names of parameters and of distributions that are defined in the document (`parameters`,
`constraints`), which the next version of the standard has instead and ROOT writes. A reader takes one of the two, so nothing counts twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from na64mu import __version__
from na64mu.common.whole_file import write_whole
from na64mu.statistics.model import CountingModel
from na64mu.statistics.workspace import POI, full_workspace

__all__ = ("hs3_document", "write_hs3")

HS3_VERSION = "0.2"
#: Range of a nuisance parameter in standard deviations, and of the signal strength in signal events.
NUISANCE_RANGE = 5.0
LIKELIHOOD, ANALYSIS, DOMAIN, NOMINAL = "likelihood", "search", "default_domain", "nominal"


def _modifier(modifier: dict[str, Any]) -> dict[str, Any]:
    name, kind = modifier["name"], modifier["type"]
    if kind == "normfactor":
        return {"name": name, "type": kind, "parameter": name}
    data = modifier["data"]
    if kind == "histosys":
        data = {"hi": {"contents": data["hi_data"]}, "lo": {"contents": data["lo_data"]}}
    by_word = {"parameter": f"alpha_{name}", "constraint": "Gauss"}
    by_name = {"parameters": [f"alpha_{name}"], "constraints": [_constraint(f"alpha_{name}")]}
    return {"name": name, "type": kind, **by_word, **by_name, "data": data}


def _constraint(parameter: str) -> str:
    """Name of the distribution that holds a nuisance parameter."""
    return f"{parameter}_constraint"


def hs3_document(model: CountingModel, observed: Sequence[float]) -> dict[str, Any]:
    """The whole model as one HS3 document.

    Parameters
    ----------
    model : CountingModel
        Model with the signal of one mass at mu = 1.
    observed : sequence of float
        Counts per channel.

    Returns
    -------
    dict
        Ready for JSON.
    """
    spec = full_workspace(model, observed)
    axes = {c["name"]: {"name": f"obs_{c['name']}", "min": 0.0, "max": 1.0, "nbins": 1} for c in spec["channels"]}
    settings = spec["measurements"][0]["config"]["parameters"][0]
    nuisances = [f"alpha_{nuisance.name}" for nuisance in model.nuisances]
    low, high = settings["bounds"][0]
    return {
        "metadata": {
            "hs3_version": HS3_VERSION,
            "packages": [{"name": "na64mu", "version": __version__}],
            "description": "NA64mu search: one counting channel per trigger configuration; mu = 1 is the signal at the reference coupling",
        },
        "distributions": [
            {
                "name": channel["name"],
                "type": "histfactory_dist",
                "axes": [axes[channel["name"]]],
                "samples": [
                    {
                        "name": s["name"],
                        "data": {"contents": s["data"], "errors": [0.0]},
                        "modifiers": [_modifier(m) for m in s["modifiers"]],
                    }
                    for s in channel["samples"]
                ],
            }
            for channel in spec["channels"]
        ]
        + [{"name": _constraint(name), "type": "gaussian_dist", "x": name, "mean": 0.0, "sigma": 1.0} for name in nuisances],
        "data": [
            {"name": f"data_{row['name']}", "type": "binned", "contents": row["data"], "axes": [axes[row["name"]]]}
            for row in spec["observations"]
        ],
        "likelihoods": [
            {"name": LIKELIHOOD, "distributions": list(model.channels), "data": [f"data_{channel}" for channel in model.channels]}
        ],
        "analyses": [{"name": ANALYSIS, "likelihood": LIKELIHOOD, "parameters_of_interest": [POI], "domains": [DOMAIN], "init": NOMINAL}],
        "domains": [
            {
                "name": DOMAIN,
                "type": "product_domain",
                "axes": [
                    {"name": POI, "min": low, "max": high},
                    *({"name": name, "min": -NUISANCE_RANGE, "max": NUISANCE_RANGE} for name in nuisances),
                ],
            }
        ],
        "parameter_points": [
            {
                "name": NOMINAL,
                "parameters": [{"name": POI, "value": 1.0}, *({"name": name, "value": 0.0} for name in nuisances)],
            }
        ],
    }


def write_hs3(path: str | Path, model: CountingModel, observed: Sequence[float]) -> Path:
    """Write the model of one mass as HS3 JSON.

    Parameters
    ----------
    path : str or Path
        File to write.
    model : CountingModel
    observed : sequence of float
        Counts per channel.

    Returns
    -------
    Path
        The file.
    """
    target = Path(path)
    write_whole(target, json.dumps(hs3_document(model, observed), indent=1) + "\n")
    return target
