from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from source_salesforce_bulk.config import parse_config
from source_salesforce_bulk.extraction.connection import Connection, Environment, run_id
from source_salesforce_bulk.extraction.plan import ObjectPlan
from source_salesforce_bulk.extraction.quota import Quota
from source_salesforce_bulk.extraction.stream_state import Mode, StreamState
from source_salesforce_bulk.extraction.windows import WHOLE, PlannedWindow
from source_salesforce_bulk.pages.encoders import json_lines
from source_salesforce_bulk.pages.fetch import PageAddress
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.failures import Action, Kind, SalesforceError
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.soql import ObjectQuery
from source_salesforce_bulk.salesforce.token import SecretHooks
from unit_tests.fakes import Answer, FakeClock, ScriptedHttp

BASE = "https://acme.my.salesforce.com"
IDENTITY = "https://login.salesforce.com/id/00DA0000000001AAAA/005A00000012345AAA"
SESSION = {"access_token": "00D!token", "instance_url": BASE, "id": IDENTITY, "issued_at": "1795400000123"}
DATE = {"Date": "Mon, 23 Nov 2026 02:00:07 GMT"}
LIMITS = {
    "DailyApiRequests": {"Max": 1000, "Remaining": 900},
    "DailyBulkV2QueryJobs": {"Max": 1000, "Remaining": 900},
    "DailyBulkV2QueryFileStorageMB": {"Max": 1000, "Remaining": 900},
}


class Rig:
    def __init__(self, session: dict[str, Any] | None = None, **changes: Any) -> None:
        self.http, self.clock = ScriptedHttp(), FakeClock()
        self.rotated: list[str] = []
        self.secrets: list[str] = []
        credentials = {
            "auth_type": "refresh_token",
            "client_id": "id",
            "client_secret": "secret-0",
            "refresh_token": "grant-0",
        }
        caller = Caller(self.http, self.clock, lambda: 0.0)
        environment = Environment(caller, SecretHooks(self.rotated.append, self.secrets.append), run_id="run-1")
        self.connection = Connection(parse_config({"credentials": credentials} | changes), environment)
        self.http.expect("POST", "/services/oauth2/token", Answer(200, session or SESSION))

    def limits(self, answer: Answer, times: int = 1) -> Rig:
        for _ in range(times):
            self.http.expect("GET", "/limits", answer)
        return self

    def page(self, rows: int = 1) -> Rig:
        headers = {"Content-Type": "text/csv", "Sforce-NumberOfRecords": str(rows), "Sforce-Locator": "null"}
        self.http.expect("GET", "/750A/results", Answer(200, b'"Id"\n' + b'"001A"\n' * rows, headers))
        return self


@pytest.fixture
def rig():
    rig = Rig()
    with rig.http:
        yield rig


# Who this run is


def test_a_run_is_named_by_the_platforms_job_and_attempt():
    assert run_id({"WORKER_JOB_ID": "17", "WORKER_JOB_ATTEMPT": "2"}) == "17-2"
    assert run_id({"WORKER_JOB_ID": "17"}) == "17-0"


def test_a_run_without_a_platform_gets_a_name_of_its_own():
    assert run_id({}) != run_id({})
    assert run_id({"WORKER_JOB_ATTEMPT": "2"}) != "2"


# Login


def test_one_login_serves_the_whole_run(rig):
    session = rig.connection.log_in()
    assert rig.connection.log_in() is session
    assert (session.organization_id, session.user_id) == ("00DA0000000001AAAA", "005A00000012345AAA")


def test_every_new_secret_and_a_rotated_refresh_token_are_handed_on():
    rig = Rig({**SESSION, "refresh_token": "grant-1"})
    with rig.http:
        rig.connection.log_in()
    assert rig.rotated == ["grant-1"]
    assert {"00D!token", "grant-1"} <= set(rig.secrets)


# T


def test_the_upper_bound_is_the_orgs_own_clock_cut_to_the_second(rig):
    rig.limits(Answer(200, LIMITS, DATE))
    rig.connection.quota()
    assert rig.connection.upper_bound() == datetime(2026, 11, 23, 2, 0, 7, tzinfo=UTC)


def test_before_any_answer_the_upper_bound_is_when_the_token_was_issued(rig):
    assert rig.connection.upper_bound() == datetime.fromtimestamp(1795400000, UTC)


def test_the_upper_bound_is_never_this_machines_clock():
    rig = Rig({key: value for key, value in SESSION.items() if key != "issued_at"})
    with rig.http, pytest.raises(SalesforceError) as raised:
        rig.connection.upper_bound()
    assert raised.value.failure.kind is Kind.UNREADABLE_ANSWER


def test_one_answer_an_hour_ahead_does_not_move_the_upper_bound(rig):
    rig.limits(Answer(200, LIMITS, DATE))
    rig.limits(Answer(200, LIMITS, {"Date": "Mon, 23 Nov 2026 03:00:07 GMT"}))
    rig.connection.quota()
    rig.connection.quota()
    assert rig.connection.upper_bound() == datetime(2026, 11, 23, 2, 0, 7, tzinfo=UTC)


def test_answers_that_are_all_ahead_are_held_back_by_the_token_reply():
    issued = datetime(2026, 11, 23, 2, 0, 0, tzinfo=UTC)
    rig = Rig({**SESSION, "issued_at": str(int(issued.timestamp() * 1000))})
    rig.limits(Answer(200, LIMITS, {"Date": "Mon, 23 Nov 2026 02:50:00 GMT"}))
    with rig.http:
        rig.connection.quota()
        rig.clock.advance(30)
        assert rig.connection.upper_bound() == issued + timedelta(seconds=30)


def test_answers_more_than_an_hour_apart_end_the_run_with_both_addresses(rig):
    rig.limits(Answer(200, LIMITS, DATE))
    rig.limits(Answer(200, LIMITS, {"Date": "Mon, 23 Nov 2026 03:01:08 GMT"}))
    rig.connection.quota()
    assert rig.connection.clock_failure() is None
    rig.connection.quota()
    with pytest.raises(SalesforceError) as raised:
        rig.connection.upper_bound()
    failure = raised.value.failure
    assert failure == rig.connection.clock_failure()
    assert (failure.kind, failure.action) == (Kind.CLOCKS_DISAGREE, Action.STOP_RUN)
    assert failure.summary.count(f"{BASE}/services/data/v66.0/limits") == 2


# Limits


def test_an_org_with_enough_left_stops_nothing(rig):
    rig.limits(Answer(200, LIMITS))
    assert rig.connection.quota().failure is None


@pytest.mark.parametrize("name", LIMITS)
def test_an_org_with_less_than_the_reserve_stops_the_run(name):
    rig = Rig(daily_limit_reserve_percent=10)
    rig.limits(Answer(200, LIMITS | {name: {"Max": 1000, "Remaining": 99}}))
    with rig.http:
        failure = rig.connection.quota().failure
    assert failure is not None
    assert name in failure.summary


def test_limits_that_this_user_may_not_see_are_warned_of_and_stop_nothing(rig, caplog):
    rig.limits(Answer(403, [{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]))
    assert rig.connection.quota() == Quota()
    assert any("reserve" in record.getMessage() for record in caplog.records)


def test_an_org_without_limits_has_none(rig):
    rig.limits(Answer(404, [{"errorCode": "NOT_FOUND", "message": "no"}]))
    assert rig.connection.quota() == Quota()


@pytest.mark.parametrize(
    ("answer", "times"),
    [(Answer(503, b""), 5), (Answer(501, b""), 5), (Answer(200, b"<html>"), 5), (Answer(200, []), 5)],
    ids=["unavailable", "not implemented", "a page of HTML", "something else"],
)
def test_an_org_whose_limits_cannot_be_had_is_read_all_the_same(rig, caplog, answer, times):
    rig.limits(answer, times)
    assert rig.connection.quota() == Quota()
    assert any("no reserve is kept" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("code", ["API_DISABLED_FOR_ORG", "REQUEST_LIMIT_EXCEEDED"])
def test_what_stands_in_the_way_of_everything_else_too_is_raised(rig, code):
    rig.limits(Answer(403, [{"errorCode": code, "message": "no"}]))
    with pytest.raises(SalesforceError):
        rig.connection.quota()


# The disk


@pytest.fixture
def spool(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


PLAN = ObjectPlan(
    query=ObjectQuery("Account", ("Id",), "query", None, cursor_nillable=False, where=None, exclude_deleted=False),
    columns=(),
    mode=Mode.FULL_REFRESH,
    state=StreamState(mode=Mode.FULL_REFRESH),
    start=None,
    lookback=timedelta(0),
    api_version="v66.0",
    page_size=50000,
)
COLUMNS = (Column("Id", CellKind.STRING),)
ADDRESS = PageAddress("Account", "750A", None, "v66.0", 50000)


def test_pages_lie_under_the_systems_temporary_directory_until_the_connection_closes(rig, spool):
    page = rig.page().connection.org().fetch(ADDRESS, lambda headers: None, json_lines(COLUMNS))
    assert page.encoded.product.take().path.read_bytes() == b'{"Id":"001A"}\n'
    assert [path for path in spool.rglob("*") if path.is_file()]
    rig.connection.close()
    rig.connection.close()
    assert list(spool.iterdir()) == []


def test_leaving_the_with_block_closes_the_connection_whatever_happened(rig, spool):
    def read() -> None:
        with rig.connection as connection:
            connection.org().fetch(ADDRESS, lambda headers: None, json_lines(COLUMNS))
            raise RuntimeError("a defect")

    rig.page()
    with pytest.raises(RuntimeError):
        read()
    assert list(spool.iterdir()) == []


def test_what_is_not_needed_is_not_made(spool):
    rig = Rig()
    with rig.connection:
        pass
    assert list(spool.iterdir()) == []
    assert rig.http.sent == []


# The extraction


def test_an_extraction_counts_with_the_connection_and_keeps_to_the_configured_number_of_jobs():
    rig = Rig(max_concurrent_jobs=1)
    rig.http.expect("POST", "/jobs/query", Answer(200, {"id": "750A", "state": "UploadComplete"}))
    with rig.http, rig.connection:
        extraction = rig.connection.extraction()
        assert extraction.has_free_slot
        extraction.add(PLAN, [PlannedWindow(WHOLE)], json_lines)
        assert not extraction.has_free_slot
        while not rig.connection.metrics.jobs:
            extraction.wait(1.0)
        extraction.close(keep={"750A"}, seconds=0)
