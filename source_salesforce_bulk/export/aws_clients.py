"""Clients of AWS services, all of one region, whose refusals name the thing of the user's that was asked about.

AWS answers a wrong table with "Requested resource not found" and no name. So every client is made for one thing, and
puts its name into each error that comes back.
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
    """The region to work in: ``AWS_REGION``, which Fargate sets and boto3 does not read, else what boto3 finds.

    None where nobody says. Raises what boto3 raises for a profile that is none.
    """
    return os.environ.get("AWS_REGION") or boto3.Session().region_name or None


def aws_client(service: str, about: str, in_region: str | None = None) -> Any:
    """A client of an AWS service for one thing, ``about``; credentials and endpoint come from where boto3 looks.

    Raises what boto3 raises where there is no region; boto3 itself takes an empty ``AWS_DEFAULT_REGION`` for one.
    """
    its_region = in_region or region()
    if its_region is None:
        raise NoRegionError
    make: Any = boto3.client  # its type lists every service there is
    client = make(service, region_name=its_region, config=_CLIENT)
    client.meta.events.register("after-call", partial(_note, f"{about} in {its_region}"))
    return client


def secrets_manager(secret: str) -> SecretsManagerClient:
    """The client of Secrets Manager for a secret, by name or ARN; an ARN says where the secret is."""
    parts = secret.split(":")
    client: SecretsManagerClient = aws_client(
        "secretsmanager", f"the secret {secret}", parts[3] if len(parts) >= _ARN_PARTS and parts[0] == "arn" else None
    )
    return client


def asked_about(error: ClientError) -> str:
    """The thing that an error of one of these clients is about, and its region; empty for any other client's."""
    response: Mapping[str, Any] = {**error.response}
    return str(response.get(_ABOUT, ""))


def _note(where: str, parsed: dict[str, Any], **_: Any) -> None:
    if "Error" in parsed:
        parsed[_ABOUT] = where
