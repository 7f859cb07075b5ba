"""The likelihood for publication: a pyhf workspace of the backgrounds alone, and a patch set with the signal of every mass.

Samples of a channel have one bin. A log-normal systematic is a `normsys` with hi = 1 + r and lo = 1 / (1 + r), a Gaussian one a `histosys`;
pyhf's default interpolation of a normsys differs from (1 + r)^theta by less than 1e-4 for r up to 1.
Format: L. Heinrich, M. Feickert, G. Stark, K. Cranmer, pyhf: https://doi.org/10.5281/zenodo.1169739, schema version 1.0.0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from na64mu.common.whole_file import write_whole
from na64mu.errors import StatisticsError, writing
from na64mu.statistics.model import SIGNAL, CountingModel

__all__ = ("NO_RECORD", "PATCHSET", "WORKSPACE", "background_workspace", "full_workspace", "patch_name", "patchset", "write_workspace")

#: Name of the parameter of interest.
POI = "mu"
#: Files that `write_workspace` makes.
WORKSPACE, PATCHSET = "background_only.json", "patchset.json"
#: Provisional INSPIRE ID of a publication that does not exist yet: the patch-set schema requires one of seven digits.
NO_RECORD = 9_999_999
#: Largest number of signal events of all channels that a fit may try, at the least, and in terms of the events that are seen and expected.
LARGEST_SIGNAL, TIMES_ALL = 100.0, 3.0


def _modifiers(model: CountingModel, sample: str, channel: int) -> list[dict[str, Any]]:
    modifiers: list[dict[str, Any]] = []
    expected = model.expected(sample)[channel]
    for nuisance in model.nuisances:
        r = nuisance.size(sample, channel)
        if r == 0:
            continue
        if nuisance.systematic.shape == "lognormal":
            modifiers.append({"name": nuisance.name, "type": "normsys", "data": {"hi": 1.0 + r, "lo": 1.0 / (1.0 + r)}})
        else:
            data = {"hi_data": [expected * (1.0 + r)], "lo_data": [expected * (1.0 - r)]}
            modifiers.append({"name": nuisance.name, "type": "histosys", "data": data})
    if sample == SIGNAL:
        modifiers.append({"name": POI, "type": "normfactor", "data": None})
    return modifiers


def _sample(model: CountingModel, sample: str, channel: int) -> dict[str, Any]:
    return {"name": sample, "data": [model.expected(sample)[channel]], "modifiers": _modifiers(model, sample, channel)}


def _poi_settings(model: CountingModel, observed: Sequence[float]) -> dict[str, Any]:
    largest = max(LARGEST_SIGNAL, TIMES_ALL * (sum(observed) + model.total_background))
    return {"name": POI, "inits": [1.0 / model.total_signal], "bounds": [[0.0, largest / model.total_signal]]}


def _workspace(model: CountingModel, observed: Sequence[float], samples: Sequence[str], config: dict[str, Any]) -> dict[str, Any]:
    return {
        "channels": [{"name": channel, "samples": [_sample(model, s, c) for s in samples]} for c, channel in enumerate(model.channels)],
        "observations": [{"name": channel, "data": [float(n)]} for channel, n in zip(model.channels, observed, strict=True)],
        "measurements": [{"name": "search", "config": config}],
        "version": "1.0.0",
    }


def background_workspace(model: CountingModel, observed: Sequence[float]) -> dict[str, Any]:
    """Make the pyhf workspace of the backgrounds alone, with the data.

    Parameters
    ----------
    model : CountingModel
    observed : sequence of float
        Counts per channel.

    Returns
    -------
    dict
        Follows the schema of pyhf.
    """
    if not model.backgrounds:
        msg = "a background-only workspace of a model without backgrounds has no samples: give the model its backgrounds"
        raise StatisticsError(msg)
    return _workspace(model, observed, tuple(model.backgrounds), {"poi": "", "parameters": []})


def full_workspace(model: CountingModel, observed: Sequence[float]) -> dict[str, Any]:
    """Make the pyhf workspace with the signal, as it is after patching."""
    return _workspace(model, observed, model.samples, {"poi": POI, "parameters": [_poi_settings(model, observed)]})


def patch_name(mass: float) -> str:
    """Name of the patch of a mass [GeV]: "mass_100MeV", "mass_2p5MeV"."""
    return "mass_" + re.sub(r"[^0-9]", "p", f"{1000.0 * mass:.6g}").strip("p") + "MeV"


def patchset(background: dict[str, Any], models: dict[float, CountingModel], *, g_ref: float, inspire: int) -> dict[str, Any]:
    """The signals of all masses as patches of a background-only workspace.

    Parameters
    ----------
    background : dict
        Workspace of the backgrounds, from `background_workspace`.
    models : dict of float to CountingModel
        Mass [GeV] -> model with the signal at `g_ref`.
    g_ref : float
        Coupling at which mu = 1.
    inspire : int
        INSPIRE number of the publication (seven digits): the schema wants the HEPData record that the likelihood belongs to.

    Returns
    -------
    dict
        Follows the schema of pyhf; its digest is that of `background`.

    Raises
    ------
    StatisticsError
        If two masses get the same name, a model has other backgrounds, or the INSPIRE number is impossible.
    """
    import pyhf

    if not 1_000_000 <= inspire <= 9_999_999:
        msg = f"INSPIRE number {inspire}: seven digits are wanted, the number in the address of the publication's INSPIRE record"
        raise StatisticsError(msg)
    names = [patch_name(mass) for mass in models]
    if len(set(names)) != len(names):
        msg = f"masses {sorted(models)} GeV: two of them agree to six digits and would share a patch; leave one out"
        raise StatisticsError(msg)
    observed = [n for row in background["observations"] for n in row["data"]]
    for mass, model in models.items():
        if background_workspace(model, observed) != background:
            msg = f"the model of mass {mass:g} GeV has other channels, backgrounds or background systematics than the background-only workspace: they must agree for all masses"
            raise StatisticsError(msg)
    return {
        "version": "1.0.0",
        "metadata": {
            "references": {"hepdata": f"ins{inspire}"},
            "digests": {"sha256": pyhf.utils.digest(background, algorithm="sha256")},
            "labels": ["mass_GeV", "g_ref"],
            "description": "Signal of the NA64mu search for every mass at the coupling g_ref; the signal strength mu scales as (g / g_ref)^2",
        },
        "patches": [
            {"metadata": {"name": name, "values": [mass, g_ref]}, "patch": _patch(model, observed)}
            for name, (mass, model) in zip(names, models.items(), strict=True)
        ],
    }


def _patch(model: CountingModel, observed: Sequence[float]) -> list[dict[str, Any]]:
    signals = [{"op": "add", "path": f"/channels/{c}/samples/0", "value": _sample(model, SIGNAL, c)} for c in range(len(model.channels))]
    config = "/measurements/0/config"
    return [
        *signals,
        {"op": "replace", "path": f"{config}/poi", "value": POI},
        {"op": "add", "path": f"{config}/parameters/-", "value": _poi_settings(model, observed)},
    ]


def write_workspace(
    folder: str | Path, models: dict[float, CountingModel], observed: Sequence[float], *, g_ref: float, inspire: int
) -> tuple[Path, Path]:
    """Write background_only.json and patchset.json, both checked by pyhf.

    Parameters
    ----------
    folder : str or Path
        Made if it does not exist.
    models : dict of float to CountingModel
        Mass [GeV] -> model with the signal at `g_ref`; the backgrounds are the same for all.
    observed : sequence of float
        Counts per channel.
    g_ref : float
        Coupling at which mu = 1.
    inspire : int
        INSPIRE number of the publication.

    Returns
    -------
    (Path, Path)
        The two files.

    Raises
    ------
    StatisticsError
        If there is no mass, or the models do not share their backgrounds.
    """
    import pyhf

    if not models:
        msg = "no mass to publish: give at least one model"
        raise StatisticsError(msg)
    background = background_workspace(next(iter(models.values())), observed)
    patches = patchset(background, models, g_ref=g_ref, inspire=inspire)
    workspace = pyhf.Workspace(background)  # checks the schema
    pyhf.PatchSet(patches).verify(workspace)
    path = Path(folder)
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
    for name, content in ((WORKSPACE, background), (PATCHSET, patches)):
        write_whole(path / name, json.dumps(content, indent=1) + "\n")
    return path / WORKSPACE, path / PATCHSET
