"""Objects that must be filtered by certain columns, each refused in the words of its own."""

from __future__ import annotations

from integration_tests.simulated_org.errors import ErrorTemplate
from integration_tests.simulated_org.objects import SObject, declare

_RESTRICTED = "Implementation restriction: "
_SYNTAX = _RESTRICTED + "When querying the {object} object, you must filter using the following syntax: "
_REIFIED = "{object}: a filter on a reified column is required "
_OUTSIDE = "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION"
_DURABLE = "DurableId string(255);"


def filter_required() -> list[SObject]:
    """Return the objects that no query reads as a whole."""
    return [
        _restricted(
            "ContentDocumentLink",
            "06A",
            "ContentDocumentId LinkedEntityId",
            _RESTRICTED + "ContentDocumentLink requires a filter by a single Id on ContentDocumentId or "
            "LinkedEntityId using the equals operator or multiple Id's using the IN operator.",
            "ContentDocumentId reference(ContentDocument) required; LinkedEntityId reference(Account) required;"
            "ShareType picklist(V|C|I); SystemModstamp datetime required",
            with_others=("LinkedEntityId",),
        ),
        _restricted(
            "ContentFolderItem",
            "07H",
            "Id ParentContentFolderId",
            _RESTRICTED + "ContentFolderItem requires a filter by Id or ParentContentFolderId.",
            "ParentContentFolderId reference(Account); Title string(255); SystemModstamp datetime required",
        ),
        _restricted(
            "ContentFolderMember",
            "07I",
            "Id ChildRecordId ParentContentFolderId",
            _RESTRICTED + "ContentFolderMember requires a filter by a single Id, ChildRecordId or "
            "ParentContentFolderId using the equals operator or multiple Id's using the IN operator",
            "ParentContentFolderId reference(Account); ChildRecordId reference(ContentDocument)",
        ),
        _restricted(
            "IdeaComment",
            "00a",
            "CommunityId Id IdeaId",
            _SYNTAX + "CommunityId = [single ID], Id = [single ID], IdeaId = [single ID], or IdeaId IN [list of IDs].",
            "CommunityId reference(Account); IdeaId reference(Account); CommentBody textarea(4000)",
        ),
        _restricted(
            "Vote",
            "083",
            "ParentId Parent.Type Id",
            _SYNTAX + "ParentId = [single ID], Parent.Type = [single value], Id = [single ID], "
            "or Id IN [list of ID's].",
            "ParentId reference(Account|Case:Parent) required; Type picklist(Up|Down); CreatedDate datetime required",
        ),
        _restricted(
            "FeedRevision",
            "08U",
            "FeedEntityId Id",
            _RESTRICTED + "FeedRevision requires a filter by FeedEntityId",
            "FeedEntityId reference(Account); Action string(20); CreatedDate datetime required",
        ),
        _restricted(
            "ActivityMetric",
            "0Xz",
            "BaseId",
            "ActivityMetric: filter on object id is required",
            "BaseId reference(Account) required; LastCallDateTime datetime; SystemModstamp datetime required",
        ),
        _restricted(
            "FieldDefinition",
            "0R0",
            "DurableId EntityDefinitionId",
            _REIFIED + "[EntityDefinitionId,DurableId]",
            _DURABLE + "EntityDefinitionId string(255); QualifiedApiName string(80)",
        ),
        _restricted(
            "PicklistValueInfo",
            "4pv",
            "DurableId EntityParticleId",
            _REIFIED + "[EntityParticleId,DurableId]",
            _DURABLE + "EntityParticleId string(255); Value string(255)",
        ),
        _restricted(
            "FlexQueueItem",
            "0hd",
            "JobType",
            "Where clauses should contain JobType",
            "FlexQueueItemId string(18); JobType picklist(ApexJob|BatchApex); JobPosition int(9,0)",
            code=_OUTSIDE,
        ),
        _restricted(
            "ColorDefinition",
            "0Co",
            "DurableId TabDefinitionId",
            "This query is not supported on the ColorDefinition object.",
            _DURABLE + "TabDefinitionId string(255); Color string(6)",
            code=_OUTSIDE,
        ),
    ]


def _restricted(
    name: str,
    prefix: str,
    columns: str,
    message: str,
    text: str,
    *,
    code: str = "MALFORMED_QUERY",
    with_others: tuple[str, ...] | None = None,
) -> SObject:
    return declare(
        name,
        prefix,
        text,
        audit="none",
        volume=40,
        soft_deletes=False,
        chunkable=False,
        filter_required=tuple(columns.split()),
        filter_refusal=ErrorTemplate(400, code, message),
        filter_with_others=with_others,
    )
