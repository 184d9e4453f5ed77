"""Fetch the binary content of one row into a file on this machine, and verify its size and checksum.

The content goes to disk as it arrives, so a file of any size takes little memory.

Retries a body that broke off or was not accepted. ``transport`` retries what fails before a body begins.
"""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from source_salesforce_bulk.pages.workspace import Workspace
from source_salesforce_bulk.salesforce import rest_api
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.blobs import Blob
from source_salesforce_bulk.salesforce.failures import Action, Failure, SalesforceError, blob_not_kept, blob_rejected
from source_salesforce_bulk.salesforce.http_client import Body
from source_salesforce_bulk.salesforce.retry import BLOB_RETRIES
from source_salesforce_bulk.salesforce.transport import Transport

LOGGER = logging.getLogger("salesforce_bulk.files")

_CHUNK = 1 << 18


class BlobFetcher:
    """Fetches files into ``workspace``. One instance serves every thread."""

    def __init__(self, transport: Transport, workspace: Workspace, caller: Caller) -> None:
        self._transport = transport
        self._workspace = workspace
        self._caller = caller

    def fetch(self, blob: Blob, version: str) -> Path:
        """Return a file with the verified content, which the caller removes.

        Raises ``SalesforceError``: ``FILE_GONE`` if the row no longer exists, ``FILE_REJECTED`` if no download had the
        right size and checksum, and the errors of ``transport``.
        """

        def report(failure: Failure, pause: float) -> None:
            what = f"{blob.of.name} {blob.id}: {failure.summary} It is fetched again in {pause:.1f} s"
            LOGGER.warning("%s", what, extra={"object": blob.of.name})

        return self._caller.persist(lambda: self._attempt(blob, version), BLOB_RETRIES, _is_retried_here, report)

    def _attempt(self, blob: Blob, version: str) -> Path:
        try:
            file = self._workspace.new_file(".blob")
        except OSError as error:
            raise SalesforceError(blob_not_kept(error)) from error
        path = Path(file.name)
        try:
            with file:
                self._receive(blob, version, file)
        except OSError as error:
            _discard(path)
            raise SalesforceError(blob_not_kept(error)) from error
        except BaseException:
            _discard(path)
            raise
        return path

    def _receive(self, blob: Blob, version: str, file: IO[bytes]) -> None:
        digest, size = hashlib.md5(usedforsecurity=False), 0
        with self._transport.open(rest_api.blob(version, blob.of.name, blob.id, blob.of.body)) as body:
            for piece in _decoded(body):
                size += len(piece)
                if size > blob.size:
                    raise SalesforceError(blob_rejected(f"more than {blob.size:,} bytes came"))
                digest.update(piece)
                file.write(piece)
        if size != blob.size:
            raise SalesforceError(blob_rejected(f"{size:,} of {blob.size:,} bytes came"))
        if blob.checksum is not None and digest.hexdigest() != blob.checksum:
            raise SalesforceError(blob_rejected("its MD5 is another"))


def _is_retried_here(failure: Failure) -> bool:
    return failure.action is Action.FETCH_PAGE_AGAIN


def _discard(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _decoded(body: Body) -> Iterator[bytes]:
    """Yield the content in pieces of bounded size. Something on the way may compress it although it must not."""
    if body.headers.get("content-encoding", "").lower() not in ("gzip", "x-gzip"):
        yield from body.chunks(_CHUNK)
        return
    decoder = zlib.decompressobj(wbits=31)
    try:
        for chunk in body.chunks(_CHUNK):
            rest = chunk
            while rest:
                yield decoder.decompress(rest, _CHUNK)
                rest = decoder.unconsumed_tail
        yield decoder.flush()
    except zlib.error as error:
        raise SalesforceError(blob_rejected("its gzip encoding is damaged")) from error
