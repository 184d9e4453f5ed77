from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from source_salesforce_bulk.pages.csv_blocks import Block, NotPlain, block_size, exact_blocks, plain_blocks
from source_salesforce_bulk.pages.csv_page import PageRejected, read_rows

NAMES = ("Id", "Name")
HEADER = b'"Id","Name"\n'
# A block has room for the header line and the first character behind it, which shows how cells are quoted.
SMALLEST = len(HEADER) + 1


def blocks_of(page: bytes, size: int = 1 << 15, columns: Sequence[str] = NAMES) -> list[Block]:
    return list(plain_blocks(io.BytesIO(page), columns, size))


def rows_in(blocks: list[Block]) -> list[list[str]]:
    """The blocks' rows as they stood in the page."""
    rows: list[list[str]] = []
    for block in blocks:
        assert all(len(column) == block.rows for column in block.columns)
        rows += ([orjson.loads(b'"%b"' % cell) for cell in row] for row in zip(*block.columns, strict=True))
    return rows


def expected(page: bytes, columns: Sequence[str] = NAMES) -> list[list[str]]:
    return list(read_rows(io.BytesIO(page), columns))


# What the fast way believes by itself


@pytest.mark.parametrize(
    "page",
    [
        HEADER + b'"1","a"\n"2",""\n',
        b"Id,Name\n1,a\n2,\n",
        HEADER + b'"1","a line\nfeed"\n"2","a, comma"\n',
        HEADER + '"1","東京 🎉"\n"2","\x00\x1f\\ \r"\n'.encode(),
        b'\xef\xbb\xbf"Id","Name"\n"1","a"\n',
    ],
    ids=["quoted", "bare", "line feeds and commas", "other scripts, control characters", "byte order mark"],
)
def test_a_plain_page_asks_the_csv_module_for_no_row(page):
    blocks = blocks_of(page)
    assert rows_in(blocks) == expected(page)
    assert sum(block.exact for block in blocks) == 0


@pytest.mark.parametrize("name", ['said ""no""', '""', '"",""', '""\n""', 'a"",""b', 'x"",""y""\n""z'])
@pytest.mark.parametrize("size", [SMALLEST, 20, 1 << 15])
def test_only_rows_with_quotes_inside_are_left_to_the_csv_module(name, size):
    page = HEADER + b'"1","a"\n' * 3 + f'"2","{name}"\n'.encode() + b'"3","b"\n' * 3
    blocks = blocks_of(page, size)
    assert rows_in(blocks) == expected(page)
    assert sum(block.exact for block in blocks) == 1


def test_cells_stand_as_json_wants_them():
    (block,) = blocks_of(HEADER + b'"1","a\\b\n\t"\n"2","say ""no"""\n')
    assert block == Block([(b"1", b"2"), (b"a\\\\b\\n\\t", b'say \\"no\\"')], rows=2, exact=1)


def test_columns_come_in_the_order_asked_for():
    (block,) = blocks_of(b'"NAME","ID"\n"a","1"\n')
    assert list(block.columns) == [(b"1",), (b"a",)]


def test_a_block_is_about_as_large_as_asked_for():
    page = HEADER + b'"1","abcdef"\n' * 1000
    sizes = [block.rows for block in blocks_of(page, size=130)]
    assert sum(sizes) == 1000
    assert max(sizes) <= 21


def test_blocks_grow_with_the_columns_within_bounds():
    assert block_size(1) == block_size(16) == 1 << 15
    assert block_size(100) == 100 << 11
    assert block_size(100_000) == 1 << 19


# What it leaves to the exact way


@pytest.mark.parametrize(
    "page",
    [
        b"",
        HEADER[:-1],
        HEADER + b'"1","a"',
        b'"Id","Name"\r\n"1","a"\r\n',
        b'"Id","Nom"\n"1","a"\n',
        HEADER + b'"1"\n',
        HEADER + b'"1","a","b"\n',
        HEADER + b'"1",a\n',
        HEADER + b'"1","a"b"\n',
        HEADER + b'"1","open\n"2","b"\n',
        HEADER + b'"1","a"\n' + HEADER,
        b"Id,Name\n1,a\n\n",
        b"Id,Name\n\n1,a\n",
        HEADER + b"\n",
        HEADER + b'"1","\xff"\n',
        HEADER + b'"1","open\n' + b'"2","a"\n' * 200,
    ],
    ids=[
        "nothing",
        "half a header",
        "no final line end",
        "CRLF",
        "another field",
        "a short row",
        "a long row",
        "quoted by halves",
        "a stray quote",
        "an open quote",
        "the header again",
        "an empty line at the end",
        "an empty line between",
        "an empty line alone",
        "not UTF-8",
        "an open quote that swallows rows",
    ],
)
@pytest.mark.parametrize("size", [1, SMALLEST, 20, 1 << 15])
def test_an_odd_page_is_not_plain(page, size):
    with pytest.raises(NotPlain):
        blocks_of(page, size)


def test_the_exact_way_reads_what_csv_page_reads_in_blocks_of_its_own():
    page = HEADER + b'"1","a ""quote"""\n' * 450
    blocks = list(exact_blocks(io.BytesIO(page), NAMES))
    assert [(block.rows, block.exact) for block in blocks] == [(200, 200), (200, 200), (50, 50)]
    assert rows_in(blocks) == expected(page)
    with pytest.raises(PageRejected, match="not CSV"):
        list(exact_blocks(io.BytesIO(HEADER + b'"1","open\n'), NAMES))


# Pages nobody thought of

BODIES = st.one_of(
    st.text(alphabet='"\n,a', max_size=40),
    st.text(alphabet='"\n,\r\\\x00\x7fé🎉1', max_size=20),
    st.lists(st.sampled_from(['"a","b"\n', '"","b"\n', '"', '""', ",", "\n", '","', '"\n"', "a,b\n", "Id,Name\n"])).map(
        "".join
    ),
)


@given(st.sampled_from(['"Id","Name"\n', "Id,Name\n", "name,id\n"]), BODIES, st.integers(1, 60))
@settings(max_examples=600, deadline=None)
def test_whatever_the_fast_way_believes_csv_page_reads_alike(header, body, size):
    page = (header + body).encode()
    try:
        found = rows_in(blocks_of(page, size))
    except NotPlain:
        return
    assert found == expected(page)


ENDS = st.sampled_from(["\n", '"', "", "a", ",", '"\n"', '\n"', '"\n', '","', '"\n"\n"'])
SHARED = '"1","\n"\n"2",","\n"\n"2","a ""b"""\n"3","b"""\n"3",""\n'


def test_row_ends_that_share_a_quote_hide_no_damage():
    """Text is cut from the left; from the right, the quote and line feed before the third row would be lost."""
    page = HEADER + SHARED.encode()
    with pytest.raises(PageRejected):
        expected(page)
    for size in range(SMALLEST, len(page) + 1):
        with pytest.raises(NotPlain):
            blocks_of(page, size)


@given(st.integers(1, 3), st.data(), st.integers(20, 70))
@example(1, [['"\n"\n"'], ['"\n"\n"'], [""], ['"'], ['\n"'], ["\n"]], 21)
@settings(max_examples=600, deadline=None)
def test_rows_whose_cells_look_like_ends_of_rows_are_cut_right_wherever_a_block_ends(width, data, size):
    names = ("Id", "Name", "Note")[:width]
    drawn = data if isinstance(data, list) else data.draw(st.lists(st.lists(ENDS, min_size=width, max_size=width)))
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in [names, *drawn]]
    try:
        assert rows_in(blocks_of("".join(lines).encode(), size, names)) == drawn
    except NotPlain:
        return


@given(BODIES)
@settings(max_examples=300, deadline=None)
def test_the_exact_way_finds_what_csv_page_finds_and_rejects_in_its_words(body):
    page = b'"Id","Name"\n' + body.encode()
    assert verdict(lambda: rows_in(list(exact_blocks(io.BytesIO(page), NAMES)))) == verdict(lambda: expected(page))


def verdict(read: Callable[[], list[list[str]]]) -> list[list[str]] | str:
    """What comes out, or why nothing does."""
    try:
        return read()
    except PageRejected as rejected:
        return str(rejected)


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)).filter(lambda row: row != NAMES), max_size=8))
@settings(max_examples=300, deadline=None)
def test_rows_of_any_text_all_quoted_take_the_fast_way(rows):
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in rows]
    assert rows_in(blocks_of(HEADER + "".join(lines).encode())) == [list(row) for row in rows]
