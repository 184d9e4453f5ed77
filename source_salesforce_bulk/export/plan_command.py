"""The command ``salesforce-bulk plan``: compare the cost of an export with the org's remaining limits."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import click
import orjson

from source_salesforce_bulk.export import places
from source_salesforce_bulk.export.blob_entries import BlobOptions, not_exported
from source_salesforce_bulk.export.blob_forecast import FilesForecast, forecast_files, with_files
from source_salesforce_bulk.export.blob_progress import registry_entry
from source_salesforce_bulk.export.command_run import CommandRun, new_run_id
from source_salesforce_bulk.export.forecast import (
    Ending,
    ObjectForecast,
    Use,
    Verdict,
    calls,
    calls_without_polls,
    forecast_object,
    least_calls,
    overall,
    plan_code,
    verdicts,
)
from source_salesforce_bulk.export.logs import LogOptions
from source_salesforce_bulk.export.outcomes import ExportFailed, nothing_to_export
from source_salesforce_bulk.export.sample import Sampler, sample_through_rest
from source_salesforce_bulk.export.storage_failures import unusable_state
from source_salesforce_bulk.export.text_tables import number, table
from source_salesforce_bulk.extraction.catalog import ReadableObject, survey_objects
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.org import Org
from source_salesforce_bulk.extraction.selection import object_query, select_fields
from source_salesforce_bulk.extraction.stream_state import StateError
from source_salesforce_bulk.extraction.windows import WHOLE
from source_salesforce_bulk.pages.cells import Value
from source_salesforce_bulk.pages.encoders import object_lines
from source_salesforce_bulk.pages.json_text import json_value
from source_salesforce_bulk.registries.state import StateRegistry, UnreadableProgress, organization_key
from source_salesforce_bulk.salesforce.discovery import LeftOutObject
from source_salesforce_bulk.salesforce.failures import Action, Consequence, SalesforceError
from source_salesforce_bulk.salesforce.rest_api import Limit
from source_salesforce_bulk.salesforce.row_counts import RowCounts
from source_salesforce_bulk.salesforce.soql import build_soql
from source_salesforce_bulk.signals import Stop

LOGGER = logging.getLogger("salesforce_bulk.plan")

UNKNOWN = "unknown"

Samples = dict[str, list[dict[str, Value]]]

_LIMITS = ("DailyApiRequests", "DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB")


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The command line, as it was written."""

    config: str
    objects: Sequence[str]
    state: str | None
    confirm: bool
    as_json: bool
    logs: LogOptions
    sample: int | None = None
    files: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """The plan of an export. ``left`` are the org's current daily limits, by Salesforce's names."""

    objects: tuple[ObjectForecast, ...]
    left_out: Mapping[str, LeftOutObject]
    calls: int | None
    calls_without_polls: int | None
    left: Mapping[str, Limit | None]
    verdicts: tuple[Verdict, ...]
    missed: tuple[str, ...] = ()
    readables: tuple[ReadableObject, ...] = ()
    files: tuple[FilesForecast, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The verdict on the whole run."""
        missed = [Verdict(Ending.UNREADABLE, f"{name}: {self.left_out[name].reason}") for name in self.missed]
        found = [
            replace(verdict, reason=f"{forecast.object}: {verdict.reason}")
            if verdict.ending is Ending.UNREADABLE
            else verdict
            for forecast, verdict in zip(self.objects, self.verdicts, strict=True)
        ]
        return overall([*found, *missed])

    @property
    def totals(self) -> dict[str, float | None]:
        """The usage of the export, in the order of the limits: calls, jobs, megabytes."""
        sizes = [forecast.megabytes for forecast in self.objects]
        megabytes = None if None in sizes else sum(size or 0 for size in sizes)
        jobs = sum(forecast.jobs for forecast in self.objects)
        return dict(zip(_LIMITS, (self.calls, jobs, megabytes), strict=True))


def run_plan(options: PlanOptions, stop: Stop) -> int:
    """Run the command and return its exit code."""
    command_run = CommandRun(stop, new_run_id(datetime.now(UTC)), options.logs)
    command_run.begin()
    return command_run.ended(lambda: _plan(options, command_run))


def _plan(options: PlanOptions, command_run: CommandRun) -> int:
    states = places.state_registry(options.state, command_run.clock) if options.state else None
    if states is not None and not states.entries():
        LOGGER.warning("No state was found in %s: everything is read from its beginning.", options.state)
    samples: Samples = {}
    with command_run.connect(options.config, options.objects) as connection:
        plan = make_plan(connection, states, confirm=options.confirm, files=frozenset(options.files))
        if options.sample is not None:
            sampler = Sampler(connection, connection.org())
            samples = {readable.sobject.name: sampler.rows(readable, options.sample) for readable in plan.readables}
    if options.as_json:
        document = {**as_json(plan), **({"samples": _exact(samples)} if samples else {})}
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo("\n".join([as_text(plan), *_shown_samples(samples)]))
    return plan_code(plan.verdict)


def _exact(samples: Samples) -> dict[str, list[dict[str, Any]]]:
    """Return the rows with every digit of their numbers."""
    return {
        name: [{field: json_value(value) for field, value in row.items()} for row in rows]
        for name, rows in samples.items()
    }


def _shown_samples(samples: Samples) -> Iterator[str]:
    """Yield the rows, one line per value, because an object has too many fields for one line."""
    for name, rows in samples.items():
        for count, row in enumerate(rows, start=1):
            yield f"\n{name}, row {count} of {len(rows)}:"
            yield from (f"  {field}: {value}" for field, value in row.items())


def make_plan(
    connection: Connection, states: StateRegistry | None, *, confirm: bool, files: frozenset[str] = frozenset()
) -> ExportPlan:
    """Plan the export of the configured objects from the progress in ``states``, and of the ``files`` of some.

    Raises ``ExportFailed`` if no object matches or a state is unusable, ``SalesforceError``, and the registry's
    errors.
    """
    connection.log_in()
    limits = connection.limits()
    try:
        survey = survey_objects(connection.discovery, connection.config)
    except ValueError as error:
        raise ExportFailed(Consequence.CONFIG, f"object_overrides: {error}") from error
    if not survey.objects and survey.left_out == survey.missed:
        raise nothing_to_export(survey, connection.config.objects)
    names = [forecast.sobject.name for forecast in survey.objects]
    counts = RowCounts(connection.discovery.record_counts, names, connection.clock)
    org = connection.org()
    forecasts = [
        _forecast(connection, org, forecast, states, counts.of(forecast.sobject.name)) for forecast in survey.objects
    ]
    # So far, the calls are those that an export makes before its first job.
    without_polls = calls_without_polls(forecasts, connection.metrics.calls)
    blobs = _files(connection, survey.objects, states, files)
    without_polls = with_files(without_polls, blobs)
    jobs = sum(forecast.jobs for forecast in forecasts)
    if confirm:
        forecasts = _confirmed(connection, org, survey.objects, forecasts)
    daily = (limits.api_requests, limits.query_jobs, limits.query_result_mb) if limits else (None, None, None)
    left = dict(zip(_LIMITS, daily, strict=True))
    return ExportPlan(
        objects=tuple(forecasts),
        left_out={skipped.name: skipped for skipped in survey.left_out},
        calls=calls(without_polls, jobs),
        calls_without_polls=without_polls,
        left=left,
        files=blobs,
        verdicts=tuple(verdicts(_uses(forecasts, blobs), left, connection.config.daily_limit_reserve_percent)),
        missed=tuple(missing.name for missing in survey.missed),
        readables=survey.objects,
    )


def _uses(forecasts: Sequence[ObjectForecast], files: Sequence[FilesForecast]) -> list[Use]:
    """Return the minimum usage of each object."""
    calls_for_files = {found.object: found.calls or 0 for found in files}
    return [
        Use(
            forecast.object,
            dict(
                zip(
                    _LIMITS,
                    (_least(forecast, calls_for_files), float(forecast.jobs), forecast.megabytes or 0.0),
                    strict=True,
                )
            ),
            forecast.refusal,
        )
        for forecast in forecasts
    ]


def _least(forecast: ObjectForecast, calls_for_files: Mapping[str, int]) -> float:
    return least_calls(forecast) + calls_for_files.get(forecast.object, 0)


def _files(
    connection: Connection, objects: Sequence[ReadableObject], states: StateRegistry | None, wanted: frozenset[str]
) -> tuple[FilesForecast, ...]:
    """Return the forecast of the files of the ``wanted`` objects; raises ``ExportFailed`` if the run lacks one."""
    problem = not_exported(BlobOptions(wanted), [readable.sobject.name for readable in objects])
    if problem is not None:
        raise ExportFailed(Consequence.CONFIG, problem)
    organization = organization_key(connection.log_in().organization_id)

    def kept(name: str) -> Mapping[str, object]:
        return states.progress(organization, registry_entry(name)).state if states is not None else {}

    return tuple(
        forecast_files(connection, readable, kept(readable.sobject.name))
        for readable in objects
        if readable.sobject.name in wanted
    )


def _forecast(
    connection: Connection, org: Org, readable: ReadableObject, states: StateRegistry | None, rows: int | None
) -> ObjectForecast:
    """Return the forecast of an object from its stored progress."""
    name, organization = readable.sobject.name, organization_key(connection.log_in().organization_id)
    try:
        state = states.progress(organization, name).state if states is not None else {}
        return forecast_object(connection, org, readable, state, rows)
    except (StateError, UnreadableProgress) as error:
        raise unusable_state(error, name) from error


def _confirmed(
    connection: Connection, org: Org, objects: Sequence[ReadableObject], forecasts: Sequence[ObjectForecast]
) -> list[ObjectForecast]:
    """Return each forecast with the org's refusal, if any, of a job for one row with all fields.

    Only a failure of this object that the user can fix counts as a refusal; raises ``SalesforceError`` for others.
    """

    def refusal(readable: ReadableObject) -> str | None:
        selection = select_fields(readable.sobject, None, ())
        config = connection.config
        query = object_query(
            readable.sobject,
            selection.columns,
            readable.cursor,
            where=readable.where,
            include_deleted=config.include_deleted,
        )
        try:
            if readable.lane.rest:
                page = sample_through_rest(config, readable, query, 1)
                org.fetch(page, _unheeded, object_lines(selection.columns)).discard()
                return None
            soql = f"{build_soql(query, WHOLE)} LIMIT 1"
            job = org.create(config.api_version, soql, query)
        except SalesforceError as error:
            failure = error.failure
            if failure.consequence is not Consequence.CONFIG or failure.action is Action.STOP_RUN:
                raise
            return failure.summary
        org.abort(config.api_version, job.id, readable.sobject.name)
        return None

    with ThreadPoolExecutor(min(connection.config.max_concurrent_jobs, 20), "confirm") as pool:
        refusals = list(pool.map(refusal, objects))
    return [replace(forecast, refusal=why) for forecast, why in zip(forecasts, refusals, strict=True)]


def _unheeded(headers: object) -> None:
    """A page that is requested alone has no next page."""


def as_json(plan: ExportPlan) -> dict[str, Any]:
    """Return the plan as JSON; unknown values are ``"unknown"``."""
    return {
        "verdict": str(plan.verdict),
        "objects": [
            {
                "object": forecast.object,
                "verdict": str(verdict),
                "readable": forecast.refusal is None,
                "reason": forecast.refusal,
                "primary_key": list(forecast.primary_key),
                "cursor": forecast.cursor,
                "mode": forecast.mode.value,
                "api": "rest" if forecast.lane.rest else "bulk",
                "api_reason": forecast.lane.reason,
                "windows": forecast.windows,
                "jobs": forecast.jobs,
                "rows": _known(forecast.rows),
                "pages": _known(forecast.pages),
                "megabytes": _known(None if forecast.megabytes is None else round(forecast.megabytes, 3)),
            }
            for forecast, verdict in zip(plan.objects, plan.verdicts, strict=True)
        ]
        + [
            {"object": name, "readable": False, "code": left.code, "reason": left.reason}
            for name, left in sorted(plan.left_out.items())
        ],
        "totals": {
            "windows": sum(forecast.windows for forecast in plan.objects),
            "jobs": sum(forecast.jobs for forecast in plan.objects),
            "api_calls": _known(plan.calls),
            "api_calls_without_polls": _known(plan.calls_without_polls),
            "megabytes": _known(plan.totals[_LIMITS[2]]),
        },
        **({"files": [_files_as_json(found) for found in plan.files]} if plan.files else {}),
        "limits": {name: None if limit is None else asdict(limit) for name, limit in plan.left.items()},
    }


def _files_as_json(found: FilesForecast) -> dict[str, Any]:
    known = {"files": found.files, "bytes": found.bytes, "api_calls": found.calls}
    return {"object": found.object, **{name: _known(value) for name, value in known.items()}}


def as_text(plan: ExportPlan) -> str:
    """Return the plan as tables."""
    headings = ["object", "key", "cursor", ">windows", ">rows", ">pages", ">MB, about", "verdict"]
    rows = [
        [
            forecast.object,
            ", ".join(forecast.primary_key) or "-",
            forecast.cursor or "full refresh",
            f"{forecast.windows:,}",
            number(forecast.rows),
            number(forecast.pages),
            number(forecast.megabytes, 1),
            str(verdict),
        ]
        for forecast, verdict in zip(plan.objects, plan.verdicts, strict=True)
    ]
    lines = [table(headings, rows)]
    lines += [
        f"{forecast.object}: read through {forecast.lane}"
        for forecast in plan.objects
        if forecast.lane.rest or forecast.lane.chosen
    ]
    lines += map(str, plan.files)
    lines += [f"Left out: {name}: {left.reason}" for name, left in sorted(plan.left_out.items())]
    if any(forecast.rows and forecast.jobs for forecast in plan.objects):
        lines.append("Rows of a whole object are Salesforce's estimate, without deleted and archived ones.")
    lines += ["", _use_of_limits(plan)]
    if plan.calls is None and plan.calls_without_polls is not None:
        calls_known = f"{plan.calls_without_polls:,}"
        lines.append(f"API calls: {calls_known} plus the polls, whose number depends on Salesforce's speed.")
    return "\n".join([*lines, "", f"This export {plan.verdict}."])


def _use_of_limits(plan: ExportPlan) -> str:
    rows = []
    for name, limit in plan.left.items():
        use = plan.totals[name]
        left = (limit.remaining, limit.maximum) if limit is not None else (None, None)
        rows.append([name, number(use, 1 if isinstance(use, float) else 0), *map(number, left)])
    return table(["limit", ">this export", ">left today", ">a day"], rows)


def _known(value: float | None) -> float | str:
    return UNKNOWN if value is None else value
