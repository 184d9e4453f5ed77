"""Pass rotated refresh tokens to the platform, which stores the configuration."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from airbyte_cdk.config_observation import create_connector_config_control_message
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import PRINT_BUFFER

from source_salesforce_bulk.output import OutputLost
from source_salesforce_bulk.registries.kept_token import KeptTokens, configured_token, with_refresh_token

LOGGER = logging.getLogger("salesforce_bulk.rotation")


class Rotation:
    """Emits a new refresh token in a CONTROL message with the whole configuration.

    If stdout cannot be written, the token is saved in a file, and ``OutputLost`` is raised nevertheless.
    """

    def __init__(self, config: Mapping[str, Any], kept: KeptTokens) -> None:
        self._config = config
        self._kept = kept

    def __call__(self, refresh_token: str) -> None:
        """Print the message and flush it at once, because the old refresh token no longer works."""
        try:
            _print(with_refresh_token(self._config, refresh_token))
        except OSError as error:
            self._keep(refresh_token)
            raise OutputLost(error) from error
        LOGGER.info(
            "Salesforce has replaced the refresh token. The new one is in the CONTROL message, and the platform stores "
            "it. After a manual run, write it into the configuration."
        )

    def _keep(self, refresh_token: str) -> None:
        """Save the token beside the configuration, and report it on stderr, because stdout is gone."""
        try:
            path = self._kept.keep(configured_token(self._config) or refresh_token, refresh_token)
        except OSError as error:
            said = f"and the new one could not be written to stdout or a file ({error.strerror}). Authenticate again."
        else:
            said = f"and the new one could not be written to stdout. The next run on this machine finds it in {path}."
        with suppress(OSError, ValueError, AttributeError):
            print(f"Salesforce has replaced the refresh token, {said}", file=sys.__stderr__, flush=True)


def _print(config: Mapping[str, Any]) -> None:
    """Print the message with a single write, because threads log at the same time."""
    line = AirbyteEntrypoint.airbyte_message_to_string(create_connector_config_control_message(dict(config)))
    with PRINT_BUFFER.lock:
        print(f"{line}\n", end="", flush=True)  # noqa: T201 - the protocol uses stdout
