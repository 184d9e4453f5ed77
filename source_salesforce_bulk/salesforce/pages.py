"""One result page: fetched to disk at the network's speed, proven whole, then handed on.

A page's bytes are spooled as they come, gzip kept, so that neither a slow destination nor a slow decoder holds the
connection open (Salesforce cuts a download after 20 minutes). Only then is the page looked at; nothing of it leaves
this module before it is accepted (design section 3.4).

Retries here: a body that broke or was not accepted is asked for again with the same locator, which Salesforce keeps
stable while the job exists. Trouble before a body began is ``transport``'s; a job that cannot give its page is
``query_job``'s.
"""

from __future__ import annotations

import gzip
import logging
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from source_salesforce_bulk.encoding.csv_page import PageRejected, PageShape, inspect_page, read_rows
from source_salesforce_bulk.salesforce import bulk_api
from source_salesforce_bulk.salesforce.bulk_api import PageHeaders
from source_salesforce_bulk.salesforce.clock import Clock
from source_salesforce_bulk.salesforce.failures import Action, Failure, SalesforceError, no_disk_space, page_rejected
from source_salesforce_bulk.salesforce.job_log import FIRST_PAGE, job_line
from source_salesforce_bulk.salesforce.retry import PAGE_RETRIES
from source_salesforce_bulk.salesforce.transport import Transport

LOGGER = logging.getLogger("airbyte.salesforce.pages")
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class PageAddress:
    """Which page: the one of ``job_id`` that ``locator`` names (None: the first), with the SELECT's ``columns``."""

    object_name: str
    job_id: str
    locator: str | None
    version: str
    page_size: int | None
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was proven whole, on disk until :meth:`discard`.

    ``first_id`` is the Id in its first row, None where it has none; ``size`` is in bytes as received.
    """

    address: PageAddress
    headers: PageHeaders
    rows: int
    first_id: str | None
    size: int
    retries: int
    _path: Path
    _gzipped: bool

    def read_rows(self) -> Iterator[list[str]]:
        """The page's rows, cells in the order of the address's columns."""
        with _decoded(self._path, self._gzipped) as source:
            yield from read_rows(source, self.address.columns)

    def open(self) -> AbstractContextManager[BinaryIO]:
        """The page's decompressed bytes from their beginning."""
        return _decoded(self._path, self._gzipped)

    @property
    def derived(self) -> Path:
        """Where a runner may put what it makes of the page; :meth:`discard` removes that, too."""
        return self._path.with_name(f"{self._path.name}.derived")

    def discard(self) -> None:
        """Give the disk space back; may be called twice."""
        self._path.unlink(missing_ok=True)
        self.derived.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Attempt:
    headers: PageHeaders
    path: Path
    gzipped: bool
    size: int
    shape: PageShape

    @property
    def proven(self) -> bool:
        """Whether the page itself says it is whole: its last line ended, and its rows are as many as announced."""
        return self.shape.ended and self.headers.rows is not None

    def accepted(self, address: PageAddress, retries: int) -> Page:
        """The page that this attempt brought."""
        first_id = _first_id(self.path, self.gzipped, address.columns)
        return Page(address, self.headers, self.shape.rows, first_id, self.size, retries, self.path, self.gzipped)


class PageFetcher:
    """Fetches pages into ``directory``. One instance serves every thread."""

    def __init__(
        self,
        transport: Transport,
        directory: Path,
        clock: Clock,
        random01: Callable[[], float],
        run_id: str | None = None,
    ) -> None:
        self._run_id = run_id
        self._transport = transport
        self._directory = directory
        self._clock = clock
        self._random01 = random01

    def fetch(self, address: PageAddress, on_headers: Callable[[PageHeaders], None]) -> Page:
        """The page, accepted. ``on_headers`` is told what the answer's headers say before its body is read.

        A page without a final line end, or without ``Sforce-NumberOfRecords``, proves its end by coming twice alike.
        Raises ``SalesforceError``: ``NOT_READY`` where the job is not complete, ``NEW_JOB`` where the job is gone or
        its page stays unacceptable after every retry, and what ``transport`` raises.
        """
        began = self._clock.monotonic()
        unproven: str | None = None
        for tried in range(PAGE_RETRIES.attempts):
            try:
                attempt = self._attempt(address, on_headers)
            except SalesforceError as error:
                if error.failure.action is not Action.FETCH_PAGE_AGAIN:
                    raise
                self._pause_or_give_up(address, error.failure, tried, began)
                continue
            if attempt.proven or attempt.shape.digest == unproven:
                return attempt.accepted(address, retries=tried)
            unproven = attempt.shape.digest
            attempt.path.unlink()
            compare = page_rejected("its end is not marked; fetched again to compare")
            self._pause_or_give_up(address, compare, tried, began)
        raise AssertionError("the last attempt gives up by raising")

    def _pause_or_give_up(self, address: PageAddress, failure: Failure, tried: int, began: float) -> None:
        spent = self._clock.monotonic() - began > PAGE_RETRIES.budget
        last = spent or tried + 1 >= PAGE_RETRIES.attempts
        line = job_line(
            f"{failure.summary} {'No attempt is left' if last else 'It is fetched again'}",
            run_id=self._run_id,
            object_name=address.object_name,
            job_id=address.job_id,
            batch_id=address.locator or FIRST_PAGE,
            seconds=self._clock.monotonic() - began,
        )
        LOGGER.warning("%s", line)
        if last:
            raise SalesforceError(page_rejected(failure.summary, action=Action.NEW_JOB))
        self._clock.sleep(PAGE_RETRIES.backoff.delay(tried, self._random01()))

    def _attempt(self, address: PageAddress, on_headers: Callable[[PageHeaders], None]) -> _Attempt:
        try:
            return self._inspected(address, on_headers)
        except PageRejected as rejected:
            raise SalesforceError(page_rejected(str(rejected))) from rejected
        except OSError as error:
            raise SalesforceError(no_disk_space(error)) from error

    def _inspected(self, address: PageAddress, on_headers: Callable[[PageHeaders], None]) -> _Attempt:
        path = self._new_file()
        try:
            headers, gzipped, size = self._spool(address, path, on_headers)
            shape = _inspect(path, gzipped, address.columns)
            if headers.rows is not None and headers.rows != shape.rows:
                raise PageRejected(f"it holds {shape.rows} rows where its header says {headers.rows}")
        except BaseException:
            path.unlink()
            raise
        return _Attempt(headers, path, gzipped, size, shape)

    def _new_file(self) -> Path:
        with tempfile.NamedTemporaryFile(dir=self._directory, prefix="page-", suffix=".csv", delete=False) as file:
            return Path(file.name)

    def _spool(
        self, address: PageAddress, path: Path, on_headers: Callable[[PageHeaders], None]
    ) -> tuple[PageHeaders, bool, int]:
        request = bulk_api.results(
            address.version, address.job_id, address.locator, address.page_size, address.object_name
        )
        with self._transport.open(request) as body, path.open("wb") as file:
            headers = PageHeaders.from_http(body.headers)
            on_headers(headers)
            for chunk in body.chunks(_CHUNK):
                file.write(chunk)
            return headers, body.headers.get("content-encoding", "").lower() in ("gzip", "x-gzip"), file.tell()


def _inspect(path: Path, gzipped: bool, columns: tuple[str, ...]) -> PageShape:
    try:
        with _decoded(path, gzipped) as source:
            return inspect_page(source, columns)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise PageRejected("its gzip encoding is damaged or cut") from error


def _first_id(path: Path, gzipped: bool, columns: tuple[str, ...]) -> str | None:
    if "Id" not in columns:
        return None
    with _decoded(path, gzipped) as source:
        row = next(read_rows(source, columns), None)
    return row[columns.index("Id")] if row is not None else None


@contextmanager
def _decoded(path: Path, gzipped: bool) -> Iterator[BinaryIO]:
    with gzip.open(path, "rb") if gzipped else path.open("rb") as source:
        yield cast(BinaryIO, source)
