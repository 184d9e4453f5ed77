"""A backfill into tables without Spark, in this process, but by the rules of Spark. See ``backfill``."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from integration_tests.backfill import Mishaps
from integration_tests.connector import ImpatientClock
from integration_tests.simulated_org import SimulatedOrg
from integration_tests.table_exporter import TableExporter
from source_salesforce_bulk.export.destination import Destination
from source_salesforce_bulk.export.run import ExportPlaces
from source_salesforce_bulk.pages.page_encoder import PageEncoder
from source_salesforce_bulk.pages.page_task import PageTaskRunner
from source_salesforce_bulk.registries.state import StateRegistry
from source_salesforce_bulk.salesforce.oauth import Session
from source_salesforce_bulk.spark.spark_pages import SparkFiles
from source_salesforce_bulk.spark.table_pages import PageWriter
from source_salesforce_bulk.spark.table_waves import TableWaves
from source_salesforce_bulk.spark.waves import Wave, WaveResult
from source_salesforce_bulk.tables.table_states import TableStates


@dataclass(frozen=True)
class Handed:
    """A session as executors get it, and a broadcast."""

    value: Any

    def session(self) -> Any:
        """The session."""
        return self.value


class WritingWaves:
    """Runs waves whose pages executors write: a ``WaveRunner``. ``sent`` is what the last wave sent to executors."""

    slots = 2
    wants_files = True

    def __init__(self, waves: TableWaves, mishaps: Mishaps) -> None:
        self._waves = waves
        self._mishaps = mishaps
        self._begun = 0
        self.sent = b""

    def run(self, wave: Wave) -> WaveResult:
        """See ``waves.WaveRunner``."""
        sent = self.sent = pickle.dumps(self._waves.given(Handed(wave.session), wave))
        numbered = [(self._begun + at, task.number) for at, task in enumerate(wave.tasks)]
        self._begun += len(numbered)
        with ThreadPoolExecutor(self.slots) as executors:
            done = executors.map(lambda one: self._mishaps.done(one[0], lambda: _attempt(sent, one[1])), numbered)
            return self._waves.result(wave, done)


class TableBackfill(TableExporter):
    """Exports into tables whose pages are read in waves."""

    def __init__(self, org: SimulatedOrg, folder: Path, **config: Any) -> None:
        super().__init__(org, folder, **config)
        self.mishaps = Mishaps()
        self.waves: WritingWaves

    def places(
        self, destination: Destination, states: StateRegistry | None, run_id: str, format_name: str, on_drift: str
    ) -> ExportPlaces:
        """See :class:`Exporter`."""
        places = super().places(destination, states, run_id, format_name, on_drift)
        assert isinstance(places.states, TableStates)
        self.waves = WritingWaves(TableWaves(places.states.logs, run_id), self.mishaps)
        return replace(places, page_files=SparkFiles(self.waves, places.page_files))


def _attempt(sent: bytes, number: int) -> bytes:
    writer = PageWriter(Handed(pickle.loads(sent)), _impatient)
    (batch,) = writer(iter([pa.RecordBatch.from_pydict({"id": [number]})]))
    (page,) = batch.column(0).to_pylist()
    return bytes(page)


def _impatient(session: Session, encoder: PageEncoder) -> PageTaskRunner:
    return PageTaskRunner(session, encoder, clock=ImpatientClock())
