"""Export without Airbyte: every row exactly once in the files that manifests name, whatever goes wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import parquet

from integration_tests.connector import Connector, configure
from integration_tests.exporter import Exporter, as_emitted, in_arrows_range
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from source_salesforce_bulk.registries.local_state import LocalStates
from source_salesforce_bulk.salesforce.failures import Consequence

SETTINGS = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")


@pytest.fixture(scope="module")
def still_org() -> Iterator[SimulatedOrg]:
    """An org whose rows no test here changes."""
    with SimulatedOrg(SETTINGS) as simulated:
        yield simulated


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(SETTINGS) as simulated:
        yield simulated


@pytest.mark.parametrize("jobs", [1, 4])
def test_parquet_holds_what_the_airbyte_path_emits(still_org: SimulatedOrg, tmp_path: Path, jobs: int) -> None:
    names = ["Account", "Contact", "Awkward__c", "Opportunity", "LoginHistory"]
    connector = Connector(still_org, max_concurrent_jobs=jobs)
    streams = connector.streams(objects=names)
    exporter = Exporter(still_org, tmp_path, max_concurrent_jobs=jobs, page_size=700)

    emitted = connector.read(configure(streams, names))
    result = exporter.run(names)

    assert result.code == 0
    for name in names:
        types = GroundTruth(still_org).types(name)
        assert_same_rows(
            [as_emitted(row, types) for row in exporter.rows(name)],
            [in_arrows_range(row, types) for row in emitted.rows[name]],
        )


def test_json_lines_are_the_airbyte_paths_records(still_org: SimulatedOrg, tmp_path: Path) -> None:
    names = ["Contact", "Awkward__c"]
    connector = Connector(still_org)
    exporter = Exporter(still_org, tmp_path, page_size=700)

    emitted = connector.read(configure(connector.streams(objects=names), names))
    exporter.run(names, format_name="jsonl")

    for name in names:
        assert_same_rows(exporter.rows(name), emitted.rows[name])


def test_the_files_lie_where_the_design_says(still_org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(still_org, tmp_path, page_size=1000)

    result = exporter.run(["Contact"], run_id="monday")

    paths = [f"Contact/run=monday/w00000-p00000{page}.parquet" for page in range(3)]
    found = {str(path.relative_to(exporter.destination)) for path in exporter.destination.rglob("*") if path.is_file()}
    assert found == {*paths, "_manifests/monday.json"}
    (manifest,) = exporter.manifests()
    assert result.manifest == str(exporter.destination / "_manifests" / "monday.json")
    (entry,) = manifest["objects"]
    assert (manifest["run_id"], manifest["status"]) == ("monday", "complete")
    assert [file["path"] for file in entry["files"]] == paths
    assert (
        entry["rows"] == sum(file["rows"] for file in entry["files"]) == len(GroundTruth(still_org).records("Contact"))
    )
    assert [file["bytes"] for file in entry["files"]] == [
        (exporter.destination / path).stat().st_size for path in paths
    ]
    assert [file["locator"] is None for file in entry["files"]] == [True, False, False]
    assert entry["schema_version"] == 1
    assert entry["state_before"] == {}
    assert set(entry["state_after"]) == {"SystemModstamp", "scope"}
    assert exporter.state("Contact")["closed"] == exporter.state("Contact")["open"] == []


def test_parquet_says_what_salesforce_calls_its_fields(still_org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(still_org, tmp_path)
    exporter.run(["Opportunity"])
    (file,) = exporter.files("Opportunity")

    schema = parquet.read_schema(exporter.destination / file["path"])

    assert schema.metadata[b"salesforce.object"] == b"Opportunity"
    assert schema.field("Amount").metadata[b"salesforce.type"] == b"currency"
    assert b"salesforce.label" in schema.field("StageName").metadata
    types = {
        name: str(schema.field(name).type) for name in ("Id", "Amount", "CloseDate", "SystemModstamp", "IsDeleted")
    }
    assert types == {
        "Id": "string",
        "Amount": "double",
        "CloseDate": "date32[day]",
        "SystemModstamp": "timestamp[us, tz=UTC]",
        "IsDeleted": "bool",
    }
    ids = [int(field.metadata[b"PARQUET:field_id"]) for field in schema]
    assert sorted(ids) == list(range(1, len(schema) + 1))


@pytest.mark.parametrize("jobs", [1, 4])
def test_the_next_run_brings_what_changed_and_nothing_else(org: SimulatedOrg, tmp_path: Path, jobs: int) -> None:
    exporter = Exporter(org, tmp_path, max_concurrent_jobs=jobs)
    exporter.run(["Contact", "Account"])
    org.control.advance_clock(3600)
    changed = [row["Id"] for row in org.control.rows("Contact")[:7]]
    org.control.update("Contact", {"LastName": "Changed"}, ids=changed)
    org.control.advance_clock(60)

    exporter.run(["Contact", "Account"])

    _, second = exporter.manifests()
    rows = {entry["object"]: entry["rows"] for entry in second["objects"]}
    assert rows == {"Contact": 7, "Account": 0}
    states = {entry["object"]: entry for entry in second["objects"]}
    assert states["Contact"]["state_before"]["SystemModstamp"] < states["Contact"]["state_after"]["SystemModstamp"]


def test_an_object_without_a_cursor_comes_whole_every_time(org: SimulatedOrg, tmp_path: Path) -> None:
    name = next(
        stream["name"]
        for stream in Connector(org).streams().values()
        if stream["supported_sync_modes"] == ["full_refresh"] and GroundTruth(org).records(stream["name"])
    )
    exporter = Exporter(org, tmp_path)

    exporter.run([name])
    exporter.run([name])

    count = len(GroundTruth(org).records(name))
    assert [manifest["objects"][0]["rows"] for manifest in exporter.manifests()] == [count, count]


def test_an_object_whose_cursor_is_refused_as_a_filter_comes_whole(org: SimulatedOrg, tmp_path: Path) -> None:
    """Describe calls the cursor filterable; the create says otherwise."""
    exporter = Exporter(org, tmp_path)
    for _ in range(2):
        org.control.fault("api_error", error="INVALID_FIELD/filter", object="Account")
        assert exporter.run(["Account"]).code == 0

    count = len(GroundTruth(org).records("Account"))
    assert [manifest["objects"][0]["rows"] for manifest in exporter.manifests()] == [count, count]
    assert all(job["deleted"] for job in org.control.jobs())


def test_a_run_leaves_no_job_behind(org: SimulatedOrg, tmp_path: Path) -> None:
    Exporter(org, tmp_path).run(["Account", "Contact"])
    assert len(org.control.jobs()) == 2
    assert all(job["deleted"] for job in org.control.jobs())


def test_a_refused_object_fails_alone(org: SimulatedOrg, tmp_path: Path) -> None:
    refused = next(one["name"] for one in org.control.objects() if one["refused_by_bulk"])
    exporter = Exporter(org, tmp_path, object_overrides=[{"object": refused, "api": "bulk"}])

    result = exporter.run([refused, "Account"])

    assert result.code == 3
    (manifest,) = exporter.manifests()
    assert manifest["status"] == "partial"
    statuses = {entry["object"]: entry["status"] for entry in manifest["objects"]}
    assert statuses == {refused: "failed", "Account": "complete"}
    assert_complete(exporter, org, "Account")


def assert_complete(exporter: Exporter, org: SimulatedOrg, name: str) -> None:
    """Every row of the object stands in the named files, exactly once."""
    ids = Counter(row["Id"] for row in exporter.rows(name))
    assert ids == Counter(row["Id"] for row in GroundTruth(org).records(name, fields=["Id"]))


def test_an_object_that_does_not_exist_is_an_error_for_the_user(still_org: SimulatedOrg, tmp_path: Path) -> None:
    failed = Exporter(still_org, tmp_path).failure(["Nonsense__c"])
    assert failed.consequence is Consequence.CONFIG
    assert "Nonsense__c" in failed.message


@pytest.mark.parametrize("jobs", [1, 4])
def test_an_object_that_is_named_and_cannot_be_had_fails_and_the_others_are_exported(
    org: SimulatedOrg, tmp_path: Path, jobs: int
) -> None:
    org.control.fault("http_error", on="describe", object="Contact", status=404, times=None)
    exporter = Exporter(org, tmp_path, max_concurrent_jobs=jobs)

    done = exporter.script(["Account", "Contact"], "--metrics", f"json:{tmp_path / 'metrics.json'}")

    assert done.returncode == 3, done.stderr
    (manifest,) = exporter.manifests()
    assert manifest["status"] == "partial"
    statuses = {entry["object"]: entry["status"] for entry in manifest["objects"]}
    assert statuses == {"Account": "complete", "Contact": "failed"}
    errors = {entry["object"]: entry.get("error", "") for entry in manifest["objects"]}
    assert "Contact cannot be exported" in errors["Contact"]
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["object"] for line in lines if line["level"] == "ERROR"} == {"Contact"}
    in_the_table, below = (line for line in done.stdout.splitlines() if line.startswith("Contact "))
    assert in_the_table.split()[-1] == "failed"
    assert below == errors["Contact"]
    told = json.loads((tmp_path / "metrics.json").read_text())
    assert (told["objects"]["Contact"]["status"], told["run"]["Failed"]) == ("failed", 1)
    assert_complete(exporter, org, "Account")


def test_a_misspelt_object_begins_nothing_and_is_answered_with_the_nearest_name(
    still_org: SimulatedOrg, tmp_path: Path
) -> None:
    jobs = len(still_org.control.jobs())
    failed = Exporter(still_org, tmp_path).failure(["Account", "Oportunity"])
    assert failed.consequence is Consequence.CONFIG
    assert "did you mean Opportunity?" in failed.message
    assert len(still_org.control.jobs()) == jobs


def test_metrics_that_cannot_be_written_change_nothing_of_how_the_run_ended(
    still_org: SimulatedOrg, tmp_path: Path
) -> None:
    """Their path is free at the start; then the run makes it the folder of the object's files."""
    exporter = Exporter(still_org, tmp_path)
    done = exporter.script(["Account"], "--metrics", f"json:{exporter.destination / 'Account'}")
    assert done.returncode == 0, done.stderr
    assert "The metrics were not written (Is a directory)" in done.stderr
    assert [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("Account ")][-1] == "complete"


def test_metrics_without_a_place_end_a_run_before_it_begins(still_org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(still_org, tmp_path)
    done = exporter.script(["Account"], "--metrics", f"json:{tmp_path}")
    assert done.returncode == 2
    assert "The metrics cannot be written to" in done.stderr
    assert not exporter.destination.exists()


def test_an_object_that_is_gone_since_it_was_exported_fails(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path)
    assert exporter.run(["Account", "Contact"]).code == 0
    org.control.remove_object("Contact")
    assert exporter.run(["Account", "Contact"]).code == 3


def test_a_second_run_of_the_same_object_waits_for_the_first(still_org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(still_org, tmp_path)
    exporter.run(["Account"])
    folder = next((tmp_path / "state").iterdir())
    lease = LocalStates(tmp_path / "state").acquire(folder.name, "Account", "the-first")

    result = exporter.run(["Account"])

    lease.release()
    assert result.code == 75
    assert result.outcomes[0].busy
    assert "the-first" in result.outcomes[0].failure.message
    assert exporter.run(["Account"]).code == 0


@pytest.mark.parametrize("on_drift", ["warn", "fail"])
def test_a_changed_schema_is_told_and_may_stop_the_object(org: SimulatedOrg, tmp_path: Path, on_drift: str) -> None:
    exporter = Exporter(org, tmp_path)
    exporter.run(["Account"])
    schemas = next((tmp_path / "schemas").glob("*/Account"))
    document = json.loads((schemas / "1.json").read_text())
    document["properties"]["Gone__c"] = {"type": ["null", "string"], "x-salesforce": {"type": "string", "length": 80}}
    del document["properties"]["Industry"]
    (schemas / "1.json").write_text(json.dumps(document))
    jobs = len(org.control.jobs())

    result = exporter.run(["Account", "Contact"], on_drift=on_drift)

    outcome = next(one for one in result.outcomes if one.object_name == "Account")
    if on_drift == "warn":
        assert (result.code, outcome.schema_version, len(list(schemas.iterdir()))) == (0, 2, 2)
    else:
        assert result.code == 3
        assert "Gone__c removed or hidden (string), breaking" in outcome.failure.message
        assert "Industry added (picklist)" in outcome.failure.message
        assert [job["object"] for job in org.control.jobs()[jobs:]] == ["Contact"]
        assert len(list(schemas.iterdir())) == 1


def test_another_destination_is_refused_while_files_await_their_manifest(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path)
    exporter.run(["Account"])
    path = next((tmp_path / "state").glob("*/Account.json"))
    progress = json.loads(path.read_text())
    progress["closed"] = [
        {"path": "Account/run=x/w00000-p000000.parquet", "rows": 1, "bytes": 1, "job": "7", "locator": None}
    ]
    progress["destination"] = "s3://elsewhere"
    path.write_text(json.dumps(progress))

    failed = exporter.failure(["Account"])

    assert failed.consequence is Consequence.CONFIG
    assert "s3://elsewhere" in failed.message
    assert "no manifest names yet" in failed.message


@pytest.mark.parametrize("on", ["limits", "recordCount", "query*"])
def test_what_an_org_need_not_have_is_done_without(org: SimulatedOrg, tmp_path: Path, on: str) -> None:
    for kind in ["query", "queryAll"] if on == "query*" else [on]:
        org.control.fault("http_error", on=kind, status=404, times=None)
    exporter = Exporter(org, tmp_path)

    assert exporter.run(["Account"]).code == 0
    assert exporter.run(["Account"]).code == 0

    assert {row["Id"] for row in exporter.rows("Account")} == {
        row["Id"] for row in GroundTruth(org).records("Account", fields=["Id"])
    }
