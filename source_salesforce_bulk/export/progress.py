"""How an export gets on, for a person: live bars on a terminal, plain lines elsewhere, and a table at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from source_salesforce_bulk.export.object_export import ObjectExport
from source_salesforce_bulk.export.run import ExportResult
from source_salesforce_bulk.extraction.metrics import ObjectMetrics

PLAIN_LINE_EVERY = 10.0
"""Seconds between two plain lines about an object that has not changed what it does."""
_BARS_AT_ONCE = 20


class LiveBars:
    """A bar per object on a terminal: what it does, rows, rate, expected rows. Those under way come first."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            TextColumn("{task.fields[standing]}", style="cyan"),
            BarColumn(bar_width=24),
            _Rows(),
            _Rate(),
            console=console,
            transient=True,
        )
        self._bars: list[tuple[ObjectExport, TaskID]] = []

    def begin(self, objects: Sequence[ObjectExport]) -> None:
        """See ``Watcher``."""
        for one in objects:
            bar = self._progress.add_task(one.name, total=one.known_rows, standing="queued", visible=False, start=False)
            self._bars.append((one, bar))
        self._progress.start()

    def look(self) -> None:
        """See ``Watcher``."""
        under_way = [one for one, _ in self._bars if one.standing not in ("queued", "done", "failed", "run again")]
        queued = [one for one, _ in self._bars if one.standing == "queued"]
        shown = {one.name for one in (under_way + queued)[:_BARS_AT_ONCE]}
        for one, bar in self._bars:
            if one.metrics.records and self._progress.tasks[bar].start_time is None:
                self._progress.start_task(bar)
            self._progress.update(
                bar,
                completed=one.metrics.records,
                total=one.known_rows,
                standing=one.standing,
                visible=one.name in shown,
            )

    def end(self) -> None:
        """Take the bars away."""
        self._progress.stop()


class PlainLines:
    """A line whenever an object does something else, and now and then while it goes on."""

    def __init__(self, write: Callable[[str], object], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._monotonic = monotonic
        self._objects: Sequence[ObjectExport] = ()
        self._said: dict[str, tuple[str, float, int]] = {}

    def begin(self, objects: Sequence[ObjectExport]) -> None:
        """See ``Watcher``."""
        self._objects = objects

    def look(self) -> None:
        """See ``Watcher``."""
        now = self._monotonic()
        for one in self._objects:
            standing, rows = one.standing, one.metrics.records
            before, at, rows_then = self._said.get(one.name, ("queued", now, 0))
            if standing == before and (rows == rows_then or now - at < PLAIN_LINE_EVERY):
                self._said.setdefault(one.name, (before, at, rows_then))
                continue
            self._said[one.name] = (standing, now, rows)
            rate = f", {(rows - rows_then) / (now - at):,.0f} rows/s" if rows > rows_then and now > at else ""
            known = f" of {one.known_rows:,}" if one.known_rows else ""
            self._write(f"{one.name}: {standing}, {rows:,}{known} rows{rate}")

    def end(self) -> None:
        """Say what has not been said yet."""
        self.look()


def print_summary(console: Console, result: ExportResult, metrics_of: Callable[[str], ObjectMetrics]) -> None:
    """The final table: one line per object, and where the manifest is. ``metrics_of`` gives an object's counts."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("object")
    for name in ("rows", "files", "jobs", "API calls", "retries"):
        table.add_column(name, justify="right")
    table.add_column("status")
    for outcome in result.outcomes:
        metrics = metrics_of(outcome.object_name)
        table.add_row(
            outcome.object_name,
            f"{outcome.rows:,}",
            f"{len(outcome.files):,}",
            f"{metrics.jobs:,}",
            f"{metrics.calls.total():,}",
            f"{metrics.retries:,}",
            outcome.status,
        )
    console.print(table)
    if result.manifest:
        console.print(f"Manifest: {result.manifest}", soft_wrap=True, highlight=False, markup=False)


class _Rows(ProgressColumn):
    def render(self, task: Task) -> Text:
        total = f" of {task.total:,.0f}" if task.total else ""
        return Text(f"{task.completed:,.0f}{total} rows")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:,.0f} rows/s" if task.completed else "")
