from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.salesforce.ids import id_15, id_18, is_id, split_id_range

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
stems = st.text(DIGITS, min_size=15, max_size=15)


def number_of(record_id: str) -> int:
    value = 0
    for digit in record_id[:15]:
        value = value * 62 + DIGITS.index(digit)
    return value


# Pairs published by Salesforce and by several clients.
PAIRS = [
    ("001A0000006Vm9r", "001A0000006Vm9rIAC"),
    ("001D000000IRFma", "001D000000IRFmaIAH"),
    ("000000000000000", "000000000000000AAA"),
    ("AAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAA555"),
    ("aaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaAAA"),
]


@pytest.mark.parametrize(("short", "long"), PAIRS)
def test_the_long_form_adds_a_checksum_of_the_letter_cases(short, long):
    assert id_18(short) == long
    assert id_18(long) == long
    assert id_15(long) == short
    assert id_15(short) == short


@pytest.mark.parametrize("text", [short for short, _ in PAIRS] + [long for _, long in PAIRS])
def test_both_forms_are_ids(text):
    assert is_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "001",
        "001A0000006Vm9",
        "001A0000006Vm9rI",
        "001A0000006Vm9rIACX",
        "001A0000006Vm9-",
        "001A0000006Vm9r\n",
        "001A0000006Vm9é",
        "001A0000006Vm9٤",
        "'01A0000006Vm9r",
    ],
)
def test_anything_else_is_no_id(text):
    assert not is_id(text)
    with pytest.raises(ValueError, match="not a Salesforce Id"):
        id_15(text)
    with pytest.raises(ValueError, match="not a Salesforce Id"):
        id_18(text)


@given(stems, stems)
def test_text_order_is_number_order_and_the_checksum_does_not_change_it(one, other):
    assert (one < other) == (number_of(one) < number_of(other))
    if one != other:
        assert (id_18(one) < id_18(other)) == (one < other)


def test_a_documented_boundary_is_met():
    # The Bulk API guide's chunks of 250,000: ...132G, ...264W, ...396m.
    assert number_of("0" * 11 + "132G") == 250_000
    assert number_of("0" * 11 + "264W") == 500_000
    assert number_of("0" * 11 + "396m") == 750_000
    (cut,) = split_id_range("0" * 15, "0" * 11 + "264V", 2)
    assert id_15(cut) == "0" * 11 + "132G"


@given(stems, stems, st.integers(1, 20))
def test_cuts_ascend_within_the_range_and_are_long_ids(one, other, parts):
    low, high = sorted((one, other))
    cuts = split_id_range(low, id_18(high), parts)
    assert len(cuts) < parts
    assert all(id_18(cut) == cut for cut in cuts)
    assert all(first < second for first, second in pairwise(cuts))
    assert all(low < id_15(cut) <= high for cut in cuts)


@given(stems, st.integers(0, 10**9), st.integers(2, 20))
def test_pieces_differ_by_at_most_one_in_width(low, width, parts):
    last = min(number_of(low) + width, 62**15 - 1)
    cuts = [number_of(cut) for cut in split_id_range(low, text_of(last), parts)]
    edges = [number_of(low), *cuts, last + 1]
    widths = [high - low for low, high in pairwise(edges)]
    assert max(widths) - min(widths) <= 1
    assert len(widths) == min(parts, last - number_of(low) + 1)


def text_of(number: int) -> str:
    digits = []
    for _ in range(15):
        number, digit = divmod(number, 62)
        digits.append(DIGITS[digit])
    return "".join(reversed(digits))


def test_a_single_id_cannot_be_cut():
    assert split_id_range("001A0000006Vm9r", "001A0000006Vm9rIAC", 2) == []


def test_neighbours_are_cut_at_the_upper_one():
    assert split_id_range("001A00000000000", "001A00000000001", 2) == [id_18("001A00000000001")]


def test_a_range_upside_down_is_refused():
    with pytest.raises(ValueError, match="above"):
        split_id_range("001A00000000001", "001A00000000000", 2)
