"""A list of objects as long as a real org's: names and counts, no rows."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count

from integration_tests.simulated_org.errors import API_ERRORS, ErrorTemplate
from integration_tests.simulated_org.ids import ALPHABET
from integration_tests.simulated_org.objects import Audit, SObject, declare

ENTRIES, QUERYABLE = 1_294, 1_060

# Standard objects, each with the companions that follow it in a real list.
_BASES = """
Address Asset AssetRelationship AssignedResource AssociatedLocation AuthorizationForm AuthorizationFormConsent
AuthorizationFormDataUse AuthorizationFormText BusinessBrand CommSubscription CommSubscriptionChannelType
CommSubscriptionConsent CommSubscriptionTiming ContactPointAddress ContactPointConsent ContactPointEmail
ContactPointPhone ContactPointTypeConsent ContactRequest Contract ContractLineItem Customer DataUseLegalBasis
DataUsePurpose EngagementChannelType Entitlement FlowInterview Image Individual Invoice LegalEntity Location Macro
MessagingEndUser MessagingSession OperatingHours Order OrderItem PartyConsent Pricebook2 ProcessException
ProductConsumed ProductItem ProductRequest ProductTransfer QuickText Quote Recommendation ResourceAbsence
ResourcePreference ReturnOrder Scorecard Seller ServiceAppointment ServiceContract ServiceCrew ServiceResource
ServiceTerritory Shift Shipment SkillRequirement SocialPost Solution StreamingChannel TimeSheet TimeSlot WebCartDocument
WorkOrder WorkOrderLineItem WorkPlan WorkStep WorkType
"""
_REFUSED_BY_BULK = """
DeclinedEventRelation UndecidedEventRelation EventWhoRelation TaskWhoRelation AttachedContentNote SolutionStatus
ShiftStatus WorkOrderStatus WorkOrderLineItemStatus WorkStepStatus ServiceAppointmentStatus FieldSecurityClassification
KnowledgeArticleVersionHistory KnowledgeArticleViewStat KnowledgeArticleVoteStat CaseTeamMember CaseTeamRole
CaseTeamTemplate CaseTeamTemplateMember CaseTeamTemplateRecord AssetFeed AccountBrandShare ChannelProgramLevelShare
QuoteTemplateRichTextData Announcement CollaborationGroupRecord FieldHistoryArchive NetworkUserHistoryRecent
NetworkUserHistoryMonthly ContentHubItem DatacloudAddress
"""
_WANTING_A_FILTER = """
EntityParticle RelationshipInfo RelationshipDomain OwnerChangeOptionInfo SearchLayout SiteDetail UserEntityAccess
UserFieldAccess FlowVersionView FlowVariableView FlowTestView RelatedListDefinition RelatedListColumnDefinition
ApexTypeImplementor
"""
_OUTSIDE = "DatacloudDandBCompany OutgoingEmailRelation IconDefinition AppTabMember"
_EVENT_STORES = """
AIPredictionEvent AsyncOperationEvent BatchApexErrorEvent FlowExecutionErrorEvent PlatformStatusAlertEvent
BulkApiResultEventStore FileEventStore IdentityProviderEventStore IdentityVerificationEvent LoginAsEvent LogoutEvent
PermissionSetEventStore ReportEvent UriEvent
"""
_NOT_QUERYABLE = """
OpenActivity AttachedContentDocument CombinedAttachment ContentBody EmailStatus FeedLike FeedSignal FeedTrackedChange
FolderedContentDocument LookedUpFromActivity NoteAndAttachment OrgLifecycleNotification OwnedContentDocument
ProcessInstanceHistory DatasetExportEvent
"""
_COMPANIONS: dict[str, tuple[Audit, str]] = {
    "History": ("created", "Field string(80); OldValue anyType; NewValue anyType"),
    "Share": ("modified", "UserOrGroupId reference(User); RowCause picklist(Owner|Manual)"),
    "Feed": ("full", "Type picklist(TextPost|TrackedChange); Title string(255)"),
}


def real_list(objects: list[SObject]) -> list[SObject]:
    """Return what is missing from the objects to a list of `ENTRIES`, of which `QUERYABLE` are queryable."""
    names = {one.name for one in objects}
    prefixes = _prefixes({one.prefix for one in objects})
    known = {one.name: one for one in _known(prefixes) if one.name not in names}  # of two, the refused one stays
    added = list(known.values())
    readable = QUERYABLE - sum(one.queryable for one in (*objects, *added))
    others = ENTRIES - QUERYABLE - sum(not one.queryable for one in (*objects, *added))
    if min(readable, others) < 0:
        raise ValueError("the org holds more objects than the list")
    added += [_plain(f"Custom{n:04d}__c", next(prefixes)) for n in range(1, readable + 1)]
    added += [_unreadable(f"Custom{n:04d}__ChangeEvent", next(prefixes)) for n in range(1, others + 1)]
    return added


def _known(prefixes: Iterator[str]) -> Iterable[SObject]:
    refused = API_ERRORS["INVALIDENTITY"]
    for name in _BASES.split():
        yield _plain(name, next(prefixes))
        for ending, (audit, text) in _COMPANIONS.items():
            made = declare(name + ending, next(prefixes), text, audit=audit, associate=ending, parent=name)
            yield _counted(made)
        yield _unreadable(f"{name}ChangeEvent", next(prefixes))
    for name in _REFUSED_BY_BULK.split():
        yield replace(_plain(name, next(prefixes)), bulk_refusal=refused, planned=None)
    for name in _OUTSIDE.split():
        outside = API_ERRORS["EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION"]
        yield replace(_plain(name, next(prefixes)), bulk_refusal=outside, planned=None)
    for name in _WANTING_A_FILTER.split():
        yield _wanting_a_filter(name, next(prefixes))
    for name in _EVENT_STORES.split():
        text = (
            "EventIdentifier string(36) required; EventDate datetime required nofilter; CreatedDate datetime required"
        )
        yield declare(name, next(prefixes), text, audit="none", soft_deletes=False, empty_ids=True)
    for name in _NOT_QUERYABLE.split():
        yield _unreadable(name, next(prefixes))


def _plain(name: str, prefix: str) -> SObject:
    return _counted(declare(name, prefix, "Name string(80) name; Amount__c currency(18,2); Due__c date"))


def _counted(declared: SObject) -> SObject:
    """Return the object with a number of rows that its name decides, below a thousand; a quarter of them are empty."""
    digest = zlib.crc32(declared.name.encode())
    return replace(declared, planned=digest % 10 ** (digest % 4))


def _unreadable(name: str, prefix: str) -> SObject:
    refusal = API_ERRORS["INVALID_TYPE_FOR_OPERATION"]
    return declare(
        name,
        prefix,
        "ReplayId string(40)",
        audit="none",
        queryable=False,
        replicateable=False,
        soft_deletes=False,
        bulk_refusal=refusal,
        rest_refusal=refusal,
        associate="ChangeEvent" if name.endswith("ChangeEvent") else None,
    )


def _wanting_a_filter(name: str, prefix: str) -> SObject:
    message = f"{name}: a filter on a reified column is required [EntityDefinitionId,DurableId]"
    return declare(
        name,
        prefix,
        "DurableId string(255); EntityDefinitionId string(255); Label string(255)",
        audit="none",
        soft_deletes=False,
        empty_ids=True,
        filter_required=("DurableId", "EntityDefinitionId"),
        filter_refusal=ErrorTemplate(400, "MALFORMED_QUERY", message),
    )


def _prefixes(taken: set[str]) -> Iterator[str]:
    for n in count():
        prefix = "xyzw"[n // 3_844] + ALPHABET[n // 62 % 62] + ALPHABET[n % 62]
        if prefix not in taken:
            yield prefix
