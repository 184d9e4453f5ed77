from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import requests

from source_salesforce_bulk.extraction.metrics import RunMetrics
from source_salesforce_bulk.extraction.salesforce_org import SalesforceOrg
from source_salesforce_bulk.pages.encoders import json_lines
from source_salesforce_bulk.pages.fetch import PageAddress, PageFetcher
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.pages.workspace import Workspace
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.bulk_api import JobInfo, JobState
from source_salesforce_bulk.salesforce.failures import Action, Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.http_client import HttpRequest
from source_salesforce_bulk.salesforce.ids import id_18
from source_salesforce_bulk.salesforce.retry import REQUEST_RETRIES
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery, build_soql
from source_salesforce_bulk.salesforce.transport import Transport
from unit_tests.fakes import Answer, FakeClock, FakeTokens, ScriptedHttp

VERSION = "v66.0"
USER = "005A00000012345AAA"
ANOTHER = "005A00000099999AAA"
LOW, HIGH = "001A00000000001AAA", "001A0000000000zAAA"
QUERY = ObjectQuery(
    object_name="Account",
    fields=("Id", "Name"),
    operation="queryAll",
    cursor_field="SystemModstamp",
    cursor_nillable=False,
    where="Name != 'x'",
    exclude_deleted=True,
)
OPEN = Bounds(start=None, end=datetime(2026, 11, 23, tzinfo=UTC), id_from=None, id_to=None)


class Rig:
    def __init__(self, directory, user_id: str | None = USER) -> None:
        self.http, self.clock = ScriptedHttp(), FakeClock()
        transport = Transport(Caller(self.http, self.clock, lambda: 0.0), FakeTokens(), RunMetrics())
        pages = PageFetcher(transport, Workspace(directory), self.clock, lambda: 0.0)
        self.org = SalesforceOrg(transport, pages, self.clock, lambda: user_id, "run-1")

    def expect(self, method: str, url_end: str, answer: Answer, times: int = 1) -> Rig:
        for _ in range(times):
            self.http.expect(method, url_end, answer)
        return self

    def query_answers(self, *ids: str | None, resource: str = "queryAll") -> Rig:
        for one in ids:
            records = [] if one is None else [{"Id": one}]
            self.http.expect("GET", f"/services/data/{VERSION}/{resource}", Answer(200, {"records": records}))
        return self

    def asked(self) -> list[str]:
        return [sent.params["q"] for sent in self.http.sent]


@pytest.fixture
def rig(tmp_path):
    rig = Rig(tmp_path)
    with rig.http:
        yield rig


def job(**changes) -> Answer:
    known = {"id": "750A", "state": "InProgress", "object": "Account", "operation": "queryAll", "createdById": USER}
    return Answer(200, {name: value for name, value in (known | changes).items() if value is not None})


def confirmed(rig: Rig, **changes) -> bool:
    rig.http.expect("GET", "/jobs/query/750A", job(**changes))
    return rig.org.confirm(VERSION, "750A", "Account", ("queryAll",)) is not None


# Whose job it is


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"object": "ACCOUNT", "operation": "queryall"},
        {"createdById": USER[:15]},
        {"object": None, "operation": None, "createdById": None},
    ],
    ids=["as it was created", "spelled otherwise", "a short Id", "nothing said"],
)
def test_a_job_is_ours_while_nothing_speaks_against_it(rig, changes):
    assert confirmed(rig, **changes)


@pytest.mark.parametrize("changes", [{"object": "Contact"}, {"operation": "query"}])
def test_a_job_of_another_object_or_operation_is_not_ours(rig, changes):
    assert not confirmed(rig, **changes)


def test_where_the_login_did_not_say_who_we_are_the_user_decides_nothing(tmp_path):
    rig = Rig(tmp_path, user_id=None)
    assert confirmed(rig, createdById=ANOTHER)
    assert not confirmed(rig, object="Contact")


@pytest.mark.parametrize("creator", [USER, ANOTHER, None])
def test_what_the_org_writes_on_a_job_of_ours_decides_where_it_is_not_the_logins_user(rig, creator):
    """It costs one job for at most one row, and the job is deleted."""
    rig.http.expect("GET", "/jobs/query/750A", job(createdById=ANOTHER))
    rig.http.expect("POST", "/jobs/query", job(id="750B", createdById=creator), asks_for_one_row)
    rig.http.expect("PATCH", "/jobs/query/750B", job(id="750B", state="Aborted"))
    rig.http.expect("DELETE", "/jobs/query/750B", Answer(204))
    ours = creator == ANOTHER
    assert (rig.org.confirm(VERSION, "750A", "Account", ("queryAll",)) is not None) is ours
    if creator is not None:
        assert confirmed(rig, createdById=ANOTHER) is ours


def test_a_job_created_before_shows_whom_the_org_names(rig):
    rig.http.expect("POST", "/jobs/query", job(id="750B", createdById=ANOTHER))
    rig.org.create(VERSION, "SELECT Id FROM Account", ObjectQuery("Account", ("Id",), "queryAll"))
    assert confirmed(rig, createdById=ANOTHER)


def test_where_no_job_can_be_created_another_users_job_is_left_alone(rig):
    rig.http.expect("GET", "/jobs/query/750A", job(createdById=ANOTHER))
    rig.http.expect("POST", "/jobs/query", Answer(400, [{"errorCode": "INVALIDENTITY", "message": "no"}]))
    assert rig.org.confirm(VERSION, "750A", "Account", ("queryAll",)) is None


def asks_for_one_row(sent: HttpRequest) -> None:
    assert sent.json["query"] == "SELECT Id FROM Account LIMIT 1"


# Ids and counts


@pytest.mark.parametrize(
    ("asked", "order"),
    [
        ({}, "ASC LIMIT 1"),
        ({"last": True}, "DESC LIMIT 1"),
        ({"offset": 1500}, "ASC LIMIT 1 OFFSET 1500"),
        ({"offset": 7, "last": True}, "DESC LIMIT 1 OFFSET 7"),
    ],
)
def test_an_id_is_asked_for_by_its_rank_without_the_users_filter(rig, asked, order):
    assert rig.query_answers(LOW).org.id_at(QUERY, OPEN, VERSION, **asked) == LOW
    window = "WHERE SystemModstamp < 2026-11-23T00:00:00.000Z"
    assert rig.asked() == [f"SELECT Id FROM Account {window} ORDER BY Id {order}"]


def test_an_id_of_a_range_is_asked_for_inside_it(rig):
    bounds = Bounds(start=None, end=None, id_from=LOW, id_to=HIGH)
    rig.query_answers(LOW).org.id_at(QUERY, bounds, VERSION)
    assert all(f"Id >= '{LOW}' AND Id < '{HIGH}'" in asked for asked in rig.asked())


@pytest.mark.parametrize("found", [None, "x"], ids=["no row", "no Id"])
def test_where_no_row_answers_there_is_no_id(rig, found):
    assert rig.query_answers(found).org.id_at(QUERY, OPEN, VERSION) is None


def test_deleted_rows_are_asked_for_only_where_the_query_reads_them(tmp_path):
    rig = Rig(tmp_path)
    live = ObjectQuery("Account", ("Id",), "query", None, cursor_nillable=False, where=None, exclude_deleted=False)
    with rig.query_answers(LOW, resource="query").http:
        assert rig.org.id_at(live, OPEN, VERSION) == LOW


@pytest.mark.parametrize("payload", [b"[1]", b'{"records": [1]}', b'{"records": [{"Id": 7}]}', b'{"records": {}}'])
def test_an_answer_that_names_no_id_is_none_or_fails_typed(rig, payload):
    rig.http.expect("GET", "/queryAll", Answer(200, payload))
    if payload == b"[1]":
        rig.http._script *= 5  # a list is no answer to a query, so the same request goes out again
        with pytest.raises(SalesforceError) as raised:
            rig.org.id_at(QUERY, OPEN, VERSION)
        assert raised.value.failure.kind is Kind.UNREADABLE_ANSWER
    else:
        assert rig.org.id_at(QUERY, OPEN, VERSION) is None


@pytest.mark.parametrize(
    ("payload", "rows"),
    [
        ({"totalSize": 2086, "done": True, "records": []}, 2086),
        ({"totalSize": 0, "done": True}, 0),
        ({"totalSize": 2000, "done": False}, None),
        ({"done": True}, None),
    ],
)
def test_rows_are_counted_by_the_total_of_an_answer_that_is_done(rig, payload, rows):
    rig.http.expect("GET", "/queryAll", Answer(200, payload))
    assert rig.org.count(QUERY, OPEN, VERSION) == rows
    assert rig.asked() == ["SELECT COUNT() FROM Account WHERE SystemModstamp < 2026-11-23T00:00:00.000Z"]


# Where a window's rows lie


def stamps(rig: Rig, *found: str | None) -> Rig:
    for one in found:
        records = [] if one is None else [{"SystemModstamp": one}]
        rig.http.expect("GET", f"/services/data/{VERSION}/queryAll", Answer(200, {"records": records}))
    return rig


def test_the_oldest_and_the_newest_row_bound_a_windows_rows(rig):
    found = stamps(rig, "2026-11-01T00:00:00.000+0000", "2026-11-22T23:59:59.000+0000")
    expected = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC))
    assert found.org.instants(QUERY, OPEN, VERSION) == expected
    window = "SystemModstamp < 2026-11-23T00:00:00.000Z"
    assert all(window in asked and "SystemModstamp != null" in asked for asked in rig.asked())
    assert [asked.split("ORDER BY")[1] for asked in rig.asked()] == [
        " SystemModstamp ASC LIMIT 1",
        " SystemModstamp DESC LIMIT 1",
    ]


@pytest.mark.parametrize("found", [(None, None), ("yesterday", "today")])
def test_a_window_without_readable_stamps_has_no_bounds(rig, found):
    assert stamps(rig, *found).org.instants(QUERY, OPEN, VERSION) is None


# Rows of a window

WINDOW = Bounds(
    start=datetime(2026, 11, 22, tzinfo=UTC), end=datetime(2026, 11, 23, tzinfo=UTC), id_from=None, id_to=None
)


def test_the_rows_of_a_window_are_counted_with_every_condition_of_its_query(rig):
    query = replace(QUERY, where="Name != null")
    rig.http.expect("GET", f"/services/data/{VERSION}/queryAll", Answer(200, {"totalSize": 7, "done": True}))
    assert rig.org.rows_within(query, WINDOW, VERSION) == 7
    (asked,) = rig.asked()
    assert asked == "SELECT COUNT() FROM" + build_soql(query, WINDOW).partition(" FROM")[2]


@pytest.mark.parametrize("answer", [{"totalSize": 7, "done": False}, {"totalSize": 7}, {"done": True}, {}])
def test_a_count_that_is_not_said_is_not_known(rig, answer):
    rig.http.expect("GET", f"/services/data/{VERSION}/query", Answer(200, answer))
    assert rig.org.rows_within(replace(QUERY, operation="query"), WINDOW, VERSION) is None


# Rows that were deleted


def test_deleted_rows_come_from_the_log_and_a_query_shows_which_still_exist(rig):
    low, high = id_18(LOW[:15]), id_18(HIGH[:15])
    log = {"deletedRecords": [{"id": low}, {"id": high}], "latestDateCovered": "2026-11-23T00:00:00.000+0000"}
    rig.http.expect("GET", f"/services/data/{VERSION}/sobjects/Account/deleted/", Answer(200, log))
    answer = {"records": [{"Id": low}], "totalSize": 1, "done": True}
    rig.http.expect("GET", f"/services/data/{VERSION}/queryAll", Answer(200, answer))
    start, end = datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)
    found = rig.org.deleted("Account", start, end, VERSION)
    assert (found.ids, found.covered) == ({low, high}, end)
    assert rig.org.existing(QUERY, found.ids, VERSION) == {low}
    soql = rig.http.sent[-1].params["q"]
    assert soql == f"SELECT Id FROM Account WHERE (Id IN ('{low}', '{high}')) AND IsDeleted = false"


def test_an_answer_about_other_rows_is_a_failure(rig):
    answer = Answer(200, {"records": [], "totalSize": 1, "done": True})
    rig.http.expect("GET", f"/services/data/{VERSION}/queryAll", answer)
    with pytest.raises(SalesforceError) as caught:
        rig.org.existing(QUERY, {LOW}, VERSION)
    assert caught.value.failure.kind is Kind.UNREADABLE_ANSWER


# What it hands through


def test_jobs_and_pages_of_one_org_go_through_one_transport(rig, tmp_path):
    jobs = f"/services/data/{VERSION}/jobs/query"
    csv = {"Content-Type": "text/csv", "Sforce-NumberOfRecords": "1", "Sforce-Locator": "null"}
    rig.http.expect("POST", jobs, Answer(200, {"id": "750A", "state": "UploadComplete"}))
    rig.http.expect("GET", f"{jobs}/750A", Answer(200, {"id": "750A", "state": "JobComplete"}))
    rig.http.expect("GET", f"{jobs}/750A/results", Answer(200, b'"Id"\n"001A"\n', csv))
    rig.http.expect("DELETE", f"{jobs}/750A", Answer(204))
    rig.http.expect("PATCH", f"{jobs}/750B", Answer(200, {"id": "750B", "state": "Aborted"}))
    rig.http.expect("DELETE", f"{jobs}/750B", Answer(204))
    assert rig.org.create(VERSION, "SELECT Id FROM Account", ObjectQuery("Account", ("Id",), "query")).id == "750A"
    assert rig.org.info(VERSION, "750A", "Account").state is JobState.JOB_COMPLETE
    address = PageAddress("Account", "750A", None, VERSION, 50000)
    page = rig.org.fetch(address, lambda headers: None, json_lines((Column("Id", CellKind.STRING),)))
    assert page.encoded.product.take().path.read_bytes() == b'{"Id":"001A"}\n'
    page.discard()
    assert rig.org.delete(VERSION, "750A", "Account")
    assert rig.org.abort(VERSION, "750B", "Account")


# Query jobs

JOBS = f"/services/data/{VERSION}/jobs/query"
JOB = f"{JOBS}/750A"
DOWN = Answer(503, [{"errorCode": "SERVER_UNAVAILABLE", "message": "m"}])
GONE = Answer(404, [{"errorCode": "NOT_FOUND", "message": "m"}])


def failure_of(call) -> Failure:
    with pytest.raises(SalesforceError) as raised:
        call()
    return raised.value.failure


def test_a_job_is_created_with_the_query_and_the_operation(rig):
    rig.expect("POST", JOBS, Answer(200, {"id": "750A", "state": "UploadComplete"}))
    info = rig.org.create(VERSION, "SELECT Id FROM Account", ObjectQuery("Account", ("Id",), "queryAll"))
    assert info == JobInfo(id="750A", state=JobState.UPLOAD_COMPLETE)
    body = rig.http.sent[0].json
    assert (body["query"], body["operation"]) == ("SELECT Id FROM Account", "queryAll")
    assert (body["lineEnding"], body["columnDelimiter"], body["contentType"]) == ("LF", "COMMA", "CSV")


@pytest.mark.parametrize(
    "lost",
    [
        Answer(error=requests.exceptions.ReadTimeout()),
        Answer(200, [b'{"id": "75', requests.exceptions.ChunkedEncodingError()]),
        Answer(200, b"<html>"),
        Answer(200, {"state": "UploadComplete"}),
    ],
    ids=["no answer", "half an answer", "another answer", "no id"],
)
def test_a_create_in_doubt_is_sent_once_here_and_says_that_a_job_may_exist(rig, lost):
    rig.expect("POST", JOBS, lost)
    failure = failure_of(
        lambda: rig.org.create(VERSION, "SELECT Id FROM Account", ObjectQuery("Account", ("Id",), "query"))
    )
    assert (failure.kind, failure.action) == (Kind.ANSWER_LOST, Action.SEND_ONCE_MORE)
    assert rig.clock.sleeps == []


def test_a_job_is_asked_for_in_its_own_version(rig):
    answer = {"id": "750A", "state": "JobComplete", "numberRecordsProcessed": 7}
    rig.expect("GET", "/services/data/v58.0/jobs/query/750A", Answer(200, answer))
    info = rig.org.info("v58.0", "750A", "Account")
    assert (info.state, info.records_processed) == (JobState.JOB_COMPLETE, 7)


def test_an_answer_that_is_no_job_is_a_typed_failure(rig):
    rig.expect("GET", JOB, Answer(200, {"message": "hello"}))
    assert failure_of(lambda: rig.org.info(VERSION, "750A", "Account")).kind is Kind.UNREADABLE_ANSWER


def test_salesforces_words_about_a_failed_job_hold_no_secret(rig):
    rig.expect("GET", JOB, Answer(200, {"id": "750A", "state": "Failed", "errorMessage": "token S3CRET is bad"}))
    assert rig.org.info(VERSION, "750A", "Account").error_message == "token **** is bad"


def test_a_finished_job_is_deleted(rig):
    rig.expect("DELETE", JOB, Answer(204))
    assert rig.org.delete(VERSION, "750A", "Account") is True


def test_an_unfinished_job_is_aborted_before_it_is_deleted(rig):
    rig.expect("PATCH", JOB, Answer(200, {"id": "750A", "state": "Aborted"})).expect("DELETE", JOB, Answer(204))
    assert rig.org.abort(VERSION, "750A", "Account") is True
    assert rig.http.sent[0].json == {"state": "Aborted"}


def test_an_abort_without_a_word_is_an_abort(rig, caplog):
    rig.expect("PATCH", JOB, Answer(204)).expect("DELETE", JOB, Answer(200, b""))
    assert rig.org.abort(VERSION, "750A", "Account") is True
    assert caplog.records == []


def test_a_job_that_ended_by_itself_is_deleted_all_the_same(rig):
    ended = Answer(400, [{"errorCode": "INVALIDJOBSTATE", "message": "Aborting already Completed Job not allowed"}])
    rig.expect("PATCH", JOB, ended).expect("DELETE", JOB, Answer(204))
    assert rig.org.abort(VERSION, "750A", "Account") is True


def test_clean_up_of_a_job_that_is_gone_has_succeeded(rig, caplog):
    rig.expect("DELETE", JOB, GONE)
    assert rig.org.delete(VERSION, "750A", "Account") is True
    assert caplog.records == []


def test_clean_up_that_fails_is_logged_and_raises_nothing(rig, caplog):
    rig.expect("DELETE", JOB, DOWN, times=REQUEST_RETRIES.attempts)
    assert rig.org.delete(VERSION, "750A", "Account") is False
    (line,) = [record.getMessage() for record in caplog.records]
    assert "750A" in line
    assert "Account" in line


def test_clean_up_ends_quietly_when_the_run_is_being_stopped(rig, caplog):
    rig.clock.stopped = True
    rig.expect("DELETE", JOB, DOWN)
    assert rig.org.delete(VERSION, "750A", "Account") is False
    assert caplog.records == []
