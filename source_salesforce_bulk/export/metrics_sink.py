"""Write a run's metrics for CloudWatch (embedded metric format, as log lines) or to a JSON file.

Metrics have the object's name as dimension. Run ids are properties, because AWS bills every distinct dimension as a
metric.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from source_salesforce_bulk.export.outcomes import ObjectOutcome
from source_salesforce_bulk.extraction.metrics import ObjectMetrics
from source_salesforce_bulk.registries.durable_files import replace_file

LOGGER = logging.getLogger("salesforce_bulk.export")

NAMESPACE = "SalesforceBulk"

_SIGNALLED = 128  # exit codes from here on name a signal

# Metric -> its unit in CloudWatch.
UNITS: Mapping[str, str] = {
    "RecordsProcessed": "Count",
    "BatchesCompleted": "Count",
    "Errors": "Count",
    "Retries": "Count",
    "Jobs": "Count",
    "Polls": "Count",
    "ApiCalls": "Count",
    "Bytes": "Bytes",
    "FilesStored": "Count",
    "FileBytes": "Bytes",
    "WaitingSeconds": "Seconds",
    "UnreadableCells": "Count",
    "InexactValues": "Count",
    "SchemaChanges": "Count",
    "Succeeded": "Count",
    "Failed": "Count",
}


@dataclass(frozen=True, slots=True)
class RunReport:
    """The report of a finished run. ``objects`` are the outcomes with their counts."""

    run_id: str
    organization_id: str
    exit_code: int
    ended: datetime
    seconds: float
    objects: Sequence[tuple[ObjectOutcome, Mapping[str, float]]]
    run_only: Mapping[str, float]

    @property
    def totals(self) -> dict[str, float]:
        """Return the counts of the whole run, including calls that belong to no object."""
        totals = dict.fromkeys(UNITS, 0.0) | dict(self.run_only)
        for _, counts in self.objects:
            for name, value in counts.items():
                totals[name] += value
        # A run that was stopped has not failed, nor has one whose objects another run was exporting: both are
        # continued.
        failed = 0 < self.exit_code < _SIGNALLED and not self._only_busy
        return totals | {"Succeeded": float(self.exit_code == 0), "Failed": float(failed)}

    @property
    def _only_busy(self) -> bool:
        """Return whether every incomplete object was being exported by another run."""
        failures = [outcome for outcome, _ in self.objects if outcome.failure is not None]
        return bool(failures) and all(outcome.busy for outcome in failures)


def named_counts(metrics: ObjectMetrics, changes: int = 0) -> dict[str, float]:
    """Return one object's counts by the names in :data:`UNITS`."""
    return {
        "RecordsProcessed": metrics.records,
        "BatchesCompleted": metrics.batches,
        "Errors": metrics.errors,
        "Retries": metrics.retries,
        "Jobs": metrics.jobs,
        "Polls": metrics.polls,
        "ApiCalls": metrics.calls.total(),
        "Bytes": metrics.bytes,
        "FilesStored": metrics.files,
        "FileBytes": metrics.file_bytes,
        "WaitingSeconds": round(metrics.waiting, 3),
        "UnreadableCells": metrics.unreadable.total(),
        "InexactValues": metrics.inexact.total(),
        "SchemaChanges": changes,
    }


class MetricsSink(Protocol):
    """Writes the report of a run."""

    def write(self, report: RunReport) -> None:
        """Publish the report."""
        ...


class NoMetrics:
    """``--metrics none``."""

    def write(self, report: RunReport) -> None:
        """Do nothing."""


class EmbeddedMetrics:
    """``--metrics emf``: a line per object and one for the run, from which CloudWatch Logs extracts metrics."""

    def __init__(self, write_line: Callable[[str], object]) -> None:
        self._write_line = write_line

    def write(self, report: RunReport) -> None:
        """See :class:`MetricsSink`."""
        for document in embedded(report):
            self._write_line(json.dumps(document, separators=(",", ":")))


class MetricsFile:
    """``--metrics json:PATH``: all metrics in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, report: RunReport) -> None:
        """See :class:`MetricsSink`."""
        replace_file(self._path, json.dumps(as_json(report), indent=2).encode())


def publish(sink: MetricsSink, report: Callable[[], RunReport]) -> None:
    """Write the metrics. A failure is logged and not raised, because it must not change how the run ended."""
    try:
        sink.write(report())
    except Exception as error:  # noqa: BLE001 - must not change how the run ended
        reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        LOGGER.error("The metrics were not written (%s); the export and its exit code are not affected", reason)  # noqa: TRY400


def embedded(report: RunReport) -> Iterator[dict[str, Any]]:
    """Yield the report in CloudWatch's embedded metric format: the run's totals without dimensions, then objects."""
    common = {"RunId": report.run_id, "OrganizationId": report.organization_id}
    yield _document(report.ended, [[]], report.totals, {**common, "ExitCode": report.exit_code})
    for outcome, counts in report.objects:
        dimensions = {"Object": outcome.object_name}
        properties = {**dimensions, **common, "Status": outcome.status}
        yield _document(report.ended, [list(dimensions)], counts, properties)


def as_json(report: RunReport) -> dict[str, Any]:
    """Return the report as one JSON object."""
    return {
        "run_id": report.run_id,
        "organization_id": report.organization_id,
        "exit_code": report.exit_code,
        "ended_at": report.ended.isoformat(timespec="seconds"),
        "seconds": round(report.seconds, 3),
        "run": report.totals,
        "objects": {
            outcome.object_name: {"status": outcome.status, "schema_version": outcome.schema_version, **counts}
            for outcome, counts in report.objects
        },
    }


def _document(
    at: datetime, dimensions: list[list[str]], values: Mapping[str, float], properties: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "_aws": {
            "Timestamp": int(at.timestamp() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": dimensions,
                    "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in values],
                }
            ],
        },
        **properties,
        **values,
    }
