"""The credentials in the configuration form, and the functions with which all models of the form are written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

HELP = "https://help.salesforce.com/s/articleView?type=5&id="


def form_field(title: str, description: str, **extra: Any) -> FieldInfo:
    """Return a field's texts and further schema keywords."""
    info: FieldInfo = Field(title=title, description=description, json_schema_extra=extra)
    return info


def secret_field(title: str, description: str) -> FieldInfo:
    """Return a secret field: Airbyte masks its value, and ``repr`` does not show it."""
    info: FieldInfo = Field(
        title=title, description=description, json_schema_extra={"airbyte_secret": True}, repr=False
    )
    return info


def form_settings(title: str, description: str) -> ConfigDict:
    """Return a strict model configuration (a boolean is not an integer) that ignores unknown keys and hides input."""
    return ConfigDict(
        title=title,
        strict=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        json_schema_extra={"description": description, "additionalProperties": True},
    )


_ClientId = Annotated[
    str,
    form_field(
        "Client ID",
        "The Consumer Key of your Salesforce app (connected app or external client app): "
        f'<a href="{HELP}sf.connected_app_create.htm">where to find it</a>.',
    ),
]


class RefreshTokenForm(BaseModel):
    """Credentials of the refresh token flow."""

    model_config = form_settings(
        "Refresh token (OAuth 2.0)",
        "The connector logs in with the refresh token of a user who has granted the app access. "
        f'See <a href="{HELP}sf.remoteaccess_oauth_refresh_token_flow.htm">OAuth 2.0 Refresh Token Flow</a>.',
    )

    auth_type: Annotated[Literal["refresh_token"], form_field("Authentication type", "The refresh token flow.")]
    client_id: _ClientId
    client_secret: Annotated[
        str,
        secret_field(
            "Client secret",
            "The Consumer Secret of the app. Leave it out only if the app does not require a secret for the refresh "
            "token flow.",
        ),
    ] = ""
    refresh_token: Annotated[
        str,
        secret_field(
            "Refresh token",
            "The refresh token that Salesforce gave your app for the user whose data is read.",
        ),
    ]


class ClientCredentialsForm(BaseModel):
    """Credentials of the client credentials flow."""

    model_config = form_settings(
        "Client credentials (OAuth 2.0)",
        "The app logs in as its Run As user. The login URL must be your My Domain URL. See "
        f'<a href="{HELP}sf.remoteaccess_oauth_client_credentials_flow.htm">OAuth 2.0 Client Credentials Flow</a>.',
    )

    auth_type: Annotated[
        Literal["client_credentials"], form_field("Authentication type", "The client credentials flow.")
    ]
    client_id: _ClientId
    client_secret: Annotated[str, secret_field("Client secret", "The Consumer Secret of the app.")]


class JwtBearerForm(BaseModel):
    """Credentials of the JWT bearer flow."""

    model_config = form_settings(
        "JWT bearer (OAuth 2.0)",
        "The app logs in as a pre-authorized user, with a private key whose certificate was uploaded to the app. "
        f'See <a href="{HELP}sf.remoteaccess_oauth_jwt_flow.htm">OAuth 2.0 JWT Bearer Flow</a>.',
    )

    auth_type: Annotated[Literal["jwt_bearer"], form_field("Authentication type", "The JWT bearer flow.")]
    client_id: _ClientId
    username: Annotated[
        str,
        form_field(
            "Username",
            "The Salesforce username of the pre-authorized user whose data is read.",
            examples=["integration@example.com"],
        ),
    ]
    private_key: Annotated[
        str,
        Field(
            title="Private key",
            description="The unencrypted RSA private key in PEM form, from its BEGIN line to its END line. "
            "Its certificate belongs to the app, under Use digital signatures.",
            json_schema_extra={"airbyte_secret": True, "multiline": True},
            repr=False,
        ),
    ]


CredentialsForm = RefreshTokenForm | ClientCredentialsForm | JwtBearerForm
