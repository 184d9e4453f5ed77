"""The input of Spark's tasks, and its conversion to rows. Runs on executors.

A task reads one page of a complete job. It creates nothing in the org, so Spark may run it any number of times. Before
its rows are returned, the page is verified like any other, and must have the number of rows that its headers announced
to the driver.

Does not retry: ``fetch`` retries incomplete bodies, ``transport`` single calls, and Spark whole tasks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from source_salesforce_bulk.pages.encoders import batch_file, hashed
from source_salesforce_bulk.pages.fetch import PageAddress
from source_salesforce_bulk.pages.hashing import Hashing
from source_salesforce_bulk.pages.page_task import PageOutcome, PageTask, PageTaskRunner, SessionSource
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.oauth import Session
from source_salesforce_bulk.salesforce.programs import Program


class PageNotRead(Exception):
    """A page could not be read. The message says what happened and what to do."""


@dataclass(frozen=True, slots=True)
class CarriedSession:
    """A ``SessionSource`` that travels with its page. Tasks are sent to executors, and are not written to disk."""

    access_token: str = field(repr=False)
    instance_url: str

    def session(self) -> Session:
        """See ``SessionSource``."""
        return Session(self.access_token, self.instance_url)


@dataclass(frozen=True, slots=True)
class PlannedPage:
    """A page that an executor reads. ``rows`` is the number that Salesforce announced."""

    address: PageAddress
    rows: int
    source: SessionSource
    hashing: Hashing | None = None


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """A page that the driver has read, because it belongs to no job: a file in Arrow's stream format."""

    content: bytes = field(repr=False)


def read_planned(planned: PlannedPage | EncodedRows, columns: tuple[Column, ...]) -> Iterator[Any]:
    """Yield the page's rows as pyarrow record batches of ``columns``; raises :class:`PageNotRead`."""
    if isinstance(planned, EncodedRows):
        with ipc.open_stream(pa.py_buffer(planned.content)) as batches:
            yield from batches
        return
    outcomes: list[PageOutcome] = []
    runner = PageTaskRunner(planned.source.session(), hashed(batch_file(columns), planned.hashing))
    yield from runner.run(PageTask(0, planned.address), outcomes.append)
    (outcome,) = outcomes
    if outcome.failure is not None:
        raise PageNotRead(f"{planned.address.object_name}: {outcome.failure.message_for(Program.SPARK)}")
    if outcome.rows != planned.rows:
        raise PageNotRead(
            f"{planned.address.object_name}: a page of job {planned.address.job_id} has {outcome.rows} rows, and "
            f"Salesforce announced {planned.rows} for it. Load the object again, which creates a new job."
        )
