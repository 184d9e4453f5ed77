from __future__ import annotations

from source_salesforce_bulk.export.outcomes import (
    ExitCode,
    exit_code,
    failure_code,
    missed_outcomes,
    misspelt,
    nothing_to_export,
)
from source_salesforce_bulk.extraction.catalog import Survey
from source_salesforce_bulk.salesforce.discovery import LeftOutObject

GONE = LeftOutObject("Gone__c", "no object of that name is visible to this user", wanted=True, unknown=True)
REFUSED = LeftOutObject("Secret__c", "The user may not see it (describe, HTTP 403).", wanted=True)
HINTED = LeftOutObject("CaseStatus", "the Bulk API does not support it")


def test_what_was_named_fails_and_what_a_pattern_showed_does_not():
    gone, refused = missed_outcomes(Survey((), (GONE, HINTED, REFUSED)))
    assert (gone.object_name, gone.status, refused.object_name) == ("Gone__c", "failed", "Secret__c")
    assert exit_code([gone.failure]) is ExitCode.SOME_FAILED


def test_each_says_why_and_what_to_do_in_whole_sentences():
    gone, refused = (str(one.failure) for one in missed_outcomes(Survey((), (GONE, REFUSED))))
    assert gone == (
        "Gone__c cannot be exported: no object of that name is visible to this user. Correct the name, give the user "
        "access to the object, or remove it from the list."
    )
    assert "(describe, HTTP 403). Correct" in refused


def test_a_run_without_any_object_is_the_users_to_mend():
    failed = nothing_to_export(Survey((), (GONE,)), ["Gone__c"])
    assert failure_code(failed) is ExitCode.USAGE
    assert "Gone__c cannot be exported: no object of that name" in failed.message
    assert failed.message.endswith("remove it from the list.")


def test_a_pattern_that_only_fits_what_is_left_out_says_why():
    failed = nothing_to_export(Survey((), (HINTED,), ("CaseStatus",)), ["Case*"])
    assert failed.message == (
        "No object that can be exported matches Case*: CaseStatus: the Bulk API does not support it."
    )
    many = tuple(LeftOutObject(f"Case{number}", "no") for number in range(5))
    assert nothing_to_export(Survey((), many), ["Case*"]).message.endswith("Case2: no, and 2 more.")


def test_a_pattern_that_fits_nothing_is_answered_with_the_nearest_name():
    known = ("Account", "Opportunity", "Order")
    assert nothing_to_export(Survey((), (), known), ["Oportun*"]).message == (
        "No object that is visible to this user matches Oportun*; did you mean Opportunity?"
    )
    assert "`discover` lists" in nothing_to_export(Survey((), (), known), ["Nope*"]).message


def test_a_name_that_was_never_exported_is_misspelt_and_one_that_was_is_gone():
    survey = Survey((), (GONE, REFUSED, HINTED))
    assert misspelt(survey, lambda name: name == "Gone__c") is None
    wrong = misspelt(survey, lambda _: False)
    assert wrong is not None
    assert failure_code(wrong) is ExitCode.USAGE
    assert "Gone__c" in wrong.message
    assert "Secret__c" not in wrong.message, "the org has it: it fails alone"
    assert wrong.message.endswith("Nothing was started.")
