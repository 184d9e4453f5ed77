"""The org itself: its schema, rows, sessions, jobs, limits and faults in one place, without any HTTP."""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from integration_tests.simulated_org.bench import BENCH_OBJECT, bench_rows
from integration_tests.simulated_org.catalog import build_catalog
from integration_tests.simulated_org.clock import OrgClock
from integration_tests.simulated_org.csv_text import CsvForm
from integration_tests.simulated_org.deletions import DeleteLog
from integration_tests.simulated_org.errors import API_ERRORS
from integration_tests.simulated_org.events import Events
from integration_tests.simulated_org.faults import FaultBoard
from integration_tests.simulated_org.generator import Row, RowMaker
from integration_tests.simulated_org.ids import record_id, simple_id
from integration_tests.simulated_org.jobs import QueryJob
from integration_tests.simulated_org.limits import Limits
from integration_tests.simulated_org.oauth import App, TokenEndpoint, make_key_pair
from integration_tests.simulated_org.objects import Schema, SObject
from integration_tests.simulated_org.planned import PlannedRows
from integration_tests.simulated_org.sessions import Session, Sessions
from integration_tests.simulated_org.settings import OrgSettings
from integration_tests.simulated_org.snapshots import Snapshot
from integration_tests.simulated_org.soql import CompiledQuery, compile_query, parse_soql
from integration_tests.simulated_org.soql.compiler import Dialect, QueryContext
from integration_tests.simulated_org.store import Cell, RowStore

APP_REFRESH, APP_CREDENTIALS, APP_JWT = (
    f"3MVG9.fake.consumer.key.{name}" for name in ("refresh", "credentials", "jwt")
)

_LOGINS = {APP_REFRESH: "refresh_token", APP_CREDENTIALS: "client_credentials", APP_JWT: "jwt_bearer"}

# Rows do not depend on the org but on what stands in the key, so the orgs of one process share them.
_REMEMBERED_ROWS = 10_000
_MANY_ROWS, _MANY_BYTES = 50_000, 25_000_000
_GENERATED: dict[tuple[SObject, int, str, float], list[Row]] = {}


class Org:
    """One simulated org. Owns a temporary directory until `close`."""

    def __init__(self, settings: OrgSettings) -> None:
        self.settings = settings
        self.id = simple_id("00D", "5g", 4_242)
        self.user_id = record_id("005", 0)
        self.clock = OrgClock(settings.clock_offset, settings.frozen_at)
        self.directory = Path(tempfile.mkdtemp(prefix="simulated-org-"))
        self.schema = Schema(build_catalog(settings), self.clock.now())
        self.store = RowStore(self.directory / "rows.sqlite", self._fill)
        self.sessions = Sessions(self.id, self.clock)
        self.tokens = TokenEndpoint(self.sessions, self.clock, self.id)
        self.limits = Limits(settings.limits)
        self.deletions = DeleteLog()
        self.faults = FaultBoard()
        self.events = Events()
        self.jobs: dict[str, QueryJob] = {}
        self.request_counts: Counter[str] = Counter()
        self.request_log: list[dict[str, Any]] = []
        self.peak_unfinished_jobs = 0
        self.cursors: dict[str, list[dict[str, Any]]] = {}  # of REST queries: the records each found
        self.cursors_made = 0
        self.closing = False
        self._planned_rows = threading.Lock()  # their table holds the rows of one query at a time
        self._large_results: dict[tuple[object, ...], Snapshot] = {}
        self.private_key = self._register_apps()

    def close(self) -> None:
        """Close the database and remove the temporary directory."""
        for snapshot in (*(job.snapshot for job in self.jobs.values()), *self._large_results.values()):
            if snapshot is not None:
                snapshot.close()
        self.store.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def configure(self, **changes: Any) -> None:
        """Replace settings while the org runs.

        :raises TypeError: there is no such setting.
        """
        self.settings = replace(self.settings, **changes)

    def object(self, name: str) -> SObject:
        """Return an object with all its fields, its table ready.

        :raises KeyError: there is no such object.
        """
        declared = self.schema.declared(name)
        self.store.ensure(declared)
        return declared

    def compile(
        self,
        soql: str,
        *,
        all_rows: bool,
        dialect: Dialect = "bulk",
        alphabetical: bool = False,
        with_extras: bool = False,
        login: str | None = None,
    ) -> CompiledQuery:
        """Compile a statement and make the tables it reads ready.

        `with_extras` adds what REST's records show beside the selected fields: Ids of parents, parts of compounds.

        :raises ApiError: what the resource answers for this statement.
        """
        context = QueryContext(
            lambda name: self.schema.find(name, login),
            self.settings,
            self.clock.now(),
            dialect,
            all_rows,
            late=frozenset(self.store.late),
            alphabetical=alphabetical,
            with_extras=with_extras,
            sharing=self.store.hidden_from(login),
        )
        compiled = compile_query(parse_soql(soql), context)
        for declared in compiled.tables:
            self.object(declared.name)
        return compiled

    def select(self, compiled: CompiledQuery) -> list[tuple[Cell, ...]]:
        """Run a compiled query now.

        :raises ApiError: the object is planned, and the query asks for too many of its rows.
        """
        if compiled.declared.planned is None:
            return self.store.select(compiled.sql, compiled.parameters)
        planned = PlannedRows(compiled.declared, self.settings, self._known)
        low, high = planned.span(compiled.query)
        if compiled.count_only:
            return [(str(high - low),)]
        rows = [low, high - 1][: high - low] if compiled.aggregate else planned.wanted(compiled.query)
        if rows is None:
            raise API_ERRORS["QUERY_TIMEOUT"].api_error(compiled.declared.name)
        found = self._planned(compiled, planned, rows)
        if compiled.aggregate:
            counts = [column.sql.startswith("COUNT") for column in compiled.columns]
            found = [tuple(str(high - low) if c else cell for c, cell in zip(counts, found[0], strict=True))]
        return found

    def is_endless(self, compiled: CompiledQuery) -> bool:
        """Return True when a query asks for more rows of a planned object than are ever made."""
        if compiled.declared.planned is None:
            return False
        return PlannedRows(compiled.declared, self.settings, self._known).wanted(compiled.query) is None

    def _planned(self, compiled: CompiledQuery, planned: PlannedRows, rows: Sequence[int]) -> list[tuple[Cell, ...]]:
        with self._planned_rows:
            self.store.clear(compiled.declared)
            self.store.insert(compiled.declared, planned.make(rows))
            return self.store.select(re.sub(r" OFFSET \d+\Z", " OFFSET 0", compiled.sql), compiled.parameters)

    def render(self, compiled: CompiledQuery, form: CsvForm) -> Snapshot:
        """Run a compiled query now and return its result as CSV; a large one is kept for queries that say the same."""
        names = [column.header for column in compiled.columns]
        versions = tuple(self.store.versions[one.name] for one in compiled.tables)
        key = (compiled.sql, compiled.parameters, tuple(names), form, versions)
        if key in self._large_results:
            return self._large_results[key]
        if compiled.declared.planned is not None:
            return Snapshot.render(names, [self.select(compiled)], form, self.directory)
        with self.store.snapshot(compiled.sql, compiled.parameters) as batches:
            going_on = takewhile(lambda _: not self.closing, batches)
            snapshot = Snapshot.render(names, going_on, form, self.directory)
        if snapshot.rows >= _MANY_ROWS or snapshot.size >= _MANY_BYTES:
            self._large_results[key] = snapshot
        return snapshot

    def user_of(self, session: Session | None) -> str:
        """Return the Id of the user that a session is of."""
        return self.user_id if session is None else self.tokens.user_of(session, self.settings)

    def login_of(self, session: Session | None) -> str | None:
        """Return the flow that a session was opened with, by which rows and fields may be hidden."""
        return None if session is None else _LOGINS.get(session.client_id)

    def count(self, name: str) -> int:
        """Return the number of rows that `query` sees, recycle bin excluded."""
        declared = self.object(name)
        if declared.planned is not None:
            return declared.planned
        found = self.store.select(f'SELECT COUNT(*) FROM "{declared.name}" WHERE "IsDeleted" = \'false\'')
        return int(found[0][0] or 0)

    def note_unfinished_jobs(self) -> None:
        """Remember the largest number of own jobs that were unfinished at once."""
        unfinished = sum(
            job.state in ("UploadComplete", "InProgress") and not job.foreign for job in self.jobs.values()
        )
        self.peak_unfinished_jobs = max(self.peak_unfinished_jobs, unfinished)

    def _fill(self, store: RowStore, declared: SObject) -> None:
        if declared.name == BENCH_OBJECT:
            store.insert_tuples(declared, bench_rows(declared, store.columns(declared), self.settings, self._known))
            return
        if declared.planned is not None:
            return
        if declared.volume > _REMEMBERED_ROWS:
            store.insert(declared, RowMaker(declared, self.settings, self._known).rows())
            return
        key = (declared, self.settings.seed, self.settings.data_until, self.settings.rows)
        if key not in _GENERATED:
            _GENERATED[key] = list(RowMaker(declared, self.settings, self._known).rows())
        store.insert(declared, _GENERATED[key])

    def _known(self, name: str) -> SObject | None:
        try:
            return self.schema.declared(name)
        except KeyError:
            return None

    def _register_apps(self) -> str:
        private, public = make_key_pair()
        secret = "fake-consumer-secret"
        self.tokens.apps = {
            APP_REFRESH: App(APP_REFRESH, secret, refresh_tokens=["5Aep.fake.refresh.token"]),
            APP_CREDENTIALS: App(APP_CREDENTIALS, secret, client_credentials=True, user_number=1),
            APP_JWT: App(APP_JWT, secret, public_key=public, user_number=2),
        }
        return private
