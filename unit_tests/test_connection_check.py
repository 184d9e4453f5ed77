from __future__ import annotations

import pytest
import requests

from source_salesforce_bulk.extraction.connection_check import check_connection
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from unit_tests.fakes import Answer
from unit_tests.test_connection import BASE, LIMITS, SESSION, Rig

USER = "005A00000012345AAA"
VERSIONS = Answer(200, [{"version": "65.0"}, {"version": "9.0"}, {"version": "66.0"}])
JOBS = "/services/data/v66.0/jobs/query"
ENOUGH = Answer(200, LIMITS)
LOST = Answer(error=requests.exceptions.ReadTimeout())
CREATED = Answer(200, {"id": "750A", "state": "UploadComplete"})


def error(status: int, code: str, message: str = "m") -> Answer:
    return Answer(status, [{"errorCode": code, "message": message}])


def checking(
    versions: Answer = VERSIONS, limits: Answer = ENOUGH, create: Answer | None = CREATED, **config: object
) -> Rig:
    """Script the calls of a check up to and including the create."""
    rig = Rig(**config)
    rig.http.expect("GET", "/services/data", versions)
    rig.limits(limits)
    if create is not None:
        rig.http.expect("POST", JOBS, create)
    return rig


def ended(rig: Rig) -> Rig:
    rig.http.expect("PATCH", f"{JOBS}/750A", Answer(200, {"id": "750A", "state": "Aborted"}))
    rig.http.expect("DELETE", f"{JOBS}/750A", Answer(204))
    return rig


def check(rig: Rig) -> str:
    with rig.http, rig.connection:
        return check_connection(rig.connection)


def failure(rig: Rig) -> Failure:
    with pytest.raises(SalesforceError) as raised:
        check(rig)
    return raised.value.failure


def test_a_sound_connection_says_who_is_connected_to_what():
    sentence = check(ended(checking()))
    for word in ("00DA0000000001AAAA", USER, BASE):
        assert word in sentence
    assert SESSION["access_token"] not in sentence


def test_bulk_access_is_tried_with_a_job_for_one_row_at_most_which_is_ended():
    rig = ended(checking())
    check(rig)
    (create,) = [sent for sent in rig.http.sent if sent.url.endswith(JOBS) and sent.method == "POST"]
    assert create.json["query"] == f"SELECT Id FROM User WHERE (Id = '{USER}')"
    assert [sent.method for sent in rig.http.sent][-2:] == ["PATCH", "DELETE"]


@pytest.mark.parametrize("objects", [["*"], ["Account"]])
def test_an_override_of_a_misspelt_object_fails_the_check(objects):
    rig = ended(checking(objects=objects, object_overrides=[{"object": "Acount", "where": "Name != null"}]))
    rig.http.expect("GET", "/services/data/v66.0/sobjects", Answer(200, {"sobjects": [{"name": "Account"}]}))
    with pytest.raises(ValueError, match=r"Acount: .*did you mean Account"):
        check(rig)


def test_a_create_whose_answer_is_lost_is_sent_once_more(caplog):
    rig = checking(create=LOST)
    rig.http.expect("POST", JOBS, CREATED)
    check(ended(rig))
    assert any("may be left in the org" in record.getMessage() for record in caplog.records)


def test_a_create_whose_answer_is_lost_twice_fails_the_check():
    rig = checking(create=LOST)
    rig.http.expect("POST", JOBS, LOST)
    assert failure(rig).kind is Kind.ANSWER_LOST


def test_a_check_costs_few_calls():
    rig = ended(checking())
    check(rig)
    assert len(rig.http.sent) == 6  # the login and the versions among them, which count against no limit


@pytest.mark.parametrize(
    "refusal",
    [
        error(400, "INVALIDENTITY", "Entity 'User' is not supported by the Bulk API."),
        error(400, "API_ERROR", "INVALID_TYPE: sObject type 'User' is not supported"),
    ],
)
def test_a_user_object_that_bulk_refuses_proves_that_bulk_answers(refusal):
    assert "Connected" in check(checking(create=refusal))


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (error(403, "API_DISABLED_FOR_ORG"), Kind.API_DISABLED),
        (error(403, "REQUEST_LIMIT_EXCEEDED"), Kind.API_CALLS_EXHAUSTED),
        (Answer(404, [{"errorCode": "NOT_FOUND", "message": "m"}]), Kind.VERSION_UNKNOWN),
    ],
)
def test_what_stands_in_the_way_of_bulk_is_raised(refusal, kind):
    assert failure(checking(create=refusal)).kind is kind


def test_refused_credentials_end_the_check_at_the_login():
    rig = Rig()
    rig.http._script.clear()
    rig.http.expect("POST", "/services/oauth2/token", Answer(400, {"error": "invalid_client"}))
    assert failure(rig).kind is Kind.CREDENTIALS_REFUSED


def test_a_version_that_the_org_does_not_have_is_named_with_the_newest_it_has():
    rig = Rig(api_version="v67.0")
    rig.http.expect("GET", "/services/data", VERSIONS)
    found = failure(rig)
    assert found.kind is Kind.VERSION_UNKNOWN
    assert "v67.0" in found.summary
    assert "v66.0" in found.summary


def test_an_org_that_hides_its_versions_is_checked_all_the_same(caplog):
    rig = ended(checking(versions=error(404, "NOT_FOUND")))
    assert "Connected" in check(rig)
    assert any("version" in record.getMessage().lower() for record in caplog.records)


def test_used_up_limits_fail_the_check():
    used_up = LIMITS | {"DailyApiRequests": {"Max": 1000, "Remaining": 0}}
    assert failure(checking(limits=Answer(200, used_up), create=None)).kind is Kind.API_CALLS_EXHAUSTED


def test_a_job_that_cannot_be_ended_does_not_fail_the_check():
    rig = checking()
    rig.http.expect("PATCH", f"{JOBS}/750A", error(403, "INSUFFICIENT_ACCESS"))
    rig.http.expect("DELETE", f"{JOBS}/750A", error(403, "INSUFFICIENT_ACCESS"))
    assert "Connected" in check(rig)


# The objects that the configuration names


def named(answer: Answer) -> Rig:
    rig = ended(checking(objects=["Account", "Oportunity", "*__c"]))
    rig.http.expect("GET", "/services/data/v66.0/sobjects", answer)
    return rig


def test_an_object_that_is_named_and_not_there_is_a_warning(caplog):
    objects = [{"name": name, "label": name, "queryable": True} for name in ("Account", "Opportunity")]
    assert "Connected" in check(named(Answer(200, {"sobjects": objects})))
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said.startswith("Oportunity will not be offered, though the configuration names it: ")
    assert "did you mean Opportunity?" in said


def test_an_org_that_does_not_list_its_objects_is_checked_all_the_same(caplog):
    assert "Connected" in check(named(error(403, "INSUFFICIENT_ACCESS")))
    assert any("objects cannot be listed" in record.getMessage() for record in caplog.records)


def test_patterns_alone_are_not_looked_up():
    rig = ended(checking(objects=["*", "Acc*"]))
    check(rig)
    assert not [sent for sent in rig.http.sent if sent.url.endswith("/sobjects")]
