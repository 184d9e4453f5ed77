"""Sketches of sets of Ids: the differences can be read, or the sketch reports that they cannot."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from source_salesforce_bulk.deletions.id_sketch import MOST_HEADS, IdSketch, SketchFull
from source_salesforce_bulk.salesforce.ids import id_18, id_number, number_id

STEMS = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", min_size=9, max_size=9)
IDS = st.sets(STEMS.map(lambda tail: id_18("0015g0" + tail)), max_size=300)


def ids_from(start: str, count: int, step: int = 1) -> list[str]:
    first = id_number(start)
    return [id_18(number_id(first + step * at)) for at in range(count)]


@settings(max_examples=12, deadline=None)
@given(IDS, IDS)
def test_a_difference_is_read_exactly(first, second):
    sketch = IdSketch()
    for one in first:
        sketch.add(one)
    sketch = IdSketch.from_text(sketch.to_text(), sketch.heads)
    for one in second:
        sketch.remove(one)
    difference = sketch.difference()
    assert (difference.added, difference.removed) == (first - second, second - first)


def test_8000_deletions_are_read_among_far_more_rows():
    everything = ids_from("0015g00000AAAAA", 60_000, step=7)
    gone = set(random.Random(1).sample(everything, 8_000))
    sketch = IdSketch()
    for one in everything:
        sketch.add(one)
    for one in everything:
        if one not in gone:
            sketch.remove(one)
    difference = sketch.difference()
    assert (difference.added, difference.removed) == (gone, frozenset())
    assert len(IdSketch().to_text()) < 200_000


def test_more_than_it_can_hold_is_told_and_not_guessed():
    sketch = IdSketch()
    for one in ids_from("0015g00000AAAAA", 12_000):
        sketch.add(one)
    assert sketch.difference() is None


def test_a_copy_is_changed_alone():
    one, other = ids_from("0015g00000AAAAA", 2)
    sketch = IdSketch()
    sketch.add(one)
    copied = sketch.copy()
    copied.add(other)
    assert sketch.difference().added == {one}
    assert copied.difference().added == {one, other}


def test_an_id_that_was_added_twice_is_never_taken_for_one():
    (one,) = ids_from("0015g00000AAAAA", 1)
    sketch = IdSketch()
    sketch.add(one)
    sketch.add(one)
    assert sketch.difference() is None


def test_more_beginnings_than_it_can_number_are_refused():
    sketch = IdSketch(f"001{number:03d}" for number in range(MOST_HEADS))
    with pytest.raises(SketchFull):
        sketch.add("0015g00000AAAAA")


@pytest.mark.parametrize("text", ["", "00000", "x" * 10])
def test_cells_of_another_size_are_refused(text):
    with pytest.raises(ValueError, match="not the cells"):
        IdSketch.from_text(text, ())
