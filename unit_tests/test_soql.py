from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.salesforce.soql import (
    Bounds,
    ObjectQuery,
    build_probe,
    build_soql,
    check_name,
    check_where,
    format_instant,
    parse_instant,
    query_hash,
)

FROM, TO = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 23, 2, tzinfo=UTC)
LOW, HIGH = "001000000000001AAA", "001000000000009AAA"
WHOLE = Bounds(start=None, end=None, id_from=None, id_to=None)
ACCOUNT = ObjectQuery(
    object_name="Account",
    fields=("Id", "Name", "SystemModstamp"),
    operation="queryAll",
    cursor_field="SystemModstamp",
    cursor_nillable=False,
    where=None,
    exclude_deleted=False,
)
SELECT = "SELECT Id, Name, SystemModstamp FROM Account"


# The statement


@pytest.mark.parametrize(
    ("bounds", "where"),
    [
        (WHOLE, ""),
        (replace(WHOLE, start=FROM), " WHERE SystemModstamp >= 2026-11-01T00:00:00.000Z"),
        (replace(WHOLE, end=TO), " WHERE SystemModstamp < 2026-11-23T02:00:00.000Z"),
        (
            replace(WHOLE, start=FROM, end=TO),
            " WHERE SystemModstamp >= 2026-11-01T00:00:00.000Z AND SystemModstamp < 2026-11-23T02:00:00.000Z",
        ),
        (replace(WHOLE, id_from=LOW), f" WHERE Id >= '{LOW}'"),
        (replace(WHOLE, id_to=HIGH), f" WHERE Id < '{HIGH}'"),
        (replace(WHOLE, id_from=LOW, id_to=HIGH), f" WHERE Id >= '{LOW}' AND Id < '{HIGH}'"),
        (
            Bounds(start=FROM, end=TO, id_from=LOW, id_to=HIGH),
            (
                " WHERE SystemModstamp >= 2026-11-01T00:00:00.000Z AND SystemModstamp < 2026-11-23T02:00:00.000Z"
                f" AND Id >= '{LOW}' AND Id < '{HIGH}'"
            ),
        ),
    ],
)
def test_a_window_is_closed_below_and_open_above(bounds, where):
    assert build_soql(ACCOUNT, bounds) == SELECT + where


@pytest.mark.parametrize(
    ("bounds", "where"),
    [
        (WHOLE, ""),
        (replace(WHOLE, start=FROM), " WHERE SystemModstamp >= 2026-11-01T00:00:00.000Z"),
        (
            replace(WHOLE, end=TO, id_to=HIGH),
            f" WHERE (SystemModstamp < 2026-11-23T02:00:00.000Z OR SystemModstamp = null) AND Id < '{HIGH}'",
        ),
        (
            replace(WHOLE, start=FROM, end=TO),
            " WHERE SystemModstamp >= 2026-11-01T00:00:00.000Z AND SystemModstamp < 2026-11-23T02:00:00.000Z",
        ),
    ],
)
def test_only_the_window_without_a_lower_bound_takes_the_rows_without_a_cursor(bounds, where):
    assert build_soql(replace(ACCOUNT, cursor_nillable=True), bounds) == SELECT + where


def test_a_query_without_a_cursor_has_no_cursor_condition():
    query = replace(ACCOUNT, cursor_field=None)
    assert build_soql(query, Bounds(start=FROM, end=TO, id_from=None, id_to=HIGH)) == f"{SELECT} WHERE Id < '{HIGH}'"


def test_the_users_filter_stands_in_parentheses_behind_everything_else():
    query = replace(ACCOUNT, where="Type = 'A' OR Type = 'B'", exclude_deleted=True)
    assert build_soql(query, replace(WHOLE, start=FROM)) == (
        f"{SELECT} WHERE SystemModstamp >= 2026-11-01T00:00:00.000Z AND IsDeleted = false"
        " AND (Type = 'A' OR Type = 'B')"
    )


def test_fields_keep_the_order_given():
    assert build_soql(replace(ACCOUNT, fields=("Name", "Id")), WHOLE) == "SELECT Name, Id FROM Account"


@pytest.mark.parametrize("bounds", [WHOLE, Bounds(start=FROM, end=TO, id_from=LOW, id_to=HIGH)])
def test_no_order_and_no_limit_in_a_job(bounds):
    soql = build_soql(replace(ACCOUNT, where="Name != null", exclude_deleted=True), bounds)
    assert "ORDER BY" not in soql
    assert "LIMIT" not in soql


@pytest.mark.parametrize("bounds", [WHOLE, replace(WHOLE, end=TO), Bounds(start=FROM, end=TO, id_from=LOW, id_to=HIGH)])
def test_a_probe_asks_for_one_row_of_exactly_the_window(bounds):
    query = replace(ACCOUNT, cursor_nillable=True, where="Name != null", exclude_deleted=True)
    window = build_soql(query, bounds).partition(" FROM ")[2]
    assert build_probe(query, bounds) == f"SELECT Id FROM {window} LIMIT 1"


def test_a_probe_of_an_object_without_id_asks_for_its_first_field():
    query = replace(ACCOUNT, object_name="AppDefinition", fields=("DurableId", "Label"), cursor_field=None)
    assert build_probe(query, WHOLE) == "SELECT DurableId FROM AppDefinition LIMIT 1"


def test_a_hash_tells_queries_and_operations_apart():
    soql = build_soql(ACCOUNT, WHOLE)
    hashes = {query_hash(soql, "query"), query_hash(soql, "queryAll"), query_hash(soql + " ", "query")}
    assert len(hashes) == 3
    assert all(value.startswith("sha256:") and len(value) == len("sha256:") + 64 for value in hashes)
    assert query_hash(soql, "query") == query_hash(soql, "query")


# Instants


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T02:00:00Z",
        "2026-11-23T02:00:00.000Z",
        "2026-11-23T02:00:00.000000Z",
        "2026-11-23T02:00:00+0000",
        "2026-11-23T02:00:00.000+00:00",
        "2026-11-23T07:30:00.000+05:30",
        "2026-11-22T18:00:00-0800",
    ],
)
def test_an_instant_in_every_form_that_salesforce_writes(text):
    instant = parse_instant(text)
    assert instant == TO
    assert instant.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-23",
        "2026-11-23T02:00Z",
        "2026-11-23T02:00:00",
        "2026-11-23 02:00:00Z",
        "2026-11-23T02:00:00Z ",
        "2026-02-30T02:00:00Z",
        "2026-11-23T02:00:61Z",
        "20261123T020000Z",
        "1764000000000",
        "٢٠٢٦-11-23T02:00:00Z",
        "0001-01-01T00:00:00+10:00",
    ],
)
def test_what_is_no_instant_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011
        parse_instant(text)


MILLISECONDS = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - hypothesis wants them naive
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda instant: instant.replace(microsecond=instant.microsecond // 1000 * 1000))
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(MILLISECONDS)
def test_an_instant_survives_being_written(instant):
    assert parse_instant(format_instant(instant)) == instant


@given(MILLISECONDS, ZONES)
def test_a_zone_does_not_change_what_is_written(instant, zone):
    assert format_instant(instant.astimezone(zone)) == format_instant(instant)


@given(MILLISECONDS, MILLISECONDS)
def test_instants_compare_as_text(one, other):
    assert (one < other) == (format_instant(one) < format_instant(other))


def test_an_instant_without_a_zone_is_not_taken_for_local_time():
    with pytest.raises(ValueError, match="time zone"):
        format_instant(TO.replace(tzinfo=None))


def test_less_than_a_millisecond_is_cut_off():
    assert format_instant(TO.replace(microsecond=999)) == "2026-11-23T02:00:00.000Z"


# What users write


@pytest.mark.parametrize("name", ["Account", "My_Object__c", "ns__Field__c", "Place__Latitude__s", "Order__x", "A1"])
def test_an_api_name(name):
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "1A", "_A", "A B", "A-B", "A;", "A'", "Ünit__c", "A\n", "Id FROM User", "(A)"])
def test_what_is_no_api_name_is_refused(name):
    with pytest.raises(ValueError):  # noqa: PT011
        check_name(name)


@pytest.mark.parametrize(
    "where",
    [
        "Type = 'Customer'",
        "Name = 'O\\'Brien'",
        "Name = 'a\\\\'",
        "Name = 'ORDER BY Id LIMIT 1; -- (('",
        "Name = '' OR (Type IN ('a', 'b') AND NOT (Rating = null))",
        "Tags__c INCLUDES ('a;b', 'c')",
        "Limit__c > 5",
        "Order.Status = 'x'",
        "Where__c = 1 AND With__c = null",
        "Name = 'say \"WHERE\" // ‘now’'",
        "Group.Name = 'x' AND Offset__c = 1",
        "CreatedDate = LAST_N_DAYS:30",
        "Id IN (SELECT AccountId FROM Contact)",
    ],
)
def test_a_condition(where):
    assert check_where(where) == where


def test_a_condition_loses_its_outer_blanks():
    assert check_where("  Type = null\n") == "Type = null"


@pytest.mark.parametrize(
    "where",
    [
        "",
        "  \n",
        "Type = 'x' ORDER BY Name",
        "Type = 'x' order\n\tby Name",
        "Type = 'x' LIMIT 10",
        "Type = 'x' limit 10",
        "Type = 'x' GROUP BY Name",
        "Type = 'x' OFFSET 10",
        "Type = 'x' HAVING COUNT(Id) > 1",
        "Type = 'x' FOR UPDATE",
        "Type = 'x' ALL ROWS",
        "Type = 'x';",
        "Type = 'x",
        "Type = 'x''",
        "Type = 'x\\'",
        "(Type = 'x'",
        "Type = 'x')",
        "Type = 'x') OR (Type = 'y'",
        "Type = 'x' -- and no more",
        "Type = 'x' /* and no more",
        "Type = 'x' */",
        "Type = 'x' // and no more",
        "WHERE Type = 'x'",
        " where Type = 'x'",
        "Type = 'x' WITH SECURITY_ENFORCED",
        "Type = 'x' USING SCOPE Mine",
        'Type = "x"',
        "Type = ‘x’",
        "Id IN (SELECT AccountId FROM Contact LIMIT 1)",
    ],
)
def test_what_is_more_or_less_than_a_condition_is_refused(where):
    with pytest.raises(ValueError):  # noqa: PT011
        check_where(where)


LITERALS = st.text(alphabet="ab'\\;()-LIMIT ", max_size=12).map(
    lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
)


@given(LITERALS)
def test_no_text_inside_a_literal_matters(literal):
    assert check_where(f"Name = {literal}") == f"Name = {literal}"
