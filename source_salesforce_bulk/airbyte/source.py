"""The Airbyte source: check, discover, and a read in which all streams wait concurrently."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from airbyte_cdk.logger import PRINT_BUFFER
from airbyte_cdk.models import (
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteStateMessage,
    ConfiguredAirbyteCatalog,
    ConnectorSpecification,
    ConnectorSpecificationSerializer,
    Status,
)
from airbyte_cdk.sources import AbstractSource
from airbyte_cdk.sources.connector_state_manager import ConnectorStateManager
from airbyte_cdk.sources.streams import Stream
from airbyte_cdk.utils.airbyte_secrets_utils import add_to_secrets

from source_salesforce_bulk.airbyte.errors import traced, traced_config_error
from source_salesforce_bulk.airbyte.http import CdkHttp
from source_salesforce_bulk.airbyte.read import CatalogRead
from source_salesforce_bulk.airbyte.rotation import Rotation
from source_salesforce_bulk.airbyte.spec import connector_specification
from source_salesforce_bulk.airbyte.streams import StreamShape, build_stream
from source_salesforce_bulk.config import Config, ConfigError, parse_config
from source_salesforce_bulk.extraction.calls import Calls, ThreadedCalls
from source_salesforce_bulk.extraction.catalog import ReadableObject, discover_objects
from source_salesforce_bulk.extraction.connection import CONNECTIONS, Connection, Environment
from source_salesforce_bulk.extraction.connection_check import check_connection
from source_salesforce_bulk.registries.kept_token import KeptTokens
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.clock import SystemClock
from source_salesforce_bulk.salesforce.failures import SalesforceError
from source_salesforce_bulk.salesforce.programs import Program
from source_salesforce_bulk.salesforce.token import SecretHooks

MAX_STREAMS, MAX_FIELDS = 1_000, 20_000
"""The platform's limits for one connection."""

LOGGER = logging.getLogger("salesforce_bulk.source")


class SourceSalesforceBulk(AbstractSource):
    """The Salesforce source. Works with any CDK entrypoint.

    ``stop`` is set by the signal handling: the run then ends at its next turn in a resumable state. ``on_clean_up`` is
    called after the last output of a read. ``batches`` allows ``RecordBatch`` messages. ``caller`` and ``calls`` are
    for tests.
    """

    # ``config`` has clearer messages than a JSON Schema validator.
    check_config_against_spec = False

    def __init__(
        self,
        stop: threading.Event | None = None,
        caller: Caller | None = None,
        on_clean_up: Callable[[], None] = lambda: None,
        calls: Callable[[int, str], Calls] = ThreadedCalls,
        batches: bool = False,
    ) -> None:
        super().__init__()
        # Airbyte's programs set the level of the logger "airbyte", even later (--debug); our loggers inherit it.
        logging.getLogger("salesforce_bulk").parent = logging.getLogger("airbyte")
        self._batches = batches
        self._kept = KeptTokens([])
        self._stop = stop or threading.Event()
        self._on_clean_up = on_clean_up
        self._caller = caller or Caller(CdkHttp(CONNECTIONS), SystemClock(self._stop), random.random)
        self._calls = calls

    @property
    def name(self) -> str:
        """The name of the console script."""
        return "source-salesforce-bulk"

    @property
    def raise_exception_on_missing_stream(self) -> bool:
        """True: a configured stream that does not exist in the org is an error."""
        return True

    def read_config(self, config_path: str) -> MutableMapping[str, Any]:  # type: ignore[override]  # of an instance
        """Return the configuration, and remember its folder for refresh tokens that cannot be written to stdout."""
        self._kept = KeptTokens.beside(Path(config_path).resolve().parent)
        return super().read_config(config_path)

    def configure(self, config: Mapping[str, Any], temp_dir: str) -> Mapping[str, Any]:
        """Return the configuration unchanged. The CDK's method would write its secrets to a temporary folder."""
        return config

    @classmethod
    def read_state(cls, state_path: str) -> list[AirbyteStateMessage]:
        """Return the state file's messages; any problem with the file is a config error."""
        try:
            return super().read_state(state_path)
        except Exception as error:
            raise traced_config_error(
                "The saved state cannot be read: it is not a JSON list of state messages, each with its stream. "
                "Restore the state of an earlier run, or reset the connection to read everything again."
            ) from error

    def spec(self, logger: logging.Logger) -> ConnectorSpecification:
        """Return the connector's specification, derived from the configuration form."""
        return ConnectorSpecificationSerializer.load(connector_specification())

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """Check whether the org can be read, and by which user; FAILED has a message that says what to do."""
        try:
            with self._connected(config, refuse_unknown_keys=True) as connection:
                return AirbyteConnectionStatus(status=Status.SUCCEEDED, message=check_connection(connection))
        except SalesforceError as error:
            return AirbyteConnectionStatus(status=Status.FAILED, message=error.failure.message_for(Program.AIRBYTE))
        except ValueError as error:
            return AirbyteConnectionStatus(status=Status.FAILED, message=f"object_overrides: {error}")

    def check_connection(self, logger: logging.Logger, config: Mapping[str, Any]) -> tuple[bool, Any]:
        """Return the result of :meth:`check` in the CDK's older form."""
        status = self.check(logger, config)
        return status.status is Status.SUCCEEDED, status.message

    def streams(self, config: Mapping[str, Any]) -> list[Stream]:
        """Return every object that discovery offers, for display only: :meth:`read` describes the objects itself."""
        with self._connected(config) as connection:
            try:
                objects = discover_objects(connection.discovery, connection.config)
            except SalesforceError as error:
                raise traced(error.failure) from error
            except ValueError as error:
                raise traced_config_error(f"object_overrides: {error}") from error
        _warn_of_bounds(objects)
        return [
            build_stream(
                StreamShape(readable.sobject.name, readable.json_schema, readable.primary_key, readable.cursor_field)
            )
            for readable in objects
        ]

    def read(
        self,
        logger: logging.Logger,
        config: Mapping[str, Any],
        catalog: ConfiguredAirbyteCatalog,
        state: list[AirbyteStateMessage] | None = None,
    ) -> Iterator[AirbyteMessage]:
        """Read the configured streams, in the order in which they are ready (see ``airbyte.read``)."""
        states = ConnectorStateManager(state=state)
        with self._connected(config) as connection:
            LOGGER.info("Run id %s, %d streams", connection.run_id, len(catalog.streams))
            yield from CatalogRead(
                connection=connection,
                catalog=catalog,
                states=states,
                stopped=self._stop.is_set,
                flush=PRINT_BUFFER.flush,
                on_clean_up=self._on_clean_up,
                batches=self._batches,
            ).messages()

    def _connected(self, raw: Mapping[str, Any], *, refuse_unknown_keys: bool = False) -> Connection:
        config = self._config(self._kept.current(raw), refuse_unknown_keys)
        environment = Environment(
            self._caller,
            SecretHooks(on_rotation=Rotation(raw, self._kept), on_secret=add_to_secrets),
            calls=self._calls,
        )
        return Connection(config, environment)

    def _config(self, raw: Mapping[str, Any], refuse_unknown_keys: bool) -> Config:
        try:
            config = parse_config(raw, refuse_unknown_keys=refuse_unknown_keys)
        except ConfigError as error:
            raise traced_config_error(str(error)) from error
        for warning in config.warnings:
            LOGGER.warning(warning)
        return config


def _warn_of_bounds(objects: Sequence[ReadableObject]) -> None:
    fields = sum(len(readable.sobject.fields) for readable in objects)
    if len(objects) > MAX_STREAMS or fields > MAX_FIELDS:
        LOGGER.warning(
            "%s streams with %s fields are offered. An Airbyte connection holds at most %s streams and %s fields: "
            "select fewer, or narrow objects and exclude_objects.",
            *(f"{number:,}" for number in (len(objects), fields, MAX_STREAMS, MAX_FIELDS)),
        )
