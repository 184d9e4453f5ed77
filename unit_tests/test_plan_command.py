"""The command ``plan``, over a Salesforce in this process."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from source_salesforce_bulk.config import parse_config
from source_salesforce_bulk.export.command_run import CommandRun
from source_salesforce_bulk.export.outcomes import ExitCode, ExportFailed
from source_salesforce_bulk.export.plan_command import ExportPlan, as_json, as_text, make_plan
from source_salesforce_bulk.extraction.connection import Connection, Environment
from source_salesforce_bulk.registries.local_state import LocalStates
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.failures import Consequence, Kind, SalesforceError
from source_salesforce_bulk.salesforce.token import SecretHooks
from source_salesforce_bulk.signals import Stop
from unit_tests.fake_salesforce import ORGANIZATION, FakeSalesforce, Row
from unit_tests.fakes import FakeClock

CREDENTIALS = {"auth_type": "refresh_token", "client_id": "id", "client_secret": "s3cret", "refresh_token": "grant-0"}
MOMENT = "2026-11-01T00:00:00.000Z"


def rows(count: int) -> list[Row]:
    return [{"Id": f"001{n:012d}AAA", "Name": "n", "SystemModstamp": MOMENT} for n in range(count)]


class Rig:
    """One org, and a plan of exporting all that it has. ``states`` is a folder of states."""

    def __init__(self, rows_of: Mapping[str, Sequence[Row]], **config: Any) -> None:
        clock = FakeClock()
        self.salesforce = FakeSalesforce(clock, rows_of)
        caller = Caller(self.salesforce, clock, lambda: 0.5)
        environment = Environment(caller, SecretHooks(lambda _: None, lambda _: None), run_id="run-1")
        parsed = parse_config({"credentials": CREDENTIALS, "objects": ["*"], "max_concurrent_jobs": 1} | config)
        self.connection = Connection(parsed, environment)

    def plan(self, states: LocalStates | None = None, *, confirm: bool = False) -> ExportPlan:
        with self.connection:
            plan = make_plan(self.connection, states, confirm=confirm)
        self.salesforce.close()
        return plan


@pytest.fixture
def rig() -> Rig:
    return Rig({"Account": rows(5), "Contact": rows(2)})


# What is planned


def test_a_plan_names_each_object_its_use_and_what_is_left(rig):
    told = as_json(rig.plan())
    assert {one["object"]: (one["jobs"], one["rows"], one["pages"]) for one in told["objects"]} == {
        "Account": (1, 5, 1),
        "Contact": (1, 2, 1),
    }
    assert told["totals"]["jobs"] == 2
    assert told["totals"]["api_calls"] == "unknown"
    assert told["limits"]["DailyApiRequests"] == {"maximum": 10000, "remaining": 9000}
    assert rig.salesforce.jobs == {}


def test_the_table_says_what_the_json_says(rig):
    text = as_text(rig.plan())
    assert "SystemModstamp" in text
    assert "DailyBulkV2QueryJobs" in text
    assert "Rows of a whole object are Salesforce's estimate, without deleted and archived ones." in text
    assert "the polls, whose number depends on Salesforce's speed" in text
    assert text.endswith("This export would finish.")


def test_patterns_that_match_nothing_are_the_users_to_mend():
    rig = Rig({"Account": rows(1)}, objects=["Nonsense__c"])
    with pytest.raises(ExportFailed, match="Nonsense__c") as raised:
        rig.plan()
    assert raised.value.consequence is Consequence.CONFIG


# From a state


DAMAGED = {
    "no JSON": b"{",
    "no state": b'{"state": []}',
    "another stream's state": json.dumps(
        {"state": {"Name": "x"}, "closed": [], "open": [], "destination": "", "closing": None}
    ).encode(),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_state_is_named_with_its_object_and_what_to_do(rig, tmp_path, caplog, content):
    states = LocalStates(tmp_path)
    lease = states.acquire(ORGANIZATION, "Account", "run-0")
    lease.commit(lease.progress)
    lease.release()
    (file,) = tmp_path.rglob("Account.json")
    file.write_bytes(content)

    code = CommandRun(Stop(), "run-1").ended(lambda: rig.plan(states) and ExitCode.DONE)

    assert code == ExitCode.USAGE
    said = caplog.records[-1].getMessage()
    assert said.startswith("Account: its state in the registry cannot be used: ")
    assert "Restore it, or remove it to start over: `salesforce-bulk state reset Account` does so" in said
    assert ".." not in said.replace(str(tmp_path), "")


# The org's limits


@pytest.mark.parametrize(("fate", "times"), [("forbidden", 1), ("unavailable", 5)])
def test_limits_that_cannot_be_seen_are_unknown_and_warned_of(rig, caplog, fate, times):
    rig.salesforce.script("limits", *[fate] * times)
    assert set(as_json(rig.plan())["limits"].values()) == {None}
    assert any("limits cannot be read" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("fate", ["quota", "no API"])
def test_limits_that_meet_what_an_export_would_meet_too_end_the_plan(rig, fate):
    rig.salesforce.script("limits", fate)
    with pytest.raises(SalesforceError):
        rig.plan()


# Confirmed by the org


def test_what_the_org_refuses_is_told_and_no_job_is_left(rig):
    rig.salesforce.script("create", "", "refused")
    told = {one["object"]: one for one in as_json(rig.plan(confirm=True))["objects"]}
    assert (told["Account"]["readable"], told["Account"]["reason"]) == (True, None)
    assert told["Contact"]["readable"] is False
    assert "INVALID_FIELD" in told["Contact"]["reason"]
    assert rig.salesforce.left() == set()


@pytest.mark.parametrize(
    ("fate", "times", "kind"),
    [("unavailable", 5, Kind.UNAVAILABLE), ("quota", 1, Kind.API_CALLS_EXHAUSTED), ("no API", 1, Kind.API_DISABLED)],
)
def test_what_says_nothing_about_the_object_does_not_make_it_unreadable(rig, fate, times, kind):
    rig.salesforce.script("create", *[fate] * times)
    with pytest.raises(SalesforceError) as raised:
        rig.plan(confirm=True)
    assert raised.value.failure.kind is kind
    assert rig.salesforce.left() == set()
