"""Encode sets of Ids as short texts: sorted, as differences, compressed. Pure.

Ids of one object are close together, so the difference of two neighbours takes one to three bytes.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Iterator

from source_salesforce_bulk.salesforce.ids import id_18, id_number, number_id

_LONGEST = 1 << 24
_MORE = 0x80


def pack_ids(ids: Iterable[str]) -> str:
    """Return a set of Ids as ASCII text, which JSON does not escape; raises ValueError for a text that is not an Id.

    >>> len(pack_ids(f"001A00000{number:06d}" for number in range(1000))) < 2000
    True
    """
    packed, last = bytearray(), 0
    for number in sorted({id_number(record_id) for record_id in ids}):
        _append(packed, number - last)
        last = number
    return base64.b85encode(zlib.compress(bytes(packed), 9)).decode()


def unpack_ids(text: str) -> set[str]:
    """Return the Ids, with 18 characters each; raises ValueError for a text that is not from :func:`pack_ids`."""
    inflater = zlib.decompressobj()
    try:
        packed = inflater.decompress(base64.b85decode(text), _LONGEST)
    except (zlib.error, ValueError) as error:
        raise ValueError("not a packed set of Ids") from error
    if not inflater.eof:
        raise ValueError("not a packed set of Ids")
    return {id_18(number_id(number)) for number in _sums(packed)}


def _append(packed: bytearray, difference: int) -> None:
    while difference >= _MORE:
        packed.append(difference % _MORE | _MORE)
        difference //= _MORE
    packed.append(difference)


def _sums(packed: bytes) -> Iterator[int]:
    total, value, shift = 0, 0, 0
    for byte in packed:
        value |= (byte & ~_MORE) << shift
        shift += 7
        if not byte & _MORE:
            total += value
            value, shift = 0, 0
            yield total
    if shift:
        raise ValueError("not a packed set of Ids")
