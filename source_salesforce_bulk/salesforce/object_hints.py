"""The objects that discovery offers: the user's patterns, and hints about single objects. Pure.

The user names objects in ``objects``, ``exclude_objects``, ``object_overrides`` and ``--object``. An entry is an API
name or an fnmatch pattern; case does not matter. API names contain none of fnmatch's special characters, so the two
cannot be confused. An object that is named explicitly must exist, and the user is told if it does not. A pattern
selects the objects that exist.

The lists of objects below were collected from error messages that users of several connectors reported. They depend
on the API version and the org, and describe does not show them. So they are hints: discovery does not offer objects
that cannot be queried unless the user names them, and ``lanes`` chooses the API that reads the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType

from source_salesforce_bulk.salesforce.rest_api import ObjectListing


class Reason(StrEnum):
    """Why an object is not offered, or not read by Bulk API. The name in lower case is its code in JSON output."""

    NOT_BULK = "the Bulk API does not support it"
    NO_QUERY = "Salesforce does not support querying it"
    NEEDS_FILTER = "Salesforce answers only queries that filter on certain fields (see object_overrides, where)"
    OUTSIDE_ORG = "its data lies outside the org's tables, where Bulk cannot read"
    PLATFORM_EVENT = "it is a platform event, which is streamed and not queried"
    CHANGE_EVENT = "it is a change data capture event, which is streamed and not queried"
    EVENT_STREAM = "it is an event stream, which is not queried"
    NOT_RETRIEVEABLE = (
        "describe says that it is not retrieveable: Salesforce computes its rows, and Bulk is likely to refuse it"
    )
    NOT_QUERYABLE = "describe says that it cannot be queried"
    HIDDEN = "it is deprecated and hidden"
    NO_FIELDS = "Bulk can select none of its fields"
    EXCLUDED = "it is excluded by exclude_objects"

    @property
    def code(self) -> str:
        """Its name in JSON output."""
        return self.name.lower()


def _listed(reason: Reason, names: str) -> dict[str, Reason]:
    return dict.fromkeys(names.lower().split(), reason)


REFUSED: Mapping[str, Reason] = MappingProxyType(
    _listed(
        Reason.NOT_BULK,
        """
        AcceptedEventRelation DeclinedEventRelation UndecidedEventRelation EventWhoRelation TaskWhoRelation
        AssetTokenEvent Attachment AttachedContentNote CaseStatus ContractStatus OrderStatus SolutionStatus TaskStatus
        TaskPriority ShiftStatus WorkOrderStatus WorkOrderLineItemStatus WorkStepStatus ServiceAppointmentStatus
        PartnerRole RecentlyViewed FieldSecurityClassification KnowledgeArticle KnowledgeArticleVersion
        KnowledgeArticleVersionHistory KnowledgeArticleViewStat KnowledgeArticleVoteStat CaseTeamMember CaseTeamRole
        CaseTeamTemplate CaseTeamTemplateMember CaseTeamTemplateRecord AccountFeed AssetFeed AccountBrandShare
        ChannelProgramLevelShare QuoteTemplateRichTextData
        """,
    )
    | _listed(
        Reason.NO_QUERY,
        """
        ActivityHistory OpenActivity AggregateResult AttachedContentDocument CombinedAttachment ContentBody EmailStatus
        FeedLike FeedSignal FeedTrackedChange FolderedContentDocument LookedUpFromActivity Name NoteAndAttachment
        OrgLifecycleNotification OwnedContentDocument ProcessInstanceHistory DatasetExportEvent
        """,
    )
    | _listed(
        Reason.OUTSIDE_ORG,
        """
        DataStatistics FlexQueueItem DatacloudCompany DatacloudDandBCompany ListViewChartInstance PlatformAction
        OutgoingEmail OutgoingEmailRelation ColorDefinition IconDefinition AppTabMember DatacloudAddress DataType
        """,
    )
    | _listed(
        # Standard events have no suffix, and names such as LiveChatTranscriptEvent belong to ordinary objects.
        Reason.PLATFORM_EVENT,
        """
        AIPredictionEvent AIUpdateRecordEvent AppointmentSchedulingEvent AsyncOperationEvent BatchApexErrorEvent
        CommerceDiagnosticEvent ConcurLongRunApexErrEvent ConsentEvent DataObjectDataChgEvent
        ExternalAccountHierarchyEvent FlowExecutionErrorEvent FlowOrchestrationEvent FOStatusChangedEvent
        FulfillmentOrderStatusEvent MobileEmailEvent MobileEnforcedPolicyEvent MobileScreenshotEvent
        MobileTelephonyEvent OmniTrackingEvent OrderSummaryCreatedEvent OrderSumStatusChangedEvent
        PlatformStatusAlertEvent ProcessExceptionEvent RemoteKeyCalloutEvent
        """,
    )
)
"""Objects by lower-case name, and why Bulk API cannot read them."""

NEEDS_FILTER: Mapping[str, Reason] = MappingProxyType(
    _listed(
        Reason.NEEDS_FILTER,
        """
        ContentDocumentLink ContentFolderItem ContentFolderMember IdeaComment Vote FieldDefinition EntityParticle
        RelationshipInfo RelationshipDomain OwnerChangeOptionInfo PicklistValueInfo SearchLayout SiteDetail
        UserEntityAccess UserFieldAccess FlowVersionView FlowVariableView FlowTestView RelatedListDefinition
        RelatedListColumnDefinition ApexTypeImplementor FeedItem FeedRevision ActivityMetric ActivityMetricRollup
        UserRecordAccess Announcement CollaborationGroupRecord ContentHubItem FieldHistoryArchive
        NetworkUserHistoryRecent NetworkUserHistoryMonthly
        """,
    )
)
"""Objects by lower-case name that Salesforce returns only with certain filters."""


@dataclass(frozen=True, slots=True)
class ParentField:
    """The field by whose values an object is read. Without ``object``, describe says which object it refers to."""

    field: str
    object: str | None = None
    key: str = "Id"


_BY_ENTITY = ParentField("EntityDefinitionId", "EntityDefinition", "DurableId")

PARENTS: Mapping[str, ParentField] = MappingProxyType(
    {
        "contentdocumentlink": ParentField("ContentDocumentId"),
        "contentfolderitem": ParentField("ParentContentFolderId"),
        "contentfoldermember": ParentField("ParentContentFolderId"),
        "ideacomment": ParentField("IdeaId"),
        "fielddefinition": _BY_ENTITY,
        "entityparticle": _BY_ENTITY,
        "ownerchangeoptioninfo": _BY_ENTITY,
        "searchlayout": _BY_ENTITY,
    }
)
"""Objects of :data:`NEEDS_FILTER` whose filter accepts a list of parents, by lower-case name."""

REFUSED_PATTERNS: Mapping[str, Reason] = MappingProxyType(
    {
        "*changeevent": Reason.CHANGE_EVENT,
        "*__e": Reason.PLATFORM_EVENT,
        "*eventstream": Reason.EVENT_STREAM,
        "*__tag": Reason.NOT_BULK,
        "*__x": Reason.OUTSIDE_ORG,
    }
)
"""Endings of names, in lower case, and why Bulk API cannot read such objects."""

# Describe shows their date as filterable, but the filter is refused (event stores and similar objects).
_REFUSES_CURSOR_FILTER = frozenset(
    """
    apievent bulkapiresulteventstore fileeventstore identityprovidereventstore identityverificationevent
    lightningurievent listviewevent loginasevent loginevent logoutevent permissionseteventstore reportevent urievent
    activityfieldhistory backgroundoperationresult externalencryptionrootkey pendingordersummary
    """.split()
)

_ONLY_NEW_ROWS = ("*history", "*feed", "setupaudittrail")

_WILDCARDS = frozenset("*?[")
_NEAR = 0.75
"""Minimum similarity of a suggested name: ``Order`` and ``Order__c`` have 0.77, ``Lead`` and ``Load`` 0.75."""


def is_pattern(entry: str) -> bool:
    """Return whether an entry is a pattern, not the name of one object.

    >>> is_pattern("*__c"), is_pattern("Account")
    (True, False)
    """
    return not _WILDCARDS.isdisjoint(entry)


def matches(name: str, entries: Iterable[str]) -> bool:
    """Return whether any entry is the object's name or a pattern that matches it."""
    return any(fnmatchcase(name.lower(), entry.lower()) for entry in entries)


def is_named(name: str, entries: Iterable[str]) -> bool:
    """Return whether an entry is the object's own name.

    >>> is_named("Account", ["account", "*__c"]), is_named("Order__c", ["account", "*__c"])
    (True, False)
    """
    return any(entry.lower() == name.lower() for entry in entries)


def names_in(entries: Iterable[str]) -> tuple[str, ...]:
    """Return the entries that are names, without duplicates, as first written.

    >>> names_in(["*__c", "Account", "ACCOUNT"])
    ('Account',)
    """
    first: dict[str, str] = {}
    for entry in entries:
        if not is_pattern(entry):
            first.setdefault(entry.lower(), entry)
    return tuple(first.values())


def patterns_without_match(entries: Iterable[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return the patterns that match none of ``names``, in order.

    >>> patterns_without_match(["*__c", "Acc*", "Lead"], ["Account"])
    ('*__c',)
    """
    return tuple(entry for entry in entries if is_pattern(entry) and not any(matches(name, [entry]) for name in names))


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the closest of ``names`` to a misspelt ``name``; None if none is similar.

    >>> nearest("Oportunity", ["Account", "Opportunity"])
    'Opportunity'
    """
    known = {spelled.lower(): spelled for spelled in names}
    found = get_close_matches(name.lower(), known, n=1, cutoff=_NEAR)
    return known[found[0]] if found else None


def why_left_out(listing: ObjectListing, *, asked_for: bool = False) -> Reason | None:
    """Return why discovery should not offer an object, or None.

    ``asked_for``: the user named the object explicitly, which overrides everything except ``queryable``. So an object
    that needs a filter can be read with a ``where``. An object that only Bulk API refuses is offered: REST reads it.
    """
    if not listing.queryable:
        return Reason.NOT_QUERYABLE
    if asked_for:
        return None
    if listing.hidden:
        return Reason.HIDDEN
    name = listing.name.lower()
    hint = PARENTS.get(name)
    if hint is not None and hint.object is None:
        return None
    known = REFUSED.get(name) or NEEDS_FILTER.get(name) or _refused_by_pattern(name)
    if known == Reason.NOT_BULK:
        return None
    return known or (None if listing.retrieveable else Reason.NOT_RETRIEVEABLE)


def why_not_bulk(name: str, *, retrieveable: bool = True) -> Reason | None:
    """Return why Bulk probably cannot read an object that REST may read; None if nothing is known against Bulk."""
    known = REFUSED.get(name.lower()) or _refused_by_pattern(name.lower())
    return known or (None if retrieveable else Reason.NOT_RETRIEVEABLE)


def parent_field(name: str) -> ParentField | None:
    """Return the field by whose values an object is read; None for one that is read as a whole, or not at all."""
    return PARENTS.get(name.lower())


def filters_cursor(name: str) -> bool:
    """Return whether an object can be filtered by its cursor; true unless it is known to refuse that."""
    return name.lower() not in _REFUSES_CURSOR_FILTER


def sees_only_new_rows(name: str) -> bool:
    """Return whether rows of the object never change after their creation (``LoginHistory`` ends in History, too)."""
    return any(fnmatchcase(name.lower(), pattern) for pattern in _ONLY_NEW_ROWS)


def _refused_by_pattern(name: str) -> Reason | None:
    return next((reason for pattern, reason in REFUSED_PATTERNS.items() if fnmatchcase(name, pattern)), None)
