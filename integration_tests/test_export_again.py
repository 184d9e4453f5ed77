"""Exports with a repeated run id, another destination, or an emptied one: no row is missing or repeated."""

from __future__ import annotations

import json
import logging
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.aws import BUCKET, TABLE, Aws
from integration_tests.connector import Connector
from integration_tests.exporter import Exporter, assert_every_row_once
from integration_tests.ground_truth import GroundTruth
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from source_salesforce_bulk.export.begin import BeginOptions
from source_salesforce_bulk.export.destination import LocalDestination, S3Destination
from source_salesforce_bulk.registries.dynamodb_state import DynamoDbStates
from source_salesforce_bulk.registries.local_state import LocalLease, LocalStates
from source_salesforce_bulk.salesforce.failures import Consequence
from unit_tests.fakes import FakeClock

SETTINGS = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(SETTINGS) as simulated:
        yield simulated


def manifest_names(exporter: Exporter) -> set[str]:
    return {path.name for path in (exporter.destination / "_manifests").iterdir()}


def without_cursor(org: SimulatedOrg) -> str:
    """An object that is read whole every time, and has rows."""
    return next(
        stream["name"]
        for stream in Connector(org).streams().values()
        if stream["supported_sync_modes"] == ["full_refresh"] and GroundTruth(org).records(stream["name"])
    )


# The same run id again


def test_a_partial_run_is_continued_under_its_id(org: SimulatedOrg, tmp_path: Path) -> None:
    whole = without_cursor(org)
    org.control.fault("http_error", on="createJob", object="Contact", status=400, times=None)
    exporter = Exporter(org, tmp_path, page_size=700)

    assert exporter.run(["Account", "Contact", whole], run_id="monday").code != 0
    org.control.clear_faults()
    assert exporter.run(["Account", "Contact", whole], run_id="monday").code == 0

    assert manifest_names(exporter) == {"monday.json", "monday.2.json"}
    assert {manifest["run_id"] for manifest in exporter.manifests()} == {"monday"}
    assert_every_row_once(exporter.rows, org, "Account", "Contact", whole)


def test_a_run_that_was_stopped_is_continued_under_its_id(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path, page_size=700)
    stop = threading.Event()
    put = LocalDestination.put

    class Stopping(LocalDestination):
        def put(self, file: Path, path: str) -> str:
            stop.set()
            return put(self, file, path)

    stopped = exporter.run(["Contact"], run_id="monday", destination=Stopping(exporter.destination), stop=stop)
    assert [outcome.status for outcome in stopped.outcomes] == ["run again"]
    assert exporter.manifests() == []
    assert exporter.run(["Contact"], run_id="monday").code == 0

    assert manifest_names(exporter) == {"monday.json"}
    assert_every_row_once(exporter.rows, org, "Contact")


def test_the_id_of_a_complete_run_adds_nothing_and_says_so(
    org: SimulatedOrg, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = without_cursor(org)
    exporter = Exporter(org, tmp_path)
    exporter.run(["Account", whole], run_id="monday")
    caplog.set_level(logging.INFO)

    again = exporter.run(["Account", whole], run_id="monday")

    assert (again.code, again.manifest) == (0, None)
    assert "Run monday was already complete; nothing was added to it" in caplog.text
    assert manifest_names(exporter) == {"monday.json"}
    assert_every_row_once(exporter.rows, org, "Account", whole)


def test_the_id_of_a_complete_run_still_loses_no_row_that_came_since(org: SimulatedOrg, tmp_path: Path) -> None:
    """A schedule with one fixed id would otherwise be green for ever and bring nothing."""
    exporter = Exporter(org, tmp_path)
    exporter.run(["Contact"], run_id="nightly")
    org.control.advance_clock(3600)
    org.control.update("Contact", {"LastName": "Changed"}, ids=[org.control.rows("Contact")[0]["Id"]])
    org.control.advance_clock(60)

    assert exporter.run(["Contact"], run_id="nightly").code == 0

    second = json.loads((exporter.destination / "_manifests" / "nightly.2.json").read_bytes())
    assert second["objects"][0]["rows"] == 1


def test_an_object_that_was_asked_for_later_joins_the_run(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path)
    exporter.run(["Account"], run_id="monday")
    exporter.run(["Account", "Contact"], run_id="monday")
    assert manifest_names(exporter) == {"monday.json", "monday.2.json"}
    assert_every_row_once(exporter.rows, org, "Account", "Contact")


def test_a_run_that_may_still_be_writing_never_shares_a_file_name_with_its_next_attempt(
    org: SimulatedOrg, tmp_path: Path, aws: Aws
) -> None:
    """The first attempt stalls with its lease held; the second, with the same id, takes it over when it has expired."""
    clock = FakeClock()
    states = DynamoDbStates(aws.client("dynamodb"), TABLE, clock)
    exporter = Exporter(org, tmp_path)
    exporter.run(["Account"], run_id="monday", states=states)
    key = next(item["pk"]["S"] for item in aws.client("dynamodb").scan(TableName=TABLE)["Items"])
    stalled = states.acquire(key.partition("#")[0], "Account", "monday")
    assert stalled.taken_from is None
    clock.advance(600)
    org.control.advance_clock(3600)
    org.control.update("Account", {"Industry": "Energy"}, ids=[org.control.rows("Account")[0]["Id"]])
    org.control.advance_clock(60)

    assert exporter.run(["Account"], run_id="monday", states=states).code == 0

    folders = Counter(file["path"].split("/")[1] for file in exporter.files("Account"))
    assert len(folders) == 2
    assert "run=monday" in folders


# A destination belongs to the state


@pytest.mark.parametrize("change", ["another folder", "another format", "emptied", "object's files removed"])
def test_a_destination_without_the_rows_is_refused_until_the_user_says_what_to_do(
    org: SimulatedOrg, tmp_path: Path, change: str
) -> None:
    exporter = Exporter(org, tmp_path)
    exporter.run(["Account", "Contact"])
    options = {}
    if change == "another folder":
        options = {"destination": LocalDestination(tmp_path / "elsewhere")}
    elif change == "another format":
        options = {"format_name": "jsonl"}
    else:
        shutil.rmtree(exporter.destination / ("" if change == "emptied" else "Account"))
    jobs = len(org.control.jobs())

    failed = exporter.failure(["Account", "Contact"], **options)

    assert failed.consequence is Consequence.CONFIG
    assert failed.message.startswith("Account: ")
    assert "--start-over" in failed.message
    assert ("The same applies to Contact." in failed.message) == (change != "object's files removed")
    assert len(org.control.jobs()) == jobs

    result = exporter.run(["Account"], begin_options=BeginOptions(start_over=True), **options)
    assert result.code == 0
    assert result.outcomes[0].rows == len(GroundTruth(org).records("Account"))


def test_the_command_ends_with_2_and_names_both_ways(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path)
    exporter.run(["Account"])
    before = exporter.destination.as_uri()
    (tmp_path / "out").rename(tmp_path / "moved")
    again = exporter.script(["Account"])
    assert again.returncode == 2
    assert "--start-over" in again.stderr
    moved = exporter.script(["Account"], "--destination", (tmp_path / "moved").as_uri())
    assert moved.returncode == 2
    assert f"--destination {before}" in moved.stderr
    assert (
        exporter.script(["Account"], "--destination", (tmp_path / "moved").as_uri(), "--continue-here").returncode == 0
    )


def test_a_bucket_is_a_destination_like_a_folder(org: SimulatedOrg, tmp_path: Path, aws: Aws) -> None:
    exporter = Exporter(org, tmp_path)
    s3 = aws.client("s3")
    exporter.run(["Account"], destination=S3Destination(s3, BUCKET, "prod/"))
    assert exporter.run(["Account"], destination=S3Destination(s3, BUCKET, "/prod")).code == 0
    assert "s3://" in exporter.failure(["Account"], destination=S3Destination(s3, BUCKET, "test")).message
    for key in aws.all_keys():
        s3.delete_object(Bucket=BUCKET, Key=key)
    failed = exporter.failure(["Account"], destination=S3Destination(s3, BUCKET, "prod"))
    assert "which no longer has any file of the object" in failed.message


def test_a_state_of_version_0_1_0_is_adopted_with_a_line(
    org: SimulatedOrg, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = Exporter(org, tmp_path)
    exporter.run(["Account"])
    path = next((tmp_path / "state").glob("*/Account.json"))
    known = json.loads(path.read_text())
    for name in ("file_format", "named_rows", "begun_by"):
        del known[name]
    path.write_text(json.dumps({**known, "destination": ""}))
    caplog.set_level(logging.INFO)

    assert exporter.run(["Account"], destination=LocalDestination(tmp_path / "new")).code == 0

    assert "its state does not name a destination" in caplog.text
    assert exporter.state("Account")["destination"] == (tmp_path / "new").as_uri()


def test_starting_over_ends_the_jobs_of_the_state_that_it_gives_up(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path, page_size=700)
    stop = threading.Event()
    put = LocalDestination.put

    class Stopping(LocalDestination):
        def put(self, file: Path, path: str) -> str:
            stop.set()
            return put(self, file, path)

    exporter.run(["Contact"], destination=Stopping(exporter.destination), stop=stop)
    (job,) = org.control.jobs()
    assert not job["deleted"]

    assert exporter.run(["Contact"], begin_options=BeginOptions(start_over=True)).code == 0

    assert all(job["deleted"] for job in org.control.jobs())
    assert_every_row_once(exporter.rows, org, "Contact")


def test_one_object_is_read_from_its_beginning_and_the_others_go_on(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path)
    exporter.run(["Account", "Contact"])
    result = exporter.run(["Account", "Contact"], begin_options=BeginOptions(full=frozenset({"account"})))
    rows = {outcome.object_name: outcome.rows for outcome in result.outcomes}
    assert rows == {"Account": len(GroundTruth(org).records("Account")), "Contact": 0}
    assert (
        exporter.failure(["Account"], begin_options=BeginOptions(full=frozenset({"acount"}))).consequence
        is Consequence.CONFIG
    )


def test_what_has_changed_since_a_moment_is_read_again(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path)
    exporter.run(["Contact"])
    org.control.advance_clock(86400)
    changed = [row["Id"] for row in org.control.rows("Contact")[:7]]
    org.control.update("Contact", {"LastName": "Changed"}, ids=changed)
    org.control.advance_clock(7200)
    exporter.run(["Contact"])
    org.control.advance_clock(60)

    done = exporter.script(["Contact"], "--since", "2026-11-25T00:00:00Z", "--run-id", "again")
    assert done.returncode == 0, done.stderr
    again = json.loads((exporter.destination / "_manifests" / "again.json").read_bytes())
    assert again["objects"][0]["rows"] == 7
    wrong = exporter.script(["Contact"], "--since", "yesterday")
    assert wrong.returncode == 2
    assert '--since \\"yesterday\\" is not a date' in wrong.stderr


def test_clean_up_goes_on_behind_a_step_that_fails(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path)
    result = exporter.run(["Account", "Contact"], states=_Unreachable(tmp_path / "state"))
    assert result.code == 0
    assert all(job["deleted"] for job in org.control.jobs())


class _Unreachable(LocalStates):
    """Its leases cannot be given back: each attempt raises."""

    def acquire(self, organization_id: str, object_name: str, owner: str) -> LocalLease:
        lease = super().acquire(organization_id, object_name, owner)
        release = lease.release

        def failing() -> None:
            release()
            raise ConnectionError("the network is down")

        lease.release = failing  # type: ignore[method-assign]
        return lease
