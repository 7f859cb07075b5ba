"""Findings of the check of a file, their report, and their collection chunk by chunk."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from na64mu.common.arguments import one_of
from na64mu.typing import AnyArray

__all__ = ("FIRST_ENTRIES", "CheckReport", "Collector", "Finding", "Severity")

Severity = Literal["error", "warning"]

#: How many entries a finding names at most.
FIRST_ENTRIES = 5


@dataclass(frozen=True)
class Finding:
    """A defect of a file.

    Attributes
    ----------
    severity : str
        "error": the file does not have the raw-tree form; "warning": it can be read, but should be inspected.
    code : str
        Kind of the finding, for machines.
    branch : str
        Branch (or field of `runs`, as runs.<field>) it is about; may be empty.
    message : str
        Description of the defect and of what was expected.
    entries : tuple of int
        First entries where it occurs; empty if it is about the whole file.
    count : int
        Number of occurrences.
    """

    severity: Severity
    code: str
    branch: str
    message: str
    entries: tuple[int, ...] = ()
    count: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "severity", one_of(self.severity, get_args(Severity), "severity"))

    def __str__(self) -> str:
        where = ""
        if self.entries:
            more = f" (first of {self.count})" if self.count > 1 else ""
            where = f" entry {self.entries[0]}{more}:"
        branch = f" {self.branch}:" if self.branch else ""
        return f"{self.severity}: {self.code}:{branch}{where} {self.message}"


@dataclass(frozen=True)
class CheckReport:
    """All findings in one file.

    Attributes
    ----------
    path : str
        The file.
    n_events : int
        Events of the tree.
    runs : tuple of int
        Runs of the bookkeeping.
    detectors : tuple of str
        Detector tags of the bookkeeping.
    findings : tuple of Finding
        Empty if everything is fine.
    version : str or None
        Version of the raw tree; None if it is not known, as for a foreign tree.
    optional : tuple of str
        Optional branches that the file has.
    unknown : tuple of str
        Branches (and fields of `runs`, as runs.<field>) that are not part of the raw tree and are left unread: for information.
    """

    path: str
    n_events: int
    runs: tuple[int, ...]
    detectors: tuple[str, ...]
    findings: tuple[Finding, ...]
    version: str | None = None
    optional: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings are allowed."""
        return all(finding.severity != "error" for finding in self.findings)

    def __str__(self) -> str:
        errors = sum(finding.severity == "error" for finding in self.findings)
        warnings = len(self.findings) - errors
        state = "good" if not self.findings else f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}"
        runs = f"runs {', '.join(map(str, self.runs))}" if self.runs else "no runs"
        version = "" if self.version is None else f"raw tree version {self.version}, "
        return f"{self.path}: {self.n_events} events, {runs}, {version}detector {', '.join(self.detectors) or 'unknown'}: {state}"

    @property
    def notes(self) -> list[str]:
        """Sentences that are worth knowing about a file and neither errors nor warnings."""
        listed = ((self.optional, "the file has the optional"), (self.unknown, "not part of the raw tree and left unread:"))
        return [f"{what} {_branches(names)}" for names, what in listed if names]

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values for JSON."""
        return {**asdict(self), "ok": self.ok}


def _branches(names: tuple[str, ...], limit: int = 8) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"branch{'es' * (len(names) > 1)} {', '.join(names[:limit])}{more}"


@dataclass
class Collector:
    """Findings of one file, merged over chunks: same code and branch make one finding."""

    found: dict[tuple[str, str], Finding] = field(default_factory=dict)

    def add(self, code: str, branch: str, message: str, entries: AnyArray | None = None, severity: Severity = "error") -> None:
        """Add a finding, or its entries to the one with the same code and branch.

        Parameters
        ----------
        code, branch, message : str
            See Finding; the first message is kept.
        entries : AnyArray, optional
            Entry of every occurrence in the file, ascending, shape (n,).
        severity : {"error", "warning"}
            See Finding.
        """
        severity = one_of(severity, get_args(Severity), "severity")
        own = () if entries is None else tuple(int(e) for e in np.unique(entries[: 100 * FIRST_ENTRIES]))[:FIRST_ENTRIES]
        count = 1 if entries is None else len(entries)
        before = self.found.get((code, branch))
        if before is None:
            self.found[code, branch] = Finding(severity, code, branch, message, own, count)
        else:
            first = (*before.entries, *own)[:FIRST_ENTRIES]
            self.found[code, branch] = Finding(before.severity, code, branch, before.message, first, before.count + count)
