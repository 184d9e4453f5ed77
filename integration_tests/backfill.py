"""A backfill without Spark, in this process, but by the rules of Spark.

A wave's tasks run in parallel. A failed attempt is repeated from the start, up to four times. Of two finished attempts
at one task, only one counts. The wave's output, one file for each page with rows, exists when all tasks have ended.
`make certify-glue` runs the same on Spark.
"""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pyarrow as pa
from pyarrow import parquet

from integration_tests.connector import ImpatientClock
from integration_tests.exporter import Exporter
from source_salesforce_bulk.export.destination import Destination
from source_salesforce_bulk.export.page_files import FORMATS, FileMaker
from source_salesforce_bulk.pages.arrays import arrow_schema
from source_salesforce_bulk.pages.page_task import PageOutcome, PageTask, PageTaskRunner
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.spark.spark_pages import SparkFiles
from source_salesforce_bulk.spark.staging import StagedDestination, Staging
from source_salesforce_bulk.spark.waves import Wave, WaveResult

T = TypeVar("T")

ATTEMPTS = 4
"""Spark's spark.task.maxFailures."""


class JobLost(Exception):
    """A task has died too often, and the whole Spark job with it."""


class Mishaps:
    """The faults of the cluster. Numbers count the tasks of the whole run in the order in which they begin."""

    def __init__(self) -> None:
        self.dies_after_rows: Callable[[int, int], bool] = lambda task, attempt: False
        """Return whether this attempt at this task dies with all its rows read and none of them written."""
        self.runs_twice: Callable[[int], bool] = lambda task: False
        """Return whether the task is run speculatively beside itself, and both end well."""

    def done(self, task: int, attempt: Callable[[], T]) -> T:
        """The result of a task, which is attempted as Spark does; raises :class:`JobLost`."""
        for number in range(ATTEMPTS):
            result = attempt()
            if not self.dies_after_rows(task, number):
                return attempt() if self.runs_twice(task) else result
        raise JobLost


class TaskWaves:
    """Runs waves: a ``WaveRunner``."""

    slots = 2
    wants_files = False

    def __init__(self, staging: Staging, mishaps: Mishaps) -> None:
        self._staging = staging
        self._mishaps = mishaps
        self._begun = 0
        self.waves: list[int] = []

    def run(self, wave: Wave) -> WaveResult:
        """See ``waves.WaveRunner``."""
        self.waves.append(len(wave.tasks))
        columns = wave.encoder.product_columns
        given = pickle.dumps((wave.session, wave.encoder, wave.tasks))
        with ThreadPoolExecutor(self.slots) as executors:
            numbered = [(self._begun + at, task) for at, task in enumerate(wave.tasks)]
            self._begun += len(numbered)
            done = list(executors.map(lambda one: self._task(given, *one), numbered))
        folder = Path(url2pathname(urlsplit(self._staging.url(wave.layout.name, wave.number)).path))
        folder.mkdir(parents=True)
        for number, (_, table) in enumerate(done):
            if table.num_rows:
                path = folder / f"part-{number:05d}-{uuid.uuid4()}-c000.zstd.parquet"
                parquet.write_table(table.cast(wave.layout.schema(columns)), path, compression="zstd")
        (folder / "_SUCCESS").touch()
        outcomes = {outcome.number: outcome for outcome, _ in done}
        return WaveResult(outcomes, self._staging.files(wave.layout.name, wave.number))

    def _task(self, given: bytes, begun: int, task: PageTask) -> tuple[PageOutcome, pa.Table]:
        session, encoder, tasks = pickle.loads(given)

        def attempt() -> tuple[PageOutcome, pa.Table]:
            runner = PageTaskRunner(session, encoder, clock=ImpatientClock())
            return self._attempt(runner, encoder.product_columns, tasks, task)

        return self._mishaps.done(begun, attempt)

    @staticmethod
    def _attempt(
        runner: PageTaskRunner, columns: Sequence[Column], tasks: Sequence[PageTask], task: PageTask
    ) -> tuple[PageOutcome, pa.Table]:
        outcomes: list[PageOutcome] = []
        batches = list(runner.run(tasks[task.number], outcomes.append))
        (outcome,) = outcomes
        return pickle.loads(pickle.dumps(outcome)), pa.Table.from_batches(batches, arrow_schema(columns))


class Backfill(Exporter):
    """Exports whose pages are read in waves."""

    def __init__(self, *arguments: Any, **config: Any) -> None:
        super().__init__(*arguments, **config)
        self.mishaps = Mishaps()
        self.waves: list[int] = []

    def make_files(self, destination: Destination, run_id: str, format_name: str) -> tuple[FileMaker, Destination]:
        """See :class:`Exporter`."""
        self.destination.mkdir(parents=True, exist_ok=True)
        staging = Staging(self.destination.as_uri(), run_id)
        runner = TaskWaves(staging, self.mishaps)
        self.waves = runner.waves
        return SparkFiles(runner, FORMATS["parquet"]), StagedDestination(destination, staging)
