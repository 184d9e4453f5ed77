"""The progress of a run, in numbers and as one line. Pure.

The remaining time is estimated only if all required numbers are known: the rows of each unfinished object, and a rate
that was measured over at least a minute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from source_salesforce_bulk.export.text_tables import counted

STUCK_AFTER = 60.0
"""Seconds after which a query job that is still running is logged, and again every minute."""

_RATE_NEEDS = 60.0
_JOBS_IN_A_LINE = 5
_MINUTE, _HOUR = 60, 3600


class Standing(Enum):
    """The current activity for an object."""

    QUEUED = "queued"
    PREPARING = "preparing"
    PROBING = "checking for changes"
    SLOT = "waiting for a job slot"
    CREATING = "creating a query job"
    WAITING = "running in Salesforce"
    DOWNLOADING = "downloading"
    CUTTING = "splitting a window"
    READ = "all rows read"
    FAILED = "failed"
    AGAIN = "run again"

    @property
    def is_over(self) -> bool:
        """Return whether the run has finished with the object."""
        return self in (Standing.READ, Standing.FAILED, Standing.AGAIN)


@dataclass(frozen=True, slots=True)
class ObjectView:
    """One object at one moment. ``known_rows`` is None if unknown; ``waiting`` is the seconds in ``job``."""

    name: str
    standing: Standing
    rows: int
    known_rows: int | None
    job: str | None = None
    waiting: float = 0.0


@dataclass(frozen=True, slots=True)
class Overview:
    """A whole run at one moment. ``rate`` is in rows per second over the last minutes; None if not known yet."""

    objects: Sequence[ObjectView]
    elapsed: float
    rate: float | None = None

    @property
    def rows(self) -> int:
        """Rows written so far."""
        return sum(view.rows for view in self.objects)

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of objects that are read, failed, running and queued, and the total."""
        found = Counter(_group(view.standing) for view in self.objects)
        return {name: found[name] for name in ("read", "failed", "running", "queued")} | {"of": len(self.objects)}

    @property
    def seconds_left(self) -> float | None:
        """The estimated time to the last row; None if there is no reliable estimate."""
        if not self.rate or self.elapsed < _RATE_NEEDS:
            return None
        left = 0
        for view in self.objects:
            if view.standing.is_over:
                continue
            if view.known_rows is None:
                return None
            left += max(0, view.known_rows - view.rows)
        return left / self.rate

    @property
    def facts(self) -> dict[str, float]:
        """Return the numbers as fields of a log line; unknown ones are left out."""
        facts: dict[str, float] = {f"objects_{name}": count for name, count in self.counts.items()}
        facts |= {"rows": self.rows, "elapsed_seconds": round(self.elapsed, 1)}
        if self.rate is not None:
            facts["rows_per_second"] = round(self.rate, 1)
        if self.seconds_left is not None:
            facts["seconds_left"] = round(self.seconds_left)
        return facts

    def __str__(self) -> str:
        counts = self.counts
        parts = [f"{counts['read']:,} of {counts['of']:,} objects read"]
        parts += [f"{counts[name]:,} {name}" for name in ("failed", "running", "queued") if counts[name]]
        rate = "" if self.rate is None else f", {self.rate:,.0f} rows/s"
        left = "" if self.seconds_left is None else f", about {duration(self.seconds_left)} left"
        return f"{', '.join(parts)}; {counted(self.rows, 'row')}{rate}; {duration(self.elapsed)} elapsed{left}"

    def stuck(self) -> list[str]:
        """Return a line about each of the longest-running query jobs that take more than a minute."""
        waiting = [view for view in self.objects if view.job is not None and view.waiting >= STUCK_AFTER]
        waiting.sort(key=lambda view: -view.waiting)
        lines = [
            f"{view.name}: Salesforce has been working on query job {view.job} for {duration(view.waiting)}"
            for view in waiting[:_JOBS_IN_A_LINE]
        ]
        more = len(waiting) - _JOBS_IN_A_LINE
        return [*lines, *([f"... and on {more} more query jobs"] if more > 0 else [])]


def duration(seconds: float) -> str:
    """Return seconds as text.

    >>> duration(42.4), duration(185), duration(7260)
    ('42 s', '3 min 5 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def _group(standing: Standing) -> str:
    if standing is Standing.READ:
        return "read"
    if standing.is_over:
        return "failed"
    return "queued" if standing is Standing.QUEUED else "running"
