"""A configuration and described objects, for tests of discovery and planning."""

from __future__ import annotations

from typing import Any

from source_salesforce_bulk.config import Config, parse_config
from source_salesforce_bulk.salesforce.describe import SObject, parse_describe

ORG = "00DA0000000001AAAA"
CREDENTIALS = {"auth_type": "client_credentials", "client_id": "id", "client_secret": "secret"}
FIELDS = (("Id", "id"), ("IsDeleted", "boolean"), ("Name", "string"), ("SystemModstamp", "datetime"))


def config(**changes: Any) -> Config:
    base = {"credentials": CREDENTIALS, "login_url": "https://acme.my.salesforce.com"}
    return parse_config(base | changes)


def describe(name: str, *fields: tuple[str, str]) -> dict[str, Any]:
    described = [
        {"name": field, "type": kind, "filterable": True, "nillable": kind == "string"}
        for field, kind in fields or FIELDS
    ]
    return {"name": name, "label": name, "queryable": True, "fields": described}


def described(*fields: tuple[str, str], name: str = "Account") -> SObject:
    return parse_describe(describe(name, *fields))
