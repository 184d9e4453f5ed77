from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from source_salesforce_bulk.extraction.reader import MAX_REFETCHES, PageBounds
from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER, Mode
from source_salesforce_bulk.extraction.windows import WHOLE, PlannedWindow
from source_salesforce_bulk.pages.walk import End
from source_salesforce_bulk.salesforce.failures import Kind
from source_salesforce_bulk.salesforce.ids import id_18
from source_salesforce_bulk.salesforce.retry import PAGE_RETRIES
from source_salesforce_bulk.salesforce.soql import Bounds, format_instant
from unit_tests.extraction_rig import SCOPE, UPPER, ExtractionRig, ObjectRun, read_one
from unit_tests.fakes import HeldCalls

FULL_REFRESH = Mode.FULL_REFRESH


def rows(count: int) -> list[dict[str, str]]:
    return [
        {"Id": id_18(f"001A{number:011d}"), "Name": f"{number}", "SystemModstamp": "2026-11-20T00:00:00.000Z"}
        for number in range(count)
    ]


def names(run: ObjectRun) -> list[str]:
    return [row[1] for row in run.rows]


def all_of(count: int) -> list[str]:
    return [str(number) for number in range(count)]


@pytest.fixture
def rig(tmp_path):
    """Eight rows in three pages."""
    rig = ExtractionRig(tmp_path, {"Account": rows(8), "Contact": rows(8)})
    yield rig
    rig.salesforce.close()
    assert rig.files() == []


class NewestFirst(HeldCalls):
    """Calls that are answered in reverse order."""

    def next_one(self) -> int:
        return len(self.held) - 1


# Ahead, and in order


def test_pages_are_emitted_in_order_in_whatever_order_they_arrive(tmp_path):
    rig = ExtractionRig(tmp_path, {"Account": rows(30)}, calls=NewestFirst)
    assert names(read_one(rig, "Account", FULL_REFRESH)) == all_of(30)


def test_pages_are_fetched_ahead_of_the_emission_up_to_a_bound(tmp_path):
    rig = ExtractionRig(tmp_path, {"Account": rows(60)})
    run = rig.add("Account", FULL_REFRESH)
    for _ in range(100):
        rig.extraction.wait(1.0)
    assert run.rows == []
    assert rig.salesforce.count("results") == len(rig.files()) == PageBounds().of_one
    rig.read_all()
    assert names(run) == all_of(60)
    assert rig.files() == []


def test_all_objects_together_hold_no_more_pages_than_the_bound(tmp_path):
    objects = {f"Object{number}": rows(60) for number in range(4)}
    rig = ExtractionRig(tmp_path, objects)
    for name in objects:
        rig.add(name, FULL_REFRESH)
    for _ in range(200):
        rig.extraction.wait(1.0)
    assert len(rig.files()) == PageBounds().of_all
    asked = {sent.url.split("/")[-2] for sent in rig.salesforce.sent if sent.url.endswith("/results")}
    assert len(asked) == len(objects), "the first page of every object comes before a further one of any"


def two_windows(rig: ExtractionRig, cut: int) -> ObjectRun:
    """A full refresh in two ranges of Ids, the first with the rows below ``cut``."""
    middle = rows(cut + 1)[-1]["Id"]
    return rig.add(
        "Account",
        FULL_REFRESH,
        windows=[PlannedWindow(replace(WHOLE, id_to=middle)), PlannedWindow(replace(WHOLE, id_from=middle))],
    )


def test_the_pages_of_a_later_window_are_fetched_while_the_first_one_is_emitted(rig):
    run = two_windows(rig, 4)
    for _ in range(50):
        rig.extraction.wait(1.0)
    assert rig.salesforce.count("results") == len(rig.files()) == 4
    rig.read_all()
    assert names(run) == all_of(8)


def test_a_later_window_waits_while_pages_of_the_first_are_still_to_be_asked_for(tmp_path):
    rig = ExtractionRig(tmp_path, {"Account": rows(30)})
    run = two_windows(rig, 27)
    for _ in range(100):
        rig.extraction.wait(1.0)
    asked = {sent.url for sent in rig.salesforce.sent if sent.url.endswith("/results")}
    assert len(asked) == 1
    rig.read_all()
    assert names(run) == all_of(30)


def test_a_later_window_whose_page_is_lost_is_read_anew_in_its_turn(rig):
    rig.salesforce.script("results", "", "", "gone")
    run = two_windows(rig, 4)
    rig.read_all()
    rig.close()
    assert names(run) == all_of(8)


def test_above_a_bound_of_bytes_only_the_first_page_of_an_object_is_fetched(tmp_path):
    rig = ExtractionRig(tmp_path, {"Account": rows(60), "Contact": rows(60)})
    rig.extraction._reader._bounds = PageBounds(bytes=1)
    for name in ("Account", "Contact"):
        rig.add(name, FULL_REFRESH)
    for _ in range(100):
        rig.extraction.wait(1.0)
    assert len(rig.files()) <= 3  # a second one may be on its way before the first is there
    rig.read_all()
    assert [names(run) for run in rig.runs] == [all_of(60)] * 2


def test_a_page_is_on_disk_until_its_rows_were_handed_on_and_no_longer(rig):
    run = rig.add("Account", FULL_REFRESH)
    for _ in range(50):
        rig.extraction.wait(1.0)
    assert len(rig.files()) == 3
    ready = rig.extraction.next_page(run.read)
    assert ready is not None
    rig.extraction.handed_on(run.read, ready)
    assert len(rig.files()) == 2
    rig.close()


def test_nothing_is_handed_on_while_the_first_page_is_under_way(rig):
    run = rig.add("Account", FULL_REFRESH)
    assert rig.extraction.next_page(run.read) is None
    rig.read_all()


# Pages whose header does not lead on


@pytest.mark.parametrize("fate", ["no locator", "same locator"])
def test_an_accepted_page_that_does_not_lead_on_is_fetched_again(rig, fate, caplog):
    rig.salesforce.script("results", "", fate)
    assert names(read_one(rig, "Account", FULL_REFRESH)) == all_of(8)
    assert any("fetched again" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("fate", ["no locator", "same locator"])
def test_where_that_does_not_help_a_new_job_reads_the_window_again_and_says_what_repeats(rig, fate, caplog):
    rig.salesforce.script("results", "", *[fate] * (MAX_REFETCHES + 1))
    run = read_one(rig, "Account", FULL_REFRESH)
    assert names(run) == [*all_of(3), *all_of(8)]
    assert run.read.repeated_rows == 3
    assert any("3 rows" in record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)
    assert rig.salesforce.left() == set()


# Totals


@pytest.mark.parametrize("fate", ["too few", "too many"])
@pytest.mark.parametrize("mode", Mode)
def test_a_wrong_total_fails_the_object_typed_and_its_state_forgets_the_job(rig, fate, mode):
    rig.salesforce.script("info", fate)
    run = read_one(rig, "Account", mode)
    assert run.failure is not None
    assert run.failure.kind is Kind.TOTAL_MISMATCH
    assert "resume" not in run.state
    assert "SystemModstamp" not in run.state
    assert run.state != {"__ab_full_refresh_sync_complete": True}
    assert rig.salesforce.left() == set()


def test_after_a_wrong_total_the_next_run_reads_the_window_with_a_new_job(rig, tmp_path):
    rig.salesforce.script("info", "too many")
    run = read_one(rig, "Account", Mode.INCREMENTAL)
    again = ExtractionRig(tmp_path, salesforce=rig.salesforce)
    assert names(read_one(again, "Account", Mode.INCREMENTAL, blob=run.state)) == all_of(8)


def test_a_row_that_a_page_lacks_although_its_header_agrees_is_noticed(tmp_path):
    rig = ExtractionRig(tmp_path, {"Account": rows(3)})
    rig.salesforce.chance = lambda operation: "short" if operation == "results" else ""
    run = read_one(rig, "Account", FULL_REFRESH)
    assert run.failure is not None
    assert run.failure.kind is Kind.TOTAL_MISMATCH
    assert run.rows == []
    assert rig.files() == []


def test_a_row_that_a_page_lacked_once_comes_when_the_page_is_fetched_again(rig):
    rig.salesforce.script("results", "", "", "short")
    assert names(read_one(rig, "Account", FULL_REFRESH)) == all_of(8)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_job_that_has_found_no_row_is_complete_without_a_look_at_its_pages(tmp_path, mode):
    rig = ExtractionRig(tmp_path, {"Account": []})
    run = read_one(rig, "Account", mode)
    assert (run.failure, run.rows) == (None, [])
    assert run.state == {"SystemModstamp": format_instant(UPPER), "scope": SCOPE} or run.state == COMPLETE_MARKER
    assert rig.salesforce.count("results") == 0
    assert rig.salesforce.left() == set()
    rig.salesforce.close()


def test_an_empty_window_behind_one_with_rows_waits_for_it_without_a_look_at_its_pages(tmp_path):
    rig = ExtractionRig(tmp_path, {"Account": rows(4)})
    middle = datetime(2026, 11, 21, tzinfo=UTC)
    windows = [PlannedWindow(Bounds(None, middle, None, None)), PlannedWindow(Bounds(middle, UPPER, None, None))]
    run = rig.add("Account", Mode.INCREMENTAL, windows=windows)
    rig.read_all()
    rig.close()
    assert names(run) == all_of(4)
    assert run.state["SystemModstamp"] == format_instant(UPPER)
    assert rig.salesforce.count("results") == 2


def test_an_empty_range_of_ids_is_handed_on_like_any_other_so_that_its_end_is_seen(tmp_path):
    rig = ExtractionRig(tmp_path, {"Account": rows(3)})
    run = two_windows(rig, 3)
    ends = []
    while not run.ended:
        ready = rig.extraction.next_page(run.read)
        if ready is None:
            rig.extraction.wait(1.0)
        else:
            ends.append((ready.page.rows, isinstance(ready.after, End)))
            rig.extraction.handed_on(run.read, ready)
    rig.close()
    assert ends == [(3, True), (0, True)]


@pytest.mark.parametrize("answers", [["no content"], ["nothing there"]])
def test_a_job_that_does_not_say_how_many_rows_it_has_is_asked_for_its_pages(tmp_path, answers):
    rig = ExtractionRig(tmp_path, {"Account": []})
    rig.salesforce.script("info", *["no count"] * 4).script("results", *answers)
    run = read_one(rig, "Account", Mode.INCREMENTAL)
    assert (run.failure, run.rows) == (None, [])
    rig.salesforce.close()


def test_a_job_whose_results_are_not_ready_after_all_is_polled_again(rig):
    rig.salesforce.script("results", "not ready")
    run = read_one(rig, "Account", FULL_REFRESH)
    assert names(run) == all_of(8)
    assert len(rig.salesforce.jobs) == 1
    assert rig.salesforce.count("info") == 2


def test_a_job_that_disappears_between_two_pages_is_asked_for_again_and_its_rows_repeat_with_a_warning(rig, caplog):
    rig.salesforce.script("results", "", "gone")
    run = read_one(rig, "Account", FULL_REFRESH)
    assert names(run) == [*all_of(3), *all_of(8)]
    assert run.read.repeated_rows == 3
    assert any("3 rows" in record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)


@pytest.mark.parametrize("fate", ["broken", "cut"])
def test_nothing_of_a_damaged_page_is_emitted(rig, fate):
    rig.salesforce.script("results", "", fate, fate)
    run = read_one(rig, "Account", FULL_REFRESH)
    assert names(run) == all_of(8)
    assert run.read.repeated_rows == 0
    assert rig.metrics.of("Account").retries == 2


def test_a_page_that_stays_damaged_means_a_new_job(rig):
    rig.salesforce.script("results", *["broken"] * PAGE_RETRIES.attempts)
    run = read_one(rig, "Account", FULL_REFRESH)
    assert names(run) == all_of(8)
    assert len(rig.salesforce.jobs) == 2


def test_one_objects_lost_pages_do_not_hold_up_another(rig):
    rig.salesforce.script("results", "gone")
    for name in ("Account", "Contact"):
        rig.add(name, FULL_REFRESH)
    rig.read_all()
    rig.close()
    assert [names(run) for run in rig.runs] == [all_of(8)] * 2
