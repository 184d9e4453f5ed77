"""The control API: a test changes the org with it, and queries it afterwards.

Every public method takes and gives JSON values only, so the same method serves Python and HTTP.
"""

# ruff: noqa: A002 - `object` is the vendor's word, and the key on the wire
from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from integration_tests.simulated_org.clock import csv_stamp
from integration_tests.simulated_org.control_rows import RowControl
from integration_tests.simulated_org.credentials import all_credentials
from integration_tests.simulated_org.csv_text import CsvForm
from integration_tests.simulated_org.events import EVENTS
from integration_tests.simulated_org.faults import Fault
from integration_tests.simulated_org.fields import parse_field
from integration_tests.simulated_org.formulas import Formula
from integration_tests.simulated_org.ids import record_id
from integration_tests.simulated_org.jobs import COMPLETE, TERMINAL, QueryJob
from integration_tests.simulated_org.objects import declare
from integration_tests.simulated_org.routes import REQUEST_KINDS
from integration_tests.simulated_org.rows import Operation


class Control(RowControl):
    """Changes and inspects one org from outside the API."""

    # -- schema ------------------------------------------------------------------------------------------------------

    def add_field(self, object: str, declaration: str) -> None:
        """Add a field, or replace it, from a catalog line such as `New__c string(20)`."""
        self._org.object(object)
        self._org.schema.add_field(object, parse_field(declaration), self._org.clock.now())
        self._org.object(object)

    def add_formula(
        self, object: str, declaration: str, sql: str, shown: str | None = None, reads: Sequence[str] = ()
    ) -> None:
        """Add a calculated field: SQL over `{row}`, `{today}`, `{now}` and the objects it reads."""
        formula = Formula(sql, shown, tuple(reads))
        field = replace(parse_field(declaration), calculated=True, formula=formula)
        self._org.schema.add_field(object, field, self._org.clock.now())

    def remove_field(self, object: str, field: str) -> None:
        """Remove a field: describe no longer shows it, SOQL answers INVALID_FIELD."""
        self._org.schema.remove_field(object, field, self._org.clock.now())

    def rename_field(self, object: str, field: str, name: str) -> None:
        """Rename a field; another spelling in letter case alone is the same field, as for Salesforce."""
        declared = self._org.object(object)
        self._org.store.rename(declared, field, name)
        self._org.schema.rename_field(object, field, name, self._org.clock.now())

    def hide_field(self, object: str, field: str, login: str | None = None) -> None:
        """Hide a field by field-level security, from one login (a flow) or from all; to them it looks removed."""
        self._org.schema.hide_field(object, field, self._org.clock.now(), login=login)

    def show_field(self, object: str, field: str, login: str | None = None) -> None:
        """Show a hidden field again."""
        self._org.schema.hide_field(object, field, self._org.clock.now(), hidden=False, login=login)

    def add_object(self, name: str, fields: str, prefix: str = "a9Z", rows: int = 0) -> None:
        """Add a custom object with full audit fields and generated rows."""
        self._org.schema.add_object(declare(name, prefix, fields, volume=rows), self._org.clock.now())
        self._org.object(name)

    def remove_object(self, object: str) -> None:
        """Take an object away."""
        self._org.schema.remove_object(object)

    def objects(self) -> list[dict[str, Any]]:
        """Return the objects with their traits and generated row counts."""
        return [
            {
                "name": one.name,
                "queryable": one.queryable,
                "hidden": one.hidden,
                "refused_by_bulk": one.bulk_refusal is not None,
                "filter_required": list(one.filter_required),
                "volume": one.volume,
            }
            for one in self._org.schema
        ]

    # -- jobs --------------------------------------------------------------------------------------------------------

    def jobs(self, object: str | None = None) -> list[dict[str, Any]]:
        """Return every job, including deleted ones, with its SOQL, states and outcome."""
        return [job.report() for job in list(self._org.jobs.values()) if object in (None, job.object)]

    def peak_unfinished_jobs(self) -> int:
        """Return the largest number of own jobs that were unfinished at once."""
        return self._org.peak_unfinished_jobs

    def delete_job(self, job: str) -> None:
        """Delete a job as another client could."""
        self._org.jobs[job].deleted = True

    def expire_job(self, job: str) -> None:
        """Let a job and its results pass the seven days."""
        self._org.jobs[job].expired = True

    def abort_job(self, job: str) -> None:
        """Abort a job as an administrator does."""
        self._org.jobs[job].move("Aborted", self._org.clock.now())

    def fail_job(self, job: str, message: str | None = None) -> None:
        """Let a running job fail."""
        found = self._org.jobs[job]
        if found.state not in TERMINAL:
            found.error_message = message
            found.move("Failed", self._org.clock.now())

    def add_foreign_job(self, object: str = "Account", state: str = COMPLETE, job_type: str = "V2Query") -> str:
        """Add a job that another client made; return its id."""
        soql = f"SELECT Id FROM {object}"
        job = QueryJob(
            record_id("750", len(self._org.jobs)),
            "query",
            soql,
            object,
            "66.0",
            "COMMA",
            "LF",
            record_id("005", 1),
            self._org.clock.now(),
            foreign=True,
            job_type=job_type,
            state=state,
        )
        self._org.jobs[job.id] = job
        return job.id

    def warm(self, query: str, operation: Operation = "query", page_rows: int = 50_000) -> int:
        """Render and compress a large result in advance, so that a bench measures its client; return the row count.

        The pages are used by later jobs whose query is the same and whose pages have `page_rows` rows.
        """
        compiled = self._org.compile(query, all_rows=operation == "queryAll")
        snapshot = self._org.render(compiled, CsvForm(quoting=self._org.settings.quoting))
        for start in range(0, snapshot.rows, page_rows):
            snapshot.gzip_page(start, snapshot.fitting(start, page_rows, self._org.settings.page_bytes_cap))
        return snapshot.rows

    def expire_cursors(self) -> int:
        """Let every cursor of a REST query pass its two days; return how many there were."""
        count = len(self._org.cursors)
        self._org.cursors.clear()
        return count

    # -- traffic -----------------------------------------------------------------------------------------------------

    def requests(self) -> dict[str, int]:
        """Return how many requests of each kind came in since the last reset."""
        return dict(self._org.request_counts)

    def request_log(self) -> list[dict[str, Any]]:
        """Return the requests since the last reset, in order, with status (None: no answer was given)."""
        return list(self._org.request_log)

    def reset_requests(self) -> None:
        """Forget the counts and the log."""
        self._org.request_counts.clear()
        self._org.request_log.clear()

    def when(
        self, event: str, call: str, args: Mapping[str, Any] | None = None, object: str | None = None, nth: int = 1
    ) -> None:
        """Call a control method at the n-th event from now on.

        Events: job_created, job_processing, job_completed, job_ended, page_served, and any request kind, which is told
        before the request is processed.
        """
        if event not in (*EVENTS, *REQUEST_KINDS):
            raise ValueError(f"unknown event {event!r}; known: {', '.join((*EVENTS, *REQUEST_KINDS))}")
        if call not in control_methods():
            raise ValueError(f"no such control method: {call}")
        arguments = dict(args or {})
        self._org.events.when(event, lambda: getattr(self, call)(**arguments), object_name=object, nth=nth)

    def pending_events(self) -> int:
        """Return how many scheduled calls have not happened."""
        return self._org.events.pending()

    # -- settings, limits, clock, sessions ---------------------------------------------------------------------------

    def configure(self, **settings: Any) -> None:
        """Change settings of `OrgSettings` while the org runs: latency, page_size, quoting and so on."""
        self._org.configure(**settings)

    def move_instance(self, status: int = 302, sessions_end: bool = True) -> None:
        """Move the org to another instance: the old host redirects with `status`, the next login names the new one."""
        self._org.configure(moved=True, moved_status=status)
        if sessions_end:
            self._org.sessions.end()

    def set_limit(self, name: str, remaining: float | None = None, maximum: int | None = None) -> None:
        """Set a daily counter; without `remaining` it is full."""
        self._org.limits.set(name, maximum=maximum, remaining=remaining)

    def limits(self) -> dict[str, dict[str, int]]:
        """Return the counters as `/limits` shows them."""
        return self._org.limits.body()

    def now(self) -> str:
        """Return the org's time."""
        return csv_stamp(self._org.clock.now())

    def set_clock(self, at: str) -> str:
        """Move the org's clock to an instant."""
        self._org.clock.set(at)
        return self.now()

    def advance_clock(self, seconds: float) -> str:
        """Move the org's clock by seconds."""
        self._org.clock.advance(seconds)
        return self.now()

    def freeze_clock(self, at: str | None = None) -> str:
        """Stop the org's clock."""
        self._org.clock.freeze(at)
        return self.now()

    def run_clock(self) -> None:
        """Let a frozen clock run again."""
        self._org.clock.run()

    def expire_sessions(self, reason: str = "INVALID_SESSION_ID") -> int:
        """End every session; `reason` names the 401 that is answered from then on."""
        return self._org.sessions.end(reason=reason)

    def sessions(self) -> list[dict[str, Any]]:
        """Return every session with its use, tokens left out."""
        return [
            {"client_id": one.client_id, "requests": one.requests, "ended_with": one.ended_with}
            for one in self._org.sessions.all()
        ]

    def credentials(self) -> dict[str, dict[str, Any]]:
        """Return the current credentials of every flow, including the private key."""
        return all_credentials(self._org)

    def refresh_tokens(self) -> list[str]:
        """Return the refresh tokens that still work."""
        return [token for app in self._org.tokens.apps.values() for token in app.refresh_tokens]

    def revoke_refresh_tokens(self) -> None:
        """Make every refresh token useless."""
        for app in self._org.tokens.apps.values():
            app.refresh_tokens.clear()

    # -- faults ------------------------------------------------------------------------------------------------------

    def fault(self, kind: str, **attributes: Any) -> int:
        """Arm a fault; the attributes are those of `Fault`. Returns its number."""
        return self._org.faults.add(Fault(kind=kind, **attributes))

    def remove_fault(self, number: int) -> None:
        """Disarm a fault."""
        self._org.faults.remove(number)

    def clear_faults(self) -> None:
        """Disarm all faults."""
        self._org.faults.clear()

    def fault_log(self) -> list[dict[str, Any]]:
        """Return every armed fault with how often it struck."""
        return self._org.faults.log()


class LocalControl(Control):
    """The control API in the same process, where an event may also call a function."""

    def add_fault(self, fault: Fault) -> int:
        """Arm a fault value."""
        return self._org.faults.add(fault)

    def when_do(self, event: str, action: Callable[[], object], object: str | None = None, nth: int = 1) -> None:
        """Run a function at the n-th event from now on; it runs on the server's thread."""
        self._org.events.when(event, action, object_name=object, nth=nth)


def control_methods() -> dict[str, str]:
    """Return the control methods that HTTP offers with the first line of their docstrings."""
    return {
        name: (inspect.getdoc(method) or "").splitlines()[0]
        for name, method in inspect.getmembers(Control, inspect.isfunction)
        if not name.startswith("_")
    }
