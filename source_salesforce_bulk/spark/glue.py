"""Backfills on Spark and AWS Glue: ``salesforce-bulk export``, with pages that are read by executors.

The driver runs the whole export (leases, schemas, jobs, limits, state, manifest) except that it reads no pages. A page
is one Spark partition. If Spark runs a task again, it downloads its page again and creates no query job; if two
attempts run at the same time, only one output is used.

    files     executors give rows to Spark, which stages files, and the driver moves them to their places
    tables    executors write final data files, and the driver commits them with the state, as every export does
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from py4j.protocol import Py4JJavaError
from pyspark.accumulators import AccumulatorParam
from pyspark.broadcast import Broadcast
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from source_salesforce_bulk.export.aws_clients import secrets_manager
from source_salesforce_bulk.export.destination import Destination
from source_salesforce_bulk.export.export_command import ExportOptions, run_export
from source_salesforce_bulk.export.layout import Layout
from source_salesforce_bulk.export.places import is_tables
from source_salesforce_bulk.export.stores import Stores
from source_salesforce_bulk.pages.page_task import PageOutcome, PartitionReader
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.failures import Consequence, Failure, Kind, SalesforceError
from source_salesforce_bulk.signals import Stop
from source_salesforce_bulk.spark.shared_session import SessionSecret, SharedSession
from source_salesforce_bulk.spark.spark_pages import SparkFiles
from source_salesforce_bulk.spark.spark_types import spark_struct
from source_salesforce_bulk.spark.staging import StagedDestination, Staging
from source_salesforce_bulk.spark.table_pages import WRITTEN, PageWriter
from source_salesforce_bulk.spark.waves import Wave, WaveResult

if TYPE_CHECKING:
    from source_salesforce_bulk.spark.table_waves import TableWaves

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
    the destination's ``_staging`` are removed at the end; tables have no such folder. Signals are left to Spark.
    """
    made: list[SparkWaves] = []

    def on_spark(stores: Stores, run_id: str) -> Stores:
        output, destination = _output(spark, stores, run_id)
        waves = SparkWaves(spark, output, SessionSecret(secrets_manager(session_secret), session_secret))
        made.append(waves)
        return replace(stores, destination=destination, page_files=SparkFiles(waves, stores.page_files))

    try:
        return run_export(options, Stop(), on_spark)
    finally:
        for waves in made:
            waves.close()


def _output(spark: SparkSession, stores: Stores, run_id: str) -> tuple[WaveOutput, Destination]:
    """Return how waves are written, and the destination to which the export gives their files."""
    if is_tables(stores.destination.url):
        return _table_output(stores, run_id), stores.destination
    staging = Staging(stores.destination.url, run_id)
    staging.clear()  # an earlier attempt of the run may have left files
    return StagedOutput(spark, staging), StagedDestination(stores.destination, staging)


def _table_output(stores: Stores, run_id: str) -> TableOutput:
    from source_salesforce_bulk.spark.table_waves import TableWaves  # noqa: PLC0415 - needs pyiceberg
    from source_salesforce_bulk.tables.table_states import TableStates  # noqa: PLC0415

    if not isinstance(stores.states, TableStates):
        raise TypeError("the state of tables is in the tables")
    return TableOutput(TableWaves(stores.states.logs, run_id))


class WaveOutput(Protocol):
    """Where the pages of waves go."""

    @property
    def wants_files(self) -> bool:
        """See ``waves.WaveRunner``."""
        ...

    def given(self, session: SharedSession, wave: Wave) -> object:
        """Return what executors need, to be broadcast."""
        ...

    def read(self, numbers: DataFrame, given: Broadcast[Any], wave: Wave) -> WaveResult:
        """Read the pages of a wave, one for each row of ``numbers``; raises Spark's exceptions."""
        ...

    def clear(self) -> None:
        """Remove what is left of the run."""
        ...


class StagedOutput:
    """Spark writes the rows of pages to staged files."""

    wants_files = False

    def __init__(self, spark: SparkSession, staging: Staging) -> None:
        self._spark = spark
        self._staging = staging

    def given(self, session: SharedSession, wave: Wave) -> object:
        """See :class:`WaveOutput`."""
        return session, wave.encoder, wave.tasks

    def read(self, numbers: DataFrame, given: Broadcast[Any], wave: Wave) -> WaveResult:
        """See :class:`WaveOutput`."""
        outcomes = self._spark.sparkContext.accumulator({}, _Outcomes())
        struct = file_struct(wave.encoder.product_columns, wave.layout)
        rows = numbers.mapInArrow(PartitionReader(given, outcomes.add), struct)
        rows.write.option("compression", "zstd").parquet(self._staging.url(wave.layout.name, wave.number))
        return WaveResult(outcomes.value, self._staging.files(wave.layout.name, wave.number))

    def clear(self) -> None:
        """See :class:`WaveOutput`."""
        self._staging.clear()


class TableOutput:
    """Executors write pages as data files of tables."""

    wants_files = True

    def __init__(self, waves: TableWaves) -> None:
        self._waves = waves

    def given(self, session: SharedSession, wave: Wave) -> object:
        """See :class:`WaveOutput`."""
        return self._waves.given(session, wave)

    def read(self, numbers: DataFrame, given: Broadcast[Any], wave: Wave) -> WaveResult:
        """See :class:`WaveOutput`."""
        pages = numbers.mapInArrow(PageWriter(given), WRITTEN).collect()
        return self._waves.result(wave, (bytes(row.page) for row in pages))

    def clear(self) -> None:
        """See :class:`WaveOutput`. Files that no commit names are left to ``salesforce-bulk tables clean``."""


class SparkWaves:
    """Runs a wave as one Spark job. See ``waves.WaveRunner``."""

    def __init__(self, spark: SparkSession, output: WaveOutput, sessions: SessionSecret) -> None:
        self._spark = spark
        self._output = output
        self._sessions = sessions
        self._changed = threading.Condition()
        self._running = 0
        for name, value in _WRITER.items():
            spark.conf.set(name, value)

    @property
    def slots(self) -> int:
        """The number of pages that are read at the same time: Spark's default parallelism."""
        return int(self._spark.sparkContext.defaultParallelism)

    @property
    def wants_files(self) -> bool:
        """See ``waves.WaveRunner``."""
        return self._output.wants_files

    def run(self, wave: Wave) -> WaveResult:
        """See ``waves.WaveRunner``. Spark's exceptions are passed on."""
        with self._under_way():
            given = self._spark.sparkContext.broadcast(self._output.given(self._sessions.share(wave.session), wave))
            try:
                return self._output.read(self._spark.range(0, len(wave.tasks), 1, len(wave.tasks)), given, wave)
            except Py4JJavaError as error:
                raise SalesforceError(_given_up(wave, error)) from error
            finally:
                given.unpersist()

    def close(self) -> None:
        """Cancel the remaining waves, and remove what is left of them."""
        self._spark.sparkContext.cancelAllJobs()
        with self._changed:
            if not self._changed.wait_for(lambda: self._running == 0, CLOSING):
                LOGGER.warning("A Spark job does not end; some of its files may be left at the destination")
        self._output.clear()

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
