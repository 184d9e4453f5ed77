from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.pages.walk import (
    MAX_EMPTY_PAGES,
    End,
    Lost,
    Onward,
    Walk,
    WrongTotal,
    step,
)
from source_salesforce_bulk.salesforce.bulk_api import PageHeaders


def to(locator: str) -> PageHeaders:
    return PageHeaders(rows=None, locator=locator, last=False)


LAST = PageHeaders(rows=None, locator=None, last=True)
SILENT = PageHeaders(rows=None, locator=None, last=False)


def test_a_page_that_names_the_next_leads_on():
    assert step(Walk(total=10), to("b"), 4) == Onward(Walk(total=10, locator="b", page=1, rows=4))


def test_the_way_behind_is_counted_and_remembered():
    walk = Walk(total=10, locator="b", page=1, rows=4)
    assert step(walk, to("c"), 5) == Onward(Walk(total=10, locator="c", page=2, rows=9, used=frozenset({"b"})))


def test_the_last_page_ends_the_walk_when_the_rows_agree_with_the_total():
    assert step(Walk(total=10, locator="c", page=2, rows=9), LAST, 1) == End(rows=10, pages=3)


def test_a_result_without_rows_ends_with_its_first_page():
    assert step(Walk(total=0), LAST, 0) == End(rows=0, pages=1)
    assert step(Walk(total=0), SILENT, 0) == End(rows=0, pages=1)


def test_a_missing_locator_header_is_the_end_only_when_the_rows_so_far_equal_the_total():
    assert step(Walk(total=10, rows=9), SILENT, 1) == End(rows=10, pages=1)
    assert isinstance(step(Walk(total=10, rows=8), SILENT, 1), Lost)
    assert isinstance(step(Walk(total=None, rows=9), SILENT, 1), Lost)


def test_without_a_total_the_word_null_is_the_end():
    assert step(Walk(total=None, rows=9), LAST, 1) == End(rows=10, pages=1)


def test_an_end_before_the_total_is_a_wrong_total():
    assert step(Walk(total=10, rows=4), LAST, 5) == WrongTotal(rows=9, total=10)


@pytest.mark.parametrize("headers", [LAST, SILENT, to("c")])
def test_more_rows_than_the_total_are_a_wrong_total_whatever_follows(headers):
    assert step(Walk(total=10, locator="b", rows=9), headers, 2) == WrongTotal(rows=11, total=10)


def test_a_page_that_names_itself_as_the_next_leads_nowhere():
    assert isinstance(step(Walk(total=10, locator="b"), to("b"), 3), Lost)


def test_a_page_that_names_an_earlier_one_leads_nowhere():
    walk = Walk(total=10, locator="c", page=2, rows=2, used=frozenset({"b"}))
    assert isinstance(step(walk, to("b"), 3), Lost)


def test_a_page_that_cannot_be_followed_leaves_the_walk_as_it_was():
    walk = Walk(total=10, locator="b", page=1, rows=3)
    assert isinstance(step(walk, to("b"), 3), Lost)
    assert step(walk, to("c"), 3) == Onward(Walk(total=10, locator="c", page=2, rows=6, used=frozenset({"b"})))


def test_all_rows_may_be_there_before_the_last_page_is():
    after = step(Walk(total=3), to("b"), 3)
    assert isinstance(after, Onward)
    assert step(after.walk, LAST, 0) == End(rows=3, pages=2)


def test_a_page_that_begins_with_the_row_of_an_earlier_one_is_not_taken():
    first = step(Walk(total=4), to("b"), 2, "001A")
    assert isinstance(first, Onward)
    assert isinstance(step(first.walk, LAST, 2, "001A"), Lost)
    assert step(first.walk, LAST, 2, "001B") == End(rows=4, pages=2)


def test_pages_without_an_id_may_be_equal():
    first = step(Walk(total=4), to("b"), 2)
    assert isinstance(first, Onward)
    assert step(first.walk, LAST, 2) == End(rows=4, pages=2)


@pytest.mark.parametrize(("rows", "total", "counted"), [(4, 4, True), (3, 4, False), (0, 0, True), (4, None, False)])
def test_a_walk_knows_whether_every_reported_row_lies_behind(rows, total, counted):
    assert Walk(total=total, rows=rows).counted is counted


def test_empty_pages_that_lead_on_are_followed_up_to_a_bound():
    walk = Walk(total=1)
    for number in range(MAX_EMPTY_PAGES):
        after = step(walk, to(f"l{number}"), 0)
        assert isinstance(after, Onward)
        walk = after.walk
    assert isinstance(step(walk, to("one more"), 0), Lost)


def test_a_page_with_rows_resets_the_bound_on_empty_pages():
    walk = Walk(total=2, empty_pages=MAX_EMPTY_PAGES)
    after = step(walk, to("b"), 1)
    assert isinstance(after, Onward)
    assert after.walk.empty_pages == 0


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.booleans(), st.booleans())
def test_every_walk_over_a_sound_result_visits_each_page_once_and_ends(pages, known, silent_end):
    total = sum(pages) if known else None
    walk, visited = Walk(total=total), []
    for number, (rows, more) in enumerate(zip(pages, [*[True] * (len(pages) - 1), False], strict=True)):
        visited.append(walk.locator)
        after = step(walk, to(f"l{number}") if more else (SILENT if silent_end and known else LAST), rows)
        if more:
            assert isinstance(after, Onward)
            walk = after.walk
        else:
            assert after == End(rows=sum(pages), pages=len(pages))
    assert len(set(visited)) == len(pages)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d", None, "null"]), st.integers(0, 9)), max_size=60))
def test_no_headers_make_a_walk_visit_a_page_twice(answers):
    walk, visited = Walk(total=None), []
    for name, rows in answers:
        visited.append(walk.locator)
        after = step(walk, LAST if name == "null" else PageHeaders(None, name, last=False), rows)
        if not isinstance(after, Onward):
            break
        assert after.walk.rows == walk.rows + rows
        walk = after.walk
    assert len(visited) == len(set(visited))
    assert all(one != two for one, two in pairwise(visited))
