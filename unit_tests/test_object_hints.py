from __future__ import annotations

from dataclasses import replace

import pytest

from source_salesforce_bulk.salesforce.object_hints import (
    NEEDS_FILTER,
    REFUSED,
    REFUSED_PATTERNS,
    filters_cursor,
    sees_only_new_rows,
    why_left_out,
)
from source_salesforce_bulk.salesforce.rest_api import ObjectListing


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
    ],
)
def test_what_nobody_warned_of_is_offered(name):
    assert why_left_out(listed(name)) is None


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_known_refusal(name):
    assert why_left_out(listed(name)) == REFUSED[name]
    assert why_left_out(listed(name.upper())) == REFUSED[name]


@pytest.mark.parametrize("name", sorted(NEEDS_FILTER))
def test_an_object_that_wants_a_filter(name):
    reason = why_left_out(listed(name))
    assert reason is not None
    assert "filter" in reason


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("AccountChangeEvent", "change data capture"),
        ("Order__ChangeEvent", "change data capture"),
        ("Shipped__e", "platform event"),
        ("LoginEventStream", "event stream"),
        ("Config__Tag", "Bulk API"),
        ("Invoice__x", "outside"),
    ],
)
def test_a_known_ending(name, word):
    assert word in (why_left_out(listed(name)) or "")


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
