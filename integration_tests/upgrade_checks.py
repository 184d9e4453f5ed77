"""This release and the first one, 0.1.0, continue each other's work: ``make upgrade-test``.

Not collected by ``make test``, because 0.1.0 needs an environment of its own. What it wrote is also recorded under
``recorded/``, and ``test_upgrade`` reads that everywhere.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_tests.aws import REGISTRY, TABLE, Aws
from integration_tests.connector import Connector, Output, configure
from integration_tests.exporter import Exporter, assert_every_row_once
from integration_tests.first_release import FirstConnector, FirstExporter
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.killed_runs import Moment, Sequence
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.test_kills import (
    PAGE_SIZE,
    assert_jobs_of_states_are_gone,
    assert_no_job_is_created_again,
    assert_no_more_than_one_page_per_kill_is_repeated,
)

SEED = 20261125
KILLS = 8
HOUR = 3600
FROZEN = "2026-11-24T08:00:00Z"
INCREMENTAL, IN_FULL = ("Contact", "NullCursor__c"), ("Task", "CampaignMember")
EXPORTED = ["Contact", "CampaignMember", "Account"]
EXPORT_EVENTS = ("page_served", "results", "jobInfo", "createJob", "job_completed", "describe")


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    settings = OrgSettings(rows=0.4, polls_until_complete=1, frozen_at=FROZEN, formula_objects=True)
    with SimulatedOrg(settings) as simulated:
        yield simulated


# Both ways


@pytest.mark.timeout(600)
@pytest.mark.parametrize("jobs", [1, 4])
def test_killed_syncs_go_from_one_release_to_the_other_and_back(org: SimulatedOrg, jobs: int) -> None:
    chance = random.Random(SEED + jobs)
    options: dict[str, Any] = {"page_size": PAGE_SIZE, "max_concurrent_jobs": jobs}
    first, this = FirstConnector(org, **options), Connector(org, **options)
    streams = first.streams(objects=[*INCREMENTAL, *IN_FULL])
    catalog = configure(streams, INCREMENTAL)
    catalog["streams"] += configure(streams, IN_FULL, "full_refresh")["streams"]
    sync = Sequence(first, catalog, {})

    while not sync.runs or sync.runs[-1].killed:
        sync.connector = (first, this)[len(sync.runs) % 2]
        sync.attempt(Moment.random(chance) if sync.kills < KILLS else None)
        org.control.advance_clock(HOUR)

    assert sync.kills >= 2
    assert sync.runs[-1].output.exit_code == 0, sync.runs[-1].output.errors
    assert_no_more_than_one_page_per_kill_is_repeated(sync, IN_FULL)
    assert_no_job_is_created_again(sync, org)
    assert_jobs_of_states_are_gone(sync, org)
    for name in (*INCREMENTAL, *IN_FULL):
        assert_same_rows(_newest(sync.rows(name)), GroundTruth(org).records(name))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("format_name", ["parquet", "jsonl"])
def test_killed_exports_go_from_one_release_to_the_other_and_back(
    org: SimulatedOrg, tmp_path: Path, format_name: str
) -> None:
    chance = random.Random(SEED)
    # This one begins, so that 0.1.0 has to read the schemas that it registered.
    releases = [Exporter(org, tmp_path, page_size=PAGE_SIZE), FirstExporter(org, tmp_path, page_size=PAGE_SIZE)]
    more = ("--format", format_name)

    codes = []
    while not codes or codes[-1] != 0:
        process = releases[len(codes) % 2].start(EXPORTED, *more)
        if len(codes) < KILLS:
            org.control.when_do(chance.choice(EXPORT_EVENTS), process.kill, nth=chance.randint(1, 3))
        _, errors = process.communicate(timeout=120)
        codes.append(process.returncode)
        assert process.returncode in (0, -signal.SIGKILL), errors

    assert len(codes) > 3
    assert_every_row_once(releases[0].rows, org, *EXPORTED)
    for exporter in releases:
        _change(org)
        before = len(releases[0].rows("Contact"))
        done = exporter.script(EXPORTED, *more)
        assert done.returncode == 0, done.stderr
        assert len(releases[0].rows("Contact")) == before + 1


def test_both_releases_share_a_table_and_a_registry_on_aws(
    org: SimulatedOrg, tmp_path: Path, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    releases = [kind(org, tmp_path, page_size=PAGE_SIZE) for kind in (FirstExporter, Exporter)]
    places = ("--state", f"dynamodb://{TABLE}", "--schemas", f"glue://{REGISTRY}", "--format", "jsonl")

    for turn in range(4):
        if turn:
            _change(org)
        done = releases[turn % 2].script(EXPORTED, *places)
        assert done.returncode == 0, done.stderr

    rows = releases[1].rows("Contact")
    assert len(rows) == len(GroundTruth(org).records("Contact")) + 3
    newest = aws.client("glue").get_schema_version(
        SchemaId={"RegistryName": REGISTRY, "SchemaName": f"{org.org.id}-Contact"},
        SchemaVersionNumber={"LatestVersion": True},
    )
    assert newest["VersionNumber"] == 1


# Back to 0.1.0 from what it does not know


def test_after_the_rest_lane_rows_come_again_and_none_is_lost(org: SimulatedOrg) -> None:
    override = [{"object": "Contact", "api": "rest"}]
    this, first = (kind(org, page_size=PAGE_SIZE, object_overrides=override) for kind in (Connector, FirstConnector))
    catalog = configure(this.streams(objects=["Contact"]), ["Contact"])
    stopped = this.read_until("queryAll", 4, catalog)
    assert stopped.final_states()[0]["stream"]["stream_state"]["resume"][0]["job"] == "rest"
    _judge(org, "Contact", [stopped, first.read(catalog, stopped.final_states())])


def test_a_memory_of_deliveries_is_no_obstacle(org: SimulatedOrg) -> None:
    this, first = (kind(org, detect_deletes="all") for kind in (Connector, FirstConnector))
    catalog = configure(this.streams(objects=["Contact"]), ["Contact"])
    before = this.read(catalog)
    assert "deletes" in before.final_states()[0]["stream"]["stream_state"]
    _change(org)
    after = first.read(catalog, before.final_states())
    assert len(after.rows["Contact"]) == 1
    _judge(org, "Contact", [before, after])


def test_formulas_that_were_being_refreshed_are_left_and_no_changed_row_is_lost(org: SimulatedOrg) -> None:
    name, options = "Project__c", {"formula_fields": "refresh", "page_size": 20}
    org.control.insert(name, [{"Name": f"p{at}"} for at in range(300)])
    org.control.advance_clock(HOUR)
    this, first = (kind(org, **options) for kind in (Connector, FirstConnector))
    catalog = configure(this.streams(objects=[name]), [name])
    before = this.read(catalog)
    org.control.advance_clock(HOUR)
    projects = [row["Id"] for row in org.control.rows(name, fields=["Id"])]
    org.control.insert("ProjectJob__c", [{"Name": "j", "Project__c": one, "Hours__c": "1"} for one in projects[::16]])
    stopped = this.read_until("page_served", -(-len(projects) // 20) + 3, catalog, before.final_states())
    assert stopped.final_states()[0]["stream"]["stream_state"]["resume"][0]["extra"] == "values"
    org.control.update(name, {"Name": "changed"}, ids=projects[:5])
    org.control.advance_clock(HOUR)
    after = first.read(catalog, stopped.final_states())
    assert not after.failed, after.errors
    assert set(projects[:5]) <= {row["Id"] for row in after.rows[name]}
    changed = [row for row in after.rows[name] if row["Id"] in projects[:5]]
    assert {row["Name"] for row in changed} == {"changed"}


@pytest.mark.parametrize(
    ("more", "named"),
    [(("--format", "jsonl.gz"), "jsonl.gz"), (("--destination", "iceberg+file:///nowhere"), "iceberg+file:")],
)
def test_places_and_formats_that_it_does_not_have_are_refused(
    org: SimulatedOrg, tmp_path: Path, more: tuple[str, str], named: str
) -> None:
    done = FirstExporter(org, tmp_path).script(["Contact"], *more)
    assert done.returncode == 2
    assert named in done.stderr


def test_keys_that_it_does_not_have_are_ignored_as_the_page_warns(org: SimulatedOrg) -> None:
    override = {"object": "Contact", "exclude_fields": ["Email"], "hash_fields": ["LastName"]}
    first = FirstConnector(org, hash_key="0123456789abcdef", object_overrides=[override])
    assert [status["status"] for status in first.check().of_type("CONNECTION_STATUS")] == ["SUCCEEDED"]
    catalog = configure(first.streams(objects=["Contact"]), ["Contact"])
    names = {row["LastName"] for row in first.read(catalog).rows["Contact"]}
    assert names == {row["LastName"] for row in GroundTruth(org).records("Contact")}


def _judge(org: SimulatedOrg, name: str, outputs: list[Output]) -> None:
    assert not outputs[-1].failed, outputs[-1].errors
    rows = [row for output in outputs for row in output.rows[name]]
    assert_same_rows(_newest(rows), GroundTruth(org).records(name))


def _newest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({row["Id"]: row for row in rows}.values())


def _change(org: SimulatedOrg) -> None:
    """One contact changes, out of reach of the look-back."""
    org.control.advance_clock(HOUR)
    org.control.update("Contact", {"LastName": "Changed"}, ids=[org.control.rows("Contact")[0]["Id"]])
    org.control.advance_clock(HOUR)
