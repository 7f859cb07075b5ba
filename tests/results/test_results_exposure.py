from __future__ import annotations

import json
from typing import Any

import pytest

from na64mu.results.exposure import Exposure
from na64mu.results.file_book import FileBook
from na64mu.results.reconciliation import reconcile


def row(run: int, config: int = 1, n_mot: int = 1000, **more: Any) -> dict[str, Any]:
    return {
        "run": run,
        "config": config,
        "n_mot": n_mot,
        "n_generated": n_mot,
        "sum_weights": 2.0 * n_mot,
        "g_ref": 0.5,
        "seed": run,
    } | more


def book(rows: list[dict[str, Any]], read: dict[Any, int], unread: Any = None, n_unread: int = 0, **more: Any) -> FileBook:
    return FileBook(
        more.pop("dataset", "d"),
        more.pop("file", "f.root"),
        tuple(rows),
        read,
        {} if unread is None and not n_unread else unread,
        n_unread,
        **more,
    )


def test_a_run_that_was_read_counts_in_full_even_without_events():
    exposure = reconcile([book([row(1), row(2)], {(1, 1): 10})])
    assert (exposure.n_mot(), exposure.n_mot_recorded(), exposure.warnings) == (2000, 2000, ())
    assert [r.fraction for r in exposure.runs] == [1.0, 1.0]


def test_lost_events_lower_their_own_run_only():
    exposure = reconcile([book([row(1), row(2)], {(1, 1): 10, (2, 1): 5}, unread={(2, 1): 15}, n_unread=15)])
    by_run = {r.run: r for r in exposure.runs}
    assert by_run[1].n_mot_read == 1000
    assert by_run[2].n_mot_read == pytest.approx(250)
    assert (by_run[2].events_read, by_run[2].events_lost, by_run[2].fraction) == (5, 15, 0.25)
    assert exposure.sum_weights() == pytest.approx(2000 + 500)


def test_if_even_run_numbers_are_lost_all_runs_of_the_file_lose_alike():
    exposure = reconcile([book([row(1), row(2)], {(1, 1): 30}, unread=None, n_unread=10)])
    assert [r.n_mot_read for r in exposure.runs] == [pytest.approx(750), pytest.approx(750)]


def test_a_run_in_several_files_is_the_sum_of_its_rows_and_events_are_not_doubled():
    first = book([row(1, seed=1), row(1, seed=2)], {(1, 1): 10}, file="a.root")
    second = book([row(1, seed=3, n_mot=500)], {(1, 1): 4}, unread={(1, 1): 4}, n_unread=4, file="b.root")
    (only,) = reconcile([first, second]).runs
    assert (only.n_mot, only.n_mot_read, only.events_read, only.events_lost) == (2500, 2250, 14, 4)


def test_configurations_and_datasets_are_kept_apart():
    books = [book([row(1, 1), row(1, 2, n_mot=300)], {}), book([row(1, 1, n_mot=70)], {}, dataset="e", file="g.root")]
    exposure = reconcile(books)
    assert (exposure.n_mot("d", 1), exposure.n_mot("d", 2), exposure.n_mot("e"), exposure.n_mot(config=1)) == (1000, 300, 70, 1070)
    assert exposure.datasets == ("d", "e")


def test_missing_bookkeeping_is_a_warning_with_its_reason():
    exposure = reconcile([book([], {(1, 1): 3}, problem="f.root: no tree 'runs'"), book([], {}, file="g.root")])
    assert exposure.runs == ()
    assert exposure.warnings[0].startswith("f.root: no tree 'runs': its events count in the cut-flow but no muons on target")
    assert exposure.warnings[1].startswith("g.root: the tree 'runs' has no rows")


def test_events_without_a_row_are_a_warning():
    exposure = reconcile([book([row(1)], {(1, 1): 3, (9, 2): 4})])
    assert exposure.warnings == ("f.root: 4 events of run 9, config 2 without a row in 'runs'",)


def test_the_same_row_in_two_files_counts_once():
    books = [book([row(1)], {(1, 1): n}, file=file, dataset=file[0]) for file, n in (("a.root", 1), ("b.root", 6), ("c.root", 0))]
    exposure = reconcile(books)
    assert exposure.n_mot() == exposure.n_mot_recorded() == 1000
    assert [exposure.n_mot_recorded(name) for name in "abc"] == [142, 858, 0]  # 1/7, 6/7 and nothing of it, whole muons
    assert exposure.sum_weights() == pytest.approx(2000)
    (warning,) = exposure.warnings
    assert warning.startswith(
        "b.root: run 1, config 1 has the same bookkeeping as in a.root and 1 more: its 1000 muons on target count once"
    )
    assert reconcile([book([row(1)], {}, file="a.root"), book([row(1)], {}, file="b.root")]).n_mot() == 1000


def test_what_is_lost_of_one_of_two_files_of_a_run_lowers_its_part():
    first = book([row(1)], {(1, 1): 10}, file="a.root")
    lost = book([row(1)], {(1, 1): 5}, unread={(1, 1): 5}, n_unread=5, file="b.root")
    assert reconcile([first, lost]).n_mot() == pytest.approx(750)
    copied = book([row(1)], {(1, 1): 5}, unread={(1, 1): 5}, n_unread=5, elsewhere={(1, 1): 5}, file="b.root")
    assert reconcile([first, copied]).n_mot() == pytest.approx(1000)
    unknown = book([row(1)], {(1, 1): 5}, unread=None, n_unread=5, file="b.root")
    assert reconcile([first, unknown]).n_mot() == pytest.approx(750)


def test_json_round_trip():
    exposure = reconcile([book([row(1)], {(1, 1): 3, (9, 2): 4})])
    assert Exposure.from_dict(json.loads(json.dumps(exposure.to_dict()))) == exposure
