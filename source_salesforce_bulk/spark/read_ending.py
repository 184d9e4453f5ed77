"""End planned reads on the driver: advance their states, and delete their jobs.

Each read is ended separately, so that one failure does not prevent the end of the others.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from source_salesforce_bulk.export.command_run import CommandRun, as_failed, new_run_id
from source_salesforce_bulk.export.outcomes import ExportFailed
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.stream_state import jobs_named
from source_salesforce_bulk.registries.state import LeaseHeld, LeaseLost
from source_salesforce_bulk.salesforce.failures import Consequence
from source_salesforce_bulk.salesforce.programs import Program
from source_salesforce_bulk.signals import Stop
from source_salesforce_bulk.spark.read_notes import ReadNote, ReadNotes
from source_salesforce_bulk.spark.read_plan import DESTINATION, Owner, leased

LOGGER = logging.getLogger("salesforce_bulk.spark")


def end_reads(notes: ReadNotes, connect: Callable[[ReadNote], Connection], *, stored: bool) -> list[str]:
    """End every read that has a note, and return what went wrong, one sentence for each read.

    ``stored`` says that all their rows have been stored: then their states advance. Otherwise the states do not
    change, and the jobs that they name are kept. ``connect`` makes a connection to the org of a read.
    """
    problems = []
    for path, note in list(notes.all()):
        try:
            with connect(note) as connection:
                _end(connection, note, stored=stored)
        except (LeaseHeld, LeaseLost) as error:
            problems.append(f"{note.object_name}: {error}. Its state did not advance; load the object again.")
        except Exception as error:  # noqa: BLE001 - see the module's docstring
            problems.append(f"{note.object_name}: {as_failed(error, Program.SPARK).message}")
        path.unlink(missing_ok=True)
    return problems


def connected(note: ReadNote) -> Connection:
    """Return a connection to the org of a read. The user's logging is not changed."""
    command_run = CommandRun(Stop(), new_run_id(datetime.now(UTC)), program=Program.SPARK)
    return command_run.connect(note.config, [note.object_name])


def _end(connection: Connection, note: ReadNote, *, stored: bool) -> None:
    if stored and note.state is not None:
        _move_on(connection, note)
    kept = jobs_named(note.begun) if note.state is not None and not stored else frozenset()
    org = connection.org()
    for job, version in note.jobs.items():
        if job not in kept and not org.delete(version, job, note.object_name):
            LOGGER.warning("%s: job %s was not deleted; Salesforce does so after 7 days", note.object_name, job)


def _move_on(connection: Connection, note: ReadNote) -> None:
    """Advance the state, unless it is no longer the one with which the read began."""
    owner = Owner(note.organization, note.object_name, connection.run_id)
    with leased(note.state or "", connection.clock, owner) as lease:
        if _text(lease.progress.state) != _text(note.begun):
            text = f"{note.object_name}: another run has advanced the state since this read was planned"
            raise ExportFailed(Consequence.TRANSIENT, f"{text}. Its rows may be read again; no row is lost.")
        lease.commit(replace(lease.progress, state=note.ended, destination=DESTINATION))


def _text(state: Mapping[str, object]) -> str:
    return json.dumps(state, sort_keys=True)
