"""Requests that are refused, answered by another server, or not answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from integration_tests import connector
from integration_tests.fault_trial import Complete, Fails, Trial, on_account, trials, try_fault, with_settings
from integration_tests.simulated_org import Fault
from source_salesforce_bulk.airbyte.http import CdkHttp
from source_salesforce_bulk.salesforce.http_client import HttpRequest

READING = ("createJob", "jobInfo", "results", "delete")
PASSING = {
    "406_empty": {"status": 406, "body": "empty"},
    "420_html": {"status": 420, "body": "html"},
    "420_empty": {"status": 420, "body": "empty"},
    "429_json": {"status": 429, "retry_after": "1"},
    "500_json": {"status": 500},
    "502_html": {"status": 502, "body": "html"},
    "503_json": {"status": 503, "retry_after": "2"},
    "503_html": {"status": 503, "body": "html"},
}
"""Answers after which the same request is sent again. Each is given to every operation of a read in turn."""


def at(on: str, kind: str = "http_error", **attributes: Any) -> Fault:
    return on_account(kind, on=on, **attributes)


def refused(error: str, type_: str, message: str, on: str = "createJob", **more: Any) -> Trial:
    """Salesforce's own error, once and for all; the stream fails at once."""
    outcome = Fails(type_, message, **more)
    return Trial([at(on, "api_error", error=error, times=None)], outcome, requests={"createJob": 2, "jobInfo": 2})


TRANSIENT = {
    **{name: Trial([at(on, **answer) for on in READING]) for name, answer in PASSING.items()},
    "503_retry_after_date": Trial(
        [at("createJob", status=503, retry_after="Tue, 24 Nov 2026 08:00:05 GMT")], settings=with_settings()
    ),
    "503_on_describe": Trial([at("describe", status=503, body="html", times=3)]),
    "503_on_limits": Trial([Fault(kind="http_error", on="limits", status=503)]),
    "503_always_on_create": Trial(
        [at("createJob", status=503, times=None)],
        Fails("transient_error", "Salesforce is not available at the moment"),
        requests={"createJob": 7},
    ),
    "503_always_on_polls": Trial(
        [at("jobInfo", status=503, times=None)],
        Fails("transient_error", "Salesforce is not available at the moment"),
        requests={"jobInfo": 30},
    ),
    "503_always_on_results": Trial(
        [at("results", status=503, after=1, times=None)],
        Fails("transient_error", "Salesforce is not available at the moment"),
        requests={"results": 12},
    ),
    "503_always_on_describe": Trial(
        [at("describe", status=503, times=None)],
        Fails("transient_error", "Salesforce is not available at the moment"),
        requests={"describe": 7},
    ),
    "lock": Trial([at("createJob", "api_error", error="UNABLE_TO_LOCK_ROW")]),
    "server_unavailable": Trial([at("jobInfo", "api_error", error="SERVER_UNAVAILABLE")]),
    "unknown_exception": Trial([at("results", "api_error", error="UNKNOWN_EXCEPTION")]),
    "concurrent_requests": Trial([at("createJob", "api_error", error="REQUEST_LIMIT_EXCEEDED/concurrent")]),
    "closed_before": Trial([at(on, "close_before") for on in READING]),
    "closed_by_reset": Trial([at(on, "close_before", value="reset") for on in READING]),
    "unparsable_poll": Trial([at("jobInfo", "unparsable_json")]),
    "html_poll": Trial([at("jobInfo", "html_200")]),
    "poll_names_no_job": Trial([at("jobInfo", "json_without", name="id")]),
    "empty_object_array": Trial([at("jobInfo", "empty_object_array", status=500)]),
    "cleanup_refused": Trial(
        [at("delete", "api_error", error="INSUFFICIENT_ACCESS")], Complete(orphans=1, warning="could not")
    ),
    "cleanup_of_a_job_that_is_gone": Trial([at("delete", status=404)], Complete(orphans=1)),
}

ODD = {
    "not_ready_412": Trial([at("results", "api_error", error="JOB_NOT_COMPLETE", times=2)]),
    "not_ready_204": Trial([at("results", status=204, body="empty", times=2)]),
    "locator_refused": Trial(
        [at("results", "api_error", error="INVALID_QUERY_LOCATOR", after=1)],
        Complete(repeats=True, warning="does not accept the page's locator"),
    ),
    "version_mismatch_409": Trial(
        [at("results", "api_error", error="API_VERSION_MISMATCH", status=409)],
        Complete(warning="created with another version of the API"),
    ),
    "431_html": Trial(
        [at("createJob", status=431, body="html", times=None)],
        Fails("config_error", "Salesforce refused the request as too large"),
        requests={"createJob": 2},
    ),
    "414": Trial(
        [at("describe", status=414, body="empty", times=None)],
        Fails("config_error", "Salesforce refused the request as too large"),
    ),
    "empty_object_400": Trial(
        [at("createJob", "empty_object_array", status=400, times=None)],
        Fails("config_error", "Salesforce refused the query of this object", orphans=1),
    ),
}

SESSIONS = {
    **{
        f"dies_before_{on}": Trial([on_account("session_ends", on=on)], Complete())
        for on in ("createJob", "jobInfo", "results", "delete")
    },
    "invalid_jwt_format": Trial([on_account("session_ends", on="jobInfo", error="INVALID_JWT_FORMAT")]),
    "invalid_auth_header": Trial([on_account("session_ends", on="results", error="INVALID_AUTH_HEADER")]),
    "lives_for_seven_requests": Trial([], settings=with_settings(session_max_requests=7)),
    "old_token_dies_on_refresh": Trial(
        [on_account("session_ends", on="results", after=1)], settings=with_settings(old_token_dies_on_refresh=True)
    ),
    "concurrent_refreshes_fail": Trial(
        [Fault(kind="session_ends", on="jobInfo")],
        settings=with_settings(concurrent_refresh="fail", token_seconds=0.05, session_max_requests=9),
    ),
    "policy_agent": Trial(
        [Fault(kind="session_ends", on="createJob", error="POLICY/agent")],
        Fails("config_error", "A policy of the org refuses this app's sessions", everything=True),
        requests={"token": 2},
    ),
    "policy_rest": Trial(
        [Fault(kind="api_error", on="createJob", error="POLICY/rest", times=None)],
        Fails("config_error", "A policy of the org refuses this app's sessions", everything=True),
        requests={"token": 2},
    ),
    "refused_right_after_a_login": Trial(
        [Fault(kind="api_error", on="createJob", error="INVALID_SESSION_ID", times=None)],
        Fails("config_error", "Salesforce refuses the session right after a new login", everything=True),
        requests={"token": 4},
    ),
}

REFUSALS = {
    "malformed_query": refused("MALFORMED_QUERY", "config_error", "only with a filter on particular fields"),
    "filter_required": refused("MALFORMED_QUERY/filter", "config_error", "requires a filter by"),
    "reified_column": refused("MALFORMED_QUERY/reified", "config_error", "a filter on a reified column is required"),
    "invalid_field": refused("INVALID_FIELD", "config_error", "No such column 'Gone__c'"),
    "invalid_type": refused("INVALID_TYPE", "config_error", "The object does not exist or is hidden"),
    "invalid_entity": refused("INVALIDENTITY", "config_error", "does not support querying this object"),
    "compound": refused("COMPOUND", "config_error", "cannot return one of the selected fields"),
    "api_error": refused("API_ERROR", "config_error", "does not support query"),
    "view_all": refused("API_ERROR/view_all", "config_error", "View All Data"),
    "invalid_type_for_operation": refused("INVALID_TYPE_FOR_OPERATION", "config_error", "does not support query"),
    "external_object": refused("EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION", "config_error", "unsupported"),
    "external_object_where": refused(
        "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION/where", "config_error", "Where clauses should contain"
    ),
    "transient_queries": refused("EXTERNAL_OBJECT_EXCEPTION", "config_error", "Transient queries are not implemented"),
    "data_com": refused("DATACLOUD_API_DISABLED_EXCEPTION", "config_error", "Data.com"),
    "insufficient_access": refused("INSUFFICIENT_ACCESS", "config_error", "lacks a permission"),
    "functionality_not_enabled": refused("FUNCTIONALITY_NOT_ENABLED", "config_error", "not currently enabled"),
    "api_disabled": refused("API_DISABLED_FOR_ORG", "config_error", "may not use the API", everything=True),
    "password_expired": refused("INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "config_error", "password", everything=True),
    "transaction_security": refused(
        "TXN_SECURITY_METERING_ERROR", "config_error", "Exempt from Transaction Security", on="jobInfo"
    ),
    "operation_too_large": refused("OPERATION_TOO_LARGE", "config_error", "View All Data"),
    "too_complicated": Trial(
        [at("createJob", "api_error", error="QUERY_TOO_COMPLICATED", times=None)],
        Fails("config_error", "too large or too complicated"),
        requests={"createJob": 12},
    ),
    "query_timeout": Trial([at("createJob", "api_error", error="QUERY_TIMEOUT")]),
    "id_limit": Trial([at("createJob", "api_error", error="EXCEEDED_ID_LIMIT")]),
}


@trials(TRANSIENT)
def test_transient(trial: Trial, jobs: int) -> None:
    """Trouble that passes: the same request again, after a pause, a bounded number of times."""
    try_fault(trial, jobs)


@trials(ODD)
def test_odd(trial: Trial, jobs: int) -> None:
    """Answers with a meaning of their own."""
    try_fault(trial, jobs)


@trials(SESSIONS)
def test_session(trial: Trial, jobs: int) -> None:
    """Sessions that end: one login for all threads where one helps, none where a policy refuses."""
    try_fault(trial, jobs)


@trials(REFUSALS)
def test_refusal(trial: Trial, jobs: int) -> None:
    """Every error of the table of production errors, in Salesforce's own words."""
    try_fault(trial, jobs)


class HurriedHttp(CdkHttp):
    """Waits for a byte no longer than a moment, where the product waits for minutes."""

    def send(self, request: HttpRequest) -> Any:
        """See ``salesforce.http_client.Http``."""
        assert 0 < request.timeouts.connect <= 10
        assert 10 <= request.timeouts.head <= 300
        return super().send(replace(request, timeouts=replace(request.timeouts, head=0.4)))


SILENCES = {
    "no_answer": Trial([at("jobInfo", "hang"), at("results", "hang")]),
    "no_answer_to_a_create": Trial([at("createJob", "hang")], Complete(warning="may be left in the org")),
    "silence_inside_a_page": Trial(
        [on_account("stall", page=2, at=50, seconds=30)], Complete(warning="t is fetched again")
    ),
}


@trials(SILENCES)
def test_silence(trial: Trial, jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that never come, or stop in the middle: a timeout stands between any two bytes."""
    monkeypatch.setattr(connector, "CdkHttp", HurriedHttp)
    try_fault(trial, jobs)


@pytest.mark.parametrize("jobs", [1, 4])
def test_pauses_grow_and_last_as_long_as_an_answer_asks(jobs: int) -> None:
    trial = Trial([at("createJob", status=503, times=2), at("results", status=429, retry_after="37")])
    _, clock = try_fault(trial, jobs)
    pauses = [pause for pause in clock.pauses if pause > 0]
    assert max(pauses) == 37
    first, second = pauses[:2]
    assert 0.5 < first < second < 5
