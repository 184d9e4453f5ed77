"""Deleted, restored and hidden rows: recycle bin, purge, merge, getDeleted, getUpdated, sharing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

NOW = "2026-08-01T12:30:00Z"


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(frozen_at=NOW)) as simulated:
        yield simulated


def changes(client: OrgClient, which: str, name: str, start: str, end: str) -> requests.Response:
    return client.get(f"sobjects/{name}/{which}/", start=start, end=end)


def deleted(client: OrgClient, name: str, start: str = "2026-08-01T00:00:00Z", end: str = NOW) -> dict[str, Any]:
    answer = changes(client, "deleted", name, start, end)
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


def gone(client: OrgClient, name: str, **span: str) -> set[str]:
    return {one["id"] for one in deleted(client, name, **span)["deletedRecords"]}


def some(org: SimulatedOrg, name: str, count: int) -> list[str]:
    return [str(row["Id"]) for row in org.control.rows(name, operation="query", fields=["Id"])[:count]]


def seen(client: OrgClient, name: str, operation: str = "queryAll") -> set[str | None]:
    return {row["Id"] for row in client.read(f"SELECT Id FROM {name}", operation)}


# -- the life of a deleted row -----------------------------------------------------------------------------------------


def test_a_row_goes_into_the_bin_and_is_purged(org: SimulatedOrg, client: OrgClient) -> None:
    first, second = some(org, "Account", 2)
    org.control.soft_delete("Account", ids=[first, second])
    org.control.advance_clock(120)
    assert first in seen(client, "Account")
    assert first not in seen(client, "Account", "query")
    assert org.control.purge("Account", ids=[first]) == 1
    assert seen(client, "Account") & {first, second} == {second}
    body = deleted(client, "Account", end="2026-08-01T12:32:00Z")
    assert body["deletedRecords"] == [
        {"id": one, "deletedDate": "2026-08-01T12:30:00.000+0000"} for one in sorted((first, second))
    ]


def test_only_what_is_in_the_bin_is_purged(org: SimulatedOrg, client: OrgClient) -> None:
    (alive,) = some(org, "Account", 1)
    assert org.control.purge("Account", ids=[alive]) == 0
    binned = seen(client, "Account") - seen(client, "Account", "query")
    assert org.control.purge("Account") == len(binned) > 0
    assert seen(client, "Account") == seen(client, "Account", "query")


def test_the_bin_is_emptied_by_age(org: SimulatedOrg, client: OrgClient) -> None:
    old, new = some(org, "Contact", 2)
    org.control.soft_delete("Contact", ids=[old])
    org.control.advance_clock(15 * 86_400)
    org.control.soft_delete("Contact", ids=[new])
    assert org.control.empty_recycle_bin(older_than=14 * 86_400) > 1
    assert seen(client, "Contact") & {old, new} == {new}


def test_an_undeleted_row_leaves_the_log_and_is_updated(org: SimulatedOrg, client: OrgClient) -> None:
    (one,) = some(org, "Account", 1)
    org.control.soft_delete("Account", ids=[one])
    org.control.advance_clock(600)
    org.control.undelete("Account", [one])
    org.control.advance_clock(60)
    span = ("2026-08-01T12:00:00Z", "2026-08-01T12:41:00Z")
    assert gone(client, "Account", start=span[0], end=span[1]) == set()
    assert changes(client, "updated", "Account", *span).json()["ids"] == [one]
    assert one in seen(client, "Account", "query")


def test_a_merged_row_names_its_master_until_it_is_purged(org: SimulatedOrg, client: OrgClient) -> None:
    winner, loser = some(org, "Account", 2)
    org.control.merge("Account", winner, loser)
    org.control.advance_clock(60)
    (row,) = client.read(f"SELECT Id, IsDeleted, MasterRecordId FROM Account WHERE Id = '{loser}'")
    assert row == {"Id": loser, "IsDeleted": "true", "MasterRecordId": winner}
    assert loser in gone(client, "Account", end="2026-08-01T12:31:00Z")
    org.control.purge("Account", ids=[loser])
    assert loser not in seen(client, "Account")


@pytest.mark.parametrize("logged", [True, False])
def test_a_hard_delete_leaves_no_trace_but_perhaps_in_the_log(
    org: SimulatedOrg, client: OrgClient, logged: bool
) -> None:
    (one,) = some(org, "Account", 1)
    org.control.hard_delete("Account", ids=[one], logged=logged)
    org.control.advance_clock(60)
    assert one not in seen(client, "Account")
    assert gone(client, "Account", end="2026-08-01T12:31:00Z") == ({one} if logged else set())


def test_campaign_members_have_no_bin_and_no_log(org: SimulatedOrg, client: OrgClient) -> None:
    (one,) = some(org, "CampaignMember", 1)
    with pytest.raises(ValueError, match="no recycle bin"):
        org.control.soft_delete("CampaignMember", ids=[one])
    org.control.hard_delete("CampaignMember", ids=[one])
    org.control.advance_clock(60)
    assert one not in seen(client, "CampaignMember")
    assert gone(client, "CampaignMember", end="2026-08-01T12:31:00Z") == set()


# -- the resources -----------------------------------------------------------------------------------------------------


def test_seconds_are_ignored_and_the_end_is_left_out(org: SimulatedOrg, client: OrgClient) -> None:
    (one,) = some(org, "Account", 1)
    org.control.advance_clock(30)
    org.control.soft_delete("Account", ids=[one])
    org.control.advance_clock(600)
    assert gone(client, "Account", start="2026-08-01T12:30:59Z", end="2026-08-01T12:31:00Z") == {one}
    assert gone(client, "Account", start="2026-08-01T12:00:00Z", end="2026-08-01T12:30:59Z") == set()
    body = deleted(client, "Account", start="2026-08-01T12:00:10Z", end="2026-08-01T12:35:10Z")
    assert body["latestDateCovered"] == "2026-08-01T12:35:00.000+0000"
    assert body["earliestDateAvailable"] == "2026-07-17T12:40:00.000+0000"


def test_the_date_covered_stays_behind_now(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.configure(replication_lag=300)
    body = deleted(client, "Account", end="2026-08-02T00:00:00Z")
    assert body["latestDateCovered"] == "2026-08-01T12:25:00.000+0000"


@pytest.mark.parametrize(
    ("which", "start", "end", "status"),
    [
        ("deleted", "2026-07-17T12:30:00Z", NOW, 200),
        ("deleted", "2026-07-17T12:29:00Z", NOW, 400),
        ("updated", "2026-07-02T12:30:00Z", NOW, 200),
        ("updated", "2026-07-02T12:29:00Z", NOW, 400),
        ("updated", "2026-08-01T12:00:00Z", "2026-08-01T12:00:59Z", 400),
        ("deleted", "2026-08-01T12:00:00Z", "2026-08-01T11:00:00Z", 400),
        ("deleted", "2026-08-01T14:00:00+02:00", NOW, 200),
    ],
)
def test_how_far_back_each_reaches(client: OrgClient, which: str, start: str, end: str, status: int) -> None:
    answer = changes(client, which, "Account", start, end)
    assert answer.status_code == status, answer.text
    if status == 400:
        assert answer.json()[0]["errorCode"] == "INVALID_REPLICATION_DATE"


def test_a_trimmed_log_reaches_less_far(org: SimulatedOrg, client: OrgClient) -> None:
    first, second = some(org, "Account", 2)
    org.control.soft_delete("Account", ids=[first])
    org.control.advance_clock(3_600)
    org.control.soft_delete("Account", ids=[second])
    org.control.advance_clock(60)
    assert org.control.trim_delete_log("Account", "2026-08-01T13:00:00Z") == 1
    end = "2026-08-01T13:31:00Z"
    refused = changes(client, "deleted", "Account", "2026-08-01T12:00:00Z", end)
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "INVALID_REPLICATION_DATE")
    body = deleted(client, "Account", start="2026-08-01T13:00:00Z", end=end)
    assert [one["id"] for one in body["deletedRecords"]] == [second]
    assert body["earliestDateAvailable"] == "2026-08-01T13:00:00.000+0000"
    assert first not in gone(client, "Contact", end=end)


def test_a_log_that_is_too_full_keeps_two_hours(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.configure(delete_log_rows=5)
    org.control.soft_delete("Account", ids=some(org, "Account", 10))
    org.control.advance_clock(3 * 3_600)
    start, end = "2026-08-01T12:00:00Z", "2026-08-01T15:30:00Z"
    assert changes(client, "deleted", "Account", start, end).status_code == 400
    assert gone(client, "Account", start="2026-08-01T13:30:00Z", end=end) == set()


def test_too_many_ids_are_refused(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.soft_delete("Account", ids=some(org, "Account", 3))
    org.control.configure(replication_ids=2)
    org.control.advance_clock(60)
    refused = changes(client, "deleted", "Account", "2026-08-01T12:00:00Z", "2026-08-01T12:31:00Z")
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "EXCEEDED_ID_LIMIT")


def test_objects_that_are_not_replicateable(client: OrgClient) -> None:
    refused = changes(client, "deleted", "AccountHistory", "2026-08-01T12:00:00Z", NOW)
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "INVALID_TYPE_FOR_OPERATION")
    assert changes(client, "updated", "Nope__c", "2026-08-01T12:00:00Z", NOW).status_code == 404
    assert client.get("sobjects/Account/deleted/", start="yesterday", end=NOW).status_code == 400


def test_updated_rows_are_those_that_live(org: SimulatedOrg, client: OrgClient) -> None:
    changed, removed = some(org, "Contact", 2)
    org.control.update("Contact", {"Title": "New"}, ids=[changed, removed])
    (made,) = org.control.insert("Contact", [{"LastName": "Fresh"}])
    org.control.soft_delete("Contact", ids=[removed])
    org.control.advance_clock(60)
    body = changes(client, "updated", "Contact", "2026-08-01T12:30:00Z", "2026-08-01T12:31:00Z").json()
    assert body == {"ids": sorted([changed, made]), "latestDateCovered": "2026-08-01T12:31:00.000+0000"}


# -- what a login may see ----------------------------------------------------------------------------------------------


def other_login(org: SimulatedOrg) -> OrgClient:
    client = OrgClient(org)
    credentials = org.credentials("client_credentials")
    form = {"grant_type": "client_credentials"} | {k: v for k, v in credentials.items() if k != "auth_type"}
    token = requests.post(f"{org.url}/services/oauth2/token", data=form, timeout=20).json()
    client.session.headers["Authorization"] = f"Bearer {token['access_token']}"
    return client


def test_rows_are_hidden_from_one_login(org: SimulatedOrg, client: OrgClient) -> None:
    hidden = some(org, "Account", 40)
    everything = seen(client, "Account")
    assert org.control.hide_rows("Account", ids=hidden, login="refresh_token") == 40
    assert everything - seen(client, "Account") == set(hidden)
    assert client.get("queryAll", q="SELECT COUNT() FROM Account").json()["totalSize"] == len(everything) - 40
    assert seen(other_login(org), "Account") == everything
    assert {row["Id"] for row in org.control.rows("Account")} == everything
    assert len(org.control.rows("Account", login="refresh_token")) == len(everything) - 40
    org.control.show_rows("Account", login="refresh_token")
    assert seen(client, "Account") == everything


def test_each_login_may_be_a_user_of_its_own(org: SimulatedOrg) -> None:
    org.control.configure(own_users=True)
    clients = [OrgClient(org), other_login(org)]
    users = [
        one.session.get(f"{org.instance_url}/services/oauth2/userinfo", timeout=20).json()["user_id"] for one in clients
    ]
    jobs = [one.create("SELECT Id FROM Account").json() for one in clients]
    assert [job["createdById"] for job in jobs] == users
    assert len(set(users)) == 2
    assert set(users) <= {row["Id"] for row in org.control.rows("User")}


def test_rows_are_hidden_from_all(org: SimulatedOrg, client: OrgClient) -> None:
    count = org.control.hide_rows("Account", where="Rating = 'Hot'")
    assert count > 0
    assert client.read("SELECT Id FROM Account WHERE Rating = 'Hot'") == []
    assert other_login(org).read("SELECT Id FROM Account WHERE Rating = 'Hot'") == []


def test_fields_are_hidden_from_one_login(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.hide_field("Account", "AnnualRevenue", login="refresh_token")
    other = other_login(org)

    def names(of: OrgClient) -> set[str]:
        return {one["name"] for one in of.get("sobjects/Account/describe").json()["fields"]}

    assert names(other) - names(client) == {"AnnualRevenue"}
    soql = "SELECT AnnualRevenue FROM Account"
    assert client.create(soql).json()[0]["errorCode"] == "INVALID_FIELD"
    assert other.create(soql).status_code == 200
    org.control.show_field("Account", "AnnualRevenue", login="refresh_token")
    assert client.create(soql).status_code == 200
