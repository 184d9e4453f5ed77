from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from source_salesforce_bulk.export.metrics_sink import (
    UNITS,
    EmbeddedMetrics,
    MetricsFile,
    NoMetrics,
    RunReport,
    named_counts,
    publish,
)
from source_salesforce_bulk.export.outcomes import ExportFailed, ObjectOutcome
from source_salesforce_bulk.export.places import UnknownPlace, metrics_sink
from source_salesforce_bulk.extraction.metrics import ObjectMetrics
from source_salesforce_bulk.salesforce.failures import Consequence
from source_salesforce_bulk.salesforce.wire import Operation


def metrics(records: int) -> ObjectMetrics:
    counted = ObjectMetrics(records=records, batches=2, errors=1, retries=3, jobs=1, bytes=1000, waiting=1.23456)
    counted.calls[Operation.JOB_INFO] = 4
    counted.unreadable["X"] = 2
    return counted


def report(code: int = 0) -> RunReport:
    failure = ExportFailed(Consequence.CONFIG, "no") if code else None
    return RunReport(
        run_id="r1",
        organization_id="00D",
        exit_code=code,
        ended=datetime(2026, 11, 25, 8, tzinfo=UTC),
        seconds=12.3456,
        objects=[
            (ObjectOutcome("Account", failure=failure, schema_version=2), named_counts(metrics(10), changes=5)),
            (ObjectOutcome("Lead"), named_counts(metrics(20))),
        ],
        run_only=named_counts(ObjectMetrics()),
    )


def test_every_count_has_a_unit():
    assert set(named_counts(ObjectMetrics())) | {"Succeeded", "Failed"} == set(UNITS)


def test_embedded_metrics_are_one_document_per_object_and_one_of_the_run():
    lines: list[str] = []
    EmbeddedMetrics(lines.append).write(report())
    run, account, lead = map(json.loads, lines)
    assert (run["RecordsProcessed"], run["ApiCalls"], run["Succeeded"], run["Failed"]) == (30, 8, 1, 0)
    assert (account["Object"], account["RecordsProcessed"], account["SchemaChanges"]) == ("Account", 10, 5)
    assert (lead["Object"], lead["Status"]) == ("Lead", "complete")


def test_an_embedded_document_is_what_cloudwatch_takes():
    """The shape of the embedded metric format specification: every declared name is a number at the root."""
    lines: list[str] = []
    EmbeddedMetrics(lines.append).write(report(3))
    for line in lines:
        assert "\n" not in line
        document = json.loads(line)
        assert document["_aws"]["Timestamp"] == 1_795_593_600_000
        (directive,) = document["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "SalesforceBulk"
        assert len(directive["Metrics"]) <= 100
        for metric in directive["Metrics"]:
            assert isinstance(document[metric["Name"]], (int, float))
            assert metric["Unit"] in ("Count", "Bytes", "Seconds")
        for dimensions in directive["Dimensions"]:
            assert all(isinstance(document[name], str) for name in dimensions)
        assert document["RunId"] == "r1"
    assert json.loads(lines[0])["Failed"] == 1


BUSY = ObjectOutcome("Lead", failure=ExportFailed(Consequence.TRANSIENT, "held"), busy=True)
AGAIN = ObjectOutcome("Case", failure=ExportFailed(Consequence.TRANSIENT, "an outage"))
DONE = ObjectOutcome("Account")


@pytest.mark.parametrize(
    ("outcomes", "failed"),
    [([BUSY], 0), ([BUSY, DONE], 0), ([BUSY, AGAIN], 1), ([AGAIN, DONE], 1), ([], 1)],
)
def test_finding_another_run_at_work_is_no_failure(outcomes, failed):
    told = replace(report(), exit_code=75, objects=[(one, named_counts(ObjectMetrics())) for one in outcomes])
    assert (told.totals["Succeeded"], told.totals["Failed"]) == (0, failed)


@pytest.mark.parametrize("code", [130, 143])
def test_being_told_to_stop_is_no_failure(code):
    assert replace(report(), exit_code=code).totals["Failed"] == 0


def test_a_metrics_file_holds_run_and_objects(tmp_path):
    path = tmp_path / "metrics.json"
    MetricsFile(path).write(report())
    written = json.loads(path.read_text())
    assert (written["run_id"], written["exit_code"], written["seconds"]) == ("r1", 0, 12.346)
    assert written["objects"]["Account"]["RecordsProcessed"] == 10
    assert written["objects"]["Account"]["WaitingSeconds"] == 1.235
    assert written["run"]["UnreadableCells"] == 4


@pytest.mark.parametrize("path", ["a-file/metrics.json", "a-folder"])
def test_a_path_that_takes_no_file_is_refused_before_the_run(tmp_path, path):
    (tmp_path / "a-file").touch()
    (tmp_path / "a-folder").mkdir()
    with pytest.raises(UnknownPlace, match=f"The metrics cannot be written to {tmp_path / path}: .+ Name a file"):
        metrics_sink(f"json:{tmp_path / path}", print)


def test_asking_for_metrics_leaves_the_file_of_the_last_run_alone(tmp_path):
    path = tmp_path / "new" / "metrics.json"
    metrics_sink(f"json:{path}", print)
    assert not list(path.parent.iterdir())
    path.write_text("the last run's")
    metrics_sink(f"json:{path}", print)
    assert path.read_text() == "the last run's"


def test_metrics_that_cannot_be_written_after_all_are_a_line_of_the_log(tmp_path, caplog):
    sink = MetricsFile(tmp_path)
    publish(sink, report)
    assert caplog.messages == [
        "The metrics were not written (Is a directory); the export and its exit code are not affected"
    ]
    assert not list(tmp_path.parent.glob(f".{tmp_path.name}*"))


def test_no_metrics_are_none():
    assert NoMetrics().write(report()) is None
