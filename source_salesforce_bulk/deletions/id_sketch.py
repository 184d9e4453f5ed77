"""A sketch of millions of Ids in 160 KB that decodes small differences: an invertible Bloom lookup table. Pure.

Each Id is added to four of 12,288 cells, one in each quarter. A cell stores the number of its Ids (modulo 256), the
exclusive or of their keys, and that of their check sums. Adding and removing commute and cancel, so after every Id of a
second set has been removed, the sketch is that of the difference. A cell with a single Id (count 1 or -1, and a
matching check sum) names it. Removing that Id from its other cells exposes further ones, until nothing is left. This
succeeds for up to about 9,400 differences (Goodrich and Mitzenmacher, "Invertible Bloom Lookup Tables", 2011: a load of
0.77 for four hashes). If it fails, :meth:`IdSketch.difference` returns None.

The sketch is a multiset: an Id that was added twice and removed once looks like one that was added once. So callers
must add each member exactly once (``known_ids`` ensures this).

A key is 64 bits: the number of the Id's first six characters in a dictionary (10 bits), and its last nine (54 bits).
"""

from __future__ import annotations

import base64
import hashlib
import struct
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from source_salesforce_bulk.salesforce.ids import id_18, id_number, number_id

CELLS = 12_288
_QUARTER = CELLS // 4
_STEM, _HEAD = 15, 6
_TAIL_BITS = 54
_TAILS: int = 62 ** (_STEM - _HEAD)
MOST_HEADS = 1 << (64 - _TAIL_BITS)
_COUNTS = 256
_LAYOUT = struct.Struct(f"<{CELLS}B{CELLS}Q{CELLS}I")


_Cells = tuple["array[int]", "array[int]", "array[int]"]


class SketchFull(Exception):
    """The Ids have more different first characters than the sketch can number."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The Ids that were added and not removed, and those that were removed and not added."""

    added: frozenset[str]
    removed: frozenset[str]


class IdSketch:
    """A sketch of a set of Ids. ``heads`` are the known first six characters; copies share their numbering."""

    def __init__(self, heads: Iterable[str] = (), cells: _Cells | None = None) -> None:
        self._heads = {head: number for number, head in enumerate(heads)}
        empty = array("B", bytes(CELLS)), array("Q", bytes(8 * CELLS)), array("I", bytes(4 * CELLS))
        self._counts, self._keys, self._checks = cells or empty

    @property
    def heads(self) -> tuple[str, ...]:
        """The first six characters of all Ids so far, by number."""
        return tuple(self._heads)

    def add(self, record_id: str) -> None:
        """Add an Id that is not in the set; raises :class:`SketchFull` and then changes nothing."""
        self._change(self._key(record_id), 1)

    def remove(self, record_id: str) -> None:
        """Remove an Id, which need not have been added; raises :class:`SketchFull`."""
        self._change(self._key(record_id), -1)

    def copy(self) -> Self:
        """Return a sketch of the same set."""
        return type(self)(self._heads, (self._counts[:], self._keys[:], self._checks[:]))

    def difference(self) -> Difference | None:
        """Return the members of the sketch if they are few enough to be decoded, else None. Empties the sketch."""
        added: set[int] = set()
        removed: set[int] = set()
        waiting = [cell for cell in range(CELLS) if self._counts[cell] in (1, _COUNTS - 1)]
        while waiting:
            cell = waiting.pop()
            count, key = self._counts[cell], self._keys[cell]
            if count not in (1, _COUNTS - 1):
                continue
            cells, check = _places(key)
            if cell not in cells or check != self._checks[cell]:
                continue
            (added if count == 1 else removed).add(key)
            self._change(key, -1 if count == 1 else 1)
            waiting += cells
        if any(self._counts) or any(self._keys) or any(self._checks):
            return None
        return Difference(frozenset(map(self._id, added)), frozenset(map(self._id, removed)))

    def to_text(self) -> str:
        """Return the cells as ASCII text that JSON does not escape; :attr:`heads` are stored separately."""
        cells = _LAYOUT.pack(*self._counts, *self._keys, *self._checks)
        return base64.b85encode(cells).decode()

    @classmethod
    def from_text(cls, text: str, heads: Iterable[str]) -> Self:
        """Return the inverse of :meth:`to_text`; raises ValueError for any other text."""
        cells = base64.b85decode(text)
        if len(cells) != _LAYOUT.size:
            raise ValueError("not the cells of a sketch")
        values = _LAYOUT.unpack(cells)
        counts, keys, checks = values[:CELLS], values[CELLS : 2 * CELLS], values[2 * CELLS :]
        return cls(heads, (array("B", counts), array("Q", keys), array("I", checks)))

    def _key(self, record_id: str) -> int:
        head = record_id[:_HEAD]
        number = self._heads.get(head)
        if number is None:
            if len(self._heads) == MOST_HEADS:
                raise SketchFull
            number = self._heads[head] = len(self._heads)
        return number << _TAIL_BITS | id_number(record_id) % _TAILS

    def _id(self, key: int) -> str:
        head = self.heads[key >> _TAIL_BITS]
        return id_18(head + number_id(key & (1 << _TAIL_BITS) - 1)[_HEAD:])

    def _change(self, key: int, by: int) -> None:
        cells, check = _places(key)
        for cell in cells:
            self._counts[cell] = (self._counts[cell] + by) % _COUNTS
            self._keys[cell] ^= key
            self._checks[cell] ^= check


def _places(key: int) -> tuple[list[int], int]:
    """Return the four cells of a key, and its check sum."""
    digest = hashlib.blake2b(key.to_bytes(8, "little"), digest_size=20).digest()
    numbers: list[int] = [int.from_bytes(digest[at : at + 4], "little") for at in range(0, 20, 4)]
    *places, check = numbers
    return [_QUARTER * quarter + place % _QUARTER for quarter, place in enumerate(places)], check
