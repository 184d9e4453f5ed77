"""Hypothesis strategies for result pages: awkward texts, any table, any quoting, any damage, any split of the bytes."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hypothesis import strategies as st

from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.field_types import CellKind

AWKWARD = [
    'said "maybe"',
    '"all of it"',
    '"',
    '""',
    '","',
    '"\n"',
    "\n",
    ",",
    '",',
    ',"',
    ',"",',
    "line\nfeed",
    "carriage\r\nreturn",
    "bare\rreturn",
    "back\\slash",
    '\\"',
    "\\n",
    "nul\x00",
    "\x01\x1e\x1f\x7f",
    "\u2028\u2029",
    "東京 🎉",
    '"\n"x","y',
    'x","y"\n"z',
    'data":{,',
    "NA",
    "null",
    " ",
    "x" * 70,
    "é" * 40 + '"' * 30,
]

# Cells of doubt, by kind: what looks like a value of it and may be none. Here those without blanks ...
_WORDS: dict[CellKind, str] = {
    CellKind.STRING: "",
    CellKind.BOOLEAN: "true false TRUE False maybe 1",
    CellKind.INTEGER: """
        0 -0 00 007 47.0 47.00 0.0 -0.0 .0 47. +47 1.39E8 1.39e+8 1e5.0 1E3 1e-1 1200E-2 1.5 x - + . e5 0x1F 1_0 ١
        12345678901234567 123456789012345678 1234567890123456789 9223372036854775807 9223372036854775808 1,5
        -9223372036854775808 1e17 1e18 1e19 1e400 1e401 9e99999 1e-99999 1E99999999999999999999
    """,
    CellKind.NUMBER: """
        0 -0 0.0 -0.0 0.1 100 100.0 1.50 00.5 .5 5. +1.5 -1.25 0.30 1E7 1.39E8 1e15 1e16 1e17 1e22 1e23 1e-5 1e-6 1e-7
        0.00001 0.00012 0.000012345 123456789012345 1234567890123456 12345678901234567 9007199254740993
        9999999999999999.99 0.30000000000000004 0.30000000000000005 1234567890.1234 12345678901234.5 123456789012345.6
        1e308 1.8e308 1e309 5e-324 2e-324 1e-400 0e999 1E99999 1e99999999999999999999 NaN Infinity inf -inf nan 1,5
        1.5.5 e5 0x1p3 ١ x - + .
    """,
    CellKind.DATE: """
        2024-02-29 2023-02-29 1900-02-29 2000-02-29 2023-04-31 2023-12-31 0000-01-01 0001-01-01 9999-12-31 2023-00-10
        2023-13-10 2023-01-00 2023-01-32 2023-W01-1 20230101 1-1-1 2023-1-01 2023-01-1 2023/01/01 x
        2023-01-01T00:00:00.000Z
    """,
    CellKind.DATETIME: """
        2024-02-29T00:00:00.000Z 2023-02-29T00:00:00.000Z 2023-01-01T24:00:00.000Z 2023-01-01T23:60:00.000Z x
        2023-01-01T00:00:60.000Z 2023-01-01T23:59:59.999Z 2023-01-01 2023-01-01T00:00:00Z 2023-01-01T00:00:00.000+0000
        2023-01-01T00:00:00.000+05:30 2023-01-01T00:00:00-1200 2023-01-01T00:00:00.000+24:00
        2023-01-01T00:00:00.000+23:59 2023-01-01T00:00:00.000+00:60 2023-01-01T00:00:00.1Z 2023-01-01T00:00:00.12Z
        2023-01-01T00:00:00.1234Z 2023-01-01T00:00:00.123456Z 2023-01-01T00:00:00.1234567Z 2023-01-01T00:00:00.Z
        2023-01-01T00:00:00 0001-01-01T00:00:00.000Z 0001-01-01T00:00:00.000+01:00 0001-01-02T00:00:00.000+01:00
        9999-12-31T23:59:59.999Z 9999-12-31T23:00:00.000-01:00 0000-01-01T00:00:00.000Z 1969-12-31T23:59:59.999999Z
        2023-1-01T00:00:00.000Z 2023-01-01T00:00:00.000z
    """,
    CellKind.TIME: """
        13:14:15.000Z 24:00:00.000Z 19:00:00.000Z 23:59:60Z 23:59:61Z 12:00 12:00:00 12:60:00 1:00:00
        12:00:00.1234567+01:00 12:00:00-0100 12:00:00.Z 12:00:00+1 12:00:00Zx x
    """,
}
# ... and here the others.
_TEXTS: dict[CellKind, list[str]] = {
    CellKind.STRING: AWKWARD,
    CellKind.BOOLEAN: ["tru\ne", "true ", '"'],
    CellKind.INTEGER: ["9" * 30, "9" * 400, "9" * 401, "-" + "9" * 401, "0" * 500, " 1", "1 ", "1\n", '"'],
    CellKind.NUMBER: [
        *("1" * digits for digits in (19, 20, 21, 400)),
        *("0." + "0" * 30 + "1", "1" + "0" * 25, "0" * 500, "1.5\n", '"', " 1.5"),
    ],
    CellKind.DATE: ["2023-01-01 ", "2023-01-01\n", '2023-01-0"'],
    CellKind.DATETIME: ["2023-01-01 00:00:00.000Z", "2023-01-01T00:00:00.000Z\n", '"'],
    CellKind.TIME: ["12:00:00 ", "12:00:00\n", '"'],
}
DOUBTFUL: dict[CellKind, list[str]] = {kind: [*_WORDS[kind].split(), *_TEXTS[kind]] for kind in CellKind}

# Ordinary and doubtful cells of each kind, and ones that chance makes.
CELLS: dict[CellKind, st.SearchStrategy[str]] = {
    CellKind.STRING: st.one_of(
        st.sampled_from(["", "plain", *AWKWARD]),
        st.text(alphabet='ab",\n\r\\\x00\x1fé東🎉', max_size=6),
        st.text(st.characters(codec="utf-8"), max_size=5),
    ),
    CellKind.BOOLEAN: st.sampled_from(["", "true", "false", *DOUBTFUL[CellKind.BOOLEAN]]),
    CellKind.INTEGER: st.one_of(
        st.sampled_from(["", *DOUBTFUL[CellKind.INTEGER]]),
        st.integers().map(str),
        st.from_regex(r"[+-]?[0-9]{0,6}\.?[0-9]{0,3}([eE][+-]?[0-9]{1,2})?", fullmatch=True),
    ),
    CellKind.NUMBER: st.one_of(
        st.sampled_from(["", *DOUBTFUL[CellKind.NUMBER]]),
        st.decimals(allow_nan=False, allow_infinity=False).map(str),
        st.floats(allow_nan=False, allow_infinity=False).map(repr),
        st.from_regex(r"[+-]?[0-9]{0,17}\.?[0-9]{0,9}([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    ),
    CellKind.DATE: st.one_of(
        st.sampled_from(["", *DOUBTFUL[CellKind.DATE]]),
        st.dates().map(str),
        st.from_regex(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]", fullmatch=True),
    ),
    CellKind.DATETIME: st.one_of(
        st.sampled_from(["", *DOUBTFUL[CellKind.DATETIME]]),
        st.datetimes().map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}.000Z".rjust(24, "0")),
        st.from_regex(
            r"[0-2][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,7})?"
            r"(Z|[+-][0-2][0-9]:?[0-6][0-9])",
            fullmatch=True,
        ),
    ),
    CellKind.TIME: st.one_of(st.sampled_from(["", *DOUBTFUL[CellKind.TIME]]), st.times().map(str)),
}

DAMAGE = [b"", b'"', b",", b"\n", b"\r", b"\r\n", b'""', b'","', b'"\n"', b"\xff", b"\x00", b"\xef\xbb\xbf"]


def csv_of(rows: Sequence[Sequence[str]], quoting: str = "all", line_end: str = "\n") -> bytes:
    """A table as CSV, its cells quoted all, or where they must be (``minimal``)."""
    text = io.StringIO(newline="")
    how = csv.QUOTE_ALL if quoting == "all" else csv.QUOTE_MINIMAL
    csv.writer(text, lineterminator=line_end, quoting=how).writerows(rows)
    return text.getvalue().encode()


@st.composite
def pages(draw) -> tuple[tuple[Column, ...], bytes]:
    """Columns and a page of them, possibly in another order."""
    kinds = draw(st.lists(st.sampled_from(CellKind), min_size=1, max_size=5))
    columns = tuple(Column(f"F{index}__c", kind) for index, kind in enumerate(kinds))
    order = draw(st.permutations(columns))
    rows = draw(st.lists(st.tuples(*[CELLS[column.kind] for column in order]), max_size=6))
    quoting = draw(st.sampled_from(["all", "minimal", "mixed"]))
    chance = draw(st.randoms(use_true_random=False))
    line_end = draw(st.sampled_from(["\n", "\n", "\n", "\r\n"]))
    last_end = draw(st.sampled_from([line_end, line_end, ""]))

    def cell(text: str) -> str:
        must = any(character in text for character in '",\n') or ("\r" in text and line_end == "\r\n")
        if must or quoting == "all" or (quoting == "mixed" and chance.random() < 0.5):
            return '"' + text.replace('"', '""') + '"'
        return text

    lines = [",".join(map(cell, row)) for row in [[column.name for column in order], *rows]]
    mark = draw(st.sampled_from(["", "", "", "\ufeff"]))
    return columns, (mark + line_end.join(lines) + last_end).encode()


@st.composite
def compounds(draw, columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns, some of them hidden, with one or two compound fields of which each is a part of one at most."""
    left = list(draw(st.permutations(columns)))
    built = []
    for name in draw(st.sampled_from([["One"], ['T"wo', "One"]])):
        own = [left.pop() for _ in range(draw(st.integers(0, len(left))))]
        keys = [*((column.name.lower(), column.name) for column in own), ("never", None)]
        built.append(Column(name, CellKind.STRING, tuple(draw(st.permutations(keys)))))
    parts = {part for column in built for _, part in column.parts}
    hidden = {column.name for column in columns if column.name in parts and draw(st.booleans())}
    return (*(replace(column, shown=column.name not in hidden) for column in columns), *built)


@st.composite
def damaged_pages(draw) -> tuple[tuple[Column, ...], bytes]:
    """Columns and a page of them with a few bytes lost or inserted."""
    columns, page = draw(pages())
    at = draw(st.integers(min_value=0, max_value=len(page)))
    lost = draw(st.integers(min_value=0, max_value=4))
    return columns, page[:at] + draw(st.sampled_from(DAMAGE)) + page[at + lost :]


@st.composite
def splits(draw) -> list[int]:
    """Sizes of the pieces in which bytes arrive, to be used in turn."""
    return draw(st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=5))


def pieces(data: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    """The data in pieces of these sizes, in turn."""
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        yield data[at : at + size]
        at, turn = at + size, turn + 1


def compressed(text: bytes, members: int = 1) -> bytes:
    """A text as gzip, in as many members."""
    size = len(text) // members + 1
    return b"".join(gzip.compress(text[at : at + size], 1, mtime=0) for at in range(0, members * size, size))
