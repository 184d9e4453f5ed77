from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.salesforce.soql import (
    Bounds,
    ObjectQuery,
    build_soql,
    check_name,
    check_where,
    format_instant,
    parse_instant,
    query_hash,
)

FROM = datetime(2026, 11, 22, 1, 50, tzinfo=UTC)
TO = datetime(2026, 11, 23, 2, tzinfo=UTC)
LOW, HIGH = "001A0000006Vm9rIAC", "001D000000IRFmaIAH"

QUERY = ObjectQuery(
    object_name="Account",
    fields=("Id", "Name", "SystemModstamp"),
    operation="queryAll",
    cursor_field="SystemModstamp",
    cursor_nillable=False,
    where=None,
    exclude_deleted=False,
)
OPEN = Bounds(start=None, end=None, id_from=None, id_to=None)
SELECT = "SELECT Id, Name, SystemModstamp FROM Account"


def where(query: ObjectQuery = QUERY, **bounds) -> str:
    soql = build_soql(query, replace(OPEN, **bounds))
    assert soql.startswith(SELECT)
    return soql.removeprefix(SELECT)


def test_an_open_window_asks_for_everything():
    assert build_soql(QUERY, OPEN) == SELECT


def test_a_window_is_closed_below_and_open_above():
    assert where(start=FROM, end=TO) == (
        " WHERE SystemModstamp >= 2026-11-22T01:50:00.000Z AND SystemModstamp < 2026-11-23T02:00:00.000Z"
    )


def test_a_window_may_be_open_at_either_end():
    assert where(start=FROM) == " WHERE SystemModstamp >= 2026-11-22T01:50:00.000Z"
    assert where(end=TO) == " WHERE SystemModstamp < 2026-11-23T02:00:00.000Z"


def test_a_nullable_cursor_hides_no_rows_in_the_window_that_is_open_below():
    nillable = replace(QUERY, cursor_nillable=True)
    assert where(nillable, end=TO) == (" WHERE (SystemModstamp < 2026-11-23T02:00:00.000Z OR SystemModstamp = null)")
    assert where(nillable, start=FROM, end=TO) == where(start=FROM, end=TO)
    assert where(nillable, start=FROM) == where(start=FROM)
    assert where(nillable) == ""


def test_the_choice_for_null_stays_in_its_parentheses():
    query = replace(QUERY, cursor_nillable=True, where="Name != null", exclude_deleted=True)
    assert where(query, end=TO, id_from=LOW) == (
        " WHERE (SystemModstamp < 2026-11-23T02:00:00.000Z OR SystemModstamp = null)"
        f" AND Id >= '{LOW}' AND IsDeleted = false AND (Name != null)"
    )


def test_an_id_range_is_closed_below_and_open_above():
    assert where(id_from=LOW, id_to=HIGH) == f" WHERE Id >= '{LOW}' AND Id < '{HIGH}'"
    assert where(id_from=LOW) == f" WHERE Id >= '{LOW}'"
    assert where(id_to=HIGH) == f" WHERE Id < '{HIGH}'"


def test_without_a_cursor_field_dates_bound_nothing():
    assert where(replace(QUERY, cursor_field=None), start=FROM, end=TO, id_to=HIGH) == f" WHERE Id < '{HIGH}'"


def test_deleted_rows_are_left_out_on_request():
    assert where(replace(QUERY, exclude_deleted=True)) == " WHERE IsDeleted = false"


def test_the_users_filter_stands_in_parentheses_behind_everything_else():
    query = replace(QUERY, where="Type = 'A' OR Type = 'B'", exclude_deleted=True)
    assert where(query, start=FROM, end=TO, id_from=LOW, id_to=HIGH) == (
        " WHERE SystemModstamp >= 2026-11-22T01:50:00.000Z AND SystemModstamp < 2026-11-23T02:00:00.000Z"
        f" AND Id >= '{LOW}' AND Id < '{HIGH}' AND IsDeleted = false AND (Type = 'A' OR Type = 'B')"
    )
    assert where(replace(QUERY, where="Type = 'A'")) == " WHERE (Type = 'A')"


def test_fields_stand_in_the_order_given():
    assert build_soql(replace(QUERY, fields=("Name", "Id")), OPEN) == "SELECT Name, Id FROM Account"


optional = st.none() | st.datetimes(min_value=datetime(1999, 1, 1), max_value=datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)
queries = st.builds(
    ObjectQuery,
    object_name=st.just("Account"),
    fields=st.just(("Id", "Name")),
    operation=st.sampled_from(["query", "queryAll"]),
    cursor_field=st.sampled_from(["SystemModstamp", None]),
    cursor_nillable=st.booleans(),
    where=st.sampled_from([None, "Name = 'from here' OR Name = ' FROM '", "Id IN (SELECT AccountId FROM Contact)"]),
    exclude_deleted=st.booleans(),
)
windows = st.builds(Bounds, optional, optional, st.sampled_from([None, LOW]), st.sampled_from([None, HIGH]))


@given(queries, windows)
def test_neither_order_nor_limit_ever_stands_in_a_jobs_query(query, bounds):
    words = build_soql(query, bounds).upper().split()
    assert not {"ORDER", "LIMIT", "GROUP", "OFFSET"} & set(words)


# What a query is


def test_a_hash_tells_queries_and_operations_apart():
    hashes = {query_hash(soql, operation) for soql in ("a", "b") for operation in ("query", "queryAll")}
    assert len(hashes) == 4
    assert query_hash("a", "query") in hashes


def test_a_hash_is_the_same_in_every_run():
    # Written into states: a change would make every run that is continued read its windows again.
    digest = "916272674a4b6fe301ac412f43df3c5021214d2fdfabdba7a3b0183fa81ce207"
    assert query_hash("SELECT Id FROM Account", "queryAll") == f"sha256:{digest}"


# Instants


# The costliest of each kind: quotes that are escaped, that are opened only, and a backslash at the very end.
@pytest.mark.parametrize(
    "text", ["'" + "\\'" * 40_000, "'" + "a" * 80_000, "'" + "\\\\" * 40_000 + "\\", "'a'" * 20_001 + "'"]
)
def test_an_open_quote_in_a_long_filter_is_refused(text):
    with pytest.raises(ValueError, match="quote without its partner"):
        check_where(text)


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (TO, "2026-11-23T02:00:00.000Z"),
        (datetime(2026, 11, 23, 4, tzinfo=timezone(timedelta(hours=2))), "2026-11-23T02:00:00.000Z"),
        (datetime(2026, 11, 23, 2, 0, 0, 123_999, tzinfo=UTC), "2026-11-23T02:00:00.123Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
        (datetime(999, 12, 31, 23, 59, 59, tzinfo=UTC), "0999-12-31T23:59:59.000Z"),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), "9999-12-31T23:59:59.999Z"),
    ],
)
def test_instants_are_written_in_utc_with_milliseconds(instant, text):
    assert format_instant(instant) == text


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T02:00:00Z",
        "2026-11-23T02:00:00.000Z",
        "2026-11-23T02:00:00.000+0000",
        "2026-11-23T02:00:00.000000+00:00",
        "2026-11-22T16:30:00-0930",
        "2026-11-23T07:45:00.0+05:45",
    ],
)
def test_instants_are_read_with_any_zone(text):
    assert parse_instant(text) == TO
    assert parse_instant(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-23",
        "2026-11-23T02:00:00",
        "2026-11-23 02:00:00Z",
        "2026-11-23T02:00:00z",
        "2026-11-23T02:00Z",
        "2026-13-23T02:00:00Z",
        "2026-11-23T02:00:61Z",
        "2026-11-23T02:00:00+25:00",
        "2026-11-23T02:00:00Z OR Id != null",
        "2026-11-23T02:00:00Z\n",
        "٢٠٢٦-11-23T02:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "0000-01-01T00:00:00Z",
        "1700000000000",
    ],
)
def test_anything_else_is_no_instant(text):
    with pytest.raises(ValueError, match=r"instant|month|second|offset|year|isoformat|range"):
        parse_instant(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_survives_writing_and_reading_to_the_millisecond(instant):
    assert parse_instant(format_instant(instant)) == instant.replace(microsecond=instant.microsecond // 1000 * 1000)


@given(
    st.text(max_size=40) | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)", fullmatch=True)
)
def test_any_text_is_an_instant_or_a_value_error(text):
    with suppress(ValueError):
        assert parse_instant(text).tzinfo is UTC


# Names and filters that a user brings


@pytest.mark.parametrize("name", ["Account", "A", "My_Object__c", "ns__Obj__c", "Owner.Profile.Name", "Field1__r.Name"])
def test_api_names_pass(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "1st", "_x", "Account ", "Account;", "a-b", "a..b", ".a", "a.", "Ärger", "Id FROM User", "Id\n", "a'b"]
)
def test_what_is_no_api_name_is_refused(name):
    with pytest.raises(ValueError, match="is not an API name"):
        check_name(name)


@pytest.mark.parametrize(
    "text",
    [
        "StageName = 'Closed Won'",
        "Type = 'A' OR (Type = 'B' AND NOT (Name LIKE 'x%'))",
        "Name = 'ORDER BY Name'",
        "Name = 'LIMIT 1'",
        "Name = 'group   by'",
        "Name = 'a; drop -- x /* y */'",
        "Name = 'it\\'s LIMIT 1'",
        "Name = '\\\\'",
        "Name = '\\\\' AND Type = ') OR ('",
        "Name = ''",
        "Name IN ('', 'a', '\\'')",
        "Name = ')'",
        "Name = '('",
        "Name = 'two\nlines'",
        "Id IN (SELECT AccountId FROM Contact WHERE LastName LIKE 'order by%')",
        "Id NOT IN (SELECT AccountId FROM Opportunity WHERE IsClosed = false)",
        "CreatedDate = LAST_N_DAYS:30",
        "CreatedDate >= 2020-01-01T00:00:00Z",
        "Amount > -5",
        "Limit__c > 5",
        "Order.Name = 'x'",
        "Credit_Limit__c > 5 AND Offset__c = 1 AND Having__c = 2",
        "Reorder__c = 'by'",
        "Owner.Profile.Name\n=\t'x'",
    ],
)
def test_a_condition_passes_whatever_its_literals_hold(text):
    assert check_where(text) == text


def test_blanks_round_a_condition_are_taken_off():
    assert check_where("  Name = ' x '\n") == "Name = ' x '"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Name != null ORDER BY Name", "contains ORDER BY; write the condition alone"),
        ("Name != null order\n by Name", "contains ORDER BY"),
        ("Name != null LIMIT 10", "contains LIMIT"),
        ("Name = 'x'limit 10", "contains LIMIT"),
        ("Name != null GROUP  BY Name", "contains GROUP BY"),
        ("Name != null OFFSET 10", "contains OFFSET"),
        ("Name != null HAVING COUNT(Id) > 1", "contains HAVING"),
        ("Name != null FOR VIEW", "contains FOR VIEW"),
        ("Name != null for reference", "contains FOR REFERENCE"),
        ("Name != null FOR UPDATE", "contains FOR UPDATE"),
        ("Name != null ALL ROWS", "contains ALL ROWS"),
        ("Name = 'it\\'s' LIMIT 1", "contains LIMIT"),
        ("Name = '\\\\' LIMIT 1", "contains LIMIT"),
        ("Id IN (SELECT Id FROM Contact LIMIT 1)", "contains LIMIT"),
        ("Name != null; DELETE", "contains ;"),
        ("Name != null -- rest", "comment"),
        ("Name != null /* rest", "comment"),
        ("a = 1) OR (b = 2", "parenthesis without its partner"),
        ("(a = 1", "parenthesis without its partner"),
        ("a = 1)", "parenthesis without its partner"),
        (")(", "parenthesis without its partner"),
        ("Name = 'x", "quote without its partner"),
        ("Name = 'x\\'", "quote without its partner"),
        ("Name = x'", "quote without its partner"),
        ("Name = '''", "quote without its partner"),
        ("", "is empty"),
        (" \n\t", "is empty"),
    ],
)
def test_what_changes_the_whole_query_is_refused_with_a_sentence(text, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        check_where(text)


@given(st.text("a'\\() ;-/*", max_size=20) | st.text(max_size=30))
def test_whatever_passes_stays_inside_its_parentheses(text):
    try:
        condition = check_where(text)
    except ValueError:
        return
    depth, literal, escaped = 0, False, False
    for character in condition:
        if escaped:
            escaped = False
        elif literal and character == "\\":
            escaped = True
        elif character == "'":
            literal = not literal
        elif not literal:
            depth += {"(": 1, ")": -1}.get(character, 0)
            assert depth >= 0
    assert depth == 0
    assert not literal
