from __future__ import annotations

import pytest

from source_salesforce_bulk.salesforce.describe import Field
from source_salesforce_bulk.salesforce.formulas import CUT_AT, sort_formulas


def formula(name: str, text: str | None) -> Field:
    return Field(name, "string", calculated=True, formula=text)


@pytest.mark.parametrize(
    "text",
    [
        "TODAY() - Start__c",
        "IF( Due__c<now( ), 1, 0)",
        "TEXT(TIMENOW())",
        "/* age */ TODAY () - 1",
        "A__c & TEXT(NOW())",
    ],
)
def test_a_formula_that_asks_for_the_moment_follows_the_clock(text):
    assert sort_formulas([formula("F__c", text)]).clock == ("F__c",)


@pytest.mark.parametrize(
    "text", ['"see TODAY()"', "'NOW()'", "/* NOW() */ 1", "Today__c + 1", 'IF(A__c, "it\\"s TODAY()", "")', "KNOW(1)"]
)
def test_words_in_texts_comments_and_names_do_not_make_it_follow_the_clock(text):
    found = sort_formulas([formula("F__c", text)])
    assert (found.steady, found.clock, found.unsure) == (("F__c",), (), ())


def test_a_formula_follows_the_clock_through_others_whatever_their_case():
    found = sort_formulas(
        [formula("C__c", "b__C + 1"), formula("B__c", "A__C * 2"), formula("A__c", "TODAY() - 1"), formula("D__c", "1")]
    )
    assert (found.steady, found.clock) == (("D__c",), ("C__c", "B__c", "A__c"))


@pytest.mark.parametrize("text", [None, "Account__r.Age__c", "A" * CUT_AT])
def test_it_cannot_be_told_without_the_whole_text(text):
    found = sort_formulas([formula("F__c", text), formula("G__c", "F__c & F__c")])
    assert found.unsure == found.steady == ("F__c", "G__c")


def test_the_users_and_the_orgs_own_values_are_no_other_objects():
    assert sort_formulas([formula("F__c", "$User.Alias & $Setup.S__c.Rate__c")]).unsure == ()


def test_what_calls_the_clock_is_sure_whatever_else_it_names():
    found = sort_formulas([formula("F__c", "TODAY() - Account__r.Start__c")])
    assert (found.clock, found.unsure) == (("F__c",), ())


def test_other_fields_are_no_formulas():
    assert sort_formulas([Field("Name", "string", formula="TODAY()")]).clock == ()
