"""A result page's CSV in blocks of columns, its cells ready to stand in JSON: the fast way through a page.

Looking at every character of a page in Python is what makes a connector slow. Here whole blocks of rows are cut by the
C code behind ``bytes.split``, and a row is believed only where that proves it. In a page whose cells are all quoted, a
stretch between two row ends (quote, LF, quote) is *plain* when cutting it at ``","`` gives as many cells as there are
columns and leaves no quote inside a cell: quotes then stand only where the grammar of RFC 4180 has them, so no other
reading is possible. A stretch that is not plain, because it holds quotes or a row end that is data, is joined with
those behind it until its quotes come in pairs, and read by the csv module. In a page without quotes the same holds with
a comma and LF.

Anything odd, down to a page without a final line end, raises :class:`NotPlain`: then :func:`exact_blocks` reads the
page through ``csv_page``, which has the last word on what a page holds. So both accept the same pages, and find the
same cells in them.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, Final, cast

import orjson

from source_salesforce_bulk.pages.csv_page import (
    LONGEST_CELL,
    LONGEST_HEADER,
    PageRejected,
    PageTooLarge,
    column_order,
    read_rows,
    single_empty_cell,
)

# Beyond this size a block's cells fall out of the processor's cache, and each costs half as much again.
_SMALLEST_BLOCK = 1 << 15
_LARGEST_BLOCK = 1 << 19
_BLOCK_PER_COLUMN = 1 << 11
_ROWS_AT_ONCE = 200
# A cell that holds as many row ends is an open quote, which swallows row after row.
_MOST_PIECES = 100

# No JSON text holds a delete character by need; a cell that does is escaped by itself.
_CELL_END = "\x7f"
_TO_ESCAPE = re.compile(r'[\x00-\x1f"\\]')

_BOM = b"\xef\xbb\xbf"
_LF = b"\n"


class NotPlain(Exception):
    """The page cannot be read the fast way, or is damaged; :func:`exact_blocks` finds out which."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a page, column by column in the order asked for.

    A cell is UTF-8, escaped as JSON wants it; an empty one is null. ``exact`` counts the rows that the csv module had
    to read.
    """

    columns: Sequence[Sequence[bytes]]
    rows: int
    exact: int


@dataclass(frozen=True, slots=True)
class _Quoting:
    """How the cells of a page are set apart, and how many quotes that takes in a row of two columns."""

    quote: bytes
    between_cells: bytes
    between_rows: bytes


_ALL_QUOTED: Final = _Quoting(b'"', b'","', b'"\n"')
_NOT_QUOTED: Final = _Quoting(b"", b",", b"\n")

# JSON's escapes, as orjson writes them. The backslash comes first; quotes and line feeds are handled with the rows.
_ESCAPES: Final = tuple(
    (character.encode(), orjson.dumps(character)[1:-1])
    for character in ["\\", *(chr(code) for code in range(32) if chr(code) != "\n")]
)


def block_size(columns: int) -> int:
    """Bytes of a page to look at together: each column costs something per block, and large blocks leave the cache."""
    return min(max(_SMALLEST_BLOCK, _BLOCK_PER_COLUMN * columns), _LARGEST_BLOCK)


def plain_blocks(source: BinaryIO, columns: Sequence[str], size: int) -> Iterator[Block]:
    """Yield the rows of a decompressed page that is whole, in blocks of about ``size`` bytes; raises :class:`NotPlain`.

    Blocks already handed on then have to be forgotten.
    """
    header, rest = _header(source, size)
    cutter = _Cutter(header, columns, _ALL_QUOTED if rest[:1] == b'"' else _NOT_QUOTED)
    try:
        for text in _texts(source, rest, cutter, size):
            yield cutter.block(text)
    except PageTooLarge:
        raise  # the exact way would come no further
    except (PageRejected, csv.Error, UnicodeDecodeError) as error:
        raise NotPlain from error


def exact_blocks(source: BinaryIO, columns: Sequence[str]) -> Iterator[Block]:
    """Yield the rows of any decompressed page, block by block; raises ``PageRejected``."""
    rows = read_rows(source, columns)
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        cells = [_escaped_cells(column) for column in zip(*some, strict=True)]
        yield Block(cells, rows=len(some), exact=len(some))


def _header(source: BinaryIO, size: int) -> tuple[list[str], bytes]:
    """Return the names in the header line, and what was read beyond it."""
    read = source.read(size).removeprefix(_BOM)
    line, end, rest = read.partition(_LF)
    if not end or line.endswith(b"\r") or len(line) > LONGEST_HEADER:
        raise NotPlain
    try:
        return next(csv.reader([line.decode()], strict=True), []), rest
    except (csv.Error, UnicodeDecodeError) as error:
        raise NotPlain from error


def _texts(source: BinaryIO, rest: bytes, cutter: _Cutter, size: int) -> Iterator[bytes]:
    """Pieces of the page that begin at a row and end with a row's line feed, as far as a look at their ends can say."""
    while True:
        chunk = source.read(size)
        text = cutter.unfinished + rest + chunk
        cutter.unfinished = b""
        end = cutter.last_row_end(text) if chunk else len(text)
        if end - 1 > LONGEST_CELL:
            raise NotPlain
        rest = text[end:]
        if end:
            yield text[:end]
        elif len(rest) > LONGEST_CELL:
            raise NotPlain
        if not chunk:
            break
    if cutter.unfinished:
        raise NotPlain


class _Cutter:
    """Cuts text into cells. ``unfinished`` keeps the end of a text whose last row goes on in the next one."""

    def __init__(self, header: list[str], columns: Sequence[str], quoting: _Quoting) -> None:
        try:
            order = column_order(header, columns)
        except PageRejected as error:
            raise NotPlain from error
        self._order = None if order == list(range(len(columns))) else order
        self._header_row = [name.encode() for name in header]
        self._width = len(columns)
        self._quoting = quoting
        self._quotes = 2 * (self._width - 1) if quoting.quote else 0
        self.unfinished = b""

    def last_row_end(self, text: bytes) -> int:
        """Behind the line feed of the last row that can be seen to end in ``text``; 0 where none does."""
        found = text.rfind(self._quoting.between_rows)
        return found + len(self._quoting.quote) + 1 if found >= 0 else 0

    def block(self, text: bytes) -> Block:
        """Return the rows of ``text``, which begins at a row; raises where they are not plain beyond doubt."""
        between = self._quoting.between_rows
        escaped = _escaped_text(self._inside(text))
        pieces = escaped.split(between)
        rows = self._cut(pieces)
        exact = 0
        if None in rows:
            rows, exact, left = self._mended(pieces, rows)
            if left:
                # From the left, as the pieces were cut: of two row ends that share a quote the other side sees another.
                behind = self._inside(text).split(between, len(pieces) - left)[-1]
                self.unfinished = self._quoting.quote + behind + self._quoting.quote + _LF
        return Block(self._columns(cast(list[list[bytes]], rows)), len(rows), exact)

    def _inside(self, text: bytes) -> bytes:
        """Return the text without what opens its first row and closes its last."""
        quote = self._quoting.quote
        if not (text.startswith(quote) and text.endswith(quote + _LF)) or len(text) <= 2 * len(quote):
            raise NotPlain
        return text[len(quote) : -len(quote) - 1]

    def _cut(self, pieces: list[bytes]) -> list[list[bytes] | None]:
        """Return the cells of each piece that is plain; None for one that is not."""
        between, quotes, width = self._quoting.between_cells, self._quotes, self._width
        return [
            row
            if piece.count(b'"') == quotes
            and len(row := (piece.replace(_LF, b"\\n") if _LF in piece else piece).split(between)) == width
            else None
            for piece in pieces
        ]

    def _mended(self, pieces: list[bytes], cut: list[list[bytes] | None]) -> tuple[list[list[bytes] | None], int, int]:
        """All rows, with those that are not plain read by the csv module; how many it read; how many pieces are left.

        A piece that holds half of a pair of quotes did not end a row: the row end in it is data.
        """
        quote, between = self._quoting.quote, self._quoting.between_rows
        rows: list[list[bytes] | None] = []
        together: list[bytes] = []
        exact = odd = 0
        for piece, row in zip(pieces, cut, strict=True):
            if row is not None and not together:
                rows.append(row)
                continue
            together.append(piece)
            odd ^= piece.count(b'"') % 2
            if not odd:
                read = self._read(quote + between.join(together) + quote)
                rows += read
                exact += len(read)
                together.clear()
            elif len(together) > _MOST_PIECES:
                raise NotPlain
        return rows, exact, len(together)

    def _read(self, text: bytes) -> list[list[bytes]]:
        """Rows by the csv module. Nothing in the text is a control character any more but its line feeds."""
        # Without its line end an empty row would be no row at all.
        lines = io.StringIO(f"{text.decode()}\n", newline="\n")
        return [
            [
                cell.replace('"', '\\"').replace("\n", "\\n").encode()
                for cell in (row if len(row) == self._width else single_empty_cell(row, self._width))
            ]
            for row in csv.reader(lines, strict=True)
        ]

    def _columns(self, rows: list[list[bytes]]) -> list[Sequence[bytes]]:
        columns: list[Sequence[bytes]] = list(zip(*rows, strict=True))
        if columns and self._header_row[0] in columns[0] and self._header_row in rows:
            raise NotPlain
        if self._order is None or not columns:
            return columns
        return [columns[index] for index in self._order]


def _escaped_text(text: bytes) -> bytes:
    """Return a text that is UTF-8, escaped as JSON wants it but for quotes and line feeds."""
    if not text.isascii():
        text.decode()
    for character, escape in _ESCAPES:
        if character in text:
            text = text.replace(character, escape)
    return text


def _escaped_cells(cells: Sequence[str]) -> Sequence[bytes]:
    """Cells escaped as JSON wants it, all at once where none needs it."""
    joined = _CELL_END.join(cells)
    if _TO_ESCAPE.search(joined) is None:
        escaped = joined.encode().split(_CELL_END.encode())
        if len(escaped) == len(cells):
            return escaped
    return [orjson.dumps(cell)[1:-1] for cell in cells]
