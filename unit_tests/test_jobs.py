from __future__ import annotations

import pytest
import requests

from source_salesforce_bulk.extraction.jobs import BulkJobs
from source_salesforce_bulk.extraction.metrics import RunMetrics
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.bulk_api import JobInfo, JobState
from source_salesforce_bulk.salesforce.failures import Action, Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.retry import REQUEST_RETRIES
from source_salesforce_bulk.salesforce.soql import ObjectQuery
from source_salesforce_bulk.salesforce.transport import Transport
from unit_tests.fakes import Answer, FakeClock, FakeTokens, ScriptedHttp

VERSION = "v66.0"
JOBS = "/services/data/v66.0/jobs/query"
JOB = f"{JOBS}/750A"
DOWN = Answer(503, [{"errorCode": "SERVER_UNAVAILABLE", "message": "m"}])
GONE = Answer(404, [{"errorCode": "NOT_FOUND", "message": "m"}])


class Rig:
    def __init__(self) -> None:
        self.http, self.clock = ScriptedHttp(), FakeClock()
        transport = Transport(Caller(self.http, self.clock, lambda: 0.0), FakeTokens(), RunMetrics())
        self.jobs = BulkJobs(transport)

    def expect(self, method: str, url_end: str, answer: Answer, times: int = 1) -> Rig:
        for _ in range(times):
            self.http.expect(method, url_end, answer)
        return self


@pytest.fixture
def rig():
    rig = Rig()
    with rig.http:
        yield rig


def failure_of(call) -> Failure:
    with pytest.raises(SalesforceError) as raised:
        call()
    return raised.value.failure


def test_a_job_is_created_with_the_query_and_the_operation(rig):
    rig.expect("POST", JOBS, Answer(200, {"id": "750A", "state": "UploadComplete"}))
    info = rig.jobs.create(VERSION, "SELECT Id FROM Account", ObjectQuery("Account", ("Id",), "queryAll"))
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
        lambda: rig.jobs.create(VERSION, "SELECT Id FROM Account", ObjectQuery("Account", ("Id",), "query"))
    )
    assert (failure.kind, failure.action) == (Kind.ANSWER_LOST, Action.SEND_ONCE_MORE)
    assert rig.clock.sleeps == []


def test_a_job_is_asked_for_in_its_own_version(rig):
    answer = {"id": "750A", "state": "JobComplete", "numberRecordsProcessed": 7}
    rig.expect("GET", "/services/data/v58.0/jobs/query/750A", Answer(200, answer))
    info = rig.jobs.info("v58.0", "750A", "Account")
    assert (info.state, info.records_processed) == (JobState.JOB_COMPLETE, 7)


def test_an_answer_that_is_no_job_is_a_typed_failure(rig):
    rig.expect("GET", JOB, Answer(200, {"message": "hello"}))
    assert failure_of(lambda: rig.jobs.info(VERSION, "750A", "Account")).kind is Kind.UNREADABLE_ANSWER


def test_salesforces_words_about_a_failed_job_hold_no_secret(rig):
    rig.expect("GET", JOB, Answer(200, {"id": "750A", "state": "Failed", "errorMessage": "token S3CRET is bad"}))
    assert rig.jobs.info(VERSION, "750A", "Account").error_message == "token **** is bad"


def test_a_finished_job_is_deleted(rig):
    rig.expect("DELETE", JOB, Answer(204))
    assert rig.jobs.delete(VERSION, "750A", "Account") is True


def test_an_unfinished_job_is_aborted_before_it_is_deleted(rig):
    rig.expect("PATCH", JOB, Answer(200, {"id": "750A", "state": "Aborted"})).expect("DELETE", JOB, Answer(204))
    assert rig.jobs.abort(VERSION, "750A", "Account") is True
    assert rig.http.sent[0].json == {"state": "Aborted"}


def test_an_abort_without_a_word_is_an_abort(rig, caplog):
    rig.expect("PATCH", JOB, Answer(204)).expect("DELETE", JOB, Answer(200, b""))
    assert rig.jobs.abort(VERSION, "750A", "Account") is True
    assert caplog.records == []


def test_a_job_that_ended_by_itself_is_deleted_all_the_same(rig):
    ended = Answer(400, [{"errorCode": "INVALIDJOBSTATE", "message": "Aborting already Completed Job not allowed"}])
    rig.expect("PATCH", JOB, ended).expect("DELETE", JOB, Answer(204))
    assert rig.jobs.abort(VERSION, "750A", "Account") is True


def test_clean_up_of_a_job_that_is_gone_has_succeeded(rig, caplog):
    rig.expect("DELETE", JOB, GONE)
    assert rig.jobs.delete(VERSION, "750A", "Account") is True
    assert caplog.records == []


def test_clean_up_that_fails_is_logged_and_raises_nothing(rig, caplog):
    rig.expect("DELETE", JOB, DOWN, times=REQUEST_RETRIES.attempts)
    assert rig.jobs.delete(VERSION, "750A", "Account") is False
    (line,) = [record.getMessage() for record in caplog.records]
    assert "750A" in line
    assert "Account" in line


def test_clean_up_ends_quietly_when_the_run_is_being_stopped(rig, caplog):
    rig.clock.stopped = True
    rig.expect("DELETE", JOB, DOWN)
    assert rig.jobs.delete(VERSION, "750A", "Account") is False
    assert caplog.records == []
