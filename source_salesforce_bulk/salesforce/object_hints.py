"""What experience says of single objects, where describe does not.

The lists were collected from error messages that users of several connectors met; they depend on the API version and
on the org, and describe knows nothing of them. So they are hints: discovery does not offer what they name, unless the
user names it too, and at read time Salesforce's own answer decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType

from source_salesforce_bulk.salesforce.rest_api import ObjectListing

_NOT_BULK = "the Bulk API does not support it"
_NO_QUERY = "Salesforce does not support querying it"
_NEEDS_FILTER = "Salesforce answers only queries that filter on certain fields (see object_overrides, where)"
_OUTSIDE = "its data lies outside the org's tables, where Bulk cannot read"


def _listed(reason: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.lower().split(), reason)


REFUSED: Mapping[str, str] = MappingProxyType(
    _listed(
        _NOT_BULK,
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
        _NO_QUERY,
        """
        ActivityHistory OpenActivity AggregateResult AttachedContentDocument CombinedAttachment ContentBody EmailStatus
        FeedLike FeedSignal FeedTrackedChange FolderedContentDocument LookedUpFromActivity Name NoteAndAttachment
        OrgLifecycleNotification OwnedContentDocument ProcessInstanceHistory DatasetExportEvent
        """,
    )
    | _listed(
        _OUTSIDE,
        """
        DataStatistics FlexQueueItem DatacloudCompany DatacloudDandBCompany ListViewChartInstance PlatformAction
        OutgoingEmail OutgoingEmailRelation ColorDefinition IconDefinition AppTabMember
        """,
    )
)
"""Objects by name in lower case, and why Bulk cannot read them."""

NEEDS_FILTER: Mapping[str, str] = MappingProxyType(
    _listed(
        _NEEDS_FILTER,
        """
        ContentDocumentLink ContentFolderItem ContentFolderMember IdeaComment Vote FieldDefinition EntityParticle
        RelationshipInfo RelationshipDomain OwnerChangeOptionInfo PicklistValueInfo SearchLayout SiteDetail
        UserEntityAccess UserFieldAccess FlowVersionView FlowVariableView FlowTestView RelatedListDefinition
        RelatedListColumnDefinition ApexTypeImplementor FeedItem FeedRevision ActivityMetric ActivityMetricRollup
        UserRecordAccess
        """,
    )
)
"""Objects by name in lower case that can be read with a ``where`` of the user's only."""

REFUSED_PATTERNS: Mapping[str, str] = MappingProxyType(
    {
        "*changeevent": "it is a change data capture event, which is streamed and not queried",
        "*__e": "it is a platform event, which is streamed and not queried",
        "*eventstream": "it is an event stream, which is not queried",
        "*__tag": _NOT_BULK,
        "*__x": _OUTSIDE,
    }
)
"""Endings of names, in lower case, and why Bulk cannot read such objects."""

# They have a date that describe calls filterable, and refuse the filter (event store and its like).
_REFUSES_CURSOR_FILTER = frozenset(
    """
    apievent bulkapiresulteventstore fileeventstore identityprovidereventstore identityverificationevent
    lightningurievent listviewevent loginasevent loginevent logoutevent permissionseteventstore reportevent urievent
    activityfieldhistory backgroundoperationresult externalencryptionrootkey pendingordersummary
    """.split()
)

_ONLY_NEW_ROWS = ("*history", "*feed", "setupaudittrail")


def why_left_out(listing: ObjectListing, *, asked_for: bool = False) -> str | None:
    """Why discovery should not offer an object, or None.

    ``asked_for``: the user gave the object's own name and no pattern, which outweighs all but ``queryable``. So an
    object that wants a filter can be had with a ``where``, and one that Bulk has learnt to read since at all.
    """
    if not listing.queryable:
        return "describe says that it cannot be queried"
    if asked_for:
        return None
    if listing.hidden:
        return "it is deprecated and hidden"
    name = listing.name.lower()
    return REFUSED.get(name) or NEEDS_FILTER.get(name) or _refused_by_pattern(name)


def filters_cursor(name: str) -> bool:
    """Whether an object that has a date can, as far as is known, be filtered on it."""
    return name.lower() not in _REFUSES_CURSOR_FILTER


def sees_only_new_rows(name: str) -> bool:
    """Whether rows of the object are written once and never changed (``LoginHistory`` is a ``*History``, too)."""
    return any(fnmatchcase(name.lower(), pattern) for pattern in _ONLY_NEW_ROWS)


def _refused_by_pattern(name: str) -> str | None:
    return next((reason for pattern, reason in REFUSED_PATTERNS.items() if fnmatchcase(name, pattern)), None)
