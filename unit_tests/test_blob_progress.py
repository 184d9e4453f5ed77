from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from source_salesforce_bulk.export.blob_entries import ROWS
from source_salesforce_bulk.export.blob_progress import MOST_REMEMBERED, BlobProgress, registry_entry
from source_salesforce_bulk.registries.state import UnreadableProgress, is_file_name
from source_salesforce_bulk.salesforce.ids import id_18

MONDAY, TUESDAY = datetime(2026, 11, 23, 8, tzinfo=UTC), datetime(2026, 11, 24, 8, tzinfo=UTC)
LOOKBACK = timedelta(minutes=10)


def ids(count: int) -> list[str]:
    return [id_18(f"068000000{number:06d}") for number in range(count)]


def test_the_first_pass_lists_everything_up_to_now():
    bounds = BlobProgress().begun(MONDAY, "r1").bounds(None, LOOKBACK)
    assert (bounds.start, bounds.end, bounds.only) == (None, MONDAY, None)


def test_the_next_pass_begins_before_the_end_of_the_last():
    progress = BlobProgress().begun(MONDAY, "r1").finished().begun(TUESDAY, "r2")
    bounds = progress.bounds(None, LOOKBACK)
    assert (bounds.start, bounds.end) == (MONDAY - LOOKBACK, TUESDAY)
    assert (progress.run, progress.number, progress.page, progress.after) == ("r2", 1, 0, None)


def test_no_row_before_the_start_date_is_listed():
    assert BlobProgress().begun(TUESDAY, "r1").bounds(MONDAY, LOOKBACK).start == MONDAY


def test_a_pass_that_was_interrupted_goes_on_after_its_last_page():
    begun = BlobProgress().begun(MONDAY, "r1").page_stored(ids(3), [])
    again = BlobProgress.from_json(begun.to_json()).begun(TUESDAY, "r2")
    assert again == begun
    assert (again.until, again.run, again.page, again.after) == (MONDAY, "r1", 1, ids(3)[-1])


def test_rows_without_a_valid_file_are_tried_first_in_the_next_pass():
    wrong = ids(ROWS + 1)
    progress = BlobProgress().begun(MONDAY, "r1").page_stored(ids(500), wrong).finished()
    assert progress.again == tuple(wrong)
    progress = progress.begun(TUESDAY, "r2")
    first = progress.bounds(MONDAY, LOOKBACK)
    assert first.only is not None
    assert (first.start, first.end, first.only.count("'068")) == (None, None, ROWS)
    progress = progress.page_stored(wrong[:ROWS], wrong[:1])
    assert (progress.again, progress.missed, progress.after) == (tuple(wrong[ROWS:]), (wrong[0],), None)
    progress = progress.page_stored(wrong[ROWS:], [])
    assert progress.bounds(None, LOOKBACK).end == TUESDAY
    assert progress.finished().again == (wrong[0],)


def test_the_progress_stays_small():
    progress = BlobProgress().begun(MONDAY, "r1").page_stored(ids(5), ids(MOST_REMEMBERED + 5)).finished()
    assert len(progress.again) == MOST_REMEMBERED


def test_no_progress_is_the_beginning():
    assert BlobProgress.from_json({}) == BlobProgress()


@pytest.mark.parametrize(
    "damage",
    [
        {"passes": -1},
        {"passes": "1"},
        {"again": ["x') OR (Id != '"]},
        {"again": [1]},
        {"reached": "soon"},
        {"reached": 5},
        {"pass": None},
    ],
)
def test_a_damaged_progress_is_refused(damage):
    sound = BlobProgress().begun(MONDAY, "r1").page_stored(ids(2), ids(1)).to_json()
    with pytest.raises(UnreadableProgress):
        BlobProgress.from_json({**sound, **damage})


@pytest.mark.parametrize(
    "damage",
    [
        {"run": "../../x"},
        {"run": None},
        {"page": -1},
        {"page": "1"},
        {"after": "x' OR Id != '"},
        {"missed": [1]},
        {"until": "soon"},
        {"until": None},
    ],
)
def test_a_damaged_pass_is_refused(damage):
    sound = BlobProgress().begun(MONDAY, "r1").page_stored(ids(2), ids(1)).to_json()
    with pytest.raises(UnreadableProgress):
        BlobProgress.from_json({**sound, "pass": {**sound["pass"], **damage}})


def test_only_a_finished_pass_counts_as_read():
    assert "reached" not in BlobProgress().begun(MONDAY, "r1").to_json()
    assert BlobProgress().begun(MONDAY, "r1").finished().to_json()["reached"] == "2026-11-23T08:00:00.000Z"


def test_the_entry_in_the_registry_is_another_than_the_rows():
    assert registry_entry("Attachment") == "Attachment-files"
    assert is_file_name(registry_entry("ContentVersion"))
