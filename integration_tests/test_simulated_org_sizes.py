"""Orgs of any size: rows that are counted but not stored, and a list of objects as long as a real one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

BILLION = 1_000_000_000


@pytest.fixture(scope="module")
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(planned_rows={"Account": BILLION}, object_list="real")) as simulated:
        yield simulated


@pytest.fixture(scope="module")
def client(org: SimulatedOrg) -> OrgClient:
    return OrgClient(org)


def query(client: OrgClient, soql: str) -> dict[str, Any]:
    answer = client.get("query", q=soql)
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


def count(client: OrgClient, condition: str) -> int:
    return int(query(client, f"SELECT COUNT() FROM Account WHERE {condition}")["totalSize"])


def test_a_billion_rows_are_counted(client: OrgClient) -> None:
    assert query(client, "SELECT COUNT() FROM Account")["totalSize"] == BILLION
    assert query(client, "SELECT COUNT(Id) n FROM Account")["records"][0]["n"] == BILLION
    counts = client.get("limits/recordCount", sObjects="Account").json()["sObjects"]
    assert counts == [{"count": BILLION, "name": "Account"}]


def test_ranges_of_ids_add_up(client: OrgClient) -> None:
    ends = query(client, "SELECT MIN(Id) low, MAX(Id) high FROM Account")["records"][0]
    (row,) = query(client, "SELECT Id FROM Account ORDER BY Id LIMIT 1 OFFSET 1234")["records"]
    assert count(client, f"Id < '{row['Id']}'") == 1_234
    assert count(client, f"Id >= '{row['Id']}'") == BILLION - 1_234
    assert count(client, f"Id = '{row['Id']}'") == 1
    assert count(client, f"Id > '{ends['low']}' AND Id <= '{ends['high']}'") == BILLION - 1
    (last,) = query(client, "SELECT Id FROM Account ORDER BY Id DESC LIMIT 1")["records"]
    assert last["Id"] == ends["high"]


def test_windows_add_up(client: OrgClient) -> None:
    middle = "2024-06-30T00:00:00Z"
    older, newer = count(client, f"SystemModstamp < {middle}"), count(client, f"SystemModstamp >= {middle}")
    assert older + newer == BILLION
    assert abs(older - newer) < BILLION / 100
    both = f"(SystemModstamp >= {middle} AND SystemModstamp < 2024-07-01T00:00:00Z)"
    assert 0 < count(client, both) < BILLION / 1_000
    assert count(client, f"({both} OR SystemModstamp = null)") == count(client, both)


def test_probes_find_rows_of_the_window(client: OrgClient) -> None:
    start, end = "2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z"
    soql = f"SELECT Id, Name, SystemModstamp FROM Account WHERE SystemModstamp >= {start} AND SystemModstamp < {end}"
    (row,) = query(client, soql + " LIMIT 1")["records"]
    assert row["SystemModstamp"].startswith("2025-01-01")
    assert row["Name"]
    assert query(client, "SELECT Id FROM Account WHERE SystemModstamp > 2030-01-01T00:00:00Z LIMIT 1")["records"] == []
    few = query(client, "SELECT Id FROM Account ORDER BY Id LIMIT 500")["records"]
    assert len({one["Id"] for one in few}) == 500


def test_what_asks_for_all_of_them_never_ends(client: OrgClient) -> None:
    refused = client.get("query", q="SELECT Id FROM Account")
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "QUERY_TIMEOUT")
    job = client.create("SELECT Id, Name FROM Account").json()["id"]
    assert {client.info(job).json()["state"] for _ in range(5)} == {"InProgress"}
    aborted = client.session.patch(f"{client.jobs}/{job}", json={"state": "Aborted"}, timeout=20)
    assert aborted.json()["state"] == "Aborted"
    assert len(client.read("SELECT Id FROM Account LIMIT 10", "query")) == 10


def test_the_list_is_as_long_as_a_real_one(client: OrgClient) -> None:
    objects = client.get("sobjects").json()["sobjects"]
    assert len(objects) == len({one["name"].lower() for one in objects}) == 1_294
    assert sum(one["queryable"] for one in objects) == 1_060
    prefixes = [one["keyPrefix"] for one in objects if one["keyPrefix"]]
    assert len(prefixes) == len(set(prefixes))


@pytest.mark.parametrize("name", ["WorkOrder", "WorkOrderHistory", "WorkOrderShare", "WorkOrderFeed", "Custom0001__c"])
def test_its_objects_are_described_and_counted(client: OrgClient, name: str) -> None:
    assert client.get(f"sobjects/{name}/describe").json()["name"] == name
    (counted,) = client.get("limits/recordCount", sObjects=name).json()["sObjects"]
    assert query(client, f"SELECT COUNT() FROM {name}")["totalSize"] == counted["count"]


@pytest.mark.parametrize("name", ["CaseTeamMember", "WorkStepStatus", "Announcement", "DatacloudAddress"])
def test_it_has_the_objects_that_bulk_refuses(client: OrgClient, name: str) -> None:
    assert client.create(f"SELECT Id FROM {name}").json()[0]["errorCode"] == "INVALIDENTITY"
    assert client.get("query", q=f"SELECT Id FROM {name}").status_code == 200
