"""When values of formulas are read, and which rows are read again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from source_salesforce_bulk.extraction.formula_watch import FormulaWatch
from source_salesforce_bulk.extraction.interleaving import TurnOver
from source_salesforce_bulk.extraction.plan import Beginning, ObjectPlan
from source_salesforce_bulk.extraction.policies import RefreshPolicy
from source_salesforce_bulk.extraction.reconciliation import Reconciliation
from source_salesforce_bulk.extraction.stream_state import Mode, ResumePoint, StreamState
from source_salesforce_bulk.extraction.windows import WHOLE, PlannedWindow
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.ids import id_18, number_id
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery

FIRST, CURSOR = datetime(2026, 8, 1, 12, tzinfo=UTC), datetime(2026, 8, 2, 12, tzinfo=UTC)
LOOKBACK = timedelta(minutes=10)
POLICY = RefreshPolicy(
    "values", (Column("Id", CellKind.STRING), Column("Title__c", CellKind.STRING)), daily=False
)  # fmt: skip
WINDOW = PlannedWindow(Bounds(None, CURSOR, None, None))
CHANGED = PlannedWindow(Bounds(FIRST - LOOKBACK, CURSOR, None, None), extra="values")


class Org:
    """An extraction of rows by their number, which all come in one page of whatever is read."""

    def __init__(self, titles: dict[int, str]) -> None:
        self.titles = titles
        self.read: list[tuple[str, ...]] = []

    def begin(self, beginning: Beginning, _encode: Any) -> Any:
        self.read.append(beginning.plan.query.fields)
        return SimpleNamespace(finished=False, repeated_rows=0)

    def next_page(self, _read: Any) -> Any:
        lines = "".join(f'{{"Id":"{row_id(at)}","Title__c":"{title}"}}\n' for at, title in self.titles.items()).encode()
        product = SimpleNamespace(blocks=[SimpleNamespace(lines=lines)])
        return SimpleNamespace(
            page=SimpleNamespace(encoded=SimpleNamespace(product=SimpleNamespace(take=lambda: product)))
        )

    def handed_on(self, read: Any, _ready: Any) -> None:
        read.finished = True

    def drop(self, _read: Any) -> None:
        """Nothing is held."""


def row_id(at: int) -> str:
    return id_18(number_id(10**20 + at))


def plan(state: StreamState) -> ObjectPlan:
    query = ObjectQuery("Project__c", ("Id", "Title__c", "SystemModstamp"), "queryAll", "SystemModstamp")
    return ObjectPlan(query, (), Mode.INCREMENTAL, state, None, LOOKBACK, "v66.0", 100, ("Id",), refresh=(POLICY,))


def watch(org: Org, state: StreamState) -> FormulaWatch:
    return FormulaWatch(plan(state), POLICY, org, lambda: CURSOR)  # type: ignore[arg-type]


def result(turns: Any) -> Any:
    """Return what a generator of turns returns."""
    try:
        while True:
            assert isinstance(next(turns), TurnOver)
    except StopIteration as end:
        return end.value


def settled(org: Org, cursor: datetime = FIRST) -> StreamState:
    """The state of a run that ended with everything delivered up to ``cursor``."""
    first = watch(org, StreamState(Mode.INCREMENTAL))
    result(first.first())
    first.settle(cursor)
    return StreamState(Mode.INCREMENTAL, cursor=cursor, formulas={"values": first.memory})


def test_the_rows_of_a_range_that_moved_are_read_again_up_to_the_cursor():
    org = Org(dict.fromkeys(range(100), "a"))
    state = settled(org)
    org.titles[40] = "b"
    (window,) = result(watch(org, state).moved(CURSOR))
    assert (window.extra, window.bounds.end, window.bounds.start) == ("values", CURSOR, None)
    assert window.bounds.id_from <= row_id(40) < window.bounds.id_to
    assert org.read[-1] == ("Id", "Title__c")


def test_rows_of_a_run_that_ended_before_its_comparison_are_read_again_by_their_dates():
    org = Org(dict.fromkeys(range(100), "a"))
    state = settled(org)
    assert result(watch(org, state).moved(CURSOR)) == ()
    later = replace(state, cursor=FIRST + timedelta(hours=1))
    assert result(watch(org, later).moved(CURSOR)) == (CHANGED,)
    point = ResumePoint("750", "x", 1, 5, WINDOW.bounds, "v66.0", 100, "q")
    assert result(watch(org, replace(state, resume=(point,))).moved(CURSOR)) == (CHANGED,)


def test_of_other_formulas_nothing_is_known_so_all_rows_are_read_again():
    org = Org(dict.fromkeys(range(100), "a"))
    state = settled(org)
    other = replace(POLICY, columns=(*POLICY.columns, Column("More__c", CellKind.STRING)))
    seen = FormulaWatch(plan(state), other, org, lambda: CURSOR)  # type: ignore[arg-type]
    assert result(seen.moved(CURSOR)) == (PlannedWindow(replace(WHOLE, end=CURSOR), extra="values"),)


def test_a_window_that_was_split_by_date_leaves_its_ranges_pending():
    org = Org(dict.fromkeys(range(100), "a"))
    state = settled(org)
    org.titles = dict.fromkeys(range(100), "b")
    seen = watch(org, state)
    result(seen.moved(CURSOR))
    seen.delivered(Bounds(None, FIRST, None, None))
    assert "pending" in (seen.memory or {})
    seen.delivered(Bounds(None, CURSOR, None, None))
    assert "pending" not in (seen.memory or {})


def test_the_first_values_are_read_before_the_first_row():
    org = Org({1: "a"})
    state = StreamState(Mode.INCREMENTAL)
    beginning = Beginning(plan(state), (WINDOW,))
    steps = Reconciliation(beginning, org, lambda: CURSOR).steps()  # type: ignore[arg-type]
    assert isinstance(next(steps), TurnOver)
    assert org.read == [("Id", "Title__c")]
    assert next(steps) == beginning


def test_where_rows_were_delivered_without_values_they_come_first():
    org = Org({1: "a"})
    beginning = Beginning(plan(StreamState(Mode.INCREMENTAL, cursor=FIRST)), (WINDOW,))
    steps = Reconciliation(beginning, org, lambda: CURSOR).steps()  # type: ignore[arg-type]
    assert next(steps) == beginning
    assert not org.read


def test_windows_that_an_earlier_run_left_come_before_all_others():
    point = ResumePoint("750", "x", 1, 5, WINDOW.bounds, "v66.0", 100, "q", "values")
    left = PlannedWindow(point.bounds, point, "values")
    state = replace(settled(Org({1: "a"})), resume=())
    beginning = Beginning(plan(state), (WINDOW,), extra=(left,))
    (first, *_) = Reconciliation(beginning, Org({}), lambda: CURSOR).steps()  # type: ignore[arg-type]
    assert isinstance(first, Beginning)
    assert (first.windows, first.plan.state.resume) == ((left,), (point,))
