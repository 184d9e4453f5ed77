from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.salesforce.ids import id_15, id_18, is_id, split_id_range

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
STEMS = st.text(alphabet=DIGITS, min_size=15, max_size=15)
RANGES = st.tuples(STEMS, STEMS).map(sorted)


def test_digits_count_in_ascii_order():
    assert "".join(sorted(DIGITS)) == DIGITS


@pytest.mark.parametrize(
    ("stem", "whole"),
    [
        ("000000000000000", "000000000000000AAA"),
        ("001000000000001", "001000000000001AAA"),
        ("001D000000IRFma", "001D000000IRFmaIAH"),
        ("ABCDEFGHIJKLMNO", "ABCDEFGHIJKLMNO555"),
        ("abcdefghijklmno", "abcdefghijklmnoAAA"),
    ],
)
def test_three_characters_spell_out_the_letter_case(stem, whole):
    assert id_18(stem) == whole
    assert id_18(whole) == whole
    assert id_15(whole) == stem
    assert id_15(stem) == stem


@given(STEMS)
def test_both_forms_are_ids(stem):
    assert is_id(stem)
    assert is_id(id_18(stem))


@given(STEMS, STEMS)
def test_the_suffix_leaves_the_order_alone(one, other):
    if one != other:
        assert (one < other) == (id_18(one) < id_18(other))


@given(STEMS, STEMS)
def test_the_longer_form_tells_ids_apart_without_letter_case(one, other):
    if one != other:
        assert id_18(one).lower() != id_18(other).lower()


@pytest.mark.parametrize(
    "text", ["", "001", "00100000000000", "0010000000000011", "00100000000000-", "00100000000000é"]
)
def test_what_is_no_id(text):
    assert not is_id(text)
    with pytest.raises(ValueError):  # noqa: PT011
        id_18(text)


@given(RANGES, st.integers(1, 40))
def test_boundaries_ascend_inside_the_range(ends, parts):
    low, high = ends
    cuts = [id_15(cut) for cut in split_id_range(low, high, parts)]
    assert cuts == sorted(set(cuts))
    assert len(cuts) < parts
    assert all(low < cut <= high for cut in cuts)


@given(RANGES, st.integers(2, 40))
def test_there_is_a_boundary_wherever_there_are_two_ids(ends, parts):
    low, high = ends
    assert bool(split_id_range(low, high, parts)) == (low < high)


@given(RANGES, st.integers(2, 9))
def test_either_form_of_the_ends_gives_the_same_boundaries(ends, parts):
    low, high = ends
    assert split_id_range(id_18(low), id_18(high), parts) == split_id_range(low, high, parts)


def test_two_neighbours_are_parted():
    (cut,) = split_id_range("001000000000001", "001000000000002", 2)
    assert id_15(cut) == "001000000000002"


def test_a_carry_goes_through_every_digit():
    (cut,) = split_id_range("00100000000000z", "001000000000010", 2)
    assert id_15(cut) == "001000000000010"


def test_parts_are_about_equal_in_width():
    cuts = [id_15(cut) for cut in split_id_range("001000000000000", "001000000000100", 4)]
    assert [cut[-3:] for cut in cuts] == ["0FV", "0V0", "0kV"]
