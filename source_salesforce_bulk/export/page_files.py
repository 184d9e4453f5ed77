"""Convert a result page to a Parquet or JSON lines file, on the thread that downloaded it."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import orjson
import pyarrow as pa
from pyarrow import parquet

from source_salesforce_bulk.export.layout import Layout
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.pages.arrays import arrow_schema
from source_salesforce_bulk.pages.arrow_pages import ArrowPageReader, ArrowRows
from source_salesforce_bulk.pages.fetch import Page
from source_salesforce_bulk.pages.json_cells import json_value
from source_salesforce_bulk.pages.records import RecordReader
from source_salesforce_bulk.registries.durable_files import naming
from source_salesforce_bulk.salesforce.soql import parse_instant

ROW_GROUP = 131_072
"""Maximum number of rows in a Parquet row group: large enough to compress well, small enough for memory."""

PAGES_AT_ONCE = min(4, os.cpu_count() or 1)
"""Pages converted at the same time: pyarrow uses every core for one page, and each needs its page's size in memory."""


Row = Mapping[str, str | bool]


@dataclass(frozen=True, slots=True)
class PageFile:
    """A page's file, not yet durable. The counters are by field: unreadable cells, and rounded values."""

    path: Path
    rows: int
    size: int
    unreadable: Mapping[str, int] = field(default_factory=dict)
    inexact: Mapping[str, int] = field(default_factory=dict)


class Format(Protocol):
    """A file format. One instance serves every thread."""

    @property
    def extension(self) -> str:
        """The extension of its files, without the dot."""
        ...

    def write(self, page: Page, layout: Layout, path: Path) -> PageFile:
        """Write the page's rows to a file at ``path``."""
        ...

    def write_rows(self, rows: Sequence[Row], layout: Layout, path: Path, /) -> PageFile:
        """Write other rows to a file at ``path``; missing fields are null."""
        ...


class Parquet:
    """Parquet, compressed with zstd. A column's metadata has its id and its field's label and type."""

    extension = "parquet"

    def write(self, page: Page, layout: Layout, path: Path) -> PageFile:
        """See :class:`Format`."""
        columns = layout.columns(page.address)
        schema = layout.schema([*columns, *layout.added])
        reader = ArrowPageReader(columns)
        unreadable: Counter[str] = Counter()
        inexact: Counter[str] = Counter()
        with parquet.ParquetWriter(path, schema, compression="zstd", write_statistics=True) as writer:
            for group in _groups(reader.read(page.open, page.rows)):
                for part in group:
                    unreadable.update(part.unreadable)
                    inexact.update(part.inexact)
                table = layout.arranged(pa.Table.from_batches([part.batch for part in group]), schema)
                writer.write_table(table, row_group_size=ROW_GROUP)
        return PageFile(path, page.rows, path.stat().st_size, unreadable, inexact)

    def write_rows(self, rows: Sequence[Row], layout: Layout, path: Path) -> PageFile:
        """See :class:`Format`."""
        columns = layout.all_columns
        fields = arrow_schema(columns)
        instants = {one.name for one in fields if pa.types.is_timestamp(one.type)}
        named = [
            {name: parse_instant(str(value)) if name in instants else value for name, value in row.items()}
            for row in rows
        ]
        table = layout.arranged(pa.Table.from_pylist(named, schema=fields), layout.schema(columns))
        parquet.write_table(table, path, compression="zstd")
        return PageFile(path, len(rows), path.stat().st_size)


class JsonLines:
    """One JSON object per line, as in the Airbyte connector's records: without nulls, numbers with every digit."""

    extension = "jsonl"

    def write(self, page: Page, layout: Layout, path: Path) -> PageFile:
        """See :class:`Format`."""
        unreadable: Counter[str] = Counter()
        with path.open("wb") as file:
            for record in RecordReader(layout.columns(page.address)).records(page.read_rows()):
                unreadable.update(record.unreadable)
                file.write(orjson.dumps({name: json_value(value) for name, value in record.data.items()}))
                file.write(b"\n")
        return PageFile(path, page.rows, path.stat().st_size, unreadable)

    def write_rows(self, rows: Sequence[Row], _: Layout, path: Path, /) -> PageFile:
        """See :class:`Format`."""
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        return PageFile(path, len(rows), path.stat().st_size)


FORMATS: Mapping[str, Format] = {"parquet": Parquet(), "jsonl": JsonLines()}
"""The formats by their names in ``--format``."""


class FileMaker(Protocol):
    """Reads the pages of an export and writes them to files, in this process or elsewhere."""

    @property
    def extension(self) -> str:
        """The extension of its files, without the dot."""
        ...

    def expect(self, layout: Layout) -> None:
        """Prepare for pages of this object."""
        ...

    def extraction(self, connection: Connection) -> Extraction:
        """Create the extraction whose pages are written to files."""
        ...

    def take(self, page: Page) -> PageFile:
        """Return the page's file, which exists until the page is discarded; raises the exception of writing it."""
        ...

    @property
    def shows_rows(self) -> bool:
        """Whether this process can read the rows of the pages, which is necessary to find deleted rows."""
        ...

    def write_rows(self, name: str, rows: Sequence[Row], path: Path) -> PageFile:
        """Write other rows of an object to a file at ``path``."""
        ...


@dataclass(frozen=True, slots=True)
class _MadeFile:
    """A ``PageProduct``: the page's file at ``path``, or what making it raised."""

    path: Path
    made: PageFile | Exception
    spooled: int

    @property
    def stored(self) -> int:
        """See ``PageProduct``."""
        return self.spooled + (self.made.size if isinstance(self.made, PageFile) else 0)

    def discard(self) -> None:
        """See ``PageProduct``."""
        self.path.unlink(missing_ok=True)


class PageFiles:
    """Writes the files of pages as they arrive. Thread-safe."""

    def __init__(self, kind: Format) -> None:
        self._format = kind
        self._lock = threading.Lock()
        self._turn = threading.Semaphore(PAGES_AT_ONCE)
        self._objects: dict[str, Layout] = {}

    @property
    def extension(self) -> str:
        """The extension of its files, without the dot."""
        return self._format.extension

    def expect(self, layout: Layout) -> None:
        """Prepare for pages of this object."""
        with self._lock:
            self._objects[layout.name] = layout

    def extraction(self, connection: Connection) -> Extraction:
        """See :class:`FileMaker`."""
        return connection.extraction(self.make)

    def make(self, page: Page) -> Page:
        """Return the page with its file. Exceptions are raised by :meth:`take`, so that they fail one object only."""
        try:
            with self._turn, naming(page.derived):
                made: PageFile | Exception = self._made_of(page)
        except Exception as error:  # noqa: BLE001 - raised by `take`
            made = error
        return replace(page, product=_MadeFile(page.derived, made, page.size))

    def take(self, page: Page) -> PageFile:
        """See :class:`FileMaker`."""
        if not isinstance(page.product, _MadeFile):
            raise TypeError("the page's file was not made here")
        made = page.product.made
        if isinstance(made, Exception):
            raise made
        return made

    shows_rows = True

    def write_rows(self, name: str, rows: Sequence[Row], path: Path) -> PageFile:
        """See :class:`FileMaker`."""
        with self._lock:
            layout = self._objects[name]
        return self._format.write_rows(rows, layout, path)

    def _made_of(self, page: Page) -> PageFile:
        with self._lock:
            layout = self._objects[page.address.object_name]
        return self._format.write(page, layout, page.derived)


def _groups(parts: Iterator[ArrowRows]) -> Iterator[list[ArrowRows]]:
    """Parts together, so that each group has about :data:`ROW_GROUP` rows."""
    group: list[ArrowRows] = []
    for part in parts:
        group.append(part)
        if sum(one.batch.num_rows for one in group) >= ROW_GROUP:
            yield group
            group = []
    if group:
        yield group
