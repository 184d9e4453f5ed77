"""A run's metrics for CloudWatch (embedded metric format, as log lines) or for a JSON file.

Metrics carry the object's name as dimension; run ids are properties, because every distinct dimension is a metric that
is paid for.
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
    "WaitingSeconds": "Seconds",
    "UnreadableCells": "Count",
    "InexactValues": "Count",
    "SchemaChanges": "Count",
    "Succeeded": "Count",
    "Failed": "Count",
}


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run has to tell when it is over. ``objects`` are what became of each, with its counts."""

    run_id: str
    organization_id: str
    exit_code: int
    ended: datetime
    seconds: float
    objects: Sequence[tuple[ObjectOutcome, Mapping[str, float]]]
    run_only: Mapping[str, float]

    @property
    def totals(self) -> dict[str, float]:
        """The whole run's counts: of its objects, and of calls that belong to none."""
        totals = dict.fromkeys(UNITS, 0.0) | dict(self.run_only)
        for _, counts in self.objects:
            for name, value in counts.items():
                totals[name] += value
        # A run that was told to stop has not failed, nor one that found another at work: what they leave goes on.
        failed = 0 < self.exit_code < _SIGNALLED and not self._only_busy
        return totals | {"Succeeded": float(self.exit_code == 0), "Failed": float(failed)}

    @property
    def _only_busy(self) -> bool:
        """Whether all that is not complete was being exported by another run."""
        failures = [outcome for outcome, _ in self.objects if outcome.failure is not None]
        return bool(failures) and all(outcome.busy for outcome in failures)


def named_counts(metrics: ObjectMetrics, changes: int = 0) -> dict[str, float]:
    """One object's counts by the names of :data:`UNITS`."""
    return {
        "RecordsProcessed": metrics.records,
        "BatchesCompleted": metrics.batches,
        "Errors": metrics.errors,
        "Retries": metrics.retries,
        "Jobs": metrics.jobs,
        "Polls": metrics.polls,
        "ApiCalls": metrics.calls.total(),
        "Bytes": metrics.bytes,
        "WaitingSeconds": round(metrics.waiting, 3),
        "UnreadableCells": metrics.unreadable.total(),
        "InexactValues": metrics.inexact.total(),
        "SchemaChanges": changes,
    }


class MetricsSink(Protocol):
    """Takes the report of a run."""

    def write(self, report: RunReport) -> None:
        """Publish it."""
        ...


class NoMetrics:
    """``--metrics none``."""

    def write(self, report: RunReport) -> None:
        """Nothing."""


class EmbeddedMetrics:
    """``--metrics emf``: one line per object and one for the run, which CloudWatch Logs turns into metrics."""

    def __init__(self, write_line: Callable[[str], object]) -> None:
        self._write_line = write_line

    def write(self, report: RunReport) -> None:
        """See :class:`MetricsSink`."""
        for document in embedded(report):
            self._write_line(json.dumps(document, separators=(",", ":")))


class MetricsFile:
    """``--metrics json:PATH``: everything in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, report: RunReport) -> None:
        """See :class:`MetricsSink`."""
        replace_file(self._path, json.dumps(as_json(report), indent=2).encode())


def publish(sink: MetricsSink, report: Callable[[], RunReport]) -> None:
    """Hand the metrics over. Where that fails the log says so and nothing is raised: the run ended as it ended."""
    try:
        sink.write(report())
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not take the place of how the run ended
        reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        LOGGER.error("The run's metrics were not written (%s); what was exported and the exit code stand", reason)  # noqa: TRY400


def embedded(report: RunReport) -> Iterator[dict[str, Any]]:
    """The report in CloudWatch's embedded metric format: the run's totals without dimensions, then object by object."""
    common = {"RunId": report.run_id, "OrganizationId": report.organization_id}
    yield _document(report.ended, [[]], report.totals, {**common, "ExitCode": report.exit_code})
    for outcome, counts in report.objects:
        dimensions = {"Object": outcome.object_name}
        properties = {**dimensions, **common, "Status": outcome.status}
        yield _document(report.ended, [list(dimensions)], counts, properties)


def as_json(report: RunReport) -> dict[str, Any]:
    """The report as one JSON object."""
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
