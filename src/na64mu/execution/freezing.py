"""`na64mu.freeze`: everything that decides about a search is written down before its box is opened. No event is looked at."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from na64mu import __version__
from na64mu.common.arguments import file_names
from na64mu.common.code_closure import closure_contents
from na64mu.common.people import host_name, user_name
from na64mu.common.toml_model import content_hash
from na64mu.errors import BlindedError, InputError
from na64mu.execution.plan import Plan, plan_of
from na64mu.inputs.frozen_floors import Freezes
from na64mu.inputs.summary_fileset import SummaryFileset
from na64mu.results.freeze import Freeze, FrozenFile, UserFile, frozen, text_hash
from na64mu.results.provenance import package_versions, repository_state
from na64mu.selections.floor import Floor

if TYPE_CHECKING:
    from na64mu.calibration.windows import Calibration
    from na64mu.detector import DetectorLike
    from na64mu.events.layout import Layout
    from na64mu.selections.working_point import WorkingPoint

__all__ = ("code_hash", "code_of_search", "freeze", "freeze_of")


def freeze(
    files: Iterable[str | Path] | str | Path,
    *,
    selection: str | Path | WorkingPoint = "prl2024",
    detector: DetectorLike | None = None,
    calibration: Calibration | str | Path | Iterable[Calibration | str | Path] | None = None,
    layout: Layout | str | Path | None = None,
    user: str | Path | Iterable[str | Path] = (),
    accept_calibration: bool = False,
    earlier: Freezes = None,
) -> Freeze:
    """Write down everything that decides about a search, before its box is opened.

    Parameters
    ----------
    files, selection, detector, calibration, layout, user, accept_calibration
        As in `na64mu.run`, and the same as in the blind run: raw trees, all that the search is about.
    earlier : str, Path, Freeze or iterable of them, optional
        Freeze files that hold already, as `freeze` of `na64mu.run`: the box must contain theirs.

    Returns
    -------
    Freeze
        Keep it with `write`; `na64mu.unblind` wants the file.

    Raises
    ------
    InputError
        If a file cannot be read.
    BlindedError
        If there are event summaries of data among the files, which were written without the box, or the box does not contain one that was
        frozen before.
    """
    own = file_names(user, "user", may_be_none=True)
    plan = plan_of(
        files,
        None,
        selection=selection,
        detector=detector,
        calibration=calibration,
        layout=layout,
        user=own,
        accept_calibration=accept_calibration,
        unblind=None,
        freeze=earlier,
        strict=True,
        hashed=True,
    )
    return freeze_of(plan, own, detector_given=detector is not None, calibration_accepted=accept_calibration)


def freeze_of(plan: Plan, user: Iterable[str | Path] = (), *, detector_given: bool = False, calibration_accepted: bool = False) -> Freeze:
    """Return the freeze of what a run is going to do.

    Parameters
    ----------
    plan : Plan
        With hashes of the files.
    user : iterable of str or Path
        Python files of the user's own.
    detector_given, calibration_accepted : bool
        As in `Freeze`.

    Returns
    -------
    Freeze

    Raises
    ------
    BlindedError
        As in `freeze`.
    """
    commit, clean = repository_state()
    configuration = plan.configuration
    layout = configuration.layout
    point = configuration.working_point
    floor = Floor.of_freeze(point, configuration.detectors, replaces=detector_given)
    floor_cuts = [[cut.name, cut.thresholds.model_dump(mode="json")] for cut in floor.cuts]
    layout_content = None if layout is None else layout.model_dump(mode="json", exclude={"origin"})
    return Freeze.of(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        user=user_name(),
        host=host_name(),
        version=__version__,
        commit=commit,
        clean=clean,
        packages=package_versions(),
        configuration_hash=configuration.hash,
        selection_name=point.name,
        selection=frozen(point.model_dump(mode="json"), point.hash),
        floor=frozen({"box": point.box.model_dump(mode="json"), "cuts": floor_cuts}, floor.hash),
        floors=plan.policy.floor.names,
        detectors={tag: frozen(one.model_dump(mode="json"), one.digest) for tag, one in configuration.detectors.items()},
        detector_given=detector_given,
        calibrations={tag: frozen(one.model_dump(mode="json"), one.hash) for tag, one in configuration.calibrations.items()},
        calibration_accepted=calibration_accepted,
        layout=None if layout_content is None else frozen(layout_content, content_hash(layout_content)),
        user_files=tuple(_user_file(path) for path in user),
        user_cuts=configuration.user_cuts,
        inputs=_inputs_of(plan),
        code=code_hash(),
        code_files=code_of_search(),
    )


@cache
def code_of_search() -> dict[str, str]:
    """File of the package that the search can reach -> SHA-256, as it was when this was asked first in the process."""
    from na64mu.execution.run import run

    return closure_contents(run)


def code_hash() -> str:
    """SHA-256 of the code of the search."""
    return content_hash(code_of_search())


def _user_file(path: str | Path) -> UserFile:
    text = Path(path).read_bytes().decode("utf-8", "surrogateescape")
    return UserFile(path=str(Path(path).resolve()), sha256=text_hash(text), text=text)


def _inputs_of(plan: Plan) -> tuple[FrozenFile, ...]:
    found: list[FrozenFile] = []
    fileset: Any = plan.fileset
    if isinstance(fileset, SummaryFileset):
        msg = "event summaries are no input of a freeze: those of data were written without the signal box; name the raw trees"
        raise BlindedError(msg)
    for file in fileset.files:
        if file.steps is not None:
            msg = f"{file.path}: the fileset asks for steps of it, and a freeze is of whole files; leave them out"
            raise InputError(msg)
        runs = tuple(sorted({(int(row["run"]), int(row["config"])) for row in file.rows}))
        found.append(
            FrozenFile(
                dataset=file.dataset,
                path=file.path if "://" in file.path else str(Path(file.path).resolve()),
                tree=file.tree,
                sha256=plan.hashes[file.path],
                uuid=file.uuid,
                entries=file.entries,
                is_data=file.is_data,
                runs=runs,
                friends=tuple((name, plan.hashes[name]) for name in file.friends),
            )
        )
    return tuple(found)
