"""Objects whose rows all carry the empty Id: event stores, and virtual objects that are made up for each query."""

from __future__ import annotations

from integration_tests.simulated_org.errors import API_ERRORS
from integration_tests.simulated_org.objects import SObject, declare


def event_stores() -> list[SObject]:
    """Return event-store objects that Bulk reads; EventIdentifier tells their rows apart, EventDate is their cursor."""
    return [
        declare(
            name,
            prefix,
            f"EventIdentifier string(36) required; EventDate datetime required; CreatedDate datetime required; {text}",
            audit="none",
            volume=60,
            soft_deletes=False,
            replicateable=False,
            chunkable=False,
            empty_ids=True,
        )
        for name, prefix, text in (
            ("LightningUriEvent", "0V1", "Username string(80); PageUrl url; Operation picklist(Read|Create|Update)"),
            ("ListViewEvent", "0V2", "Username string(80); RowsProcessed double(18,0)"),
        )
    ]


def virtual_objects() -> list[SObject]:
    """Return objects that describe calls queryable and not retrieveable; REST reads them, Bulk refuses them."""
    return [
        declare(
            name,
            prefix,
            f"DurableId string(255) required; {text}",
            audit="none",
            volume=8,
            soft_deletes=False,
            replicateable=False,
            chunkable=False,
            retrieveable=False,
            empty_ids=True,
            bulk_refusal=API_ERRORS["INVALIDENTITY"],
        )
        for name, prefix, text in (
            ("EntityDefinition", "4ie", "QualifiedApiName string(80) required; Label string(80); KeyPrefix string(3)"),
            ("DataType", "4dt", "DeveloperName string(80); ContextServiceDataTypeId string(255)"),
            ("Publisher", "4pb", "Name string(255) name; NamespacePrefix string(15); IsSalesforce boolean required"),
            ("OauthToken", "0CQ", "AppName string(120); UseCount int(9,0); LastUsedDate datetime"),
            ("DatacloudContact", "4dc", "FirstName string(40); LastName string(80); CompanyName string(255)"),
            ("FormulaFunction", "4ff", "Label string(80); Name string(80) name; ExampleString string(255)"),
        )
    ]
