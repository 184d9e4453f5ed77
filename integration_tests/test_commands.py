"""``check``, ``discover`` and ``state`` as programs, and the connector with the catalog of ``discover``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_tests.exporter import SCRIPT, Exporter
from integration_tests.ground_truth import GroundTruth
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from source_salesforce_bulk.registries.local_state import LocalStates
from source_salesforce_bulk.salesforce.object_hints import Reason

SETTINGS = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")


@pytest.fixture(scope="module")
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(SETTINGS) as simulated:
        yield simulated


@pytest.fixture
def exporter(org: SimulatedOrg, tmp_path: Path) -> Exporter:
    return Exporter(org, tmp_path)


def command(exporter: Exporter, *arguments: str) -> subprocess.CompletedProcess[str]:
    (exporter.folder / "config.json").write_text(json.dumps(exporter.config), encoding="utf-8")
    return subprocess.run(
        [str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ,
        cwd=exporter.folder,
    )


def test_check_says_as_whom_in_words_and_in_json(exporter: Exporter) -> None:
    said = command(exporter, "check", "--config", "config.json")
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("Connected to organization 00D")
    assert "Connected" not in said.stderr
    told = json.loads(command(exporter, "check", "--config", "config.json", "--json").stdout)
    assert told == {"status": "succeeded", "message": said.stdout.strip(), "code": 0}


def test_a_check_that_fails_is_one_sentence_and_the_exports_exit_code(exporter: Exporter) -> None:
    exporter.config["credentials"] = {**exporter.config["credentials"], "client_secret": "wrong"}
    failed = command(exporter, "check", "--config", "config.json", "--json")
    told = json.loads(failed.stdout)
    assert (failed.returncode, told["status"], told["code"]) == (2, "failed", 2)
    assert "client_secret" in told["message"]


TYPOS = [({"start_dat": "2024-01-01"}, "Write start_date"), ({"object_overrides": [{"object": "Acount"}]}, "Account?")]


@pytest.mark.parametrize(("typo", "words"), TYPOS)
def test_a_typing_error_in_the_configuration_fails_the_check_and_not_discover(
    exporter: Exporter, typo: dict[str, Any], words: str
) -> None:
    exporter.config.update(typo)
    failed = command(exporter, "check", "--config", "config.json")
    assert (failed.returncode, words in failed.stderr) == (2, True)
    shown = command(exporter, "discover", "--config", "config.json", "--object", "Account")
    assert (shown.returncode, words in shown.stderr + shown.stdout) == (0, True)


def test_discover_lists_objects_and_its_catalog_can_be_read(exporter: Exporter) -> None:
    done = command(
        exporter,
        "discover",
        "--config",
        "config.json",
        "--object",
        "Account",
        "--object",
        "Cont*",
        "--catalog",
        "c.json",
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[:4] for line in done.stdout.splitlines() if line.startswith("Account ")] == [
        ["Account", "Bulk", "Id", "SystemModstamp"]
    ]
    catalog = json.loads((exporter.folder / "c.json").read_text())
    assert {one["sync_mode"] for one in catalog["streams"] if one["stream"]["name"] == "Account"} == {"incremental"}
    connector = Path(sys.executable).with_name("source-salesforce-bulk")
    read = subprocess.run(
        [str(connector), "read", "--config", "config.json", "--catalog", "c.json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=exporter.folder,
    )
    assert read.returncode == 0, read.stdout[-2000:]
    streams = {one["stream"]["name"] for one in catalog["streams"]}
    records = (json.loads(line) for line in read.stdout.splitlines())
    assert {one["record"]["stream"] for one in records if one["type"] == "RECORD"} <= streams


def test_discover_as_json_has_fields_and_reasons(exporter: Exporter) -> None:
    told = json.loads(command(exporter, "discover", "--config", "config.json", "--object", "*", "--json").stdout)
    account = next(one for one in told["objects"] if one["object"] == "Account")
    assert {"name": "Industry", "type": "picklist"} in account["fields"]
    codes = {one["object"]: one["code"] for one in told["left_out"]}
    assert (codes["AccountChangeEvent"], codes["Vote"]) == ("not_queryable", "needs_filter")
    assert set(codes.values()) <= {reason.code for reason in Reason}
    assert all(one["reason"] for one in told["left_out"])
    assert (account["api"], account["api_reason"]) == ("bulk", "Bulk API 2.0 reads it")
    refused = next(one for one in told["objects"] if one["object"] == "CaseStatus")
    assert (refused["api"], refused["api_reason"]) == ("rest", "the Bulk API does not support it")


def test_discover_says_which_objects_rest_reads_and_why(exporter: Exporter) -> None:
    lines = command(exporter, "discover", "--config", "config.json", "--object", "C*Status").stdout.splitlines()
    assert "CaseStatus: read through REST (the Bulk API does not support it)" in lines
    assert [line.split()[1] for line in lines if line.startswith("CaseStatus ")] == ["REST"]


def test_the_state_is_listed_shown_and_reset(exporter: Exporter) -> None:
    exporter.run(["Account", "Contact"])

    listed = command(exporter, "state", "list", "--state", "state")
    assert [line.split()[1] for line in listed.stdout.splitlines()] == ["object", "Account", "Contact"]
    assert "open jobs" in listed.stdout.splitlines()[0]
    told = json.loads(command(exporter, "state", "list", "--state", "state", "--json").stdout)
    assert told[1]["rows"] == len(exporter.rows("Contact"))
    shown = json.loads(command(exporter, "state", "show", "account", "--state", "state").stdout)
    assert (shown["object"], shown["destination"]) == ("Account", exporter.destination.as_uri())

    wrong = command(exporter, "state", "reset", "Account", "Contcat", "--state", "state")
    assert wrong.returncode == 2
    assert "Did you mean Contact?" in wrong.stderr
    assert len(json.loads(command(exporter, "state", "list", "--state", "state", "--json").stdout)) == 2

    assert command(exporter, "state", "reset", "Account", "--state", "state").returncode == 0
    (left,) = json.loads(command(exporter, "state", "list", "--state", "state", "--json").stdout)
    assert left["object"] == "Contact"


def test_a_damaged_state_can_be_reset_and_one_at_work_cannot(exporter: Exporter) -> None:
    exporter.run(["Account", "Contact"])
    path = next((exporter.folder / "state").glob("*/Account.json"))
    path.write_text("{")
    assert "damaged" in command(exporter, "state", "list", "--state", "state").stdout
    shown = command(exporter, "state", "show", "Account", "--state", "state")
    assert shown.returncode == 2
    assert "state reset Account" in shown.stderr
    assert command(exporter, "state", "reset", "Account", "--state", "state").returncode == 0
    lease = LocalStates(exporter.folder / "state").acquire(path.parent.name, "Contact", "the-first")
    busy = command(exporter, "state", "reset", "Contact", "--state", "state")
    lease.release()
    assert busy.returncode == 75
    assert "the-first" in busy.stderr


def test_a_folder_without_a_state_is_said_and_is_not_an_object(exporter: Exporter) -> None:
    assert command(exporter, "state", "list", "--state", "nowhere").stdout == "No state was found there.\n"
    planned = command(exporter, "plan", "--config", "config.json", "--object", "Account", "--state", "nowhere")
    assert planned.returncode == 0
    assert "No state was found in nowhere: everything is read from its beginning." in planned.stderr
    assert not (exporter.folder / "nowhere").exists()


def test_a_plan_without_api_calls_left_says_that_the_export_would_stop(tmp_path: Path) -> None:
    with SimulatedOrg(SETTINGS) as org:
        org.control.set_limit("DailyApiRequests", remaining=97, maximum=15_000)
        exporter = Exporter(org, tmp_path)
        planned = command(exporter, "plan", "--config", "config.json", "--object", "Account")
        assert planned.returncode == 75
        assert "This export would stop at the reserve: " in planned.stdout
        assert exporter.script(["Account"]).returncode == 75


def test_a_sample_shows_rows_and_leaves_no_job(exporter: Exporter) -> None:
    exporter.config |= {"hash_key": "k", "object_overrides": [{"object": "Contact", "hash_fields": ["Email"]}]}
    arguments = ("plan", "--config", "config.json", "--object", "Contact", "--sample", "3")
    told = json.loads(command(exporter, *arguments, "--json").stdout)
    rows = told["samples"]["Contact"]
    assert len(rows) == 3
    truth = {row["Id"]: row for row in GroundTruth(exporter.org).records("Contact", fields=["Id", "LastName", "Email"])}
    assert all(row["LastName"] == truth[row["Id"]]["LastName"] for row in rows)
    assert all(len(row["Email"]) == 64 for row in rows if truth[row["Id"]].get("Email"))
    shown = command(exporter, *arguments).stdout
    assert "Contact, row 1 of 3:" in shown
    assert f"  LastName: {rows[0]['LastName']}" in shown
    assert all(job["deleted"] for job in exporter.org.control.jobs())


def test_a_sample_of_nothing_is_a_wrong_command_line(exporter: Exporter) -> None:
    assert command(exporter, "plan", "--config", "config.json", "--sample", "0").returncode == 2


def test_tables_are_not_cut_without_a_terminal(exporter: Exporter) -> None:
    told = command(exporter, "plan", "--config", "config.json", "--object", "*")
    names = {line.split()[0] for line in told.stdout.splitlines() if line.strip() and not line.startswith("Left out")}
    listed = json.loads(command(exporter, "discover", "--config", "config.json", "--object", "*", "--json").stdout)
    assert {one["object"] for one in listed["objects"]} <= names


def test_an_exports_end_can_be_had_as_json(exporter: Exporter) -> None:
    done = exporter.script(["Account"], "--json", "--log-format", "text")
    told = json.loads(done.stdout)
    assert (told["code"], told["objects"][0]["status"]) == (0, "complete")
    assert "Manifest written" in done.stderr
    assert not done.stderr.startswith("{")
