from __future__ import annotations

import pytest

from source_salesforce_bulk.export.coverage import Coverage
from source_salesforce_bulk.extraction.stream_state import Mode, ResumePoint, StreamState
from source_salesforce_bulk.extraction.windows import WHOLE
from source_salesforce_bulk.registries.state import DataFile, Progress


def file(name: str, job: str = "750A") -> DataFile:
    return DataFile(name, rows=1, bytes=10, job=job, locator=None)


def state(*points: tuple[str, int]) -> StreamState:
    resume = tuple(
        ResumePoint(job, "loc" if page else None, page, page, WHOLE, "v66.0", 1, "q") for job, page in points
    )
    return StreamState(mode=Mode.INCREMENTAL, resume=resume)


A, B, C = file("a"), file("b", "750B"), file("c", "750B")


def test_pages_add_up_and_a_window_closes_them():
    coverage = Coverage().with_page(A).with_page(None).with_page(B)
    assert coverage == Coverage((), (A, B), 2)
    assert coverage.range_read(window_read=True) == Coverage((A, B), (), 0)


def test_a_range_that_is_read_waits_for_its_window():
    coverage = Coverage().with_page(A).range_read(window_read=False).with_page(B)
    assert coverage == Coverage((), (A, B), 1)
    assert coverage.range_read(window_read=True).closed == (A, B)


def test_what_starts_over_loses_its_own_files_only():
    coverage = Coverage((A,), (A,), 0).with_page(B).with_page(C)
    assert coverage.started_over() == Coverage((A,), (A,), 0)
    assert coverage.started_over().started_over() == Coverage((A,), (A,), 0)


@pytest.mark.parametrize(
    ("kept", "points", "expected"),
    [
        (Progress(closed=(A,), open=(B, C)), [], Coverage((A,), (), 0)),
        (Progress(open=(A, B, C)), [("750B", 2)], Coverage((), (A, B, C), 2)),
        (Progress(open=(A,)), [("750B", 0)], Coverage((), (A,), 0)),
        (Progress(open=(A,)), [("750B", 0), ("750C", 0)], Coverage((), (A,), 0)),
        (Progress(), [("750B", 1)], Coverage()),
    ],
)
def test_an_earlier_runs_files_count_as_far_as_its_state_goes(kept, points, expected):
    assert Coverage.of(kept, state(*points)) == expected


def test_under_a_state_without_jobs_no_open_file_counts():
    coverage = Coverage((A,), (B,), 1)
    assert coverage.under(state()) == Coverage((A,), (), 0)
    assert coverage.under(state(("750B", 1))) == coverage
