from __future__ import annotations

import time

import pytest

from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

ACCOUNTS = "SELECT Id, Name FROM Account"


def test_create_answers_the_recorded_body(client: OrgClient) -> None:
    answer = client.create("select id from account", operation="query", lineEnding="CRLF", columnDelimiter="TAB")
    body = answer.json()
    assert answer.status_code == 200
    assert list(body) == [
        "id", "operation", "object", "createdById", "createdDate", "systemModstamp", "state", "concurrencyMode",
        "contentType", "apiVersion", "lineEnding", "columnDelimiter",
    ]  # fmt: skip
    assert body["id"].startswith("750")
    assert len(body["id"]) == 18
    assert body["object"] == "Account"
    assert body["state"] == "UploadComplete"
    assert body["apiVersion"] == 66.0
    assert body["createdDate"].endswith(".000+0000")


def test_a_job_goes_through_its_states_by_polls(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.configure(polls_until_complete=3)
    job = client.create(ACCOUNTS).json()["id"]
    bodies = [client.info(job).json() for _ in range(4)]
    assert [one["state"] for one in bodies] == ["InProgress", "InProgress", "JobComplete", "JobComplete"]
    assert bodies[0]["jobType"] == "V2Query"
    assert bodies[0]["numberRecordsProcessed"] == 0
    assert bodies[-1]["numberRecordsProcessed"] == len(org.control.rows("Account"))
    assert {"retries", "totalProcessingTime", "isPkChunkingSupported"} <= set(bodies[-1])


def test_a_job_may_be_complete_at_once(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.configure(polls_until_complete=0)
    job = client.create(ACCOUNTS).json()["id"]
    assert client.page(job).status_code == 200


def test_a_job_may_take_time_instead_of_polls(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.configure(latency=0.1)
    job = client.create(ACCOUNTS).json()["id"]
    assert client.info(job).json()["state"] in ("UploadComplete", "InProgress")
    deadline = time.monotonic() + 10
    while client.info(job).json()["state"] != "JobComplete":
        assert time.monotonic() < deadline


def test_the_org_runs_only_so_many_jobs(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.configure(max_running_jobs=1)
    first, second = (client.create(ACCOUNTS).json()["id"] for _ in range(2))
    assert client.info(first).json()["state"] == "InProgress"
    assert client.info(second).json()["state"] == "UploadComplete"
    assert client.info(first).json()["state"] == "JobComplete"
    assert client.info(second).json()["state"] == "JobComplete"
    assert org.control.peak_unfinished_jobs() == 2


@pytest.mark.parametrize("form", ["zero", "missing", "total"])
def test_the_count_before_completion_is_a_knob(org: SimulatedOrg, client: OrgClient, form: str) -> None:
    org.control.configure(count_while_running=form)
    job = client.create(ACCOUNTS).json()["id"]
    expected = {"zero": 0, "missing": None, "total": len(org.control.rows("Account"))}[form]
    assert client.info(job).json().get("numberRecordsProcessed") == expected
    assert client.info(job).json()["numberRecordsProcessed"] == len(org.control.rows("Account"))


@pytest.mark.parametrize(("version", "known"), [("51.0", False), ("57.0", False), ("58.0", True), ("66.0", True)])
def test_older_versions_do_not_say_whether_chunking_is_supported(org: SimulatedOrg, version: str, known: bool) -> None:
    client = OrgClient(org, version)
    assert ("isPkChunkingSupported" in client.info(client.finished(ACCOUNTS)).json()) is known


@pytest.mark.parametrize(("moment", "sees_it"), [("creation", False), ("processing", True)])
def test_results_are_a_snapshot(org: SimulatedOrg, client: OrgClient, moment: str, sees_it: bool) -> None:
    org.control.configure(snapshot_at=moment)
    job = client.create(ACCOUNTS).json()["id"]
    before = org.control.insert("Account", [{"Name": "before processing"}])[0]
    client.info(job)
    client.info(job)
    after = org.control.insert("Account", [{"Name": "after processing"}])[0]
    ids = client.page(job).text
    assert (before in ids) is sees_it
    assert after not in ids


def test_refusals_come_with_the_create(client: OrgClient) -> None:
    refused = client.create("SELECT Nope FROM Account")
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "INVALID_FIELD")
    assert client.create("SELECT Id FROM CaseStatus").json()[0]["errorCode"] == "INVALIDENTITY"
    assert client.create(ACCOUNTS, operation="upsert").status_code == 400
    assert client.create(ACCOUNTS, columnDelimiter="HASH").status_code == 400


def test_jobs_do_not_exist_below_version_47(org: SimulatedOrg) -> None:
    assert OrgClient(org, "46.0").create(ACCOUNTS).status_code == 404
    assert OrgClient(org, "47.0").create(ACCOUNTS).status_code == 200


def test_abort(client: OrgClient) -> None:
    job = client.create(ACCOUNTS).json()["id"]
    address = f"{client.jobs}/{job}"
    answer = client.session.patch(address, json={"state": "Aborted"}, timeout=20)
    assert answer.status_code == 200
    assert answer.json()["state"] == "Aborted"
    assert "lineEnding" not in answer.json()
    again = client.session.patch(address, json={"state": "Aborted"}, timeout=20)
    assert (again.status_code, again.json()[0]["errorCode"]) == (400, "INVALIDJOBSTATE")
    assert client.info(job).json()["state"] == "Aborted"


def test_delete(org: SimulatedOrg, client: OrgClient) -> None:
    unfinished = client.create(ACCOUNTS).json()["id"]
    refused = client.session.delete(f"{client.jobs}/{unfinished}", timeout=20)
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "API_ERROR")
    job = client.finished(ACCOUNTS)
    answer = client.session.delete(f"{client.jobs}/{job}", timeout=20)
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.info(job).status_code == 404
    assert client.page(job).status_code == 404
    report = next(one for one in org.control.jobs() if one["id"] == job)
    assert report["deleted"]
    assert report["query"] == ACCOUNTS


def test_list_pages_by_locator_with_the_odd_address(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.configure(list_page_size=2)
    own = {client.create(ACCOUNTS).json()["id"] for _ in range(3)}
    foreign = org.control.add_foreign_job("Contact", state="InProgress")
    classic = org.control.add_foreign_job("Contact", job_type="Classic")
    first = client.get("jobs/query").json()
    assert not first["done"]
    assert "/jobs/ingest?queryLocator=" in first["nextRecordsUrl"]
    found = {one["id"] for one in first["records"]}
    locator = first["nextRecordsUrl"].split("=")[1]
    while locator:
        page = client.get("jobs/query", queryLocator=locator).json()
        found |= {one["id"] for one in page["records"]}
        locator = page["nextRecordsUrl"].split("=")[1] if page["nextRecordsUrl"] else ""
    assert found == own | {foreign, classic}
    assert {one["id"] for one in client.get("jobs/query", jobType="Classic").json()["records"]} == {classic}


def test_job_counters(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.set_limit("DailyBulkV2QueryJobs", remaining=1)
    client.finished(ACCOUNTS)
    refused = client.create(ACCOUNTS)
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "LIMIT_EXCEEDED")
    assert "Max bulk v2 query jobs (10000) per 24 hrs has been reached" in refused.json()[0]["message"]
    org.control.set_limit("DailyBulkV2QueryJobs")
    org.control.set_limit("DailyBulkV2QueryFileStorageMB", remaining=0)
    assert "result size stored" in client.create(ACCOUNTS).json()[0]["message"]
    org.control.configure(enforce_limits=False)
    assert client.create(ACCOUNTS).status_code == 200


def test_chunking_is_reported(client: OrgClient) -> None:
    supported = client.finished("SELECT Id FROM Account")
    unsupported = client.finished("SELECT Id FROM Account ORDER BY Name LIMIT 5")
    assert client.info(supported).json()["isPkChunkingSupported"]
    assert not client.info(unsupported).json()["isPkChunkingSupported"]


def test_admins_may_end_jobs(org: SimulatedOrg, client: OrgClient) -> None:
    aborted, failed, expired = (client.create(ACCOUNTS).json()["id"] for _ in range(3))
    org.control.abort_job(aborted)
    org.control.fail_job(failed, "InternalServerError : Retried more than 15 times")
    org.control.expire_job(expired)
    assert client.info(aborted).json()["state"] == "Aborted"
    assert client.info(failed).json()["errorMessage"].startswith("InternalServerError")
    assert client.info(expired).status_code == 404
    assert client.page(failed).status_code == 412


def test_settings_are_checked() -> None:
    with SimulatedOrg(OrgSettings(polls_until_complete=1)) as org, pytest.raises(TypeError):
        org.control.configure(no_such_setting=1)
