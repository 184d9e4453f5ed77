"""The choice of API for each object, and its reason."""

from __future__ import annotations

import pytest

from source_salesforce_bulk.salesforce.describe import Field, SObject
from source_salesforce_bulk.salesforce.lanes import Api, choose_lane
from source_salesforce_bulk.salesforce.rest_query import Parents

ID = Field("Id", "id")


def sobject(name: str, *fields: Field, **changes: object) -> SObject:
    return SObject(name, name, custom=False, fields=(ID, *fields), **changes)  # type: ignore[arg-type]


LINK = sobject(
    "ContentDocumentLink", Field("ContentDocumentId", "reference", reference_to=("ContentDocument",)), Field("X", "int")
)


def test_bulk_reads_what_nothing_is_known_against():
    lane = choose_lane(sobject("Account"))
    assert (lane.rest, lane.keyed, str(lane)) == (False, True, "Bulk (Bulk API 2.0 reads it)")


@pytest.mark.parametrize(
    ("described", "refused", "reason"),
    [
        (sobject("CaseStatus"), False, "the Bulk API does not support it"),
        (sobject("Config__Tag"), False, "the Bulk API does not support it"),
        (sobject("Publisher", retrieveable=False), False, "describe says that it is not retrieveable"),
        (sobject("Account"), True, "Bulk API 2.0 refused it in an earlier run"),
    ],
)
def test_rest_reads_what_bulk_refuses_and_says_why(described, refused, reason):
    lane = choose_lane(described, refused=refused)
    assert lane.rest
    assert lane.reason.startswith(reason)


@pytest.mark.parametrize("refused", [True, False])
def test_the_users_choice_outweighs_all(refused):
    assert choose_lane(sobject("Account"), Api.REST, refused=refused).rest
    lane = choose_lane(sobject("CaseStatus"), Api.BULK, refused=refused)
    assert (lane.rest, lane.chosen, lane.reason) == (False, True, "object_overrides chooses it")


def test_an_object_that_wants_a_filter_is_read_by_its_parents_unless_it_has_one():
    lane = choose_lane(LINK)
    assert (lane.rest, lane.parents) == (True, Parents("ContentDocumentId", ("ContentDocument",)))
    assert choose_lane(LINK, Api.REST).parents == lane.parents
    assert choose_lane(LINK, where="LinkedEntityId = '001A0000006Vm9r'").parents is None


def test_metadata_is_found_by_its_entities():
    fields = (Field("DurableId", "string"), Field("EntityDefinitionId", "string"))
    lane = choose_lane(sobject("FieldDefinition", *fields))
    assert (lane.parents, lane.keyed) == (Parents("EntityDefinitionId", ("EntityDefinition",), "DurableId"), False)


@pytest.mark.parametrize("field", [Field("Other", "string"), Field("ContentDocumentId", "reference")])
def test_an_object_whose_parents_describe_does_not_name_is_not_read_by_them(field):
    assert choose_lane(sobject("ContentDocumentLink", field)).parents is None


@pytest.mark.parametrize("name", ["DurableId", "EventIdentifier"])
def test_rows_that_something_else_identifies_are_not_told_apart_by_their_ids(name):
    assert not choose_lane(sobject("EntityDefinition", Field(name, "string"), retrieveable=False)).keyed
