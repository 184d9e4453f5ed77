"""The Airbyte specification, made from the form.

``python -m source_salesforce_bulk.airbyte.spec`` writes ``spec.json`` beside this file, so that ``spec`` can be
answered without importing pydantic; a test holds the two equal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from source_salesforce_bulk.airbyte.oauth_button import advanced_auth
from source_salesforce_bulk.form import ConfigForm

DOCUMENTATION_URL = "https://docs.airbyte.com/integrations/sources/salesforce-bulk"
SPEC_FILE = Path(__file__).with_name("spec.json")

# The form's headings, and what stands below each.
_GROUPS: Mapping[str, tuple[str, frozenset[str]]] = {
    "connection": ("Connection", frozenset({"credentials", "login_url"})),
    "selection": (
        "What is read",
        frozenset({"start_date", "objects", "exclude_objects", "include_deleted", "object_overrides"}),
    ),
    "running": (
        "How it is read",
        frozenset(
            {
                "lookback_window",
                "api_version",
                "max_concurrent_jobs",
                "page_size",
                "job_timeout",
                "daily_limit_reserve_percent",
            }
        ),
    ),
}


def connection_specification() -> dict[str, Any]:
    """The form as a draft-07 JSON schema, without references; a new dict at every call."""
    schema = ConfigForm.model_json_schema()
    definitions = schema.pop("$defs")
    plain: dict[str, Any] = _plain(schema, definitions)
    plain["properties"]["credentials"]["type"] = "object"
    for name, value in plain["properties"].items():
        value["group"] = next(group for group, (_, members) in _GROUPS.items() if name in members)
    groups = [{"id": group, "title": title} for group, (title, _) in _GROUPS.items()]
    return {"$schema": "http://json-schema.org/draft-07/schema#", **plain, "groups": groups}


def connector_specification() -> dict[str, Any]:
    """All that ``spec`` answers, with the keys and values of the message that the CDK would print."""
    return {
        "documentationUrl": DOCUMENTATION_URL,
        "connectionSpecification": connection_specification(),
        "supportsIncremental": True,
        "supportsNormalization": False,
        "supportsDBT": False,
        "advanced_auth": advanced_auth(),
    }


def spec_text() -> str:
    """What stands in ``spec.json``."""
    return json.dumps(connector_specification(), indent=2, ensure_ascii=False) + "\n"


def _plain(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A schema without references, null branches and pydantic's extras; its properties numbered in their order."""
    schema = _resolved(schema, definitions)
    plain = {
        key: value for key, value in schema.items() if key != "discriminator" and (key, value) != ("default", None)
    }
    if "items" in plain:
        plain["items"] = _plain(plain["items"], definitions)
    if "oneOf" in plain:
        plain["oneOf"] = [
            {**_plain(branch, definitions), "order": order} for order, branch in enumerate(plain["oneOf"])
        ]
    if "properties" in plain:
        plain["properties"] = {
            name: {**_plain(value, definitions), "order": order}
            for order, (name, value) in enumerate(plain["properties"].items())
        }
    return plain


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """What a ``$ref`` names, or the one branch beside null: "may be left out" is not "may be null"."""
    resolved = dict(schema)
    if "anyOf" in resolved:
        (branch,) = [branch for branch in resolved.pop("anyOf") if branch.get("type") != "null"]
        resolved = {**branch, **resolved}
    if "$ref" in resolved:
        name = resolved.pop("$ref").rpartition("/")[2]
        resolved = {**definitions[name], **resolved}
    return resolved


if __name__ == "__main__":
    SPEC_FILE.write_text(spec_text(), encoding="utf-8")
