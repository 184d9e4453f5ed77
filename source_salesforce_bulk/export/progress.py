"""Show the progress of an export: bars on a terminal, a line a minute elsewhere, and a table at the end."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from source_salesforce_bulk.export.outcomes import ObjectOutcome
from source_salesforce_bulk.export.overview import ObjectView, Overview, Standing
from source_salesforce_bulk.export.text_tables import table
from source_salesforce_bulk.extraction.metrics import ObjectMetrics

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from source_salesforce_bulk.export.object_export import ObjectExport

LOGGER = logging.getLogger("salesforce_bulk.export")

LINE_EVERY = 60.0
"""Seconds between two lines about the run, and between two lines about a running job."""

RATE_OVER = 300.0
"""Seconds over which the rate is measured."""

_BARS_AT_ONCE = 20


class Pulse:
    """Takes overviews of a run and derives the rate from them. ``monotonic`` returns seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._started = monotonic()
        self._objects: Sequence[ObjectExport] = ()
        self._seen: deque[tuple[float, int]] = deque()

    def begin(self, objects: Sequence[ObjectExport]) -> None:
        """Start with the objects to export."""
        self._objects = objects
        self._seen.append((self._monotonic(), 0))

    def take(self) -> Overview:
        """Return the current overview."""
        now = self._monotonic()
        views: list[ObjectView] = [exported.view for exported in self._objects]
        rows = sum(view.rows for view in views)
        while len(self._seen) > 1 and now - self._seen[0][0] > RATE_OVER:
            self._seen.popleft()
        since, before = self._seen[0] if self._seen else (now, 0)
        if self._seen and now - self._seen[-1][0] >= 1.0:
            self._seen.append((now, rows))
        rate = (rows - before) / (now - since) if now > since and rows > before else None
        return Overview(views, now - self._started, rate)


class MinuteLines:
    """Logs one line a minute about the run, and one about each long-running job."""

    def __init__(self, run_id: str, *, jobs_only: bool, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._run_id = run_id
        self._jobs_only = jobs_only
        self._monotonic = monotonic
        self._pulse = Pulse(monotonic)
        self._next = monotonic() + LINE_EVERY

    def begin(self, objects: Sequence[ObjectExport]) -> None:
        """See ``Watcher``."""
        self._pulse.begin(objects)
        self._next = self._monotonic() + LINE_EVERY

    def look(self) -> None:
        """See ``Watcher``."""
        if self._monotonic() < self._next:
            return
        self._next += LINE_EVERY
        overview = self._pulse.take()
        if not self._jobs_only:
            extra = {"run_id": self._run_id, "event": "progress", "facts": overview.facts}
            LOGGER.info("%s", overview, extra=extra)
        for line in overview.stuck():
            LOGGER.info("%s", line, extra={"run_id": self._run_id, "event": "job_waits"})

    def end(self) -> None:
        """See ``Watcher``."""


class LiveBars:
    """Shows a line about the run and a bar for each running object. ``show_above`` prints log lines."""

    def __init__(self, console: Console, lines: MinuteLines) -> None:
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - only on a terminal

        self._lines = lines
        self._pulse = Pulse()
        self._progress: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[said]}", markup=False),
            console=console,
            transient=True,
        )
        self._run: TaskID | None = None
        self._bars: dict[str, TaskID] = {}

    def begin(self, objects: Sequence[ObjectExport]) -> None:
        """See ``Watcher``."""
        self._lines.begin(objects)
        self._pulse.begin(objects)
        self._run = self._progress.add_task("all objects", total=len(objects), said="")
        self._progress.start()

    def look(self) -> None:
        """See ``Watcher``."""
        self._lines.look()
        overview = self._pulse.take()
        if self._run is None:
            return
        counts = overview.counts
        self._progress.update(self._run, completed=counts["read"] + counts["failed"], said=str(overview))
        shown = [
            view for view in overview.objects if not view.standing.is_over and view.standing is not Standing.QUEUED
        ]
        self._draw(shown[:_BARS_AT_ONCE])

    def _draw(self, shown: Sequence[ObjectView]) -> None:
        for name in self._bars.keys() - {view.name for view in shown}:
            self._progress.remove_task(self._bars.pop(name))
        for view in shown:
            if view.name not in self._bars:
                self._bars[view.name] = self._progress.add_task(view.name, total=None, said="")
            self._progress.update(
                self._bars[view.name], completed=view.rows, total=view.known_rows or None, said=describe(view)
            )

    def end(self) -> None:
        """Remove the bars."""
        self._progress.stop()


def describe(view: ObjectView) -> str:
    """Return the current activity of an object and its number of rows."""
    known = f" of {view.known_rows:,}" if view.known_rows is not None else ""
    rows = f", {view.rows:,}{known} rows" if view.rows or known else ""
    return f"{view.standing.value}{rows}"


def summary(outcomes: Sequence[ObjectOutcome], metrics_of: Callable[[str], ObjectMetrics]) -> str:
    """Return the final table, one line per object, and below it why objects failed and what to do.

    ``metrics_of`` returns an object's counts.
    """
    headings = ["object", ">rows", ">files", ">jobs", ">API calls", ">retries", "status"]
    rows = []
    for outcome in outcomes:
        metrics = metrics_of(outcome.object_name)
        counts = (outcome.rows, len(outcome.files), metrics.jobs, metrics.calls.total(), metrics.retries)
        rows.append([outcome.object_name, *(f"{count:,}" for count in counts), outcome.status])
    failures = [outcome.failure for outcome in outcomes if outcome.failure is not None]
    reasons = [f"\n{failure.message}" for failure in failures if failure.explained_by is None]
    return "\n".join([table(headings, rows), *reasons])
