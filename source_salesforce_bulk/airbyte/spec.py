"""The Airbyte specification: the form, and the Authenticate button.

``python -m source_salesforce_bulk.airbyte.spec`` writes ``spec.json`` beside this file, so that ``spec`` needs no
import of pydantic; a test checks that both are equal.

The button uses the authorization code flow. The platform opens ``consent_url``, posts ``access_token_params`` to
``access_token_url`` and stores the refresh token in the configuration; the connector itself is not involved. The
platform renders each text with Jinjava, with these restrictions:

- The only filters are ``urlencode``, ``replace``, ``b64encode`` and ``codechallengeS256``, in exactly this case. Any
  other word after ``|`` is a fatal error, and no browser window opens.
- An expression ends at the first ``}}``, so expressions cannot be nested.
- ``NAME_param`` is ``name=value`` and ``NAME_value`` the value alone. Only the redirect URI and the scope are encoded
  in their ``_param``. An unknown name renders as an empty string.
- Parameters are sent as JSON unless ``Content-Type`` says otherwise; the platform encodes the values of a form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from source_salesforce_bulk.form import ConfigForm

DOCUMENTATION_URL = "https://docs.airbyte.com/integrations/sources/salesforce-bulk"
SPEC_FILE = Path(__file__).with_name("spec.json")

# The form's headings and their fields.
_GROUPS: Mapping[str, tuple[str, frozenset[str]]] = {
    "connection": ("Connection", frozenset({"credentials", "login_url"})),
    "selection": (
        "What is read",
        frozenset(
            {
                "start_date",
                "objects",
                "exclude_objects",
                "include_deleted",
                "detect_deletes",
                "full_audit_every",
                "max_deletes",
                "compound_fields",
                "formula_fields",
                "clock_formulas",
                "backfill_new_fields",
                "hash_key",
                "object_overrides",
            }
        ),
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

# Pasted URLs often end in a slash.
_LOGIN_HOST = "{{ login_url | replace('.com/', '.com') }}"
# base64url without padding (RFC 7636, appendix A). The filter of older platforms lacks the last three steps.
_S256 = "codechallengeS256 | replace('+', '-') | replace('/', '_') | replace('=', '')"
# The state is the only value that the platform keeps between the steps. Its hash is as hard to guess, is not part of
# any URL in a browser, and always has a valid length for a verifier.
_CODE_VERIFIER = f"{{{{ state_value | {_S256} }}}}"
_CODE_CHALLENGE = f"{{{{ state_value | {_S256} | {_S256} }}}}"


def connection_specification() -> dict[str, Any]:
    """Return the form as a draft-07 JSON schema, without references; a new dict at every call."""
    schema = ConfigForm.model_json_schema()
    definitions = schema.pop("$defs")
    plain: dict[str, Any] = _plain(schema, definitions)
    plain["properties"]["credentials"]["type"] = "object"
    for name, value in plain["properties"].items():
        value["group"] = next(group for group, (_, members) in _GROUPS.items() if name in members)
    groups = [{"id": group, "title": title} for group, (title, _) in _GROUPS.items()]
    return {"$schema": "http://json-schema.org/draft-07/schema#", **plain, "groups": groups}


def connector_specification() -> dict[str, Any]:
    """Return the output of ``spec``, with the keys and values of the message that the CDK would print."""
    return {
        "documentationUrl": DOCUMENTATION_URL,
        "connectionSpecification": connection_specification(),
        "supportsIncremental": True,
        "supportsNormalization": False,
        "supportsDBT": False,
        "advanced_auth": advanced_auth(),
    }


def advanced_auth() -> dict[str, Any]:
    """Return the specification of the Authenticate button; a new dict at every call."""
    return {
        "auth_flow_type": "oauth2.0",
        "predicate_key": ["credentials", "auth_type"],
        "predicate_value": "refresh_token",
        "oauth_config_specification": {
            "oauth_user_input_from_connector_config_specification": _texts(login_url=["login_url"]),
            "oauth_connector_input_specification": _oauth_requests(),
            "complete_oauth_output_specification": _texts(refresh_token=["credentials", "refresh_token"]),
            "complete_oauth_server_input_specification": _texts(client_id=None, client_secret=None),
            "complete_oauth_server_output_specification": _texts(
                client_id=["credentials", "client_id"], client_secret=["credentials", "client_secret"]
            ),
        },
    }


def spec_text() -> str:
    """Return the content of ``spec.json``."""
    return json.dumps(connector_specification(), indent=2, ensure_ascii=False) + "\n"


def _plain(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema without references, null branches and pydantic's extras, with numbered properties."""
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
    """Return the schema that a ``$ref`` names, or the one branch beside null: optional does not mean nullable."""
    resolved = dict(schema)
    if "anyOf" in resolved:
        (branch,) = [branch for branch in resolved.pop("anyOf") if branch.get("type") != "null"]
        resolved = {**branch, **resolved}
    if "$ref" in resolved:
        name = resolved.pop("$ref").rpartition("/")[2]
        resolved = {**definitions[name], **resolved}
    return resolved


def _oauth_requests() -> dict[str, Any]:
    """Return the two requests of the flow. Secrets are in the body, because URLs are logged by proxies and servers."""
    return {
        "consent_url": f"{_LOGIN_HOST}/services/oauth2/authorize?response_type=code&{{{{ client_id_param }}}}"
        "&{{ redirect_uri_param }}&{{ state_param }}&{{ scope_param }}"
        f"&code_challenge={_CODE_CHALLENGE}&code_challenge_method=S256",
        "scope": "api refresh_token",
        "state": {"min": 43, "max": 128},
        "access_token_url": f"{_LOGIN_HOST}/services/oauth2/token",
        "access_token_headers": {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        },
        "access_token_params": {
            "grant_type": "authorization_code",
            "client_id": "{{ client_id_value }}",
            "client_secret": "{{ client_secret_value }}",
            "code": "{{ auth_code_value }}",
            "redirect_uri": "{{ redirect_uri_value }}",
            "code_verifier": _CODE_VERIFIER,
        },
        "extract_output": ["refresh_token"],
    }


def _texts(**paths: list[str] | None) -> dict[str, Any]:
    """Return a schema of texts, each with its path in the configuration."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {"type": "string", **({"path_in_connector_config": path} if path else {})}
            for name, path in paths.items()
        },
    }


if __name__ == "__main__":
    SPEC_FILE.write_text(spec_text(), encoding="utf-8")
