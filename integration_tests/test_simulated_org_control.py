from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import KINDS, OrgSettings, SimulatedOrg
from integration_tests.simulated_org.control import control_methods

ROOT = Path(__file__).parent.parent


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(frozen_at="2026-07-01T00:00:00Z", polls_until_complete=1)) as simulated:
        yield simulated


def http(org: SimulatedOrg, method: str, **arguments: Any) -> Any:
    answer = requests.post(f"{org.control_url}/{method}", json=arguments, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def one(org: SimulatedOrg, name: str, record: str) -> dict[str, str | None]:
    return org.control.rows(name, where=f"Id = '{record}'")[0]


# -- rows --------------------------------------------------------------------------------------------------------------


def test_inserted_rows_are_stamped_by_the_orgs_clock(org: SimulatedOrg) -> None:
    known = {row["Id"] for row in org.control.rows("Contact")}
    record = org.control.insert("Contact", [{"LastName": "New", "Email": None, "HasOptedOutOfEmail": True}])[0]
    assert record not in known
    row = one(org, "Contact", record)
    assert row["SystemModstamp"] == row["CreatedDate"] == row["LastModifiedDate"] == "2026-07-01T00:00:00.000Z"
    assert (row["Email"], row["HasOptedOutOfEmail"], row["IsDeleted"]) == (None, "true", "false")


def test_stamps_may_be_given(org: SimulatedOrg) -> None:
    record = org.control.insert("Contact", [{"LastName": "Old", "CreatedDate": "1970-01-01T00:00:00.000Z"}],
                                stamp="2020-02-02T02:02:02Z")[0]  # fmt: skip
    row = one(org, "Contact", record)
    assert (row["CreatedDate"], row["SystemModstamp"]) == ("1970-01-01T00:00:00.000Z", "2020-02-02T02:02:02.000Z")


@pytest.mark.parametrize(
    ("touch", "modified", "stamped"), [("all", True, True), ("system", False, True), ("none", False, False)]
)
def test_updates_move_the_stamps_they_should(org: SimulatedOrg, touch: str, modified: bool, stamped: bool) -> None:
    record = str(org.control.rows("Account")[5]["Id"])
    assert org.control.update("Account", {"Name": "Changed"}, ids=[record], touch=touch) == 1  # type: ignore[arg-type]
    row = one(org, "Account", record)
    assert row["Name"] == "Changed"
    assert (row["LastModifiedDate"] == "2026-07-01T00:00:00.000Z") is modified
    assert (row["SystemModstamp"] == "2026-07-01T00:00:00.000Z") is stamped


def test_updates_find_rows_by_soql(org: SimulatedOrg) -> None:
    done = org.control.update("Account", {"Rating": "Hot"}, where="Industry = 'Energy'")
    rows = org.control.rows("Account", where="Industry = 'Energy'")
    assert done == len(rows) > 0
    assert {row["Rating"] for row in rows} == {"Hot"}
    with pytest.raises(ValueError, match="no field"):
        org.control.update("Account", {"Nope": 1}, where="Id != null")


def test_soft_and_hard_deletes(org: SimulatedOrg) -> None:
    soft, hard, back = (str(row["Id"]) for row in org.control.rows("Account", operation="query")[:3])
    org.control.soft_delete("Account", ids=[soft, back])
    org.control.hard_delete("Account", ids=[hard])
    org.control.undelete("Account", [back])
    live = {row["Id"] for row in org.control.rows("Account", operation="query")}
    every = {row["Id"] for row in org.control.rows("Account")}
    assert (soft in live, soft in every, hard in every, back in live) == (False, True, False, True)
    assert one(org, "Account", soft)["SystemModstamp"] == "2026-07-01T00:00:00.000Z"
    with pytest.raises(ValueError, match="no recycle bin"):
        org.control.soft_delete("User", ids=[soft])


def test_merges_name_the_winner(org: SimulatedOrg) -> None:
    winner, loser = (str(row["Id"]) for row in org.control.rows("Account", operation="query")[:2])
    org.control.merge("Account", winner, loser)
    row = one(org, "Account", loser)
    assert (row["IsDeleted"], row["MasterRecordId"]) == ("true", winner)


def test_late_rows_become_visible_with_old_stamps(org: SimulatedOrg) -> None:
    client = OrgClient(org)
    now = org.control.insert_late("Account", [{"Name": "late"}], stamped_ago=300)[0]
    later = org.control.insert_late("Account", [{"Name": "later"}], stamped_ago=300, visible_in=60)[0]
    soql = "SELECT Id FROM Account WHERE SystemModstamp >= 2026-06-30T23:55:00Z"
    assert [row["Id"] for row in client.read(soql)] == [now]
    org.control.advance_clock(61)
    assert {row["Id"] for row in client.read(soql)} == {now, later}
    assert one(org, "Account", later)["SystemModstamp"] == "2026-06-30T23:55:00.000Z"


def test_empty_text_is_null(org: SimulatedOrg) -> None:
    record = org.control.insert("Account", [{"Name": "x", "Phone": ""}])[0]
    assert one(org, "Account", record)["Phone"] is None


# -- schema ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["remove_field", "hide_field"])
def test_fields_go_and_come_back(org: SimulatedOrg, method: str) -> None:
    client = OrgClient(org)
    getattr(org.control, method)("Account", "Rating")
    names = {field["name"] for field in client.get("sobjects/Account/describe").json()["fields"]}
    assert "Rating" not in names
    assert client.create("SELECT Rating FROM Account").json()[0]["errorCode"] == "INVALID_FIELD"
    assert "Rating" not in org.control.rows("Account")[0]
    if method == "hide_field":
        org.control.show_field("Account", "Rating")
        assert client.create("SELECT Rating FROM Account").status_code == 200


def test_fields_and_objects_may_be_added_and_removed(org: SimulatedOrg) -> None:
    client = OrgClient(org)
    org.control.add_field("Account", "Fresh__c currency(18,2)")
    org.control.update("Account", {"Fresh__c": "12.50"}, where="Name = 'Account 000001'")
    assert {"Fresh__c": "12.50"} in client.read("SELECT Fresh__c FROM Account")
    org.control.add_object("Fresh__c", "Name string(80) name", rows=7)
    assert len(client.read("SELECT Id, Name FROM Fresh__c")) == 7
    org.control.remove_object("Fresh__c")
    assert client.create("SELECT Id FROM Fresh__c").json()[0]["errorCode"] == "INVALID_TYPE"
    assert "Fresh__c" not in {found["name"] for found in org.control.objects()}


# -- events ------------------------------------------------------------------------------------------------------------


def test_a_change_happens_after_the_second_page(org: SimulatedOrg) -> None:
    client = OrgClient(org)
    job = client.finished("SELECT Id, Name FROM Account")
    org.control.when("page_served", "insert", {"object": "Account", "rows": [{"Name": "between"}]}, "Account", nth=2)
    first = client.page(job, maxRecords=100)
    assert not org.control.rows("Account", where="Name = 'between'")
    second = client.page(job, maxRecords=100, locator=first.headers["Sforce-Locator"])
    client.page(job, maxRecords=100, locator=second.headers["Sforce-Locator"])
    assert org.control.rows("Account", where="Name = 'between'")
    assert org.control.pending_events() == 0


def test_a_field_disappears_between_describe_and_create(org: SimulatedOrg) -> None:
    client = OrgClient(org)
    org.control.when("createJob", "remove_field", {"object": "Account", "field": "Rating"}, object="Account")
    assert client.get("sobjects/Account/describe").status_code == 200
    assert client.create("SELECT Rating FROM Account").json()[0]["errorCode"] == "INVALID_FIELD"


def test_functions_may_run_at_events(org: SimulatedOrg) -> None:
    client = OrgClient(org)
    seen: list[str] = []
    for event in ("job_created", "job_processing", "job_completed", "job_ended", "token", "delete"):
        org.control.when_do(event, lambda event=event: seen.append(event))  # type: ignore[misc]
    client.login()
    client.finished("SELECT Id FROM Account")
    assert seen == ["token", "job_created", "job_processing", "job_ended", "job_completed"]
    with pytest.raises(ValueError, match="unknown event"):
        org.control.when("nonsense", "now")


# -- traffic -----------------------------------------------------------------------------------------------------------


def test_requests_are_counted_by_kind(org: SimulatedOrg) -> None:
    client = OrgClient(org)
    job = client.finished("SELECT Id FROM Account")
    client.pages(job, maxRecords=150)
    client.session.delete(f"{client.jobs}/{job}", timeout=20)
    assert org.control.requests() == {"token": 1, "createJob": 1, "jobInfo": 1, "results": 2, "delete": 1}
    log = org.control.request_log()
    assert [entry["kind"] for entry in log] == ["token", "createJob", "jobInfo", "results", "results", "delete"]
    assert [entry["status"] for entry in log] == [200, 200, 200, 200, 200, 204]
    assert {entry["object"] for entry in log[1:]} == {"Account"}
    org.control.reset_requests()
    assert org.control.requests() == {}


def test_jobs_are_reported_after_their_end(org: SimulatedOrg) -> None:
    client = OrgClient(org)
    job = client.finished("SELECT Id FROM Account", "query")
    foreign = org.control.add_foreign_job()
    org.control.delete_job(job)
    reports = {report["id"]: report for report in org.control.jobs()}
    assert reports[job]["history"] == ["UploadComplete", "InProgress", "JobComplete"]
    assert (reports[job]["operation"], reports[job]["deleted"], reports[foreign]["foreign"]) == ("query", True, True)
    assert client.info(foreign).json()["state"] == "JobComplete"


# -- over HTTP and as a process ----------------------------------------------------------------------------------------


def test_the_same_methods_over_http(org: SimulatedOrg) -> None:
    methods = requests.get(f"{org.control_url}/", timeout=20).json()["methods"]
    assert {"insert", "rows", "fault", "when", "jobs", "configure"} <= set(methods)
    record = http(org, "insert", object="Account", rows=[{"Name": "by http"}])[0]
    assert http(org, "rows", object="Account", where=f"Id = '{record}'")[0]["Name"] == "by http"
    http(org, "fault", kind="http_error", on="limits", status=503)
    assert OrgClient(org).get("limits").status_code == 503
    assert http(org, "fault_log")[0]["fired"] == 1
    http(org, "configure", page_size=10)
    assert http(org, "advance_clock", seconds=60) == "2026-07-01T00:01:00.000Z"
    assert requests.get(f"{org.control_url}/now", timeout=20).json() == {"result": "2026-07-01T00:01:00.000Z"}


def test_mistakes_over_http_are_told(org: SimulatedOrg) -> None:
    assert requests.post(f"{org.control_url}/nonsense", timeout=20).status_code == 404
    answer = requests.post(f"{org.control_url}/fault", json={"kind": "nonsense"}, timeout=20)
    assert answer.status_code == 400
    assert "unknown fault kind" in answer.json()["error"]


@contextmanager
def running(*options: str, **more: Any) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [sys.executable, "-m", "integration_tests.simulated_org", "--port", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, **more) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def test_the_process_says_where_it_is_and_ends_on_a_signal(tmp_path: Path) -> None:
    scratch = {**os.environ, "TMPDIR": str(tmp_path)}
    options = ("--ready-file", str(tmp_path / "ready"), "--set", 'zero_rows="empty"')
    with running(*options, env=scratch) as (process, ready):
        file = tmp_path / "ready"
        assert file.stat().st_mode & 0o777 == 0o600
        kept = json.loads(file.read_text())
        assert kept["credentials"] == requests.get(ready["control_url"] + "/credentials", timeout=20).json()["result"]
        assert set(ready["credentials"]) == {"refresh_token", "client_credentials", "jwt_bearer"}
        assert "PRIVATE KEY" not in json.dumps(ready)
        key = Path(ready["credentials"]["jwt_bearer"]["private_key_file"])
        assert key.read_text() == kept["credentials"]["jwt_bearer"]["private_key"]
        assert key.stat().st_mode & 0o777 == 0o600
        versions = requests.get(ready["url"] + "/services/data", timeout=20)
        assert versions.status_code == 200
        assert requests.get(ready["control_url"] + "/objects", timeout=20).status_code == 200
        assert list(tmp_path.glob("simulated-org-*"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not list(tmp_path.glob("simulated-org-*"))


def test_on_a_terminal_it_says_where_it_listens_and_how_it_ends() -> None:
    ours, its = os.openpty()
    command = [sys.executable, "-m", "integration_tests.simulated_org"]
    with (
        os.fdopen(ours, "rb") as terminal,
        subprocess.Popen(command, cwd=ROOT, stdout=its, stdin=subprocess.DEVNULL) as process,
    ):
        os.close(its)
        try:
            said = terminal.readline().decode().rstrip()
            assert re.fullmatch(r"Listening on http://127\.0\.0\.1:\d+ \(control API: \S+\)\. Ctrl-C ends it\.", said)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_a_developer_edition_has_its_own_daily_limits() -> None:
    with running("--edition", "developer") as (_, ready):
        limits = requests.get(ready["control_url"] + "/limits", timeout=20).json()["result"]
        assert limits["DailyApiRequests"] == {"Max": 15_000, "Remaining": 15_000}
        assert limits["DailyBulkV2QueryJobs"]["Max"] == 10_000


def test_the_process_ends_with_its_parent() -> None:
    with running("--exit-with-parent", stdin=subprocess.PIPE) as (process, _):
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0


def test_the_readme_names_every_method_and_fault() -> None:
    text = (ROOT / "integration_tests" / "simulated_org" / "README.md").read_text()
    for name in (*control_methods(), *KINDS):
        assert f"| `{name}` |" in text, name


def test_the_readme_names_every_setting() -> None:
    text = (ROOT / "integration_tests" / "simulated_org" / "README.md").read_text()
    settings = text[text.index("## Settings") : text.index("## What it holds")]
    for setting in dataclasses.fields(OrgSettings):
        assert f"`{setting.name}`" in settings, setting.name
