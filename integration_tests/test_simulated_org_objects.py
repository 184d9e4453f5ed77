"""Objects with one special trait: uneven Ids, empty Ids, virtual ones, those that must be filtered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
EMPTY_ID = "000000000000000AAA"


def number(record_id: str) -> int:
    found = 0
    for char in record_id[3:15]:
        found = found * 62 + DIGITS.index(char)
    return found


def summaries(client: OrgClient) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in client.get("sobjects").json()["sobjects"]}


# -- Ids ---------------------------------------------------------------------------------------------------------------


def test_ids_lie_as_unevenly_as_the_recorded_ones(org: SimulatedOrg) -> None:
    ids = [str(row["Id"]) for row in org.control.rows("Uneven__c", fields=["Id"])]
    assert len(set(ids)) == 2_086
    numbers = sorted(map(number, ids))
    low, width = numbers[0], numbers[-1] - numbers[0] + 1
    assert Counter((one - low) * 2 // width for one in numbers) == {0: 13, 1: 2_073}
    assert round(max(Counter((one - low) * 64 // width for one in numbers).values()) / 2_086, 2) == 0.19


def test_uneven_ids_say_nothing_of_the_time(org: SimulatedOrg) -> None:
    rows = org.control.rows("Uneven__c", fields=["Id", "CreatedDate"])
    by_time = sorted(rows, key=lambda row: str(row["CreatedDate"]))
    backwards = sum(str(a["Id"]) > str(b["Id"]) for a, b in pairwise(by_time))
    assert backwards > 600


def test_rows_are_cut_by_counting(client: OrgClient) -> None:
    def query(soql: str) -> dict[str, Any]:
        answer = client.get("query", q=soql)
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]

    ids = [one["Id"] for one in query("SELECT Id FROM Uneven__c ORDER BY Id")["records"]]
    for n in (0, 500, 1_500, 1_999):
        (sampled,) = query(f"SELECT Id FROM Uneven__c ORDER BY Id LIMIT 1 OFFSET {n}")["records"]
        assert sampled["Id"] == ids[n]
    condition = f"Id >= '{ids[500]}' AND Id < '{ids[1_500]}'"
    assert query(f"SELECT COUNT() FROM Uneven__c WHERE {condition}")["totalSize"] == 1_000
    counted = query(f"SELECT MIN(Id) low, COUNT(Id) n FROM Uneven__c WHERE {condition}")["records"][0]
    assert (counted["low"], counted["n"]) == (ids[500], 1_000)


def test_an_offset_reaches_2000_rows_far(client: OrgClient) -> None:
    assert client.get("query", q="SELECT Id FROM Uneven__c ORDER BY Id LIMIT 1 OFFSET 2000").status_code == 200
    refused = client.get("query", q="SELECT Id FROM Uneven__c ORDER BY Id LIMIT 1 OFFSET 2001")
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "NUMBER_OUTSIDE_VALID_RANGE")


def test_ids_are_walked_by_query_more(org: SimulatedOrg, client: OrgClient) -> None:
    body = client.get("query", q="SELECT Id FROM Uneven__c ORDER BY Id").json()
    assert (body["totalSize"], body["done"], len(body["records"])) == (len(alive(org)), False, 2_000)
    rest = client.get(body["nextRecordsUrl"]).json()
    assert [one["Id"] for one in body["records"] + rest["records"]] == alive(org)
    assert rest["done"]


def alive(org: SimulatedOrg) -> list[str | None]:
    return [row["Id"] for row in org.control.rows("Uneven__c", operation="query", fields=["Id"])]


# -- empty Ids, virtual objects ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keyless() -> Iterator[OrgClient]:
    with SimulatedOrg(OrgSettings(keyless_objects=True)) as org:
        yield OrgClient(org)


def test_event_stores_have_the_empty_id_in_every_row(keyless: OrgClient) -> None:
    rows = keyless.read("SELECT Id, EventIdentifier, EventDate FROM LightningUriEvent")
    assert {row["Id"] for row in rows} == {EMPTY_ID}
    assert len({row["EventIdentifier"] for row in rows}) == len(rows) == 60
    middle = sorted(str(row["EventDate"]) for row in rows)[30]
    newer = keyless.read(f"SELECT EventIdentifier FROM LightningUriEvent WHERE EventDate >= {middle}")
    assert 0 < len(newer) < 60


def test_events_go_on_to_happen(keyless: OrgClient) -> None:
    event = {"EventIdentifier": "0e1d2c3b-0000-4000-8000-000000000001", "Username": "a@example.org"}
    both = [event, {**event, "EventIdentifier": "other"}]
    assert keyless.org.control.insert("LightningUriEvent", both) == [EMPTY_ID] * 2
    found = keyless.read("SELECT Id FROM LightningUriEvent WHERE Username = 'a@example.org'")
    assert [row["Id"] for row in found] == [EMPTY_ID] * 2


VIRTUAL = ["EntityDefinition", "DataType", "Publisher", "OauthToken", "DatacloudContact", "FormulaFunction"]


@pytest.mark.parametrize("name", VIRTUAL)
def test_virtual_objects_are_queryable_not_retrieveable_and_not_for_bulk(keyless: OrgClient, name: str) -> None:
    client = keyless
    summary = summaries(client)[name]
    assert (summary["queryable"], summary["retrieveable"]) == (True, False)
    assert client.get("query", q=f"SELECT Id, DurableId FROM {name}").json()["totalSize"] == 8
    assert client.create(f"SELECT DurableId FROM {name}").json()[0]["errorCode"] == "INVALIDENTITY"


# -- objects that must be filtered -------------------------------------------------------------------------------------

FILTERED = {
    "ContentDocumentLink": "LinkedEntityId",
    "ContentFolderItem": "ParentContentFolderId",
    "ContentFolderMember": "ChildRecordId",
    "IdeaComment": "IdeaId",
    "Vote": "ParentId",
    "FeedRevision": "FeedEntityId",
    "ActivityMetric": "BaseId",
    "FieldDefinition": "EntityDefinitionId",
    "PicklistValueInfo": "EntityParticleId",
    "FlexQueueItem": "JobType",
    "ColorDefinition": "TabDefinitionId",
}


@pytest.mark.parametrize(("name", "field"), FILTERED.items())
def test_it_is_refused_without_its_filter_and_read_with_it(client: OrgClient, name: str, field: str) -> None:
    for answer in (client.create(f"SELECT Id FROM {name}"), client.get("query", q=f"SELECT Id FROM {name}")):
        assert answer.status_code == 400
        assert answer.json()[0]["errorCode"] in ("MALFORMED_QUERY", "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION")
    value = "001000000000000AAA" if field.endswith("Id") else "ApexJob"
    assert client.create(f"SELECT Id FROM {name} WHERE {field} = '{value}'").status_code == 200
    assert client.create(f"SELECT Id FROM {name} WHERE {field} IN ('{value}')").status_code == 200


def test_each_is_refused_in_words_of_its_own(client: OrgClient) -> None:
    said = {client.create(f"SELECT Id FROM {name}").json()[0]["message"].replace(name, "it") for name in FILTERED}
    assert len(said) == len(FILTERED)


def test_links_are_found_by_their_parents_whole(org: SimulatedOrg, client: OrgClient) -> None:
    parents = [row["Id"] for row in org.control.rows("ContentDocument", fields=["Id"])]
    listed = ",".join(f"'{one}'" for one in parents)
    found = client.read(f"SELECT Id FROM ContentDocumentLink WHERE ContentDocumentId IN ({listed})")
    assert len(found) == 40


def test_the_number_of_uneven_rows_is_a_knob() -> None:
    with SimulatedOrg(OrgSettings(uneven_rows=100)) as org:
        assert len({row["Id"] for row in org.control.rows("Uneven__c")}) == 100


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("ContentDocumentId IN ({document})", 200),
        ("ContentDocumentId = {document}", 200),
        ("LinkedEntityId IN ({account})", 200),
        ("LinkedEntityId = {account} AND SystemModstamp > 2020-01-01T00:00:00Z", 200),
        ("LinkedEntityId = {account} AND Id > '06A000000000000'", 200),
        ("LinkedEntityId IN ({account}) AND SystemModstamp > 2020-01-01T00:00:00Z", 400),
        ("ContentDocumentId = {document} AND SystemModstamp > 2020-01-01T00:00:00Z", 400),
        ("ContentDocumentId IN ({document}) AND Id > '06A000000000000'", 400),
        ("SystemModstamp > 2020-01-01T00:00:00Z", 400),
    ],
)
def test_links_take_further_conditions_with_one_linked_entity_alone(
    client: OrgClient, condition: str, status: int
) -> None:
    where = condition.format(document="'069000000000000AAA'", account="'001000000000000AAA'")
    for answer in (
        client.get("query", q=f"SELECT Id FROM ContentDocumentLink WHERE {where}"),
        client.create(f"SELECT Id FROM ContentDocumentLink WHERE {where}"),
    ):
        assert answer.status_code == status, answer.text
        assert status == 200 or answer.json()[0]["errorCode"] == "MALFORMED_QUERY"
