"""Backfills on Spark, as AWS Glue runs it: ``salesforce-bulk export`` whose pages are read by executors.

The driver is the export, whole: leases, schemas, jobs, limits, state, manifest. It only reads no page itself. A page is
one Spark partition; a task that Spark runs again downloads its page again and asks Salesforce no query, and of two that
ran side by side one counts.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.accumulators import AccumulatorParam
from pyspark.sql import SparkSession
from pyspark.sql.types import (
    BooleanType,
    DataType,
    DateType,
    DoubleType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from source_salesforce_bulk.export.aws_clients import secrets_manager
from source_salesforce_bulk.export.destination import Destination
from source_salesforce_bulk.export.export_command import ExportOptions, run_export
from source_salesforce_bulk.export.layout import Layout
from source_salesforce_bulk.export.page_files import FileMaker
from source_salesforce_bulk.pages.page_task import PageOutcome, PartitionReader
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.failures import Consequence, Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.signals import Stop
from source_salesforce_bulk.spark.shared_session import SessionSecret
from source_salesforce_bulk.spark.spark_pages import SparkFiles
from source_salesforce_bulk.spark.staging import STAGING, StagedDestination, Staging
from source_salesforce_bulk.spark.waves import Wave, WaveResult

LOGGER = logging.getLogger("salesforce_bulk.glue")

CLOSING = 60.0
"""Seconds that cancelled Spark jobs have to end."""

_AGAIN = (
    "The log says what Spark said. Nothing is lost: {again}, and it continues where it stopped. If workers "
    "run out of memory or disk, give it larger ones."
)

# Spark writes what the export writes: instants as microseconds in UTC, dates of every year as they are.
_WRITER = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.files.maxRecordsPerFile": "0",
}

_FIELD_ID = "parquet.field.id"  # what Spark calls it

_TYPES: Mapping[CellKind, DataType] = {
    CellKind.STRING: StringType(),
    CellKind.BOOLEAN: BooleanType(),
    CellKind.INTEGER: LongType(),
    CellKind.NUMBER: DoubleType(),
    CellKind.DATE: DateType(),
    CellKind.DATETIME: TimestampType(),
    CellKind.TIME: StringType(),
}


def run_backfill(spark: SparkSession, options: ExportOptions, session_secret: str) -> int:
    """Run an export whose pages are read by ``spark``; the exit code of ``salesforce-bulk export``.

    Executors are handed the session through ``session_secret``, the name or ARN of a secret of AWS Secrets Manager.
    What it leaves below ``_staging`` of the destination is removed at its end. The signals are Spark's own here.
    """
    made: list[SparkWaves] = []

    def make_files(destination: Destination, run_id: str) -> tuple[FileMaker, Destination]:
        staging = Staging(destination.url, run_id)
        staging.clear()  # an earlier attempt of the run may have died here
        waves = SparkWaves(spark, staging, SessionSecret(secrets_manager(session_secret), session_secret))
        made.append(waves)
        return SparkFiles(waves), StagedDestination(destination, staging)

    try:
        return run_export(options, Stop(), make_files)
    finally:
        for waves in made:
            waves.close()


class SparkWaves:
    """Runs a wave as one Spark job. See ``waves.WaveRunner``."""

    def __init__(self, spark: SparkSession, staging: Staging, sessions: SessionSecret) -> None:
        self._spark = spark
        self._staging = staging
        self._sessions = sessions
        self._changed = threading.Condition()
        self._running = 0
        for name, value in _WRITER.items():
            spark.conf.set(name, value)

    @property
    def slots(self) -> int:
        """Pages that are read at the same time: Spark's own idea of its cores."""
        return int(self._spark.sparkContext.defaultParallelism)

    def run(self, wave: Wave) -> WaveResult:
        """See ``waves.WaveRunner``. What Spark raises is raised."""
        with self._under_way():
            context = self._spark.sparkContext
            columns = tuple(wave.layout.columns(wave.tasks[0].address))
            given = context.broadcast((self._sessions.share(wave.session), columns, wave.tasks))
            outcomes = context.accumulator({}, _Outcomes())
            pages = self._spark.range(0, len(wave.tasks), 1, len(wave.tasks))
            rows = pages.mapInArrow(PartitionReader(given, outcomes.add), spark_struct(columns, wave.layout))
            try:
                rows.write.option("compression", "zstd").parquet(self._staging.url(wave.layout.name, wave.number))
            except Py4JJavaError as error:
                raise SalesforceError(_given_up(wave, error)) from error
            finally:
                given.unpersist()
            return WaveResult(outcomes.value, self._staging.files(wave.layout.name, wave.number))

    def close(self) -> None:
        """End the waves that nobody waits for any more, and remove what was staged."""
        self._spark.sparkContext.cancelAllJobs()
        with self._changed:
            if not self._changed.wait_for(lambda: self._running == 0, CLOSING):
                LOGGER.warning("A Spark job does not end; files of it may be left below %s", STAGING)
        self._staging.clear()

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        with self._changed:
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()


def _given_up(wave: Wave, error: Py4JJavaError) -> Failure:
    """Return the failure of a Spark job. Only the first line of its message is used; others may contain row values."""
    words = str(error.java_exception.getMessage() or error.java_exception.getClass().getName()).splitlines()[0]
    LOGGER.error("%s, wave %d: Spark gave it up: %s", wave.layout.name, wave.number, words)
    failure = Failure.of(Kind.UNEXPECTED, detail="Spark gave up reading its pages", guidance=_AGAIN)
    return replace(failure, consequence=Consequence.TRANSIENT)


class _Outcomes(AccumulatorParam[dict[int, PageOutcome]]):  # type: ignore[misc]  # pyspark is not installed here
    """Outcomes by task number; a task that ran twice is there once."""

    def zero(self, value: dict[int, PageOutcome]) -> dict[int, PageOutcome]:
        return {}

    def addInPlace(  # noqa: N802 (Spark's name)
        self, value1: dict[int, PageOutcome], value2: dict[int, PageOutcome]
    ) -> dict[int, PageOutcome]:
        return value1 | value2


def spark_struct(columns: Sequence[Column], layout: Layout) -> StructType:
    """The schema of the files: nullable throughout, with each column's id and its field's label and type."""
    facts, fields = layout.facts(), []
    for column in columns:
        about: dict[str, Any] = {_FIELD_ID: layout.ids[column.name], **facts[column.name]}
        fields.append(StructField(column.name, _TYPES[column.kind], nullable=True, metadata=about))
    return StructType(fields)
