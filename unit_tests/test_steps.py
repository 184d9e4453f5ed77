from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.registries.state import DataFile, Progress
from source_salesforce_bulk.tables.steps import (
    PAGES_A_COMMIT,
    SECONDS_A_COMMIT,
    SECONDS_OF_A_JOB,
    is_due,
    next_step,
    reads_everything,
)

NOTHING: frozenset[str] = frozenset()
CURSOR = {"SystemModstamp": "2026-11-23T02:00:00.000Z", "scope": "sha256:1"}
UNDER_WAY = {**CURSOR, "resume": [{"job": "750A"}]}
FIRST_LOAD = {"scope": "sha256:1", "resume": [{"job": "750A"}]}
IN_FULL = {"mode": "full_refresh", "scope": "sha256:1"}
COMPLETE = {"__ab_full_refresh_sync_complete": True}


def files(*numbers: int) -> tuple[DataFile, ...]:
    return tuple(DataFile(f"Account/run=r/w00000-p{number:06d}.parquet", 10, 99, "750A", None) for number in numbers)


def test_a_page_of_an_open_window_goes_to_the_open_branch_with_the_state():
    step = next_step(Progress(UNDER_WAY), Progress(UNDER_WAY, open=files(1)), NOTHING, replaces=False)
    assert (step.published, step.held, step.added, step.state_on_main) == (None, files(1), files(1), False)
    step = next_step(Progress(UNDER_WAY, open=files(1)), Progress(UNDER_WAY, open=files(1, 2)), NOTHING, replaces=False)
    assert (step.published, step.held, step.added) == (None, files(1, 2), files(2))


def test_pages_that_are_read_again_recreate_the_open_branch():
    kept, now = (Progress(UNDER_WAY, open=files(1, other)) for other in (2, 3))
    step = next_step(kept, now, NOTHING, replaces=False)
    assert (step.held, step.added) == (files(1, 3), None)


def test_a_window_that_was_read_is_published_with_its_state_and_nothing_is_left_open():
    step = next_step(Progress(UNDER_WAY, open=files(1)), Progress(CURSOR, closed=files(1, 2)), NOTHING, replaces=False)
    assert (step.published, step.held, step.state_on_main, step.replaces) == (files(1, 2), (), True, False)


def test_a_window_is_published_once():
    now = Progress(CURSOR, closed=files(1, 2, 3))
    step = next_step(Progress(CURSOR), now, frozenset(file.path for file in files(1, 2)), replaces=False)
    assert step.published == files(3)


def test_all_rows_replace_what_was_there_even_where_there_are_none():
    assert next_step(Progress(), Progress(CURSOR, closed=files(1)), NOTHING, replaces=True).replaces
    step = next_step(Progress(IN_FULL), Progress(COMPLETE), NOTHING, replaces=True)
    assert (step.published, step.replaces) == ((), True)


def test_a_refresh_that_has_failed_replaces_nothing():
    step = next_step(Progress(COMPLETE), Progress(IN_FULL), NOTHING, replaces=True)
    assert (step.published, step.replaces, step.state_on_main) == (None, False, True)


def test_a_window_without_a_cursor_before_it_holds_all_rows():
    assert reads_everything({}, FIRST_LOAD)
    assert reads_everything(FIRST_LOAD, CURSOR)
    assert reads_everything(COMPLETE, IN_FULL)
    assert reads_everything(IN_FULL, COMPLETE)
    assert reads_everything(CURSOR, {"scope": "sha256:2"})
    assert not reads_everything(CURSOR, UNDER_WAY)
    without_scope = {"SystemModstamp": CURSOR["SystemModstamp"]}  # as Airbyte may have it
    assert not reads_everything(without_scope, UNDER_WAY)


def test_what_was_read_to_its_end_is_committed_at_once():
    assert is_due(Progress(UNDER_WAY), Progress(CURSOR), NOTHING, 0.0)
    assert is_due(Progress(UNDER_WAY), Progress(UNDER_WAY, closed=files(1)), NOTHING, 0.0)


def test_what_is_under_way_is_committed_once_a_minute_or_every_few_pages():
    kept, one = Progress(UNDER_WAY), Progress(UNDER_WAY, open=files(1))
    assert not is_due(kept, one, NOTHING, SECONDS_A_COMMIT - 1)
    assert is_due(kept, one, NOTHING, SECONDS_A_COMMIT)
    assert is_due(kept, Progress(UNDER_WAY, open=files(*range(PAGES_A_COMMIT))), NOTHING, 0.0)
    assert not is_due(kept, Progress(UNDER_WAY), NOTHING, SECONDS_OF_A_JOB - 1)
    assert is_due(kept, Progress(UNDER_WAY), NOTHING, SECONDS_OF_A_JOB)


PAGES = st.lists(st.integers(0, 5), unique=True, max_size=5).map(lambda numbers: files(*numbers))


@given(PAGES, PAGES, PAGES, st.booleans())
def test_a_step_leaves_exactly_the_wanted_files_on_each_branch(kept, closed, held, replaces):
    before, now = Progress(UNDER_WAY, open=kept), Progress(UNDER_WAY, closed=closed, open=held)
    step = next_step(before, now, NOTHING, replaces=replaces)
    assert (step.published or ()) == closed
    assert step.held == held
    assert step.added is None or kept + step.added == held
