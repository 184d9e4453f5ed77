"""Remember the values of formulas as one digest for each range of Ids, and find the changed ranges. Pure.

    Id      ...| 001A.. ........ | 001B.. .... | 001Bx. ......... | 001C.. ...
    digest     |     d1          |     d2      |       d3         |     d4

A range has at most :data:`MOST_ROWS` rows, fewer if the object is small. Its digest is the sum of the digests of its
rows, whose order therefore does not matter. Two digests of 48 bits are equal by chance once in 280 trillion changes.

:func:`compare` takes all rows in the order of their Ids. A range that has grown is split, each part with the sum of its
own rows; neighbours with few rows are joined, because sums can be added. A range whose sum differs is *pending*: its
rows must be delivered again before its new digest counts. So a killed run leaves pending ranges, which the next run
delivers.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from source_salesforce_bulk.deletions.packed_ids import pack_ids, unpack_ids
from source_salesforce_bulk.salesforce.ids import id_15, id_18
from source_salesforce_bulk.salesforce.soql import Bounds, format_instant, parse_instant

MOST_ROWS = 4_096
"""Maximum number of rows in a range."""

FEWEST_ROWS = 16
"""The maximum number of rows in a range is never smaller, however small the object is."""

AIM = 2_400
"""Target number of ranges of an object. Each takes 11 bytes in the state."""

MOST_RANGES = 8_192
"""Maximum number of ranges: an object of 33 million rows, with the maximum number in each."""

DIGEST_BYTES = 6
_MODULUS = 1 << 8 * DIGEST_BYTES

_AFTER_ALL = "~"  # after every Id

STRETCHES_AT_ONCE = 60
"""Maximum number of Id ranges in one window's condition: 4,000 characters. A state may have several such windows."""

Row = tuple[str, int]
"""The first 15 characters of an Id, and the digest of the row's formulas."""


class TooManyRows(Exception):
    """The object has more rows than the maximum of its ranges."""


@dataclass(frozen=True, slots=True)
class ValueRange:
    """The rows from the Id ``start``, 15 characters, up to the next range's; the first starts at the empty text."""

    start: str
    digest: int
    pending: bool = False


@dataclass(frozen=True, slots=True)
class KnownValues:
    """The memory of one object. ``fields`` identifies its formulas, ``read`` is the time at which they were read.

    ``since`` is the position of the cursor the last time no range was pending; None before that.
    ``ranges`` is None if the object has too many rows.
    """

    fields: str
    read: datetime
    ranges: tuple[ValueRange, ...] | None
    since: datetime | None = None

    @property
    def pending(self) -> bool:
        """True if rows have to be delivered again."""
        return any(known.pending for known in self.ranges or ())

    def delivered(self, bounds: Bounds) -> Self:
        """Return the memory after the rows of pending ranges within ``bounds`` were delivered again."""
        if self.ranges is None:
            return self
        low, high = id_15(bounds.id_from) if bounds.id_from else "", id_15(bounds.id_to) if bounds.id_to else None
        ends = [*(known.start for known in self.ranges[1:]), None]
        within = [
            known.start >= low and (high is None or (end or _AFTER_ALL) <= high)
            for known, end in zip(self.ranges, ends, strict=True)
        ]
        kept = [
            replace(known, pending=False) if inside else known
            for known, inside in zip(self.ranges, within, strict=True)
        ]
        return replace(self, ranges=tuple(kept))

    def to_json(self) -> dict[str, object]:
        """Return the memory as JSON for a state; at most 128 KiB."""
        blob: dict[str, object] = {"fields": self.fields, "read": format_instant(self.read)}
        if self.since is not None:
            blob["since"] = format_instant(self.since)
        if self.ranges is None:
            return blob
        digests = b"".join(known.digest.to_bytes(DIGEST_BYTES, "little") for known in self.ranges)
        bits = sum(1 << at for at, known in enumerate(self.ranges) if known.pending)
        blob["starts"] = pack_ids(known.start for known in self.ranges[1:])
        blob["digests"] = base64.b85encode(digests).decode()
        return blob | ({"pending": f"{bits:x}"} if bits else {})

    @classmethod
    def from_json(cls, blob: object) -> Self:
        """Return the inverse of :meth:`to_json`; raises ValueError for anything else."""
        match blob:
            case {"fields": str(fields), "read": str(read), **rest}:
                since = rest.get("since")
                return cls(fields, parse_instant(read), _ranges(rest), parse_instant(str(since)) if since else None)
            case _:
                raise ValueError("not a memory of formulas")


def compare(before: Sequence[ValueRange] | None, rows: Iterable[Row], count: int) -> tuple[ValueRange, ...]:
    """Return the ranges of ``count`` rows, in the order of their Ids; those that have changed are pending.

    Without ``before``, all are. Raises :class:`TooManyRows`.
    """
    most = rows_of_a_range(count)
    pieces: list[_Piece] = []
    for old, own in _by_range(before or (ValueRange("", 0, pending=True),), rows):
        cut = list(_cut(old.start, own, most))
        moved = old.pending or sum(piece.digest for piece in cut) % _MODULUS != old.digest
        for piece in cut:
            piece.pending = moved
        pieces += cut
    joined = _joined(pieces, most, alike=True)
    if len(joined) > MOST_RANGES:
        joined = _joined(joined, most, alike=False)
    if len(joined) > MOST_RANGES:
        raise TooManyRows
    return tuple(ValueRange(piece.start, piece.digest, piece.pending and piece.rows > 0) for piece in joined)


def rows_of_a_range(count: int) -> int:
    """Return the maximum number of rows in a range, for an object of ``count`` rows.

    >>> rows_of_a_range(1_000), rows_of_a_range(1_000_000), rows_of_a_range(10_000_000)
    (16, 417, 4096)
    """
    return max(FEWEST_ROWS, min(MOST_ROWS, -(-count // AIM)))


def windows_again(ranges: Sequence[ValueRange], end: datetime | None) -> list[Bounds]:
    """Return the windows of all rows in pending ranges with a timestamp before ``end``, in the order of their Ids.

    If more than half of the ranges are pending, this is one window of all rows.
    """
    stretches = list(_stretches(ranges))
    if 2 * sum(known.pending for known in ranges) > len(ranges):
        return [Bounds(start=None, end=end, id_from=None, id_to=None)]
    windows: list[Bounds] = []
    while stretches:
        group, stretches = stretches[:STRETCHES_AT_ONCE], stretches[STRETCHES_AT_ONCE:]
        only = " OR ".join(_condition(*stretch) for stretch in group) if len(group) > 1 else None
        windows.append(Bounds(start=None, end=end, id_from=group[0][0], id_to=group[-1][1], only=only))
    return windows


@dataclass(slots=True)
class _Piece:
    start: str
    rows: int = 0
    digest: int = 0
    pending: bool = False


def _by_range(ranges: Sequence[ValueRange], rows: Iterable[Row]) -> Iterator[tuple[ValueRange, Iterator[Row]]]:
    """Yield each range with its rows, which must be taken before the next range."""
    coming = iter(rows)
    held = next(coming, None)

    def until(end: str | None) -> Iterator[Row]:
        nonlocal held
        while held is not None and (end is None or held[0] < end):
            yield held
            held = next(coming, None)

    ends = [*(known.start for known in ranges[1:]), None]
    for known, end in zip(ranges, ends, strict=True):
        yield known, until(end)


def _cut(start: str, rows: Iterable[Row], most: int) -> Iterator[_Piece]:
    piece = _Piece(start)
    for record_id, digest in rows:
        if piece.rows == most:
            yield piece
            piece = _Piece(record_id)
        piece.rows += 1
        piece.digest = (piece.digest + digest) % _MODULUS
    yield piece


def _joined(pieces: Iterable[_Piece], most: int, *, alike: bool) -> list[_Piece]:
    """Join neighbours that have few rows together. ``alike``: only if both are pending, or neither is."""
    joined: list[_Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last is None or last.rows + piece.rows > most or (alike and last.pending != piece.pending):
            joined.append(piece)
            continue
        last.rows += piece.rows
        last.digest = (last.digest + piece.digest) % _MODULUS
        last.pending |= piece.pending
    return joined


def _stretches(ranges: Sequence[ValueRange]) -> Iterator[tuple[str | None, str | None]]:
    """Yield the first Id of each run of pending ranges, and the Id after it; None at the ends."""
    begun: str | None = None
    for known in ranges:
        if known.pending and begun is None:
            begun = known.start
        elif not known.pending and begun is not None:
            yield _bound(begun), id_18(known.start)
            begun = None
    if begun is not None:
        yield _bound(begun), None


def _condition(low: str | None, high: str | None) -> str:
    parts = [*([f"Id >= '{low}'"] if low else []), *([f"Id < '{high}'"] if high else [])]
    return f"({' AND '.join(parts)})"


def _bound(start: str) -> str | None:
    return id_18(start) if start else None


def _ranges(blob: dict[object, object]) -> tuple[ValueRange, ...] | None:
    match blob:
        case {"starts": str(starts), "digests": str(text)}:
            first = sorted(map(id_15, unpack_ids(starts)))
            digests = base64.b85decode(text)
            if len(digests) != DIGEST_BYTES * (len(first) + 1):
                raise ValueError("not a memory of formulas")
            bits = int(str(blob.get("pending", "0")), 16)
            return tuple(
                ValueRange(
                    start,
                    int.from_bytes(digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES], "little"),
                    bool(bits >> at & 1),
                )
                for at, start in enumerate(["", *first])
            )
        case _:
            return None
