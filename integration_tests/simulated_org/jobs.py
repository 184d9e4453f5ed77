"""Query jobs: their life from UploadComplete to their end, and their form in the API."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from integration_tests.simulated_org.clock import json_stamp
from integration_tests.simulated_org.faults import Fault
from integration_tests.simulated_org.ids import simple_id
from integration_tests.simulated_org.snapshots import Snapshot
from integration_tests.simulated_org.soql import CompiledQuery

UPLOAD_COMPLETE, IN_PROGRESS, COMPLETE = "UploadComplete", "InProgress", "JobComplete"
FAILED, ABORTED = "Failed", "Aborted"
TERMINAL = frozenset({COMPLETE, FAILED, ABORTED})


@dataclass(slots=True)
class QueryJob:
    """One job. `plan` are the faults that were laid on it when it was made; `locators` map to first rows of pages."""

    id: str
    operation: str
    soql: str
    object: str
    version: str
    column_delimiter: str
    line_ending: str
    created_by: str
    created: datetime
    compiled: CompiledQuery | None = None
    plan: Sequence[Fault] = ()
    foreign: bool = False
    job_type: str = "V2Query"
    nth: int = 1
    state: str = UPLOAD_COMPLETE
    changed: datetime | None = None
    snapshot: Snapshot | None = None
    polls: int = 0
    pages_served: int = 0
    error_message: str | None = None
    aborted: bool = False
    deleted: bool = False
    expired: bool = False
    locators: dict[str, int] = field(default_factory=dict)
    history: list[str] = field(default_factory=lambda: [UPLOAD_COMPLETE])

    @property
    def gone(self) -> bool:
        """True when the API answers 404 for it."""
        return self.deleted or self.expired

    def move(self, state: str, now: datetime) -> None:
        """Change the state; an end is final and stays as it is."""
        if self.state in TERMINAL:
            return
        self.state = state
        self.changed = now
        self.history.append(state)

    def planned(self, kind: str) -> Fault | None:
        """Return the fault of a kind that was laid on the job."""
        return next((fault for fault in self.plan if fault.kind == kind), None)

    def reported_state(self) -> str:
        """Return the state as the API shows it."""
        odd = self.planned("job_state")
        return str(odd.value) if odd is not None and self.state not in (UPLOAD_COMPLETE, ABORTED) else self.state

    def locator(self, start: int) -> str:
        """Return the locator of the page that begins at a row: the same one every time it is asked for.

        Like the real ones it is unpadded base64 of a triple whose parts mean nothing to a client.
        """
        digest = int.from_bytes(hashlib.sha256(f"{self.id}/{start}".encode()).digest()[:5], "big")
        text = f"{digest % 4}:{simple_id('0Ga', 'Hn', digest)}:{digest % 97}"
        locator = base64.b64encode(text.encode()).decode().rstrip("=")
        self.locators[locator] = start
        return locator

    def total(self) -> int | None:
        """Return numberRecordsProcessed as reported of a finished job, or of a running one that has its result."""
        if self.planned("total_missing") is not None:
            return None
        wrong = self.planned("total_wrong")
        rows = self.snapshot.rows if self.snapshot is not None and self.state in (IN_PROGRESS, COMPLETE) else 0
        return rows + (wrong.delta if wrong is not None else 0)

    def create_body(self) -> dict[str, Any]:
        """Return the recorded keys of the create answer."""
        stamp = json_stamp(self.created.replace(microsecond=0))
        return {
            "id": self.id,
            "operation": self.operation,
            "object": self.object,
            "createdById": self.created_by,
            "createdDate": stamp,
            "systemModstamp": json_stamp((self.changed or self.created).replace(microsecond=0)),
            "state": self.reported_state(),
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version),
            "lineEnding": self.line_ending,
            "columnDelimiter": self.column_delimiter,
        }

    def info_body(self, *, while_running: str, chunking_key: bool) -> dict[str, Any]:
        """Return the recorded keys of job info."""
        body = self.create_body() | {"jobType": self.job_type, "retries": 0, "totalProcessingTime": 0}
        if chunking_key:
            body["isPkChunkingSupported"] = bool(self.compiled and self.compiled.pk_chunking)
        total = self.total() if while_running == "total" or self.state in TERMINAL else None
        if total is None and while_running == "zero" and self.state == IN_PROGRESS:
            total = 0
        if total is not None:
            body["numberRecordsProcessed"] = total
        if self.state in TERMINAL:
            body["totalProcessingTime"] = 100 + (total or 0) // 10
        if self.error_message is not None:
            body["errorMessage"] = self.error_message
        return body

    def abort_body(self) -> dict[str, Any]:
        """Return the recorded keys of the abort answer: no lineEnding, no columnDelimiter."""
        body = self.create_body()
        del body["lineEnding"], body["columnDelimiter"]
        return body

    def report(self) -> dict[str, Any]:
        """Return everything about the job for the control API."""
        return {
            "id": self.id,
            "object": self.object,
            "operation": self.operation,
            "query": self.soql,
            "state": self.state,
            "history": list(self.history),
            "aborted": self.aborted,
            "deleted": self.deleted,
            "expired": self.expired,
            "foreign": self.foreign,
            "polls": self.polls,
            "pages_served": self.pages_served,
            "version": self.version,
            "rows": self.snapshot.rows if self.snapshot else None,
            "created": json_stamp(self.created),
        }
