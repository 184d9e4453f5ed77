"""Replace the values of fields by keyed digests: HMAC-SHA-256 with the user's secret, in hex. Pure.

The same value has the same digest under the same key, so joins and counts still work. The value itself is in no output:
a page is rewritten before its rows are encoded. A null stays null.
"""

from __future__ import annotations

import csv
import hmac
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Hashing:
    """The fields of an object to hash, in any letter case, and the key, which no ``repr`` shows."""

    fields: tuple[str, ...]
    key: str = field(repr=False)

    def digest(self, value: str) -> str:
        """Return the digest of a cell. An empty cell is null and stays empty.

        >>> Hashing((), "key").digest("")
        ''
        """
        return hmac.digest(self.key.encode(), value.encode(), "sha256").hex() if value else ""


def hashed_text(rows: Iterable[Sequence[str]], columns: Sequence[str], hashing: Hashing) -> Iterator[bytes]:
    """Yield a page's text in parts, with the cells of its hashed ``columns`` replaced."""
    wanted = {name.lower() for name in hashing.fields}
    places = [index for index, name in enumerate(columns) if name.lower() in wanted]
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(columns)
    for count, row in enumerate(rows, start=1):
        cells = list(row)
        for place in places:
            cells[place] = hashing.digest(cells[place])
        writer.writerow(cells)
        if count % _ROWS_AT_ONCE == 0:
            yield _emptied(text)
    yield _emptied(text)


def _emptied(text: io.StringIO) -> bytes:
    data = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return data
