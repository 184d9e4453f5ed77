"""Format tables as plain text. Nothing is truncated, so that output in a file can be searched. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_GAP = "  "


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the rows under their headings. A heading that begins with ``>`` right-aligns its column.

    >>> print(table(["object", ">rows"], [["Account", "1,200"], ["Lead", "7"]]))
    object    rows
    Account  1,200
    Lead         7
    """
    right = [heading.startswith(">") for heading in headings]
    lines = [[heading.lstrip(">") for heading in headings], *([_one_line(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        _GAP.join(
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def number(value: float | None, digits: int = 0) -> str:
    """Return a number with separators; ``unknown`` for None.

    >>> number(1234567), number(0.5, 1), number(None)
    ('1,234,567', '0.5', 'unknown')
    """
    return "unknown" if value is None else f"{value:,.{digits}f}"


def counted(count: int, thing: str) -> str:
    """Return a count with its noun.

    >>> counted(1, "row"), counted(2500, "row")
    ('1 row', '2,500 rows')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _one_line(cell: str) -> str:
    return " ".join(cell.split("\n"))
