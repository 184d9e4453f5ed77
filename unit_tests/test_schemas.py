from __future__ import annotations

import json

import pytest

from source_salesforce_bulk.registries.schemas import (
    LocalSchemas,
    Registered,
    SchemaRefused,
    UnreadableSchema,
    from_json_schema,
    to_json_schema,
)
from source_salesforce_bulk.salesforce.drift import FieldSchema, ObjectSchema

SCHEMA = ObjectSchema(
    "Account",
    (
        FieldSchema("Name", "string", length=80, nillable=False),
        FieldSchema("Amount__c", "currency", precision=18, scale=2, calculated=True),
    ),
)


def test_a_schema_survives_its_json_schema():
    assert from_json_schema(to_json_schema(SCHEMA)).same_as(SCHEMA)


def test_it_is_a_json_schema_with_what_salesforce_adds():
    document = json.loads(to_json_schema(SCHEMA))
    assert document["title"] == "Account"
    assert document["properties"]["Name"] == {
        "type": ["null", "string"],
        "x-salesforce": {"type": "string", "length": 80, "nillable": False},
    }


def test_the_id_of_a_column_stands_apart_because_the_first_release_refuses_facts_that_it_does_not_know():
    schema = ObjectSchema("Account", (FieldSchema("Name", "string", id=4),), 4)
    document = json.loads(to_json_schema(schema))
    assert document["properties"]["Name"]["x-salesforce"] == {"type": "string"}
    assert from_json_schema(json.dumps(document)) == schema


def test_the_same_schema_is_the_same_text_whatever_the_order():
    assert to_json_schema(SCHEMA) == to_json_schema(ObjectSchema("Account", SCHEMA.fields[::-1]))


def test_a_thousand_fields_fit_into_a_glue_schema():
    fields = tuple(FieldSchema(f"A_rather_long_field_name_{n:015d}__c", "picklist", length=255) for n in range(1000))
    assert len(to_json_schema(ObjectSchema("Wide__c", fields))) < 170_000  # characters, Glue's limit


HOSTILE = [
    {"title": "../../x", "properties": {}},
    {"title": "A\x1b[2J", "properties": {}},
    {"title": "A", "properties": {"X\n": {"x-salesforce": {"type": "string"}}}},
    *(
        {"title": "A", "properties": {"X": {"x-salesforce": {"type": "string", **extra}}}}
        for extra in (
            {"type": "\x1b[2J"},
            {"type": 5},
            {"length": "5"},
            {"length": True},
            {"nillable": 1},
            {"calculated": []},
            {"name": "Y"},
            {"more": 1},
        )
    ),
]


@pytest.mark.parametrize("document", HOSTILE)
def test_a_schema_of_other_types_or_with_other_names_is_refused(document):
    with pytest.raises(UnreadableSchema):
        from_json_schema(json.dumps(document))


@pytest.mark.parametrize("text", ["[" * 200_000, "1" * 5_000, b"\xff\xfe"])
def test_a_hostile_document_is_an_unreadable_one(text):
    with pytest.raises(UnreadableSchema):
        from_json_schema(text)


def test_a_schema_file_that_is_a_link_or_too_large_is_not_read(tmp_path, monkeypatch):
    folder = tmp_path / "00D" / "Account"
    folder.mkdir(parents=True)
    (tmp_path / "outside").write_text(to_json_schema(SCHEMA))
    (folder / "1.json").symlink_to(tmp_path / "outside")
    (folder / "٣.json").touch()  # a digit, too
    with pytest.raises(UnreadableSchema, match="is a link"):
        LocalSchemas(tmp_path).latest("00D", "Account")
    monkeypatch.setattr("source_salesforce_bulk.registries.schemas.LONGEST", 10)
    (folder / "2.json").write_text(to_json_schema(SCHEMA))
    with pytest.raises(UnreadableSchema, match="larger than 10 bytes"):
        LocalSchemas(tmp_path).latest("00D", "Account")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"title": "A", "properties": {"X": {}}}', '{"title":1,"properties":3}']
)
def test_another_document_is_refused(text):
    with pytest.raises(UnreadableSchema):
        from_json_schema(text)


def test_versions_count_up_and_the_latest_is_found(tmp_path):
    registry = LocalSchemas(tmp_path)
    assert registry.latest("00D", "Account") is None
    version = None
    for number in range(1, 12):
        version = registry.register("00D", SCHEMA, version)
        assert version == Registered(number, SCHEMA)
    assert registry.latest("00D", "Account").version == 11
    assert registry.latest("00E", "Account") is None


def test_two_runs_cannot_write_one_version(tmp_path):
    registry = LocalSchemas(tmp_path)
    registry.register("00D", SCHEMA, None)
    with pytest.raises(SchemaRefused, match="version 1 of Account"):
        registry.register("00D", SCHEMA, None)


def test_a_damaged_file_is_named(tmp_path):
    LocalSchemas(tmp_path).register("00D", SCHEMA, None)
    (tmp_path / "00D" / "Account" / "1.json").write_text("{")
    with pytest.raises(UnreadableSchema, match=r"Account/1\.json"):
        LocalSchemas(tmp_path).latest("00D", "Account")
