from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.salesforce import bulk_api
from source_salesforce_bulk.salesforce.bulk_api import JobInfo, JobState, PageHeaders, PageList
from source_salesforce_bulk.salesforce.soql import ObjectQuery
from source_salesforce_bulk.salesforce.wire import Operation, UnreadableBody

JOB = "7505g00000AbCdEAAV"

# Shape of a create answer as recorded by several clients: apiVersion is a number, jobType is absent.
CREATED = {
    "id": JOB,
    "operation": "queryAll",
    "object": "Account",
    "createdById": "0055g000003wTrpAAE",
    "createdDate": "2024-04-25T15:50:37.000+0000",
    "systemModstamp": "2024-04-25T15:50:37.000+0000",
    "state": "UploadComplete",
    "concurrencyMode": "Parallel",
    "contentType": "CSV",
    "apiVersion": 60.0,
    "lineEnding": "LF",
    "columnDelimiter": "COMMA",
}


# Requests


def test_a_create_asks_for_comma_separated_lines_that_end_with_lf():
    request = bulk_api.create_job(
        "v66.0", "SELECT Id FROM Account", ObjectQuery("Account", ("Id",), bulk_api.QUERY_ALL)
    )
    assert (request.operation, request.method) == (Operation.CREATE_JOB, "POST")
    assert request.path == "/services/data/v66.0/jobs/query"
    assert request.json == {
        "operation": "queryAll",
        "query": "SELECT Id FROM Account",
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }
    assert request.object_name == "Account"
    assert request.asked.soql == "SELECT Id FROM Account"
    assert request.authenticated


def test_the_first_page_is_asked_for_without_a_locator():
    request = bulk_api.results("v66.0", JOB, None, 50000, "Account")
    assert (request.operation, request.method) == (Operation.RESULTS, "GET")
    assert request.path == f"/services/data/v66.0/jobs/query/{JOB}/results"
    assert request.params == {"maxRecords": "50000"}


def test_a_later_page_is_asked_for_with_its_locator_and_the_same_size():
    request = bulk_api.results("v66.0", JOB, "MDowR2FI", 50000, "Account")
    assert request.params == {"maxRecords": "50000", "locator": "MDowR2FI"}


def test_a_page_that_the_org_has_listed_is_asked_for_as_it_was_cut():
    assert bulk_api.results("v66.0", JOB, "MDowR2FI", None, "Account").params == {"locator": "MDowR2FI"}


def test_the_pages_of_a_job_are_asked_for_at_its_address_or_where_the_last_answer_says():
    request = bulk_api.result_pages("v66.0", JOB, "Account")
    assert (request.operation, request.method) == (Operation.RESULT_PAGES, "GET")
    assert request.path == f"/services/data/v66.0/jobs/query/{JOB}/resultPages"
    assert bulk_api.result_pages("v66.0", JOB, "Account", "/there?locator=x").path == "/there?locator=x"


# Lists of pages, in the guide's own spellings: its table, its sample and a machine-made schema differ.


@pytest.mark.parametrize("url_key", ["resultUrl", "resultLink"])
@pytest.mark.parametrize("next_key", ["nextRecordsUrl", "nextRecordUrl"])
def test_a_list_of_pages_is_read(url_key, next_key):
    base = f"/services/data/v66.0/jobs/query/{JOB}"
    urls = [f"{base}/results", f"{base}/results?locator=MDowR2FI%3D", f"https://acme.test{base}/results?locator=c"]
    further = f"https://acme.test{base}/resultpages?locator=c"
    payload = {"resultPages": [{url_key: url} for url in urls], next_key: further, "done": False}
    assert PageList.from_json(payload) == PageList((None, "MDowR2FI=", "c"), f"{base}/resultpages?locator=c")
    assert PageList.from_json({"resultPages": [], next_key: None, "done": True}) == PageList((), None)


@pytest.mark.parametrize(
    "payload",
    [[], {}, {"resultPages": {}}, {"resultPages": [{}]}, {"resultPages": ["x"]}, {"resultPages": [], "done": False}],
)
def test_what_is_no_list_of_pages_is_refused(payload):
    with pytest.raises(UnreadableBody):
        PageList.from_json(payload)


@pytest.mark.parametrize(
    ("build", "operation", "method", "json"),
    [
        (bulk_api.job_info, Operation.JOB_INFO, "GET", None),
        (bulk_api.abort_job, Operation.ABORT_JOB, "PATCH", {"state": "Aborted"}),
        (bulk_api.delete_job, Operation.DELETE_JOB, "DELETE", None),
    ],
)
def test_what_concerns_one_job_goes_to_its_address(build, operation, method, json):
    request = build("v66.0", JOB, "Account")
    assert (request.operation, request.method, request.json) == (operation, method, json)
    assert request.path == f"/services/data/v66.0/jobs/query/{JOB}"
    assert request.object_name == "Account"


@pytest.mark.parametrize("build", [bulk_api.job_info, bulk_api.abort_job, bulk_api.delete_job])
def test_a_job_id_from_a_state_that_people_edit_cannot_leave_its_place_in_the_path(build):
    assert build("v66.0", "../../sobjects/Account?x=1#", "Account").path == (
        "/services/data/v66.0/jobs/query/..%2F..%2Fsobjects%2FAccount%3Fx%3D1%23"
    )


# Job answers


def test_a_create_answer_is_read():
    assert JobInfo.from_json(CREATED) == JobInfo(
        id=JOB,
        state=JobState.UPLOAD_COMPLETE,
        object_name="Account",
        operation="queryAll",
        records_processed=None,
        error_message=None,
        created_by="0055g000003wTrpAAE",
    )


def test_an_answer_with_nothing_but_an_id_is_a_job_of_unknown_state():
    assert JobInfo.from_json({"id": JOB}) == JobInfo(id=JOB, state=JobState.UNKNOWN)


@pytest.mark.parametrize(
    ("word", "state", "finished"),
    [
        ("UploadComplete", JobState.UPLOAD_COMPLETE, False),
        ("InProgress", JobState.IN_PROGRESS, False),
        ("In Progress", JobState.IN_PROGRESS, False),
        ("JobComplete", JobState.JOB_COMPLETE, True),
        ("JOBCOMPLETE", JobState.JOB_COMPLETE, True),
        ("Failed", JobState.FAILED, True),
        ("Aborted", JobState.ABORTED, True),
        ("Abort", JobState.ABORTED, True),
        ("Open", JobState.UNKNOWN, False),
        ("Not Processed", JobState.UNKNOWN, False),
        ("", JobState.UNKNOWN, False),
        (None, JobState.UNKNOWN, False),
        (7, JobState.UNKNOWN, False),
    ],
)
def test_a_state_is_read_however_it_is_spelled_and_an_unknown_word_is_unfinished(word, state, finished):
    info = JobInfo.from_json({"id": JOB, "state": word})
    assert info.state is state
    assert info.state.finished is finished


@pytest.mark.parametrize(
    ("sent", "count"),
    [
        (0, 0),
        (47, 47),
        (47.0, 47),
        ("47", 47),
        (47.5, None),
        (-1, None),
        ("-1", None),
        ("many", None),
        ("1_000", None),
        ("", None),
        (True, None),
        (None, None),
        ([47], None),
        (float("nan"), None),
        (float("inf"), None),
    ],
)
def test_a_count_is_a_whole_number_or_missing(sent, count):
    assert JobInfo.from_json({"id": JOB, "numberRecordsProcessed": sent}).records_processed == count


def test_a_failed_job_may_say_why():
    assert JobInfo.from_json({"id": JOB, "state": "Failed", "errorMessage": "why"}).error_message == "why"
    assert JobInfo.from_json({"id": JOB, "state": "Failed", "errorMessage": ""}).error_message is None


@pytest.mark.parametrize("payload", [None, [], [CREATED], {}, {"id": None}, {"id": ""}, {"id": 7}, "750", 7])
def test_an_answer_that_names_no_job_is_refused(payload):
    with pytest.raises(UnreadableBody):
        JobInfo.from_json(payload)


@pytest.mark.parametrize("job_id", ["750\x1b[2J", "750 A", "..", "750/../x", "750\ud800", "7" * 65, "750é", "750\n"])
def test_an_id_that_could_leave_its_place_or_reach_a_terminal_is_not_a_jobs(job_id):
    with pytest.raises(UnreadableBody):
        JobInfo.from_json({"id": job_id, "state": "InProgress"})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(CREATED, json_values)) | json_values)
def test_any_json_is_a_job_or_refused(payload):
    try:
        info = JobInfo.from_json(payload)
    except UnreadableBody:
        return
    assert info.id
    assert info.records_processed is None or info.records_processed >= 0


# Page headers


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"sforce-numberofrecords": "3", "sforce-locator": "MDow"}, PageHeaders(rows=3, locator="MDow", last=False)),
        ({"sforce-numberofrecords": "3", "sforce-locator": "null"}, PageHeaders(rows=3, locator=None, last=True)),
        ({"sforce-numberofrecords": "0", "sforce-locator": "NULL"}, PageHeaders(rows=0, locator=None, last=True)),
        ({"sforce-numberofrecords": "3", "sforce-locator": " MDow "}, PageHeaders(rows=3, locator="MDow", last=False)),
        ({"sforce-numberofrecords": "3", "sforce-locator": ""}, PageHeaders(rows=3, locator=None, last=False)),
        ({"sforce-numberofrecords": "3"}, PageHeaders(rows=3, locator=None, last=False)),
        ({"sforce-locator": "null"}, PageHeaders(rows=None, locator=None, last=True)),
        ({"sforce-numberofrecords": "-3"}, PageHeaders(rows=None, locator=None, last=False)),
        ({"sforce-numberofrecords": "three"}, PageHeaders(rows=None, locator=None, last=False)),
        ({}, PageHeaders(rows=None, locator=None, last=False)),
        ({"sforce-locator": "MD\x1b[2Jow"}, PageHeaders(rows=None, locator=None, last=False)),
        ({"sforce-locator": "MD ow"}, PageHeaders(rows=None, locator=None, last=False)),
        ({"sforce-locator": "M" * 2001}, PageHeaders(rows=None, locator=None, last=False)),
        ({"sforce-locator": "MDo\xe9"}, PageHeaders(rows=None, locator=None, last=False)),
    ],
)
def test_only_the_word_null_says_that_a_page_is_the_last(headers, expected):
    assert PageHeaders.from_http(headers) == expected
