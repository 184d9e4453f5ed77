"""Ask the org for something that is not emitted: some columns of every row of an object, or the result of a call.

The columns are read by one query job, in order to compare them. A later run does not continue such a read. If a page
would be repeated because its job was lost, the read begins again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Protocol, TypeVar

from source_salesforce_bulk.extraction.calls import failure_in
from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.extraction.interleaving import TURN_OVER, TurnOver
from source_salesforce_bulk.extraction.object_read import ObjectRead
from source_salesforce_bulk.extraction.plan import Beginning, ObjectPlan
from source_salesforce_bulk.extraction.stream_state import Mode, StreamState
from source_salesforce_bulk.extraction.windows import plan_full_refresh
from source_salesforce_bulk.pages.encoders import object_lines
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError

_TRIES = 3


class Collector(Protocol):
    """Receives the rows of one read, each exactly once, as JSON lines."""

    def add(self, lines: bytes | memoryview) -> None:
        """Add some rows."""
        ...


C = TypeVar("C", bound=Collector)
T = TypeVar("T")


def narrowed(plan: ObjectPlan, columns: tuple[Column, ...]) -> ObjectPlan:
    """Return a plan that reads only ``columns``, of every row of the object's filter, and emits nothing."""
    return replace(
        plan,
        query=replace(plan.query, fields=tuple(column.name for column in columns)),
        columns=columns,
        mode=Mode.FULL_REFRESH,
        state=StreamState(Mode.FULL_REFRESH),
        hashing=None,
        audit=None,
        refresh=(),
        backfill=None,
        delivers=False,
    )


def read_aside(extraction: Extraction, plan: ObjectPlan, collect: Callable[[], C]) -> Generator[TurnOver, None, C]:
    """Return the collector that ``collect`` creates, with every row; yields turns.

    Each attempt has its own collector. Raises ``SalesforceError``, also after three attempts.
    """
    for _ in range(_TRIES):
        collector = collect()
        read = extraction.begin(Beginning(plan, plan_full_refresh(plan.state, start=plan.start)), object_lines)
        try:
            yield from _collected(extraction, read, collector)
        finally:
            extraction.drop(read)
        if read.finished and not read.repeated_rows:
            return collector
    raise SalesforceError(Failure.of(Kind.JOB_GONE, detail="the comparison of all rows was lost several times"))


def ask_aside(extraction: Extraction, call: Callable[[], T]) -> Generator[TurnOver, None, T]:
    """Return the result of a call to the org, which runs in the background; yields turns.

    Raises ``SalesforceError`` if the call fails, or if the run is being stopped.
    """
    results: list[T] = []
    errors: list[Exception] = []
    extraction.ask(call, results.append, errors.append)
    while not results:
        if extraction.stop_failure is not None:
            raise SalesforceError(extraction.stop_failure)
        if errors:
            raise SalesforceError(failure_in(errors[0]) or Failure.of(Kind.INTERRUPTED))
        yield TURN_OVER
    return results[0]


def _collected(extraction: Extraction, read: ObjectRead, collector: Collector) -> Iterator[TurnOver]:
    while not read.finished and not read.repeated_rows:
        ready = extraction.next_page(read)
        if ready is not None and not read.repeated_rows:
            for block in ready.page.encoded.product.take().blocks:
                collector.add(block.lines)
            extraction.handed_on(read, ready)
        yield TURN_OVER
