"""Read a result page's CSV according to RFC 4180 and check it row by row.

The job requests LF line ends, so only LF ends a row and every other line break is data. A page may contain NUL, control
characters and cells of 131,072 characters. A cell is never stripped or compared with a word for null.

This module defines the rows of a page. The native core reads a page faster, with the same result.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from functools import partial
from typing import BinaryIO, cast

# Salesforce's longest text has 131,072 characters, exactly the csv module's default limit. A cell that exceeds this
# limit is caused by an unclosed quote.
LONGEST_CELL = 4 * 1024 * 1024
csv.field_size_limit(LONGEST_CELL)

# Stands for a bare CR while the csv module reads a line, because the module would end the row at an unquoted CR.
# Decoded UTF-8 never contains a lone surrogate.
_CR_STAND_IN = "\udc0d"

LONGEST_ROW = 64 * 1024 * 1024
"""Maximum size of a row in bytes, including its line end.

A record of Salesforce has at most 1.6 million characters of long text and some hundred short fields. A longer row would
have to be held in memory.
"""

# 500 fields of 40 characters, each with a relationship path, stay far below it.
LONGEST_HEADER = 1024 * 1024


_NOTHING_FOUND = "Records not found for this query"
"""Some empty results have this line in place of the header, as in Bulk API 1.0; only blanks follow it."""
_MOST_OF_NOTHING = 1024
_BLANKS = " \t\n\f\r"


class PageRejected(ValueError):
    """The page cannot be what Salesforce meant to send. The message says why and quotes no value of a row."""


class PageTooLarge(PageRejected):
    """The page is larger than any of Salesforce's, so fetching it again would not help."""


def read_rows(source: BinaryIO, columns: Sequence[str], longest_row: int = LONGEST_ROW) -> Iterator[list[str]]:
    """Yield the rows of a decompressed page, with cells in the order of ``columns``.

    Raises :class:`PageRejected` if the header is not exactly ``columns`` (in any order and letter case), if a row has
    another number of cells or repeats the header, if a quote is unclosed or stray, or if the bytes are not UTF-8. An
    empty page, without even a header, has no rows: some orgs answer an empty result so. The page is verified only when
    its last row has been read.

    ``longest_row`` is the maximum size of a row in bytes, including its line end.
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
    """Return any binary file as raw: a BufferedReader only calls ``readinto``."""
    return cast(io.RawIOBase, source)


def _rows_of_text(text: io.TextIOWrapper, columns: Sequence[str], longest_row: int) -> Iterator[list[str]]:
    # Not the codec utf-8-sig, which reads one or two bytes of a byte order mark as an empty text.
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
    """Return whether a page that begins with ``first`` contains only the sentence and blanks."""
    whole = first + text.read(_MOST_OF_NOTHING)
    return len(whole) <= _MOST_OF_NOTHING and whole.strip(_BLANKS).strip('"') == _NOTHING_FOUND


class _Lines:
    """The lines of a page for the csv module. A bare CR in a line is replaced, and ``has_cr`` is set.

    ``size`` is the number of bytes of the current row, which may have many lines; the reader of the rows resets it.
    """

    def __init__(self, text: io.TextIOWrapper, longest_row: int, *, ends_with_cr: bool) -> None:
        self._text = text
        self._longest_row = longest_row
        self._ends_with_cr = ends_with_cr
        self.has_cr = False
        self.size = 0

    def __iter__(self) -> Iterator[str]:
        # Not `yield from`, which would close the text, and so the owner's file, when the reader stops early.
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
    """Return the row of an empty line, a null in a page of one column; any other wrong length is rejected."""
    if not row and width == 1:
        return [""]
    raise PageRejected(f"a row has {len(row)} cells where the header has {width}")


def _column_order(header: Sequence[str], columns: Sequence[str]) -> list[int]:
    """Return the index of each column in the header, whose letter case may differ from the query's."""
    positions = {name.lower(): index for index, name in enumerate(header)}
    wanted = [name.lower() for name in columns]
    if len(header) != len(columns) or set(positions) != set(wanted):
        raise PageRejected(f"the header line does not name the {len(columns)} selected fields")
    return [positions[name] for name in wanted]
