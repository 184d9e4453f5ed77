"""Clients of AWS services in one region, whose errors name the resource of the request.

For a wrong table, AWS reports "Requested resource not found" without a name. So every client is created for one
resource, and adds its name to each error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config as ClientConfig
from botocore.exceptions import ClientError, NoRegionError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_CLIENT = ClientConfig(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=10, read_timeout=60)
_ABOUT = "AskedAbout"
_ARN_PARTS = 7  # arn:partition:secretsmanager:region:account:secret:name


def region() -> str | None:
    """Return the region: ``AWS_REGION``, which Fargate sets and boto3 does not read, else the one that boto3 finds.

    None if there is none. Raises boto3's exceptions, for example for an unknown profile.
    """
    return os.environ.get("AWS_REGION") or boto3.Session().region_name or None


def aws_client(service: str, about: str, in_region: str | None = None) -> Any:
    """Create a client for the resource ``about``; credentials and endpoint come from boto3's usual sources.

    Raises boto3's exception if there is no region; boto3 itself would accept an empty ``AWS_DEFAULT_REGION``.
    """
    its_region = in_region or region()
    if its_region is None:
        raise NoRegionError
    make: Any = boto3.client  # its type lists every service
    client = make(service, region_name=its_region, config=_CLIENT)
    client.meta.events.register("after-call", partial(_note, f"{about} in {its_region}"))
    return client


def secrets_manager(secret: str) -> SecretsManagerClient:
    """Create a Secrets Manager client for a secret, by name or ARN; an ARN contains the region."""
    parts = secret.split(":")
    client: SecretsManagerClient = aws_client(
        "secretsmanager", f"the secret {secret}", parts[3] if len(parts) >= _ARN_PARTS and parts[0] == "arn" else None
    )
    return client


def asked_about(error: ClientError) -> str:
    """Return the resource and region of an error of one of these clients; empty for other clients."""
    response: Mapping[str, Any] = {**error.response}
    return str(response.get(_ABOUT, ""))


def _note(where: str, parsed: dict[str, Any], **_: Any) -> None:
    if "Error" in parsed:
        parsed[_ABOUT] = where
