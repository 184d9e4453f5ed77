"""Credentials that work now, in the form of the connector's `credentials` option."""

from __future__ import annotations

from typing import Any, Literal

from integration_tests.simulated_org.org import APP_CREDENTIALS, APP_JWT, APP_REFRESH, Org

AuthType = Literal["refresh_token", "client_credentials", "jwt_bearer"]


def all_credentials(org: Org) -> dict[str, dict[str, Any]]:
    """Return an org's present credentials for every flow, the private key among them."""
    flows: tuple[AuthType, ...] = ("refresh_token", "client_credentials", "jwt_bearer")
    return {flow: org_credentials(org, flow) for flow in flows}


def org_credentials(org: Org, auth_type: AuthType) -> dict[str, Any]:
    """Return an org's present credentials for a flow."""
    match auth_type:
        case "refresh_token":
            app = org.tokens.apps[APP_REFRESH]
            return {
                "auth_type": auth_type,
                "client_id": app.client_id,
                "client_secret": app.client_secret,
                "refresh_token": app.refresh_tokens[0],
            }
        case "client_credentials":
            app = org.tokens.apps[APP_CREDENTIALS]
            return {"auth_type": auth_type, "client_id": app.client_id, "client_secret": app.client_secret}
        case "jwt_bearer":
            app = org.tokens.apps[APP_JWT]
            return {
                "auth_type": auth_type,
                "client_id": app.client_id,
                "username": app.username,
                "private_key": org.private_key,
            }
