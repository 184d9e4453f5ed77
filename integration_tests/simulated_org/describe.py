"""Describe answers, with the keys that were recorded from a real org in 2025."""

from __future__ import annotations

from typing import Any

from integration_tests.simulated_org.fields import TYPES, Field
from integration_tests.simulated_org.objects import SObject

_FALSE_OBJECT_KEYS = (
    "activateable",
    "deepCloneable",
    "feedEnabled",
    "hasSubtypes",
    "isInterface",
    "isSubtype",
    "mergeable",
)


def describe_global(objects: list[SObject], version: str) -> dict[str, Any]:
    """Return the body of `GET …/sobjects`."""
    return {
        "encoding": "UTF-8",
        "maxBatchSize": 200,
        "sobjects": [object_summary(one, version) for one in objects],
    }


def object_summary(declared: SObject, version: str) -> dict[str, Any]:
    """Return an object's entry in the global describe."""
    writable = declared.queryable and declared.associate is None
    base = f"/services/data/v{version}/sobjects/{declared.name}"
    summary: dict[str, Any] = dict.fromkeys(_FALSE_OBJECT_KEYS, False)
    summary |= {
        "associateEntityType": declared.associate,
        "associateParentEntity": declared.parent,
        "createable": writable,
        "custom": declared.custom,
        "customSetting": declared.custom_setting,
        "deletable": writable,
        "deprecatedAndHidden": declared.hidden,
        "keyPrefix": declared.prefix if declared.queryable else None,
        "label": declared.label or declared.name,
        "labelPlural": (declared.label or declared.name) + "s",
        "layoutable": writable,
        "mruEnabled": writable,
        "name": declared.name,
        "queryable": declared.queryable,
        "replicateable": declared.replicateable,
        "retrieveable": declared.queryable and declared.retrieveable,
        "searchable": writable,
        "triggerable": writable,
        "undeletable": writable and declared.soft_deletes,
        "updateable": writable,
        "urls": {"sobject": base, "describe": f"{base}/describe", "rowTemplate": base + "/{ID}"},
    }
    return summary


def describe_object(declared: SObject, version: str, children: list[tuple[SObject, Field]]) -> dict[str, Any]:
    """Return the body of `GET …/sobjects/{name}/describe`; `children` are the references that point at the object."""
    body = object_summary(declared, version) | {
        "actionOverrides": [],
        "childRelationships": [_child(child, field) for child, field in children],
        "compactLayoutable": True,
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [describe_field(field) for field in declared.fields],
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": [_master_record_type()],
        "searchLayoutable": True,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": "All records", "name": "everything"}],
    }
    return dict(sorted(body.items()))


def _child(child: SObject, field: Field) -> dict[str, Any]:
    return {
        "cascadeDelete": False,
        "childSObject": child.name,
        "deprecatedAndHidden": False,
        "field": field.name,
        "junctionIdListNames": [],
        "junctionReferenceTo": [],
        "relationshipName": None,
        "restrictedDelete": False,
    }


def _master_record_type() -> dict[str, Any]:
    return {
        "active": True,
        "available": True,
        "defaultRecordTypeMapping": True,
        "developerName": "Master",
        "master": True,
        "name": "Master",
        "recordTypeId": "012000000000000AAA",
        "urls": {},
    }


def describe_field(field: Field) -> dict[str, Any]:
    """Return a field's entry in an object's describe."""
    text = field.kind in ("text", "id")
    whole = field.type in ("int", "long")
    writable = not field.calculated and field.kind != "compound" and field.type != "id"
    described: dict[str, Any] = dict.fromkeys(_FALSE_FIELD_KEYS, False) | dict.fromkeys(_NULL_FIELD_KEYS)
    described |= {
        "aggregatable": field.filterable,
        "byteLength": field.length * 3 if text else 0,
        "calculated": field.calculated,
        "calculatedFormula": _formula(field),
        "caseSensitive": field.type == "id",
        "compoundFieldName": field.compound,
        "createable": writable,
        "custom": field.custom,
        "digits": field.precision if whole else 0,
        "encrypted": field.type == "encryptedstring",
        "extraTypeInfo": "plaintextarea" if field.type == "textarea" else None,
        "filterable": field.filterable,
        "groupable": field.filterable and field.kind not in ("number", "datetime"),
        "idLookup": field.type == "id",
        "label": field.name,
        "length": field.length,
        "name": field.name,
        "nameField": field.name_field,
        "namePointing": len(field.targets) > 1,
        "nillable": field.nillable,
        "permissionable": field.nillable,
        "picklistValues": [_choice(choice) for choice in field.choices],
        "polymorphicForeignKey": len(field.targets) > 1,
        "precision": 0 if whole else field.precision,
        "queryByDistance": field.kind == "compound",
        "referenceTo": list(field.targets),
        "relationshipName": field.relationship,
        "restrictedPicklist": bool(field.choices),
        "scale": field.scale,
        "soapType": TYPES[field.type].soap_type,
        "sortable": field.sortable,
        "type": field.type,
        "updateable": writable,
    }
    return dict(sorted(described.items()))


def _formula(field: Field) -> str | None:
    if field.formula is not None:
        return field.formula.shown
    return "TEXT(Text__c)" if field.calculated and field.custom else None


def _choice(value: str) -> dict[str, Any]:
    return {"active": True, "defaultValue": False, "label": value, "validFor": None, "value": value}


_FALSE_FIELD_KEYS = (
    "aiPredictionField",
    "autoNumber",
    "cascadeDelete",
    "defaultedOnCreate",
    "dependentPicklist",
    "deprecatedAndHidden",
    "displayLocationInDecimal",
    "externalId",
    "formulaTreatNullNumberAsZero",
    "highScaleNumber",
    "htmlFormatted",
    "restrictedDelete",
    "searchPrefilterable",
    "unique",
    "writeRequiresMasterRead",
)
_NULL_FIELD_KEYS = (
    "controllerName",
    "defaultValue",
    "defaultValueFormula",
    "filteredLookupInfo",
    "inlineHelpText",
    "mask",
    "maskType",
    "referenceTargetField",
    "relationshipOrder",
)
