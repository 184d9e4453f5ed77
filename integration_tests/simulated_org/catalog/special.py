"""Objects that are there for one trait each: another cursor, no cursor, a refusal, a shape."""

from __future__ import annotations

from integration_tests.simulated_org.errors import API_ERRORS, ErrorTemplate
from integration_tests.simulated_org.objects import SObject, declare


def cursor_variants() -> list[SObject]:
    """Return objects whose audit fields are not the usual set."""
    return [
        declare(
            "AccountShare",
            "00r",
            "AccountId reference(Account:Account) required; UserOrGroupId reference(User:UserOrGroup) required;"
            "AccountAccessLevel picklist(Read|Edit|All) required; RowCause picklist(Owner|Rule|Manual)",
            audit="modified",
            volume=300,
            associate="Share",
            parent="Account",
        ),
        declare(
            "AccountHistory",
            "017",
            "AccountId reference(Account:Account) required; Field picklist(Name|Rating|Owner) required;"
            "DataType picklist(Text|Number|EntityId); OldValue anyType; NewValue anyType",
            audit="created",
            volume=300,
            associate="History",
            parent="Account",
            replicateable=False,
        ),
        declare(
            "SetupAuditTrail",
            "0Ym",
            "Action string(40) required; Section string(80); Display string(1333)",
            audit="created",
            volume=60,
            soft_deletes=False,
            replicateable=False,
        ),
        declare(
            "LoginHistory",
            "0Ya",
            "UserId reference(User) required; LoginTime datetime required;"
            "LoginType picklist(Application|Remote Access 2.0); SourceIp string(39);"
            "Status string(128) nofilter; Browser string(64)",
            audit="login",
            volume=200,
            soft_deletes=False,
            replicateable=False,
        ),
        declare(
            "AppDefinition",
            "06m",
            "DurableId string(255); Label string(255); DeveloperName string(80); NamespacePrefix string(255);"
            "UiType picklist(Classic|Lightning); IsNavPersonalizationDisabled boolean required",
            audit="none",
            with_id=False,
            volume=20,
            soft_deletes=False,
            replicateable=False,
            chunkable=False,
        ),
        declare(
            "NullCursor__c",
            "a0N",
            "Name string(80) name; Payload__c string(100); LastModifiedDate datetime",
            audit="none",
            volume=200,
            soft_deletes=False,
        ),
        declare(
            "LoginEvent",
            "0A1",
            "EventDate datetime required nofilter; CreatedDate datetime required nofilter; Username string(80)",
            audit="none",
            volume=40,
            soft_deletes=False,
            replicateable=False,
        ),
        declare(
            "ApiEvent",
            "0A2",
            "EventDate datetime required liesfilter; CreatedDate datetime required liesfilter; Query textarea(4000)",
            audit="none",
            volume=40,
            soft_deletes=False,
            replicateable=False,
        ),
        declare(
            "ContentVersion",
            "068",
            "Title string(255) required name; PathOnClient string(500); VersionData base64; ContentSize int(9,0);"
            "Checksum string(50); FileExtension string(40); VersionNumber string(20); IsLatest boolean required;"
            "ContentDocumentId reference(ContentDocument:ContentDocument) required",
            volume=30,
        ),
        declare(
            "Document",
            "015",
            "Name string(255) required name; Type string(40); Body base64; BodyLength int(9,0)",
            volume=8,
        ),
        declare("ContentDocument", "069", "Title string(255) required name; FileType string(20)", volume=20),
        declare(
            "Region__mdt",
            "m00",
            "DeveloperName string(40) required; Label string(40) required; Code__c string(3)",
            audit="none",
            volume=6,
            soft_deletes=False,
            replicateable=False,
        ),
        declare(
            "Archive__b",
            "b00",
            "Occurred__c datetime required; Text__c string(255)",
            audit="none",
            volume=40,
            soft_deletes=False,
            replicateable=False,
            chunkable=False,
        ),
        declare("Config__c", "a0S", "Name string(38) name; Limit__c double(18,0)", volume=4, custom_setting=True),
        declare(
            "Faq__kav",
            "ka0",
            "Title string(255) required; PublishStatus picklist(Online|Draft|Archived) required;"
            "IsLatestVersion boolean required",
            volume=25,
            soft_deletes=False,
        ),
        declare("OldWidget__c", "a0H", "Name string(80) name", volume=5, hidden=True),
        declare("Empty__c", "a0E", "Name string(80) name; Amount__c currency(18,2)", volume=0),
    ]


_ATTACHMENT = (
    "Name string(255) required name; Body base64; BodyLength int(9,0); ContentType string(120);"
    "ParentId reference(Account|Case:Parent) required"
)


def _refused(name: str, prefix: str, refusal: ErrorTemplate, text: str = "ApiName string(80) required") -> SObject:
    return declare(name, prefix, text, volume=8, bulk_refusal=refusal, soft_deletes=False)


def refused_by_bulk() -> list[SObject]:
    """Return queryable objects whose job creation is refused."""
    entity = API_ERRORS["INVALIDENTITY"]
    opaque = ErrorTemplate(400, "INVALIDENTITY", "Entity '01I5g000000Kq7x.Tag' is not supported by the Bulk API.")
    external = API_ERRORS["EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION"]
    restricted = ErrorTemplate(
        400, "INVALID_FIELD", "UserRecordAccess only allows RecordId, HasReadAccess, MaxAccessLevel and needs filters"
    )
    return [
        _refused("CaseStatus", "01J", entity),
        _refused("TaskStatus", "01T", entity),
        _refused("TaskPriority", "01P", entity),
        _refused("ContractStatus", "811", entity),
        _refused("OrderStatus", "80R", entity),
        _refused("PartnerRole", "00P", entity),
        _refused("KnowledgeArticle", "kA0", entity),
        _refused("KnowledgeArticleVersion", "ka1", entity),
        _refused("AcceptedEventRelation", "0R1", entity),
        _refused("RecentlyViewed", "0R2", entity),
        _refused("AccountFeed", "0D5", entity),
        _refused("Attachment", "00A", entity, _ATTACHMENT),
        _refused("Config__Tag", "a0T", opaque),
        _refused("AssetTokenEvent", "0R3", API_ERRORS["API_ERROR"]),
        _refused("OrgWideRole", "0R4", API_ERRORS["API_ERROR/view_all"]),
        _refused("PlatformAction", "0JV", external),
        _refused("DataStatistics", "0R5", API_ERRORS["EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION/where"]),
        _refused("ListViewChartInstance", "0Dd", API_ERRORS["EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION/query"]),
        _refused("OutgoingEmail", "0R6", API_ERRORS["EXTERNAL_OBJECT_EXCEPTION"]),
        _refused("Invoice__x", "x00", API_ERRORS["EXTERNAL_OBJECT_EXCEPTION"]),
        _refused("DatacloudCompany", "0R7", API_ERRORS["DATACLOUD_API_DISABLED_EXCEPTION"]),
        _refused("UserRecordAccess", "0R8", restricted),
        _refused("ActivityHistory", "0R9", API_ERRORS["INVALID_TYPE_FOR_OPERATION"]),
    ]


def not_queryable() -> list[SObject]:
    """Return what global describe lists with `queryable` false."""
    refusal = API_ERRORS["INVALID_TYPE_FOR_OPERATION"]
    names = [
        ("AccountChangeEvent", "0Q1"),
        ("ContactChangeEvent", "0Q2"),
        ("Awkward__ChangeEvent", "0Q3"),
        ("Name", "0Q4"),
        ("AggregateResult", "0Q5"),
        ("LoginEventStream", "0Q6"),
        ("Shipped__e", "e00"),
    ]
    return [
        declare(
            name,
            prefix,
            "ReplayId string(40); ChangeEventHeader string(255)",
            audit="none",
            queryable=False,
            replicateable=False,
            bulk_refusal=refusal,
            rest_refusal=refusal,
            soft_deletes=False,
            associate="ChangeEvent" if name.endswith("ChangeEvent") else None,
        )
        for name, prefix in names
    ]
