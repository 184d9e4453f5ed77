"""simple-salesforce, an independent client, finds in the simulated org what it finds in a real one."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce, bulk2
from simple_salesforce.exceptions import SalesforceExpiredSession, SalesforceMalformedRequest, SalesforceOperationError

from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import SimulatedOrg


class PlainLoopback(HTTPAdapter):
    """simple-salesforce builds https addresses; the simulated org speaks http on loopback."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = str(request.url).replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


@pytest.fixture
def salesforce(org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> Salesforce:
    monkeypatch.setattr(bulk2, "sleep", lambda seconds: None)
    session = requests.Session()
    session.mount("https://", PlainLoopback())
    token = OrgClient(org).token_answer
    return Salesforce(
        session_id=token["access_token"], instance_url=token["instance_url"], version="66.0", session=session
    )


def rows(parts: list[str]) -> list[dict[str, str | None]]:
    found: list[dict[str, str | None]] = []
    for part in parts:
        lines = list(csv.reader(io.StringIO(part, newline="")))
        found += [{name: cell or None for name, cell in zip(lines[0], line, strict=True)} for line in lines[1:]]
    return found


@pytest.mark.parametrize("name", ["Contact", "Opportunity", "Case"])
def test_bulk_query_all_finds_the_ground_truth(org: SimulatedOrg, salesforce: Salesforce, name: str) -> None:
    truth = org.control.rows(name)
    soql = f"SELECT {','.join(truth[0])} FROM {name} ORDER BY Id"
    parts = list(getattr(salesforce.bulk2, name).query_all(soql, max_records=700))
    assert len(parts) == -(-len(truth) // 700)
    assert rows(parts) == truth


def test_bulk_query_hides_deleted_rows(org: SimulatedOrg, salesforce: Salesforce) -> None:
    truth = org.control.rows("Account", operation="query", fields=["Id", "Name"])
    assert rows(list(salesforce.bulk2.Account.query("SELECT Id, Name FROM Account ORDER BY Id"))) == truth


def test_bulk_download_to_files(org: SimulatedOrg, salesforce: Salesforce, tmp_path: Any) -> None:
    pages = salesforce.bulk2.Task.download("SELECT Id, Subject FROM Task", path=str(tmp_path), max_records=250)
    assert sum(page["number_of_records"] for page in pages) == len(org.control.rows("Task", operation="query"))


def test_a_failed_job_is_an_error(org: SimulatedOrg, salesforce: Salesforce) -> None:
    org.control.fault("job_failed", message="InternalServerError : Retried more than 15 times")
    with pytest.raises(SalesforceOperationError, match="Retried more than 15 times"):
        list(salesforce.bulk2.Account.query("SELECT Id FROM Account"))


def test_a_refused_query_is_an_error(salesforce: Salesforce) -> None:
    with pytest.raises(SalesforceMalformedRequest, match="No such column 'Nope'"):
        list(salesforce.bulk2.Account.query("SELECT Nope FROM Account"))


def test_describe(salesforce: Salesforce) -> None:
    described = salesforce.describe()
    assert described is not None
    assert "Account" in {one["name"] for one in described["sobjects"]}
    fields = salesforce.Account.describe()["fields"]
    assert {"Id", "Name", "SystemModstamp"} <= {field["name"] for field in fields}


def test_rest_query_all_pages(org: SimulatedOrg, salesforce: Salesforce) -> None:
    found = salesforce.query_all("SELECT Id, LastName FROM Contact")
    truth = org.control.rows("Contact", operation="query", fields=["Id"])
    assert [one["Id"] for one in found["records"]] == [one["Id"] for one in truth]
    deleted = salesforce.query_all("SELECT Id FROM Contact", include_deleted=True)
    assert deleted["totalSize"] == len(org.control.rows("Contact")) > len(truth)


def test_limits_and_api_usage(salesforce: Salesforce) -> None:
    assert salesforce.limits()["DailyBulkV2QueryJobs"]["Max"] == 10_000
    assert salesforce.api_usage["api-usage"].total == 5_000_000


def test_an_expired_session_is_recognised(org: SimulatedOrg, salesforce: Salesforce) -> None:
    org.control.expire_sessions()
    with pytest.raises(SalesforceExpiredSession):
        salesforce.limits()


def test_query_all_walks_every_batch(org: SimulatedOrg, salesforce: Salesforce) -> None:
    records = list(salesforce.query_all_iter("SELECT Id FROM Uneven__c ORDER BY Id", include_deleted=True))
    assert [one["Id"] for one in records] == [row["Id"] for row in org.control.rows("Uneven__c", fields=["Id"])]


def test_deleted_and_updated_rows(org: SimulatedOrg, salesforce: Salesforce) -> None:
    org.control.freeze_clock("2026-08-01T12:00:00Z")
    removed, changed = [row["Id"] for row in org.control.rows("Account", operation="query", fields=["Id"])[:2]]
    org.control.soft_delete("Account", ids=[str(removed)])
    org.control.update("Account", {"Rating": "Hot"}, ids=[str(changed)])
    org.control.advance_clock(120)
    start, end = datetime(2026, 8, 1, 11, tzinfo=UTC), datetime(2026, 8, 1, 12, 2, tzinfo=UTC)
    deleted = salesforce.Account.deleted(start, end)["deletedRecords"]
    assert [(one["id"], one["deletedDate"]) for one in deleted] == [(removed, "2026-08-01T12:00:00.000+0000")]
    assert salesforce.Account.updated(start, end)["ids"] == [changed]


def test_a_moved_org_is_found_by_a_new_login(org: SimulatedOrg, salesforce: Salesforce) -> None:
    org.control.move_instance()
    token = OrgClient(org).token_answer
    salesforce.session_id, salesforce.sf_instance = token["access_token"], token["instance_url"].partition("//")[2]
    salesforce.headers["Authorization"] = f"Bearer {token['access_token']}"
    salesforce.base_url = f"{token['instance_url']}/services/data/v66.0/"
    assert salesforce.limits()["DailyApiRequests"]["Max"] == 5_000_000
