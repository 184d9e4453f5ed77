"""What Airbyte has to know to offer an Authenticate button: the authorization code flow that ends in a refresh token.

The platform opens ``consent_url``, exchanges the code at ``access_token_url`` and puts the refresh token into the
configuration; this connector takes no part in it. Words in double braces are the platform's to fill in (CDK 7,
``OAuthConfigSpecification``); ``login_url`` is what the user entered. PKCE is used, because new Salesforce apps require
it: the ``state`` is long enough to be its code verifier (RFC 7636, section 4.1).
"""

from __future__ import annotations

from typing import Any

_AUTHORIZE = (
    "{{login_url}}/services/oauth2/authorize?response_type=code&{{client_id_key}}={{client_id_value}}"
    "&{{redirect_uri_key}}={{ {{redirect_uri_value}} | urlEncoder }}&{{state_key}}={{state_value}}"
    "&{{scope_key}}={{ {{scope_value}} | urlEncoder }}"
    "&code_challenge={{ {{state_value}} | codeChallengeS256 }}&code_challenge_method=S256"
)
_TOKEN = (
    "{{login_url}}/services/oauth2/token?grant_type=authorization_code&{{client_id_key}}={{client_id_value}}"
    "&{{client_secret_key}}={{client_secret_value}}&{{auth_code_key}}={{ {{auth_code_value}} | urlEncoder }}"
    "&{{redirect_uri_key}}={{ {{redirect_uri_value}} | urlEncoder }}&code_verifier={{state_value}}"
)


def advanced_auth() -> dict[str, Any]:
    """The ``advanced_auth`` of the specification; a new dict at every call."""
    return {
        "auth_flow_type": "oauth2.0",
        "predicate_key": ["credentials", "auth_type"],
        "predicate_value": "refresh_token",
        "oauth_config_specification": {
            "oauth_user_input_from_connector_config_specification": _object(login_url=["login_url"]),
            "oauth_connector_input_specification": {
                "consent_url": _AUTHORIZE,
                "access_token_url": _TOKEN,
                "scope": "api refresh_token",
                "extract_output": ["refresh_token"],
                "state": {"min": 43, "max": 128},
            },
            "complete_oauth_output_specification": _object(refresh_token=["credentials", "refresh_token"]),
            "complete_oauth_server_input_specification": _object(client_id=None, client_secret=None),
            "complete_oauth_server_output_specification": _object(
                client_id=["credentials", "client_id"], client_secret=["credentials", "client_secret"]
            ),
        },
    }


def _object(**paths: list[str] | None) -> dict[str, Any]:
    """A schema of texts, each with the place in the configuration where it stands."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {"type": "string", **({"path_in_connector_config": path} if path else {})}
            for name, path in paths.items()
        },
    }
