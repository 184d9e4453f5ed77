"""A result page's CSV, read by RFC 4180 and checked row by row.

Salesforce was asked for LF line ends, so LF alone ends a row and every other line break is data. A page may hold NUL,
control characters and cells of 131,072 characters; a cell is never stripped, trimmed or compared with a word for null.

What a page holds is decided here. The native core reads it faster and comes to the same result.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from functools import partial
from typing import BinaryIO, cast

# Salesforce's longest text is 131,072 characters, exactly the csv module's default limit. A cell beyond this one is an
# unclosed quote that swallows the page.
LONGEST_CELL = 4 * 1024 * 1024
csv.field_size_limit(LONGEST_CELL)

# UTF-8 decodes to no lone surrogate, so it can stand for a bare CR while the csv module looks at the line: unquoted, a
# CR would end the row there, although only LF does.
_CR_STAND_IN = "\udc0d"

LONGEST_ROW = 64 * 1024 * 1024
"""Bytes of a row with its line end. A record holds 1.6 million characters of long text and some hundred short fields.

Anything longer is not one of Salesforce's rows, and would be held in memory to its end.
"""

# 500 fields of 40 characters with a relationship path each stay far below it; a page without any LF does not.
LONGEST_HEADER = 1024 * 1024


_NOTHING_FOUND = "Records not found for this query"
"""Stands for the header in some empty results, as in Bulk API 1.0; nothing but blanks follows it."""
_MOST_OF_NOTHING = 1024
_BLANKS = " \t\n\f\r"


class PageRejected(ValueError):
    """The page cannot be what Salesforce meant to send. The message says why and quotes no value of a row."""


class PageTooLarge(PageRejected):
    """The page has more bytes than any of Salesforce's; to ask for it again would be no help."""


def read_rows(source: BinaryIO, columns: Sequence[str], longest_row: int = LONGEST_ROW) -> Iterator[list[str]]:
    """The rows of a decompressed page, cells in the order of ``columns``.

    Raises :class:`PageRejected` where its header is not exactly ``columns`` (in any order and letter case), a row has
    another number of cells or repeats the header, a quote is open or stray, or the bytes are not UTF-8. An empty page,
    without even a header, holds no rows: some orgs answer an empty result so. Nothing may be believed of a page before
    its last row was read.

    ``longest_row`` bounds the bytes of a row with its line end.
    """
    buffered = io.BufferedReader(_as_raw(source), 1 << 18)
    text = io.TextIOWrapper(buffered, encoding="utf-8", errors="strict", newline="\n")
    try:
        yield from _rows_of_text(text, columns, longest_row)
    except UnicodeDecodeError as error:
        raise PageRejected("the page is not UTF-8") from error
    except csv.Error as error:
        raise PageRejected(f"the page is not CSV: {error}") from error
    finally:
        text.detach()
        buffered.detach()


def _as_raw(source: BinaryIO) -> io.RawIOBase:
    """Any binary file will do: a BufferedReader only ever calls ``readinto``."""
    return cast(io.RawIOBase, source)


def _rows_of_text(text: io.TextIOWrapper, columns: Sequence[str], longest_row: int) -> Iterator[list[str]]:
    # Not the codec utf-8-sig: it takes one or two bytes of a byte order mark for an empty text.
    first = text.readline(LONGEST_HEADER).removeprefix("\ufeff")
    if not first or (_NOTHING_FOUND in first and _says_nothing_found(first, text)):
        return
    lines = _Lines(text, longest_row, ends_with_cr=first.endswith("\r\n"))
    header = next(csv.reader([first], strict=True), [])
    order = _column_order(header, columns)
    in_order = order == list(range(len(columns)))
    width = len(columns)
    for parsed in csv.reader(lines, strict=True):
        row = parsed if len(parsed) == width else _single_empty_cell(parsed, width)
        lines.size = 0
        if lines.has_cr:
            row = [cell.replace(_CR_STAND_IN, "\r") for cell in row]
            lines.has_cr = False
        if row[0] == header[0] and row == header:
            raise PageRejected("the header line stands again among the rows")
        yield row if in_order else [row[index] for index in order]


def _says_nothing_found(first: str, text: io.TextIOWrapper) -> bool:
    """Return whether a page that begins with ``first`` is only the sentence and blanks, not a damaged header."""
    whole = first + text.read(_MOST_OF_NOTHING)
    return len(whole) <= _MOST_OF_NOTHING and whole.strip(_BLANKS).strip('"') == _NOTHING_FOUND


class _Lines:
    """The lines of a page for the csv module; a bare CR in one is hidden from it and noted.

    ``size`` counts the bytes given since the reader of the rows has set it to 0: rows may go over many lines.
    """

    def __init__(self, text: io.TextIOWrapper, longest_row: int, *, ends_with_cr: bool) -> None:
        self._text = text
        self._longest_row = longest_row
        self._ends_with_cr = ends_with_cr
        self.has_cr = False
        self.size = 0

    def __iter__(self) -> Iterator[str]:
        # No `yield from`: it would close the text, and with it the owner's file, when the reader stops early.
        for line in iter(partial(self._text.readline, self._longest_row + 1), ""):
            self.size += len(line) if line.isascii() else len(line.encode())
            if self.size > self._longest_row:
                raise PageRejected(f"a row is longer than {self._longest_row} bytes")
            if "\r" in line and not self._ends_with_cr:
                self.has_cr = True
                yield line.replace("\r", _CR_STAND_IN)
            else:
                yield line


def _single_empty_cell(row: list[str], width: int) -> list[str]:
    """An empty line is a row where there is one column, unquoted and null; any other short or long row is damage."""
    if not row and width == 1:
        return [""]
    raise PageRejected(f"a row has {len(row)} cells where the header has {width}")


def _column_order(header: Sequence[str], columns: Sequence[str]) -> list[int]:
    """Where each column stands in the header; Salesforce answers in canonical case whatever case was asked."""
    positions = {name.lower(): index for index, name in enumerate(header)}
    wanted = [name.lower() for name in columns]
    if len(header) != len(columns) or set(positions) != set(wanted):
        raise PageRejected(f"the header line does not name the {len(columns)} selected fields")
    return [positions[name] for name in wanted]
