"""Ids and timestamps are read from every supported file format."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from source_salesforce_bulk.export.comparison import Stamped
from source_salesforce_bulk.export.kept_rows import Columns, milliseconds, named_files, rows_of_file
from source_salesforce_bulk.export.outcomes import ExportFailed

COLUMNS = Columns("Id", "SystemModstamp")
MOMENT = datetime(2026, 11, 23, 2, 0, 0, 5000, tzinfo=UTC)
SEEN = Stamped("001A0000006Vm9rIAC", milliseconds(MOMENT))


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-23T02:00:00.005Z",
        "2026-11-23 02:00:00.005",
        "2026-11-23 02:00:00.005+00:00",
        "2026-11-23 02:00:00.005000 UTC",
        "2026-11-23T03:00:00.005+01:00",
        MOMENT,
        MOMENT.replace(tzinfo=None),
    ],
)
def test_a_time_may_be_written_in_many_ways(written):
    assert milliseconds(written) == milliseconds(MOMENT)


def test_a_date_is_its_beginning():
    assert milliseconds(date(1970, 1, 2)) == 86_400_000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", b"\xef\xbb\xbfID,SYSTEMMODSTAMP\n001A0000006Vm9r,2026-11-23T02:00:00.005Z\n"),
        ("x.jsonl", b'{"Id":"001A0000006Vm9rIAC","SystemModstamp":"2026-11-23T02:00:00.005Z"}\n'),
    ],
)
def test_rows_are_read_by_the_ending(name, content):
    assert list(rows_of_file(name, content, COLUMNS)) == [SEEN]


def test_a_tombstone_is_known_by_its_field():
    content = b'{"Id":"001A0000006Vm9r","SystemModstamp":"2026-11-23T02:00:00Z","_ab_cdc_deleted_at":"2026-11-23"}'
    assert [row.gone for row in rows_of_file("x.jsonl", content, COLUMNS)] == [True]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.txt", b""),
        ("x.csv", b"Id\n001A0000006Vm9r\n"),
        ("x.csv", b"Id,SystemModstamp\nnothing,2026-11-23T02:00:00Z\n"),
        ("x.csv", b"Id,SystemModstamp\n001A0000006Vm9r,today\n"),
        ("x.parquet", b"PAR1"),
    ],
)
def test_another_file_is_refused_in_a_sentence(name, content):
    with pytest.raises(ExportFailed, match="cannot be compared"):
        list(rows_of_file(name, content, COLUMNS))


def test_files_are_those_that_any_manifest_names():
    manifests = [
        {"objects": [{"object": "Account", "files": [{"path": "a"}]}, {"object": "Lead", "files": [{"path": "b"}]}]},
        {"objects": [{"object": "Account", "files": [{"path": "c"}]}]},
        {"status": "abandoned"},
    ]
    assert named_files(manifests, "Account") == ["a", "c"]
