"""Rows that are read in order to be compared, and go nowhere: some columns of every row of an object, by one query job.

A later run does not continue it. If a page would come twice because its job was lost, it begins again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Protocol, TypeVar

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
    """Takes the rows of one reading, each exactly once, as JSON lines."""

    def add(self, lines: bytes | memoryview) -> None:
        """Take some rows."""
        ...


C = TypeVar("C", bound=Collector)


def narrowed(plan: ObjectPlan, columns: tuple[Column, ...]) -> ObjectPlan:
    """Return the plan that reads only ``columns`` of every row that ``plan`` would ever read, and delivers nothing."""
    return replace(
        plan,
        query=replace(plan.query, fields=tuple(column.name for column in columns)),
        columns=columns,
        mode=Mode.FULL_REFRESH,
        state=StreamState(Mode.FULL_REFRESH),
        hashing=None,
        audit=None,
        refresh=(),
        delivers=False,
    )


def read_aside(extraction: Extraction, plan: ObjectPlan, collect: Callable[[], C]) -> Generator[TurnOver, None, C]:
    """Return what ``collect`` made once it has every row; lets others have their turns.

    ``collect`` is called again where the reading begins again. Raises ``SalesforceError``, also after three attempts.
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


def _collected(extraction: Extraction, read: ObjectRead, collector: Collector) -> Iterator[TurnOver]:
    while not read.finished and not read.repeated_rows:
        ready = extraction.next_page(read)
        if ready is not None and not read.repeated_rows:
            for block in ready.page.encoded.product.take().blocks:
                collector.add(block.lines)
            extraction.handed_on(read, ready)
        yield TURN_OVER
