"""Calculated fields: their values are computed when they are read, and their changes do not move a timestamp."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

NOW = "2026-08-01T12:30:00Z"


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(frozen_at=NOW, formula_objects=True)) as simulated:
        yield simulated


@pytest.fixture
def account(org: SimulatedOrg) -> str:
    return org.control.insert("Account", [{"Name": "Acme"}])[0]


@pytest.fixture
def project(org: SimulatedOrg, account: str) -> str:
    row = {
        "Name": "Bridge",
        "Account__c": account,
        "Status__c": "Open",
        "Budget__c": "1000.0",
        "Spent__c": "250.5",
        "Rate__c": "80.0",
        "Start__c": "2026-07-22",
        "Due__c": "2026-08-01T13:00:00.000Z",
    }
    return org.control.insert("Project__c", [row])[0]


def read(client: OrgClient, project: str, *fields: str) -> dict[str, str | None]:
    (row,) = client.read(f"SELECT {','.join(fields)}, SystemModstamp FROM Project__c WHERE Id = '{project}'")
    return row


def test_describe_tells_formulas_and_hides_roll_ups(client: OrgClient) -> None:
    described = {one["name"]: one for one in client.get("sobjects/Project__c/describe").json()["fields"]}
    assert described["AgeDays__c"]["calculatedFormula"] == "TODAY() - Start__c"
    assert described["AccountName__c"]["calculatedFormula"] == "Account__r.Name"
    assert (described["Jobs__c"]["calculated"], described["Jobs__c"]["calculatedFormula"]) == (True, None)
    assert not described["Hours__c"]["createable"]


def test_formulas_follow_own_fields_even_where_no_stamp_moves(
    org: SimulatedOrg, client: OrgClient, project: str
) -> None:
    before = read(client, project, "Remaining__c", "Title__c")
    assert (before["Remaining__c"], before["Title__c"]) == ("749.5", "Bridge (Open)")
    org.control.advance_clock(3_600)
    org.control.update("Project__c", {"Spent__c": "300.0", "Status__c": None}, ids=[project], touch="none")
    after = read(client, project, "Remaining__c", "Title__c")
    assert (after["Remaining__c"], after["Title__c"]) == ("700.0", "Bridge (-)")
    assert after["SystemModstamp"] == before["SystemModstamp"]


def test_formulas_follow_their_parents(org: SimulatedOrg, client: OrgClient, account: str, project: str) -> None:
    before = read(client, project, "AccountName__c", "AccountOwner__c")
    org.control.advance_clock(3_600)
    org.control.update("Account", {"Name": "Apex"}, ids=[account])
    org.control.update("User", {"Name": "Renamed"}, where="Id != null")
    after = read(client, project, "AccountName__c", "AccountOwner__c")
    assert (before["AccountName__c"], after["AccountName__c"]) == ("Acme", "Apex")
    assert (after["AccountOwner__c"], after["SystemModstamp"]) == ("Renamed", before["SystemModstamp"])


def test_formulas_follow_the_clock(org: SimulatedOrg, client: OrgClient, project: str) -> None:
    before = read(client, project, "AgeDays__c", "IsOverdue__c")
    org.control.advance_clock(86_400)
    after = read(client, project, "AgeDays__c", "IsOverdue__c")
    assert [(one["AgeDays__c"], one["IsOverdue__c"]) for one in (before, after)] == [
        ("10.0", "false"),
        ("11.0", "true"),
    ]
    assert after["SystemModstamp"] == before["SystemModstamp"]


def test_roll_ups_follow_their_children_and_stamp_nothing(org: SimulatedOrg, client: OrgClient, project: str) -> None:
    before = read(client, project, "Jobs__c", "Hours__c")
    org.control.advance_clock(3_600)
    rows = [{"Name": "a", "Project__c": project, "Hours__c": hours} for hours in ("1.5", "2.0")]
    (first, _) = org.control.insert("ProjectJob__c", rows)
    both = read(client, project, "Jobs__c", "Hours__c")
    org.control.soft_delete("ProjectJob__c", ids=[first])
    one = read(client, project, "Jobs__c", "Hours__c")
    assert [(row["Jobs__c"], row["Hours__c"]) for row in (before, both, one)] == [
        ("0.0", "0.0"), ("2.0", "3.5"), ("1.0", "2.0")
    ]  # fmt: skip
    assert before["SystemModstamp"] == both["SystemModstamp"] == one["SystemModstamp"]


def test_both_apis_and_the_ground_truth_agree(org: SimulatedOrg, client: OrgClient) -> None:
    fields = [one["name"] for one in client.get("sobjects/Project__c/describe").json()["fields"]]
    soql = f"SELECT {','.join(fields)} FROM Project__c ORDER BY Id"
    bulk = client.read(soql)
    assert bulk == org.control.rows("Project__c")
    rest = client.get("queryAll", q=soql).json()["records"]
    for row, record in zip(bulk, rest, strict=True):
        for name in ("Remaining__c", "AgeDays__c", "Jobs__c", "Hours__c"):
            shown: Any = record[name]
            assert (shown is None) is (row[name] is None)
            assert shown is None or Decimal(str(shown)) == Decimal(str(row[name]))


def test_formulas_are_filtered_and_sorted_by(org: SimulatedOrg, client: OrgClient, project: str) -> None:
    condition = "AccountName__c = 'acme' AND Remaining__c > 700 AND AgeDays__c < 100"
    assert client.read(f"SELECT Id FROM Project__c WHERE {condition}") == [{"Id": project}]
    ages = [row["AgeDays__c"] for row in client.read("SELECT AgeDays__c FROM Project__c ORDER BY AgeDays__c")]
    numbers = [float(age) for age in ages if age is not None]
    assert numbers == sorted(numbers)
    (row,) = client.read(f"SELECT Project__r.Title__c FROM ProjectJob__c WHERE Project__c = '{project}'") or [None]
    assert row is None


def test_children_see_formulas_of_their_parents(org: SimulatedOrg, client: OrgClient, project: str) -> None:
    org.control.insert("ProjectJob__c", [{"Name": "a", "Project__c": project, "Hours__c": "2.5"}])
    (row,) = client.read(
        f"SELECT ProjectName__c, Cost__c, Project__r.AccountName__c FROM ProjectJob__c WHERE Project__c = '{project}'"
    )
    assert row == {"ProjectName__c": "Bridge", "Cost__c": "200.0", "Project__r.AccountName__c": "Acme"}


def test_a_formula_is_added_while_the_org_runs(org: SimulatedOrg, client: OrgClient, account: str) -> None:
    org.control.add_formula("Account", "Shout__c string(255)", 'UPPER({row}."Name")', shown="UPPER(Name)")
    assert client.read(f"SELECT Shout__c FROM Account WHERE Id = '{account}'") == [{"Shout__c": "ACME"}]
    with pytest.raises(ValueError, match="is calculated"):
        org.control.update("Account", {"Shout__c": "x"}, ids=[account])
