from __future__ import annotations

from dataclasses import replace

import pytest

from source_salesforce_bulk.salesforce.object_hints import (
    NEEDS_FILTER,
    PARENTS,
    REFUSED,
    REFUSED_PATTERNS,
    Reason,
    filters_cursor,
    is_named,
    is_pattern,
    matches,
    names_in,
    nearest,
    parent_field,
    patterns_without_match,
    sees_only_new_rows,
    why_left_out,
    why_not_bulk,
)
from source_salesforce_bulk.salesforce.rest_api import ObjectListing

NAMES = ["Account", "AccountShare", "Opportunity", "Order__c"]


def listed(name: str) -> ObjectListing:
    return ObjectListing(name, queryable=True)


@pytest.mark.parametrize(
    "name",
    [
        "Account",
        "Order__c",
        "AccountShare",
        "AccountHistory",
        "LoginEvent",
        "Order__Feed",
        "Order__b",
        "Faq__kav",
        "X__mdt",
        "Event",
        "LiveChatTranscriptEvent",
        "Rainy__Event__c",
        "ApiAnomalyEventStore",
    ],
)
def test_an_object_without_a_warning_is_offered(name):
    assert why_left_out(listed(name)) is None


ONLY_BULK_REFUSES = "the Bulk API does not support it"
READ_BY_PARENTS = {name for name, hint in PARENTS.items() if hint.object is None}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_known_refusal_leaves_an_object_out_unless_rest_reads_it(name):
    expected = None if REFUSED[name] == ONLY_BULK_REFUSES else REFUSED[name]
    assert why_left_out(listed(name)) == why_left_out(listed(name.upper())) == expected
    assert why_not_bulk(name) == REFUSED[name]


@pytest.mark.parametrize("name", sorted(NEEDS_FILTER))
def test_an_object_that_wants_a_filter_is_left_out_unless_its_parents_are_known(name):
    reason = why_left_out(listed(name))
    assert (reason is None) is (name in READ_BY_PARENTS)
    assert "filter" in (reason or "filter")


def test_parents_are_known_of_objects_that_want_a_filter_only():
    assert set(PARENTS) <= set(NEEDS_FILTER)


@pytest.mark.parametrize(
    "name",
    """
    AcceptedEventRelation AssetTokenEvent Attachment AttachedContentNote CaseStatus ContractStatus KnowledgeArticle
    KnowledgeArticleVersion KnowledgeArticleVersionHistory KnowledgeArticleViewStat KnowledgeArticleVoteStat OrderStatus
    PartnerRole QuoteTemplateRichTextData RecentlyViewed ServiceAppointmentStatus ShiftStatus SolutionStatus
    TaskPriority TaskStatus UndecidedEventRelation WorkOrderLineItemStatus WorkOrderStatus WorkStepStatus
    DeclinedEventRelation EventWhoRelation TaskWhoRelation FieldSecurityClassification CaseTeamMember CaseTeamRole
    CaseTeamTemplate CaseTeamTemplateMember CaseTeamTemplateRecord AccountFeed AssetFeed AccountBrandShare
    ChannelProgramLevelShare ContentDocumentLink
    """.split(),
)
def test_what_other_connectors_read_through_rest_is_offered(name):
    assert why_left_out(listed(name)) is None
    assert why_not_bulk(name) is not None or parent_field(name) is not None


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("AccountChangeEvent", "change data capture"),
        ("Order__ChangeEvent", "change data capture"),
        ("Shipped__e", "platform event"),
        ("LoginEventStream", "event stream"),
        ("Invoice__x", "outside"),
    ],
)
def test_a_known_ending(name, word):
    assert word in (why_left_out(listed(name)) or "")


def test_tags_are_offered_and_not_read_by_bulk():
    assert why_left_out(listed("Config__Tag")) is None
    assert why_not_bulk("Config__Tag") == ONLY_BULK_REFUSES


def test_a_reason_is_a_sentence_with_a_code_of_its_own():
    assert Reason.NEEDS_FILTER.code == "needs_filter"
    assert f"{Reason.HIDDEN}" == "it is deprecated and hidden"
    assert len({reason.code for reason in Reason}) == len(Reason)


def test_every_ending_is_tested():
    assert set(REFUSED_PATTERNS) == {"*changeevent", "*__e", "*eventstream", "*__tag", "*__x"}


def test_what_describe_rules_out_comes_first():
    listing = replace(listed("CaseStatus"), queryable=False)
    assert why_left_out(listing) == "describe says that it cannot be queried"


def test_what_is_hidden_is_not_offered():
    assert why_left_out(replace(listed("Old__c"), hidden=True)) == "it is deprecated and hidden"


@pytest.mark.parametrize("name", ["CaseStatus", "ContentDocumentLink", "Config__Tag"])
def test_a_name_of_the_users_own_outweighs_a_hint(name):
    assert why_left_out(listed(name), asked_for=True) is None
    assert why_left_out(replace(listed(name), hidden=True), asked_for=True) is None


@pytest.mark.parametrize(
    "name",
    """
    Announcement CollaborationGroupRecord FieldHistoryArchive NetworkUserHistoryRecent NetworkUserHistoryMonthly
    ContentHubItem DataType DatacloudAddress AIPredictionEvent AsyncOperationEvent BatchApexErrorEvent
    FlowExecutionErrorEvent PlatformStatusAlertEvent ConcurLongRunApexErrEvent ProcessExceptionEvent
    """.split(),
)
def test_an_object_that_other_extractors_were_refused_is_not_offered(name):
    assert why_left_out(listed(name)) is not None


@pytest.mark.parametrize("name", ["EntityDefinition", "Publisher", "OauthToken", "DatacloudContact", "FormulaFunction"])
def test_a_virtual_object_is_offered_only_by_its_own_name(name):
    virtual = replace(listed(name), retrieveable=False)
    assert "retrieveable" in (why_left_out(virtual) or "")
    assert why_left_out(virtual, asked_for=True) is None


def test_a_name_of_the_users_own_makes_nothing_queryable():
    assert why_left_out(replace(listed("Account"), queryable=False), asked_for=True) is not None


@pytest.mark.parametrize(
    "name",
    """
    ApiEvent BulkApiResultEventStore FileEventStore IdentityProviderEventStore IdentityVerificationEvent
    LightningUriEvent ListViewEvent LoginAsEvent LoginEvent LogoutEvent PermissionSetEventStore ReportEvent UriEvent
    ActivityFieldHistory BackgroundOperationResult ExternalEncryptionRootKey PendingOrderSummary
    """.split(),
)
def test_an_object_that_refuses_filters_on_its_dates(name):
    assert not filters_cursor(name)
    assert why_left_out(listed(name)) is None


@pytest.mark.parametrize("name", ["Account", "AccountHistory", "LoginHistory"])
def test_other_objects_are_filtered_by_their_dates(name):
    assert filters_cursor(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AccountHistory", True),
        ("Order__History", True),
        ("LoginHistory", True),
        ("AccountFeed", True),
        ("SetupAuditTrail", True),
        ("Account", False),
        ("History__c", False),
        ("FeedItem", False),
        ("CronTrigger", False),
    ],
)
def test_which_objects_have_new_rows_only(name, expected):
    assert sees_only_new_rows(name) is expected


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
