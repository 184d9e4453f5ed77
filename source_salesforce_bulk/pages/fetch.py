"""One result page: fetched to disk at the network's speed, proven whole, then handed on.

A page's bytes are spooled as they come, gzip kept, so that neither a slow destination nor a slow decoder holds the
connection open (Salesforce cuts a download after 20 minutes). Only then is the page looked at; nothing of it leaves
this module before it is accepted (docs/contracts.md, "What may never happen", 4). Where an encoder is given, looking at
the page and making lines of it is one and the same pass, and an accepted page is a file of finished lines.

Retries here: a body that broke or was not accepted is asked for again with the same locator, which Salesforce keeps
stable while the job exists. Trouble before a body began is ``transport``'s; a job that cannot give its page is
``query_job``'s.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from source_salesforce_bulk.pages.csv_page import PageRejected, PageShape, PageTooLarge, read_rows
from source_salesforce_bulk.pages.encoded_page import LineBlock, PageEncoder
from source_salesforce_bulk.pages.hashing import Hashing, hashed_text
from source_salesforce_bulk.pages.rest_pages import RestAddress, RestPages
from source_salesforce_bulk.pages.spool import (
    LARGEST_PAGE,
    EncodeFile,
    decoded,
    digest_of_file,
    encode_file,
    first_id_in_file,
    inspect_file,
)
from source_salesforce_bulk.salesforce import bulk_api
from source_salesforce_bulk.salesforce.bulk_api import PageHeaders
from source_salesforce_bulk.salesforce.clock import Clock
from source_salesforce_bulk.salesforce.failures import Action, Failure, SalesforceError, page_not_kept, page_rejected
from source_salesforce_bulk.salesforce.job_log import FIRST_PAGE, JobFacts, log_job
from source_salesforce_bulk.salesforce.retry import PAGE_RETRIES
from source_salesforce_bulk.salesforce.transport import Transport

LOGGER = logging.getLogger("salesforce_bulk.pages")
_CHUNK = 1 << 18
_BATCH = 1 << 20


@dataclass(frozen=True, slots=True)
class PageAddress:
    """Which page: the one of ``job_id`` that ``locator`` names (None: the first), with the SELECT's ``columns``.

    ``job_rows`` are the rows of the whole job, None where Salesforce did not say. ``hashing`` says which columns leave
    as digests. A page of the REST lane belongs to no job, and is asked for by ``rest``.
    """

    object_name: str
    job_id: str
    locator: str | None
    version: str
    page_size: int | None
    columns: tuple[str, ...]
    job_rows: int | None = None
    hashing: Hashing | None = None
    rest: RestAddress | None = None


@dataclass(frozen=True, slots=True)
class LineBatch:
    """Whole lines, each the RECORD of one row."""

    lines: bytes
    rows: int


@dataclass(frozen=True, slots=True)
class PageLines:
    """A page's rows as finished lines on disk; ``unreadable`` counts the cells of each field that are null for it."""

    path: Path
    blocks: tuple[LineBlock, ...]
    unreadable: Mapping[str, int]

    def batches(self) -> Iterator[LineBatch]:
        """Yield the lines in order, about a megabyte at a time."""
        with self.path.open("rb", buffering=0) as file:
            rows = size = 0
            for block in self.blocks:
                rows += block.rows
                size += block.size
                if size >= _BATCH or block is self.blocks[-1]:
                    yield LineBatch(file.read(size), rows)
                    rows = size = 0


class PageProduct(Protocol):
    """The result of processing a page in a runner. It belongs to the page."""

    @property
    def stored(self) -> int:
        """The bytes that it and its page take on this machine's disk."""
        ...

    def discard(self) -> None:
        """The page is discarded, whether or not anybody has used this; may be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was proven whole, on disk until :meth:`discard`.

    ``first_id`` is the Id in its first row, None where it has none; ``size`` is in bytes as received. A page that was
    encoded has ``lines`` and no rows any more.
    """

    address: PageAddress
    headers: PageHeaders
    rows: int
    first_id: str | None
    size: int
    retries: int
    _path: Path
    _gzipped: bool
    lines: PageLines | None = None
    product: PageProduct | None = None

    def read_rows(self) -> Iterator[list[str]]:
        """Yield the page's rows, cells in the order of the address's columns."""
        with decoded(self._path, self._gzipped) as source:
            yield from read_rows(source, self.address.columns)

    def open(self) -> AbstractContextManager[BinaryIO]:
        """Return the page's decompressed bytes from their beginning."""
        return decoded(self._path, self._gzipped)

    @property
    def stored(self) -> int:
        """The bytes that the page takes on disk: its lines, or else the page as received, and what was made of it."""
        if self.product is not None:
            return self.product.stored
        return sum(block.size for block in self.lines.blocks) if self.lines is not None else self.size

    @property
    def derived(self) -> Path:
        """Where a runner may put what it makes of the page."""
        return self._path.with_name(f"{self._path.name}.derived")

    def discard(self) -> None:
        """Give the disk space back; may be called twice."""
        self._path.unlink(missing_ok=True)
        if self.lines is not None:
            self.lines.path.unlink(missing_ok=True)
        if self.product is not None:
            self.product.discard()


@dataclass(frozen=True, slots=True)
class _Attempt:
    headers: PageHeaders
    path: Path
    gzipped: bool
    size: int
    shape: PageShape
    lines: PageLines | None

    @property
    def proven(self) -> bool:
        """True if the page is complete by itself: its last line has ended, and it has the announced number of rows."""
        return self.shape.ended and self.headers.rows is not None

    def accepted(self, address: PageAddress, retries: int) -> Page:
        """Return the page that this attempt brought."""
        first_id = first_id_in_file(self.path, self.gzipped, address.columns)
        if self.lines is not None:
            self.path.unlink()
        return Page(
            address,
            self.headers,
            self.shape.rows,
            first_id,
            self.size,
            retries,
            self.path,
            self.gzipped,
            self.lines,
        )

    def discard(self) -> None:
        """Leave nothing of it on disk."""
        self.path.unlink()
        if self.lines is not None:
            self.lines.path.unlink()


class PageSource(Protocol):
    """Where proven pages come from; :class:`PageFetcher` is one."""

    def fetch(
        self,
        address: PageAddress,
        on_headers: Callable[[PageHeaders], None],
        encoder: PageEncoder | None = None,
    ) -> Page:
        """Return the page, accepted; may be called from any thread. Raises ``SalesforceError``."""
        ...


class PageFetcher:
    """Fetches pages into ``directory``. One instance serves every thread. ``encode`` says where pages are encoded."""

    def __init__(
        self,
        transport: Transport,
        directory: Path,
        clock: Clock,
        random01: Callable[[], float],
        run_id: str | None = None,
        encode: EncodeFile = encode_file,
    ) -> None:
        self._run_id = run_id
        self._transport = transport
        self._rest = RestPages(transport)
        self._directory = directory
        self._clock = clock
        self._random01 = random01
        self._encode = encode

    def fetch(
        self,
        address: PageAddress,
        on_headers: Callable[[PageHeaders], None],
        encoder: PageEncoder | None = None,
    ) -> Page:
        """Return the page, accepted. ``on_headers`` is told what the answer's headers say before its body is read.

        A page without a final line end, or without ``Sforce-NumberOfRecords``, proves its end by coming twice alike.
        Raises ``SalesforceError``: ``NOT_READY`` where the job is not complete, ``NEW_JOB`` where the job is gone or
        its page stays unacceptable after every retry, and what ``transport`` raises.
        """
        began = self._clock.monotonic()
        unproven: str | None = None
        for tried in range(PAGE_RETRIES.attempts):
            try:
                attempt = self._attempt(address, on_headers, encoder)
            except SalesforceError as error:
                if error.failure.action is not Action.FETCH_PAGE_AGAIN:
                    raise
                self._pause_or_give_up(address, error.failure, tried, began)
                continue
            digest = None if attempt.proven else digest_of_file(attempt.path, attempt.gzipped)
            if attempt.proven or digest == unproven:
                return attempt.accepted(address, retries=tried)
            unproven = digest
            attempt.discard()
            compare = page_rejected("its end is not marked; fetched again to compare")
            self._pause_or_give_up(address, compare, tried, began)
        raise AssertionError("the last attempt gives up by raising")

    def _pause_or_give_up(self, address: PageAddress, failure: Failure, tried: int, began: float) -> None:
        spent = self._clock.monotonic() - began > PAGE_RETRIES.budget
        last = spent or tried + 1 >= PAGE_RETRIES.attempts
        log_job(
            LOGGER,
            JobFacts(self._run_id, address.object_name, address.job_id, address.locator or FIRST_PAGE),
            f"{failure.summary} {'No attempt is left' if last else 'It is fetched again'}",
            seconds=self._clock.monotonic() - began,
            level=logging.WARNING,
        )
        if last:
            raise SalesforceError(page_rejected(failure.summary, action=Action.NEW_JOB))
        self._clock.sleep(PAGE_RETRIES.backoff.delay(tried, self._random01()))

    def _attempt(
        self, address: PageAddress, on_headers: Callable[[PageHeaders], None], encoder: PageEncoder | None
    ) -> _Attempt:
        try:
            return self._spooled(address, on_headers, encoder)
        except PageTooLarge as rejected:
            raise SalesforceError(page_rejected(str(rejected), action=Action.FAIL_STREAM)) from rejected
        except PageRejected as rejected:
            raise SalesforceError(page_rejected(str(rejected))) from rejected
        except OSError as error:
            raise SalesforceError(page_not_kept(error)) from error

    def _spooled(
        self, address: PageAddress, on_headers: Callable[[PageHeaders], None], encoder: PageEncoder | None
    ) -> _Attempt:
        path = self._new_file(".csv")
        lines = None
        try:
            headers, gzipped, size = self._spool(address, path, on_headers)
            shape = None
            if address.hashing is not None:
                shape = inspect_file(path, gzipped, address.columns)
                gzipped = self._hash(path, gzipped, address.columns, address.hashing)
            if encoder is not None:
                encoded, lines = self._encoded(path, gzipped, encoder)
                shape = shape or encoded
            shape = shape or inspect_file(path, gzipped, address.columns)
            if headers.rows is not None and headers.rows != shape.rows:
                raise PageRejected(f"it holds {shape.rows} rows where its header says {headers.rows}")
        except BaseException:
            path.unlink()
            if lines is not None:
                lines.path.unlink()
            raise
        return _Attempt(headers, path, gzipped, size, shape, lines)

    def _hash(self, path: Path, gzipped: bool, columns: Sequence[str], hashing: Hashing) -> Literal[False]:
        """Put a proven page's digests in the place of its values; it is not compressed afterwards."""
        hashed = self._new_file(".csv")
        try:
            with decoded(path, gzipped) as source, hashed.open("wb") as out:
                out.writelines(hashed_text(read_rows(source, columns), columns, hashing))
            hashed.replace(path)
        except BaseException:
            hashed.unlink(missing_ok=True)
            raise
        return False

    def _encoded(self, path: Path, gzipped: bool, encoder: PageEncoder) -> tuple[PageShape, PageLines]:
        lines = self._new_file(".jsonl")
        try:
            encoded = self._encode(path, gzipped, encoder, lines, int(self._clock.now().timestamp() * 1000))
        except BaseException:
            lines.unlink()
            raise
        return encoded.shape, PageLines(lines, encoded.blocks, encoded.unreadable)

    def _new_file(self, suffix: str) -> Path:
        with tempfile.NamedTemporaryFile(dir=self._directory, prefix="page-", suffix=suffix, delete=False) as file:
            return Path(file.name)

    def _spool(
        self, address: PageAddress, path: Path, on_headers: Callable[[PageHeaders], None]
    ) -> tuple[PageHeaders, bool, int]:
        if address.rest is not None:
            with path.open("wb") as file:
                found = self._rest.send(address.rest, file.write)
            on_headers(found)
            return found, False, path.stat().st_size
        request = bulk_api.results(
            address.version, address.job_id, address.locator, address.page_size, address.object_name
        )
        with self._transport.open(request) as body, path.open("wb") as file:
            headers = PageHeaders.from_http(body.headers)
            on_headers(headers)
            for chunk in body.chunks(_CHUNK):
                file.write(chunk)
                if body.received > LARGEST_PAGE:
                    raise PageTooLarge(f"it is longer than {LARGEST_PAGE:,} bytes")
            return headers, body.headers.get("content-encoding", "").lower() in ("gzip", "x-gzip"), file.tell()
