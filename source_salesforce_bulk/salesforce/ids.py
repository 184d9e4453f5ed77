"""Salesforce record Ids as numbers, so that a range of Ids can be split.

An Id is 15 characters in base 62 with the digit order ``0-9A-Za-z``, which is ASCII order. The API appends three more,
a checksum of the letter cases that does not change the order (Bulk API guide, "PK Chunking" boundaries).
"""

from __future__ import annotations

import re

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_CHECK_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ID = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?", re.ASCII)
_STEM = 15


EMPTY_KEY = "000000000000000AAA"
"""The Id in every row of objects without Ids, such as event stores and metadata views."""


def is_empty_key(record_id: str | None) -> bool:
    """Return whether an Id of 15 or 18 characters is the empty key, which identifies no row."""
    return record_id is not None and record_id[:_STEM] == EMPTY_KEY[:_STEM]


def is_id(text: str) -> bool:
    """Return whether ``text`` has the form of an Id, of 15 or 18 characters."""
    return _ID.fullmatch(text) is not None


def id_15(record_id: str) -> str:
    """Return the first 15 characters of an Id; raises ValueError for any other text."""
    if not is_id(record_id):
        raise ValueError("not a Salesforce Id")
    return record_id[:_STEM]


def id_18(record_id: str) -> str:
    """Return the Id with its checksum.

    >>> id_18("001A0000006Vm9r")
    '001A0000006Vm9rIAC'
    """
    stem = id_15(record_id)
    return stem + "".join(_check_digit(stem[start : start + 5]) for start in range(0, _STEM, 5))


def split_id_range(low: str, high: str, parts: int) -> list[str]:
    """Return up to ``parts - 1`` Ids that split the range from ``low`` to ``high`` (inclusive) into equal widths.

    Ids are neither dense nor evenly distributed, so pieces may hold very different numbers of rows, or none. Boundaries
    have 18 characters, are ascending, above ``low`` and at most ``high``. A narrow range yields fewer of them.
    """
    first, last = _number(id_15(low)), _number(id_15(high))
    if first > last:
        raise ValueError("the lower Id is above the upper one")
    cuts = {first + (last - first + 1) * part // parts for part in range(1, parts)}
    return [id_18(_text(cut)) for cut in sorted(cuts) if first < cut <= last]


def id_range_width(low: str, high: str) -> int:
    """Return how many Ids are possible from ``low`` to ``high``, inclusive; at least one.

    >>> id_range_width("001A0000006Vm9r", "001A0000006Vm9t")
    3
    """
    return max(1, _number(id_15(high)) - _number(id_15(low)) + 1)


def id_number(record_id: str) -> int:
    """Return the number that an Id is in base 62; raises ValueError for any other text."""
    return _number(id_15(record_id))


def number_id(number: int) -> str:
    """Return the Id of 15 characters that has a number.

    >>> number_id(id_number("001A0000006Vm9r"))
    '001A0000006Vm9r'
    """
    return _text(number)


def _check_digit(chunk: str) -> str:
    return _CHECK_DIGITS[sum(1 << place for place, character in enumerate(chunk) if character.isupper())]


def _number(stem: str) -> int:
    value = 0
    for digit in stem:
        value = value * len(_DIGITS) + _VALUES[digit]
    return value


def _text(number: int) -> str:
    digits = []
    for _ in range(_STEM):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
