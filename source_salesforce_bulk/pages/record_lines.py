"""A result page as finished RECORD lines of the Airbyte protocol, made while the page is proven.

The lines are those that the CDK would print for the records of ``records``, byte for byte but for ``emitted_at``: nulls
left out, numbers with every digit, unreadable cells null and named in ``meta.changes``. No row becomes a Python object
of its own. What is the same for every row of a block (envelope, keys, quotes) is laid between columns of cells and
joined at once.

A page's lines may be believed only when :meth:`LineEncoder.encode` has returned (see ``encoded_page``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, cast

import orjson

from source_salesforce_bulk.pages.csv_blocks import Block, NotPlain, block_size, exact_blocks, plain_blocks
from source_salesforce_bulk.pages.csv_page import PageShape, Tap
from source_salesforce_bulk.pages.encoded_page import EncodedPage, LineBlock
from source_salesforce_bulk.pages.json_cells import CellProver
from source_salesforce_bulk.pages.records import Column


@dataclass(slots=True)
class _Tally:
    blocks: list[LineBlock] = field(default_factory=list)
    exact: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)

    def page(self, tap: Tap) -> EncodedPage:
        shape = PageShape(sum(block.rows for block in self.blocks), tap.ended)
        return EncodedPage(shape, tuple(self.blocks), self.exact, dict(self.unreadable))


class LineEncoder:
    """Makes the lines of one stream. Made once per stream, used by any number of threads.

    ``size`` is how many bytes of a page it looks at together.
    """

    def __init__(self, stream: str, columns: Sequence[Column], size: int | None = None) -> None:
        self.stream = stream
        self.columns = tuple(columns)
        self._size = size or block_size(len(columns))
        self._names = tuple(column.name for column in columns)
        self._provers = [CellProver(column.kind) for column in columns]
        self._keys = [b",%b:" % orjson.dumps(name) for name in self._names]
        self._head = b'{"type":"RECORD","record":{"stream":%b,"data":{' % orjson.dumps(stream)

    def encode(self, source: BinaryIO, lines: BinaryIO, emitted_at: int) -> EncodedPage:
        """See ``PageEncoder``. Where a page turns out to need the exact path both files are begun again."""
        tap = Tap(source)
        try:
            return self._written(plain_blocks(_file(tap), self._names, self._size), lines, emitted_at).page(tap)
        except NotPlain:
            source.seek(0)
            lines.seek(0)
            lines.truncate()
        tap = Tap(source)
        return self._written(exact_blocks(_file(tap), self._names), lines, emitted_at).page(tap)

    def _written(self, blocks: Iterable[Block], lines: BinaryIO, emitted_at: int) -> _Tally:
        tally = _Tally()
        end = b'},"emitted_at":%d' % emitted_at
        for block in blocks:
            if block.rows:
                text = self._lines(block, end, tally)
                lines.write(text)
                tally.blocks.append(LineBlock(block.rows, len(text)))
                tally.exact += block.exact
        return tally

    def _lines(self, block: Block, end: bytes, tally: _Tally) -> bytes:
        strands = _Strands(block.rows, self._head)
        unreadable: dict[int, list[str]] = {}
        for name, key, prover, cells in zip(self._names, self._keys, self._provers, block.columns, strict=True):
            column = prover.column(cells)
            strands.member(key, prover.quote, column.cells)
            for row in column.unreadable:
                unreadable.setdefault(row, []).append(name)
                tally.unreadable[name] += 1
        strands.end_rows(end, {row: _meta(names) for row, names in unreadable.items()})
        return strands.joined()


class _Strands:
    """The text of a block's lines as strands that run through all of them, each the same in every row or a list."""

    def __init__(self, rows: int, head: bytes) -> None:
        self._rows = rows
        self._strands: list[bytes | Sequence[bytes]] = []
        self._same = head  # what every row has next
        self._comma_due = False
        self._comma_loose = False

    def member(self, key: bytes, quote: bytes, cells: Sequence[bytes]) -> None:
        """A key, which begins with a comma, and its values; where a cell is empty there is neither."""
        if all(cells):
            self._same += (key if self._comma_due or self._comma_loose else key[1:]) + quote
            self._add(cells)
            self._same = quote
            self._comma_due = True
        elif any(cells):
            opening = key + quote
            self._add([opening + cell + quote if cell else b"" for cell in cells])
            self._comma_loose = self._comma_loose or not self._comma_due

    def end_rows(self, end: bytes, metas: Mapping[int, bytes]) -> None:
        """End each row with ``end``; ``metas`` come last, in their rows only."""
        self._same += end
        if metas:
            self._add([metas.get(row, b"") for row in range(self._rows)])
        self._same += b"}}\n"

    def joined(self) -> bytes:
        """Return the lines."""
        self._add(())
        width = len(self._strands)
        parts: list[bytes] = [b""] * (width * self._rows)
        for index, strand in enumerate(self._strands):
            parts[index::width] = [strand] * self._rows if isinstance(strand, bytes) else strand
        text = b"".join(parts)
        return text.replace(b'"data":{,', b'"data":{') if self._comma_loose else text

    def _add(self, strand: Sequence[bytes]) -> None:
        if self._same:
            self._strands.append(self._same)
            self._same = b""
        if strand:
            self._strands.append(strand)


def _file(tap: Tap) -> BinaryIO:
    return cast(BinaryIO, tap)


def _meta(unreadable: Sequence[str]) -> bytes:
    changes = [{"field": name, "change": "NULLED", "reason": "SOURCE_SERIALIZATION_ERROR"} for name in unreadable]
    return b',"meta":%b' % orjson.dumps({"changes": changes})
