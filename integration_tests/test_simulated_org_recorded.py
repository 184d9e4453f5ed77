"""Forms that were recorded from real orgs and clients; where two exist, both are tried."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
import requests

from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.simulated_org.errors import JOB_FAILURES


def fields(client: OrgClient, name: str) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in client.get(f"sobjects/{name}/describe").json()["fields"]}


# -- describe ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("object_name", "field"), [("Account", "BillingAddress"), ("Awkward__c", "Place__c")])
def test_compound_fields_are_filterable_by_distance_and_never_written(
    client: OrgClient, object_name: str, field: str
) -> None:
    found = fields(client, object_name)[field]
    assert (found["filterable"], found["queryByDistance"], found["createable"]) == (True, True, False)
    refused = client.get("query", q=f"SELECT Id FROM {object_name} WHERE {field} = null")
    assert refused.json()[0]["errorCode"] == "INVALID_FIELD"


def test_integers_have_digits_and_no_precision(client: OrgClient) -> None:
    account, awkward = fields(client, "Account"), fields(client, "Awkward__c")
    assert (account["NumberOfEmployees"]["precision"], account["NumberOfEmployees"]["digits"]) == (0, 8)
    assert (awkward["Long__c"]["precision"], awkward["Long__c"]["digits"]) == (0, 18)
    assert (account["AnnualRevenue"]["precision"], account["AnnualRevenue"]["digits"]) == (18, 0)


def test_compounds_that_are_no_fields_or_can_be_selected(client: OrgClient) -> None:
    opportunity = fields(client, "Opportunity")
    assert opportunity["FiscalQuarter"]["compoundFieldName"] == opportunity["FiscalYear"]["compoundFieldName"]
    assert opportunity["FiscalYear"]["compoundFieldName"] == "Fiscal"
    assert "Fiscal" not in opportunity
    assert fields(client, "Account")["Name"]["compoundFieldName"] == "Name"
    assert client.read("SELECT Name, BillingCity FROM Account LIMIT 1", maxRecords=1)[0]["Name"]


def test_a_field_is_renamed_in_letter_case_alone(org: SimulatedOrg, client: OrgClient) -> None:
    before = org.control.rows("Account", fields=["Id", "Score__c"])
    org.control.rename_field("Account", "Score__c", "SCORE__c")
    assert "SCORE__c" in fields(client, "Account")
    assert "Score__c" not in fields(client, "Account")
    rows = client.read("SELECT Id, score__c FROM Account ORDER BY Id")
    assert rows == [{"Id": row["Id"], "SCORE__c": row["Score__c"]} for row in before]
    (new,) = org.control.insert("Account", [{"Name": "After", "score__c": "1.5"}])
    assert client.read(f"SELECT SCORE__c FROM Account WHERE Id = '{new}'") == [{"SCORE__c": "1.5"}]


def test_a_field_is_renamed_altogether(org: SimulatedOrg, client: OrgClient) -> None:
    before = [row["Score__c"] for row in org.control.rows("Account")]
    org.control.rename_field("Account", "Score__c", "Grade__c")
    assert [row["Grade__c"] for row in org.control.rows("Account")] == before
    assert client.create("SELECT Score__c FROM Account").json()[0]["errorCode"] == "INVALID_FIELD"


# -- headers -----------------------------------------------------------------------------------------------------------


def test_every_rest_answer_has_a_request_id_of_its_own(client: OrgClient) -> None:
    job = client.finished("SELECT Id FROM Account")
    answers = [
        client.get("/services/data"),
        client.get("limits"),
        client.get("sobjects/Nope__c/describe"),
        client.create("SELECT Nope FROM Account"),
        client.page(job),
        client.session.delete(f"{client.jobs}/{job}", timeout=20),
    ]
    ids = [answer.headers["X-Sfdc-Request-Id"] for answer in answers]
    assert len(set(ids)) == len(ids)
    assert "X-Sfdc-Request-Id" not in client.login().headers


def test_the_usage_header_lags_and_goes_backwards(org: SimulatedOrg, client: OrgClient) -> None:
    def used() -> list[int]:
        answers = [client.get("limits") for _ in range(8)]
        return [int(one.headers["Sforce-Limit-Info"].partition("=")[2].partition("/")[0]) for one in answers]

    lagging = used()
    assert lagging != sorted(lagging)
    assert all(shown <= true for shown, true in zip(lagging, range(1, 9), strict=True))
    org.control.configure(limit_info_lag=())
    assert used() == list(range(9, 17))


def test_token_version_and_204_answers_have_no_usage_header(client: OrgClient) -> None:
    job = client.finished("SELECT Id FROM Account")
    deleted = client.session.delete(f"{client.jobs}/{job}", timeout=20)
    assert deleted.status_code == 204
    for answer in (client.login(), client.get("/services/data"), deleted):
        assert "Sforce-Limit-Info" not in answer.headers


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_a_token_answer_may_lack_keys_and_bring_others() -> None:
    left_out = ("scope", "id", "issued_at", "signature")
    with SimulatedOrg(OrgSettings(token_keys_left_out=left_out, token_api_instance_url=True)) as org:
        answer = OrgClient(org).token_answer
        assert set(answer) == {"access_token", "instance_url", "token_type", "api_instance_url"}


@pytest.mark.parametrize(
    ("accepted", "audience", "status"),
    [
        ("any", "https://login.salesforce.com", 200),
        ("any", "https://test.salesforce.com", 200),
        ("test", "https://login.salesforce.com", 400),
        ("test", "https://test.salesforce.com", 200),
        ("login", "https://test.salesforce.com", 400),
        ("own", "https://login.salesforce.com", 400),
        ("own", "{url}", 200),
        ("test", "{url}", 400),
    ],
)
def test_the_audience_of_an_assertion(org: SimulatedOrg, accepted: str, audience: str, status: int) -> None:
    org.control.configure(jwt_audiences=accepted)
    answer = by_assertion(org, aud=audience.replace("{url}", org.url))
    assert answer.status_code == status
    if status == 400:
        assert answer.json() == {"error": "invalid_grant", "error_description": "Audience validation failed"}


def test_an_assertion_that_is_past_by_the_orgs_clock(org: SimulatedOrg) -> None:
    org.control.configure(jwt_exp_by_org_clock=True)
    org.control.advance_clock(3_600)
    answer = by_assertion(org, aud=org.url)
    assert answer.json() == {"error": "invalid_grant", "error_description": "expired authorization code"}


def by_assertion(org: SimulatedOrg, **changes: object) -> requests.Response:
    credentials = org.credentials("jwt_bearer")
    claims = {"iss": credentials["client_id"], "sub": credentials["username"], "exp": int(time.time()) + 180}
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": jwt.encode(claims | changes, credentials["private_key"], algorithm="RS256"),
    }
    return requests.post(f"{org.url}/services/oauth2/token", data=form, timeout=20)


# -- jobs --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(JOB_FAILURES))
def test_jobs_fail_with_every_recorded_message(org: SimulatedOrg, client: OrgClient, name: str) -> None:
    org.control.fault("job_failed", error=name)
    body = client.info(client.finished("SELECT Id FROM Account")).json()
    assert body["state"] == "Failed"
    assert body["errorMessage"] == JOB_FAILURES[name].replace("{object}", "Account")


@pytest.mark.parametrize(
    ("error", "status"), [("INSUFFICIENT_ACCESS", 403), ("FORBIDDEN", 403), ("API_ERROR", 400), ("NOT_FOUND", 404)]
)
def test_job_info_may_be_refused(org: SimulatedOrg, client: OrgClient, error: str, status: int) -> None:
    job = client.finished("SELECT Id FROM Account")
    org.control.fault("api_error", on="jobInfo", error=error)
    refused = client.info(job)
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (status, error)


def test_a_page_without_a_wish_may_hold_far_more_than_50000_rows() -> None:
    with SimulatedOrg(OrgSettings(bench_rows=51_000)) as org:
        client = OrgClient(org)
        (page,) = client.pages(client.finished("SELECT Id FROM Bench__c"))
        assert page.headers["Sforce-NumberOfRecords"] == "51000"
