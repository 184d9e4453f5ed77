"""The driver's part of pages that executors write to tables: where files go, and their entries for the next commit.

Does not depend on Spark. Nothing is in a table before its log is committed, so a driver that is killed leaves at most
files that no metadata names.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping

from source_salesforce_bulk.pages.page_encoder import PageEncoder
from source_salesforce_bulk.pages.page_task import PageOutcome, PageTask, SessionSource
from source_salesforce_bulk.spark.table_pages import DataFolder, WrittenPage
from source_salesforce_bulk.spark.waves import Wave, WaveResult, WrittenFile
from source_salesforce_bulk.tables.data_files import data_location, file_system
from source_salesforce_bulk.tables.log import Log


class TableWaves:
    """Prepares waves of one run, and registers their files in ``logs``, the logs of the objects being read."""

    def __init__(self, logs: Mapping[str, Log], run_id: str) -> None:
        self._logs = logs
        self._folder = f"run={run_id}"

    def given(
        self, session: SessionSource, wave: Wave
    ) -> tuple[SessionSource, PageEncoder, tuple[PageTask, ...], DataFolder]:
        """Return what ``table_pages.PageWriter`` needs; raises ``UnusableTable``."""
        table = self._logs[wave.layout.name].table
        return session, wave.encoder, wave.tasks, DataFolder(*file_system(table, data_location(table, self._folder)))

    def result(self, wave: Wave, pages: Iterable[bytes]) -> WaveResult:
        """Return the outcomes of a wave, from the rows of ``PageWriter``, after registering its files."""
        outcomes: dict[int, PageOutcome] = {}
        files: dict[int, WrittenFile] = {}
        for page in pages:
            written: WrittenPage = pickle.loads(page)  # noqa: S301 - from our own executors
            number = written.outcome.number
            outcomes[number] = written.outcome
            if written.file is not None:
                path = f"{wave.layout.name}/{self._folder}/{written.file.name}"
                self._logs[wave.layout.name].register(path, written.file.footer, written.file.size)
                files[number] = WrittenFile(path, written.file.footer.num_rows, written.file.size)
        return WaveResult(outcomes, files)
