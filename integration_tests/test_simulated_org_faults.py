from __future__ import annotations

import pytest
import requests

from integration_tests.org_client import OrgClient, fired, strike, table
from integration_tests.simulated_org import KINDS, Fault, SimulatedOrg
from integration_tests.simulated_org.errors import API_ERRORS

ACCOUNTS = "SELECT Id, Name, Industry FROM Account"


@pytest.fixture
def job(client: OrgClient) -> str:
    """A finished job whose pages are asked for 100 rows at a time: 100, 100, 100."""
    return client.finished(ACCOUNTS)


# -- where and when faults strike --------------------------------------------------------------------------------------


def test_a_fault_waits_strikes_and_logs(org: SimulatedOrg, client: OrgClient) -> None:
    number = org.control.fault("http_error", on="limits", status=503, after=1, times=2)
    assert [client.get("limits").status_code for _ in range(5)] == [200, 503, 503, 200, 200]
    log = org.control.fault_log()
    assert [(one["number"], one["seen"], one["fired"]) for one in log] == [(number, 5, 2)]
    org.control.remove_fault(number)
    assert org.control.fault_log() == []


def test_a_fault_may_strike_for_ever_and_everywhere(org: SimulatedOrg, client: OrgClient) -> None:
    strike(org, "http_error", on="*", status=502, times=None)
    assert [client.get(path).status_code for path in ("limits", "sobjects", "/services/data")] == [502, 502, 502]
    org.control.clear_faults()
    assert client.get("limits").status_code == 200


def test_a_fault_may_choose_object_job_and_page(org: SimulatedOrg, client: OrgClient) -> None:
    strike(org, "short_page", object="Account", nth_job=2, page=2)
    for expected in ([100, 100, 100], [100, 99, 100]):
        job = client.finished(ACCOUNTS)
        assert [len(table(one.content)) for one in client.pages(job, maxRecords=100)] == expected


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown fault kind"):
        Fault(kind="nonsense")


# -- errors on any request ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(API_ERRORS))
def test_every_known_error_can_be_injected(org: SimulatedOrg, client: OrgClient, name: str) -> None:
    strike(org, "api_error", error=name, object="Account")
    answer = client.create(ACCOUNTS)
    template = API_ERRORS[name]
    assert answer.status_code == template.status
    assert answer.json()[0]["errorCode"] == template.code
    assert "{object}" not in answer.text
    assert org.control.jobs() == []


@pytest.mark.parametrize(
    "on", ["createJob", "jobInfo", "results", "resultPages", "abort", "delete", "describe", "limits"]
)
@pytest.mark.parametrize(
    ("status", "body", "content"),
    [
        (406, "empty", b""),
        (420, "html", b"<!DOCTYPE"),
        (431, "html", b"<h1>Bad Message 431"),
        (502, "html", b"<!DOCTYPE"),
        (503, "json", b"[{"),
        (500, "[{}]", b"[{}]"),
        (500, "object", b"{"),
        (429, "json", b"[{"),
        (500, "oops", b"oops"),
    ],
)
def test_odd_bodies_on_each_operation(
    org: SimulatedOrg, client: OrgClient, job: str, on: str, status: int, body: str, content: bytes
) -> None:
    strike(org, "http_error", on=on, status=status, body=body, retry_after="7")
    address = f"{client.jobs}/{job}"
    ask = {
        "createJob": lambda: client.create(ACCOUNTS),
        "jobInfo": lambda: client.info(job),
        "results": lambda: client.page(job),
        "resultPages": lambda: client.get(f"jobs/query/{job}/resultPages"),
        "abort": lambda: client.session.patch(address, json={"state": "Aborted"}, timeout=20),
        "delete": lambda: client.session.delete(address, timeout=20),
        "describe": lambda: client.get("sobjects/Account/describe"),
        "limits": lambda: client.get("limits"),
    }[on]
    answer = ask()
    assert answer.status_code == status
    assert answer.content.startswith(content)
    assert answer.headers["Retry-After"] == "7"
    assert fired(org) == [1]


def test_maintenance_on_the_token_endpoint(org: SimulatedOrg, client: OrgClient) -> None:
    strike(org, "maintenance_html")
    assert client.login().text.startswith("<!DOCTYPE")
    org.control.clear_faults()
    strike(org, "maintenance_redirect")
    answer = requests.post(f"{org.url}/services/oauth2/token", allow_redirects=False, timeout=20)
    assert answer.status_code == 302
    assert answer.text.startswith("<!DOCTYPE")


def test_secrets_are_echoed(org: SimulatedOrg, client: OrgClient) -> None:
    strike(org, "echo_secret", on="token")
    assert org.credentials()["client_secret"] in client.login().text
    strike(org, "echo_secret", on="createJob", status=500)
    assert client.token_answer["access_token"] in client.create(ACCOUNTS).text


@pytest.mark.parametrize(
    ("error", "code"), [(None, "INVALID_SESSION_ID"), ("INVALID_JWT_FORMAT", "INVALID_JWT_FORMAT")]
)
def test_the_session_dies_between_two_polls(org: SimulatedOrg, client: OrgClient, error: str | None, code: str) -> None:
    job = client.create(ACCOUNTS).json()["id"]
    strike(org, "session_ends", on="jobInfo", after=1, error=error)
    assert client.info(job).status_code == 200
    assert client.info(job).json()[0]["errorCode"] == code
    assert client.get("limits").status_code == 401


def test_poll_errors_pass(org: SimulatedOrg, client: OrgClient) -> None:
    job = client.create(ACCOUNTS).json()["id"]
    strike(org, "api_error", on="jobInfo", error="TXN_SECURITY_METERING_ERROR")
    assert client.info(job).json()[0]["errorCode"] == "TXN_SECURITY_METERING_ERROR"
    assert client.info(job).json()["state"] == "InProgress"


# -- answers lost or changed -------------------------------------------------------------------------------------------


def test_the_answer_is_lost_but_the_job_exists(org: SimulatedOrg, client: OrgClient) -> None:
    strike(org, "answer_lost")
    with pytest.raises(requests.ConnectionError):
        client.create(ACCOUNTS)
    assert [one["object"] for one in org.control.jobs()] == ["Account"]


def test_an_error_after_the_job_was_made(org: SimulatedOrg, client: OrgClient) -> None:
    strike(org, "error_after", status=500, body="html")
    assert client.create(ACCOUNTS).status_code == 500
    assert len(org.control.jobs()) == 1


@pytest.mark.parametrize("value", [None, "reset"])
def test_the_connection_closes_before_anything_happens(org: SimulatedOrg, client: OrgClient, value: str | None) -> None:
    strike(org, "close_before", on="createJob", value=value)
    with pytest.raises(requests.ConnectionError):
        client.create(ACCOUNTS)
    assert org.control.jobs() == []


@pytest.mark.parametrize(("kind", "on"), [("delay", "limits"), ("hang", "limits"), ("late_answer", "limits")])
def test_answers_may_be_late(org: SimulatedOrg, client: OrgClient, kind: str, on: str) -> None:
    strike(org, kind, on=on, seconds=1.0)
    with pytest.raises(requests.Timeout):
        client.session.get(f"{client.base}/limits", timeout=0.2)
    assert client.get("limits").status_code == 200


def test_json_that_is_none(org: SimulatedOrg, client: OrgClient, job: str) -> None:
    strike(org, "unparsable_json", on="jobInfo")
    strike(org, "html_200", on="limits")
    strike(org, "empty_object_array", on="sobjects", status=403)
    with pytest.raises(requests.JSONDecodeError):
        client.info(job).json()
    assert client.get("limits").text.startswith("<!DOCTYPE")
    refused = client.get("sobjects")
    assert (refused.status_code, refused.json()) == (403, [{}])


def test_keys_and_headers_may_go_missing_or_change(org: SimulatedOrg, client: OrgClient, job: str) -> None:
    strike(org, "json_without", name="numberRecordsProcessed")
    assert "numberRecordsProcessed" not in client.info(job).json()
    strike(org, "json_set", name="state", value="NotProcessed")
    assert client.info(job).json()["state"] == "NotProcessed"
    strike(org, "drop_header", on="limits", name="Sforce-Limit-Info")
    assert "Sforce-Limit-Info" not in client.get("limits").headers
    strike(org, "set_header", on="limits", name="Sforce-Limit-Info", value="garbage")
    assert client.get("limits").headers["Sforce-Limit-Info"] == "garbage"
    strike(org, "drop_header", on="limits", name="Date")
    assert "Date" not in client.get("limits").headers
    assert "Date" in client.get("limits").headers


def test_rest_query_says_done_too_early(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.configure(rest_batch=100)
    strike(org, "query_done_early")
    body = client.get("query", q=ACCOUNTS).json()
    assert body["done"]
    assert len(body["records"]) == 100 < body["totalSize"]


# -- jobs that go another way ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [None, "Unexpected exception encountered in query processing."])
def test_a_job_fails_with_or_without_a_message(org: SimulatedOrg, client: OrgClient, message: str | None) -> None:
    strike(org, "job_failed", message=message)
    body = client.info(client.finished(ACCOUNTS)).json()
    assert body["state"] == "Failed"
    assert body.get("errorMessage") == message
    assert client.info(client.finished(ACCOUNTS)).json()["state"] == "JobComplete"


def test_only_large_results_fail(org: SimulatedOrg, client: OrgClient) -> None:
    strike(org, "job_failed", value="above", rows=100, times=None)
    assert client.info(client.finished(ACCOUNTS)).json()["state"] == "Failed"
    assert client.info(client.finished(ACCOUNTS + " LIMIT 100")).json()["state"] == "JobComplete"


def test_an_administrator_aborts(org: SimulatedOrg, client: OrgClient) -> None:
    strike(org, "job_aborted")
    assert client.info(client.finished(ACCOUNTS)).json()["state"] == "Aborted"
    assert not org.control.jobs()[0]["aborted"]


@pytest.mark.parametrize(
    ("kind", "value", "state"), [("job_stuck", None, "InProgress"), ("job_state", "NotProcessed", "NotProcessed")]
)
def test_a_job_never_ends_but_can_be_aborted(
    org: SimulatedOrg, client: OrgClient, kind: str, value: str | None, state: str
) -> None:
    strike(org, kind, value=value)
    job = client.create(ACCOUNTS).json()["id"]
    assert {client.info(job).json()["state"] for _ in range(10)} == {state}
    client.session.patch(f"{client.jobs}/{job}", json={"state": "Aborted"}, timeout=20)
    assert client.info(job).json()["state"] == "Aborted"


def test_slow_expiring_and_vanishing_jobs(org: SimulatedOrg, client: OrgClient) -> None:
    strike(org, "job_slow", polls=5)
    job = client.create(ACCOUNTS).json()["id"]
    assert [client.info(job).json()["state"] for _ in range(5)][-2:] == ["InProgress", "JobComplete"]
    strike(org, "job_expires", polls=1)
    job = client.create(ACCOUNTS).json()["id"]
    assert [client.info(job).status_code for _ in range(2)] == [200, 404]
    strike(org, "job_vanishes", at=1)
    job = client.finished(ACCOUNTS)
    first = client.page(job, maxRecords=100)
    assert first.status_code == 200
    assert client.page(job, locator=first.headers["Sforce-Locator"]).status_code == 404
    assert client.info(job).status_code == 404


def test_totals_may_be_missing_or_wrong(org: SimulatedOrg, client: OrgClient) -> None:
    strike(org, "total_missing")
    assert "numberRecordsProcessed" not in client.info(client.finished(ACCOUNTS)).json()
    strike(org, "total_wrong", delta=-3)
    assert client.info(client.finished(ACCOUNTS)).json()["numberRecordsProcessed"] == 297


def test_every_kind_is_described() -> None:
    assert all(kind.meaning for kind in KINDS.values())
