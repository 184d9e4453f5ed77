from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.salesforce.asked import NOT_KNOWN, Asked
from source_salesforce_bulk.salesforce.failure_evidence import Fact
from source_salesforce_bulk.salesforce.refusals import read_refusal
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery, build_soql

SINCE = Bounds(datetime(2024, 1, 1, tzinfo=UTC), None, None, None)


def read(fields: str, *, cursor: str | None = None, where: str | None = None, name: str = "Account") -> Asked:
    query = ObjectQuery(name, tuple(fields.split()), "queryAll", cursor_field=cursor, where=where)
    return Asked(query, build_soql(query, SINCE))


def marked(asked: Asked, word: str, *, last: bool = False, said: str = "ERROR at Row:1:Column:{}") -> str:
    """A message that marks a word of the statement, with the piece of the statement that comes before it."""
    find = asked.soql.rindex if last else asked.soql.index
    place = find(word)
    piece = asked.soql[max(0, place - 30) : place + 40]
    return f"\n{piece}\n{' ' * min(30, place)}^\n{said.format(place + 1)}\nsomething is wrong there"


ROLES = {Fact.NAMES_CURSOR, Fact.NAMES_FIELD, Fact.NAMES_WHERE}


def role(message: str, asked: Asked) -> tuple[set[Fact], str | None]:
    refusal = read_refusal(message, asked)
    return set(refusal.facts) & ROLES, refusal.field


@pytest.mark.parametrize(
    "said",
    [
        "ERROR at Row:1:Column:{}",
        "FEHLER in Zeile:1:Spalte:{}",
        "ERREUR à la ligne : 1 colonne : {}",
        "行:1:列:{} でエラーが発生しました",
    ],
)
def test_the_marked_place_says_which_field_in_any_language(said):
    asked = read("Id Name Rating SystemModstamp", cursor="SystemModstamp")
    assert role(marked(asked, "Rating", said=said), asked) == ({Fact.NAMES_FIELD}, "Rating")
    assert role(marked(asked, "SystemModstamp", last=True, said=said), asked) == ({Fact.NAMES_CURSOR}, "SystemModstamp")


def test_the_cursor_in_the_select_list_is_a_field_like_any_other():
    asked = read("Id SystemModstamp", cursor="SystemModstamp")
    assert role(marked(asked, "SystemModstamp"), asked) == ({Fact.NAMES_FIELD}, "SystemModstamp")


@pytest.mark.parametrize(
    ("piece", "name", "fact"),
    [
        ("FROM Account WHERE SystemModstamp >= 2017", "SystemModstamp", Fact.NAMES_CURSOR),
        ("SELECT Id, SystemModstamp FROM Account", "SystemModstamp", Fact.NAMES_FIELD),
        ("Name,Rating,SystemModstamp FROM Account WHERE", "SystemModstamp", Fact.NAMES_FIELD),
        ("SELECT Id,Rating FROM Account", "Rating", Fact.NAMES_FIELD),
    ],
)
def test_a_piece_of_another_statement_says_by_itself_where_the_field_stands(piece, name, fact):
    """The numbers of the place may be those of a statement that Salesforce has changed."""
    asked = read("Id Name Rating SystemModstamp", cursor="SystemModstamp")
    message = f"\n{piece}\n{' ' * piece.index(name)}^\nERROR at Row:1:Column:17\nsomething is wrong"
    assert role(message, asked) == ({fact}, name)


def test_a_field_of_the_users_own_filter_is_told_from_the_same_in_the_select_list():
    asked = read("Id Notes__c SystemModstamp", cursor="SystemModstamp", where="Notes__c LIKE 'SystemModstamp%'")
    assert role(marked(asked, "Notes__c", last=True), asked) == ({Fact.NAMES_WHERE}, "Notes__c")
    assert role(marked(asked, "Notes__c"), asked) == ({Fact.NAMES_FIELD}, "Notes__c")


@pytest.mark.parametrize("quoted", ["'{}'", '"{}"', "„{}“", "« {} »", "「{}」", "‘{}’", "»{}«"])
@pytest.mark.parametrize(("field", "fact"), [("LastLoginDate", Fact.NAMES_CURSOR), ("Status", Fact.NAMES_FIELD)])
def test_a_name_in_quotes_of_any_kind_is_the_field(quoted, field, fact):
    asked = read("Id Status LastLoginDate Name", cursor="LastLoginDate", name="User")
    assert role(f"Name: {quoted.format(field)} 使用できません", asked) == ({fact}, field)


@pytest.mark.parametrize("said", ["STATUS", "status", "Status"])
def test_a_name_counts_in_any_letter_case_and_comes_as_the_query_spells_it(said):
    assert role(f"No such column '{said}'", read("Id Status")) == ({Fact.NAMES_FIELD}, "Status")


def test_names_in_the_repeated_piece_of_the_statement_do_not_count():
    message = f"\nSELECT Id, Name, Gone__c FROM Account\n{' ' * 25}^\nERROR at Row:9:Column:1\nsomething"
    assert read_refusal(message, read("Id Name Gone__c")).field is None


@pytest.mark.parametrize("message", ["the name of this type is in order", "Name", "Type is no status"])
def test_ordinary_words_are_no_fields(message):
    assert read_refusal(f"Some text: {message} of many words", read("Id Name Type Status")).field is None


def test_a_single_word_behind_the_last_colon_is_the_field():
    assert read_refusal("duplicate field selected: Id", read("Id Name")).field == "Id"


@pytest.mark.parametrize(
    ("fields", "named", "twice"),
    [
        ("Id Score__c npsp__Score__c", "npsp__Score__c", True),
        ("Id Score__c SCORE__C", "Score__c", True),
        ("Id Score__c a__Score__c", "Id", False),
        ("Id Score__c Score2__c", "Score__c", False),
    ],
)
def test_a_field_that_salesforce_cannot_tell_from_another_is_seen_in_the_query(fields, named, twice):
    refusal = read_refusal(f"irgendwas: {named}", read(fields))
    assert (Fact.FIELD_TWICE in refusal.facts) is twice


def test_what_is_known_of_the_object_needs_no_message():
    assert Fact.WANTS_FILTER in read_refusal("", read("Id", name="contentdocumentlink")).facts
    assert Fact.WANTS_FILTER not in read_refusal("", read("Id")).facts
    assert Fact.SHARED_BY_PARENTS in read_refusal("", read("Id", name="Task")).facts
    assert Fact.FILTERED in read_refusal("", read("Id", where="Name != null")).facts
    assert Fact.UNFILTERED in read_refusal("", read("Id")).facts
    assert Fact.NAMES_OBJECT in read_refusal("Entitätstyp Account …", read("Id")).facts
    assert Fact.NAMES_OBJECT not in read_refusal("AccountFeed", read("Id")).facts


def test_of_an_unknown_question_nothing_is_known():
    assert read_refusal("No such column 'Name'", NOT_KNOWN) == read_refusal("", NOT_KNOWN)


@given(st.text(max_size=300), st.text(max_size=50))
def test_every_message_is_read(message, soql):
    query = ObjectQuery("Account", ("Id", "Name"), "query", cursor_field="SystemModstamp", where="Name = 'x'")
    field = read_refusal(message + "^ 1 : 7 " + message, Asked(query, soql)).field
    assert field is None or field in ("Id", "Name", "SystemModstamp")
