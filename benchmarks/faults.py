"""What happens to a run when its input is damaged: `python benchmarks/faults.py [FILES...] [--bits 200]`.

Takes raw trees (by default the shipped sample's), does one thing to them at a time, and prints what was reported, what was lost, and
whether the result is that of the good part and the exposure is lowered by exactly the right amount. The last table flips bits at
random places of a file and counts what a run and a check say; a file without checksums stands beside it.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import uproot
from rich.console import Console
from rich.table import Table

from na64mu.errors import Na64muError
from na64mu.events.batch import RawBatch, concatenate
from na64mu.events.checker import check_file
from na64mu.events.checksums import NAME
from na64mu.events.reader import read_batch, read_runs
from na64mu.events.writer import RawTreeWriter
from na64mu.execution import run_search
from na64mu.execution.reconstruct import reconstruct_files
from na64mu.execution.skim import selected
from na64mu.inputs import raw_chunks
from na64mu.reconstruction import summary as reconstruction

DEFAULT = Path(__file__).parents[1] / "data" / "sample" / "calibration_1.root"
SIZE = 200  # events per cluster
REFUSED = -1  # in the place of the events expected


def search(files: Any, **options: Any) -> Any:
    return run_search(files, progress=False, chunksize=SIZE, **options)


def write(path: Path, batches: list[Any], rows: list[dict[str, Any]]) -> Path:
    """A file with small clusters."""
    with RawTreeWriter(path) as writer:
        for batch in batches:
            writer.extend(batch)
        writer.finish(rows)
    return path


def some(batch: Any, start: int, stop: int) -> Any:
    return selected(batch, (np.arange(len(batch)) >= start) & (np.arange(len(batch)) < stop))


def basket_of(path: Path, branch: str, basket: int, tree: str = "events") -> tuple[int, int]:
    with uproot.open(path) as file:
        owner = file[tree][branch]
        return int(owner.member("fBasketSeek")[basket]), int(owner.member("fBasketBytes")[basket])


def overwrite(path: Path, start: int, content: bytes) -> None:
    with path.open("r+b") as stream:
        stream.seek(start)
        stream.write(content)


class Faults:
    """Every method does one thing to a copy of the good file; it returns the files to run on, and the events and share of MOT expected."""

    def __init__(self, folder: Path, source: Path) -> None:
        self.folder, self.rows = folder, read_runs(source)
        self.batch = read_batch(source)
        self.n = len(self.batch) // SIZE * SIZE
        self.batch = some(self.batch, 0, self.n)
        self.good = write(folder / "good.root", [some(self.batch, i, i + SIZE) for i in range(0, self.n, SIZE)], self.rows)
        self.during: Callable[[], Any] = lambda: None  # done when the first events are reconstructed

    memory: int | None = None

    def copy(self, name: str) -> Path:
        """The good file under another name."""
        return Path(shutil.copy(self.good, self.folder / name))

    def rewritten(self, name: str, batches: list[Any], rows: list[dict[str, Any]] | None = None) -> Path:
        """Other events in a file."""
        return write(self.folder / name, batches, self.rows if rows is None else rows)

    def empty_file(self) -> tuple[list[Path], int, float]:
        """Zero bytes."""
        (self.folder / "empty.root").touch()
        return [self.good, self.folder / "empty.root"], self.n, 1.0

    def text_file(self) -> tuple[list[Path], int, float]:
        """Not a ROOT file."""
        (self.folder / "text.root").write_text("not a tree")
        return [self.good, self.folder / "text.root"], self.n, 1.0

    def truncated_file(self) -> tuple[list[Path], int, float]:
        """Half of the bytes."""
        path = self.copy("cut.root")
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        return [self.good, path], self.n, 1.0

    def missing_file(self) -> tuple[list[Path], int, float]:
        """A name without a file."""
        return [self.good, self.folder / "gone.root"], self.n, 1.0

    def copy_under_another_name(self) -> tuple[list[Path], int, float]:
        """The same content twice."""
        return [self.good, self.copy("copied.root")], self.n, 1.0

    def half_the_events_again_in_another_file(self) -> tuple[list[Path], int, float]:
        """Other content, the same events."""
        return [self.good, self.rewritten("half.root", [some(self.batch, 0, self.n // 2)])], self.n, 1.0

    def events_twice_in_one_file(self) -> tuple[list[Path], int, float]:
        """Fifty events again at the end."""
        return [self.rewritten("twice.root", [concatenate([self.batch, some(self.batch, 7, 57)])])], self.n, 1.0

    def two_copies_joined_to_one_file(self) -> tuple[list[Path], int, float]:
        """Events and bookkeeping twice, as after joining files."""
        return [self.rewritten("joined.root", [self.batch, self.batch], [*self.rows, *self.rows])], self.n, 1.0

    def bookkeeping_without_the_run(self) -> tuple[list[Path], int, float]:
        """The row in `runs` is of another run."""
        return [self.rewritten("norow.root", [self.batch], [row | {"run": row["run"] + 1} for row in self.rows])], self.n, 0.0

    def basket_overwritten(self) -> tuple[list[Path], int, float]:
        """A basket that cannot be unpacked."""
        path = self.copy("basket.root")
        seek, size = basket_of(path, "mm_channel", 1)
        overwrite(path, seek + size // 2, b"\xff" * (size - size // 2))
        return [path], self.n - SIZE, 1 - SIZE / self.n

    def flip_that_still_unpacks(self) -> tuple[list[Path], int, float]:
        """The first literal byte of a zstd frame changes a number and nothing else."""
        for at in range(40, 4000):
            path = self.copy("flip.root")
            seek, size = basket_of(path, "ecal_energy", 1)
            if at >= size:
                break
            byte = path.read_bytes()[seek + at]
            overwrite(path, seek + at, bytes([byte ^ 1]))
            with uproot.open(path) as file:
                try:
                    changed = file["events"]["ecal_energy"].array(library="ak").to_list()
                except Exception:  # noqa: BLE001  # this one does not unpack
                    continue
            with uproot.open(self.good) as file:
                if changed != file["events"]["ecal_energy"].array(library="ak").to_list():
                    return [path], self.n - SIZE, 1 - SIZE / self.n
        msg = "no flip unpacks"
        raise RuntimeError(msg)

    def flip_in_the_muons_on_target(self) -> tuple[list[Path], int, float]:
        """One bit of n_mot."""
        path = self.copy("mot.root")
        seek, size = basket_of(path, "n_mot", 0, "runs")
        overwrite(path, seek + size - 1, bytes([path.read_bytes()[seek + size - 1] ^ 1]))
        return [self.good, path], self.n, 1.0

    def no_bookkeeping_at_all(self) -> tuple[list[Path], int, float]:
        """The tree `runs` is renamed."""
        path = self.copy("noruns.root")
        path.write_bytes(path.read_bytes().replace(b"\x04runs", b"\x04ruin"))
        return [self.good, path], self.n, 1.0

    def file_that_vanishes_in_the_run(self) -> tuple[list[Path], int, float]:
        """The second file is removed when the first one is processed."""
        path = self.rewritten("vanishing.root", [self._later()])
        self.during = lambda: path.unlink(missing_ok=True)
        return [self.good, path], self.n, 1.0

    def file_that_is_rewritten_in_the_run(self) -> tuple[list[Path], int, float]:
        """The second file is written again when the first one is processed: nobody knows what would be counted."""
        path = self.rewritten("changing.root", [self._later()])
        self.during = lambda: self.rewritten("changing.root", [self._later()])
        return [self.good, path], REFUSED, 0.0

    def summary_with_a_flipped_byte(self) -> tuple[list[Path], int, float]:
        """Event summaries in Parquet: one byte in the middle of the momenta of the second part."""
        import pyarrow.parquet as pq

        path = self.folder / "summary.parquet"
        reconstruct_files(self.good, path, chunksize=SIZE)
        group = pq.read_metadata(path).row_group(1)
        column = next(c for c in map(group.column, range(group.num_columns)) if c.path_in_schema == "p_out")
        content = bytearray(path.read_bytes())
        content[(column.dictionary_page_offset or column.data_page_offset) + column.total_compressed_size // 2] ^= 1
        path.write_bytes(content)
        return [path], self.n - SIZE, 1 - SIZE / self.n

    def chunk_that_needs_too_much_memory(self) -> tuple[list[Path], int, float]:
        """Every chunk behind the first asks for 20 GB under a limit of 4 GB."""
        calls: list[int] = []

        def greedy() -> None:
            calls.append(1)
            if len(calls) > 2:  # the first one is a single event, which loads the kernels
                np.ones(20 * 10**9, np.uint8)

        self.during, self.memory = greedy, 4 * 10**9
        return [self.good], SIZE, SIZE / self.n

    def _later(self) -> Any:
        """The same events under other numbers."""
        return RawBatch(self.batch.scalars | {"event": self.batch.scalars["event"] + np.uint64(10**6)}, self.batch.collections)


def searched(faults: Faults, files: Any, **options: Any) -> Any:
    """A run in which something happens."""
    plain = reconstruction.reconstruct

    def with_accident(batch: Any, detector: Any) -> Any:
        faults.during()
        return plain(batch, detector)

    reconstruction.reconstruct = with_accident
    raw_chunks._LOADED.clear()
    try:
        return search(files, memory=faults.memory, **options)
    finally:
        reconstruction.reconstruct = plain


def run_faults(faults: Faults, console: Console) -> int:
    """Print the table; number of rows that are not as they should be."""
    good = search(faults.good)
    table = Table("what was done", "exit", "reported", "lost", "events", "expected", "MOT read", "expected", "right", "--strict")
    names = [name for name in vars(Faults) if not name.startswith("_") and name not in ("copy", "rewritten", "memory")]
    wrong = 0
    for name in names:
        faults.during, faults.memory = lambda: None, None
        files, events, share = getattr(faults, name)()
        try:
            result = searched(faults, files)
        except Na64muError as error:
            right = events == REFUSED
            text = str(error).splitlines()[-1].replace(f"{faults.folder}/", "")[:150]
            row = (
                "everything",
                "0",
                "refused" if right else str(events),
                "0",
                "refused" if right else "",
                "yes" if right else "NO",
                "stopped",
            )
            table.add_row(name.replace("_", " "), "1", text, *row)
            wrong += not right
            continue
        reported = [loss.reason.replace(f"{faults.folder}/", "") for loss in result.losses if loss.is_damage]
        mot = sum(result.exposure.n_mot(dataset) for dataset in result.exposure.datasets)
        expected_mot = share * good.exposure.n_mot()
        right = result.total.counts[0] == events and abs(mot - expected_mot) <= 1e-9 * expected_mot and bool(reported)
        right &= events != faults.n or result.total.counts == good.total.counts
        wrong += not right
        faults.during, faults.memory = lambda: None, None
        files, *_ = getattr(faults, name)()
        try:
            searched(faults, files, strict=True)
            strict = "went on"
        except Na64muError:
            strict = "stopped"
        shown = reported[0][:150] if reported else "nothing"
        lost = ", ".join(sorted({loss.kind for loss in result.losses if loss.is_damage}))
        part = sum(loss.entry_stop - loss.entry_start for loss in result.losses if loss.kind == "chunk")
        row = (f"{lost} ({part} entries)" if part else lost, str(result.total.counts[0]), str(events))
        row += (f"{mot:.1f}", f"{expected_mot:.1f}")
        table.add_row(name.replace("_", " "), str(result.exit_code), shown, *row, "yes" if right else "NO", strict)
    console.print(table)
    return wrong


def outcome(path: Path, good: Any) -> str:
    """What a run says about a file in which a bit was flipped."""
    try:
        result = search(path)
    except Na64muError:
        return "refused with a sentence"
    same = result.total.counts == good.total.counts and result.exposure.n_mot() == good.exposure.n_mot()
    same &= all(result.histograms[d] == good.histograms[d] for d in good.histograms)
    if result.exit_code == 3:
        return "lost part listed"
    return "no effect" if same else "WRONG AND SILENT"


def run_bits(faults: Faults, n: int, console: Console) -> int:
    """Flip one bit at a time anywhere in the file, with and without checksums; number of silent wrong results with checksums."""
    bare = faults.folder / "bare" / "good.root"
    bare.parent.mkdir()
    shutil.copy(faults.good, bare)
    with uproot.update(bare) as file:
        file[NAME] = '{"borders": [0, 1], "branches": {}, "runs": 0, "n_runs": -1}'  # for another tree: not used
    table = Table("outcome of one flipped bit", "with checksums", "without")
    counts: list[Counter[str]] = []
    for source in (faults.good, bare):
        rng, found, good = random.Random(1), Counter[str](), search(source)
        path = source.parent / "flipped" / "good.root"
        path.parent.mkdir(exist_ok=True)
        content = source.read_bytes()
        for _ in range(n):
            at, bit = rng.randrange(len(content)), rng.randrange(8)
            path.write_bytes(content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])
            found[outcome(path, good)] += 1
        counts.append(found)
    for name in sorted({*counts[0], *counts[1]}):
        table.add_row(name, *(str(c[name]) for c in counts))
    console.print(table)
    return counts[0]["WRONG AND SILENT"]


def main(arguments: list[str]) -> int:
    """Run both tables; 1 if anything is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--bits", type=int, default=200)
    options = parser.parse_args(arguments)
    from na64mu.events import writer

    writer.MIN_EVENTS = SIZE
    console = Console(width=210)
    with tempfile.TemporaryDirectory() as folder:
        faults = Faults(Path(folder), options.file)
        wrong = run_faults(faults, console)
        wrong += run_bits(faults, options.bits, console) if options.bits else 0
    console.print(f"{check_file(options.file)}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
