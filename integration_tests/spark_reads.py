"""Reads of the Spark data source as the integration tests run them: planned and ended as on Spark's driver, and their
tasks run in this process, from what Spark would send to an executor."""

from __future__ import annotations

import pickle
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from integration_tests.connector import ImpatientClock
from integration_tests.exporter import Row
from integration_tests.simulated_org import SimulatedOrg
from source_salesforce_bulk.config import parse_config
from source_salesforce_bulk.extraction.connection import Connection, Environment
from source_salesforce_bulk.pages.arrays import arrow_schema
from source_salesforce_bulk.pages.records import product_columns
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.http_client import RequestsHttp
from source_salesforce_bulk.salesforce.programs import Program
from source_salesforce_bulk.salesforce.token import SecretHooks
from source_salesforce_bulk.spark.planned_pages import CarriedSession, read_planned
from source_salesforce_bulk.spark.read_ending import end_reads
from source_salesforce_bulk.spark.read_notes import ReadNote, ReadNotes
from source_salesforce_bulk.spark.read_options import ReadOptions, narrowed, parse_options
from source_salesforce_bulk.spark.read_plan import PlannedRead, describe, plan_read


class SparkReads:
    """Reads objects of one org as ``format("salesforce_bulk")`` does. Keyword arguments overlay the configuration."""

    def __init__(self, org: SimulatedOrg, folder: Path, **config: Any) -> None:
        self.config = {"credentials": org.credentials(), "login_url": org.url, **config}
        self.state = str(folder / "state")
        (folder / "notes").mkdir(exist_ok=True)
        self.notes = ReadNotes(folder / "notes")

    def connection(self, options: ReadOptions, pushed: Sequence[str] = ()) -> Connection:
        caller = Caller(RequestsHttp(32), ImpatientClock(), random.random)
        environment = Environment(caller, SecretHooks(_ignore, _ignore), program=Program.SPARK)
        return Connection(narrowed(parse_config(self.config), options, pushed), environment)

    def options(self, name: str, **given: str) -> ReadOptions:
        return parse_options({"config": "env:CONFIG", "object": name, **given})

    def columns(self, name: str, **given: str) -> list[str]:
        with self.connection(self.options(name, **given)) as connection:
            return [column.name for column in describe(connection)[1].product]

    def plan(self, name: str, pushed: Sequence[str] = (), **given: str) -> PlannedRead:
        """As Spark's planner does."""
        options = self.options(name, **given)
        with self.connection(options, pushed) as connection:
            planned = plan_read(
                connection, options.state, lambda session: CarriedSession(session.access_token, session.instance_url)
            )
        names = replace(_NOTE, object_name=name, organization=planned.organization, jobs=planned.jobs)
        self.notes.add(replace(names, state=options.state, begun=planned.begun, ended=planned.ended))
        return planned

    def rows(self, planned: PlannedRead) -> list[Row]:
        """Return the rows of a read's tasks without nulls. Every task gets its page as bytes."""
        pages = [pickle.loads(pickle.dumps(page)) for page in planned.pages]
        batches = [batch for page in pages for batch in read_planned(page, planned.columns)]
        rows = pa.Table.from_batches(batches, arrow_schema(product_columns(planned.columns))).to_pylist()
        return [{name: value for name, value in row.items() if value is not None} for row in rows]

    def end(self, *, stored: bool) -> list[str]:
        """As the end of a ``with register(spark)`` block does."""
        return end_reads(self.notes, self._again, stored=stored)

    def _again(self, note: ReadNote) -> Connection:
        return self.connection(self.options(note.object_name))


_NOTE = ReadNote("env:CONFIG", "", "", {}, None, {}, {})


def _ignore(_: str) -> None:
    pass
