"""The state registry of an export into tables: the state of an object is in the newest snapshot of its log.

There is no lock. Two runs may read the same rows at once. The first to commit gets the object; the other one's next
commit fails, because it names the snapshots on which it builds.

Commits may be delayed: the current window is committed once a minute, or every few pages. Rows that no commit covers
are read again. A complete window is committed without delay.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from pyiceberg.exceptions import NoSuchTableError

from source_salesforce_bulk.registries.state import LeaseLost, Progress, UnreadableProgress
from source_salesforce_bulk.tables.commits import Stale
from source_salesforce_bulk.tables.iceberg_catalog import Tables, current_name, log_name
from source_salesforce_bulk.tables.log import FORMAT, OBJECT, ORGANIZATION, Log
from source_salesforce_bulk.tables.steps import is_due, next_step, reads_everything

LOGGER = logging.getLogger("salesforce_bulk.tables")


class TableLease:
    """One object's log and its progress. See ``Lease``.

    ``progress.closed`` are the files that this run has published in the table.
    """

    taken_from: str | None

    def __init__(self, log: Log, url: str, run_id: str, monotonic: Callable[[], float]) -> None:
        self._log = log
        self._run_id = run_id
        self._monotonic = monotonic
        self._kept = replace(log.progress, destination=url, file_format=FORMAT, closed=(), closing=None)
        self._wanted = self._kept
        self._since: float | None = None
        self._published: frozenset[str] = frozenset()
        self._replaces = False
        # Every run uses unique file names, so that a stale run overwrites nothing.
        self.taken_from = uuid.uuid4().hex[:12]

    @property
    def progress(self) -> Progress:
        """See ``Lease``."""
        return self._wanted

    def commit(self, progress: Progress) -> None:
        """See ``Lease``. Durable at once only if ``steps.is_due`` is true."""
        if not self._published:
            self._replaces = reads_everything(self._wanted.state, progress.state)
        self._wanted = progress
        if self._since is None:
            self._since = self._monotonic()
        self.renew()

    def renew(self) -> None:
        """Make a delayed commit that is due; raises ``LeaseLost``."""
        if self._since is None or not self._log.exists:
            return
        if is_due(self._kept, self._wanted, self._published, self._monotonic() - self._since):
            self._write()

    def release(self) -> None:
        """Make a delayed commit. If it fails, the next run reads its rows again."""
        try:
            if self._since is not None and self._log.exists:
                self._write()
        except Exception as error:  # noqa: BLE001 - see the docstring
            LOGGER.warning("%s: its last state was not saved (%s)", self._log.object_name, type(error).__name__)

    def _write(self) -> None:
        step = next_step(self._kept, self._wanted, self._published, replaces=self._replaces)
        durable = replace(self._wanted, closed=(), named_rows=0)
        try:
            self._log.commit(step, durable, self._run_id)
        except Stale as error:
            self._since = None
            raise LeaseLost(f"{error}; this run has written nothing to it since") from error
        self._kept, self._since = durable, None
        if step.published is not None:
            self._published = frozenset(file.path for file in self._wanted.closed)
            self._replaces = False


class TableStates:
    """See ``StateRegistry``. ``logs`` are those of the objects with a lease, for their writers."""

    def __init__(self, tables: Tables, monotonic: Callable[[], float]) -> None:
        self._tables = tables
        self._monotonic = monotonic
        self.logs: dict[str, Log] = {}

    def acquire(self, organization_id: str, object_name: str, owner: str) -> TableLease:
        """See ``StateRegistry``; never raises ``LeaseHeld``."""
        log = self.logs[object_name] = Log(self._tables, object_name)
        self._check(log, organization_id)
        return TableLease(log, self._tables.url, owner, self._monotonic)

    def progress(self, organization_id: str, object_name: str) -> Progress:
        """See ``StateRegistry``."""
        log = Log(self._tables, object_name)
        self._check(log, organization_id)
        return replace(log.progress, destination=self._tables.url, file_format=FORMAT)

    def entries(self) -> Sequence[tuple[str, str]]:
        """See ``StateRegistry``."""
        found = []
        for name in self._tables.names():
            table = self._tables.load(name) if name.endswith("_log") else None
            if table is not None and OBJECT in table.properties:
                found.append((table.properties[ORGANIZATION], table.properties[OBJECT]))
        return found

    def reset(self, organization_id: str, object_name: str, owner: str) -> None:  # noqa: ARG002 - see the protocol
        """Remove the object's tables from the catalog, because rows without state are useless."""
        for name in (log_name(object_name), current_name(object_name)):
            try:
                self._tables.catalog.drop_table(self._tables.identifier(name))
            except NoSuchTableError:
                continue

    def check(self) -> None:
        """See ``StateRegistry``. Creates the namespace."""
        self._tables.make_namespace()

    @staticmethod
    def _check(log: Log, organization_id: str) -> None:
        if not log.exists:
            return
        owner = log.table.properties.get(ORGANIZATION)
        if owner is None:
            raise UnreadableProgress(f"the table {log_name(log.object_name)} was not made by this program")
        if owner != organization_id:
            raise UnreadableProgress(
                f"the table {log_name(log.object_name)} has rows of the org {owner}, and this is the org "
                f"{organization_id}; use a separate namespace for each org"
            )
