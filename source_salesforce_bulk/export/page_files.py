"""The files that an export makes of its pages: Parquet, or JSON lines."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from source_salesforce_bulk.export.layout import Layout
from source_salesforce_bulk.extraction.catalog import ReadableObject
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.reader import Elsewhere
from source_salesforce_bulk.pages.encoders import json_lines, parquet_file
from source_salesforce_bulk.pages.json_text import parse_line
from source_salesforce_bulk.pages.page_encoder import Arrival, PageContent, PageEncoder
from source_salesforce_bulk.pages.records import Column, product_columns
from source_salesforce_bulk.pages.workspace import Workspace
from source_salesforce_bulk.salesforce.drift import ObjectSchema

Columns = tuple[Column, ...]
Row = Mapping[str, str | bool]
Cells = Iterator[Sequence[str | None]]


class FileMaker(Protocol):
    """Makes files of pages, in this process or elsewhere."""

    @property
    def extension(self) -> str:
        """The part of a file's name after its first dot."""
        ...

    @property
    def shows_rows(self) -> bool:
        """True if this process can read the rows of the pages."""
        ...

    def prepared(self, layout: Layout) -> Layout:
        """Prepare for an object's files and return their layout."""
        ...

    def encoder(self, layout: Layout, columns: Columns) -> PageEncoder:
        """Return the encoder of an object's pages, whose product is a file of the prepared ``layout``."""
        ...

    def cells(self, path: Path, names: Sequence[str]) -> Cells:
        """Yield the cells of some columns of text or instants, read from a file that was made here."""
        ...

    def elsewhere(self, connection: Connection) -> Elsewhere | None:
        """Return the reader of pages, if that is not this process."""
        ...


@dataclass(frozen=True, slots=True)
class ObjectFiles:
    """The files of one object."""

    maker: FileMaker
    layout: Layout

    def encoder(self, columns: Columns) -> PageEncoder:
        """See :class:`FileMaker`."""
        return self.maker.encoder(self.layout, columns)

    def cells(self, path: Path, names: Sequence[str]) -> Cells:
        """See :class:`FileMaker`."""
        return self.maker.cells(path, [self.layout.arrangement.names.get(name, name) for name in names])

    def write_rows(self, rows: Sequence[Row], folder: Path) -> PageContent:
        """Write rows that come from no page to a file in ``folder``; fields that a row does not have are null."""
        columns = self.layout.all_columns
        encoding = self.maker.encoder(self.layout, columns).begin(Arrival(False, 0, Workspace(folder)))
        try:
            encoding.feed(_as_page(rows, [column.name for column in columns]))
            return encoding.finish(len(rows)).product.take()
        finally:
            encoding.close()


def files_of(
    maker: FileMaker, readable: ReadableObject, schema: ObjectSchema, upper_bound: Callable[[], datetime]
) -> ObjectFiles:
    """The files of an object as it is read, with the columns of its registered ``schema``."""
    return ObjectFiles(maker, maker.prepared(Layout.of(readable, schema, upper_bound)))


@dataclass(frozen=True, slots=True)
class PageFiles:
    """Makes files in this process: ``encode`` returns the encoder of an object's pages, ``read`` reads a file."""

    extension: str
    encode: Callable[[Layout, Columns], PageEncoder]
    read: Callable[[Path, Sequence[str]], Cells]
    shows_rows: bool = True

    def prepared(self, layout: Layout) -> Layout:
        """See :class:`FileMaker`."""
        return layout

    def encoder(self, layout: Layout, columns: Columns) -> PageEncoder:
        """See :class:`FileMaker`."""
        return self.encode(layout, columns)

    def cells(self, path: Path, names: Sequence[str]) -> Cells:
        """See :class:`FileMaker`."""
        return self.read(path, names)

    def elsewhere(self, _connection: Connection) -> None:
        """See :class:`FileMaker`."""


def _as_page(rows: Sequence[Row], names: Sequence[str]) -> bytes:
    """Return rows as the text of a result page."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        values = [row.get(name, "") for name in names]
        writer.writerow([str(value).lower() if isinstance(value, bool) else value for value in values])
    return text.getvalue().encode()


def _parquet(layout: Layout, columns: Columns) -> PageEncoder:
    made = product_columns(columns)
    there = {column.name for column in made}
    added = [column for column in layout.added if column.name not in there]
    return parquet_file(columns, layout.schema([*made, *added]), layout.arrangement)


def _parquet_cells(path: Path, names: Sequence[str]) -> Cells:
    from pyarrow import compute, parquet, types  # noqa: PLC0415 - only where rows are remembered

    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=list(names)):
            columns: list[Any] = [batch.column(name) for name in names]
            for at, column in enumerate(columns):
                if types.is_timestamp(column.type):
                    columns[at] = compute.replace_substring(column.cast("string"), " ", "T")
            yield from zip(*(column.to_pylist() for column in columns), strict=True)


def _json_lines(_layout: Layout, columns: Columns, *, compressed: bool) -> PageEncoder:
    return json_lines(columns, compressed=compressed)


def _json_cells(path: Path, names: Sequence[str], *, compressed: bool) -> Cells:
    with gzip.open(path, "rb") if compressed else path.open("rb") as file:
        for line in file:
            row = parse_line(line)
            yield [row.get(name) for name in names]


FORMATS: Mapping[str, PageFiles] = {
    "parquet": PageFiles("parquet", _parquet, _parquet_cells),
    "jsonl": PageFiles("jsonl", partial(_json_lines, compressed=False), partial(_json_cells, compressed=False)),
    "jsonl.gz": PageFiles("jsonl.gz", partial(_json_lines, compressed=True), partial(_json_cells, compressed=True)),
}
"""By the name that ``--format`` takes."""
