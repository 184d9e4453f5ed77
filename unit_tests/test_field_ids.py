from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.registries.field_ids import ids_by_name, numbered
from source_salesforce_bulk.registries.schemas import UnreadableSchema, from_json_schema, to_json_schema
from source_salesforce_bulk.salesforce.drift import FieldSchema, ObjectSchema

TYPES = ("string", "double", "int", "boolean")


def schema(*names: str, **typed: str) -> ObjectSchema:
    fields = (*(FieldSchema(name, "string") for name in names), *(FieldSchema(*one) for one in typed.items()))
    return ObjectSchema("Account", fields)


def test_a_first_schema_counts_from_one_in_its_fields_order():
    assert ids_by_name(numbered(schema("Id", "Name"), None)) == {"Id": 1, "Name": 2}


def test_a_field_that_comes_later_takes_the_next_id_wherever_it_stands():
    first = numbered(schema("Id", "Name"), None)
    assert ids_by_name(numbered(schema("Id", "New__c", "Name"), first)) == {"Id": 1, "New__c": 3, "Name": 2}


def test_the_id_of_a_removed_field_is_never_given_again():
    first = numbered(schema("Id", "Name"), None)
    without = numbered(schema("Id"), first)
    assert ids_by_name(numbered(schema("Id", "Name"), without)) == {"Id": 1, "Name": 3}


def test_a_column_that_changes_its_type_is_another_column():
    first = numbered(schema("Id", Amount__c="double"), None)
    assert ids_by_name(numbered(schema("Id", Amount__c="string"), first)) == {"Id": 1, "Amount__c": 3}
    assert ids_by_name(numbered(schema("Id", Amount__c="currency"), first)) == {"Id": 1, "Amount__c": 2}


def test_a_version_without_ids_has_those_of_its_order():
    released = from_json_schema(to_json_schema(schema("Name", "Id")))
    assert not released.last_id
    assert ids_by_name(numbered(schema("New__c", "Name", "Id"), released)) == {"Id": 1, "Name": 2, "New__c": 3}


def test_ids_survive_the_registry():
    known = numbered(schema("Id"), numbered(schema("Id", "Name"), None))
    assert from_json_schema(to_json_schema(known)) == known


@pytest.mark.parametrize(("ids", "last"), [((1, 1), 2), ((1, 3), 2), ((-1, 1), 2), ((1, 2), True)])
def test_impossible_ids_are_refused(ids, last):
    fields = (FieldSchema("A", "string", id=ids[0]), FieldSchema("B", "string", id=ids[1]))
    document = json.loads(to_json_schema(ObjectSchema("Account", fields)))
    document["x-salesforce-last-id"] = last
    with pytest.raises(UnreadableSchema):
        from_json_schema(json.dumps(document))


@given(st.lists(st.dictionaries(st.sampled_from("ABCDE"), st.sampled_from(TYPES)), min_size=1, max_size=8))
def test_an_id_only_ever_means_one_field_of_one_type(history):
    meant: dict[int, tuple[str, str]] = {}
    known = None
    for fields in history:
        now = numbered(schema(**fields), known)
        # What a registry keeps loses the order of fields and nothing else.
        known = from_json_schema(to_json_schema(now))
        for one in now.fields:
            assert meant.setdefault(one.id, (one.name, one.type)) == (one.name, one.type)
