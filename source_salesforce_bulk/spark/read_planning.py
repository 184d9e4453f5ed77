"""Describe an object, and plan a read of it: the two tasks of Spark's planner, each in its own process.

A failure is raised as one sentence, without the original exception, because Spark shows it to the user.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from source_salesforce_bulk.config_values import ConfigError
from source_salesforce_bulk.export.aws_clients import secrets_manager
from source_salesforce_bulk.export.command_run import CommandRun, as_failed, new_run_id
from source_salesforce_bulk.export.logs import LogOptions
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.stream_state import StateError
from source_salesforce_bulk.pages.page_task import SessionSource
from source_salesforce_bulk.registries.state import LeaseHeld, LeaseLost, UnreadableProgress
from source_salesforce_bulk.salesforce import oauth
from source_salesforce_bulk.salesforce.programs import Program
from source_salesforce_bulk.salesforce.secret_mask import SecretMask
from source_salesforce_bulk.signals import Stop
from source_salesforce_bulk.spark.planned_pages import CarriedSession, EncodedRows, PlannedPage
from source_salesforce_bulk.spark.read_notes import ReadNote, ReadNotes
from source_salesforce_bulk.spark.read_options import ReadOptions, narrowed, parse_options
from source_salesforce_bulk.spark.read_plan import ObjectColumns, PlannedRead, describe, plan_read
from source_salesforce_bulk.spark.shared_session import SessionSecret


class ReadFailed(Exception):
    """An object cannot be read. The message says what happened and what to do."""


def describe_object(given: Mapping[str, str]) -> ObjectColumns:
    """Return the columns of the object that the options name; raises :class:`ReadFailed`."""
    with _one_sentence() as mask:
        options = parse_options(given)
        with _connected(options, (), mask) as connection:
            _, known = describe(connection)
            return known


def plan_pages(
    given: Mapping[str, str], known: ObjectColumns, folder: str | None, pushed: Sequence[str]
) -> tuple[PlannedPage | EncodedRows, ...]:
    """Return the pages of the object, whose jobs are complete; raises :class:`ReadFailed`.

    ``folder`` is for a note about the read.
    """
    with _one_sentence() as mask:
        options = parse_options(given)
        notes = ReadNotes(Path(folder)) if folder is not None else None
        _check_notes(options, notes)
        with _connected(options, pushed, mask) as connection:
            planned = plan_read(connection, options.state, _sharing(options))
        if notes is not None:
            notes.add(_note(options, planned))
        if planned.columns != known.columns:
            problem = "has other columns than when it was loaded"
            raise ConfigError(options.object_name, problem, "Load it again")
        return planned.pages


def _check_notes(options: ReadOptions, notes: ReadNotes | None) -> None:
    if options.state is None:
        return
    if notes is None:
        remedy = "Call register(spark) of source_salesforce_bulk.spark.data_source"
        raise ConfigError("option state", "is given, but nothing would advance the state", remedy)
    if notes.holds(options.state, options.object_name):
        problem = f"is that of a read of {options.object_name} that is not finished"
        raise ConfigError("option state", problem, "Use the DataFrame of that read, or call finish() or close() first")


def _note(options: ReadOptions, planned: PlannedRead) -> ReadNote:
    return ReadNote(
        config=options.config,
        object_name=options.object_name,
        organization=planned.organization,
        jobs=planned.jobs,
        state=options.state,
        begun=planned.begun,
        ended=planned.ended,
    )


def _sharing(options: ReadOptions) -> Callable[[oauth.Session], SessionSource]:
    secret = options.session_secret
    if secret is not None:
        return SessionSecret(secrets_manager(secret), secret).share
    return lambda session: CarriedSession(session.access_token, session.instance_url)


def _connected(options: ReadOptions, pushed: Sequence[str], mask: SecretMask) -> Connection:
    logs = LogOptions(quiet=True)  # Spark shows its planner's log among its own lines
    command_run = CommandRun(Stop(), new_run_id(datetime.now(UTC)), logs, Program.SPARK, mask)
    command_run.begin()
    return command_run.connect(options.config, [], adjust=partial(narrowed, options=options, pushed=pushed))


@contextmanager
def _one_sentence() -> Iterator[SecretMask]:
    """Convert exceptions to :class:`ReadFailed`, without the secrets that the mask knows."""
    mask = SecretMask()
    try:
        yield mask
    except Exception as error:  # noqa: BLE001 - every failure becomes one sentence
        raise ReadFailed(mask.redact(_sentence(error))) from None


def _sentence(error: Exception) -> str:
    match error:
        case LeaseHeld() | LeaseLost():
            return f"{error}. Nothing is lost; load the object again later."
        case StateError() | UnreadableProgress():
            reason = str(error).rstrip(".")
            return f"The state that the option state names cannot be used: {reason}. Restore it, or name another."
        case _:
            return as_failed(error, Program.SPARK).message
