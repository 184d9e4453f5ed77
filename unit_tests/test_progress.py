from __future__ import annotations

import io
import logging
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from source_salesforce_bulk.export.object_export import ObjectExport
from source_salesforce_bulk.export.outcomes import ExportFailed, ObjectOutcome
from source_salesforce_bulk.export.overview import ObjectView, Standing
from source_salesforce_bulk.export.progress import LINE_EVERY, LiveBars, MinuteLines, Pulse, describe, summary
from source_salesforce_bulk.extraction.metrics import ObjectMetrics
from source_salesforce_bulk.registries.state import DataFile
from source_salesforce_bulk.salesforce.failures import Consequence


def view(name: str = "Account", standing: Standing = Standing.DOWNLOADING, rows: int = 0, **facts) -> ObjectView:
    return ObjectView(name, standing, rows, facts.pop("known", None), **facts)


class Run:
    """Objects that move, and the time at which they are looked at."""

    def __init__(self, *views: ObjectView) -> None:
        self.now = 100.0
        self.objects = [SimpleNamespace(view=one) for one in views]

    def exports(self) -> list[ObjectExport]:
        return cast(list[ObjectExport], self.objects)

    def monotonic(self) -> float:
        return self.now


def test_a_line_a_minute_and_no_more(caplog):
    caplog.set_level(logging.INFO)
    run = Run(view(rows=500))
    lines = MinuteLines("r1", jobs_only=False, monotonic=run.monotonic)
    lines.begin(run.exports())
    for _ in range(int(3 * LINE_EVERY) + 1):
        lines.look()
        run.now += 1
    assert len(caplog.records) == 3
    assert "0 of 1 objects read, 1 running; 500 rows" in caplog.text
    assert caplog.records[0].facts["rows"] == 500
    assert caplog.records[0].event == "progress"


@pytest.mark.parametrize("jobs_only", [True, False])
def test_a_stuck_job_is_told_every_minute(caplog, jobs_only):
    caplog.set_level(logging.INFO)
    run = Run(view(standing=Standing.WAITING, job="750A", waiting=200.0))
    lines = MinuteLines("r1", jobs_only=jobs_only, monotonic=run.monotonic)
    lines.begin(run.exports())
    for _ in range(2):
        run.now += LINE_EVERY
        lines.look()
    said = [record.getMessage() for record in caplog.records if "750A" in record.getMessage()]
    assert said == ["Account: Salesforce has been working on query job 750A for 3 min 20 s"] * 2
    assert len(caplog.records) == (2 if jobs_only else 4)


def test_the_rate_is_that_of_the_last_minutes():
    run = Run(view(rows=0))
    pulse = Pulse(run.monotonic)
    pulse.begin(run.exports())
    assert pulse.take().rate is None
    run.now += 10
    run.objects[0].view = view(rows=500)
    assert pulse.take().rate == 50.0
    for _ in range(400):
        run.now += 1
        assert pulse.take().elapsed == run.now - 100.0
    assert pulse.take().rate is None, "nothing has come for minutes"


def test_what_an_object_does_is_said_with_what_is_known():
    assert describe(view(standing=Standing.WAITING)) == "running in Salesforce"
    assert describe(view(rows=500, known=1200)) == "downloading, 500 of 1,200 rows"
    assert describe(view(standing=Standing.WAITING, known=0)) == "running in Salesforce, 0 of 0 rows"


def test_bars_are_for_objects_under_way():
    screen = io.StringIO()
    run = Run(
        *(view(f"Queued{number:02d}", Standing.QUEUED) for number in range(40)),
        *(view(f"Busy{number:02d}", rows=500, known=1000) for number in range(30)),
    )
    bars = LiveBars(Console(file=screen, force_terminal=True, width=100), MinuteLines("r1", jobs_only=True))
    bars.begin(run.exports())
    try:
        bars.look()
        assert {task.description for task in bars._progress.tasks if task.description != "all objects"} == {
            f"Busy{number:02d}" for number in range(20)
        }
        run.objects[40].view = view("Busy00", Standing.READ, 1000)
        bars.look()
        names = [task.description for task in bars._progress.tasks]
        assert "Busy00" not in names
        assert "Busy20" in names
    finally:
        bars.end()
    assert "0 of 70 objects read" in screen.getvalue()


def test_the_table_says_what_became_of_each_object():
    file = DataFile("Account/run=r/w00000-p000000.parquet", 7, 100, "750A", None)
    outcomes = [
        ObjectOutcome("Account", files=(file,), rows=7),
        ObjectOutcome("Contact", ExportFailed(Consequence.CONFIG, "no")),
        ObjectOutcome("Lead", stopped=True),
    ]
    lines = summary(outcomes, lambda _: ObjectMetrics(jobs=2, retries=1)).splitlines()
    assert lines[0].split() == ["object", "rows", "files", "jobs", "API", "calls", "retries", "status"]
    assert lines[1].split() == ["Account", "7", "1", "2", "0", "1", "complete"]
    assert [line.split()[-1] for line in lines[2:4]] == ["failed", "stopped"]


def test_below_the_table_each_cause_says_once_what_to_do():
    outcomes = [
        ObjectOutcome("Account", ExportFailed(Consequence.TRANSIENT, "Account: used up. Run again.")),
        ObjectOutcome("Contact", ExportFailed(Consequence.TRANSIENT, "Contact: see Account.", explained_by="Account")),
        ObjectOutcome("Gone__c", ExportFailed(Consequence.CONFIG, "Gone__c cannot be exported.")),
        ObjectOutcome("Lead"),
    ]
    below = summary(outcomes, lambda _: ObjectMetrics()).split("\n")[5:]
    assert below == ["", "Account: used up. Run again.", "", "Gone__c cannot be exported."]
