from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.tables.winners import VERSIONS, between, boundaries, key_of, winners

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
BEFORE = datetime.min.replace(tzinfo=UTC)
Version = dict[str, Any]


def version(key: str, cursor: int | None, read_at: int | None = 0, **flags: bool) -> Version:
    moments = {
        name: None if minutes is None else NOON + timedelta(minutes=minutes)
        for name, minutes in (("cursor", cursor), ("read_at", read_at))
    }
    return {"key": key, **moments, "gone": flags.get("gone", False), "tombstone": flags.get("tombstone", False)}


def table(*versions: Version) -> Any:
    """Each version in a file of its own, in their order."""
    return pa.Table.from_pylist([{**one, "file": at, "row": 0} for at, one in enumerate(versions)], VERSIONS)


def chosen(*versions: Version, keep_deleted: bool = False) -> list[int]:
    return sorted(winners(table(*versions), keep_deleted=keep_deleted).table["file"].to_pylist())


def test_the_newest_cursor_wins_whenever_it_was_read():
    assert chosen(version("a", 2, read_at=1), version("a", 1, read_at=9)) == [0]


def test_among_equal_cursors_the_row_that_was_read_last_wins():
    assert chosen(version("a", 1, read_at=5), version("a", 1, read_at=3)) == [0]
    assert chosen(version("a", 1), version("a", 1)) == [1]


def test_a_row_without_a_cursor_is_older_than_any_other():
    assert chosen(version("a", None, read_at=9), version("a", 1)) == [1]


def test_deleted_rows_leave_unless_they_are_to_be_kept():
    versions = version("a", 1), version("a", 2, gone=True), version("b", 1, gone=True), version("c", 1)
    assert chosen(*versions) == [3]
    assert chosen(*versions, keep_deleted=True) == [1, 2, 3]


def test_a_tombstone_beats_what_was_read_until_then_and_not_what_was_read_later():
    assert chosen(version("a", 1, read_at=1), version("a", None, read_at=1, tombstone=True)) == []
    assert chosen(version("a", None, read_at=1, tombstone=True), version("a", 1, read_at=2)) == [1]
    assert chosen(version("a", 1, read_at=None), version("a", None, read_at=1, tombstone=True)) == []
    assert chosen(version("a", None, read_at=1, tombstone=True), version("b", 1, read_at=0)) == [1]


def test_a_buried_row_that_is_kept_says_when_it_was_found_to_be_gone():
    versions = table(
        version("a", 1, read_at=1), version("a", None, read_at=3, tombstone=True), version("b", 1, read_at=1)
    )
    kept = winners(versions, keep_deleted=True)
    assert sorted(kept.table["file"].to_pylist()) == [0, 2]
    assert kept.buried_in(0).to_pylist() == [{"row": 0, "buried": NOON + timedelta(minutes=3)}]
    assert kept.buried_in(2).num_rows == 0
    assert winners(versions, keep_deleted=False).table["file"].to_pylist() == [2]


def test_a_key_of_several_fields_is_one_text():
    columns = [pa.chunked_array([["a", "a", None]]), pa.chunked_array([[1, 11, 1]])]
    keys = key_of(columns).to_pylist()
    assert len(set(keys)) == 3
    assert key_of(columns[:1]).to_pylist() == ["a", "a", None]


VERSION = st.builds(
    version,
    st.sampled_from("abcd"),
    st.one_of(st.none(), st.integers(0, 3)),
    st.integers(0, 3),
    gone=st.booleans(),
    tombstone=st.booleans(),
)


def by_the_words(versions: list[Version]) -> list[int]:
    """The module's description, row by row."""
    kept = []
    for key in {one["key"] for one in versions}:
        mine = [(at, one) for at, one in enumerate(versions) if one["key"] == key]
        rows = [(one["cursor"] or BEFORE, one["read_at"], at) for at, one in mine if not one["tombstone"]]
        buried = max((one["read_at"] for _, one in mine if one["tombstone"]), default=None)
        if rows:
            _, read_at, at = max(rows)
            if (buried is None or buried < read_at) and not versions[at]["gone"]:
                kept.append(at)
    return sorted(kept)


@given(st.lists(VERSION, max_size=12))
def test_winners_are_what_the_rules_say(versions):
    assert chosen(*versions) == by_the_words(versions)


@given(st.lists(st.text(max_size=3)), st.integers(1, 5))
def test_ranges_of_keys_hold_every_version_once(keys, parts):
    versions = table(*(version(key, 1) for key in keys))
    cuts = boundaries(versions["key"].combine_chunks(), parts)
    ranges = list(zip([None, *cuts], [*cuts, None], strict=True))
    found = [key for start, end in ranges for key in between(versions, start, end)["key"].to_pylist()]
    assert sorted(found) == sorted(keys)


def test_ranges_are_about_equal():
    keys = [f"001{number:06d}" for number in range(9_000)]
    Random(1).shuffle(keys)
    cuts = boundaries(pa.array(keys), 3)
    assert cuts == ["001003000", "001006000"]
