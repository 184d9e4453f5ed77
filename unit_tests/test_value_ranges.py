from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from source_salesforce_bulk.formulas import value_ranges
from source_salesforce_bulk.formulas.value_ranges import (
    FEWEST_ROWS,
    MOST_RANGES,
    MOST_ROWS,
    STRETCHES_AT_ONCE,
    KnownValues,
    TooManyRows,
    ValueRange,
    compare,
    rows_of_a_range,
    windows_again,
)
from source_salesforce_bulk.salesforce.ids import id_18, number_id
from source_salesforce_bulk.salesforce.soql import Bounds, check_where

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
FIRST = 10**20


def rows(count: int, **moved: int) -> list[tuple[str, int]]:
    """Rows with every tenth Id; `moved` are other digests by the row's number."""
    others = {int(number.removeprefix("row")): digest for number, digest in moved.items()}
    return [(number_id(FIRST + 10 * at), others.get(at, 1_000_003 * at)) for at in range(count)]


def settled(ranges):
    return tuple(replace(one, pending=False) for one in ranges)


def pending_ids(ranges, all_rows):
    """The rows in pending ranges."""
    ends = [*(one.start for one in ranges[1:]), "~"]
    return {
        record_id
        for record_id, _ in all_rows
        for one, end in zip(ranges, ends, strict=True)
        if one.pending and one.start <= record_id < end
    }


def test_without_a_memory_every_row_is_pending():
    everything = rows(100)
    ranges = compare(None, everything, 100)
    assert pending_ids(ranges, everything) == {record_id for record_id, _ in everything}
    assert len(ranges) == -(-100 // FEWEST_ROWS)


def test_equal_values_leave_nothing_to_be_read():
    ranges = settled(compare(None, rows(1000), 1000))
    assert compare(ranges, rows(1000), 1000) == ranges


def test_the_range_of_a_value_that_moved_is_pending_and_no_other():
    ranges = settled(compare(None, rows(1000), 1000))
    found = compare(ranges, rows(1000, row500=7), 1000)
    assert [one.pending for one in found].count(True) == 1
    assert number_id(FIRST + 5000) in pending_ids(found, rows(1000))
    assert len(pending_ids(found, rows(1000))) <= FEWEST_ROWS


def test_a_pending_range_stays_pending_until_its_rows_were_delivered():
    ranges = settled(compare(None, rows(100), 100))
    moved = compare(ranges, rows(100, row3=7), 100)
    again = compare(moved, rows(100, row3=7), 100)
    assert [one.pending for one in again] == [one.pending for one in moved]
    known = KnownValues("f", NOW, again)
    (window,) = windows_again(again, NOW)
    assert not known.delivered(window).pending
    elsewhere = Bounds(start=None, end=NOW, id_from=window.id_to, id_to=None)
    assert known.delivered(elsewhere).pending


@pytest.mark.parametrize("seed", range(5))
def test_whatever_comes_goes_and_moves_is_in_a_pending_range(seed):
    chance = random.Random(seed)
    held = dict(rows(600))
    ranges = settled(compare(None, sorted(held.items()), len(held)))
    for _ in range(20):
        before = dict(held)
        for record_id in chance.sample(sorted(held), 3):
            held[record_id] = chance.getrandbits(48)
        for record_id in chance.sample(sorted(held), 2):
            del held[record_id]
        held |= {number_id(FIRST + 6000 + chance.randrange(10**6)): chance.getrandbits(48) for _ in range(4)}
        ranges = compare(ranges, sorted(held.items()), len(held))
        moved = {record_id for record_id, digest in held.items() if before.get(record_id) != digest}
        assert moved <= pending_ids(ranges, held.items())
        sizes = [0] * len(ranges)
        starts = [one.start for one in ranges]
        for record_id in held:
            sizes[max(at for at, start in enumerate(starts) if start <= record_id)] += 1
        assert max(sizes) <= FEWEST_ROWS
        assert sum(sizes) == len(held)
        ranges = settled(ranges)


def test_an_object_that_has_become_empty_is_no_reason_to_read():
    ranges = settled(compare(None, rows(100), 100))
    assert not any(one.pending for one in compare(ranges, [], 0))


def test_ranges_of_large_objects_have_at_most_4096_rows():
    assert rows_of_a_range(30_000_000) == MOST_ROWS == 4_096


def test_an_object_with_more_rows_than_its_ranges_hold_says_so(monkeypatch):
    monkeypatch.setattr(value_ranges, "MOST_ROWS", 2)
    monkeypatch.setattr(value_ranges, "FEWEST_ROWS", 2)
    monkeypatch.setattr(value_ranges, "MOST_RANGES", 40)
    with pytest.raises(TooManyRows):
        compare(None, rows(100), 100)


def test_few_pending_stretches_are_one_window_and_many_are_several():
    ranges = settled(compare(None, rows(16 * 1000), 16 * 1000))
    few = tuple(replace(one, pending=at in (3, 4, 9)) for at, one in enumerate(ranges))
    (window,) = windows_again(few, NOW)
    start, end = (id_18(ranges[at].start) for at in (3, 5))
    assert (window.start, window.end) == (None, NOW)
    assert (window.id_from, window.id_to) == (id_18(ranges[3].start), id_18(ranges[10].start))
    assert window.only is not None
    assert window.only.startswith(f"(Id >= '{start}' AND Id < '{end}') OR (Id >= ")
    many = tuple(replace(one, pending=at % 3 == 0) for at, one in enumerate(ranges))
    windows = windows_again(many, NOW)
    assert len(windows) == -(-len([one for one in many if one.pending]) // STRETCHES_AT_ONCE)
    assert all(len(check_where(window.only or "Id = ''")) < 4_200 for window in windows)
    assert windows[0].id_from is None
    known = KnownValues("f", NOW, many)
    for window in windows:
        assert known.pending
        known = known.delivered(window)
    assert not known.pending


def test_one_stretch_needs_no_condition_and_most_of_all_rows_are_read_as_a_whole():
    ranges = settled(compare(None, rows(160), 160))
    one = tuple(replace(range_, pending=at == 2) for at, range_ in enumerate(ranges))
    (window,) = windows_again(one, NOW)
    assert window == Bounds(None, NOW, id_18(ranges[2].start), id_18(ranges[3].start))
    most = tuple(replace(range_, pending=at % 3 < 2) for at, range_ in enumerate(ranges))
    assert windows_again(most, NOW) == [Bounds(None, NOW, None, None)]


def test_the_memory_comes_back_from_its_json():
    ranges = compare(settled(compare(None, rows(1000), 1000)), rows(1000, row77=5), 1000)
    for known in (KnownValues("f", NOW, ranges, NOW), KnownValues("f", NOW, None), KnownValues("f", NOW, ranges)):
        assert KnownValues.from_json(json.loads(json.dumps(known.to_json()))) == known


@pytest.mark.parametrize(
    "blob",
    [
        None,
        {},
        {"fields": "f"},
        {"fields": "f", "read": "yesterday"},
        {"fields": "f", "read": "2026-08-01T12:00:00.000Z", "starts": "", "digests": "x"},
        {"fields": "f", "read": "2026-08-01T12:00:00.000Z", "starts": "!", "digests": "00000000"},
    ],
)
def test_anything_else_is_no_memory(blob):
    with pytest.raises(ValueError, match=r"."):
        KnownValues.from_json(blob)


def test_the_memory_of_ten_million_rows_takes_less_than_48_kib_and_of_the_largest_object_128():
    chance = random.Random(1)
    for count, most in ((2_442, 48), (MOST_RANGES, 128)):
        starts = sorted({FIRST + chance.randrange(count * 4_096 * 3) for _ in range(count - 1)})
        ranges = [ValueRange("", 1)] + [ValueRange(number_id(one), chance.getrandbits(48)) for one in starts]
        assert len(json.dumps(KnownValues("f" * 16, NOW, tuple(ranges), NOW).to_json())) < most * 1024
