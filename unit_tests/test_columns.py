from __future__ import annotations

from pyiceberg.schema import Schema
from pyiceberg.types import DoubleType, NestedField, StringType

from source_salesforce_bulk.salesforce.drift import FieldSchema, ObjectSchema
from source_salesforce_bulk.tables.columns import MARKS, first_columns, grown


def schema(**fields: str) -> ObjectSchema:
    return ObjectSchema("Account", tuple(FieldSchema(name, kind) for name, kind in fields.items()))


def after(table: Schema, last: int, before: ObjectSchema, now: ObjectSchema) -> dict[str, int]:
    added, numbered = grown(table, last, before, now)
    assert [one.id for one in added] == list(range(last + 1, last + 1 + len(added)))
    return {one.name: one.id for one in numbered.fields} | {f"+{one.name}": one.id for one in added}


def test_a_new_log_has_the_fields_in_order_and_then_what_this_program_adds():
    columns, numbered = first_columns(schema(Id="id", Amount="currency"))
    assert [one.name for one in columns.fields] == ["Id", "Amount", *MARKS]
    assert [one.id for one in numbered.fields] == [1, 2]
    assert numbered.last_id == 2 + len(MARKS)
    assert not any(one.required for one in columns.fields)


TABLE, FIRST = first_columns(schema(Id="id", Amount="currency"))
LAST = FIRST.last_id


def test_a_new_field_is_a_new_column():
    assert after(TABLE, LAST, FIRST, schema(Id="id", New__c="date", Amount="currency")) == {
        "Id": 1,
        "New__c": LAST + 1,
        "Amount": 2,
        "+New__c": LAST + 1,
    }


def test_a_field_that_comes_back_has_its_old_column():
    _, without = grown(TABLE, LAST, FIRST, schema(Id="id"))
    assert after(TABLE, LAST, without, schema(Id="id", amount="double")) == {"Id": 1, "amount": 2}


def test_a_field_of_another_type_is_a_column_of_another_name():
    found = after(TABLE, LAST, FIRST, schema(Id="id", Amount="string"))
    assert found == {"Id": 1, "Amount": LAST + 1, "+Amount__string": LAST + 1}


def test_a_field_whose_type_changes_again_and_back_has_the_columns_it_had():
    _, text = grown(TABLE, LAST, FIRST, schema(Id="id", Amount="string"))
    wider = Schema(*TABLE.fields, NestedField(LAST + 1, "Amount__string", StringType(), required=False))
    assert wider.find_field("Amount__string").field_type == StringType()
    assert wider.find_field("Amount").field_type == DoubleType()
    assert after(wider, LAST + 1, text, schema(Id="id", Amount="double")) == {"Id": 1, "Amount": 2}


def test_a_field_that_keeps_its_column_keeps_it_whatever_else_bears_its_name():
    _, text = grown(TABLE, LAST, FIRST, schema(Id="id", Amount="string"))
    assert after(TABLE, LAST + 1, text, schema(Id="id", Amount="textarea")) == {"Id": 1, "Amount": LAST + 1}
