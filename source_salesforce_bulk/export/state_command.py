"""The command ``salesforce-bulk state``: show the progress of objects, or reset it. Sends nothing to Salesforce."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from source_salesforce_bulk.export import places
from source_salesforce_bulk.export.command_run import CommandRun, new_run_id
from source_salesforce_bulk.export.outcomes import ExitCode, ExportFailed
from source_salesforce_bulk.export.text_tables import table
from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER, jobs_named
from source_salesforce_bulk.registries.state import LeaseHeld, Progress, StateRegistry, UnreadableProgress
from source_salesforce_bulk.salesforce.failures import Consequence
from source_salesforce_bulk.salesforce.object_hints import nearest
from source_salesforce_bulk.signals import Stop

Entry = tuple[str, str]


def run_list(stop: Stop, *, state: str, as_json: bool) -> int:
    """Print every object in the registry and return the exit code."""
    return _with_registry(stop, state, lambda registry, _: _list(registry, as_json=as_json))


def run_show(stop: Stop, *, state: str, name: str, organization: str | None) -> int:
    """Print the stored progress of one object and return the exit code."""

    def show(registry: StateRegistry, _: str) -> int:
        organization_id, object_name = _entry(registry, name, organization)
        kept = _read(registry, organization_id, object_name)
        click.echo(json.dumps({"organization_id": organization_id, "object": object_name, **kept.to_json()}, indent=2))
        return ExitCode.DONE

    return _with_registry(stop, state, show)


def run_reset(stop: Stop, *, state: str, names: Sequence[str], organization: str | None) -> int:
    """Reset objects, or none if a name is wrong, and return the exit code."""

    def reset(registry: StateRegistry, owner: str) -> int:
        for organization_id, object_name in [_entry(registry, name, organization) for name in names]:
            try:
                registry.reset(organization_id, object_name, owner)
            except LeaseHeld as error:
                raise ExportFailed(Consequence.TRANSIENT, f"{error}. Wait for that run, or stop it.") from error
            click.echo(f"{object_name}: the next export reads it from its beginning.")
        return ExitCode.DONE

    return _with_registry(stop, state, reset)


def _with_registry(stop: Stop, state: str, work: Callable[[StateRegistry, str], int]) -> int:
    command_run = CommandRun(stop, new_run_id(datetime.now(UTC)))
    command_run.begin()
    return command_run.ended(lambda: work(places.state_registry(state, command_run.clock), command_run.run_id))


def _entry(registry: StateRegistry, name: str, organization: str | None) -> Entry:
    """Return an object's organization and spelling; raises ``ExportFailed`` if there is none, or several."""
    known = [entry for entry in registry.entries() if organization in (None, entry[0])]
    found = [entry for entry in known if entry[1].lower() == name.lower()]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(organization_id for organization_id, _ in found)
        raise ExportFailed(
            Consequence.CONFIG, f"{name} has a state for the organizations {ids}. Choose one with --organization."
        )
    near = nearest(name, [object_name for _, object_name in known])
    hint = f" Did you mean {near}?" if near else ""
    raise ExportFailed(Consequence.CONFIG, f"The registry has no state of {name}.{hint}")


def _read(registry: StateRegistry, organization_id: str, object_name: str) -> Progress:
    try:
        return registry.progress(organization_id, object_name)
    except UnreadableProgress as error:
        text = f"{object_name}: {error} Restore it, or reset the object with `state reset {object_name}`."
        raise ExportFailed(Consequence.CONFIG, text) from error


def _list(registry: StateRegistry, *, as_json: bool) -> int:
    found = [_facts(registry, *entry) for entry in sorted(registry.entries())]
    if as_json:
        click.echo(json.dumps(found, indent=2))
    elif not found:
        click.echo("No state was found there.")
    else:
        headings = ["organization", "object", "read up to", ">open jobs", ">rows", "destination"]
        names = ("organization_id", "object", "read_up_to", "jobs", "rows", "destination")
        click.echo(table(headings, [[_shown(listed[name]) for name in names] for listed in found]))
    return ExitCode.DONE


def _facts(registry: StateRegistry, organization_id: str, object_name: str) -> dict[str, Any]:
    entry = {"organization_id": organization_id, "object": object_name}
    try:
        kept = registry.progress(organization_id, object_name)
    except UnreadableProgress:
        return {**entry, "read_up_to": "damaged", "jobs": None, "rows": None, "destination": ""}
    return {
        **entry,
        "read_up_to": read_up_to(kept),
        "jobs": len(jobs_named(kept.state)),
        "rows": kept.rows,
        "destination": kept.destination,
    }


def read_up_to(progress: Progress) -> str:
    """Return the instant up to which all rows were read, ``whole`` for an object that is read in full, else ``-``."""
    if progress.state == COMPLETE_MARKER:
        return "whole"
    known = [
        value for name, value in progress.state.items() if name not in ("scope", "mode") and isinstance(value, str)
    ]
    return known[0] if known else "-"


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else str(value)
