from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from source_salesforce_bulk.export.outcomes import ExportFailed, ObjectOutcome
from source_salesforce_bulk.export.progress import PLAIN_LINE_EVERY, LiveBars, PlainLines, print_summary
from source_salesforce_bulk.export.run import ExportResult
from source_salesforce_bulk.extraction.metrics import ObjectMetrics
from source_salesforce_bulk.registries.state import DataFile
from source_salesforce_bulk.salesforce.failures import Consequence


def export_of(name: str, standing: str = "queued", records: int = 0, known_rows: int | None = None) -> SimpleNamespace:
    """An object's export, as far as progress looks at it."""
    return SimpleNamespace(
        name=name,
        standing=standing,
        metrics=ObjectMetrics(records=records),
        known_rows=known_rows,
        outcome=ObjectOutcome(name),
    )


class Lines:
    """Plain lines, and the time at which they are written."""

    def __init__(self, *objects: SimpleNamespace) -> None:
        self.now = 100.0
        self.lines: list[str] = []
        self.progress = PlainLines(self.lines.append, lambda: self.now)
        self.progress.begin(objects)
        self.progress.look()


def test_what_an_object_does_is_said_when_it_changes():
    account = export_of("Account", known_rows=1200)
    said = Lines(account)
    assert said.lines == []
    account.standing = "running in Salesforce"
    said.progress.look()
    said.progress.look()
    assert said.lines == ["Account: running in Salesforce, 0 of 1,200 rows"]


def test_rows_are_said_now_and_then():
    account = export_of("Account", "downloading")
    said = Lines(account)
    said.lines.clear()
    account.metrics.records = 500
    said.now += PLAIN_LINE_EVERY - 1
    said.progress.look()
    assert said.lines == []
    said.now += 1
    said.progress.look()
    assert said.lines == ["Account: downloading, 500 rows, 50 rows/s"]
    said.now += 2 * PLAIN_LINE_EVERY
    said.progress.look()
    assert len(said.lines) == 1, "nothing has moved"


def test_the_end_says_what_has_not_been_said():
    account = export_of("Account", "downloading")
    said = Lines(account)
    account.standing, account.metrics.records = "done", 7
    said.progress.end()
    assert said.lines[-1] == "Account: done, 7 rows"


def test_bars_show_who_is_at_work_first():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    queued = [export_of(f"Queued{number:02d}") for number in range(40)]
    busy = export_of("Busy", "downloading", records=500, known_rows=1000)
    bars = LiveBars(console)
    bars.begin([*queued, busy])
    try:
        bars.look()
        shown = [task.description for task in bars._progress.tasks if task.visible]
        (task,) = [task for task in bars._progress.tasks if task.description == "Busy"]
    finally:
        bars.end()
    assert "Busy" in shown
    assert len(shown) == 20
    assert (task.completed, task.total, task.fields["standing"]) == (500, 1000, "downloading")
    assert "500 of 1,000 rows" in screen.getvalue()


def test_bars_of_no_object_begin_and_end():
    screen = io.StringIO()
    bars = LiveBars(Console(file=screen, force_terminal=True))
    bars.begin([])
    began = bars._progress.live.is_started
    bars.look()
    bars.end()
    assert (began, bars._progress.live.is_started) == (True, False)
    assert "rows" not in screen.getvalue()


def test_bars_that_never_began_end_without_a_word():
    """A run may fail before its objects are known."""
    screen = io.StringIO()
    LiveBars(Console(file=screen, force_terminal=True)).end()
    assert screen.getvalue().strip() == ""


@pytest.mark.parametrize("manifest", [None, "s3://bucket/_manifests/r1.json"])
def test_the_table_tells_what_became_of_each_object(manifest):
    out = io.StringIO()
    account, lead = export_of("Account", records=1200), export_of("Lead")
    account.outcome.files = (DataFile("a", 1200, 10, "750A", None),)
    account.outcome.rows = 1200
    lead.outcome.failure = ExportFailed(Consequence.CONFIG, "no")
    result = ExportResult(3, (account.outcome, lead.outcome), manifest)
    print_summary(Console(file=out, width=100), result, {"Account": account.metrics, "Lead": lead.metrics}.__getitem__)
    lines = out.getvalue().splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["object", "Account", "Lead"]
    assert "1,200" in lines[1]
    assert lines[1].rstrip().endswith("complete")
    assert lines[2].rstrip().endswith("failed")
    assert lines[3:] == ([f"Manifest: {manifest}"] if manifest else [])
