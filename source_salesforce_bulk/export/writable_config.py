"""The configuration of a run without Airbyte, and its source during the run.

Secrets can change during a long run. So the source can be read again, and a rotated refresh token is written to it
before that token is used. Before the first login, the source is checked to be writable. If it cannot be written
later, the token is saved in a separate file, which the next run finds.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from source_salesforce_bulk.config import Config, ConfigError, parse_config
from source_salesforce_bulk.export.config_source import ConfigSource
from source_salesforce_bulk.registries.kept_token import KeptTokens, configured_token, with_refresh_token
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.oauth import Credentials, RefreshToken

LOGGER = logging.getLogger("salesforce_bulk.config")


class WritableConfig:
    """The configuration of a run. ``kept`` stores refresh tokens that could not be written to the source."""

    def __init__(self, source: ConfigSource, kept: KeptTokens | None = None) -> None:
        self._source = source
        self._kept = kept or KeptTokens.beside(source.folder)
        self._configured: str | None = None

    def load(self, *, refuse_unknown_keys: bool = True) -> Config:
        """Return the configuration; raises ``ConfigError``, and the source's errors.

        Checks that the source is writable if the next login may replace a refresh token.
        """
        text = self._source.read()
        config = parse_config(self._kept.current(self._decoded(text)), refuse_unknown_keys=refuse_unknown_keys)
        for warning in config.warnings:
            LOGGER.warning(warning)
        if isinstance(config.credentials, RefreshToken):
            self._source.check_writable()
            self._configured = configured_token(self._decoded(text))
            if config.credentials.refresh_token != self._configured:
                LOGGER.info("Using a refresh token that an earlier run could not write to %s", self._source.name)
                self._write(config.credentials.refresh_token)
        return config

    def newer_credentials(self) -> Credentials | None:
        """Return the current credentials, after a refused login; None if they cannot be read."""
        try:
            return parse_config(self._kept.current(self._decoded(self._source.read()))).credentials
        except Exception as error:  # noqa: BLE001 - the refused login is what is reported
            LOGGER.warning("%s could not be read again (%s)", self._source.name, type(error).__name__)
            return None

    def keep_refresh_token(self, refresh_token: str) -> None:
        """Save a rotated refresh token for the next run; raises ``SalesforceError`` if that is impossible."""
        refusal = self._write(refresh_token)
        if refusal is None:
            LOGGER.info("Salesforce has replaced the refresh token; the new one was written to %s", self._source.name)
            return
        try:
            path = self._kept.keep(self._configured or refresh_token, refresh_token)
        except OSError as error:
            detail = f"{self._source.name} cannot be written ({refusal}), nor can a file for it ({error.strerror})"
            raise SalesforceError(Failure.of(Kind.TOKEN_NOT_KEPT, detail=detail)) from error
        LOGGER.error(
            "Salesforce has replaced the refresh token, and the new one could not be written to %s (%s). It is in the "
            "file %s, which only this user can read; the next run on this machine finds it there. Write it into the "
            "configuration as credentials.refresh_token: the old one no longer works.",
            self._source.name,
            refusal,
            path,
        )

    def _write(self, refresh_token: str) -> str | None:
        """Write the token into the source; return the reason if that fails."""
        try:
            changed = with_refresh_token(self._decoded(self._source.read()), refresh_token)
            self._source.write(json.dumps(changed, indent=2))
        except Exception as error:  # noqa: BLE001 - the token must not be lost
            return _reason(error)
        if self._configured is not None:
            self._kept.forget(self._configured)
        self._configured = refresh_token
        return None

    def _decoded(self, text: str) -> Mapping[str, Any]:
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError):
            raw = None
        if not isinstance(raw, Mapping):
            raise ConfigError("The configuration", f"in {self._source.name} is not a JSON object", _REMEDY) from None
        return raw


def _reason(error: Exception) -> str:
    """Return a short description of an exception without secrets."""
    match error:
        case OSError(strerror=str(words)):
            return words
        case ClientError(response={"Error": {"Code": str(code)}}):
            return code
        case _:
            return type(error).__name__


_REMEDY = 'Write {"credentials": {...}, ...}, as for the Airbyte connector'
