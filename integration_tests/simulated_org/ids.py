"""Salesforce record ids: 15 base-62 characters plus a 3-character case checksum.

Digit order is `0-9`, `A-Z`, `a-z`, which is ASCII order, so plain text comparison orders ids. The checksum is a
function of the first 15 characters and therefore never changes the order of two different ids.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_PODS = ("5g", "Hn")  # two instances an org's records were created on: their ids interleave in time
_GAP_EVERY, _GAP = 150, 40_000

EMPTY_ID = "000000000000000AAA"

# How the Ids of 2,086 recorded rows lie over 64 parts of their range: 13 in the lower half, 396 (19 %) in one part.
_PART_WIDTH, _RECORDED = 14_000_000, 2_086
_CLUMPS = (
    (0, 9), (5, 3), (17, 1), (33, 150), (35, 240), (36, 330), (40, 90), (44, 280), (47, 396), (52, 61), (55, 210),
    (58, 126), (63, 190),
)  # fmt: skip
_CLUMP_ENDS = tuple(accumulate(rows for _, rows in _CLUMPS))
_STRIDE = 1_201  # a prime: creation order jumps through the range


def base62(number: int, width: int) -> str:
    """Write a number in base 62, left-padded with zeros to the width.

    >>> base62(61, 3), base62(62, 3)
    ('00z', '010')
    """
    digits = []
    while number:
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits)).rjust(width, "0")


def checksum(stem: str) -> str:
    """Return the 3-character suffix of a 15-character id.

    >>> checksum("001000000000001")
    'AAA'
    """
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << at for at, char in enumerate(stem[start : start + 5]) if char.isascii() and char.isupper())
        suffix += _CHECKSUM[bits]
    return suffix


def to_18(text: str) -> str | None:
    """Return the 18-character form of a 15- or 18-character id, None when the text is no id.

    An 18-character id is taken by its first 15 characters when those fit the suffix in another case, as the API does
    not promise to; a wrong suffix is therefore no id.
    """
    if not text.isalnum() or not text.isascii():
        return None
    if len(text) == 15:
        return text + checksum(text)
    if len(text) == 18 and checksum(text[:15]) == text[15:].upper():
        return text[:15] + text[15:].upper()
    return None


def record_id(prefix: str, n: int) -> str:
    """Return the id of the n-th record ever made under a key prefix: increasing per pod, with gaps, over two pods."""
    pod = _PODS[1] if n * 7 % 10 < 3 else _PODS[0]
    return simple_id(prefix, pod, 1_000 + n * 3 + n % 2 + (n // _GAP_EVERY) * _GAP)


def uneven_id(prefix: str, n: int, volume: int) -> str:
    """Return the id of the n-th of `volume` records whose ids lie in clumps and say nothing of the time."""
    rank = n * _STRIDE % volume if volume % _STRIDE else n
    share = (2 * rank + 1) * _RECORDED // (2 * volume)
    part = _CLUMPS[bisect_right(_CLUMP_ENDS, share)][0]
    return simple_id(prefix, _PODS[0], 1_000 + part * _PART_WIDTH + rank * 3)


def simple_id(prefix: str, pod: str, counter: int) -> str:
    """Return the 18-character id with exactly these parts."""
    stem = f"{prefix}{pod}0{base62(counter, 9)}"
    return stem + checksum(stem)
