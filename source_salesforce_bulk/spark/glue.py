"""Backfills on Spark and AWS Glue: ``salesforce-bulk export`` whose pages are read by executors.

The driver runs the whole export (leases, schemas, jobs, limits, state, manifest) except that it reads no pages. A page
is one Spark partition. If Spark runs a task again, it downloads its page again and creates no query job; if two
attempts run at the same time, only one output is used.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from py4j.protocol import Py4JJavaError
from pyspark.accumulators import AccumulatorParam
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from source_salesforce_bulk.export.aws_clients import secrets_manager
from source_salesforce_bulk.export.destination import Destination
from source_salesforce_bulk.export.export_command import ExportOptions, run_export
from source_salesforce_bulk.export.layout import Layout
from source_salesforce_bulk.export.page_files import FileMaker
from source_salesforce_bulk.pages.page_task import PageOutcome, PartitionReader
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.failures import Consequence, Failure, Kind, SalesforceError
from source_salesforce_bulk.signals import Stop
from source_salesforce_bulk.spark.shared_session import SessionSecret
from source_salesforce_bulk.spark.spark_pages import SparkFiles
from source_salesforce_bulk.spark.spark_types import spark_struct
from source_salesforce_bulk.spark.staging import STAGING, StagedDestination, Staging
from source_salesforce_bulk.spark.waves import Wave, WaveResult

LOGGER = logging.getLogger("salesforce_bulk.glue")

CLOSING = 60.0
"""Seconds in which cancelled Spark jobs must end."""

_AGAIN = (
    "The log has Spark's message. Nothing is lost: {again}, and it continues where it stopped. If workers "
    "run out of memory or disk, give it larger ones."
)

# Spark must write the same values as the export: instants as microseconds in UTC, dates without calendar changes.
_WRITER = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.files.maxRecordsPerFile": "0",
}

_FIELD_ID = "parquet.field.id"  # Spark's name for it


def run_backfill(spark: SparkSession, options: ExportOptions, session_secret: str) -> int:
    """Run an export whose pages are read by ``spark``, and return its exit code.

    Executors read the session from ``session_secret``, the name or ARN of a secret in AWS Secrets Manager. Files below
    the destination's ``_staging`` are removed at the end. Signals are left to Spark.
    """
    made: list[SparkWaves] = []

    def make_files(destination: Destination, run_id: str) -> tuple[FileMaker, Destination]:
        staging = Staging(destination.url, run_id)
        staging.clear()  # an earlier attempt of the run may have left files
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
        """The number of pages that are read at the same time: Spark's default parallelism."""
        return int(self._spark.sparkContext.defaultParallelism)

    def run(self, wave: Wave) -> WaveResult:
        """See ``waves.WaveRunner``. Spark's exceptions are passed on."""
        with self._under_way():
            context = self._spark.sparkContext
            given = context.broadcast((self._sessions.share(wave.session), wave.encoder, wave.tasks))
            outcomes = context.accumulator({}, _Outcomes())
            pages = self._spark.range(0, len(wave.tasks), 1, len(wave.tasks))
            rows = pages.mapInArrow(
                PartitionReader(given, outcomes.add), file_struct(wave.encoder.product_columns, wave.layout)
            )
            try:
                rows.write.option("compression", "zstd").parquet(self._staging.url(wave.layout.name, wave.number))
            except Py4JJavaError as error:
                raise SalesforceError(_given_up(wave, error)) from error
            finally:
                given.unpersist()
            return WaveResult(outcomes.value, self._staging.files(wave.layout.name, wave.number))

    def close(self) -> None:
        """Cancel the remaining waves, and remove the staged files."""
        self._spark.sparkContext.cancelAllJobs()
        with self._changed:
            if not self._changed.wait_for(lambda: self._running == 0, CLOSING):
                LOGGER.warning("A Spark job does not end; some of its files may be left below %s", STAGING)
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
    LOGGER.error("%s, wave %d failed on Spark: %s", wave.layout.name, wave.number, words)
    failure = Failure.of(Kind.UNEXPECTED, detail="Spark gave up reading its pages", guidance=_AGAIN)
    return replace(failure, consequence=Consequence.TRANSIENT)


class _Outcomes(AccumulatorParam[dict[int, PageOutcome]]):  # type: ignore[misc]  # pyspark is not installed here
    """Accumulates outcomes by task number, so that a task that ran twice counts once."""

    def zero(self, value: dict[int, PageOutcome]) -> dict[int, PageOutcome]:
        return {}

    def addInPlace(  # noqa: N802 (the name is Spark's)
        self, value1: dict[int, PageOutcome], value2: dict[int, PageOutcome]
    ) -> dict[int, PageOutcome]:
        return value1 | value2


def file_struct(columns: Sequence[Column], layout: Layout) -> StructType:
    """Return the schema of the files: with each column's id and its field's label and type."""
    facts = layout.facts()
    return spark_struct(
        columns, {each.name: {_FIELD_ID: layout.ids[each.name], **facts[each.name]} for each in columns}
    )
