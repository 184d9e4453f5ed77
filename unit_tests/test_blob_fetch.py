from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from source_salesforce_bulk.extraction.metrics import RunMetrics
from source_salesforce_bulk.pages.blob_fetch import BlobFetcher
from source_salesforce_bulk.pages.workspace import Workspace
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.blobs import BLOB_OBJECTS, Blob
from source_salesforce_bulk.salesforce.failures import Kind, SalesforceError
from source_salesforce_bulk.salesforce.http_client import HttpRequest
from source_salesforce_bulk.salesforce.retry import BLOB_RETRIES
from source_salesforce_bulk.salesforce.transport import Transport
from unit_tests.fakes import Answer, FakeClock, FakeTokens, ScriptedHttp

CONTENT = b"the content"
BLOB = Blob(
    BLOB_OBJECTS["ContentVersion"],
    "068000000000001AAA",
    "2026-11-24T08:00:00.000Z",
    len(CONTENT),
    hashlib.md5(CONTENT, usedforsecurity=False).hexdigest(),
)
PATH = "/services/data/v66.0/sobjects/ContentVersion/068000000000001AAA/VersionData"


def fetch(http: ScriptedHttp, folder: Path, blob: Blob = BLOB) -> bytes:
    with http:
        caller = Caller(http, FakeClock(), lambda: 0.0)
        transport = Transport(caller, FakeTokens(), RunMetrics())
        path = BlobFetcher(transport, Workspace(folder), caller).fetch(blob, "v66.0")
    content = path.read_bytes()
    path.unlink()
    return content


def answers(*bodies: bytes, **headers: str) -> ScriptedHttp:
    http = ScriptedHttp()
    for body in bodies:
        http.expect("GET", PATH, Answer(200, body, headers))
    return http


def test_the_content_is_asked_for_uncompressed(tmp_path):
    def check(sent: HttpRequest) -> None:
        assert (sent.headers["Accept"], sent.headers["Accept-Encoding"]) == ("*/*", "identity")

    http = ScriptedHttp().expect("GET", PATH, Answer(200, CONTENT), check)
    assert fetch(http, tmp_path) == CONTENT


@pytest.mark.parametrize("wrong", [b"", CONTENT[:-1], CONTENT + b"!", CONTENT.upper()])
def test_content_of_another_size_or_checksum_is_fetched_again(tmp_path, wrong):
    assert fetch(answers(wrong, CONTENT), tmp_path) == CONTENT
    assert list(tmp_path.iterdir()) == []


def test_content_that_is_never_right_is_rejected_and_leaves_no_file(tmp_path):
    with pytest.raises(SalesforceError, match=r"attempt 5 of 5") as caught:
        fetch(answers(*[b"other bytes"] * BLOB_RETRIES.attempts), tmp_path)
    assert caught.value.failure.kind is Kind.FILE_REJECTED
    assert list(tmp_path.iterdir()) == []


def test_without_a_checksum_the_size_decides(tmp_path):
    http = answers(CONTENT[:-1], CONTENT.upper())
    assert fetch(http, tmp_path, replace(BLOB, checksum=None)) == CONTENT.upper()


def test_a_row_that_is_gone_is_asked_for_once(tmp_path):
    gone = Answer(404, [{"errorCode": "ENTITY_IS_DELETED", "message": "entity is deleted"}])
    with pytest.raises(SalesforceError) as caught:
        fetch(ScriptedHttp().expect("GET", PATH, gone), tmp_path)
    assert caught.value.failure.kind is Kind.FILE_GONE


def test_what_was_compressed_on_the_way_is_decoded(tmp_path):
    http = answers(gzip.compress(CONTENT), **{"Content-Encoding": "gzip"})
    assert fetch(http, tmp_path) == CONTENT


@pytest.mark.parametrize(
    "damaged",
    [b"no gzip", gzip.compress(CONTENT)[:-12], gzip.compress(b"0" * 5_000_000)],
    ids=["no gzip", "cut off", "swollen"],
)
def test_a_damaged_or_swollen_encoding_is_fetched_again(tmp_path, damaged):
    http = answers(damaged, **{"Content-Encoding": "gzip"}).expect("GET", PATH, Answer(200, CONTENT))
    assert fetch(http, tmp_path) == CONTENT


def test_a_disk_that_cannot_be_written_stops_the_run(tmp_path):
    with pytest.raises(SalesforceError) as caught:
        fetch(answers(), tmp_path / "missing")
    assert caught.value.failure.kind is Kind.DISK_ERROR
