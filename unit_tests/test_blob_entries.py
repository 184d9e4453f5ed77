from __future__ import annotations

import json

import pytest

from source_salesforce_bulk.export.blob_entries import (
    BlobCounts,
    BlobEntry,
    BlobOptions,
    BlobState,
    left_out_by_size,
    not_exported,
    state_after,
)
from source_salesforce_bulk.salesforce.blobs import BLOB_OBJECTS, Blob
from source_salesforce_bulk.salesforce.failures import Failure, Kind

STAMP = "2026-11-24T08:00:00.000Z"


def blob(size: int = 5) -> Blob:
    return Blob(BLOB_OBJECTS["Attachment"], "00P000000000001AAA", STAMP, size, title='ü "\n')


def test_a_line_of_the_index_has_the_row_and_its_file():
    line = BlobEntry(blob(), BlobState.STORED, fetched=True).line()
    assert line.count("\n") == 1
    assert json.loads(line) == {
        "Id": "00P000000000001AAA",
        "SystemModstamp": STAMP,
        "state": "stored",
        "file": "Attachment/_files/00P000000000001AAA.20261124T080000000Z",
        "bytes": 5,
        "md5": None,
        "title": 'ü "\n',
        "reason": None,
    }


def test_a_file_that_is_left_out_has_a_reason_and_no_place():
    entry = left_out_by_size(blob(6), largest=5)
    assert entry is not None
    line = json.loads(entry.line())
    assert (line["state"], line["file"], line["bytes"]) == ("too_large", None, 6)
    assert "--max-file-bytes" in line["reason"]


def test_the_size_decides_what_is_not_fetched():
    assert left_out_by_size(blob(5), largest=5) is None
    empty = left_out_by_size(blob(0), largest=5)
    assert empty is not None
    assert empty.state is BlobState.EMPTY


def test_every_file_is_counted_once():
    counts = BlobCounts()
    for state in BlobState:
        counts.add(BlobEntry(blob(), state))
    counts.add(BlobEntry(blob(7), BlobState.STORED, fetched=True))
    assert counts.to_json() == {
        "stored": 1,
        "bytes": 7,
        "already_there": 1,
        "empty": 1,
        "too_large": 1,
        "gone": 1,
        "refused": 1,
        "invalid": 1,
        "failed": 1,
    }


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (Kind.FILE_GONE, BlobState.GONE),
        (Kind.FILE_REJECTED, BlobState.INVALID),
        (Kind.FILE_BROKEN, BlobState.FAILED),
        (Kind.UNAVAILABLE, BlobState.FAILED),
        (Kind.CONNECTION, BlobState.FAILED),
        (Kind.MISSING_PERMISSION, BlobState.REFUSED),
        (Kind.API_CALLS_EXHAUSTED, None),
        (Kind.NO_DISK_SPACE, None),
        (Kind.SESSION_REFUSED, None),
        (Kind.UNEXPECTED, None),
    ],
)
def test_a_failure_is_about_one_file_or_about_more(kind, state):
    assert state_after(Failure.of(kind)) is state


def test_only_objects_that_are_exported_can_have_files():
    assert not_exported(BlobOptions(frozenset({"Document"})), ["Account", "Document"]) is None
    assert not_exported(BlobOptions(), []) is None
    text = not_exported(BlobOptions(frozenset({"Document", "Attachment"})), ["Account"])
    assert text is not None
    assert "Add --object Attachment --object Document." in text
