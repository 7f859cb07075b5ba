"""Finished part of a run, kept on disk after every batch of chunks: `na64mu run --resume` continues from it.

A checkpoint is one JSON file (histograms as UHI) in <output>/.checkpoint/, written whole or not at all; its first line has the SHA-256 of the rest. It holds what the processor filled, which never contains anything of a blinded box, and what it belongs to: it is used only
if it is what was written, and by the same code, configuration, chunks and input, judged by content.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from na64mu.common.whole_file import write_whole
from na64mu.errors import CheckpointError, OutputError, writing
from na64mu.events.run_rows import RunSums
from na64mu.events.screening import FaultCount
from na64mu.execution.kept_values import decoded_value, encoded_value
from na64mu.results.cutflow import CutFlow
from na64mu.results.exact import ExactSum
from na64mu.results.losses import Loss
from na64mu.results.run import Counts, Timing
from na64mu.results.weighted_histogram import WeightedHistogram

__all__ = ("FOLDER", "Checkpoint", "decoded", "encoded")

FOLDER = ".checkpoint"
NAME = "finished.json"
FORMAT_VERSION = 2
#: Between the first two entries, which are the version and the SHA-256 of all that comes behind, and the others.
END_OF_SEAL = b",\n"

#: What the search returns as lists of plain values: the events of a box that is open.
PLAIN = ("in_box",)

#: What each part of an identity is called when it differs.
PARTS = {
    "code": "another version of the code",
    "packages": "other versions of numpy, awkward, uproot or another package",
    "configuration": "another selection, calibration, detector description, layout or processor",
    "inputs": "other input files, or files with other content",
    "chunks": "another chunk size or other options that cut the files into chunks",
}


@dataclass
class Checkpoint:
    """The checkpoint of one output folder.

    Attributes
    ----------
    output : Path
        The output folder.
    identity : dict
        Identity of the run that the results belong to: one entry for each of PARTS.
    resume : bool
        Whether to continue from the finished part.
    """

    output: Path
    identity: dict[str, Any]
    resume: bool = False

    @property
    def path(self) -> Path:
        """The file."""
        return self.output / FOLDER / NAME

    def load(self) -> tuple[int, dict[str, Any], list[tuple[str, str, int, int]]]:
        """Read the finished part of the run.

        Returns
        -------
        n : int
            Finished chunks, from the first one on.
        total : dict
            Sum of their results.
        gone : list of (str, str, int, int)
            Keys of chunks that could not be opened.

        Raises
        ------
        CheckpointError
            If it belongs to something else, or is damaged.
        """
        if not self.resume or not self.path.exists():
            self.remove()
            return 0, {}, []
        content = self._read()
        for part, meaning in PARTS.items():
            if content["identity"].get(part) != _plain(self.identity[part]):
                msg = f"{self.path}: the finished chunks are of {meaning}: run without --resume to begin again"
                raise CheckpointError(msg)
        try:
            n, gone = int(content["n"]), [(str(d), str(f), int(a), int(b)) for d, f, a, b in content["gone"]]
            return n, decoded(content["total"]), gone
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(self._damaged(error)) from error

    def _read(self) -> dict[str, Any]:
        import uhi.io.json

        try:
            text = self.path.read_bytes()
            content = json.loads(text, object_hook=uhi.io.json.object_hook)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise CheckpointError(self._damaged(error)) from error
        if not isinstance(content, dict) or content.get("format_version") != FORMAT_VERSION:
            raise CheckpointError(self._damaged("it is of another version"))
        if content.get("sha256") != hashlib.sha256(text.partition(END_OF_SEAL)[2]).hexdigest():
            raise CheckpointError(self._damaged("it is not what was written: it was damaged or edited"))
        if not isinstance(content.get("identity"), dict):
            raise CheckpointError(self._damaged("it is of another version"))
        return dict(content)

    def _damaged(self, why: object) -> str:
        reason = str(why).splitlines()[0][:160] if str(why) else type(why).__name__
        return f"{self.path}: the finished chunks cannot be read ({reason}): run without --resume to begin again"

    def save(self, n: int, total: Mapping[str, Any], gone: list[tuple[str, str, int, int]]) -> None:
        """Keep the sum of the first `n` chunks; the disk always holds either the old or the new state, never a mixture.

        Parameters
        ----------
        n : int
            Finished chunks.
        total : mapping
            Sum of their results.
        gone : list of (str, str, int, int)
            Keys of chunks that could not be opened.
        """
        import uhi.io.json

        content = {"identity": self.identity, "n": n, "gone": gone, "total": encoded(total)}
        body = json.dumps(content, default=uhi.io.json.default).encode()[1:]
        seal = {"format_version": FORMAT_VERSION, "sha256": hashlib.sha256(body).hexdigest()}
        with writing(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_whole(self.path, json.dumps(seal).encode()[:-1] + END_OF_SEAL + body)
        except OutputError:
            with suppress(OSError):  # an empty folder is not left
                self.path.parent.rmdir()
            raise

    def remove(self) -> None:
        """Forget everything; done when the output has been written."""
        shutil.rmtree(self.path.parent, ignore_errors=True)


def _plain(content: Any) -> Any:
    return json.loads(json.dumps(content))


def encoded(total: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of a search as plain values and UHI histograms.

    Parameters
    ----------
    total : mapping
        "datasets", "events", "timing" and "lost" as the search processor, or a processor of the user's own, returns them; each may be missing.

    Returns
    -------
    dict
        Ready for JSON with `uhi.io.json.default`.
    """
    content: dict[str, Any] = {"lost": [loss.to_dict() for loss in total.get("lost", [])]}
    if "datasets" in total:
        content["datasets"] = {
            name: _encoded_search(filled) if "cutflow" in filled else {key: encoded_value(value) for key, value in filled.items()}
            for name, filled in total["datasets"].items()
        }
        content["events"] = [[*key, n] for key, n in total["events"].items()]
        content["refused"] = [[*key, n] for key, n in total.get("refused", {}).items()]
        content["sums"] = [[*key, *asdict(sums).values()] for key, sums in total.get("sums", {}).items()]
        content["muons"] = [[*key, sorted(energies.items())] for key, energies in total.get("muons", {}).items()]
        content["faults"] = [[*key, count.to_dict()] for key, count in total.get("faults", {}).items()]
        content["timing"] = asdict(total["timing"])
    return content


def decoded(content: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `encoded`.

    Parameters
    ----------
    content : mapping
        From JSON with `uhi.io.json.object_hook`.

    Returns
    -------
    dict
        Result of the processor.
    """
    total: dict[str, Any] = {"lost": [Loss(**loss) for loss in content["lost"]]}
    if "datasets" in content:
        total["datasets"] = {
            name: _decoded_search(filled) if "cutflow" in filled else {key: decoded_value(value) for key, value in filled.items()}
            for name, filled in content["datasets"].items()
        }
        for name in ("events", "refused"):
            total[name] = {(str(d), str(f), int(run), int(config)): int(n) for d, f, run, config, n in content[name]}
        total["sums"] = {(str(d), str(f), int(run), int(config)): RunSums(*own) for d, f, run, config, *own in content["sums"]}
        total["muons"] = {(str(d), str(t), str(name)): Counter({int(b): int(n) for b, n in own}) for d, t, name, own in content["muons"]}
        total["faults"] = {(str(d), str(f), str(kind), str(col)): FaultCount.from_dict(n) for d, f, kind, col, n in content["faults"]}
        total["timing"] = Timing(**content["timing"])
    return total


def _encoded_search(filled: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "cutflow": _parts(filled["cutflow"].to_dict()),
        "histograms": {key: histogram.to_dict() for key, histogram in filled["histograms"].items()},
        "outside": filled["outside"],
        "regions": {region: _parts(asdict(counts)) for region, counts in filled["regions"].items()},
        **{key: filled[key] for key in PLAIN if key in filled},
    }


def _parts(content: Any) -> Any:
    """Plain values in which an exact sum is a list of the floats that it is the sum of."""
    if isinstance(content, dict):
        return {key: _parts(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_parts(value) for value in content]
    return {"exact": content.parts()} if isinstance(content, ExactSum) else content


def _summed(content: Any) -> Any:
    """The inverse of `_parts`."""
    if isinstance(content, dict):
        return (
            ExactSum.from_parts(content["exact"]) if set(content) == {"exact"} else {key: _summed(value) for key, value in content.items()}
        )
    return [_summed(value) for value in content] if isinstance(content, list) else content


def _decoded_search(filled: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "cutflow": CutFlow.from_dict(_summed(filled["cutflow"])),
        "histograms": {key: WeightedHistogram.from_dict(content) for key, content in filled["histograms"].items()},
        "outside": {key: int(n) for key, n in filled["outside"].items()},
        "regions": {region: Counts(**_summed(counts)) for region, counts in filled["regions"].items()},
        **{key: filled[key] for key in PLAIN if key in filled},
    }
