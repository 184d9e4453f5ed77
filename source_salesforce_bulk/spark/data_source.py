"""``spark.read.format("salesforce_bulk")``: an object of Salesforce as a DataFrame, on Spark 4.

    from source_salesforce_bulk.spark.data_source import register

    with register(spark) as reads:
        account = {"config": "env:CONFIG", "object": "Account"}
        spark.read.format("salesforce_bulk").options(**account).load().write.parquet("...")

A task reads one result page. Spark plans a DataFrame once and keeps the plan, so every action on it reads the pages of
the same jobs, and jobs are deleted when all work is done: at the end of the ``with`` block or of the program.

Executors import this module, too, so the modules that plan a read are imported only where a read is planned.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pyspark.sql import SparkSession
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.types import StructType

from source_salesforce_bulk.spark.planned_pages import read_planned
from source_salesforce_bulk.spark.pushed_filters import conditions
from source_salesforce_bulk.spark.spark_types import spark_struct

if TYPE_CHECKING:
    from source_salesforce_bulk.spark.read_plan import ObjectColumns

LOGGER = logging.getLogger("salesforce_bulk.spark")


def register(spark: SparkSession) -> SalesforceReads:
    """Register ``format("salesforce_bulk")`` with ``spark``, and return the object that ends its reads."""
    # Not on executors, and not at the program's end either, when no module with threads can be imported any more.
    from source_salesforce_bulk.spark.read_ending import connected, end_reads  # noqa: PLC0415
    from source_salesforce_bulk.spark.read_notes import ReadNotes  # noqa: PLC0415

    made = ReadNotes.make()

    class Noting(SalesforceBulkDataSource):
        """The data source with a folder for notes. Spark pickles this attribute, because the class is local."""

        notes = made.folder

    spark.dataSource.register(Noting)
    reads, process = SalesforceReads(partial(end_reads, made, connected)), os.getpid()

    def end_program() -> None:
        if os.getpid() == process:  # a child process inherits what is to be called at its end
            reads.close()
            shutil.rmtree(made.folder, ignore_errors=True)

    atexit.register(end_program)
    return reads


class ReadsNotFinished(Exception):
    """Some reads could not be ended. The message has a sentence about each."""


class SalesforceReads:
    """The reads of one registration. As a context manager, it finishes them if no exception leaves the block."""

    def __init__(self, end: Callable[..., list[str]]) -> None:
        self._end = end

    def finish(self) -> None:
        """Confirm that everything that was loaded is stored: states move on, and jobs are deleted.

        Raises :class:`ReadsNotFinished` if some could not be ended; the next read returns their rows again.
        """
        problems = self._end(stored=True)
        if problems:
            raise ReadsNotFinished(" ".join(problems))

    def close(self) -> None:
        """Delete the jobs of reads without a state. The next read with the same state continues the others."""
        for problem in self._end(stored=False):
            LOGGER.warning("%s", problem)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.close()


class SalesforceBulkDataSource(DataSource):  # type: ignore[misc]  # pyspark is not installed here
    """The data source. ``notes`` is the folder for notes about planned reads; :func:`register` sets it."""

    notes: str | None = None

    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__(options)
        self._known: ObjectColumns | None = None

    @classmethod
    def name(cls) -> str:
        """The name of the format."""
        return "salesforce_bulk"

    def schema(self) -> StructType:
        """Return the object's columns as describe has them, like those of Parquet files."""
        known = self._described()
        return spark_struct(known.product, known.about)

    def reader(self, schema: StructType) -> DataSourceReader:
        """Return the reader. A schema from the user is refused, because pages have the columns of the query."""
        known = self._described()
        if schema.names != [column.name for column in known.product]:
            raise ValueError("Leave .schema() out: the columns are Salesforce's. Choose some with the option fields.")
        options = dict(self.options)
        kind = FilteringReader if options.get("push_filters", "").strip().lower() == "true" else PageReader
        return kind(options, known, self.notes)

    def _described(self) -> ObjectColumns:
        if self._known is None:
            from source_salesforce_bulk.spark.read_planning import describe_object  # noqa: PLC0415 - on the driver only

            self._known = describe_object(dict(self.options))
        return self._known


class PageReader(DataSourceReader):  # type: ignore[misc]  # as above
    """Reads an object's pages."""

    def __init__(self, options: Mapping[str, str], known: ObjectColumns, notes: str | None) -> None:
        self._options = options
        self._known = known
        self._notes = notes
        self._pushed: tuple[str, ...] = ()

    def partitions(self) -> list[InputPartition]:
        """Create the jobs, wait for them, and return their pages."""
        from source_salesforce_bulk.spark.read_planning import plan_pages  # noqa: PLC0415 - on the driver only

        return [InputPartition(page) for page in plan_pages(self._options, self._known, self._notes, self._pushed)]

    def read(self, partition: InputPartition | None) -> Iterator[Any]:
        """Yield a page's rows as record batches. If there are no pages, Spark calls this once, with None."""
        return iter(()) if partition is None else read_planned(partition.value, self._known.columns)


class FilteringReader(PageReader):
    """Pushes filters into the query if Spark's ``spark.sql.python.filterPushdown.enabled`` is true."""

    def pushFilters(self, filters: list[Any]) -> list[Any]:  # noqa: N802 - Spark's name
        """Push the filters that SOQL can express; Spark evaluates all of them again (see ``pushed_filters``)."""
        self._pushed = conditions(filters, self._known.filterable)
        return filters
