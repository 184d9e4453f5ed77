"""The command ``salesforce-bulk discover``: list objects as a table, as JSON, or as a catalog for ``read``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from source_salesforce_bulk.export.command_run import CommandRun, new_run_id
from source_salesforce_bulk.export.logs import LogOptions
from source_salesforce_bulk.export.outcomes import ExitCode, ExportFailed
from source_salesforce_bulk.export.text_tables import table
from source_salesforce_bulk.extraction.catalog import ReadableObject, Survey, find_objects
from source_salesforce_bulk.registries.durable_files import replace_file
from source_salesforce_bulk.salesforce.failures import Consequence
from source_salesforce_bulk.signals import Stop


@dataclass(frozen=True, slots=True)
class DiscoverOptions:
    """The command line, as it was written."""

    config: str
    objects: Sequence[str]
    as_json: bool
    catalog: str | None
    logs: LogOptions


def run_discover(options: DiscoverOptions, stop: Stop) -> int:
    """Run the command and return its exit code."""
    command_run = CommandRun(stop, new_run_id(datetime.now(UTC)), options.logs)
    command_run.begin()
    return command_run.ended(lambda: _discover(options, command_run))


def _discover(options: DiscoverOptions, command_run: CommandRun) -> int:
    with command_run.connect(options.config, options.objects, refuse_unknown_keys=False) as connection:
        connection.log_in()
        try:
            survey = find_objects(connection.discovery, connection.config)
        except ValueError as error:
            raise ExportFailed(Consequence.CONFIG, f"object_overrides: {error}") from error
    if options.catalog is not None:
        replace_file(
            Path(options.catalog).absolute(), json.dumps(configured_catalog(survey.objects), indent=2).encode()
        )
    if options.as_json:
        click.echo(json.dumps(as_json(survey), indent=2))
    else:
        _print(survey)
    return ExitCode.DONE


def _print(survey: Survey) -> None:
    rows = [
        [
            readable.sobject.name,
            "REST" if readable.lane.rest else "Bulk",
            ", ".join(readable.primary_key) or "-",
            readable.cursor_field or "-",
            f"{len(readable.sobject.fields):,}",
        ]
        for readable in survey.objects
    ]
    click.echo(table(["object", "API", "key", "cursor", ">fields"], rows))
    for readable in survey.objects:
        if readable.lane.rest or readable.lane.chosen:
            click.echo(f"{readable.sobject.name}: read through {readable.lane}")
    for left in survey.left_out:
        click.echo(f"Left out: {left.name}: {left.reason}")


def as_json(survey: Survey) -> dict[str, Any]:
    """Return the objects that can be exported and those that cannot, as JSON."""
    return {
        "objects": [
            {
                "object": readable.sobject.name,
                "api": "rest" if readable.lane.rest else "bulk",
                "api_reason": readable.lane.reason,
                "primary_key": list(readable.primary_key),
                "cursor": readable.cursor_field,
                "fields": [{"name": field.name, "type": field.type} for field in readable.sobject.fields],
            }
            for readable in survey.objects
        ],
        "left_out": [{"object": left.name, "code": left.code, "reason": left.reason} for left in survey.left_out],
    }


def configured_catalog(objects: Sequence[ReadableObject]) -> dict[str, Any]:
    """Return an Airbyte catalog that reads each object incrementally if it has a cursor."""
    return {"streams": [_configured_stream(readable) for readable in objects]}


def _configured_stream(readable: ReadableObject) -> dict[str, Any]:
    cursor, key = readable.cursor_field, [[field] for field in readable.primary_key]
    modes = ["full_refresh", "incremental"] if cursor else ["full_refresh"]
    stream: dict[str, Any] = {
        "name": readable.sobject.name,
        "json_schema": readable.json_schema,
        "supported_sync_modes": modes,
        "source_defined_cursor": cursor is not None,
    }
    if key:
        stream["source_defined_primary_key"] = key
    if cursor is None:
        return {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
    stream["default_cursor_field"] = [cursor]
    return {
        "stream": stream,
        "sync_mode": "incremental",
        "destination_sync_mode": "append_dedup" if key else "append",
        "cursor_field": [cursor],
        **({"primary_key": key} if key else {}),
    }
