from __future__ import annotations

import pytest

from source_salesforce_bulk.salesforce.object_patterns import (
    is_named,
    is_pattern,
    matches,
    names_in,
    nearest,
    patterns_without_match,
)

NAMES = ["Account", "AccountShare", "Opportunity", "Order__c"]


@pytest.mark.parametrize("entry", ["*", "Acc*", "?ccount", "[ao]*", "Order__[!c]"])
def test_what_has_one_of_fnmatchs_characters_is_a_pattern(entry):
    assert is_pattern(entry)
    assert names_in([entry]) == ()


@pytest.mark.parametrize("entry", ["Account", "Order__c", "ns__Order__c"])
def test_what_has_none_is_a_name(entry):
    assert not is_pattern(entry)
    assert names_in([entry, entry.upper()]) == (entry,)
    assert patterns_without_match([entry], []) == ()


def test_letter_case_is_nothing():
    assert matches("Account", ["ACC*"])
    assert is_named("Account", ["aCCOUNT"])


def test_a_pattern_names_nothing_by_its_own_name():
    assert not is_named("Account", ["Accoun?", "*"])


def test_patterns_that_fit_nothing_are_told_in_their_order():
    assert patterns_without_match(["z*", "order*", "a?", "Gone__c"], NAMES) == ("z*", "a?")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("Oportunity", "Opportunity"), ("acounts", "Account"), ("Order", "Order__c"), ("Lead", None), ("", None)],
)
def test_the_nearest_name_is_the_one_that_was_meant(written, meant):
    assert nearest(written, NAMES) == meant


def test_nothing_is_near_where_nothing_is():
    assert nearest("Account", []) is None
