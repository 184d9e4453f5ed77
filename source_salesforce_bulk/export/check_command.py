"""The command ``salesforce-bulk check``: test the configuration and print the result as a sentence or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from source_salesforce_bulk.export.command_run import CommandRun, new_run_id
from source_salesforce_bulk.export.logs import LogOptions
from source_salesforce_bulk.export.outcomes import ExitCode, ExportFailed
from source_salesforce_bulk.extraction.connection_check import check_connection
from source_salesforce_bulk.salesforce.failures import Consequence
from source_salesforce_bulk.signals import Stop


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """The command line, as it was written."""

    config: str
    objects: Sequence[str]
    as_json: bool
    logs: LogOptions


def run_check(options: CheckOptions, stop: Stop) -> int:
    """Run the command and return its exit code."""
    command_run = CommandRun(stop, new_run_id(datetime.now(UTC)), options.logs)
    command_run.begin()
    said: list[str] = []

    def check() -> int:
        with command_run.connect(options.config, options.objects) as connection:
            try:
                said.append(check_connection(connection))
            except ValueError as error:
                raise ExportFailed(Consequence.CONFIG, f"object_overrides: {error}") from error
        return ExitCode.DONE

    code = command_run.ended(check, said.append)
    succeeded = code == ExitCode.DONE
    if options.as_json:
        status = "succeeded" if succeeded else "failed"
        click.echo(json.dumps({"status": status, "message": said[-1] if said else "", "code": int(code)}))
    elif succeeded:
        click.echo(said[-1])
    return code
