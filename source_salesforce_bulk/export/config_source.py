"""Where an export's configuration comes from: a file, an environment variable, or AWS Secrets Manager.

Secrets change while a long run is under way. So the source can be read again, and takes a refresh token that Salesforce
has rotated, before that token is used.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import ClientError

from source_salesforce_bulk.config import Config, ConfigError, parse_config
from source_salesforce_bulk.registries.durable_files import replace_file
from source_salesforce_bulk.salesforce.oauth import Credentials

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

LOGGER = logging.getLogger("salesforce_bulk.config")

ENVIRONMENT = "env:"
SECRETS_MANAGER = "secretsmanager://"

# As Secrets Manager says that a secret is there and empty; the code is that of a secret that is not.
_NO_VALUE = "staging label: AWSCURRENT"


class ConfigSource(Protocol):
    """A configuration as text, kept somewhere."""

    @property
    def name(self) -> str:
        """As messages call it."""
        ...

    def read(self) -> str:
        """The text as it stands now; raises ``ConfigError``, OSError or an exception of boto3."""
        ...

    def write(self, text: str) -> None:
        """Replace the text; raises as :meth:`read`."""
        ...


class FileSource:
    """A file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = f"the file {path}"

    def read(self) -> str:
        """See :class:`ConfigSource`."""
        return self._path.read_text(encoding="utf-8")

    def write(self, text: str) -> None:
        """See :class:`ConfigSource`. The file keeps its rights."""
        mode = self._path.stat().st_mode & 0o777
        replace_file(self._path.resolve(), text.encode(), mode)


class EnvironmentSource:
    """A variable of the environment. What is written to it is only seen by this process."""

    def __init__(self, variable: str) -> None:
        self._variable = variable
        self.name = f"the environment variable {variable}"

    def read(self) -> str:
        """See :class:`ConfigSource`."""
        text = os.environ.get(self._variable)
        if text is None:
            raise ConfigError(f"The environment variable {self._variable}", "is not set", _ENVIRONMENT_REMEDY)
        return text

    def write(self, text: str) -> None:
        """See :class:`ConfigSource`."""
        os.environ[self._variable] = text
        LOGGER.warning(
            "Salesforce has rotated the refresh token, and an environment variable cannot keep the new one: the next "
            "run will not be able to log in. Keep the configuration in a file or in Secrets Manager."
        )


class SecretsManagerSource:
    """A secret of AWS Secrets Manager, by name or ARN."""

    def __init__(self, client: SecretsManagerClient, secret: str) -> None:
        self._client = client
        self._secret = secret
        self.name = f"the secret {secret}"

    def read(self) -> str:
        """See :class:`ConfigSource`."""
        try:
            answer = self._client.get_secret_value(SecretId=self._secret)
        except ClientError as error:
            if _NO_VALUE in error.response["Error"].get("Message", ""):
                raise self._wrong("has no value yet") from error
            raise
        if "SecretString" not in answer:
            raise self._wrong("holds bytes and no text")
        return answer["SecretString"]

    def write(self, text: str) -> None:
        """See :class:`ConfigSource`."""
        self._client.put_secret_value(SecretId=self._secret, SecretString=text)

    def _wrong(self, problem: str) -> ConfigError:
        store = f"aws secretsmanager put-secret-value --secret-id {self._secret} --secret-string file://config.json"
        return ConfigError(f"The secret {self._secret}", problem, f"Put the configuration there: {store}")


def config_source(place: str, secrets_manager: Callable[[str], SecretsManagerClient]) -> ConfigSource:
    """The source that ``--config`` names. ``secrets_manager`` gives the client for a secret."""
    if place.startswith(ENVIRONMENT):
        return EnvironmentSource(place.removeprefix(ENVIRONMENT))
    if place.startswith(SECRETS_MANAGER):
        secret = place.removeprefix(SECRETS_MANAGER)
        return SecretsManagerSource(secrets_manager(secret), secret)
    return FileSource(Path(place))


class KeptConfig:
    """The configuration of a run, and its source for as long as the run lasts."""

    def __init__(self, source: ConfigSource) -> None:
        self._source = source

    def load(self) -> Config:
        """Return the configuration; raises ``ConfigError``, for unknown keys too, and what the source raises."""
        config = parse_config(self._raw(), refuse_unknown_keys=True)
        for warning in config.warnings:
            LOGGER.warning(warning)
        return config

    def newer_credentials(self) -> Credentials | None:
        """The credentials as they stand now, for a login that was refused; None where they cannot be had."""
        try:
            return parse_config(self._raw()).credentials
        except Exception as error:  # noqa: BLE001 - the refused login is what is reported
            LOGGER.warning("%s could not be read again (%s)", self._source.name, type(error).__name__)
            return None

    def keep_refresh_token(self, refresh_token: str) -> None:
        """Put a rotated refresh token where the next run finds it; raises what the source raises."""
        raw = self._raw()
        credentials = {**raw.get("credentials", {}), "refresh_token": refresh_token}
        self._source.write(json.dumps({**raw, "credentials": credentials}, indent=2))
        LOGGER.info("Salesforce has rotated the refresh token; %s holds the new one", self._source.name)

    def _raw(self) -> Mapping[str, Any]:
        try:
            raw = json.loads(self._source.read())
        except ConfigError:
            raise
        except ValueError:
            raw = None
        if not isinstance(raw, Mapping):
            raise ConfigError("The configuration", f"in {self._source.name} is not a JSON object", _REMEDY) from None
        return raw


_ENVIRONMENT_REMEDY = "Set it to the configuration as JSON text"
_REMEDY = 'Write {"credentials": {...}, ...}, as for the Airbyte connector'
