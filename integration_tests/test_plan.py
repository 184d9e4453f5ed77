"""The forecast of ``salesforce-bulk plan`` equals what an export of the same objects then does."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_tests.exporter import SCRIPT, Exporter
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

OBJECTS = ["Contact", "Account", "Opportunity", "LoginHistory"]
LOGIN, POLL = "token", "jobInfo"


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")) as simulated:
        yield simulated


def run_plan(exporter: Exporter, objects: list[str], *more: str) -> subprocess.CompletedProcess[str]:
    path = exporter.folder / "config.json"
    path.write_text(json.dumps(exporter.config), encoding="utf-8")
    patterns = [part for name in objects for part in ("--object", name)]
    command = [str(SCRIPT), "plan", "--config", str(path), *patterns, *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=os.environ)


def plan(exporter: Exporter, objects: list[str], *more: str, code: int = 0) -> dict[str, Any]:
    done = run_plan(exporter, objects, "--json", *more)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def counted(exporter: Exporter, objects: list[str]) -> tuple[int, int]:
    """The jobs that an export created, and the API calls that it made beside logging in and polling."""
    control = exporter.org.control
    jobs = len(control.jobs())
    control.reset_requests()
    assert exporter.run(objects).code == 0
    calls = sum(count for kind, count in control.requests().items() if kind not in (LOGIN, POLL))
    return len(control.jobs()) - jobs, calls


def within_ten_percent(planned: float | str, actual: float) -> bool:
    return planned == "unknown" or abs(planned - actual) <= 0.1 * actual


def test_a_first_export_does_what_was_planned(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path, page_size=1000)

    planned = plan(exporter, OBJECTS)
    jobs, calls = counted(exporter, OBJECTS)

    assert planned["totals"]["windows"] == planned["totals"]["jobs"] == jobs == len(OBJECTS)
    assert planned["totals"]["api_calls"] == "unknown"  # a few polls more or less would be too many
    assert within_ten_percent(planned["totals"]["api_calls_without_polls"], calls)
    rows = {entry["object"]: entry["rows"] for entry in planned["objects"]}
    for name in OBJECTS:
        assert within_ten_percent(rows[name], len(exporter.rows(name)))
    assert planned["limits"]["DailyApiRequests"]["remaining"] > 0


def test_a_plan_from_a_state_knows_that_nothing_is_left_to_do(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path, page_size=1000)
    exporter.run(["Contact", "Account"])
    org.control.advance_clock(3600)
    changed = [row["Id"] for row in org.control.rows("Contact")[:7]]
    org.control.update("Contact", {"LastName": "Changed"}, ids=changed)
    org.control.advance_clock(60)

    planned = plan(exporter, ["Contact", "Account"], "--state", (tmp_path / "state").as_uri())
    jobs, calls = counted(exporter, ["Contact", "Account"])

    told = {entry["object"]: (entry["rows"], entry["jobs"]) for entry in planned["objects"]}
    assert told == {"Contact": (7, 0), "Account": (0, 0)}
    assert planned["totals"]["jobs"] == jobs == 0
    assert within_ten_percent(planned["totals"]["api_calls_without_polls"], calls)


def test_a_plan_reads_no_row_and_leaves_no_job(org: SimulatedOrg, tmp_path: Path) -> None:
    plan(Exporter(org, tmp_path), ["*"])
    assert org.control.jobs() == []
    assert not (tmp_path / "state").exists()


def test_an_object_that_cannot_be_read_is_listed_with_its_reason(org: SimulatedOrg, tmp_path: Path) -> None:
    planned = plan(Exporter(org, tmp_path), ["*"])
    left_out = {entry["object"]: entry["reason"] for entry in planned["objects"] if not entry["readable"]}
    assert left_out
    assert all(left_out.values())


def test_an_object_that_is_named_and_not_there_is_left_out_with_the_reason(org: SimulatedOrg, tmp_path: Path) -> None:
    planned = plan(Exporter(org, tmp_path), ["Account", "Oportunity"], code=3)
    (left_out,) = [entry for entry in planned["objects"] if not entry["readable"]]
    assert left_out["object"] == "Oportunity"
    assert "did you mean Opportunity?" in left_out["reason"]


@pytest.mark.parametrize("typo", [{"start_dat": "2024-01-01"}, {"object_overrides": [{"object": "Acount"}]}])
def test_a_typing_error_in_the_configuration_is_refused(org: SimulatedOrg, tmp_path: Path, typo: Any) -> None:
    exporter = Exporter(org, tmp_path, **typo)
    for done in (run_plan(exporter, ["Account"]), exporter.script(["Account"])):
        assert done.returncode == 2
        assert "start_date" in done.stderr or "did you mean Account?" in done.stderr


def test_the_org_itself_can_be_asked(org: SimulatedOrg, tmp_path: Path) -> None:
    refused = next(
        one["name"] for one in org.control.objects() if one["refused_by_bulk"] and one["name"] != "CaseStatus"
    )
    exporter = Exporter(org, tmp_path, object_overrides=[{"object": refused, "api": "bulk"}])
    planned = plan(exporter, [refused, "CaseStatus", "Account"], "--confirm", code=3)

    said = {entry["object"]: (entry["readable"], entry["reason"]) for entry in planned["objects"]}
    assert said["Account"] == said["CaseStatus"] == (True, None)
    lanes = {entry["object"]: (entry["api"], entry["api_reason"]) for entry in planned["objects"]}
    assert lanes["Account"] == ("bulk", "Bulk API 2.0 reads it")
    assert lanes["CaseStatus"] == ("rest", "the Bulk API does not support it")
    assert lanes[refused] == ("bulk", "object_overrides chooses it")
    assert said[refused][0] is False
    assert said[refused][1]
    assert all(job["deleted"] for job in org.control.jobs())


def test_the_table_is_for_people(org: SimulatedOrg, tmp_path: Path) -> None:
    done = run_plan(Exporter(org, tmp_path), ["Account", "Contact"])
    assert done.returncode == 0, done.stderr
    assert "SystemModstamp" in done.stdout
    assert "DailyBulkV2QueryJobs" in done.stdout
    assert "unknown" in done.stdout


def test_an_object_that_does_not_exist_is_named(org: SimulatedOrg, tmp_path: Path) -> None:
    done = run_plan(Exporter(org, tmp_path), ["Nonsense__c"])
    assert done.returncode == 2
    assert "Nonsense__c" in done.stderr


def test_a_plan_finds_the_state_where_the_login_does_not_name_its_organization(
    org: SimulatedOrg, tmp_path: Path
) -> None:
    org.control.fault("json_without", on="token", name="id", times=None)
    exporter = Exporter(org, tmp_path)
    assert exporter.run(["Account"]).code == 0

    planned = plan(exporter, ["Account"], "--state", (tmp_path / "state").as_uri())

    assert planned["totals"]["jobs"] == counted(exporter, ["Account"])[0] == 0


def test_an_org_that_cannot_be_asked_gets_the_job_that_was_planned(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path)
    assert exporter.run(["Account"]).code == 0
    org.control.advance_clock(3600)
    org.control.fault("http_error", on="queryAll", status=404, times=None)

    planned = plan(exporter, ["Account"], "--state", (tmp_path / "state").as_uri())

    assert planned["totals"]["jobs"] == counted(exporter, ["Account"])[0] == 1


def test_a_plan_counts_the_jobs_that_compare_ids(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path, detect_deletes="all", page_size=1000)
    planned = plan(exporter, ["Account", "Lead"])
    jobs, _ = counted(exporter, ["Account", "Lead"])
    assert planned["totals"]["jobs"] == jobs == 4
    state = ["--state", (tmp_path / "state").as_uri()]
    assert plan(exporter, ["Account", "Lead"], *state)["totals"]["jobs"] == counted(exporter, ["Account", "Lead"])[0]


def test_a_plan_counts_the_job_that_fills_new_fields(tmp_path: Path) -> None:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, frozen_at="2026-08-01T12:00:00Z")) as org:
        exporter = Exporter(org, tmp_path, backfill_new_fields=True)
        counted(exporter, ["Account"])
        org.control.add_field("Account", "Region__c string(20)")
        org.control.update("Account", {"Region__c": "north"}, where="Name != null", touch="none")
        org.control.advance_clock(3600)
        planned = plan(exporter, ["Account"], "--state", (tmp_path / "state").as_uri())
        assert planned["totals"]["jobs"] == counted(exporter, ["Account"])[0] == 1


def test_a_plan_counts_the_calls_for_the_log_of_deletions(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path, detect_deletes="all")
    exporter.run(["Account", "AccountHistory"])
    org.control.advance_clock(3600)
    org.control.hard_delete("Account", ids=[str(org.control.rows("Account", fields=["Id"])[0]["Id"])])
    org.control.advance_clock(3600)
    planned = plan(exporter, ["Account", "AccountHistory"], "--state", (tmp_path / "state").as_uri())
    jobs, calls = counted(exporter, ["Account", "AccountHistory"])
    assert (planned["totals"]["jobs"], planned["totals"]["api_calls"]) == (jobs, calls)
    assert org.control.requests()["getDeleted"] == 1


def test_a_plan_counts_the_jobs_that_compare_formulas(tmp_path: Path) -> None:
    settings = OrgSettings(polls_until_complete=1, frozen_at="2026-08-01T12:00:00Z", formula_objects=True)
    with SimulatedOrg(settings) as org:
        exporter = Exporter(org, tmp_path, formula_fields="refresh", clock_formulas="daily")
        planned = plan(exporter, ["Project__c", "ProjectJob__c"])
        jobs, _ = counted(exporter, ["Project__c", "ProjectJob__c"])
        assert planned["totals"]["jobs"] == jobs
        state = ["--state", (tmp_path / "state").as_uri()]
        org.control.advance_clock(3600)
        planned = plan(exporter, ["Project__c", "ProjectJob__c"], *state)
        assert planned["totals"]["jobs"] == counted(exporter, ["Project__c", "ProjectJob__c"])[0] == 2
