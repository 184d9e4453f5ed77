from __future__ import annotations

import csv
import hashlib
import hmac
import io

from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.pages.csv_page import read_rows
from source_salesforce_bulk.pages.hashing import Hashing, hashed_text

COLUMNS = ("Id", "Email", "Name")
HASHING = Hashing(("email",), "a long random text")


def rewritten(rows: list[list[str]], hashing: Hashing = HASHING) -> list[list[str]]:
    out = io.BytesIO(b"".join(hashed_text(rows, COLUMNS, hashing)))
    return list(read_rows(out, COLUMNS))


def test_a_value_becomes_its_hmac_and_a_null_stays_one():
    expected = hmac.new(b"a long random text", "jo@é.example".encode(), hashlib.sha256).hexdigest()
    assert rewritten([["1", "jo@é.example", "Jo"], ["2", "", ""]]) == [["1", expected, "Jo"], ["2", "", ""]]


def test_the_same_value_has_the_same_digest_under_the_same_key_only():
    assert HASHING.digest("x") == HASHING.digest("x")
    assert HASHING.digest("x") != Hashing(("email",), "another").digest("x")
    assert HASHING.digest("x") != HASHING.digest("X")


def test_no_repr_shows_the_key():
    assert "a long random text" not in repr(HASHING)


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=3, max_size=3), max_size=20))
def test_every_other_cell_is_as_it_was(rows):
    # What Salesforce sends is CSV, so a cell is what a CSV reader makes of it.
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([COLUMNS, *rows])
    cells = list(read_rows(io.BytesIO(text.getvalue().encode()), COLUMNS))
    found = rewritten(cells)
    assert [[one[0], one[2]] for one in found] == [[one[0], one[2]] for one in cells]
    assert [one[1] for one in found] == [HASHING.digest(one[1]) for one in cells]


def test_thousands_of_rows_are_written_in_stretches():
    assert len(rewritten([["1", "a", "b"]] * 2500)) == 2500
