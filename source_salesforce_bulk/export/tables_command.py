"""The command ``salesforce-bulk tables``: list a destination's tables, or clean them. Sends nothing to Salesforce."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import click

from source_salesforce_bulk.config_values import parse_duration
from source_salesforce_bulk.export import places
from source_salesforce_bulk.export.command_run import CommandRun, new_run_id
from source_salesforce_bulk.export.outcomes import ExitCode
from source_salesforce_bulk.export.text_tables import number, table
from source_salesforce_bulk.signals import Stop


def run_list_tables(stop: Stop, *, destination: str, as_json: bool) -> int:
    """Print every table of this program and return the exit code."""

    def listed() -> int:
        from source_salesforce_bulk.tables.listing_tables import list_tables  # noqa: PLC0415 - needs pyiceberg

        found = list_tables(places.tables(destination))
        if as_json:
            click.echo(json.dumps([info.to_json() for info in found], indent=2))
            return ExitCode.DONE
        rows = [
            [
                info.name,
                number(info.rows),
                str(info.files),
                number(info.bytes / 1e6, 1),
                info.committed,
            ]
            for info in found
        ]
        click.echo(table(["table", ">rows", ">files", ">MB", "last commit"], rows))
        return ExitCode.DONE

    return _in_session(stop, listed)


def run_clean_tables(stop: Stop, *, destination: str, older_than: str) -> int:
    """Remove old snapshots and unnamed files, print how many, and return the exit code."""

    def cleaned() -> int:
        from source_salesforce_bulk.tables.cleaning import clean  # noqa: PLC0415 - needs pyiceberg

        before = datetime.now(UTC) - parse_duration("--older-than", older_than, may_be_zero=True)
        for removed in clean(places.tables(destination), before):
            size = f"{removed.bytes / 1e6:,.1f} MB"
            click.echo(f"{removed.table}: {removed.snapshots} snapshots, {removed.files} files ({size}) removed")
        return ExitCode.DONE

    return _in_session(stop, cleaned)


def _in_session(stop: Stop, work: Callable[[], int]) -> int:
    command_run = CommandRun(stop, new_run_id(datetime.now(UTC)))
    command_run.begin()
    return command_run.ended(work)
