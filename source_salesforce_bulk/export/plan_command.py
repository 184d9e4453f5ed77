"""``salesforce-bulk plan``: what an export would do, against what the org has left. It reads no row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from source_salesforce_bulk.export import places
from source_salesforce_bulk.export.forecast import ObjectForecast, calls, calls_without_polls, forecast_object
from source_salesforce_bulk.export.missed_objects import nothing_to_export
from source_salesforce_bulk.export.outcomes import ExportFailed
from source_salesforce_bulk.export.session import Session, new_run_id
from source_salesforce_bulk.export.storage_failures import unusable_state
from source_salesforce_bulk.extraction.catalog import ReadableObject, survey_objects
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.org import Org
from source_salesforce_bulk.extraction.selection import object_query, select_fields
from source_salesforce_bulk.extraction.stream_state import StateError
from source_salesforce_bulk.extraction.windows import WHOLE
from source_salesforce_bulk.registries.state import StateRegistry, UnreadableProgress, organization_key
from source_salesforce_bulk.salesforce.failures import Action, Consequence, SalesforceError
from source_salesforce_bulk.salesforce.rest_api import Limit
from source_salesforce_bulk.salesforce.row_counts import RowCounts
from source_salesforce_bulk.salesforce.soql import build_soql
from source_salesforce_bulk.signals import Stop

UNKNOWN = "unknown"

_LIMITS = ("DailyApiRequests", "DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB")


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The command line, as it was written."""

    config: str
    objects: Sequence[str]
    state: str | None
    confirm: bool
    as_json: bool


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """The plan of an export. ``left`` are the org's daily limits as they stand, by Salesforce's names."""

    objects: tuple[ObjectForecast, ...]
    left_out: Mapping[str, str]
    calls: int | None
    calls_without_polls: int | None
    left: Mapping[str, Limit | None]

    @property
    def totals(self) -> dict[str, float | None]:
        """What the export would use, in the order of the limits: calls, jobs, megabytes."""
        sizes = [one.megabytes for one in self.objects]
        megabytes = None if None in sizes else sum(size or 0 for size in sizes)
        jobs = sum(one.jobs for one in self.objects)
        return dict(zip(_LIMITS, (self.calls, jobs, megabytes), strict=True))


def run_plan(options: PlanOptions, stop: Stop) -> int:
    """Run the command; its exit code."""
    session = Session(stop, new_run_id(datetime.now(UTC)))
    session.begin()
    return session.ended(lambda: _plan(options, session))


def _plan(options: PlanOptions, session: Session) -> int:
    states = places.state_registry(options.state, session.clock) if options.state else None
    with session.connect(options.config, options.objects) as connection:
        plan = make_plan(connection, states, confirm=options.confirm)
    if options.as_json:
        click.echo(json.dumps(as_json(plan), indent=2))
    else:
        print_plan(Console(), plan)
    return 0


def make_plan(connection: Connection, states: StateRegistry | None, *, confirm: bool) -> ExportPlan:
    """The plan of exporting what the configuration names, from where ``states`` say that it stands.

    Raises ``ExportFailed`` where no object matches or a state is of no use, ``SalesforceError``, and what reaching the
    registry raises.
    """
    connection.log_in()
    limits = connection.limits()
    try:
        survey = survey_objects(connection.discovery, connection.config)
    except ValueError as error:
        raise ExportFailed(Consequence.CONFIG, f"object_overrides: {error}") from error
    if not survey.objects and survey.left_out == survey.missed:
        raise nothing_to_export(survey, connection.config.objects)
    names = [one.sobject.name for one in survey.objects]
    counts = RowCounts(connection.discovery.record_counts, names, connection.clock)
    org = connection.org()
    forecasts = [_forecast(connection, org, one, states, counts.of(one.sobject.name)) for one in survey.objects]
    # Up to here the org was asked what an export asks it before its first job.
    without_polls = calls_without_polls(forecasts, connection.metrics.calls)
    jobs = sum(one.jobs for one in forecasts)
    if confirm:
        forecasts = _confirmed(connection, org, survey.objects, forecasts)
    daily = (limits.api_requests, limits.query_jobs, limits.query_result_mb) if limits else (None, None, None)
    return ExportPlan(
        objects=tuple(forecasts),
        left_out={one.name: one.reason for one in survey.left_out},
        calls=calls(without_polls, jobs),
        calls_without_polls=without_polls,
        left=dict(zip(_LIMITS, daily, strict=True)),
    )


def _forecast(
    connection: Connection, org: Org, one: ReadableObject, states: StateRegistry | None, rows: int | None
) -> ObjectForecast:
    """The forecast of an object from where the registry says that it stands."""
    name, organization = one.sobject.name, organization_key(connection.log_in().organization_id)
    try:
        state = states.progress(organization, name).state if states is not None else {}
        return forecast_object(connection, org, one, state, rows)
    except (StateError, UnreadableProgress) as error:
        raise unusable_state(error, name) from error


def _confirmed(
    connection: Connection, org: Org, objects: Sequence[ReadableObject], forecasts: Sequence[ObjectForecast]
) -> list[ObjectForecast]:
    """Each forecast with what the org says to a job for one row of the object, with all its fields.

    Only what the user could mend about this object is an answer; raises ``SalesforceError`` for anything else.
    """

    def refusal(one: ReadableObject) -> str | None:
        selection = select_fields(one.sobject, None, ())
        config = connection.config
        query = object_query(
            one.sobject, selection.columns, one.cursor, where=one.where, include_deleted=config.include_deleted
        )
        try:
            soql = f"{build_soql(query, WHOLE)} LIMIT 1"
            job = org.create(config.api_version, soql, query.operation, one.sobject.name)
        except SalesforceError as error:
            failure = error.failure
            if failure.consequence is not Consequence.CONFIG or failure.action is Action.STOP_RUN:
                raise
            return failure.summary
        org.abort(config.api_version, job.id, one.sobject.name)
        return None

    with ThreadPoolExecutor(min(connection.config.max_concurrent_jobs, 20), "confirm") as pool:
        refusals = list(pool.map(refusal, objects))
    return [replace(one, refusal=why) for one, why in zip(forecasts, refusals, strict=True)]


def as_json(plan: ExportPlan) -> dict[str, Any]:
    """The plan as JSON; what nobody knows is ``"unknown"``."""
    return {
        "objects": [
            {
                "object": one.object,
                "readable": one.refusal is None,
                "reason": one.refusal,
                "primary_key": list(one.primary_key),
                "cursor": one.cursor,
                "mode": one.mode.value,
                "windows": one.windows,
                "jobs": one.jobs,
                "rows": _known(one.rows),
                "pages": _known(one.pages),
                "megabytes": _known(None if one.megabytes is None else round(one.megabytes, 3)),
            }
            for one in plan.objects
        ]
        + [{"object": name, "readable": False, "reason": reason} for name, reason in sorted(plan.left_out.items())],
        "totals": {
            "windows": sum(one.windows for one in plan.objects),
            "jobs": sum(one.jobs for one in plan.objects),
            "api_calls": _known(plan.calls),
            "api_calls_without_polls": _known(plan.calls_without_polls),
            "megabytes": _known(plan.totals[_LIMITS[2]]),
        },
        "limits": {name: None if limit is None else asdict(limit) for name, limit in plan.left.items()},
    }


def print_plan(console: Console, plan: ExportPlan) -> None:
    """The plan as tables."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("object", "key", "cursor"):
        table.add_column(name)
    for name in ("windows", "rows", "pages", "MB, about"):
        table.add_column(name, justify="right")
    table.add_column("can be read")
    for one in plan.objects:
        table.add_row(
            one.object,
            ", ".join(one.primary_key) or "-",
            one.cursor or "full refresh",
            f"{one.windows:,}",
            _shown(one.rows),
            _shown(one.pages),
            _shown(one.megabytes, 1),
            Text(one.refusal or "yes"),  # Salesforce's words may hold square brackets
        )
    console.print(table)
    for name, reason in sorted(plan.left_out.items()):
        console.print(f"Left out: {name}: {reason}", soft_wrap=True, highlight=False, markup=False)
    console.print()
    console.print(_use_of_limits(plan))
    if plan.calls is None and plan.calls_without_polls is not None:
        console.print(
            f"API calls: {plan.calls_without_polls:,} and the polls, whose number depends on Salesforce's speed."
        )


def _use_of_limits(plan: ExportPlan) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("limit")
    for name in ("this export", "left today", "a day"):
        table.add_column(name, justify="right")
    for name, limit in plan.left.items():
        use = plan.totals[name]
        left = (_shown(limit.remaining), _shown(limit.maximum)) if limit is not None else (UNKNOWN, UNKNOWN)
        table.add_row(name, _shown(use, 1 if isinstance(use, float) else 0), *left)
    return table


def _known(value: float | None) -> float | str:
    return UNKNOWN if value is None else value


def _shown(value: float | None, digits: int = 0) -> str:
    return UNKNOWN if value is None else f"{value:,.{digits}f}"
