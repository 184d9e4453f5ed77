"""Read a run's ledger: the run, its objects, its jobs over time, and its errors. Pure.

A ledger may end anywhere, because the run may have been killed, and it may contain several attempts. Unreadable lines
are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Entry = Mapping[str, Any]

_OF_JOBS = (
    "job_created",
    "job_continued",
    "job_polled",
    "job_complete",
    "job_failed",
    "page",
    "window_complete",
)
# Event -> its name in the report.
_INCIDENTS = {
    "retry": "retry",
    "job_failed": "warning",
    "warning": "warning",
    "error": "error",
    "critical": "error",
}


@dataclass(slots=True)
class JobSpan:
    """One query job. Times are instants; None if unknown. ``pages`` are (instant, rows)."""

    object: str
    job: str
    window: str
    begun: datetime
    soql: str = ""
    rows: int | None = None
    complete: datetime | None = None
    ended: datetime | None = None
    failure: str | None = None
    polls: list[datetime] = field(default_factory=list)
    pages: list[tuple[datetime, int]] = field(default_factory=list)

    @property
    def last(self) -> datetime:
        """The last known instant of the job."""
        known = [self.begun, self.complete, self.ended, *self.polls, *(at for at, _ in self.pages)]
        return max(at for at in known if at is not None)


@dataclass(slots=True)
class ObjectStory:
    """The outcome of one object. ``stored_files`` are those of ``--files``, with ``stored_bytes``."""

    name: str
    status: str = "not finished"
    rows: int = 0
    files: int = 0
    jobs: int = 0
    calls: int = 0
    retries: int = 0
    stored_files: int = 0
    stored_bytes: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """An error or a retry, as a sentence."""

    at: datetime
    object: str
    text: str
    kind: str


@dataclass(slots=True)
class RunStory:
    """A run according to its ledger. ``code`` is None if the run did not finish."""

    run_id: str
    begun: datetime | None = None
    last: datetime | None = None
    attempts: int = 0
    code: int | None = None
    destination: str = ""
    manifests: list[str] = field(default_factory=list)
    objects: dict[str, ObjectStory] = field(default_factory=dict)
    jobs: dict[str, JobSpan] = field(default_factory=dict)
    incidents: list[Incident] = field(default_factory=list)
    drifts: list[Entry] = field(default_factory=list)
    files: list[Entry] = field(default_factory=list)
    quotas: list[Entry] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The seconds from the first entry to the last."""
        return (self.last - self.begun).total_seconds() if self.begun and self.last else 0.0

    @property
    def rows(self) -> int:
        """The rows that manifests name."""
        return sum(story.rows for story in self.objects.values())


def read_story(run_id: str, lines: Iterable[bytes | str]) -> RunStory:
    """Parse a ledger."""
    story = RunStory(run_id)
    for line in lines:
        entry = _parsed(line)
        if entry is None:
            continue
        at, what = entry
        story.begun = story.begun or at
        story.last = max(story.last or at, at)
        _add(story, at, what)
    return story


def _parsed(line: bytes | str) -> tuple[datetime, Entry] | None:
    try:
        entry = json.loads(line)
        return datetime.fromisoformat(entry["at"]), entry
    except (ValueError, KeyError, TypeError):
        return None


def _add(story: RunStory, at: datetime, entry: Entry) -> None:
    event = str(entry.get("event"))
    if event in _OF_JOBS:
        _add_to_job(story, at, event, entry)
    elif event == "run_begun":
        _begin(story, entry)
    elif event == "run_ended":
        _end(story, entry)
    elif event == "file":
        story.files.append(entry)
    elif event == "quota":
        story.quotas.append(entry)
    elif event == "schema_drift" and isinstance(entry.get("drift"), Mapping):
        story.drifts.append(entry["drift"])
    if event in _INCIDENTS and not entry.get("ends"):  # the object's own error says it
        story.incidents.append(Incident(at, str(entry.get("object") or ""), _sentence(entry), _INCIDENTS[event]))


def _sentence(entry: Entry) -> str:
    text = str(entry.get("why") or entry.get("message") or "")
    return f"Job {entry['job']}: {text}" if entry.get("job") else text


def _add_to_job(story: RunStory, at: datetime, event: str, entry: Entry) -> None:
    job = str(entry.get("job") or "")
    if not job:
        return
    span = story.jobs.get(job)
    if span is None:
        span = JobSpan(str(entry.get("object") or ""), job, str(entry.get("window") or ""), at)
        story.jobs[job] = span
    span.soql = str(entry.get("soql") or span.soql)
    if event == "job_polled":
        span.polls.append(at)
    elif event == "job_complete":
        span.complete, span.rows = at, _count(entry, "rows")
    elif event == "job_failed":
        span.failure, span.ended = str(entry.get("why") or entry.get("message") or "failed"), at
    elif event == "page":
        span.pages.append((at, _count(entry, "rows")))
    elif event == "window_complete":
        span.ended = at


def _begin(story: RunStory, entry: Entry) -> None:
    story.attempts += 1
    story.destination = str(entry.get("destination", ""))
    for name in _list(entry, "objects"):
        story.objects.setdefault(str(name), ObjectStory(str(name)))


def _end(story: RunStory, entry: Entry) -> None:
    story.code = _count(entry, "code")
    if entry.get("manifest"):
        story.manifests.append(str(entry["manifest"]))
    for named in _list(entry, "objects"):
        if not isinstance(named, Mapping):
            continue
        known = story.objects.setdefault(str(named.get("object")), ObjectStory(str(named.get("object"))))
        known.status = str(named.get("status", ""))
        known.error = str(named["error"]) if named.get("error") else None
        known.rows += _count(named, "rows")
        known.files += _count(named, "files")
        known.jobs += _count(named, "jobs")
        known.calls += _count(named, "api_calls")
        known.retries += _count(named, "retries")
        stored = named.get("stored_files")
        if isinstance(stored, Mapping):
            known.stored_files += _count(stored, "stored")
            known.stored_bytes += _count(stored, "bytes")


def _list(entry: Entry, name: str) -> list[Any]:
    found = entry.get(name)
    return found if isinstance(found, list) else []


def _count(entry: Entry, name: str) -> int:
    found = entry.get(name)
    return int(found) if isinstance(found, int | float) else 0
