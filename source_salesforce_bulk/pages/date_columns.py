"""Many dates checked at once, by arithmetic on columns of their digits instead of one after another.

Dates in a page are all written alike. Joined, they have each digit at a fixed distance from the same digit of the next
one, so ``joined[5::stride]`` are the tens of all months.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import le
from typing import Final

_CELL_END: Final = b"\x1f"
_SHAPE: Final = bytes(ord("0") if 48 <= code <= 57 else code for code in range(256))
_DATE_SHAPE: Final = b"0000-00-00"
_INSTANT_SHAPES: Final = frozenset(_DATE_SHAPE + b"T00:00:00" + fraction + b"Z" for fraction in (b".000", b""))
# Day by month number; there is no month 0 and none above 12. The 29th of February needs a look at the year.
_LAST_DAYS: Final = bytes((0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)).ljust(256, b"\0")
_HOURS: Final = bytes(range(24))
_SIXTY: Final = bytes(range(60))


def are_dates(cells: Sequence[bytes]) -> bool:
    """Return True if all ``cells`` (at least one) are certainly dates ``YYYY-MM-DD``; False means uncertain."""
    joined = _alike(cells, _DATE_SHAPE)
    return joined is not None and _have_days(joined, len(_DATE_SHAPE) + 1)


def are_instants(cells: Sequence[bytes]) -> bool:
    """Return True if all ``cells`` (at least one) are certainly instants in UTC; False means uncertain."""
    shape = cells[0].translate(_SHAPE)
    joined = _alike(cells, shape) if shape in _INSTANT_SHAPES else None
    if joined is None:
        return False
    stride = len(shape) + 1
    return _have_days(joined, stride) and not (
        _two_digits(joined, 11, stride).strip(_HOURS)
        or _two_digits(joined, 14, stride).strip(_SIXTY)
        or _two_digits(joined, 17, stride).strip(_SIXTY)
    )


def _alike(cells: Sequence[bytes], shape: bytes) -> bytes | None:
    """Return the cells joined, where each of them has ``shape``."""
    joined = _CELL_END.join(cells) + _CELL_END
    return joined if joined.translate(_SHAPE) == (shape + _CELL_END) * len(cells) else None


def _have_days(joined: bytes, stride: int) -> bool:
    months, days = _two_digits(joined, 5, stride), _two_digits(joined, 8, stride)
    return b"0000-" not in joined and 0 not in days and all(map(le, days, months.translate(_LAST_DAYS)))


def _two_digits(joined: bytes, at: int, stride: int) -> bytes:
    """Return the two-digit number at ``at`` in every cell, one byte each.

    One sum does them all: tens, ones and their sum stay below 256, so no byte carries over into the next.
    """
    tens, ones = joined[at::stride], joined[at + 1 :: stride]
    count = len(tens)
    zeros = int.from_bytes(b"0" * count, "big")
    numbers = 10 * (int.from_bytes(tens, "big") - zeros) + (int.from_bytes(ones, "big") - zeros)
    return numbers.to_bytes(count, "big")
