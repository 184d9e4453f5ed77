"""One test for each row of the table, and the rules that hold for all of them."""

from __future__ import annotations

import json

import pytest

from source_salesforce_bulk.pages.cells import READERS
from source_salesforce_bulk.salesforce.field_types import ARROW_TYPES, CellKind, FieldType, field_type, is_known

OBJECT = {"type": ["null", "object"]}
TEXT = {"type": ["null", "string"]}
INTEGER = {"type": ["null", "integer"]}
NUMBER = {"type": ["null", "number"]}
DATE = {"type": ["null", "string"], "format": "date"}
DATETIME = {"type": ["null", "string"], "format": "date-time", "airbyte_type": "timestamp_with_timezone"}

# Describe type, cell, JSON Schema, Arrow type, a word of why Bulk cannot select it.
TABLE = [
    ("id", CellKind.STRING, TEXT, "string", None),
    ("reference", CellKind.STRING, TEXT, "string", None),
    ("string", CellKind.STRING, TEXT, "string", None),
    ("textarea", CellKind.STRING, TEXT, "string", None),
    ("picklist", CellKind.STRING, TEXT, "string", None),
    ("multipicklist", CellKind.STRING, TEXT, "string", None),
    ("combobox", CellKind.STRING, TEXT, "string", None),
    ("phone", CellKind.STRING, TEXT, "string", None),
    ("url", CellKind.STRING, TEXT, "string", None),
    ("email", CellKind.STRING, TEXT, "string", None),
    ("encryptedstring", CellKind.STRING, TEXT, "string", None),
    ("datacategorygroupreference", CellKind.STRING, TEXT, "string", None),
    ("masterrecord", CellKind.STRING, TEXT, "string", None),
    ("calculated", CellKind.STRING, TEXT, "string", None),
    ("anyType", CellKind.STRING, TEXT, "string", None),
    ("boolean", CellKind.BOOLEAN, {"type": ["null", "boolean"]}, "bool", None),
    ("int", CellKind.INTEGER, INTEGER, "int64", None),
    ("long", CellKind.INTEGER, INTEGER, "int64", None),
    ("double", CellKind.NUMBER, NUMBER, "float64", None),
    ("currency", CellKind.NUMBER, NUMBER, "float64", None),
    ("percent", CellKind.NUMBER, NUMBER, "float64", None),
    ("date", CellKind.DATE, DATE, "date32", None),
    ("datetime", CellKind.DATETIME, DATETIME, "timestamp[us, tz=UTC]", None),
    ("time", CellKind.TIME, TEXT, "string", None),
    ("base64", CellKind.STRING, TEXT, "string", "binary"),
    ("byte", CellKind.STRING, TEXT, "string", "binary"),
    ("address", CellKind.STRING, OBJECT, "string", "compound"),
    ("location", CellKind.STRING, OBJECT, "string", "compound"),
    ("complexvalue", CellKind.STRING, TEXT, "string", "structured"),
    ("json", CellKind.STRING, TEXT, "string", "structured"),
    ("JunctionIdList", CellKind.STRING, TEXT, "string", "lists"),
    ("floatarray", CellKind.STRING, TEXT, "string", "lists"),
    ("textarray", CellKind.STRING, TEXT, "string", "lists"),
]
ROWS = pytest.mark.parametrize("expected", TABLE, ids=[row[0] for row in TABLE])


def object_schema(row: FieldType) -> object:
    return json.loads(json.dumps(dict(row.json_schema)))


@ROWS
def test_a_row(expected):
    name, kind, schema, arrow, reason = expected
    row = field_type(name)
    assert (row.name, row.kind, object_schema(row), ARROW_TYPES[row.kind]) == (name, kind, schema, arrow)
    assert is_known(name)
    if reason is None:
        assert row.bulk
        assert row.not_in_bulk is None
    else:
        assert not row.bulk
        assert reason in (row.not_in_bulk or "")


def test_every_row_is_tested():
    from source_salesforce_bulk.salesforce.field_types import _ROWS  # noqa: PLC0415

    assert [row.name for row in _ROWS] == [row[0] for row in TABLE]


@pytest.mark.parametrize("name", ["hologram", "", "string "])
def test_an_unknown_type_is_text_that_bulk_may_select(name):
    row = field_type(name)
    assert not is_known(name)
    assert (row.name, row.kind, object_schema(row), row.bulk) == (name, CellKind.STRING, TEXT, True)


@pytest.mark.parametrize("name", ["anytype", "ANYTYPE", "DateTime", "junctionidlist"])
def test_letter_case_does_not_matter(name):
    assert is_known(name)
    assert field_type(name).name.lower() == name.lower()


@ROWS
def test_every_type_is_nullable(expected):
    assert object_schema(field_type(expected[0]))["type"][0] == "null"


def test_every_kind_of_cell_has_a_reader_and_a_type():
    assert set(READERS) == set(CellKind)
    assert {field_type(row[0]).kind for row in TABLE} == set(CellKind)


def test_a_schema_cannot_be_changed_by_who_reads_it():
    with pytest.raises(TypeError):
        field_type("string").json_schema["type"] = "string"  # type: ignore[index]
