from __future__ import annotations

from datetime import UTC, datetime

import pytest

from source_salesforce_bulk.export.destination import LocalDestination
from source_salesforce_bulk.export.manifest import (
    abandoned_manifest,
    build_manifest,
    files_named,
    highest_window,
    page_path,
)
from source_salesforce_bulk.export.outcomes import ExitCode, ExportFailed, ObjectOutcome, exit_code
from source_salesforce_bulk.registries.state import DataFile
from source_salesforce_bulk.salesforce.failures import Consequence

AT = datetime(2026, 11, 25, 8, tzinfo=UTC)


def file(path: str) -> DataFile:
    return DataFile(path, 3, 100, "750A", "loc")


def failed(consequence: Consequence) -> ExportFailed:
    return ExportFailed(consequence, "Account: something. Do something.")


def test_it_names_files_rows_states_and_what_failed():
    outcomes = [
        ObjectOutcome("Account", files=(file("a"), file("b")), rows=6, schema_version=2, state_after={"scope": "x"}),
        ObjectOutcome("Lead", failure=failed(Consequence.CONFIG)),
    ]
    manifest = build_manifest("r1", outcomes, "s3://b/p", AT, AT)
    assert manifest["status"] == "partial"
    account, lead = manifest["objects"]
    assert account == {
        "object": "Account",
        "status": "complete",
        "files": [
            {"path": "a", "rows": 3, "bytes": 100, "job": "750A", "locator": "loc"},
            {"path": "b", "rows": 3, "bytes": 100, "job": "750A", "locator": "loc"},
        ],
        "rows": 6,
        "schema_version": 2,
        "state_before": {},
        "state_after": {"scope": "x"},
    }
    assert (lead["status"], lead["error"]) == ("failed", "Account: something. Do something.")
    assert files_named(manifest) == {"a", "b"}


def test_a_manifest_without_failures_is_complete():
    assert build_manifest("r1", [ObjectOutcome("Account")], "file:///x", AT, AT)["status"] == "complete"


def test_an_abandoned_manifest_names_nothing():
    assert files_named(abandoned_manifest("r1")) == frozenset()


@pytest.mark.parametrize(
    ("run_id", "expected"),
    [("r1", 12), ("r2", 3), ("r", -1)],
)
def test_a_run_finds_the_windows_it_has_used(run_id, expected):
    paths = [page_path("Account", "r1", 2, 7, "parquet"), page_path("Account", "r1", 12, 0, "jsonl")]
    paths += [page_path("Account", "r2", 3, 0, "parquet"), "something/else"]
    assert highest_window(run_id, paths) == expected


@pytest.mark.parametrize(
    ("consequences", "code"),
    [
        ([], ExitCode.DONE),
        ([None, None], ExitCode.DONE),
        ([Consequence.CONFIG, None], ExitCode.SOME_FAILED),
        ([Consequence.CONFIG, Consequence.TRANSIENT], ExitCode.RUN_AGAIN),
        ([Consequence.CONFIG, Consequence.TRANSIENT, Consequence.SYSTEM], ExitCode.OUR_FAULT),
    ],
)
def test_the_exit_code_follows_from_what_became_of_the_objects(consequences, code):
    assert exit_code(failed(one) if one else None for one in consequences) is code


@pytest.mark.parametrize(
    ("consequence", "status"),
    [(Consequence.CONFIG, "failed"), (Consequence.SYSTEM, "failed"), (Consequence.TRANSIENT, "run again")],
)
def test_a_status_says_what_to_do(consequence, status):
    assert ObjectOutcome("A", failure=failed(consequence)).status == status


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b"[" * 100_000,
        b"\xff",
        b'{"objects": 5}',
        b'{"objects": [5]}',
        b'{"objects": [{"files": {}}]}',
        b'{"objects": [{"files": [{}]}]}',
        b'{"objects": [{"files": [{"path": 1}]}]}',
    ],
)
def test_what_is_no_manifest_is_named_and_refused(tmp_path, text):
    (tmp_path / "_manifests").mkdir()
    (tmp_path / "_manifests" / "r1.json").write_bytes(text)
    with pytest.raises(ExportFailed, match=r"r1\.json is not a manifest"):
        LocalDestination(tmp_path).manifest("r1")
