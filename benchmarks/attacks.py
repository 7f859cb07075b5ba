"""The table of attacks on the box and of faults of the input: what is done, what is expected, what comes: `python benchmarks/attacks.py [--only B]`.

The rows are the tests of the project, which are run here: those that keep a row of their own (action, sentence that is expected, what was said) show it, the others
show their name, and whether what they ask for came. Exit code 1 if a row did not come out as expected.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1] / "tests"

#: Group -> what it is about, and where its tests are.
GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "B1-B9": ("looking into the shut box", ("execution/test_exec_blinding_attacks.py",)),
    "B10": ("opening it without the right", ("execution/test_exec_unblinding.py::test_the_box_stays_closed",)),
    "B-floor": ("a box that the collaboration froze", ("execution/test_exec_frozen_floor.py",)),
    "B-swap": ("exchanged and edited files", ("execution/test_exec_swapped.py",)),
    "C1": ("exposure of a run in several files", ("execution/test_exec_ledger.py", "execution/test_exec_duplicates.py")),
    "C2": ("what never shares a dataset", ("execution/test_exec_kinds.py",)),
    "C3": ("bookkeeping that makes no sense", ("events/test_events_run_rows.py",)),
    "C4-C8": ("faults of rows, units", ("events/test_events_faults.py", "execution/test_exec_refused.py")),
    "C5": ("damaged files", ("execution/test_exec_damage.py",)),
    "C6": ("forms of input", ("execution/test_exec_layout.py", "events/test_events_friends.py")),
    "C7-C9": ("filesets, paths", ("execution/test_exec_fileset.py",)),
    "C10-C13": ("inputs as outputs, pipes, texts that a terminal obeys", ("cli/test_cli_files.py",)),
    "C12": (
        "one folder is one commit",
        ("results/test_results_output_folder.py", "results/test_results_manifest.py", "execution/test_exec_checkpoint.py"),
    ),
    "C14": ("signals, full disks", ("cli/test_cli_ending.py",)),
    "C15": ("strangers at the cluster", ("execution/test_exec_cluster.py",)),
    "C16": ("exact sums", ("results/test_results_exact.py",)),
}


class Collected:
    """A plugin of pytest that keeps the outcome of every test, and the row of those that have one."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, str]] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep one row for each test that was run or skipped."""
        if report.when != "call" and not (report.when == "setup" and report.outcome != "passed"):
            return
        row = dict(report.user_properties).get("row")
        name = report.nodeid.rsplit("::", 1)[-1].removeprefix("test_").replace("_", " ")
        action, expected, got = row or (name, "as the name says", "as the name says" if report.outcome == "passed" else report.outcome)
        self.rows.append((action, expected, got, report.outcome))


def plain(text: str, limit: int = 150) -> str:
    """One line of a cell: patterns read as text, paths without their folder, cut at a limit."""
    text = re.sub(r"/\S*/", "", " ".join(text.split())).replace("|", "/")
    text = re.sub(r"\\(.)", r"\1", text.replace(r"(.*\n)?", "").replace(r"\n", " ")).replace(".*", "...")
    return text if len(text) <= limit else text[: limit - 3] + "..."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="groups whose name begins so")
    args = parser.parse_args()
    n = wrong = 0
    for group, (about, places) in GROUPS.items():
        if not group.startswith(args.only):
            continue
        collected = Collected()
        existing = [str(TESTS / place) for place in places]
        with Path("/dev/null").open("w") as nowhere:
            stdout, sys.stdout = sys.stdout, nowhere
            try:
                pytest.main(["-q", "-p", "no:cacheprovider", *existing], plugins=[collected])
            finally:
                sys.stdout = stdout
        lines = [f"## {group}: {about}", "", "| # | action | expected | got | |", "|---|---|---|---|---|"]
        for action, expected, got, outcome in collected.rows:
            n += 1
            wrong += outcome == "failed"
            lines.append(f"| {n} | {plain(action)} | {plain(expected)} | {plain(got)} | {'' if outcome == 'passed' else outcome} |")
        print("\n".join(lines), "\n", flush=True)
    print(f"{n} rows, {wrong} not as expected")
    sys.exit(1 if wrong or not n else 0)


if __name__ == "__main__":
    main()
