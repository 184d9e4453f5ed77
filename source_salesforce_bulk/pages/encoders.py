"""The page encoders. This is where a page becomes RECORD lines, JSON lines, Parquet or Arrow.

                            ┌── the native core, as the bytes arrive, or from a file ──┐
    bytes of a page ────────┤                                                          ├──> form's blocks ──> sink
                            └── csv_page, from a file, row by row ─────────────────────┘

The form determines the output (``lines``, ``arrays``), and the sink its place (``line_sinks``, ``parquet_sinks``). Both
paths accept the same pages and produce the same output. The core is used if it is installed; the environment variable
``SALESFORCE_BULK_CORE=off`` disables it, for example to rule it out as the cause of a problem.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar, cast

from source_salesforce_bulk.pages.core import HAS_CORE, NativeDecoder
from source_salesforce_bulk.pages.csv_page import PageRejected, read_rows
from source_salesforce_bulk.pages.hashing import Hashing, hashed_text
from source_salesforce_bulk.pages.line_sinks import FileLines, MemoryLines
from source_salesforce_bulk.pages.lines import LineForm
from source_salesforce_bulk.pages.page_encoder import Arrival, EncodedPage, PageEncoder, PageEncoding, key_column
from source_salesforce_bulk.pages.records import Column, product_columns
from source_salesforce_bulk.pages.row_form import Block, Form, Sink
from source_salesforce_bulk.pages.spool import SpooledEncoding, page_text
from source_salesforce_bulk.pages.workspace import Workspace

C = TypeVar("C")

_CHUNK = 1 << 18  # bytes of a file read at once


def uses_core() -> bool:
    """Return whether the native core reads pages."""
    return HAS_CORE and os.environ.get("SALESFORCE_BULK_CORE", "").lower() != "off"


def record_lines(stream: str, columns: Sequence[Column]) -> FormEncoder[bytes | memoryview]:
    """Return the encoder for RECORD lines of ``stream``, in memory while the workspace has some."""
    return FormEncoder(LineForm(tuple(columns), stream), MemoryLines, streams=True)


def object_lines(columns: Sequence[Column]) -> FormEncoder[bytes | memoryview]:
    """Return the encoder for JSON lines, in memory while the workspace has some."""
    return FormEncoder(LineForm(tuple(columns)), MemoryLines, streams=True)


def json_lines(columns: Sequence[Column], *, compressed: bool = False) -> FormEncoder[bytes | memoryview]:
    """Return the encoder for a file of JSON lines, compressed with gzip or not."""
    return FormEncoder(LineForm(tuple(columns)), partial(FileLines, compressed=compressed), streams=True)


def parquet_file(
    columns: Sequence[Column], schema: Any, arrange: Callable[[Any, Any], Any] | None = None
) -> FormEncoder[Any]:
    """Return the encoder for a Parquet file of ``schema``; ``arrange`` converts a table of ``columns`` to it."""
    import pyarrow as pa  # noqa: PLC0415 - which lines do not need

    from source_salesforce_bulk.pages.arrays import ArrayForm  # noqa: PLC0415 - pyarrow, which lines do not need
    from source_salesforce_bulk.pages.parquet_sinks import ParquetFile  # noqa: PLC0415

    return FormEncoder(
        ArrayForm(tuple(columns)), partial(ParquetFile, schema=schema, arrange=arrange or pa.Table.cast), streams=False
    )


def batch_file(columns: Sequence[Column]) -> FormEncoder[Any]:
    """Return the encoder for a file of Arrow record batches, which ``parquet_sinks.batches_in`` reads."""
    from source_salesforce_bulk.pages.arrays import ArrayForm, arrow_schema  # noqa: PLC0415 - as above
    from source_salesforce_bulk.pages.parquet_sinks import BatchFile  # noqa: PLC0415

    return FormEncoder(
        ArrayForm(tuple(columns)), partial(BatchFile, schema=arrow_schema(product_columns(columns))), streams=False
    )


def hashed(encoder: PageEncoder, hashing: Hashing | None) -> PageEncoder:
    """Return ``encoder``, or one that first hashes the cells that ``hashing`` names."""
    return encoder if hashing is None else HashingEncoder(encoder, hashing)


@dataclass(frozen=True, slots=True)
class FormEncoder(Generic[C]):
    """A ``PageEncoder`` that converts pages to ``form`` and writes them to the sink that ``open_sink`` opens.

    With ``streams``, bytes are encoded as they arrive. Otherwise a page is first stored on disk, and the workspace's
    turns limit how many are encoded at the same time, which bounds memory whatever the number of pages in progress.
    ``native`` says whether the core is used; None leaves that to :func:`uses_core`.
    """

    form: Form[C]
    open_sink: Callable[[Workspace], Sink[C]]
    streams: bool
    native: bool | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """See ``PageEncoder``."""
        return self.form.columns

    @property
    def product_columns(self) -> tuple[Column, ...]:
        """See ``PageEncoder``."""
        return product_columns(self.form.fields)

    @property
    def remote(self) -> FormEncoder[C]:
        """See ``PageEncoder``."""
        return self

    def begin(self, arrival: Arrival) -> PageEncoding:
        """See ``PageEncoder``."""
        native = uses_core() if self.native is None else self.native
        if native and self.streams:
            return _NativeEncoding(self.form, self.open_sink(arrival.workspace), arrival)
        encode = self._natively if native else self._exactly
        return SpooledEncoding(arrival, partial(encode, arrival))

    def _natively(self, arrival: Arrival, path: Path, expected: int | None) -> EncodedPage:
        with arrival.workspace.turns:
            encoding = _NativeEncoding(self.form, self.open_sink(arrival.workspace), arrival)
            try:
                with path.open("rb", buffering=0) as file:
                    while data := file.read(_CHUNK):
                        encoding.feed(data)
                return encoding.finish(expected)
            except BaseException:
                encoding.close()
                raise

    def _exactly(self, arrival: Arrival, path: Path, expected: int | None) -> EncodedPage:
        with arrival.workspace.turns:
            tally = _Tally(self.open_sink(arrival.workspace))
            try:
                with page_text(path, arrival) as text:
                    first: list[str] | None = None
                    for rows in _portions(text, self.columns, self.form.text_at_once):
                        first = first or rows[0]
                        tally.add(self.form.block(rows, arrival.at))
                    _check_count(tally.rows, expected)
                    key = key_column(self.columns)
                    first_key = first[key] if first is not None and key is not None else None
                    return tally.page(text.size, ended=text.ended, digest=text.digest, first_key=first_key)
            except BaseException:
                tally.close()
                raise


@dataclass(frozen=True, slots=True)
class HashingEncoder:
    """A ``PageEncoder`` that reads a page with Python and passes it to ``inner`` with digests in place of values."""

    inner: PageEncoder
    hashing: Hashing

    @property
    def columns(self) -> tuple[Column, ...]:
        """See ``PageEncoder``."""
        return self.inner.columns

    @property
    def product_columns(self) -> tuple[Column, ...]:
        """See ``PageEncoder``."""
        return self.inner.product_columns

    @property
    def remote(self) -> HashingEncoder:
        """See ``PageEncoder``."""
        return replace(self, inner=self.inner.remote)

    def begin(self, arrival: Arrival) -> PageEncoding:
        """See ``PageEncoder``."""
        return SpooledEncoding(arrival, partial(self._encode, arrival))

    def _encode(self, arrival: Arrival, path: Path, expected: int | None) -> EncodedPage:
        inner = self.inner.begin(replace(arrival, gzipped=False))
        names = [column.name for column in self.columns]
        try:
            with page_text(path, arrival) as text:
                for data in hashed_text(read_rows(cast(BinaryIO, text), names), names, self.hashing):
                    inner.feed(data)
                page = inner.finish(expected)
                return replace(page, size=text.size, ended=text.ended, digest=text.digest)
        finally:
            inner.close()


class _Tally(Generic[C]):
    """The sums over the blocks of a page."""

    def __init__(self, sink: Sink[C]) -> None:
        self._sink = sink
        self._finished = False
        self._unreadable: Counter[str] = Counter()
        self._inexact: Counter[str] = Counter()
        self.rows = 0

    def add(self, block: Block[C]) -> None:
        self._sink.write(block)
        self.rows += block.rows
        self._unreadable.update(block.unreadable)
        self._inexact.update(block.inexact)

    def page(self, size: int, *, ended: bool, digest: str, first_key: str | None) -> EncodedPage:
        product = self._sink.finish()
        self._finished = True
        return EncodedPage(
            rows=self.rows,
            size=size,
            ended=ended,
            digest=digest,
            first_key=first_key,
            unreadable=dict(self._unreadable),
            inexact=dict(self._inexact),
            product=product,
        )

    def close(self) -> None:
        if not self._finished:
            self._sink.close()


class _NativeEncoding(Generic[C]):
    """A ``PageEncoding`` with the core: blocks go to the sink while the page is being verified."""

    def __init__(self, form: Form[C], sink: Sink[C], arrival: Arrival) -> None:
        self._tally = _Tally(sink)
        self._form = form
        self._native = form.native(arrival.at)
        self._decoder = NativeDecoder(form.columns, gzipped=arrival.gzipped, most=arrival.workspace.largest_page)

    def feed(self, data: bytes) -> None:
        """See ``PageEncoding``."""
        for _ in self._decoder.feed(data):
            while self._decoder.kept_size >= self._form.text_at_once:
                self._take()

    def finish(self, expected: int | None) -> EncodedPage:
        """See ``PageEncoding``."""
        proof = self._decoder.finish(expected)
        while self._take():
            pass
        return self._tally.page(proof.size, ended=proof.ended, digest=proof.digest, first_key=proof.first_key)

    def close(self) -> None:
        """See ``PageEncoding``."""
        self._tally.close()

    def _take(self) -> bool:
        block = self._native.next(self._decoder.core)
        if block is not None:
            self._tally.add(block)
        return block is not None


def _portions(text: Any, columns: Sequence[Column], size: int) -> Iterator[list[list[str]]]:
    """Yield the rows of a page in lists of about ``size`` bytes of text, and at least one row."""
    rows: list[list[str]] = []
    begun = 0
    for row in read_rows(text, [column.name for column in columns]):
        rows.append(row)
        if text.size - begun >= size:
            yield rows
            rows, begun = [], text.size
    if rows:
        yield rows


def _check_count(rows: int, expected: int | None) -> None:
    if expected is not None and rows != expected:
        raise PageRejected(f"it holds {rows} rows where its header says {expected}")
