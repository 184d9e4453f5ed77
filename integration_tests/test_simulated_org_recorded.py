"""Forms that were recorded from real orgs and clients; where two forms exist, both are tested."""

from __future__ import annotations

import time
from typing import Any, Literal

import jwt
import pytest
import requests

from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.simulated_org.errors import API_ERRORS, JOB_FAILURES
from integration_tests.simulated_org.translations import translate


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


# -- languages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "text"), [("de", "Die Spalte 'Nope__c' ist in"), ("ja", "列 'Nope__c' が存在しません")]
)
def test_messages_follow_the_language_and_codes_do_not(
    org: SimulatedOrg, client: OrgClient, language: str, text: str
) -> None:
    org.control.configure(language=language)
    (error,) = client.create("SELECT Nope__c FROM Contact").json()
    assert error["errorCode"] == "INVALID_FIELD"
    assert text in error["message"]
    assert "'Contact'" in error["message"]
    assert "ERROR at Row:1:Column:8" in error["message"]
    assert client.get("limits").status_code == 200


@pytest.mark.parametrize("language", ["de", "ja"])
@pytest.mark.parametrize("name", sorted(API_ERRORS))
def test_every_known_message_is_another_in_another_language(name: str, language: Literal["de", "ja"]) -> None:
    message = API_ERRORS[name].api_error("Thing__c").message
    translated = translate(message, language)
    assert translated != message
    assert ("Thing__c" in translated) is ("Thing__c" in message)


def test_a_refused_filter_is_told_in_the_users_words(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.configure(language="ja")
    said = [
        client.create(f"SELECT Id FROM {name}").json()[0] for name in ("ContentDocumentLink", "Vote", "FieldDefinition")
    ]
    assert {one["errorCode"] for one in said} == {"MALFORMED_QUERY"}
    assert all("filter" not in one["message"] for one in said)


def test_parts_of_a_batch_are_translated_too(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.configure(language="de")
    wanted = {"batchRequests": [{"method": "GET", "url": "v66.0/sobjects/Nope__c/describe"}]}
    body = client.session.post(f"{client.base}/composite/batch", json=wanted, timeout=20).json()
    assert body["results"][0]["result"] == [
        {"errorCode": "NOT_FOUND", "message": "Die angeforderte Ressource ist nicht vorhanden"}
    ]


# -- hosts and clocks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_moved_org_redirects_and_the_next_login_names_the_new_instance(
    org: SimulatedOrg, client: OrgClient, status: int
) -> None:
    old = org.instance_url
    job = client.finished("SELECT Id FROM Account")
    org.control.move_instance(status=status)
    answer = client.session.get(f"{client.jobs}/{job}?x=1", allow_redirects=False, timeout=20)
    assert answer.status_code == status
    assert answer.headers["Location"] == f"{org.instance_url}/services/data/v66.0/jobs/query/{job}?x=1"
    there = client.session.get(answer.headers["Location"], timeout=20)
    assert there.json()[0]["errorCode"] == "INVALID_SESSION_ID"
    again = OrgClient(org)
    assert again.token_answer["instance_url"] == org.instance_url != old
    assert again.info(job).json()["state"] == "JobComplete"


def test_a_moved_org_may_keep_its_sessions(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.move_instance(sessions_end=False)
    there = org.instance_url + "/services/data/v66.0/limits"
    assert client.session.get(there, timeout=20).status_code == 200


def test_one_answer_of_a_fast_clock(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.freeze_clock("2026-07-01T10:00:00Z")
    org.control.fault("date_skew", on="limits", seconds=3_600)
    assert client.get("limits").headers["Date"] == "Wed, 01 Jul 2026 11:00:00 GMT"
    assert client.get("limits").headers["Date"] == "Wed, 01 Jul 2026 10:00:00 GMT"


def test_each_host_has_a_clock_of_its_own(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.freeze_clock("2026-07-01T10:00:00Z")
    org.control.configure(login_date_skew=-120, instance_date_skew=300)
    assert client.login().headers["Date"] == "Wed, 01 Jul 2026 09:58:00 GMT"
    assert client.get("limits").headers["Date"] == "Wed, 01 Jul 2026 10:05:00 GMT"
