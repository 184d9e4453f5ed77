"""The command ``salesforce-bulk report``: turn a run's ledger into an HTML page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import click

from source_salesforce_bulk.export import places
from source_salesforce_bulk.export.command_run import CommandRun, new_run_id
from source_salesforce_bulk.export.destination import LEDGERS
from source_salesforce_bulk.export.ledger import FOLDER
from source_salesforce_bulk.export.outcomes import ExitCode, ExportFailed
from source_salesforce_bulk.export.report_page import report_page
from source_salesforce_bulk.export.run_story import read_story
from source_salesforce_bulk.registries.durable_files import replace_file
from source_salesforce_bulk.salesforce.failures import Consequence
from source_salesforce_bulk.salesforce.object_hints import nearest
from source_salesforce_bulk.signals import Stop


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """The command line, as it was written."""

    state: str | None
    destination: str | None
    run_id: str | None
    last: bool
    output: str | None


def run_report(options: ReportOptions, stop: Stop) -> int:
    """Run the command and return its exit code."""
    command_run = CommandRun(stop, new_run_id(datetime.now(UTC)))
    command_run.begin()
    return command_run.ended(lambda: _report(options))


def _report(options: ReportOptions) -> int:
    if options.last == (options.run_id is not None):
        raise ExportFailed(Consequence.CONFIG, "Name a run: --run RUN_ID, or --last.")
    run_id, ledger = _ledger(options)
    page = report_page(read_story(run_id, ledger.splitlines()), style())
    path = Path(options.output or f"{run_id}.html").absolute()
    replace_file(path, page.encode())
    click.echo(f"Report: {path}")
    return ExitCode.DONE


def style() -> str:
    """Return the page's CSS."""
    return (files("source_salesforce_bulk.export") / "report.css").read_text(encoding="utf-8")


def _ledger(options: ReportOptions) -> tuple[str, bytes]:
    """Return the run's id and its ledger; raises ``ExportFailed``."""
    folder = places.folder(options.state) if options.state else None
    if folder is not None:
        return _in_folder(folder / FOLDER, options.run_id)
    if options.destination is None:
        text = "Name the ledger's location: --state if it is a folder, else the --destination of the run."
        raise ExportFailed(Consequence.CONFIG, text)
    destination = places.destination(options.destination)
    run_id = options.run_id or destination.newest(LEDGERS)
    ledger = destination.read(f"{LEDGERS}/{run_id}.jsonl") if run_id else None
    if run_id is None or ledger is None:
        raise ExportFailed(Consequence.CONFIG, f"{destination.url} contains no ledger of {run_id or 'any run'}.")
    return run_id, ledger


def _in_folder(folder: Path, run_id: str | None) -> tuple[str, bytes]:
    found = sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise ExportFailed(Consequence.CONFIG, f"{folder} contains no ledger. An export writes one there.")
    if run_id is None:
        return found[-1].stem, found[-1].read_bytes()
    path = next((path for path in found if path.stem == run_id), None)
    if path is None:
        near = nearest(run_id, [path.stem for path in found])
        hint = f" Did you mean {near}?" if near else f" The last is {found[-1].stem}."
        raise ExportFailed(Consequence.CONFIG, f"{folder} contains no ledger of the run {run_id}.{hint}")
    return run_id, path.read_bytes()
