"""The forecast of an export: what each object would cost, and whether the run would finish.

The windows come from the same planner as in an export, with the same few queries that an export sends before its first
jobs (is this window empty, where to split that large object).

A verdict says whether an export would finish, would stop at the reserve of the org's limits, or cannot be read. The
usage of each limit is added up in the order in which objects begin. It is a lower bound if rows or polls are not known.
So "would stop" is certain, while "would finish" ignores what other programs use in the meantime.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from source_salesforce_bulk.deletions.audit import is_due
from source_salesforce_bulk.deletions.delete_log import is_current
from source_salesforce_bulk.deletions.known_ids import KnownIds
from source_salesforce_bulk.export.outcomes import ExitCode
from source_salesforce_bulk.extraction.catalog import ReadableObject
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.cuts import Piece, find_pieces
from source_salesforce_bulk.extraction.new_fields import new_fields
from source_salesforce_bulk.extraction.org import Org
from source_salesforce_bulk.extraction.plan import (
    ObjectPlan,
    ObjectRequest,
    Planner,
    begin,
    expected_rows,
    may_be_large,
    probe_pays,
)
from source_salesforce_bulk.extraction.policies import remembered_values, values_are_due
from source_salesforce_bulk.extraction.query_job import JobPolicy, polls_until
from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER, Mode
from source_salesforce_bulk.extraction.windows import PlannedWindow
from source_salesforce_bulk.salesforce.describe import SObject
from source_salesforce_bulk.salesforce.failures import Action, SalesforceError
from source_salesforce_bulk.salesforce.field_types import CellKind, field_type
from source_salesforce_bulk.salesforce.lanes import BULK, Lane
from source_salesforce_bulk.salesforce.rest_api import Limit

CALLS_PER_JOB = 2
"""Create and delete. Polls are not included: their number depends on how long Salesforce takes."""

CALLS_FOR_LOG = 2
"""The log of deletions, and the query for the rows that it names, if any."""

POLLS_PER_JOB = tuple(polls_until(seconds, JobPolicy(job_timeout=600.0)) for seconds in (0.0, 600.0))
"""The polls of a job that is complete at once, and of a job that takes ten minutes."""

TOLERANCE = 0.1
"""A number is given only if its relative error is at most this."""

# Approximate number of characters of a cell in a result. Long text fields are mostly short or empty.
_CELL_WIDTHS: Mapping[CellKind, int] = {
    CellKind.STRING: 18,
    CellKind.BOOLEAN: 5,
    CellKind.INTEGER: 4,
    CellKind.NUMBER: 7,
    CellKind.DATE: 10,
    CellKind.DATETIME: 24,
    CellKind.TIME: 13,
}
_QUOTES_AND_COMMA = 3


@dataclass(frozen=True, slots=True)
class ObjectForecast:
    """The forecast for one object. None means unknown.

    ``rows`` is Salesforce's estimate if the whole object is read; ``megabytes`` is a rough estimate from the fields.
    ``spared`` windows hold so few rows that the query for them returns them all. ``comparisons`` are jobs of
    all Ids, of all formulas, or of rows with a value in a new field; how much is read again is not known in advance.
    ``log_calls`` is the maximum number of calls for the log of deletions.
    """

    object: str
    mode: Mode
    primary_key: tuple[str, ...]
    cursor: str | None
    windows: int
    rows: int | None
    pages: int | None
    megabytes: float | None
    refusal: str | None = None
    lane: Lane = BULK
    spared: int = 0
    comparisons: int = 0
    log_calls: int = 0

    @property
    def jobs(self) -> int:
        """Query jobs that will be created or continued: one for each window with a job, and one per comparison."""
        return 0 if self.lane.rest else self.windows - self.spared + self.comparisons


def forecast_object(
    connection: Connection, org: Org, readable: ReadableObject, state: Mapping[str, object], rows: int | None
) -> ObjectForecast:
    """Return the cost of exporting an object from ``state``; raises ``StateError`` and ``SalesforceError``."""
    config = connection.config
    mode = Mode.INCREMENTAL if readable.cursor else Mode.FULL_REFRESH
    blob = {} if state == COMPLETE_MARKER else state
    planner = Planner(config, connection.log_in().organization_id)
    plan, incoming = planner.plan(ObjectRequest(readable, rows=rows), mode, blob)
    beginning = begin(plan, incoming, connection.upper_bound)
    planned = [_pieces(org, plan, window) for window in beginning.windows]
    pieces = [piece for pieces in planned for piece in pieces.all]
    spared = [piece for pieces in planned if pieces.spared for piece in pieces.all]
    known = [piece.rows for piece in pieces if piece.rows is not None]
    total = sum(known) if len(known) == len(pieces) else None
    fetched = [piece for piece in pieces if piece not in spared]
    counted = total is not None and plan.lane.parents is None
    pages = sum(_pages(piece, plan.page_size) for piece in fetched) if counted else None
    now = connection.upper_bound()
    audits = _audits(plan, now) if beginning.windows else 0
    comparisons = audits + _refreshes(plan, now) + _backfills(plan) if beginning.windows else 0
    if comparisons and pages is not None:
        pages = None if rows is None else pages + comparisons * -(-rows // plan.page_size)
    return ObjectForecast(
        object=readable.sobject.name,
        mode=mode,
        primary_key=readable.primary_key,
        cursor=readable.cursor_field,
        windows=len(pieces),
        rows=total,
        pages=pages,
        megabytes=None if total is None else total * row_width(readable.sobject) / 1e6,
        lane=plan.lane,
        spared=len(spared),
        comparisons=comparisons,
        log_calls=0 if audits or not beginning.windows else _log_calls(plan, now),
    )


def _audits(plan: ObjectPlan, now: datetime) -> int:
    """Return how often the run will compare all Ids of the object: if there is no memory yet, or if it is due."""
    if plan.audit is None:
        return 0
    try:
        known = KnownIds.from_json(plan.state.deletes)
    except ValueError:
        return 1
    return int(is_due(known, now, plan.audit.every))


def _log_calls(plan: ObjectPlan, now: datetime) -> int:
    """Return the maximum number of calls for the log of deletions, in a run without an audit."""
    if plan.audit is None or not plan.audit.logged:
        return 0
    return 0 if is_current(KnownIds.from_json(plan.state.deletes), now) else CALLS_FOR_LOG


def _refreshes(plan: ObjectPlan, now: datetime) -> int:
    """Return how often the run will read all values of formulas: before the first row of an object, and after rows."""
    known = {policy: remembered_values(plan.state, policy) for policy in plan.refresh}
    first = sum(values is None and plan.state.cursor is None for values in known.values())
    later = sum(
        not (policy.daily and plan.state.cursor is None) and values_are_due(values, policy, now)
        for policy, values in known.items()
    )
    return first + later


def _backfills(plan: ObjectPlan) -> int:
    """Return 1 if the run will read rows again because a field is new."""
    return int(plan.backfill is not None and bool(new_fields(plan.backfill, plan.state)))


@dataclass(frozen=True, slots=True)
class _Pieces:
    """The pieces of a window. ``spared``: it needs no job, because its probe returns all rows."""

    all: tuple[Piece, ...]
    spared: bool = False


def row_width(sobject: SObject) -> int:
    """Return the approximate number of bytes of a row in a result."""
    return sum(
        _CELL_WIDTHS[field_type(field.type).kind] + _QUOTES_AND_COMMA
        for field in (*sobject.fields, *sobject.folded)
        if not field.parts
    )


def _pieces(org: Org, plan: ObjectPlan, window: PlannedWindow) -> _Pieces:
    """Return the pieces in which a window is read; none if the window is empty in the org."""
    if window.resume is None and probe_pays(plan.state, window.bounds):
        rows = _rows_within(org, plan, window)
        few = rows is not None and rows < plan.rest_question(window.bounds).rows
        return _Pieces((Piece(window.bounds, rows),) if rows != 0 else (), spared=few and not plan.lane.rest)
    if window.resume is None and may_be_large(plan, window.bounds):
        return _Pieces(find_pieces(org, plan, window.bounds))
    return _Pieces((Piece(window.bounds, None if window.resume else expected_rows(plan, window.bounds)),))


def _rows_within(org: Org, plan: ObjectPlan, window: PlannedWindow) -> int | None:
    """Return the number of rows of a window. If the query fails, an export creates the job."""
    try:
        return org.rows_within(plan.query, window.bounds, plan.api_version)
    except SalesforceError as error:
        if error.failure.action is Action.STOP_RUN:
            raise
        return None


def _pages(piece: Piece, page_size: int) -> int:
    return max(1, -(-(piece.rows or 0) // page_size))


def calls_without_polls(forecasts: list[ObjectForecast], asked: int) -> int | None:
    """Return the API calls of an export without polls; ``asked`` are those before its first job."""
    pages = [forecast.pages for forecast in forecasts]
    if any(count is None for count in pages):
        return None
    jobs = sum(forecast.jobs for forecast in forecasts)
    log_calls = sum(forecast.log_calls for forecast in forecasts)
    return asked + jobs * CALLS_PER_JOB + sum(count or 0 for count in pages) + log_calls


def least_calls(forecast: ObjectForecast) -> float:
    """Return the minimum API calls of an object: jobs that are complete at once, with one page each."""
    pages = forecast.jobs if forecast.pages is None else forecast.pages
    log = 1 if forecast.log_calls else 0
    return float(forecast.jobs * (CALLS_PER_JOB + POLLS_PER_JOB[0]) + pages + log)


def calls(without_polls: int | None, jobs: int) -> int | None:
    """Return all API calls if polls cannot change the number by more than :data:`TOLERANCE`, else None."""
    if without_polls is None:
        return None
    low, high = (without_polls + jobs * polls for polls in POLLS_PER_JOB)
    middle = (low + high) // 2
    return middle if all(abs(middle - end) <= TOLERANCE * end for end in (low, high)) else None


class Ending(Enum):
    """The expected ending of an object's export."""

    FINISH = "would finish"
    RESERVE = "would stop at the reserve"
    UNREADABLE = "cannot be read"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The expected ending of an export, and the reason if it would not finish."""

    ending: Ending
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.ending.value}: {self.reason}" if self.reason else self.ending.value


@dataclass(frozen=True, slots=True)
class Use:
    """The minimum usage of one object, by the names of the org's limits; ``refusal``: why it cannot be read."""

    object: str
    amounts: Mapping[str, float]
    refusal: str | None = None


def verdicts(uses: Sequence[Use], left: Mapping[str, Limit | None], reserve_percent: int) -> Iterator[Verdict]:
    """Yield the verdict on each object, in order. ``left`` has the org's remaining limits; None if unknown."""
    spent: dict[str, float] = dict.fromkeys(left, 0.0)
    for use in uses:
        if use.refusal is not None:
            yield Verdict(Ending.UNREADABLE, use.refusal)
            continue
        for name, amount in use.amounts.items():
            spent[name] = spent.get(name, 0.0) + amount
        reasons = (_exceeded(name, limit, spent[name], reserve_percent) for name, limit in left.items())
        reason = next(filter(None, reasons), None)
        yield Verdict(Ending.RESERVE, reason) if reason else Verdict(Ending.FINISH)


def overall(found: Sequence[Verdict]) -> Verdict:
    """Return the verdict on the run: a stop that another run can continue comes before one that needs the user."""
    for ending in (Ending.RESERVE, Ending.UNREADABLE):
        matching = [verdict for verdict in found if verdict.ending is ending]
        if matching:
            return matching[0]
    return Verdict(Ending.FINISH)


def plan_code(verdict: Verdict) -> ExitCode:
    """Return the exit code of a plan, which is that of the predicted export."""
    match verdict.ending:
        case Ending.FINISH:
            return ExitCode.DONE
        case Ending.RESERVE:
            return ExitCode.RUN_AGAIN
        case Ending.UNREADABLE:
            return ExitCode.SOME_FAILED


def _exceeded(name: str, limit: Limit | None, spent: float, reserve_percent: int) -> str | None:
    """Return why ``spent`` exceeds a limit; None if it does not. An org with a maximum of 0 does not count."""
    if limit is None or limit.maximum <= 0:
        return None
    reserve = -(-limit.maximum * max(reserve_percent, 0) // 100)
    if limit.remaining - spent >= reserve:
        return None
    kept = f"{reserve:,} of {limit.maximum:,} are kept in reserve (daily_limit_reserve_percent {reserve_percent})"
    return f"{limit.remaining:,} {name} are left, {spent:,.0f} would be used, and {kept}"
