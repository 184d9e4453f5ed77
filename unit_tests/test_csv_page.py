from __future__ import annotations

import csv
import gzip
import io
import random
from typing import NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from source_salesforce_bulk.pages.csv_page import LONGEST_ROW, PageRejected, read_rows
from source_salesforce_bulk.pages.spool import PageText

COLUMNS = ("Id", "Name", "Notes")


class Trickle(io.RawIOBase):
    """A raw stream that gives at most as many bytes per read as its script says."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        self._content = content
        self._sizes = sizes
        self._reads = 0
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        size = self._sizes[self._reads % len(self._sizes)]
        self._reads += 1
        chunk = self._content[self._position : self._position + min(size, len(buffer))]
        self._position += len(chunk)
        buffer[: len(chunk)] = chunk
        return len(chunk)


def rows_of_pieces(page: bytes, columns, sizes: list[int]) -> list[list[str]]:
    return list(read_rows(Trickle(page, sizes), columns))


def rows_of(page: bytes, columns=COLUMNS) -> list[list[str]]:
    """The page's rows, read whole, byte by byte and in random pieces, which must make no difference."""
    whole = list(read_rows(io.BytesIO(page), columns))
    if len(page) < 10_000:
        assert rows_of_pieces(page, columns, [1]) == whole
    pieces = random.Random(len(page))
    assert rows_of_pieces(page, columns, [pieces.randint(1, 1 + len(page) // 20) for _ in range(20)]) == whole
    return whole


class Shape(NamedTuple):
    """A page that was read to its end."""

    rows: int
    ended: bool


def inspected(page: bytes, columns=COLUMNS) -> Shape:
    text = PageText(io.BytesIO(page), 1 << 30)
    return Shape(sum(1 for _ in read_rows(text, columns)), text.ended)


def digest(page: bytes) -> str:
    text = PageText(io.BytesIO(page), 1 << 30)
    while text.read(1 << 18):
        pass
    return text.digest


def rejection(page: bytes, columns=COLUMNS) -> str:
    """Return why the page is rejected, inspected or read, whole or byte by byte."""
    with pytest.raises(PageRejected) as whole:
        inspected(page, columns)
    with pytest.raises(PageRejected) as trickled:
        rows_of_pieces(page, columns, [1 + len(page) // 10_000])
    assert str(whole.value) == str(trickled.value)
    return str(whole.value)


def quoted(cell: str) -> bytes:
    return ('"' + cell.replace('"', '""') + '"').encode()


def one_cell(cell: bytes) -> list[list[str]]:
    return rows_of(b'"Id","Name","Notes"\n"1",' + cell + b',"z"\n"2","b","c"\n')


HEADER = b'"Id","Name","Notes"\n'


# What a page holds


def test_a_quoted_page_is_read():
    assert rows_of(HEADER + b'"1","a","b"\n"2","c",""\n') == [["1", "a", "b"], ["2", "c", ""]]


def test_a_page_without_quotes_is_read():
    assert rows_of(b"Id,Name,Notes\n1,a,b\n2,c,\n") == [["1", "a", "b"], ["2", "c", ""]]


AWKWARD = [
    "two\nlines",
    "\n",
    "two\r\nlines",
    "\r\n",
    "old\rmac",
    "\r",
    "\n\r",
    "a,b",
    'she said "so"',
    '"',
    '""',
    "nul\x00nul",
    "\x00",
    "bell\x07 escape\x1b unit\x1f file\x1c delete\x7f",
    "vertical\x0b form\x0c next\x85",
    "line\u2028paragraph\u2029",
    "\ufeffmark in the middle\ufeff",
    " blanks \t",
    " ",
    "\u00a0\u3000",
    "NA",
    "N/A",
    "null",
    "NULL",
    "NaN",
    "None",
    "-",
    "\\N",
    "\\",
    'ends with \\"',
    "'",
    "#comment",
    "=1+1",
    "Zoë 東京 🏔 \U0010ffff \ue000",
    "é",
    "Id",
    "x" * 131_072,
    "東" * 131_072,
]


@pytest.mark.parametrize("cell", AWKWARD, ids=lambda cell: repr(cell)[:30])
def test_a_quoted_cell_survives_as_it_is(cell):
    assert one_cell(quoted(cell)) == [["1", cell, "z"], ["2", "b", "c"]]


@pytest.mark.parametrize(
    "cell",
    [cell for cell in AWKWARD if not set(cell) & set('",\n')],
    ids=lambda cell: repr(cell)[:30],
)
def test_an_unquoted_cell_survives_as_it_is_even_with_a_bare_cr(cell):
    assert one_cell(cell.encode()) == [["1", cell, "z"], ["2", "b", "c"]]


def test_a_bare_cr_at_either_end_of_a_row_belongs_to_its_cell():
    assert rows_of(b"Id,Name,Notes\n\r1,a,b\r\n2,c,d\n") == [["\r1", "a", "b\r"], ["2", "c", "d"]]


def test_a_page_whose_lines_end_with_cr_lf_is_read_and_its_cells_are_left_alone():
    page = b'"Id","Name","Notes"\r\n"1","a\r\nb","c\rd"\r\n"2","e\nf",""\r\n'
    assert rows_of(page) == [["1", "a\r\nb", "c\rd"], ["2", "e\nf", ""]]


def test_a_byte_order_mark_before_the_header_is_no_part_of_it():
    assert rows_of(b"\xef\xbb\xbf" + HEADER + b'"1","a","b"\n') == [["1", "a", "b"]]


def test_columns_come_in_the_order_that_was_asked_for_whatever_the_header_says():
    assert rows_of(b'"Notes","Id","Name"\n"n","i","m"\n') == [["i", "m", "n"]]


def test_header_names_are_known_in_any_letter_case():
    assert rows_of(b'"ID","name","NoTes"\n"1","a","b"\n') == [["1", "a", "b"]]
    assert rows_of(b'"Account.Name","Id"\n"a","1"\n', ("id", "account.name")) == [["1", "a"]]


def test_a_page_of_one_column_may_hold_nulls_quoted_or_not():
    assert rows_of(b'"Name"\n"a"\n""\n"b"\n', ("Name",)) == [["a"], [""], ["b"]]
    assert rows_of(b"Name\na\n\n\nb\n", ("Name",)) == [["a"], [""], [""], ["b"]]
    assert rows_of(b"Name\r\na\r\n\r\nb\r\n", ("Name",)) == [["a"], [""], ["b"]]


@pytest.mark.parametrize("page", [b"", b"\xef\xbb\xbf", HEADER, HEADER.strip()])
def test_an_empty_result_has_no_rows_with_or_without_a_header(page):
    assert rows_of(page) == []
    assert inspected(page).rows == 0


def test_a_page_without_a_final_line_end_is_read_to_its_last_cell():
    assert rows_of(HEADER + b'"1","a","b"\n"2","c","d"') == [["1", "a", "b"], ["2", "c", "d"]]


# What an inspection says


def test_an_inspection_counts_rows_and_not_lines():
    assert inspected(HEADER + b'"1","a\nb\nc","d"\n"2","e","f"\n').rows == 2


@pytest.mark.parametrize(
    ("page", "ended"),
    [(b"", True), (HEADER, True), (HEADER + b'"1","a","b"\n', True), (HEADER + b'"1","a","b"', False)],
)
def test_an_inspection_says_whether_the_last_line_ended(page, ended):
    assert inspected(page).ended is ended


def test_two_pages_have_the_same_digest_exactly_when_their_bytes_are_the_same():
    page = HEADER + b'"1","a","b"\n'
    assert digest(page) == digest(page)
    assert digest(page) != digest(page.replace(b'"a"', b'"c"'))
    assert digest(page) != digest(b"Id,Name,Notes\n1,a,b\n")
    assert digest(page * 100_000) != digest(page * 99_999)


def test_a_page_may_come_out_of_gzip():
    page = HEADER + b'"1","a","b"\n' * 3
    with gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(page))) as source:
        assert len(list(read_rows(source, COLUMNS))) == 3


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_source_stays_open_for_its_owner_to_close(end):
    source = io.BytesIO((HEADER + b'"1","a","b"\n"2","c","d"\n').replace(b"\n", end))
    rows = read_rows(source, COLUMNS)
    assert next(rows) == ["1", "a", "b"]
    rows.close()
    assert not source.closed


# What is rejected


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (HEADER + b'"1","a"\n', "2 cells where the header has 3"),
        (HEADER + b'"1","a","b","c"\n', "4 cells where the header has 3"),
        (HEADER + b'"1","a","b"\n\n"2","c","d"\n', "0 cells where the header has 3"),
        (HEADER + b'"1","a","b"\n' + HEADER, "header line stands again"),
        (HEADER + b'"1","a","b\n', "not CSV"),
        (HEADER + b'"1","a","b"\n"', "not CSV"),
        (HEADER + b'"1","a"x,"b"\n', "not CSV"),
        (HEADER + b'"1","a" ,"b"\n', "not CSV"),
        (HEADER + b'"1","a","b"\r\n', "not CSV"),
        (b'"Id","Name","Notes"\r\n1,a\rb,c\r\n', "not CSV"),
        (HEADER + b'"1","\xff","b"\n', "not UTF-8"),
        (HEADER + b'"1","\xed\xa0\x80","b"\n', "not UTF-8"),
        (HEADER + b'"1","a","\xe6\x9d', "not UTF-8"),
        (b'"Id","N\xff"\n', "not UTF-8"),
        (b"<html><body>Maintenance</body></html>\n", "does not name"),
        (b"<!DOCTYPE html>\n<html></html>\n", "does not name"),
        (b'[{"errorCode":"NOT_FOUND","message":"gone"}]', "not CSV"),
        (b'"Id","Name"\n"1","a"\n', "does not name the 3 selected fields"),
        (b'"Id","Name","Notes","More"\n', "does not name"),
        (b'"Id","Name","Other"\n', "does not name"),
        (b'"Id","Name","name"\n', "does not name"),
        (b'"Id","Name","Notes ', "not CSV"),
        (b"\n" + HEADER, "does not name"),
        (b"\x00\x00\x00", "does not name"),
        (b"x" * (2 * 1024 * 1024), "does not name"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_page_that_salesforce_cannot_have_meant_is_rejected(page, reason):
    assert reason in rejection(page)


def test_an_open_quote_that_swallows_megabytes_is_rejected():
    page = HEADER + b'"1","' + b"x" * 80 + b"\n" + b"y" * (5 * 1024 * 1024)
    with pytest.raises(PageRejected):
        inspected(page)


def test_every_proper_beginning_of_a_page_is_rejected_or_lacks_its_last_line_end_or_has_fewer_rows():
    page = HEADER + '"1","a\nb","ü"\n"2","c""d","e"\n'.encode()
    whole = inspected(page)
    for end in range(len(page)):
        try:
            shape = inspected(page[:end])
        except PageRejected:
            continue
        assert not shape.ended or shape.rows < whole.rows


def test_a_rejection_quotes_no_value_of_a_row():
    for page in (
        HEADER + b'"1","secret"\n',
        HEADER + b'"1","secret"x,"secret"\n',
        HEADER + b'"secret","secret',
        HEADER + b'"secret","\xff","secret"\n',
    ):
        with pytest.raises(PageRejected) as rejected:
            inspected(page)
        assert "secret" not in str(rejected.value)


# Any table


names = st.lists(
    st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,9}", fullmatch=True), min_size=1, max_size=4, unique_by=str.lower
)
cells = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.text('",\r\n\x00 a', max_size=6)


@st.composite
def tables(draw):
    columns = draw(names)
    rows = draw(st.lists(st.lists(cells, min_size=len(columns), max_size=len(columns)), max_size=5))
    return columns, rows


def written(columns: list[str], rows: list[list[str]], quoting: int) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=quoting, lineterminator="\n").writerows([columns, *rows])
    return out.getvalue().encode()


@given(
    tables(),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.lists(st.integers(1, 9), min_size=1, max_size=9),
    st.randoms(use_true_random=False),
)
@settings(max_examples=200, deadline=None)
def test_any_table_of_any_text_comes_back_however_its_bytes_are_split(table, quoting, sizes, shuffle):
    columns, rows = table
    assume(columns not in rows)
    page = written(columns, rows, quoting)
    assert rows_of_pieces(page, columns, sizes) == rows
    order = shuffle.sample(range(len(columns)), len(columns))
    reordered = [[row[index] for index in order] for row in rows]
    assert rows_of_pieces(page, [columns[index] for index in order], sizes) == reordered
    shape = inspected(page, columns)
    assert (shape.rows, shape.ended) == (len(rows), True)


@given(
    st.binary(max_size=80)
    | st.lists(st.sampled_from([b'"', b",", b"\n", b"\r", b"a", b"\xc3", b"\xbc", b"\x00", HEADER])).map(b"".join),
    st.sampled_from([b"", HEADER, b"Id,Name,Notes\r\n"]),
)
@settings(max_examples=200, deadline=None)
def test_whatever_bytes_come_nothing_but_a_rejection_is_raised(garbage, begin):
    try:
        shape = inspected(begin + garbage)
    except PageRejected:
        return
    rows = rows_of_pieces(begin + garbage, COLUMNS, [1, 3])
    assert len(rows) == shape.rows
    assert all(len(row) == len(COLUMNS) for row in rows)


@pytest.mark.parametrize("part", [b"\xef", b"\xef\xbb"])
def test_a_part_of_a_byte_order_mark_is_no_empty_page(part):
    """Found by the fuzzer: Python's own codec accepts it."""
    with pytest.raises(PageRejected):
        inspected(part)


# Bounds


@pytest.mark.parametrize("row", [b'"a",' * 300, b'"a\n",' * 300], ids=["in one line", "in many lines"])
def test_a_row_that_goes_on_and_on_is_damage_long_before_it_ends(row):
    with pytest.raises(PageRejected, match="a row is longer than 1000 bytes"):
        list(read_rows(io.BytesIO(HEADER + row), COLUMNS, 1000))


def test_many_long_rows_are_no_long_row():
    row = b'"1","' + b"n" * 900 + b'",""\n'
    assert len(list(read_rows(io.BytesIO(HEADER + row * 10), COLUMNS, 1000))) == 10


def test_a_row_may_be_much_longer_than_the_longest_of_salesforce():
    assert LONGEST_ROW == 64 << 20


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("quote", [b"", b'"'])
def test_the_sentence_that_nothing_was_found_is_a_page_without_rows(quote, end):
    assert rows_of(quote + b"Records not found for this query" + quote + end) == []


def test_the_sentence_that_nothing_was_found_is_damage_where_rows_follow():
    assert "header" in rejection(b"Records not found for this query\n1,2,3\n")
