"""The command ``salesforce-bulk export``."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

import click

from source_salesforce_bulk.config_values import ConfigError, parse_start_date
from source_salesforce_bulk.export import places
from source_salesforce_bulk.export.aws_clients import aws_client
from source_salesforce_bulk.export.begin import BeginOptions
from source_salesforce_bulk.export.blob_entries import BlobOptions
from source_salesforce_bulk.export.command_run import CommandRun, new_run_id
from source_salesforce_bulk.export.ledger import kept_at_destination, kept_in_folder
from source_salesforce_bulk.export.logs import LogOptions
from source_salesforce_bulk.export.metrics_sink import RunReport, named_counts, publish
from source_salesforce_bulk.export.outcomes import ExitCode, ExportFailed
from source_salesforce_bulk.export.progress import LiveBars, MinuteLines, summary
from source_salesforce_bulk.export.run import ExportPlaces, ExportResult, ExportRun, Watcher
from source_salesforce_bulk.export.schema_watch import EventBus, SchemaWatch
from source_salesforce_bulk.export.stores import ReadElsewhere, Stores, open_stores
from source_salesforce_bulk.extraction.metrics import ObjectMetrics, RunMetrics
from source_salesforce_bulk.registries.schemas import SchemaRegistry
from source_salesforce_bulk.registries.state import organization_key
from source_salesforce_bulk.salesforce.blobs import LARGEST
from source_salesforce_bulk.salesforce.failures import Consequence
from source_salesforce_bulk.salesforce.programs import Program
from source_salesforce_bulk.signals import Stop

LOGGER = logging.getLogger("salesforce_bulk.export")

# It is used in paths and S3 keys.
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The command line, as it was written."""

    config: str
    objects: Sequence[str]
    destination: str
    format_name: str
    state: str | None
    schemas: str | None
    on_drift: Literal["warn", "fail"]
    event_bus: str | None
    run_id: str | None
    metrics: str
    start_over: bool = False
    continue_here: bool = False
    full: Sequence[str] = ()
    since: str | None = None
    tables: str = "both"
    keep_deleted: bool = False
    history: bool = False
    files: Sequence[str] = ()
    max_file_bytes: int = LARGEST
    as_json: bool = False
    logs: LogOptions = field(default_factory=LogOptions)


def run_export(options: ExportOptions, stop: Stop, elsewhere: ReadElsewhere | None = None) -> int:
    """Run the command and return its exit code. With ``elsewhere``, other machines read the pages.

    Metrics are written even if the run could not read its configuration, because an alarm depends on them.
    """
    run_id = options.run_id if options.run_id is not None else new_run_id(datetime.now(UTC))
    command_run = CommandRun(stop, run_id, options.logs, Program.GLUE if elsewhere else Program.EXPORT)
    command_run.begin()
    return command_run.ended(lambda: _with_metrics(options, _Command(options, command_run, elsewhere)))


def _with_metrics(options: ExportOptions, command: _Command) -> int:
    sink = places.metrics_sink(options.metrics, lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
    command_run = command.command_run
    began = command_run.clock.monotonic()
    code: int = ExitCode.OUR_FAULT
    try:
        code = command_run.ended(command.export)
    finally:
        seconds = command_run.clock.monotonic() - began
        publish(sink, lambda: command.report(command_run.stop.exit_code or code, seconds))
    return code


@dataclass(slots=True)
class _Command:
    """One run of the command. ``run`` and ``watch`` are set once its options and configuration have been read."""

    options: ExportOptions
    command_run: CommandRun
    elsewhere: ReadElsewhere | None
    run: ExportRun | None = None
    watch: SchemaWatch | None = None

    def export(self) -> int:
        """Export and return the exit code; raises if no object can be started."""
        options, command_run = self.options, self.command_run
        if not _RUN_ID.fullmatch(command_run.run_id):
            text = "--run-id takes letters, digits, dots, dashes and underscores, beginning with a letter or digit."
            raise ExportFailed(Consequence.CONFIG, text)
        begin_options = _begin_options(options)
        stores = open_stores(options, command_run.run_id, command_run.clock)
        if self.elsewhere is not None:
            stores = self.elsewhere(stores, command_run.run_id)
        self.watch = _schema_watch(options, command_run, stores.schemas)
        watcher = _watcher(options, command_run)
        where = ExportPlaces(
            destination=stores.destination,
            states=stores.states,
            schemas=self.watch,
            page_files=stores.page_files,
            ending=stores.ending,
            watcher=watcher,
            on_clean_up=command_run.stop.leaving,
        )
        connection = command_run.connect(options.config, options.objects)
        blob_options = BlobOptions(frozenset(options.files), options.max_file_bytes)
        self.run = ExportRun(connection, where, command_run.stop.event.is_set, begin_options, blob_options)
        with self._ledger(stores):
            try:
                result = self.run.run()
            finally:
                watcher.end()
            facts = result_as_json(result, self.run.connection.metrics.of)
            LOGGER.debug("The run has ended", extra={"event": "run_ended", "facts": facts})
        _print_result(options, result, self.run.connection.metrics.of)
        return command_run.stop.exit_code or result.code

    def _ledger(self, stores: Stores) -> AbstractContextManager[object]:
        """Return the context in which events are written to the ledger."""
        command_run = self.command_run
        match stores.ledger:
            case None:
                return nullcontext()
            case Path() as folder:
                return kept_in_folder(folder, command_run.run_id, command_run.mask.redact)
            case destination:
                return kept_at_destination(destination, command_run.run_id, command_run.mask.redact)

    def report(self, code: int, seconds: float) -> RunReport:
        """Return the report of the run, however far it came."""
        run, drifted = self.run, self.watch.drifted if self.watch else Counter[str]()
        metrics = run.connection.metrics if run else RunMetrics()
        return RunReport(
            run_id=self.command_run.run_id,
            organization_id=organization_key(run.organization_id if run else None),
            exit_code=code,
            ended=self.command_run.clock.now(),
            seconds=seconds,
            objects=[
                (outcome, named_counts(metrics.of(outcome.object_name), drifted[outcome.object_name]))
                for outcome in (run.outcomes if run else ())
            ],
            run_only=named_counts(metrics.of(None)),
        )


def _begin_options(options: ExportOptions) -> BeginOptions:
    """Return the options that change where the run begins; raises ``ConfigError`` for an invalid date."""
    try:
        since = None if options.since is None else parse_start_date(options.since)
    except ConfigError as error:
        raise ConfigError("--since", error.problem, error.remedy) from error
    full = frozenset(name.lower() for name in options.full)
    return BeginOptions(options.start_over, options.continue_here, full, since)


def _watcher(options: ExportOptions, command_run: CommandRun) -> Watcher:
    live = command_run.live and not options.logs.quiet
    lines = MinuteLines(command_run.run_id, jobs_only=live)
    if not live:
        return lines
    from rich.console import Console  # noqa: PLC0415 - only on a terminal

    console = Console(stderr=True)
    command_run.stderr.write = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    return LiveBars(console, lines)


def _print_result(options: ExportOptions, result: ExportResult, metrics_of: Callable[[str], ObjectMetrics]) -> None:
    """Print the end of the run to stdout."""
    if options.as_json:
        click.echo(json.dumps(result_as_json(result, metrics_of), indent=2))
        return
    click.echo(summary(result.outcomes, metrics_of))
    for name, counts in result.blobs.items():
        click.echo(f"{name}: {counts}")
    if result.manifest:
        click.echo(f"Manifest: {result.manifest}")


def result_as_json(result: ExportResult, metrics_of: Callable[[str], ObjectMetrics]) -> dict[str, object]:
    """Return the end of a run as JSON."""
    return {
        "code": int(result.code),
        "manifest": result.manifest,
        "objects": [
            {
                "object": outcome.object_name,
                "status": outcome.status,
                "error": outcome.failure.message if outcome.failure is not None else None,
                "rows": outcome.rows,
                "files": len(outcome.files),
                "jobs": metrics_of(outcome.object_name).jobs,
                "api_calls": metrics_of(outcome.object_name).calls.total(),
                "retries": metrics_of(outcome.object_name).retries,
                **_counted_blobs(result, outcome.object_name),
            }
            for outcome in result.outcomes
        ],
    }


def _counted_blobs(result: ExportResult, name: str) -> dict[str, object]:
    return {"stored_files": result.blobs[name].to_json()} if name in result.blobs else {}


def _schema_watch(options: ExportOptions, command_run: CommandRun, registry: SchemaRegistry) -> SchemaWatch:
    bus = options.event_bus
    listeners = [EventBus(aws_client("events", f"the event bus {bus}"), bus)] if bus else []
    return SchemaWatch(registry, command_run.run_id, options.on_drift, listeners)
