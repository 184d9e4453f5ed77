"""This release continues what the first one, 0.1.0, left: no row is lost, and none comes twice.

``recorded/`` has what 0.1.0 wrote; ``record_first_release`` writes it again. ``make upgrade-test`` runs both releases.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from integration_tests.aws import TABLE, Aws
from integration_tests.connector import Connector, Output
from integration_tests.exporter import Exporter, assert_every_row_once
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.org_client import OrgClient, strike
from integration_tests.record_first_release import EXPORTS, FOLDER, RECORDED, SYNCS
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from source_salesforce_bulk.airbyte.spec import connector_specification
from source_salesforce_bulk.config import Config, parse_config
from source_salesforce_bulk.registries.dynamodb_state import DynamoDbStates
from unit_tests.fakes import FakeClock

HOUR = 3600

each_sync = pytest.mark.parametrize("name", SYNCS)
each_export = pytest.mark.parametrize("name", EXPORTS)


def recorded(name: str, folder: Path = Path("/")) -> dict[str, Any]:
    """What 0.1.0 wrote, as if it had written it into ``folder``."""
    text = (RECORDED / f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text.replace(FOLDER, str(folder)))
    return found


@contextmanager
def org_of(recording: Mapping[str, Any]) -> Iterator[SimulatedOrg]:
    """The org that 0.1.0 talked to, with the jobs and locators that it had got and without what went wrong."""
    with SimulatedOrg(OrgSettings(**recording["settings"])) as org:
        for fault in recording["faults"]:
            strike(org, **fault)
        client = OrgClient(org)
        for job in recording["jobs"]:
            assert client.finished(job["query"], job["operation"]) == job["id"]
            if "Failed" not in org.control.jobs()[-1]["history"]:
                client.pages(job["id"], maxRecords=recording["page_size"])
        org.control.clear_faults()
        yield org


def queries_since(org: SimulatedOrg, recording: Mapping[str, Any]) -> list[str]:
    return [job["query"] for job in org.control.jobs()[len(recording["jobs"]) :]]


# Syncs


def go_on(org: SimulatedOrg, recording: Mapping[str, Any]) -> Output:
    connector = Connector(org, impatient=True, page_size=recording["page_size"])
    output = connector.read(recording["catalog"], recording["state"])
    assert not output.failed, output.errors
    assert output.statuses[recording["object"]][-1] == "COMPLETE"
    return output


@each_sync
def test_a_sync_of_the_first_release_is_continued(name: str) -> None:
    """With 0.1.0's catalog and state: the rows of both are the org's, and no job in the state is created again."""
    recording = recorded(name)
    with org_of(recording) as org:
        truth = {row["Id"]: row for row in GroundTruth(org).records(recording["object"])}
        rows = go_on(org, recording).rows[recording["object"]]
        assert sorted([*recording["ids"], *(row["Id"] for row in rows)]) == sorted(truth)
        assert_same_rows(rows, [truth[row["Id"]] for row in rows])
        assert not set(queries_since(org, recording)) & {job["query"] for job in recording["jobs"]}


def test_after_a_whole_sync_of_the_first_release_only_changed_rows_come() -> None:
    recording = recorded("sync-ended")
    with org_of(recording) as org:
        org.control.advance_clock(HOUR)
        changed = recording["ids"][0]
        org.control.update("Contact", {"LastName": "Changed"}, ids=[changed])
        org.control.advance_clock(HOUR)
        assert [row["Id"] for row in go_on(org, recording).rows["Contact"]] == [changed]


def test_rows_of_a_job_that_is_gone_meanwhile_are_read_again() -> None:
    """The org is another process here, which has no job at all. Rows may come twice then; none is lost."""
    recording = recorded("sync-inside-a-job")
    with SimulatedOrg(OrgSettings(**recording["settings"])) as org:
        rows = go_on(org, recording).rows["Contact"]
        assert_same_rows(rows, GroundTruth(org).records("Contact"))


# Exports


class Continued(Exporter):
    """An export of 0.1.0, in a folder of its own."""

    def __init__(self, org: SimulatedOrg, folder: Path, recording: Mapping[str, Any]) -> None:
        super().__init__(org, folder, page_size=recording["page_size"])
        self.objects: list[str] = recording["objects"]
        for name, text in recording["files"].items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


@each_export
def test_an_export_of_the_first_release_is_continued_under_its_run_id(tmp_path: Path, aws: Aws, name: str) -> None:
    """Manifests of both releases name each row once, jobs are read on, and schemas of 0.1.0 are not registered anew."""
    recording = recorded(name, tmp_path)
    for item in recording["items"]:
        aws.client("dynamodb").put_item(TableName=TABLE, Item=item)
    states = DynamoDbStates(aws.client("dynamodb"), TABLE, FakeClock()) if recording["items"] else None
    with org_of(recording) as org:
        exporter = Continued(org, tmp_path, recording)
        result = exporter.run(exporter.objects, format_name="jsonl", run_id="monday", states=states)
        assert result.code == 0
        assert_every_row_once(exporter.rows, org, *exporter.objects)
        assert not set(queries_since(org, recording)) & {job["query"] for job in recording["jobs"]}
        assert {path.name for path in tmp_path.glob("schemas/*/*/*")} == {"1.json"}


def test_after_a_whole_export_of_the_first_release_only_changed_rows_come(tmp_path: Path) -> None:
    recording = recorded("export-ended", tmp_path)
    with org_of(recording) as org:
        exporter = Continued(org, tmp_path, recording)
        org.control.advance_clock(HOUR)
        changed = org.control.rows("CampaignMember")[0]["Id"]
        org.control.update("CampaignMember", {"Status": "Changed"}, ids=[changed])
        org.control.advance_clock(HOUR)
        before = len(exporter.rows("CampaignMember"))
        assert exporter.run(exporter.objects, format_name="jsonl").code == 0
        assert [row["Id"] for row in exporter.rows("CampaignMember")[before:]] == [changed]


def test_a_changed_object_is_compared_with_the_schema_of_the_first_release(tmp_path: Path) -> None:
    recording = recorded("export-ended", tmp_path)
    with org_of(recording) as org:
        exporter = Continued(org, tmp_path, recording)
        org.control.remove_field("CampaignMember", "Status")
        result = exporter.run(["CampaignMember"], format_name="jsonl", on_drift="fail")
        assert "Status removed or hidden" in result.outcomes[0].failure.message


# Configurations


def as_read(config: Config) -> dict[str, Any]:
    """The facts that 0.1.0 knows about a configuration, in the form of the recording."""
    overrides = {
        name: [one.object, one.primary_key, one.cursor_field, one.where] for name, one in config.overrides.items()
    }
    facts = {
        "login_url": config.login_url,
        "start_date": str(config.start_date),
        "objects": config.objects,
        "exclude_objects": config.exclude_objects,
        "include_deleted": config.include_deleted,
        "lookback_window": str(config.lookback_window),
        "api_version": config.api_version,
        "max_concurrent_jobs": config.max_concurrent_jobs,
        "page_size": config.page_size,
        "job_timeout": str(config.job_timeout),
        "reserve": config.daily_limit_reserve_percent,
        "overrides": overrides,
    }
    decoded: dict[str, Any] = json.loads(json.dumps(facts))
    return decoded


@pytest.mark.parametrize("pair", recorded("configurations")["read"], ids=lambda pair: "+".join(pair["config"])[-40:])
def test_a_configuration_of_the_first_release_is_valid_and_means_the_same(pair: dict[str, Any]) -> None:
    jsonschema.validate(pair["config"], connector_specification()["connectionSpecification"])
    assert as_read(parse_config(pair["config"])) == pair["as"]
