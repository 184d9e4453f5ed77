"""REST's query resources on the real wire: batches, locators, and values in their JSON forms."""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal
from typing import Any

import pytest
import requests

from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import OrgSettings, SimulatedOrg


def query(client: OrgClient, soql: str, resource: str = "query", **headers: str) -> dict[str, Any]:
    answer = client.get(resource, headers=headers, q=soql)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)  # type: ignore[no-any-return]


def everything(client: OrgClient, soql: str, **headers: str) -> list[dict[str, Any]]:
    body = query(client, soql, "queryAll", **headers)
    records: list[dict[str, Any]] = body["records"]
    while not body["done"]:
        body = json.loads(client.get(body["nextRecordsUrl"], headers=headers).text, parse_float=Decimal)
        records += body["records"]
    assert len(records) == body["totalSize"]
    return records


# -- batches -----------------------------------------------------------------------------------------------------------


def test_locators_name_the_cursor_and_the_next_row(org: SimulatedOrg, client: OrgClient) -> None:
    body = query(client, "SELECT Id FROM Contact ORDER BY Id", "queryAll")
    assert (len(body["records"]), body["done"]) == (2_000, False)
    assert re.fullmatch(r"/services/data/v66\.0/query/01g\w{15}-2000", body["nextRecordsUrl"])
    second = client.get(body["nextRecordsUrl"]).json()
    assert second == client.get(body["nextRecordsUrl"]).json()
    assert second["done"]
    assert "nextRecordsUrl" not in second
    ids = [one["Id"] for one in body["records"] + second["records"]]
    assert ids == [row["Id"] for row in org.control.rows("Contact", fields=["Id"])]
    assert body["totalSize"] == second["totalSize"] == len(ids)


@pytest.mark.parametrize(("wish", "rows"), [("200", 200), ("500", 500), ("50", 200), ("9999", 2_000)])
def test_a_client_may_wish_for_a_batch_size(client: OrgClient, wish: str, rows: int) -> None:
    options = {"Sforce-Query-Options": f"batchSize={wish}"}
    body = query(client, "SELECT Id FROM Contact", "queryAll", **options)
    assert len(body["records"]) == rows
    assert body["nextRecordsUrl"].endswith(f"-{rows}")
    assert len(everything(client, "SELECT Id FROM Contact", **options)) == body["totalSize"]


def test_a_cursor_keeps_what_its_query_found(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.configure(rest_batch=100)
    body = query(client, "SELECT Id FROM Account ORDER BY Id")
    org.control.hard_delete("Account", where="Id != null")
    assert len(client.get(body["nextRecordsUrl"]).json()["records"]) == 100
    assert org.control.expire_cursors() == 1
    refused = client.get(body["nextRecordsUrl"])
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")


def test_done_may_come_early_as_a_fault(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.configure(rest_batch=100)
    org.control.fault("query_done_early")
    body = query(client, "SELECT Id FROM Account")
    assert body["done"]
    assert body["totalSize"] > len(body["records"])


def test_batches_may_be_short_or_repeat_themselves(org: SimulatedOrg, client: OrgClient) -> None:
    soql = "SELECT Id FROM Account ORDER BY Id LIMIT 50"
    sound = [one["Id"] for one in query(client, soql)["records"]]
    for kind, expected in (("query_short", sound[:-3]), ("query_repeats", sound + sound[-3:])):
        org.control.fault(kind, rows=3)
        assert [one["Id"] for one in query(client, soql)["records"]] == expected
    org.control.fault("query_total_wrong", delta=-1)
    assert query(client, soql)["totalSize"] == 49


def test_batches_may_never_end(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.fault("query_endless", on="*", times=None)
    body = query(client, "SELECT Id FROM Account LIMIT 5")
    for _ in range(10):
        assert not body["done"]
        body = client.get(body["nextRecordsUrl"]).json()
    assert len(body["records"]) == 5


def test_a_broken_answer_shows_no_marks_of_numbers(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.fault("unparsable_json", on="query")
    answer = client.get("query", q="SELECT AnnualRevenue FROM Account WHERE AnnualRevenue != null")
    assert answer.text.isascii()


# -- values ------------------------------------------------------------------------------------------------------------


def as_csv(field: dict[str, Any], value: Any) -> str | None:
    """Write a JSON value as Bulk CSV shows it, as far as the API says how."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.replace("+0000", "Z") if field["type"] == "datetime" else str(value)


@pytest.mark.parametrize("name", ["Awkward__c", "Account", "Opportunity", "Task", "User"])
def test_the_same_row_is_the_same_in_both_apis(client: OrgClient, name: str) -> None:
    fields = {
        one["name"]: one
        for one in client.get(f"sobjects/{name}/describe").json()["fields"]
        if one["type"] not in ("address", "location", "base64", "complexvalue")
    }
    soql = f"SELECT {','.join(fields)} FROM {name} ORDER BY Id"
    bulk, rest = client.read(soql), everything(client, soql)
    assert len(bulk) == len(rest) > 0
    for row, record in zip(bulk, rest, strict=True):
        for key, field in fields.items():
            shown = as_csv(field, record[key])
            if field["type"] in ("double", "currency", "percent", "int", "long") and shown is not None:
                assert Decimal(shown) == Decimal(str(row[key])), key
            else:
                assert shown == row[key], key


def test_numbers_keep_the_digits_they_have(org: SimulatedOrg, client: OrgClient) -> None:
    digits = ["0.1", "123456789012345.67", "1.39E8", "-0.00000001", "47.0"]
    ids = org.control.insert("Awkward__c", [{"Double__c": one, "Int__c": "47.0"} for one in digits])
    listed = ",".join(f"'{one}'" for one in ids)
    answer = client.get("query", q=f"SELECT Double__c, Int__c FROM Awkward__c WHERE Id IN ({listed}) ORDER BY Id")
    assert sorted(re.findall(r'"Double__c": ([^,]+)', answer.text)) == sorted(digits)
    assert [one["Int__c"] for one in answer.json()["records"]] == [47] * 5


def test_compounds_are_objects(client: OrgClient) -> None:
    soql = "SELECT Name, BillingAddress, BillingCity, BillingLatitude FROM Account"
    for one in query(client, soql)["records"]:
        if one["BillingAddress"] is not None:
            assert list(one["BillingAddress"]) == [
                "street", "city", "state", "postalCode", "country", "latitude", "longitude", "geocodeAccuracy"
            ]  # fmt: skip
            assert one["BillingAddress"]["city"] == one["BillingCity"]
            assert one["BillingAddress"]["latitude"] == one["BillingLatitude"]
    places = [one["Place__c"] for one in query(client, "SELECT Place__c FROM Awkward__c")["records"]]
    assert {frozenset(one) for one in places if one} == {frozenset({"latitude", "longitude"})}
    assert None in places
    (contact,) = query(client, "SELECT Account.BillingAddress FROM Contact WHERE AccountId != null LIMIT 1")["records"]
    assert "city" in contact["Account"]["BillingAddress"]


def test_parents_are_nested_and_null_where_there_is_none(client: OrgClient) -> None:
    soql = "SELECT Id, AccountId, Account.Name, Account.Owner.Name FROM Contact"
    records = query(client, soql)["records"]
    for one in records:
        if one["AccountId"] is None:
            assert one["Account"] is None
        else:
            assert one["Account"]["attributes"]["url"].endswith(f"/sobjects/Account/{one['AccountId']}")
            assert isinstance(one["Account"]["Owner"]["Name"], str)
    assert {one["AccountId"] is None for one in records} == {True, False}
    (plain,) = query(client, "SELECT Name FROM Contact WHERE Account.Name != null LIMIT 1")["records"]
    assert set(plain) == {"attributes", "Name"}


def test_binary_fields_are_addresses_of_their_bytes(client: OrgClient) -> None:
    records = query(client, "SELECT VersionData, ContentSize, Checksum FROM ContentVersion")["records"]
    record = next(one for one in records if one["VersionData"])
    assert re.fullmatch(r"/services/data/v66\.0/sobjects/ContentVersion/068\w{15}/VersionData", record["VersionData"])
    answer = client.get(record["VersionData"])
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert len(answer.content) == record["ContentSize"]
    assert hashlib.md5(answer.content, usedforsecurity=False).hexdigest() == record["Checksum"]
    attachments = query(client, "SELECT Body, BodyLength FROM Attachment")["records"]
    assert all(len(client.get(one["Body"]).content) == one["BodyLength"] for one in attachments if one["Body"])


def test_the_bytes_of_a_deleted_row_cannot_be_had(org: SimulatedOrg, client: OrgClient) -> None:
    address = query(client, "SELECT Id, VersionData FROM ContentVersion WHERE ContentSize > 0")["records"][-1]
    org.control.soft_delete("ContentVersion", ids=[address["Id"]])
    answer = client.get(address["VersionData"])
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (404, "ENTITY_IS_DELETED")
    org.control.undelete("ContentVersion", ids=[address["Id"]])
    assert client.get(address["VersionData"]).status_code == 200


def test_a_row_without_bytes_has_the_size_0_and_no_checksum(client: OrgClient) -> None:
    records = query(client, "SELECT VersionData, ContentSize, Checksum FROM ContentVersion")["records"]
    empty = [one for one in records if one["VersionData"] is None]
    assert empty
    assert all((one["ContentSize"], one["Checksum"]) == (0, None) for one in empty)


@pytest.mark.parametrize("path", ["Account/001000000000000AAA/Name", "ContentVersion/068000000000000AAA/VersionData"])
def test_there_are_no_bytes_of_anything_else(client: OrgClient, path: str) -> None:
    assert client.get(f"sobjects/{path}").status_code == 404


# -- objects that Bulk refuses -----------------------------------------------------------------------------------------


def test_every_queryable_object_is_read_by_rest_or_wants_a_filter() -> None:
    with SimulatedOrg(OrgSettings(rows=0.05, keyless_objects=True)) as org:
        client = OrgClient(org)
        filtered = {one["name"] for one in org.control.objects() if one["filter_required"]}
        refused = [one["name"] for one in org.control.objects() if one["refused_by_bulk"] and one["queryable"]]
        assert len(refused) > 20
        for name in refused:
            answer = client.get("queryAll", q=f"SELECT Id FROM {name} ORDER BY Id")
            assert answer.status_code == 200, (name, answer.text)
            assert client.create(f"SELECT Id FROM {name}").status_code in (400, 403)
        for name in filtered:
            assert client.get("queryAll", q=f"SELECT Id FROM {name}").status_code == 400


def test_links_are_read_by_batches_of_their_parents(org: SimulatedOrg, client: OrgClient) -> None:
    parents = [one["Id"] for one in everything(client, "SELECT Id FROM ContentDocument")]
    found = []
    for at in range(0, len(parents), 7):
        listed = ",".join(f"'{one}'" for one in parents[at : at + 7])
        found += everything(client, f"SELECT Id FROM ContentDocumentLink WHERE ContentDocumentId IN ({listed})")
    assert len({one["Id"] for one in found}) == len(found) == 40


def test_an_address_holds_16384_characters(client: OrgClient) -> None:
    ids = ",".join(["'001000000000000AAA'"] * 900)
    answer = client.get("query", q=f"SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId IN ({ids})")
    assert answer.status_code == 414
    assert isinstance(answer, requests.Response)
