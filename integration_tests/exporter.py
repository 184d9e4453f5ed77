"""Run an export, in this process or as the console script.

Its rows are read as users read them: only from the files that manifests name.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pyarrow import parquet

from integration_tests.connector import ImpatientClock
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import SimulatedOrg
from source_salesforce_bulk.config import parse_config
from source_salesforce_bulk.export.begin import BeginOptions
from source_salesforce_bulk.export.blob_entries import BlobOptions
from source_salesforce_bulk.export.destination import Destination, LocalDestination
from source_salesforce_bulk.export.outcomes import ExportFailed
from source_salesforce_bulk.export.page_files import FORMATS, FileMaker
from source_salesforce_bulk.export.run import ExportPlaces, ExportResult, ExportRun
from source_salesforce_bulk.export.schema_watch import SchemaWatch
from source_salesforce_bulk.extraction.connection import Connection, Environment
from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.extraction.metrics import RunMetrics
from source_salesforce_bulk.registries.local_state import LocalStates
from source_salesforce_bulk.registries.schemas import LocalSchemas
from source_salesforce_bulk.registries.state import StateRegistry
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.http_client import RequestsHttp
from source_salesforce_bulk.salesforce.token import SecretHooks

SCRIPT = Path(sys.executable).with_name("salesforce-bulk")
Row = dict[str, Any]


class Unwatched:
    """Shows nothing."""

    def begin(self, objects: Sequence[Any]) -> None:
        """See ``Watcher``."""

    def look(self) -> None:
        """See ``Watcher``."""

    def end(self) -> None:
        """See ``Watcher``."""


class Exporter:
    """Exports from one simulated org into ``folder``. Keyword arguments overlay the configuration."""

    program = SCRIPT

    def __init__(self, org: SimulatedOrg, folder: Path, **config: Any) -> None:
        self.org = org
        self.folder = folder
        self.config = {"credentials": org.credentials(), "login_url": org.url, **config}
        self.runs = 0
        self.metrics = RunMetrics()
        self._connection = Connection

    @property
    def destination(self) -> Path:
        """The destination of the files."""
        return self.folder / "out"

    def run(
        self,
        objects: Sequence[str],
        *,
        format_name: str = "parquet",
        on_drift: str = "warn",
        run_id: str | None = None,
        destination: Destination | None = None,
        states: StateRegistry | None = None,
        stop: threading.Event | None = None,
        begin_options: BeginOptions | None = None,
        blob_options: BlobOptions | None = None,
        **config: Any,
    ) -> ExportResult:
        """In this process, without pauses; raises as ``ExportRun.run`` does."""
        self.runs += 1
        run_id = run_id or f"run-{self.runs}"
        stop = stop or threading.Event()
        caller = Caller(RequestsHttp(32), ImpatientClock(), random.random)
        environment = Environment(caller, SecretHooks(_ignore, _ignore), run_id=run_id)
        places = self.places(destination or LocalDestination(self.destination), states, run_id, format_name, on_drift)
        parsed = replace(parse_config({**self.config, **config}), objects=tuple(objects))
        connection = self._connection(parsed, environment)
        self.metrics = connection.metrics
        options = begin_options or BeginOptions(), blob_options or BlobOptions()
        return ExportRun(connection, places, stop.is_set, *options).run()

    def places(
        self, destination: Destination, states: StateRegistry | None, run_id: str, format_name: str, on_drift: str
    ) -> ExportPlaces:
        """Return the places that a run writes to."""
        files, place = self.make_files(destination, run_id, format_name)
        return ExportPlaces(
            destination=place,
            states=states or LocalStates(self.folder / "state"),
            schemas=SchemaWatch(LocalSchemas(self.folder / "schemas"), run_id, on_drift),
            page_files=files,
            watcher=Unwatched(),
            on_clean_up=lambda: None,
        )

    def make_files(self, destination: Destination, run_id: str, format_name: str) -> tuple[FileMaker, Destination]:
        """Return the maker of a run's files, and their destination."""
        return FORMATS[format_name], destination

    def failure(self, objects: Sequence[str], **options: Any) -> ExportFailed:
        """The failure of a run that can begin no object."""
        try:
            self.run(objects, **options)
        except ExportFailed as failed:
            return failed
        raise AssertionError("the run went on")

    @contextmanager
    def without_clean_up(self) -> Iterator[None]:
        """Runs end as SIGKILL ends them: the jobs that they know of stay in the org."""
        self._connection = _Killed
        try:
            yield
        finally:
            self._connection = Connection

    def arguments(self, objects: Sequence[str], *more: str) -> list[str]:
        """The console script's command line."""
        path = self.folder / "config.json"
        path.write_text(json.dumps(self.config), encoding="utf-8")
        places = [
            *("--config", str(path)),
            *("--destination", self.destination.as_uri()),
            *("--state", (self.folder / "state").as_uri()),
            *("--schemas", (self.folder / "schemas").as_uri()),
        ]
        return [str(self.program), "export", *places, *(part for name in objects for part in ("--object", name)), *more]

    def script(self, objects: Sequence[str], *more: str) -> subprocess.CompletedProcess[str]:
        """The console script, to its end."""
        return subprocess.run(
            self.arguments(objects, *more), capture_output=True, text=True, timeout=120, check=False, env=os.environ
        )

    def start(self, objects: Sequence[str], *more: str) -> subprocess.Popen[str]:
        """The console script under way; the caller ends it."""
        return subprocess.Popen(
            self.arguments(objects, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
        )

    def manifests(self) -> list[dict[str, Any]]:
        """Every manifest that is there."""
        folder = self.destination / "_manifests"
        return [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]

    def files(self, name: str) -> list[dict[str, Any]]:
        """Every file of an object that any manifest names."""
        entries = [entry for manifest in self.manifests() for entry in manifest["objects"] if entry["object"] == name]
        return [file for entry in entries for file in entry["files"]]

    def rows(self, name: str) -> list[Row]:
        """Every row of every file that any manifest names, nulls left out; each file is named once."""
        files = self.files(name)
        paths = [file["path"] for file in files]
        assert len(set(paths)) == len(paths), "a file is named twice"
        rows = [row for file in files for row in read_file(self.destination / file["path"])]
        assert len(rows) == sum(file["rows"] for file in files)
        return rows

    def state(self, name: str) -> Mapping[str, Any]:
        """Return the progress of an object in the local registry."""
        (path,) = (self.folder / "state").glob(f"*/{name}.json")
        return json.loads(path.read_bytes())


class _Killed(Connection):
    def extraction(self, *arguments: Any, **options: Any) -> Extraction:
        extraction = super().extraction(*arguments, **options)
        extraction.close = lambda keep, seconds: extraction._calls.close()  # type: ignore[method-assign]
        return extraction


def read_file(path: Path) -> Iterator[Row]:
    """The rows of a data file, nulls left out."""
    if path.suffix == ".jsonl":
        with path.open(encoding="utf-8", newline="\n") as lines:
            for line in lines:
                yield json.loads(line, parse_float=Decimal)
    else:
        for row in parquet.read_table(path).to_pylist():
            yield {name: value for name, value in row.items() if value is not None}


def assert_every_row_once(brought: Callable[[str], list[Row]], org: SimulatedOrg, *names: str) -> None:
    """Assert that the files which manifests name hold what the org does, value by value; ``brought`` is ``rows``."""
    for name in names:
        types = GroundTruth(org).types(name)
        assert_same_rows(
            [as_emitted(row, types) for row in brought(name)],
            [in_arrows_range(row, types) for row in GroundTruth(org).records(name)],
        )


def pages_served(org: SimulatedOrg) -> Counter[str]:
    """Return how often each page of each job was answered with rows, by its address."""
    log = org.control.request_log()
    return Counter(f"{one['path']} {one['query']}" for one in log if one["kind"] == "results" and one["status"] == 200)


def as_emitted(row: dict[str, Any], types: dict[str, str]) -> dict[str, Any]:
    """A Parquet row in the words of the Airbyte path: dates as texts, numbers by value."""
    return {name: _as_emitted(value, types[name]) for name, value in row.items()}


def _as_emitted(value: Any, field_type: str) -> Any:
    match value:
        case datetime():
            return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"
        case date():
            return value.isoformat()
        case float():
            return Decimal(repr(value))
        case _:
            return value


def in_arrows_range(row: dict[str, Any], types: dict[str, str]) -> dict[str, Any]:
    """A record of the Airbyte path with the numbers that float64 gives, and instants in one spelling."""
    kept = {}
    for name, value in row.items():
        if types[name] in ("double", "currency", "percent"):
            kept[name] = Decimal(repr(float(value)))
        elif types[name] == "datetime":
            kept[name] = _as_emitted(datetime.fromisoformat(value), "datetime")
        elif not (types[name] in ("int", "long") and not -(2**63) <= value < 2**63):
            kept[name] = value
    return kept


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Come back as soon as ``condition`` holds or the process has ended."""
    while not condition() and process.poll() is None:
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue


def _ignore(_: str) -> None:
    pass
