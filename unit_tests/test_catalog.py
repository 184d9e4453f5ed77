from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from source_salesforce_bulk.extraction.catalog import discover_objects, readable_object, survey_objects
from source_salesforce_bulk.salesforce.discovery import Discovery
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.wire import ApiRequest, ApiResponse, Operation
from unit_tests.catalog_rig import FIELDS, config, describe, described


class FakeOrg:
    """An org of objects: a describe each, or the failure of asking for it."""

    def __init__(
        self,
        *objects: dict[str, Any],
        fails_after: tuple[int, Kind] | None = None,
        until: int | None = None,
        **failures: Kind,
    ) -> None:
        self._objects = {one["name"]: one for one in objects}
        self._failures = failures
        self._outage = (range(fails_after[0], until or sys.maxsize), fails_after[1]) if fails_after else None
        self.described: list[str] = []

    def call(self, request: ApiRequest) -> ApiResponse:
        if request.operation is Operation.SOBJECTS:
            names = [*self._objects, *self._failures]
            payload: object = {"sobjects": [{"name": name, "label": name, "queryable": True} for name in names]}
        else:
            assert request.operation is Operation.DESCRIBE, request
            name = request.object_name or ""
            self.described.append(name)
            if self._outage and len(self.described) - 1 in self._outage[0]:
                raise SalesforceError(Failure.of(self._outage[1], Operation.DESCRIBE))
            if name in self._failures:
                raise SalesforceError(Failure.of(self._failures[name], Operation.DESCRIBE))
            payload = self._objects[name]
        return ApiResponse(200, {}, json.dumps(payload).encode())


def discover(org: FakeOrg, **changes: Any):
    return discover_objects(Discovery(org, "v66.0", 1), config(**changes))


# Discovery


def test_what_the_patterns_show_is_offered_by_name_and_nothing_else_is_described():
    org = FakeOrg(describe("Contact"), describe("Account"), describe("Lead"))
    offered = discover(org, objects=["acc*", "con*"])
    assert [one.sobject.name for one in offered] == ["Account", "Contact"]
    assert sorted(org.described) == ["Account", "Contact"]


def test_an_offered_object_has_its_key_its_cursor_and_its_schema():
    (account,) = discover(FakeOrg(describe("Account")))
    assert (account.primary_key, account.cursor_field) == (("Id",), "SystemModstamp")
    assert list(account.json_schema["properties"]) == [name for name, _ in FIELDS]


def test_an_object_without_a_cursor_is_offered_for_full_refresh():
    (account,) = discover(FakeOrg(describe("Account", ("Id", "id"))))
    assert (account.cursor, account.cursor_field) == (None, None)


def test_an_object_that_the_user_may_not_see_is_left_out_with_its_reason(caplog):
    offered = discover(FakeOrg(describe("Account"), Secret__c=Kind.MISSING_PERMISSION))
    assert [one.sobject.name for one in offered] == ["Account"]
    assert any("Secret__c" in record.getMessage() for record in caplog.records)


PASSING = [Kind.UNAVAILABLE, Kind.CONNECTION, Kind.UNEXPECTED, Kind.UNREADABLE_ANSWER]


@pytest.mark.parametrize("kind", PASSING)
@pytest.mark.parametrize("broken", [["Contact"], ["Contact", "Lead"]])
def test_an_object_that_alone_is_not_described_is_left_out_with_a_warning(kind, broken, caplog):
    org = FakeOrg(describe("Account"), **dict.fromkeys(broken, kind))
    assert [one.sobject.name for one in discover(org)] == ["Account"]
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [sentence.startswith(f"Not offered: {name}: ") for name, sentence in zip(broken, said, strict=True)]
    assert all("exclude_objects" in sentence for sentence in said)


def test_an_object_that_is_not_described_is_missed_though_a_pattern_shows_it():
    survey = survey_objects(Discovery(FakeOrg(describe("Account"), Contact=Kind.UNAVAILABLE), "v66.0", 1), config())
    assert [one.name for one in survey.missed] == ["Contact"]


@pytest.mark.parametrize("kind", PASSING)
def test_an_outage_of_all_describes_is_a_failure(kind):
    with pytest.raises(SalesforceError) as raised:
        discover(FakeOrg(Contact=kind, Lead=kind))
    assert raised.value.failure.kind is kind
    assert raised.value.failure.summary.startswith("Contact: ")


@pytest.mark.parametrize("kind", PASSING)
def test_an_outage_that_begins_between_two_describes_is_a_failure(kind):
    org = FakeOrg(describe("Account"), describe("Contact"), describe("Lead"), fails_after=(1, kind))
    with pytest.raises(SalesforceError) as raised:
        discover(org)
    assert raised.value.failure.kind is kind


def test_an_outage_that_is_over_costs_no_object():
    org = FakeOrg(
        describe("Account"), describe("Contact"), describe("Lead"), fails_after=(1, Kind.UNAVAILABLE), until=3
    )
    assert [one.sobject.name for one in discover(org)] == ["Account", "Contact", "Lead"]


def test_a_failure_of_every_object_ends_the_discovery():
    with pytest.raises(SalesforceError) as raised:
        discover(FakeOrg(describe("Account"), Contact=Kind.API_CALLS_EXHAUSTED))
    assert raised.value.failure.kind is Kind.API_CALLS_EXHAUSTED


@pytest.mark.parametrize(
    ("name", "override"),
    [
        ("FieldDefinition", {"where": "EntityDefinitionId = 'Account'"}),
        ("FeedItem", {"cursor_field": "SystemModstamp"}),
        ("DataType", {"primary_key": ["Id"]}),
    ],
)
def test_an_override_of_an_object_offers_it(name, override):
    org = FakeOrg(describe("Account"), describe(name))
    assert [one.sobject.name for one in discover(org)] == ["Account"]
    offered = discover(org, object_overrides=[{"object": name.lower(), **override}])
    assert [one.sobject.name for one in offered] == ["Account", name]


def test_an_override_of_a_misspelt_object_is_refused_by_a_survey_and_a_warning_of_a_discovery(caplog):
    org, overrides = FakeOrg(describe("Account")), [{"object": "Acount", "where": "Name != null"}]
    with pytest.raises(ValueError, match=r"^Acount: .*did you mean Account\?"):
        survey_objects(Discovery(org, "v66.0", 1), config(objects=["Account"], object_overrides=overrides))
    assert [one.sobject.name for one in discover(org, object_overrides=overrides)] == ["Account"]
    assert [record.getMessage() for record in caplog.records if "did you mean Account?" in record.getMessage()]


def test_an_object_of_which_bulk_can_select_nothing_is_left_out_with_its_reason(caplog):
    caplog.set_level(logging.INFO)
    assert discover(FakeOrg(describe("Places", ("Where", "address")))) == []
    assert any("Places" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Oportunity", "no object of that name is visible to this user"),
        ("Secret__c", "permission"),
        ("Places", "Bulk can select none of its fields"),
    ],
)
def test_what_the_user_names_and_cannot_have_is_a_warning(name, reason, caplog):
    org = FakeOrg(describe("Account"), describe("Places", ("Where", "address")), Secret__c=Kind.MISSING_PERMISSION)
    assert [one.sobject.name for one in discover(org, objects=["Account", name])] == ["Account"]
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said.startswith(f"Not offered: {name}: ")
    assert reason in said


def test_a_survey_leaves_it_to_the_caller_to_tell_what_was_named(caplog):
    org = FakeOrg(describe("Account"), Secret__c=Kind.MISSING_PERMISSION, Other__c=Kind.MISSING_PERMISSION)
    survey = survey_objects(Discovery(org, "v66.0", 1), config(objects=["Acc*", "Other*", "Secret__c", "Gone__c"]))
    assert [one.name for one in survey.missed] == ["Gone__c", "Secret__c"]
    assert [one.name for one in survey.left_out if not one.wanted] == ["Other__c"]
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "Other__c" in said
    assert "Secret__c" not in said
    assert "Gone__c" not in said


@pytest.mark.parametrize("pattern", ["Oport*", "Secret?_c", "[xyz]*"])
def test_a_pattern_that_shows_nothing_to_be_read_is_a_warning(pattern, caplog):
    discover(FakeOrg(describe("Account"), Secret__c=Kind.MISSING_PERMISSION), objects=["acc*", pattern])
    said = [record.getMessage() for record in caplog.records if "matches" in record.getMessage()]
    assert said == [f"{pattern} matches no object that can be read"]


def test_an_unknown_type_is_text_and_said_once(caplog):
    caplog.set_level(logging.INFO)
    (account,) = discover(FakeOrg(describe("Account", ("Id", "id"), ("A", "hologram"), ("B", "hologram"))))
    assert "string" in account.json_schema["properties"]["A"]["type"]
    assert len([1 for record in caplog.records if "hologram" in record.getMessage()]) == 1


# Overrides


def test_an_override_chooses_the_cursor_the_key_and_the_filter_in_any_letter_case():
    override = {"object": "account", "cursor_field": "LastSeen__c", "primary_key": ["Name"], "where": "Name != null"}
    account = described(("Name", "string"), ("LastSeen__c", "datetime"), ("SystemModstamp", "datetime"))
    readable = readable_object(account, config(object_overrides=[override]))
    assert (readable.primary_key, readable.cursor_field, readable.where) == (("Name",), "LastSeen__c", "Name != null")


def test_an_impossible_override_is_a_sentence_for_the_user():
    impossible = config(object_overrides=[{"object": "Account", "cursor_field": "Name"}])
    with pytest.raises(ValueError, match="Name"):
        readable_object(described(), impossible)


# What a catalog selects
