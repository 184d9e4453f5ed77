from __future__ import annotations

from dataclasses import replace

import pytest

from source_salesforce_bulk.salesforce.describe import json_schema, parse_describe
from source_salesforce_bulk.salesforce.drift import (
    Change,
    ChangeKind,
    FieldSchema,
    ObjectSchema,
    compare,
    compare_catalog,
    object_schema,
)

NAME = FieldSchema("Name", "string", length=80, nillable=False)
AMOUNT = FieldSchema("Amount__c", "currency", precision=18, scale=2)


def changes(before: tuple[FieldSchema, ...], after: tuple[FieldSchema, ...]) -> list[tuple[str, ChangeKind, bool]]:
    found = compare(ObjectSchema("Account", before), ObjectSchema("Account", after))
    return [(change.field, change.kind, change.breaking) for change in found]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((NAME,), (NAME, AMOUNT), [("Amount__c", ChangeKind.ADDED, False)]),
        ((NAME, AMOUNT), (NAME,), [("Amount__c", ChangeKind.REMOVED, True)]),
        ((NAME, AMOUNT), (AMOUNT,), [("Name", ChangeKind.REMOVED, True)]),
        ((AMOUNT,), (replace(AMOUNT, type="string"),), [("Amount__c", ChangeKind.RETYPED, True)]),
        ((NAME,), (replace(NAME, type="picklist"),), [("Name", ChangeKind.RETYPED, False)]),
        ((AMOUNT,), (replace(AMOUNT, type="double"),), [("Amount__c", ChangeKind.RETYPED, False)]),
        ((NAME,), (replace(NAME, length=255),), [("Name", ChangeKind.LENGTH, True)]),
        ((NAME,), (replace(NAME, length=40),), [("Name", ChangeKind.LENGTH, False)]),
        (
            (AMOUNT,),
            (replace(AMOUNT, precision=16, scale=4),),
            [("Amount__c", ChangeKind.PRECISION, False), ("Amount__c", ChangeKind.SCALE, True)],
        ),
        ((NAME,), (replace(NAME, nillable=True),), [("Name", ChangeKind.NILLABLE, True)]),
        ((AMOUNT,), (replace(AMOUNT, nillable=False),), [("Amount__c", ChangeKind.NILLABLE, False)]),
        ((AMOUNT,), (replace(AMOUNT, calculated=True),), [("Amount__c", ChangeKind.BECAME_FORMULA, True)]),
        ((replace(AMOUNT, calculated=True),), (AMOUNT,), [("Amount__c", ChangeKind.NO_LONGER_FORMULA, False)]),
        ((NAME, AMOUNT), (AMOUNT, NAME), []),
        ((NAME, AMOUNT), (replace(NAME, name="NAME"), replace(AMOUNT, name="AMOUNT__c")), []),
        ((NAME,), (replace(NAME, name="name", length=255),), [("Name", ChangeKind.LENGTH, True)]),
        (
            (NAME,),
            (replace(NAME, name="Name__c"),),
            [("Name", ChangeKind.REMOVED, True), ("Name__c", ChangeKind.ADDED, False)],
        ),
    ],
)
def test_each_change_is_named_and_classed(before, after, expected):
    assert changes(before, after) == expected


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (Change("X", ChangeKind.RETYPED, "int", "string", breaking=True), "X retyped (int -> string), breaking"),
        (Change("X", ChangeKind.ADDED, "", "int", breaking=False), "X added (int)"),
        (Change("X", ChangeKind.BECAME_FORMULA, "", "", breaking=True), "X became a formula, breaking"),
    ],
)
def test_a_change_is_a_short_sentence(change, sentence):
    assert str(change) == sentence


def test_the_schema_is_of_the_fields_that_bulk_can_read():
    sobject = parse_describe(
        {
            "name": "Account",
            "fields": [
                {"name": "Name", "type": "string", "length": 80, "nillable": False},
                {"name": "Amount__c", "type": "currency", "precision": 18, "scale": 2},
                {"name": "BillingAddress", "type": "address"},
            ],
        }
    )
    assert object_schema(sobject) == ObjectSchema("Account", (NAME, AMOUNT))


def test_the_order_of_fields_is_no_difference():
    assert ObjectSchema("A", (NAME, AMOUNT)).same_as(ObjectSchema("A", (AMOUNT, NAME)))
    assert not ObjectSchema("A", (NAME,)).same_as(ObjectSchema("A", (AMOUNT, NAME)))


CREATED = {"name": "CreatedDate", "type": "datetime"}
CITY = {"name": "City", "type": "string"}


def described(*fields):
    return parse_describe({"name": "Account", "fields": list(fields)})


def test_a_catalog_as_it_was_discovered_has_not_changed():
    sobject = described(CREATED, CITY)
    assert compare_catalog(json_schema(sobject), sobject) == ()


@pytest.mark.parametrize("configured", [{}, {"properties": {}}, {"properties": None}, {"type": "object"}])
def test_a_catalog_that_says_nothing_is_compared_with_nothing(configured):
    assert compare_catalog(configured, described(CITY)) == ()


@pytest.mark.parametrize("untyped", [{}, True, {"type": ["null"]}, {"description": "x"}])
def test_a_field_that_is_only_selected_has_no_type_to_change(untyped):
    assert compare_catalog({"properties": {"City": untyped}}, described(CITY)) == ()


@pytest.mark.parametrize("configured", [{"type": "string"}, {"type": ["string", "null"]}, {"type": ["null", "string"]}])
def test_the_same_type_may_be_spelled_differently(configured):
    assert compare_catalog({"properties": {"City": configured}}, described(CITY)) == ()


def test_a_retyped_and_an_added_field_are_told():
    configured = {"properties": {"CreatedDate": {"type": ["null", "string"], "format": "date"}}}
    assert compare_catalog(configured, described(CREATED, CITY)) == (
        Change("City", ChangeKind.ADDED, "", "string", breaking=False),
        Change("CreatedDate", ChangeKind.RETYPED, "string date", "string date-time", breaking=True),
    )


@pytest.mark.parametrize("name", ["Amount__c", "AMOUNT__c", "amount__C"])
def test_a_field_whose_letter_case_alone_has_changed_is_the_same_field(name):
    sobject = parse_describe({"name": "Account", "fields": [{"name": name, "type": "currency"}]})
    assert compare_catalog({"properties": {"Amount__c": {"type": ["null", "number"]}}}, sobject) == ()
    assert object_schema(sobject).same_as(
        ObjectSchema("Account", (replace(object_schema(sobject).fields[0], name="aMOUNT__c"),))
    )
