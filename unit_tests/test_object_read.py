from __future__ import annotations

import ast
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from source_salesforce_bulk.extraction.object_read import Memories, ObjectRead, ReadyPage
from source_salesforce_bulk.extraction.plan import ObjectPlan
from source_salesforce_bulk.extraction.query_job import JobPolicy, Phase, QueryJob, half_job
from source_salesforce_bulk.extraction.stream_state import Mode, ResumePoint, StreamState
from source_salesforce_bulk.extraction.window_read import PageSlot, WindowRead
from source_salesforce_bulk.extraction.windows import WHOLE, PlannedWindow, halve_by_date, halve_by_id
from source_salesforce_bulk.pages.encoders import record_lines
from source_salesforce_bulk.pages.fetch import Page, PageAddress
from source_salesforce_bulk.pages.line_sinks import FileProduct
from source_salesforce_bulk.pages.page_encoder import EncodedPage
from source_salesforce_bulk.pages.walk import End, Onward, Walk
from source_salesforce_bulk.salesforce.bulk_api import PageHeaders
from source_salesforce_bulk.salesforce.failures import Failure, Kind
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery, build_soql, query_hash
from unit_tests.extraction_rig import object_plan

BEFORE = datetime(2026, 11, 22, 2, tzinfo=UTC)
UPPER = datetime(2026, 11, 23, 2, tzinfo=UTC)
POLICY = JobPolicy(job_timeout=60)
FAILURE = Failure.of(Kind.UNAVAILABLE)
QUERY = ObjectQuery(
    object_name="Account",
    fields=("Id", "SystemModstamp"),
    operation="queryAll",
    cursor_field="SystemModstamp",
    cursor_nillable=False,
    where=None,
    exclude_deleted=False,
)
FIRST = Bounds(start=None, end=BEFORE, id_from=None, id_to=None)
ENCODER = record_lines("Account", ())
SECOND = Bounds(start=BEFORE, end=UPPER, id_from=None, id_to=None)


def plan(mode: Mode = Mode.INCREMENTAL, cursor: datetime | None = None) -> ObjectPlan:
    return ObjectPlan(
        query=QUERY,
        columns=(),
        mode=mode,
        state=StreamState(mode=mode, cursor=cursor, scope="s"),
        start=None,
        lookback=timedelta(minutes=10),
        api_version="v66.0",
        page_size=50000,
    )


def object_read(*bounds: Bounds, mode: Mode = Mode.INCREMENTAL, cursor: datetime | None = None) -> ObjectRead:
    return ObjectRead(plan(mode, cursor), [PlannedWindow(window) for window in bounds], ENCODER)


def resumed(point: ResumePoint, mode: Mode = Mode.INCREMENTAL) -> ObjectRead:
    return ObjectRead(plan(mode), [PlannedWindow(point.bounds, point)], ENCODER)


def point_of(bounds: Bounds, query: str | None = None, **changes) -> ResumePoint:
    point = ResumePoint(
        job="750old",
        locator="e",
        page=5,
        rows=500,
        bounds=bounds,
        api_version="v58.0",
        page_size=100,
        query=query or query_hash(build_soql(QUERY, bounds), QUERY.operation),
    )
    return replace(point, **changes)


def give_job(read: ObjectRead, window: WindowRead, job_id: str, phase: Phase = Phase.WAITING, **changes) -> None:
    window.job = replace(window.job, phase=phase, job_id=job_id, **changes)
    read.publish()


class Pages:
    """Pages on a real disk, of which a test can say whether they are still there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made = 0

    def page(self, locator: str | None = None, rows: int = 3, following: str | None = None) -> Page:
        self._made += 1
        path = self._directory / f"page-{self._made}"
        path.write_bytes(b"")
        return Page(
            address=PageAddress("Account", "750A", locator, "v66.0", 50000),
            headers=PageHeaders(rows=rows, locator=following, last=following is None),
            encoded=EncodedPage(rows, 0, True, "", None, {}, {}, FileProduct(path, 0)),
            size=0,
            retries=0,
        )

    @property
    def left(self) -> int:
        return len(list(self._directory.iterdir()))


@pytest.fixture
def pages(tmp_path) -> Pages:
    return Pages(tmp_path)


def arrive(window: WindowRead, page: Page) -> Page:
    window.slots.append(PageSlot(page.address.locator, page.headers, page))
    return page


def jobs_in(read: ObjectRead) -> list[str]:
    return [point.job for point in read.state.resume]


# Windows and their jobs


def test_windows_begin_without_a_job_and_with_the_plans_version_and_size():
    read = object_read(FIRST, SECOND)
    window = read.windows[0]
    assert window.soql == build_soql(QUERY, FIRST)
    assert window.query == query_hash(window.soql, "queryAll")
    assert (window.api_version, window.page_size, window.job.job_id) == ("v66.0", 50000, None)
    assert read.front is window
    assert not read.finished


def test_an_object_without_windows_is_finished():
    read = object_read()
    assert read.finished
    assert (read.front, read.next_to_start()) == (None, None)


def test_a_job_of_an_earlier_run_goes_on_with_its_own_version_and_size_behind_its_last_page():
    window = resumed(point_of(SECOND)).windows[0]
    assert (window.job.job_id, window.job.phase, window.unconfirmed) == ("750old", Phase.PLANNED, True)
    assert (window.api_version, window.page_size) == ("v58.0", 100)
    assert window.walk == Walk(total=None, locator="e", page=5, rows=500)


def test_jobs_are_created_in_the_order_of_their_windows():
    read = object_read(FIRST, SECOND)
    first, second = read.windows
    assert read.next_to_start() is first
    first.job = replace(first.job, phase=Phase.CREATING)
    assert read.next_to_start() is None
    give_job(read, first, "750A")
    assert read.next_to_start() is second
    give_job(read, second, "750B")
    assert read.next_to_start() is None


def test_a_window_that_is_being_split_holds_up_those_behind_it_only_while_no_state_names_it():
    read = object_read(FIRST, SECOND)
    first, second = read.windows
    first.job = replace(first.job, phase=Phase.SPLITTING)
    assert read.next_to_start() is None
    first.job = replace(first.job, job_id="750A")
    assert read.next_to_start() is second


def test_jobs_that_occupy_the_org_and_jobs_ahead_are_told_apart():
    read = object_read(FIRST, SECOND, replace(SECOND, start=UPPER, end=None))
    for window, phase in zip(read.windows, (Phase.READY, Phase.WAITING, Phase.PLANNED), strict=True):
        window.job = replace(window.job, phase=phase)
    assert (read.jobs_unfinished(), read.jobs_ahead()) == (1, 2)


def test_expected_rows_are_those_emitted_and_those_that_complete_jobs_hold(pages):
    read = object_read(FIRST, SECOND)
    first, second = read.windows
    give_job(read, first, "750A", Phase.READY, records=10)
    give_job(read, second, "750B")
    assert read.expected_rows == 10
    page = arrive(first, pages.page(rows=3, following="b"))
    read.hand_on(ReadyPage(page, Onward(Walk(total=10, locator="b", page=1, rows=3))))
    assert (read.emitted_rows, read.expected_rows) == (3, 10)
    give_job(read, second, "750B", Phase.READY, records=5)
    assert read.expected_rows == 15


# Pages


def test_a_page_handed_on_moves_the_walk_and_the_state_and_gives_its_disk_back(pages):
    read = object_read(SECOND)
    window = read.windows[0]
    give_job(read, window, "750A", Phase.READY, records=10)
    page = arrive(window, pages.page(rows=3, following="b"))
    before = read.version
    read.hand_on(ReadyPage(page, Onward(Walk(total=10, locator="b", page=1, rows=3))))
    assert pages.left == 0
    (point,) = read.state.resume
    assert (point.job, point.locator, point.page, point.rows) == ("750A", "b", 1, 3)
    assert read.version == before + 1


def test_a_page_fetched_early_that_the_accepted_one_confirms_stays(pages):
    read = object_read(SECOND)
    window = read.windows[0]
    give_job(read, window, "750A", Phase.READY)
    page = arrive(window, pages.page(following="b"))
    arrive(window, pages.page("b"))
    read.hand_on(ReadyPage(page, Onward(Walk(total=None, locator="b", page=1, rows=3))))
    assert [slot.locator for slot in window.slots] == ["b"]
    assert pages.left == 1


def test_pages_fetched_early_by_a_locator_that_was_not_confirmed_are_dropped(pages):
    read = object_read(SECOND)
    window = read.windows[0]
    give_job(read, window, "750A", Phase.READY)
    page = arrive(window, pages.page(following="b"))
    arrive(window, pages.page("misled"))
    arrive(window, pages.page("misled too"))
    read.hand_on(ReadyPage(page, Onward(Walk(total=None, locator="b", page=1, rows=3))))
    assert not window.slots
    assert pages.left == 0


def test_the_last_page_moves_no_state_before_its_window_is_closed(pages):
    read = object_read(SECOND)
    window = read.windows[0]
    give_job(read, window, "750A", Phase.READY)
    page = arrive(window, pages.page())
    before = read.state
    read.hand_on(ReadyPage(page, End(rows=3, pages=1)))
    assert read.state == before
    assert read.emitted_rows == 3


# Closing


def test_a_closed_window_moves_the_cursor_to_its_end():
    read = object_read(FIRST, SECOND)
    give_job(read, read.windows[0], "750A", Phase.DONE)
    read.close_front(UPPER)
    assert (read.state.cursor, jobs_in(read), read.finished) == (BEFORE, [], False)
    give_job(read, read.windows[0], "750B", Phase.DONE)
    read.close_front(UPPER)
    assert (read.state.cursor, jobs_in(read), read.finished) == (UPPER, [], True)
    assert not read.state.complete


@pytest.mark.parametrize("behind", [timedelta(minutes=1), timedelta(minutes=50), timedelta(days=400)], ids=str)
def test_the_cursor_never_passes_the_orgs_clock_whatever_the_window_was_planned_by(behind):
    read = object_read(FIRST, SECOND)
    for window, job_id in zip(list(read.windows), ("750A", "750B"), strict=True):
        give_job(read, window, job_id, Phase.DONE)
    read.close_front(UPPER - behind)
    assert read.finished or read.state.cursor == min(BEFORE, UPPER - behind)
    while not read.finished:
        read.close_front(UPPER - behind)
    assert read.state.cursor == UPPER - behind


def test_an_org_that_shows_no_clock_closes_its_windows_all_the_same():
    read = object_read(FIRST)
    give_job(read, read.windows[0], "750A", Phase.DONE)
    read.close_front(None)
    assert read.state.cursor == BEFORE


def test_the_cursor_never_decreases():
    read = object_read(FIRST, cursor=UPPER)
    give_job(read, read.windows[0], "750A", Phase.DONE)
    read.close_front(UPPER)
    assert read.state.cursor == UPPER


def test_the_cursor_waits_for_the_last_id_range_of_a_window():
    low, high = halve_by_id(SECOND, "001A0000006Vm9rIAC")
    read = object_read(low, high)
    give_job(read, read.windows[0], "750A", Phase.DONE)
    give_job(read, read.windows[1], "750B")
    read.close_front(UPPER)
    assert (read.state.cursor, jobs_in(read)) == (None, ["750B"])
    read.close_front(UPPER)
    assert (read.state.cursor, jobs_in(read)) == (UPPER, [])


def test_a_full_refresh_is_complete_with_its_last_range_and_has_no_cursor():
    low, high = halve_by_id(WHOLE, "001A0000006Vm9rIAC")
    read = object_read(low, high, mode=Mode.FULL_REFRESH)
    for window, job_id in zip(list(read.windows), ("750A", "750B"), strict=True):
        give_job(read, window, job_id)
    read.close_front(UPPER)
    assert (read.state.complete, read.state.cursor, jobs_in(read)) == (False, None, ["750B"])
    read.close_front(UPPER)
    assert (read.state.complete, read.state.cursor, jobs_in(read)) == (True, None, [])


# Splitting and starting over


def test_the_halves_of_a_window_stand_in_its_place():
    read = object_read(FIRST, SECOND)
    first, second = read.windows
    give_job(read, first, "750A")
    halves = halve_by_date(SECOND)
    assert halves is not None
    read.split(second, halves, half_job(second.job, POLICY))
    assert [window.bounds for window in read.windows] == [FIRST, *halves]
    assert all(window.job.halvings == 1 for window in read.windows[1:])
    assert read.windows[1].soql == build_soql(QUERY, halves[0])


def test_a_window_that_starts_over_forgets_its_pages_and_says_what_will_repeat(pages):
    read = resumed(point_of(SECOND))
    window = read.windows[0]
    arrive(window, pages.page("e"))
    assert read.restart(window) == 500
    assert (window.walk, read.repeated_rows, pages.left) == (Walk(total=None), 500, 0)
    assert (window.api_version, window.page_size) == ("v66.0", 50000)
    assert not window.slots


def test_a_window_that_starts_over_before_its_first_page_repeats_nothing():
    read = object_read(SECOND)
    assert read.restart(read.windows[0]) == 0
    assert read.repeated_rows == 0


def test_what_is_as_large_as_a_window_that_failed_is_known_to_be_too_large():
    hour = timedelta(hours=1)
    failed, shorter, longer = (Bounds(BEFORE, BEFORE + length * hour, None, None) for length in (4, 3, 5))
    read = object_read(FIRST, failed, shorter, longer)
    open_below, first, second, third = read.windows
    assert not any(map(read.is_too_large, read.windows))
    read.note_too_large(first)
    assert list(map(read.is_too_large, (open_below, second, third))) == [False, False, True]
    third.indivisible = True
    assert not read.is_too_large(third)


def test_a_sibling_of_a_half_that_failed_is_known_to_be_too_large_and_its_quarters_are_not():
    read = object_read(WHOLE, mode=Mode.FULL_REFRESH)
    whole = read.windows[0]
    read.note_too_large(whole)
    read.split(whole, halve_by_id(WHOLE, "001A0000006Vm9rIAC"), half_job(whole.job, POLICY))
    low, high = read.windows
    assert not read.is_too_large(high)
    read.note_too_large(low)
    assert read.is_too_large(high)
    read.split(low, halve_by_id(low.bounds, "00190000006Vm9rIAC"), half_job(low.job, POLICY))
    assert not any(map(read.is_too_large, read.windows[:2]))


# The state


def test_no_state_changes_before_a_job_exists():
    read = object_read(FIRST, SECOND)
    read.publish()
    assert (read.state, read.version) == (read.plan.state, 0)


def test_the_state_names_every_unfinished_job_in_the_order_of_the_windows():
    read = object_read(FIRST, SECOND)
    give_job(read, read.windows[0], "750A")
    give_job(read, read.windows[1], "750B")
    assert jobs_in(read) == ["750A", "750B"]
    assert [point.bounds for point in read.state.resume] == [FIRST, SECOND]
    assert read.version == 2


def test_a_state_that_says_nothing_new_has_no_new_version():
    read = object_read(SECOND)
    give_job(read, read.windows[0], "750A")
    read.publish()
    assert read.version == 1


def test_a_job_that_is_asked_for_again_stays_in_the_state_until_the_new_one_is_known():
    read = object_read(SECOND)
    give_job(read, read.windows[0], "750A")
    give_job(read, read.windows[0], "750A", Phase.CREATING)
    assert jobs_in(read) == ["750A"]
    give_job(read, read.windows[0], "750B")
    assert jobs_in(read) == ["750B"]


@pytest.mark.parametrize(("mode", "window"), [(Mode.FULL_REFRESH, WHOLE), (Mode.INCREMENTAL, SECOND)])
def test_a_range_in_front_without_a_job_leaves_the_older_state_standing(mode, window):
    low, high = halve_by_id(window, "001A0000006Vm9rIAC")
    lower, _ = halve_by_id(low, "00190000006Vm9rIAC")
    read = object_read(low, high, mode=mode)
    give_job(read, read.windows[0], "750A")
    give_job(read, read.windows[1], "750B")
    before = read.state
    front = read.windows[0]
    read.split(front, halve_by_id(low, "00190000006Vm9rIAC"), half_job(front.job, POLICY))
    assert read.state == before
    give_job(read, read.windows[0], "750C")
    assert jobs_in(read) == ["750C", "750B"]
    assert read.state.resume[0].bounds == lower


def test_an_incremental_window_in_front_without_a_job_is_a_gap_that_the_cursor_shows():
    read = object_read(FIRST, SECOND)
    give_job(read, read.windows[1], "750B")
    assert (jobs_in(read), read.state.cursor) == (["750B"], None)


# Failing


def test_a_failure_keeps_the_jobs_in_the_state_and_drops_their_pages(pages):
    read = object_read(SECOND)
    give_job(read, read.windows[0], "750A", Phase.READY)
    arrive(read.windows[0], pages.page())
    read.fail(FAILURE)
    read.publish()
    assert (read.failure, read.finished, jobs_in(read), pages.left) == (FAILURE, False, ["750A"], 0)


@pytest.mark.parametrize("mode", Mode)
def test_a_result_that_cannot_be_trusted_drops_resume_and_keeps_the_cursor(mode):
    cursor = BEFORE if mode is Mode.INCREMENTAL else None
    read = object_read(SECOND, mode=mode, cursor=cursor)
    give_job(read, read.windows[0], "750A", Phase.READY)
    read.fail(FAILURE, forget_jobs=True)
    read.publish()
    assert (read.state.resume, read.state.cursor, read.state.complete) == ((), cursor, False)
    assert not read.finished


def test_the_memory_of_delivered_rows_goes_into_the_state_with_its_next_change():
    read = ObjectRead(object_plan("Account", Mode.INCREMENTAL), [], ENCODER)
    read.remember(Memories({"audited": "now"}))
    assert read.state.deletes is None
    read.remember(Memories({"audited": "now"}), at_once=True)
    assert read.state.deletes == {"audited": "now"}
    assert read.version == 1


def test_other_modules_change_a_window_by_its_methods_only():
    written = []
    for path in sorted((Path(__file__).parents[1] / "source_salesforce_bulk").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Attribute(value=ast.Name(id="window"), ctx=ast.Store()):
                    written.append(f"{path.name}:{node.lineno}")
    assert written == []


def test_an_extra_window_moves_no_cursor():
    bounds = Bounds(start=None, end=BEFORE + timedelta(days=1), id_from=None, id_to=None)
    read = ObjectRead(plan(Mode.INCREMENTAL, BEFORE), [PlannedWindow(bounds, extra="values")], ENCODER)
    give_job(read, read.windows[0], "750A", Phase.READY)
    assert [point.extra for point in read.state.resume] == ["values"]
    read.close_front(None)
    assert (read.state.cursor, read.state.resume) == (BEFORE, ())


def test_the_parts_of_an_extra_window_are_extra_too():
    bounds = Bounds(start=None, end=BEFORE, id_from=None, id_to=None)
    read = ObjectRead(plan(Mode.INCREMENTAL, BEFORE), [PlannedWindow(bounds, extra="values")], ENCODER)
    read.split(read.windows[0], halve_by_id(bounds, "001000000000005AAA"), QueryJob())
    assert [window.extra for window in read.windows] == ["values", "values"]
