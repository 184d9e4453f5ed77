from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.tables.intervals import VERSIONS, intervals


def at(hour: int) -> datetime:
    return datetime(2026, 11, 24, hour, tzinfo=UTC)


def version(begins: int, read: int, row: int, key: str = "a", **more: Any) -> dict[str, Any]:
    ends = more.pop("ends", None)
    return {
        "key": key,
        "begins": at(begins),
        "read_at": at(read),
        "gone": False,
        "tombstone": False,
        "file": 0,
        "row": row,
        "ends": None if ends is None else at(ends),
        **more,
    }


def found(*versions: dict[str, Any]) -> list[tuple[int, int | None]]:
    rows = intervals(pa.Table.from_pylist(list(versions), VERSIONS)).to_pylist()
    return [(row["row"], None if row["ends"] is None else row["ends"].hour) for row in rows]


def test_each_version_ends_where_the_next_one_begins_and_the_last_is_open():
    assert found(version(3, 4, 1), version(1, 2, 0), version(2, 4, 7, key="b")) == [(0, 3), (1, None), (7, None)]


def test_a_version_that_was_read_again_counts_once_as_it_was_read_last():
    assert found(version(1, 2, 0), version(1, 3, 1), version(3, 3, 2)) == [(1, 3), (2, None)]


def test_a_deleted_version_or_a_tombstone_ends_the_one_before_it_and_is_none_itself():
    assert found(version(1, 2, 0), version(3, 4, 1, gone=True)) == [(0, 3)]
    assert found(version(1, 2, 0), version(3, 4, 1, gone=True, tombstone=True)) == [(0, 3)]
    assert found(version(3, 4, 1, gone=True)) == []


def test_a_row_that_is_restored_has_a_gap():
    assert found(version(1, 2, 0), version(3, 4, 1, gone=True), version(5, 6, 2)) == [(0, 3), (2, None)]


def test_a_tombstone_ends_no_version_that_was_read_after_it():
    versions = version(1, 2, 0), version(3, 3, 1, gone=True, tombstone=True), version(1, 5, 2)
    assert found(*versions) == [(2, None)]
    assert found(*versions, version(6, 7, 3)) == [(2, 6), (3, None)]


def test_a_known_end_holds_until_the_same_version_is_read_later():
    assert found(version(1, 2, 0, ends=3), version(5, 6, 1)) == [(0, 3), (1, None)]
    assert found(version(1, 2, 0, ends=3), version(1, 6, 1)) == [(1, None)]


def test_nothing_has_no_intervals():
    assert found() == []


CHANGES = st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=8)


@given(CHANGES, st.integers(0, 8), st.integers(0, 3))
def test_folded_at_once_or_in_two_steps_with_rows_read_twice_the_intervals_are_the_same(changes, cut, again):
    log = [version(n + 1, n + 2, n, key=key, gone=gone) for n, (key, gone) in enumerate(changes)]
    at_once = intervals(pa.Table.from_pylist(log, VERSIONS))

    first = intervals(pa.Table.from_pylist(log[:cut], VERSIONS))
    newest = {one["key"]: one for one in log[:cut]}
    repeated = [one for one in log[max(0, cut - again) : cut] if newest[one["key"]] is one]  # as the look-back reads
    second = intervals(pa.concat_tables([first, pa.Table.from_pylist([*repeated, *log[cut:]], VERSIONS)]))

    def facts(table: Any) -> list[Any]:
        return sorted((row["key"], row["begins"], row["ends"]) for row in table.to_pylist() if row["ends"]) + sorted(
            (row["key"], row["begins"]) for row in table.to_pylist() if not row["ends"]
        )

    assert facts(second) == facts(at_once)
