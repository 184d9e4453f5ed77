"""A whole extraction over :class:`FakeSalesforce`: real jobs, pages and failures, without threads or waiting."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.extraction.metrics import RunMetrics
from source_salesforce_bulk.extraction.object_read import ObjectRead
from source_salesforce_bulk.extraction.plan import ObjectPlan, begin
from source_salesforce_bulk.extraction.query_job import JobPolicy
from source_salesforce_bulk.extraction.run_context import RunContext
from source_salesforce_bulk.extraction.salesforce_org import SalesforceOrg
from source_salesforce_bulk.extraction.stream_state import Mode, StreamState, read_state
from source_salesforce_bulk.extraction.windows import PlannedWindow
from source_salesforce_bulk.pages.encoders import record_lines
from source_salesforce_bulk.pages.fetch import Page, PageFetcher
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.pages.workspace import MemoryBudget, Workspace
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.failures import Failure, SalesforceError
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.soql import ObjectQuery
from source_salesforce_bulk.salesforce.transport import Transport
from unit_tests.fake_salesforce import INSTANCE, USER, FakeSalesforce, Row
from unit_tests.fakes import FakeClock, FakeTokens, HeldCalls

UPPER = datetime(2026, 11, 23, 2, tzinfo=UTC)
FIELDS = ("Id", "Name", "SystemModstamp")
SCOPE = "sha256:scope"
STEPS = 20_000
"""More turns than any read of these tests can need: a run that takes them goes nowhere."""


def object_plan(name: str, mode: Mode, state: StreamState | None = None, **changes: Any) -> ObjectPlan:
    """A plan that reads every field of an object, three rows to a page."""
    query = ObjectQuery(
        object_name=name,
        fields=FIELDS,
        operation="queryAll",
        cursor_field="SystemModstamp",
        cursor_nillable=True,
        where=None,
        exclude_deleted=False,
    )
    plan = ObjectPlan(
        query=query,
        columns=tuple(Column(field, CellKind.STRING) for field in FIELDS),
        mode=mode,
        state=state or StreamState(mode=mode, scope=SCOPE),
        start=None,
        lookback=timedelta(0),
        api_version="v66.0",
        page_size=3,
    )
    return replace(plan, **changes)


@dataclass
class ObjectRun:
    """One object's read as its owner sees it: the rows emitted so far and, beside each state, how many they were."""

    plan: ObjectPlan
    read: ObjectRead
    rows: list[tuple[str, ...]] = field(default_factory=list)
    states: list[tuple[int, dict[str, object]]] = field(default_factory=list)
    failure: Failure | None = None
    _version: int = 0

    @property
    def ended(self) -> bool:
        return self.failure is not None or self.read.finished

    @property
    def state(self) -> dict[str, object]:
        """The newest state that was emitted."""
        return self.states[-1][1] if self.states else {}

    def note_state(self) -> None:
        if self.read.version != self._version:
            self._version = self.read.version
            self.states.append((len(self.rows), self.read.state.to_json("SystemModstamp")))


class ExtractionRig:
    """One run, whose pages lie on disk beyond ``memory``.

    Objects are added by mode; :meth:`read_all` then does what a stream and its interleaving would.
    """

    def __init__(
        self,
        directory: Path,
        objects: Mapping[str, Sequence[Row]] | None = None,
        *,
        salesforce: FakeSalesforce | None = None,
        jobs: int = 4,
        job_timeout: float = 60.0,
        calls: Callable[[FakeClock], HeldCalls] = HeldCalls,
        random01: Callable[[], float] = lambda: 0.5,
        memory: int = 0,
    ) -> None:
        self.directory = directory
        self.workspace = Workspace(directory, MemoryBudget(memory))
        self.salesforce = salesforce or FakeSalesforce(FakeClock(), objects or {})
        self.clock = self.salesforce.clock
        self.calls = calls(self.clock)
        self.metrics = RunMetrics()
        tokens = FakeTokens(base=INSTANCE)
        transport = Transport(Caller(self.salesforce, self.clock, random01), tokens, self.metrics)
        pages = PageFetcher(transport, self.workspace, self.clock, random01)
        org = SalesforceOrg(transport, pages, self.clock, lambda: USER, "run-1")
        run = RunContext("run-1", self.clock, random01, jobs, JobPolicy(job_timeout), self.metrics)
        self.extraction = Extraction(org, self.calls, run)
        self.runs: list[ObjectRun] = []

    def add(
        self,
        name: str,
        mode: Mode,
        blob: Mapping[str, object] | None = None,
        windows: Sequence[PlannedWindow] = (),
        **changes: Any,
    ) -> ObjectRun:
        """Begin to read an object from a state as JSON, in the windows that follow from it, or in ``windows``."""
        incoming = read_state(blob, mode, "SystemModstamp", SCOPE)
        beginning = begin(object_plan(name, mode, incoming.state, **changes), incoming, lambda: UPPER)
        if windows:
            beginning = replace(beginning, windows=tuple(windows))
        run = ObjectRun(beginning.plan, self.extraction.begin(beginning, partial(record_lines, name)))
        self.runs.append(run)
        return run

    def turn(self, run: ObjectRun) -> bool:
        """One page of one object, if it has one: rows first, then the state that covers them."""
        try:
            ready = self.extraction.next_page(run.read)
            if ready is not None:
                run.rows += rows_of(ready.page)
                self.extraction.handed_on(run.read, ready)
        except SalesforceError as error:
            run.failure = error.failure
            ready = None
        run.note_state()
        return ready is not None or run.ended

    def read_all(self, turns: int = STEPS) -> bool:
        """Read on until every object has ended, or ``turns`` are over; whether all have ended."""
        for _ in range(turns):
            coming = [run for run in self.runs if not run.ended]
            if not coming:
                return True
            if not sum(self.turn(run) for run in coming):
                self.extraction.wait(1.0)
        assert turns < STEPS, f"no end in sight: {self.extraction.describe_waiting()}"
        return False

    def close(self) -> None:
        """End the run as its owner does: what an emitted state names is kept."""
        self.extraction.close(self.named(), 600.0)

    def named(self) -> set[str]:
        """The jobs that the newest emitted states name."""
        return {point["job"] for run in self.runs for point in run.state.get("resume", ())}

    def files(self) -> list[str]:
        """Pages on disk."""
        return [path.name for path in self.directory.iterdir()]


def rows_of(page: Page) -> list[tuple[str, ...]]:
    """The rows of a page, as text and in the order of ``FIELDS``; a null is empty."""
    lines = b"".join(bytes(block.lines) for block in page.encoded.product.take().blocks)
    data = [json.loads(line)["record"]["data"] for line in lines.split(b"\n")[:-1]]
    return [tuple(row.get(field, "") for field in FIELDS) for row in data]


def read_one(rig: ExtractionRig, name: str, mode: Mode, **changes: Any) -> ObjectRun:
    """Add one object, read it to its end, and close."""
    run = rig.add(name, mode, **changes)
    rig.read_all()
    rig.close()
    return run


__all__ = ["SCOPE", "UPPER", "ExtractionRig", "ObjectRun", "Stopped", "object_plan", "read_one"]
