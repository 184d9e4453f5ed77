"""`export --files`: the binary content of rows, stored once each, verified, continued after a kill."""

from __future__ import annotations

import base64
import hashlib
import json
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integration_tests.aws import BUCKET, TABLE, Aws
from integration_tests.exporter import SCRIPT, Exporter, wait_for
from integration_tests.simulated_org import Fault, OrgSettings, SimulatedOrg
from source_salesforce_bulk.export.begin import BeginOptions
from source_salesforce_bulk.export.blob_entries import FILES_AT_ONCE, BlobOptions
from source_salesforce_bulk.export.destination import LocalDestination, S3Destination
from source_salesforce_bulk.export.run import ExportResult
from source_salesforce_bulk.registries.dynamodb_state import DynamoDbStates
from source_salesforce_bulk.salesforce.clock import SystemClock

NAMES = ("ContentVersion", "Attachment", "Document")
BODIES = {"ContentVersion": "VersionData", "Attachment": "Body", "Document": "Body"}


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    settings = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")
    with SimulatedOrg(settings) as simulated:
        yield simulated


@pytest.fixture
def exporter(org: SimulatedOrg, tmp_path: Path) -> Exporter:
    return Exporter(org, tmp_path)


class Killed(BaseException):
    """The process is gone."""


def wanted(*names: str, **options: int) -> BlobOptions:
    return BlobOptions(frozenset(names), **options)


def store(exporter: Exporter, *names: str, blob_options: BlobOptions | None = None, **options: Any) -> ExportResult:
    return exporter.run(names, blob_options=blob_options or wanted(*names), **options)


def contents(org: SimulatedOrg, name: str) -> dict[str, bytes]:
    """The content of every row that is not deleted and has any, by Id."""
    rows = org.control.rows(name, operation="query", fields=["Id", BODIES[name]])
    return {str(row["Id"]): base64.b64decode(cell) for row in rows if (cell := row[BODIES[name]])}


def index(exporter: Exporter, name: str) -> list[dict[str, Any]]:
    """Every line of an object's index, page by page."""
    pages = sorted((exporter.destination / name / "_files" / "_index").glob("run=*/*.jsonl"))
    return [json.loads(line) for page in pages for line in page.read_text(encoding="utf-8").splitlines()]


def stored(exporter: Exporter, name: str) -> dict[str, bytes]:
    """The content of the files that the index names, by Id; the last line of a row counts."""
    lines = {line["Id"]: line for line in index(exporter, name)}
    return {
        record: (exporter.destination / line["file"]).read_bytes()
        for record, line in lines.items()
        if line["state"] == "stored"
    }


def fetched(org: SimulatedOrg, status: int | None = 200) -> Counter[str]:
    """How often the content of each row was requested with this result."""
    log = org.control.request_log()
    return Counter(one["path"].split("/")[-2] for one in log if one["kind"] == "blob" and one["status"] == status)


def new_version(org: SimulatedOrg, content: bytes, **cells: Any) -> str:
    row = {
        "Title": "Plan",
        "FileExtension": "pdf",
        "VersionData": base64.b64encode(content).decode(),
        "ContentSize": len(content),
        "Checksum": hashlib.md5(content, usedforsecurity=False).hexdigest(),
    }
    (record,) = org.control.insert("ContentVersion", [{**row, **cells}])
    return record


def entry(exporter: Exporter, record: str) -> dict[str, Any]:
    return [line for line in index(exporter, "ContentVersion") if line["Id"] == record][-1]


@pytest.mark.parametrize("name", NAMES)
def test_every_row_with_content_has_its_file_and_a_line_in_the_index(
    org: SimulatedOrg, exporter: Exporter, name: str
) -> None:
    result = store(exporter, name)
    assert result.code == 0
    truth = contents(org, name)
    assert truth
    assert stored(exporter, name) == truth
    live = {row["Id"] for row in org.control.rows(name, operation="query", fields=["Id"])}
    lines = index(exporter, name)
    assert sorted(line["Id"] for line in lines) == sorted(live)
    assert {line["Id"] for line in lines if line["state"] == "empty"} == live - set(truth)
    counts = result.blobs[name]
    assert (counts.stored, counts.bytes) == (len(truth), sum(map(len, truth.values())))
    assert fetched(org) == dict.fromkeys(truth, 1)


def test_names_have_the_checksum_and_only_a_harmless_extension(org: SimulatedOrg, exporter: Exporter) -> None:
    harmless = new_version(org, b"one")
    hostile = new_version(org, b"two", FileExtension="/../../x", Title="../../etc/passwd")
    org.control.advance_clock(3600)
    store(exporter, "ContentVersion")
    assert entry(exporter, harmless)["file"].endswith(f"/{harmless}.f97c5d29941bfb1b2fdab0874906ab82.pdf")
    assert entry(exporter, hostile)["file"] == f"ContentVersion/_files/{hostile}.b8a9f715dbb64fd5c56e7783c6820a61"
    assert entry(exporter, hostile)["title"] == "../../etc/passwd"


def test_an_increment_fetches_new_content_only(org: SimulatedOrg, exporter: Exporter) -> None:
    store(exporter, "ContentVersion")
    before = fetched(org)
    org.control.advance_clock(3600)
    record = new_version(org, b"new content")
    org.control.update("ContentVersion", {"Title": "Renamed"}, ids=[next(iter(before))])
    org.control.advance_clock(3600)
    second = store(exporter, "ContentVersion")
    assert fetched(org) - before == {record: 1}
    assert second.blobs["ContentVersion"].stored == 1
    assert second.blobs["ContentVersion"].present >= 1
    assert stored(exporter, "ContentVersion") == contents(org, "ContentVersion")


def test_a_changed_attachment_is_stored_beside_its_former_content(org: SimulatedOrg, exporter: Exporter) -> None:
    store(exporter, "Attachment")
    record = next(iter(contents(org, "Attachment")))
    org.control.advance_clock(3600)
    body = base64.b64encode(b"other").decode()
    org.control.update("Attachment", {"Body": body, "BodyLength": 5}, ids=[record])
    org.control.advance_clock(3600)
    store(exporter, "Attachment")
    assert stored(exporter, "Attachment")[record] == b"other"
    assert len(list((exporter.destination / "Attachment" / "_files").glob(f"{record}.*"))) == 2


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="cut", on="blob", times=2),
        Fault(kind="cut", on="blob", times=2, value="reset"),
        Fault(kind="other_byte", times=2),
        Fault(kind="wrong_length", on="blob", times=2),
        Fault(kind="http_error", on="blob", times=3, status=503),
        Fault(kind="close_before", on="blob", times=2),
        Fault(kind="html_200", on="blob", times=2),
        Fault(kind="query_short", on="query", object="ContentVersion", times=1),
        Fault(kind="http_error", on="query", object="ContentVersion", times=2, status=503),
    ],
    ids=lambda fault: fault.kind,
)
def test_faults_are_survived_and_nothing_wrong_is_stored(org: SimulatedOrg, exporter: Exporter, fault: Fault) -> None:
    org.control.add_fault(fault)
    assert store(exporter, "ContentVersion").code == 0
    assert stored(exporter, "ContentVersion") == contents(org, "ContentVersion")
    assert org.control.fault_log()[0]["fired"] == fault.times


def test_content_that_something_compresses_on_the_way_is_decoded(org: SimulatedOrg, exporter: Exporter) -> None:
    org.control.add_fault(Fault(kind="gzip_two_members", on="blob", times=1, at=0))
    org.control.add_fault(Fault(kind="gzip_junk", on="blob", times=1, after=3))
    assert store(exporter, "ContentVersion").code == 0
    assert stored(exporter, "ContentVersion") == contents(org, "ContentVersion")


def test_a_file_that_is_never_valid_is_named_and_tried_again(org: SimulatedOrg, exporter: Exporter) -> None:
    record = new_version(org, b"right", Checksum="0" * 32)
    org.control.advance_clock(3600)
    first = store(exporter, "ContentVersion")
    assert first.code == 3
    assert "1 file without the size or checksum" in first.outcomes[0].failure.message
    assert entry(exporter, record)["state"] == "invalid"
    assert fetched(org)[record] == 5
    right = hashlib.md5(b"right", usedforsecurity=False).hexdigest()
    org.control.update("ContentVersion", {"Checksum": right}, ids=[record], touch="none")
    org.control.advance_clock(3600)
    assert store(exporter, "ContentVersion").code == 0
    assert stored(exporter, "ContentVersion") == contents(org, "ContentVersion")


def test_a_row_that_is_deleted_meanwhile_is_no_failure(org: SimulatedOrg, exporter: Exporter) -> None:
    records = [new_version(org, b"short-lived"), new_version(org, b"purged")]
    org.control.advance_clock(3600)
    org.control.when_do("blob", lambda: org.control.soft_delete("ContentVersion", ids=records[:1]))
    org.control.when_do("blob", lambda: org.control.hard_delete("ContentVersion", ids=records[1:]))
    result = store(exporter, "ContentVersion")
    assert result.code == 0
    assert [entry(exporter, record)["state"] for record in records] == ["gone", "gone"]
    assert "2 deleted meanwhile" in str(result.blobs["ContentVersion"])
    assert stored(exporter, "ContentVersion") == contents(org, "ContentVersion")


REFUSAL = Fault(kind="http_error", on="blob", status=403, error="INSUFFICIENT_ACCESS", times=None)


def test_a_file_that_this_user_may_not_read_is_no_failure(org: SimulatedOrg, exporter: Exporter) -> None:
    org.control.add_fault(replace(REFUSAL, times=2))
    result = store(exporter, "ContentVersion")
    assert result.code == 0
    assert "2 refused by Salesforce" in str(result.blobs["ContentVersion"])


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="http_error", on="blob", status=500, error="UNKNOWN_EXCEPTION", times=None),
        Fault(kind="cut", on="blob", times=None),
    ],
    ids=lambda fault: fault.kind,
)
def test_a_single_file_that_always_fails_holds_up_no_other(org: SimulatedOrg, exporter: Exporter, fault: Fault) -> None:
    store(exporter, "ContentVersion")
    bad = new_version(org, b"bad")
    org.control.advance_clock(3600)
    org.control.add_fault(fault)
    assert store(exporter, "ContentVersion").code == 75
    org.control.clear_faults()
    assert entry(exporter, bad)["state"] == "failed"
    good = new_version(org, b"good")
    org.control.advance_clock(3600)
    org.control.add_fault(replace(fault, times=5))  # the bad one is tried first
    assert store(exporter, "ContentVersion").code == 75
    assert [entry(exporter, record)["state"] for record in (bad, good)] == ["failed", "stored"]
    assert store(exporter, "ContentVersion").code == 0
    assert stored(exporter, "ContentVersion") == contents(org, "ContentVersion")


def test_an_outage_ends_the_object_after_a_few_files(org: SimulatedOrg, exporter: Exporter) -> None:
    org.control.add_fault(Fault(kind="http_error", on="blob", status=503, times=None))
    result = store(exporter, "ContentVersion")
    assert result.code == 75
    assert index(exporter, "ContentVersion") == []
    org.control.clear_faults()
    assert store(exporter, "ContentVersion").code == 0
    assert stored(exporter, "ContentVersion") == contents(org, "ContentVersion")


def test_a_user_who_may_read_no_file_at_all_is_told_so(org: SimulatedOrg, exporter: Exporter) -> None:
    for number in range(60):
        new_version(org, b"%d" % number)
    org.control.advance_clock(3600)
    org.control.add_fault(REFUSAL)
    result = store(exporter, "ContentVersion")
    assert result.code == 3
    assert "lacks a permission" in result.outcomes[0].failure.message
    org.control.clear_faults()
    assert store(exporter, "ContentVersion").code == 0
    assert stored(exporter, "ContentVersion") == contents(org, "ContentVersion")


def test_a_file_that_is_too_large_is_left_out(org: SimulatedOrg, exporter: Exporter) -> None:
    record = new_version(org, b"x" * 2_000)
    org.control.advance_clock(3600)
    result = store(exporter, "ContentVersion", blob_options=wanted("ContentVersion", largest=1_999))
    assert result.code == 0
    assert entry(exporter, record)["state"] == "too_large"
    assert record not in fetched(org)
    assert "1 too large" in str(result.blobs["ContentVersion"])


def test_a_run_stops_at_the_reserve_and_goes_on_later(org: SimulatedOrg, exporter: Exporter) -> None:
    org.control.set_limit("DailyApiRequests", maximum=1_000, remaining=65)
    stopped = store(exporter, "ContentVersion")
    assert stopped.code == 75
    assert 0 < len(fetched(org)) < len(contents(org, "ContentVersion"))
    org.control.set_limit("DailyApiRequests", maximum=1_000, remaining=1_000)
    assert store(exporter, "ContentVersion").code == 0
    assert stored(exporter, "ContentVersion") == contents(org, "ContentVersion")
    assert set(fetched(org).values()) == {1}


class Dying(LocalDestination):
    """Is killed at the ``at``-th file that it puts: nothing happens afterwards."""

    def __init__(self, folder: Path, at: int) -> None:
        super().__init__(folder)
        self.left = at

    def size(self, path: str) -> int | None:
        if self.left < 0:
            raise Killed
        return super().size(path)

    def put(self, file: Path, path: str) -> None:
        if "/_files/" in path:
            self.left -= 1
            if self.left < 0:
                raise Killed
        super().put(file, path)


def test_a_killed_run_fetches_no_file_twice_but_those_under_way(org: SimulatedOrg, exporter: Exporter) -> None:
    options = wanted("ContentVersion", rows=7, at_once=2)
    deaths, at = 0, 1
    while True:
        try:
            store(exporter, "ContentVersion", blob_options=options, destination=Dying(exporter.destination, at))
            break
        except Killed:
            deaths, at = deaths + 1, at + 2
    assert deaths >= 3
    assert stored(exporter, "ContentVersion") == contents(org, "ContentVersion")
    twice = sum(count - 1 for count in fetched(org).values())
    assert twice <= 2 * deaths
    assert not [path for path in exporter.destination.rglob(".*") if path.is_file()]


def test_files_in_s3_are_whole_and_are_not_fetched_again(org: SimulatedOrg, exporter: Exporter, aws: Aws) -> None:
    states = DynamoDbStates(aws.client("dynamodb"), TABLE, SystemClock(threading.Event()))
    s3 = aws.client("s3")
    for _ in range(2):
        result = store(exporter, "ContentVersion", destination=S3Destination(s3, BUCKET, "prod"), states=states)
        assert result.code == 0
        org.control.advance_clock(3600)
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix="prod/ContentVersion/_files/068")["Contents"]
    found = {one["Key"].split("/")[-1][:18]: s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"] for one in listed}
    assert {record: body.read() for record, body in found.items()} == contents(org, "ContentVersion")
    assert set(fetched(org).values()) == {1}


def test_plan_counts_files_and_their_calls(org: SimulatedOrg, exporter: Exporter) -> None:
    def plan(*more: str) -> dict[str, Any]:
        command = exporter.arguments(["ContentVersion"], "--json", *more)
        kept = [
            part
            for at, part in enumerate(command)
            if not {"--destination", "--schemas"} & set(command[at - 1 : at + 1])
        ]
        kept[1] = "plan"
        run = subprocess.run(kept, capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)

    truth = contents(org, "ContentVersion")
    rows = len(org.control.rows("ContentVersion", operation="query", fields=["Id"]))
    found = plan("--files", "ContentVersion")
    assert found["files"] == [
        {"object": "ContentVersion", "files": rows, "bytes": sum(map(len, truth.values())), "api_calls": rows + 1}
    ]
    without = plan()
    assert "files" not in without
    less = without["totals"]["api_calls_without_polls"]
    assert found["totals"]["api_calls_without_polls"] == less + rows + 1
    store(exporter, "ContentVersion")
    org.control.advance_clock(3600)
    assert plan("--files", "ContentVersion")["files"][0]["files"] == 0


def test_files_of_an_object_that_is_not_exported_are_refused(exporter: Exporter) -> None:
    failure = exporter.failure(["Account"], blob_options=wanted("Document"))
    assert str(failure) == (
        "--files Document: the run exports no rows of it. Add --object Document. Nothing was started."
    )


def test_a_text_that_is_hashed_or_excluded_is_in_no_index(org: SimulatedOrg, tmp_path: Path) -> None:
    overrides = [{"object": "ContentVersion", "hash_fields": ["Title"], "exclude_fields": ["FileExtension"]}]
    exporter = Exporter(org, tmp_path, object_overrides=overrides, hash_key="k" * 32)
    assert store(exporter, "ContentVersion").code == 0
    lines = index(exporter, "ContentVersion")
    assert {line["title"] for line in lines} == {None}
    assert all(Path(line["file"]).name.count(".") == 1 for line in lines if line["file"])


def test_all_files_again_with_start_over_fetches_none_that_is_there(org: SimulatedOrg, exporter: Exporter) -> None:
    store(exporter, "ContentVersion")
    before = fetched(org)
    org.control.advance_clock(3600)
    again = store(exporter, "ContentVersion", begin_options=BeginOptions(full=frozenset({"contentversion"})))
    assert again.blobs["ContentVersion"].present == len(contents(org, "ContentVersion"))
    assert fetched(org) == before


def test_the_console_script_stores_files_and_says_how_many(org: SimulatedOrg, exporter: Exporter) -> None:
    run = exporter.script(["Attachment"], "--files", "attachment")
    assert run.returncode == 0, run.stderr
    truth = contents(org, "Attachment")
    assert f"Attachment: {len(truth)} files stored" in run.stdout
    assert stored(exporter, "Attachment") == truth
    listing = [str(SCRIPT), "state", "list", "--state", str(exporter.folder / "state"), "--json"]
    listed = json.loads(subprocess.run(listing, capture_output=True, text=True, timeout=60, check=True).stdout)
    reached = {one["object"]: one["read_up_to"] for one in listed}
    assert reached["Attachment-files"] == "2026-11-24T08:00:00.000Z"


def test_sigterm_ends_with_143_and_the_next_run_fetches_the_rest(org: SimulatedOrg, exporter: Exporter) -> None:
    org.control.add_fault(Fault(kind="delay", on="blob", after=6, times=None, seconds=30))
    process = exporter.start(["ContentVersion"], "--files", "ContentVersion")
    wait_for(lambda: len(fetched(org)) >= 6, process)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143, stderr
    assert [manifest["status"] for manifest in exporter.manifests()] == ["complete"]
    org.control.clear_faults()
    assert exporter.script(["ContentVersion"], "--files", "ContentVersion").returncode == 0
    assert stored(exporter, "ContentVersion") == contents(org, "ContentVersion")
    # The org answers a request that was cut off, too, once its delay is over.
    assert sum(count - 1 for count in fetched(org).values()) <= FILES_AT_ONCE


def test_a_wrong_name_is_refused_with_the_nearest(exporter: Exporter) -> None:
    run = exporter.script(["Attachment"], "--files", "Atachment")
    assert run.returncode == 2
    assert "Did you mean Attachment?" in run.stderr


def test_tables_have_no_files(exporter: Exporter) -> None:
    arguments = exporter.arguments(["Attachment"], "--files", "Attachment")
    arguments[arguments.index("--destination") + 1] = f"iceberg+file://{exporter.folder}/tables"
    run = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2
    assert "--files cannot be stored in tables" in run.stderr
