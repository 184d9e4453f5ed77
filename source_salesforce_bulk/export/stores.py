"""The stores of an export, from the locations on its command line: files with a separate state, or tables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from source_salesforce_bulk.config_values import ConfigError
from source_salesforce_bulk.export import places
from source_salesforce_bulk.export.destination import Destination
from source_salesforce_bulk.export.ending import Ending, ManifestEnding
from source_salesforce_bulk.export.page_files import FORMATS, FileMaker
from source_salesforce_bulk.registries.schemas import SchemaRegistry
from source_salesforce_bulk.registries.state import StateRegistry
from source_salesforce_bulk.salesforce.clock import Clock

LOGGER = logging.getLogger("salesforce_bulk.export")


@dataclass(frozen=True, slots=True)
class Stores:
    """See ``run.ExportPlaces``. ``ledger`` is where the run's ledger goes: a folder, a destination, or nowhere."""

    destination: Destination
    states: StateRegistry
    schemas: SchemaRegistry
    page_files: FileMaker
    ending: Ending = field(default_factory=ManifestEnding)
    ledger: Path | Destination | None = None


ReadElsewhere = Callable[[Stores, str], Stores]
"""Takes the stores and the id of a run, and returns the stores with which other machines read its pages."""


class StoreOptions(Protocol):
    """The options that name places; ``export_command.ExportOptions`` has them."""

    @property
    def destination(self) -> str: ...  # noqa: D102

    @property
    def format_name(self) -> str: ...  # noqa: D102

    @property
    def state(self) -> str | None: ...  # noqa: D102

    @property
    def schemas(self) -> str | None: ...  # noqa: D102

    @property
    def files(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def tables(self) -> str: ...  # noqa: D102

    @property
    def keep_deleted(self) -> bool: ...  # noqa: D102

    @property
    def history(self) -> bool: ...  # noqa: D102


def open_stores(options: StoreOptions, run_id: str, clock: Clock) -> Stores:
    """Open what the options name; raises ``UnknownPlace`` and ``ConfigError``."""
    if places.is_tables(options.destination):
        return _tables(options, run_id, clock)
    if options.state is None or options.schemas is None:
        name = "--state" if options.state is None else "--schemas"
        raise ConfigError(name, "is missing", "Files need --state and --schemas; tables contain both")
    destination = places.destination(options.destination)
    return Stores(
        destination=destination,
        states=places.state_registry(options.state, clock),
        schemas=places.schema_registry(options.schemas, clock),
        page_files=FORMATS[options.format_name],
        ledger=places.folder(options.state) or destination,
    )


def _tables(options: StoreOptions, run_id: str, clock: Clock) -> Stores:
    if options.files:
        remedy = "Export these objects to a folder or s3://BUCKET/PREFIX in a run of their own"
        raise ConfigError("--files", "cannot be stored in tables", remedy)
    if options.format_name != "parquet":
        raise ConfigError("--format", f"is {options.format_name}", "Tables hold Parquet files: leave --format out")
    tables = places.tables(options.destination)
    if options.state is not None or options.schemas is not None:
        LOGGER.info("--state and --schemas are ignored: the state and the schemas are in the tables")
    from source_salesforce_bulk.tables.fold_ending import TablesEnding  # noqa: PLC0415
    from source_salesforce_bulk.tables.log_files import TableFiles  # noqa: PLC0415
    from source_salesforce_bulk.tables.table_destination import TableDestination  # noqa: PLC0415 - needs pyiceberg
    from source_salesforce_bulk.tables.table_schemas import TableSchemas  # noqa: PLC0415
    from source_salesforce_bulk.tables.table_states import TableStates  # noqa: PLC0415

    states = TableStates(tables, clock.monotonic)
    return Stores(
        destination=TableDestination(tables, states),
        states=states,
        schemas=TableSchemas(tables, states),
        page_files=TableFiles(states, run_id),
        ending=TablesEnding(tables, options.tables != "log", options.keep_deleted, options.history),
        ledger=places.folder(options.state) if options.state is not None else tables.folder,
    )
