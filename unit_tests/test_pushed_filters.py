"""Filters of Spark in SOQL. The property: a row that passes Spark's filter passes the pushed condition."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.spark.pushed_filters import MOST_VALUES, conditions

TYPES = {
    "Name": "string",
    "Industry": "picklist",
    "Email": "email",
    "Languages__c": "multipicklist",
    "Notes__c": "textarea",
    "OwnerId": "reference",
    "Id": "id",
    "Active__c": "boolean",
    "Count__c": "int",
    "Score__c": "double",
    "AnnualRevenue": "currency",
    "Birthdate": "date",
    "CreatedDate": "datetime",
}
OWNER = "0055g00000000GCAAY"


def made(name: str) -> Any:
    """A stand-in for pyspark's class of this name."""
    return dataclass(type(name, (), {"__annotations__": {"attribute": tuple, "value": object}, "value": None}))


EqualTo, EqualNullSafe, In = made("EqualTo"), made("EqualNullSafe"), made("In")
GreaterThan, LessThan = made("GreaterThan"), made("LessThan")
GreaterThanOrEqual, LessThanOrEqual = made("GreaterThanOrEqual"), made("LessThanOrEqual")
IsNull, IsNotNull = made("IsNull"), made("IsNotNull")
Not = dataclass(type("Not", (), {"__annotations__": {"child": object}}))
StringStartsWith, StringContains, StringEndsWith = map(made, ("StringStartsWith", "StringContains", "StringEndsWith"))
AT = datetime(2026, 11, 24, 8, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "pushed"),
    [
        (EqualTo(("Name",), "O'Neil \\ Co"), r"Name = 'O\'Neil \\ Co'"),
        (EqualTo(("Industry",), "Energy"), "Industry = 'Energy'"),
        (EqualNullSafe(("Name",), None), "Name = null"),
        (EqualTo(("OwnerId",), OWNER), f"OwnerId = '{OWNER}'"),
        (EqualTo(("Active__c",), True), "Active__c = true"),
        (EqualTo(("Count__c",), 7), "Count__c = 7"),
        (EqualTo(("Birthdate",), date(2020, 2, 29)), "Birthdate = 2020-02-29"),
        (In(("Name",), ("b", "a", None)), "Name IN ('a', 'b')"),
        (StringStartsWith(("Name",), "50%_"), r"Name LIKE '50\%\_%'"),
        (StringContains(("Email",), "@x"), "Email LIKE '%@x%'"),
        (StringEndsWith(("Name",), "Ltd"), "Name LIKE '%Ltd'"),
        (IsNull(("Name",)), "Name = null"),
        (IsNotNull(("Count__c",)), "Count__c != null"),
        (GreaterThan(("Count__c",), 7), "Count__c >= 7"),
        (LessThan(("Birthdate",), date(2020, 2, 29)), "Birthdate <= 2020-02-29"),
        (GreaterThan(("CreatedDate",), AT), "CreatedDate >= 2026-11-24T08:00:00.000Z"),
        (LessThan(("CreatedDate",), AT), "CreatedDate <= 2026-11-24T08:00:01.000Z"),
        (
            EqualTo(("CreatedDate",), AT.replace(microsecond=0)),
            "CreatedDate >= 2026-11-24T08:00:00.000Z AND CreatedDate <= 2026-11-24T08:00:00.000Z",
        ),
        (
            GreaterThanOrEqual(("CreatedDate",), AT.astimezone(timezone(timedelta(hours=9)))),
            "CreatedDate >= 2026-11-24T08:00:00.000Z",
        ),
        (GreaterThanOrEqual(("Score__c",), 0.1), "Score__c >= 0.09999999999999999"),
        (LessThanOrEqual(("Score__c",), 0), "Score__c <= 0.000000001"),
    ],
)
def test_a_filter_is_pushed_as_soql_has_it(one, pushed):
    assert conditions([one], TYPES) == (pushed,)


@pytest.mark.parametrize(
    "one",
    [
        Not(EqualTo(("Name",), "x")),  # SOQL's != leaves out X, too
        LessThan(("Name",), "x"),  # SOQL sorts otherwise
        EqualTo(("Name",), ""),  # null in Salesforce
        EqualTo(("Name",), "x "),
        EqualTo(("Name",), "a\nb"),
        EqualTo(("Languages__c",), "a;b"),
        EqualTo(("Notes__c",), "x"),
        StringStartsWith(("Industry",), "E"),
        EqualTo(("OwnerId",), "nobody"),  # an error in SOQL
        EqualTo(("OwnerId",), OWNER[:15]),
        EqualTo(("OwnerId",), OWNER.lower()),
        GreaterThan(("AnnualRevenue",), 100.0),  # compared in the user's currency
        EqualTo(("AnnualRevenue",), 100.0),
        IsNull(("Score__c",)),  # null in Spark alone, where the number does not fit
        IsNotNull(("Active__c",)),
        IsNotNull(("Hidden__c",)),
        EqualTo(("Name", "First"), "x"),
        EqualTo(("Count__c",), 2**40),
        EqualTo(("Count__c",), True),
        GreaterThan(("Score__c",), float("nan")),
        GreaterThan(("Score__c",), 1e300),
        GreaterThan(("CreatedDate",), datetime(2026, 1, 1)),  # noqa: DTZ001 - without a zone it is no instant
        GreaterThan(("CreatedDate",), datetime(1, 1, 1, tzinfo=UTC)),
        GreaterThan(("Birthdate",), date(9999, 12, 31)),
        In(("Name",), ("a", "")),
        In(("Name",), ()),
        In(("Name",), tuple(map(str, range(MOST_VALUES + 1)))),
        made("StringMatches")(("Name",), "x"),
    ],
)
def test_what_soql_means_otherwise_is_left_to_spark(one):
    assert conditions([one], TYPES) == ()


def test_several_filters_are_several_conditions():
    both = conditions([IsNotNull(("Name",)), Not(IsNull(("Id",))), EqualTo(("Name",), "x")], TYPES)
    assert both == ("Name != null", "Name = 'x'")


@given(
    st.floats(-1e14, 1e14), st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**14), max_value=10**14)
)
def test_no_number_that_spark_lets_through_is_left_out(bound, stored):
    """``stored`` are Salesforce's digits, which Spark sees as the nearest double."""
    for kind, passes in ((GreaterThanOrEqual, float(stored) >= bound), (LessThanOrEqual, float(stored) <= bound)):
        for condition in conditions([kind(("Score__c",), bound)], TYPES):
            _, sign, literal = condition.split(" ")
            pushed = stored >= Decimal(literal) if sign == ">=" else stored <= Decimal(literal)
            assert pushed or not passes


@given(st.integers(631_152_000_000_000, 4_102_444_800_000_000), st.integers(-2, 2))
def test_no_instant_that_spark_lets_through_is_left_out(microseconds, seconds):
    bound = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    stored = bound.replace(microsecond=0) + timedelta(seconds=seconds)
    for kind, passes in ((GreaterThan, stored > bound), (LessThan, stored < bound)):
        (condition,) = conditions([kind(("CreatedDate",), bound)], TYPES)
        _, sign, literal = condition.split(" ")
        limit = datetime.fromisoformat(literal)
        assert (stored >= limit if sign == ">=" else stored <= limit) or not passes
