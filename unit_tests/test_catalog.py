from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from source_salesforce_bulk.config import Config, parse_config
from source_salesforce_bulk.extraction.catalog import (
    discover_objects,
    plan_object,
    readable_object,
    selected_fields,
    survey_objects,
)
from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER, Mode, StateError
from source_salesforce_bulk.salesforce.describe import SObject, parse_describe
from source_salesforce_bulk.salesforce.discovery import Discovery
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.wire import ApiRequest, ApiResponse, Operation

ORG = "00DA0000000001AAAA"
CREDENTIALS = {"auth_type": "client_credentials", "client_id": "id", "client_secret": "secret"}
FIELDS = (("Id", "id"), ("IsDeleted", "boolean"), ("Name", "string"), ("SystemModstamp", "datetime"))


def config(**changes: Any) -> Config:
    base = {"credentials": CREDENTIALS, "login_url": "https://acme.my.salesforce.com"}
    return parse_config(base | changes)


def describe(name: str, *fields: tuple[str, str]) -> dict[str, Any]:
    described = [
        {"name": field, "type": kind, "filterable": True, "nillable": kind == "string"}
        for field, kind in fields or FIELDS
    ]
    return {"name": name, "label": name, "queryable": True, "fields": described}


def sobject(*fields: tuple[str, str], name: str = "Account") -> SObject:
    return parse_describe(describe(name, *fields))


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
        ("ContentDocumentLink", {"where": "LinkedEntityId = '001A0000006Vm9r'"}),
        ("FeedItem", {"cursor_field": "SystemModstamp"}),
        ("CaseStatus", {"primary_key": ["Id"]}),
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
        ("Oportunity", "the org shows this user no object of that name"),
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
    account = sobject(("Name", "string"), ("LastSeen__c", "datetime"), ("SystemModstamp", "datetime"))
    readable = readable_object(account, config(object_overrides=[override]))
    assert (readable.primary_key, readable.cursor_field, readable.where) == (("Name",), "LastSeen__c", "Name != null")


def test_an_impossible_override_is_a_sentence_for_the_user():
    impossible = config(object_overrides=[{"object": "Account", "cursor_field": "Name"}])
    with pytest.raises(ValueError, match="Name"):
        readable_object(sobject(), impossible)


# What a catalog selects


@pytest.mark.parametrize("schema", [None, {}, {"properties": {}}, {"properties": None}, {"properties": []}])
def test_a_schema_without_properties_selects_every_field(schema):
    assert selected_fields(schema) is None


def test_a_schema_selects_its_properties():
    assert selected_fields({"properties": {"Id": {}, "Name": {}}}) == {"Id", "Name"}


# Plans


def plan(
    wanted=None,
    mode: Mode = Mode.INCREMENTAL,
    blob: dict[str, Any] | None = None,
    organization: str | None = ORG,
    described: SObject | None = None,
    **changes: Any,
):
    settings = config(**changes)
    return plan_object(
        readable_object(described or sobject(), settings), wanted, mode, blob or {}, settings, organization
    )


def scope(**changes: Any) -> str:
    found = plan(**changes)[0].state.scope
    assert found is not None
    return found


def test_key_and_cursor_are_read_whether_they_were_selected_or_not():
    assert plan({"Name"})[0].query.fields == ("Id", "Name", "SystemModstamp")


def test_the_plan_carries_what_the_configuration_says():
    made, _ = plan(lookback_window="PT1H", api_version="v60.0", page_size=7, start_date="2024-01-01")
    assert (made.lookback.total_seconds(), made.api_version, made.page_size) == (3600, "v60.0", 7)
    assert made.start == datetime(2024, 1, 1, tzinfo=UTC)


def test_a_start_date_means_nothing_without_a_cursor():
    made, _ = plan(described=sobject(("Id", "id")), mode=Mode.FULL_REFRESH, start_date="2024-01-01")
    assert made.start is None


def test_a_vanished_field_is_dropped_with_a_warning(caplog):
    made, _ = plan({"Name", "Old__c"})
    assert "Old__c" not in made.query.fields
    assert any("Old__c" in record.getMessage() and record.levelno == logging.WARNING for record in caplog.records)


def test_leaving_deleted_rows_out_is_said_once(caplog):
    caplog.set_level(logging.INFO)
    made, _ = plan({"Name"})
    assert made.query.exclude_deleted
    assert len([1 for record in caplog.records if "IsDeleted" in record.getMessage()]) == 1


def test_the_incoming_state_is_read_as_this_streams():
    made, incoming = plan(blob={"SystemModstamp": "2026-11-23T02:00:00.000Z", "scope": scope()})
    assert made.state.cursor == datetime(2026, 11, 23, 2, tzinfo=UTC)
    assert incoming.warning is None


def test_a_state_that_cannot_be_this_streams_is_refused():
    with pytest.raises(StateError):
        plan(blob={"LastModifiedDate": "2026-11-23T02:00:00.000Z"})


def test_a_complete_full_refresh_stays_complete():
    made, _ = plan(mode=Mode.FULL_REFRESH, blob=dict(COMPLETE_MARKER))
    assert made.state.complete


@pytest.mark.parametrize(
    "changes",
    [
        {"organization": "00DB0000000001AAAA"},
        {"include_deleted": False},
        {"start_date": "2024-01-01"},
        {"object_overrides": [{"object": "Account", "where": "Name != null"}]},
        {"described": sobject(("Id", "id"), ("LastModifiedDate", "datetime"))},
    ],
    ids=["organization", "operation", "start_date", "where", "cursor"],
)
def test_a_state_of_another_scope_starts_over_with_a_warning(changes):
    assert scope(**changes) != scope()
    made, incoming = plan(blob={"SystemModstamp": "2026-11-23T02:00:00.000Z", "scope": scope()}, **changes)
    assert made.state.cursor is None
    assert incoming.warning


@pytest.mark.parametrize("changes", [{"wanted": {"Name"}}, {"lookback_window": "PT1H"}, {"page_size": 7}])
def test_what_does_not_change_which_rows_were_read_keeps_the_scope(changes):
    assert scope(**changes) == scope()


@pytest.mark.parametrize("was", ["systemmodstamp", "SYSTEMMODSTAMP"])
def test_a_state_whose_cursor_differs_in_letter_case_is_gone_on_with(was):
    readable = readable_object(sobject().spelled_as([was]), config())
    plan, _ = plan_object(readable, None, Mode.INCREMENTAL, {}, config(), ORG)
    blob = {was: "2026-11-20T00:00:00.000Z", "scope": plan.state.scope}
    renamed = readable_object(sobject(), config())
    plan, incoming = plan_object(renamed, None, Mode.INCREMENTAL, blob, config(), ORG)
    assert incoming.warning is None
    assert plan.state.cursor == datetime(2026, 11, 20, tzinfo=UTC)
    assert plan.state.to_json("SystemModstamp")["scope"] == plan.state.scope != blob["scope"]


def test_the_plan_knows_the_objects_key():
    readable = readable_object(sobject(), config(object_overrides=[{"object": "Account", "primary_key": ["name"]}]))
    plan, _ = plan_object(readable, None, Mode.INCREMENTAL, {}, config(), ORG)
    assert plan.primary_key == ("Name",)
