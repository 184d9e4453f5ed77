"""One object's log: the table with every version of its rows, and the state that covers them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from shutil import copyfileobj
from typing import Any

from pyarrow import parquet
from pyiceberg.manifest import DataFile as Entry
from pyiceberg.table import Table
from pyiceberg.table.update.snapshot import ManageSnapshots

from source_salesforce_bulk.registries.state import DataFile, Progress, UnreadableProgress
from source_salesforce_bulk.tables.commits import MAIN, FencedTransaction, Stale, checked, newest_summary_value, refs_of
from source_salesforce_bulk.tables.data_files import data_location, listed, registered
from source_salesforce_bulk.tables.iceberg_catalog import Tables, log_name
from source_salesforce_bulk.tables.steps import OPEN, Step

PROGRESS = "salesforce-bulk.progress"
RUN_ID = "salesforce-bulk.run-id"
GENERATION = "salesforce-bulk.generation"
"""In the summary of each snapshot: the state, the run that wrote it, and how often the whole log was replaced."""
ORGANIZATION = "salesforce-bulk.organization"
OBJECT = "salesforce-bulk.object"
"""Properties of each log: the organization's id, and the object's API name."""

FORMAT = "parquet"


class Log:
    """A log as one writer has loaded it: a commit fails if another writer has committed since."""

    def __init__(self, tables: Tables, object_name: str) -> None:
        self.object_name = object_name
        self._tables = tables
        self._pages: dict[str, Entry] = {}
        self._table: Table | None = None
        self._known: Mapping[str, int | None] = {}
        self.look()

    def look(self) -> None:
        """Load the current log."""
        found = self._tables.load(log_name(self.object_name))
        self._table = None if found is None else checked(found)
        self._known = {} if found is None else refs_of(found, MAIN, OPEN)

    @property
    def exists(self) -> bool:
        """True if the table exists."""
        return self._table is not None

    @property
    def table(self) -> Table:
        """The table, which exists."""
        if self._table is None:
            raise LookupError(f"no log of {self.object_name}")
        return self._table

    @property
    def progress(self) -> Progress:
        """The progress of the object; raises ``UnreadableProgress``."""
        return Progress() if self._table is None else progress_of(self._table)

    def refresh(self) -> None:
        """Load a change of the table's schema or properties; the known snapshots stay the same."""
        self._table = self._tables.load(log_name(self.object_name))

    def put(self, file: Path, path: str) -> None:
        """Copy a page's file to the table's data, without a snapshot yet. ``path`` identifies it in commits."""
        location = data_location(self.table, path.partition("/")[2])
        with self.table.io.new_output(location).create(overwrite=True) as target, file.open("rb") as source:
            copyfileobj(source, target, 1 << 20)
        self.register(path, parquet.read_metadata(file), file.stat().st_size)

    def register(self, path: str, footer: Any, size: int) -> None:
        """Let later commits name a Parquet file in the table's data, by its metadata (``footer``) and size in bytes."""
        location = data_location(self.table, path.partition("/")[2])
        self._pages[path] = registered(self.table, location, footer, size)

    def commit(self, step: Step, progress: Progress, run_id: str) -> None:
        """Make one commit; raises :class:`Stale`, and the catalog's exceptions."""
        found = self._tables.load(log_name(self.object_name))
        if found is None:
            raise Stale(f"the table {log_name(self.object_name)} was removed")
        table = checked(found)
        generation = generation_of(table) + step.replaces
        summary = {
            PROGRESS: json.dumps(progress.to_json(), separators=(",", ":")),
            RUN_ID: run_id,
            GENERATION: str(generation),
        }
        transaction = FencedTransaction(table, self._known)
        self._on_main(transaction, step, summary)
        self._on_the_open_branch(transaction, step, summary)
        self._table = transaction.commit_transaction()
        self._known = refs_of(self._table, MAIN, OPEN)
        for file in step.published or ():
            self._pages.pop(file.path, None)

    def _on_main(self, transaction: FencedTransaction, step: Step, summary: Mapping[str, str]) -> None:
        if step.published is None and not step.state_on_main:
            if self._known[MAIN] is None:  # no other branch may come first
                transaction.update_snapshot().fast_append().commit()
            return
        entries = self._entries(step.published or ())
        if step.replaces:
            old = [entry.file for entry in listed(self.table, self._known[MAIN])]
            with transaction.update_snapshot(snapshot_properties=dict(summary)).overwrite() as snapshot:
                for entry in old:
                    snapshot.delete_data_file(entry)
                for entry in entries:
                    snapshot.append_data_file(entry)
            return
        with transaction.update_snapshot(snapshot_properties=dict(summary)).fast_append() as snapshot:
            for entry in entries:
                snapshot.append_data_file(entry)

    def _on_the_open_branch(self, transaction: FencedTransaction, step: Step, summary: Mapping[str, str]) -> None:
        is_there = self._known[OPEN] is not None
        anew = step.added is None
        if is_there and (anew or not step.held):
            ManageSnapshots(transaction).remove_branch(OPEN).commit()
        if not step.held:
            return
        entries = self._entries(step.held if anew or not is_there else step.added or ())
        change = transaction.update_snapshot(branch=OPEN, snapshot_properties=dict(summary)).fast_append()
        with change as snapshot:
            for entry in entries:
                snapshot.append_data_file(entry)

    def _entries(self, files: Iterable[DataFile]) -> list[Entry]:
        """Return the entries of ``files``, which this writer has put, or an earlier one has left on the open branch."""
        wanted = [file.path for file in files]
        if any(path not in self._pages for path in wanted):
            for entry in listed(self.table, self._known[OPEN]):
                self._pages.setdefault(self._path(entry.file.file_path), entry.file)
        try:
            return [self._pages[path] for path in wanted]
        except KeyError as missing:
            raise Stale(f"the file {missing} of an earlier run is no longer in the table") from missing

    def _path(self, location: str) -> str:
        """Return the path that was passed to :meth:`put`, from the file's location."""
        return f"{self.object_name}/{location.removeprefix(data_location(self.table, ''))}"


def progress_of(table: Table) -> Progress:
    """Return the progress of a log's object; raises ``UnreadableProgress``."""
    text = newest_summary_value(table, PROGRESS, OPEN, MAIN)
    if text is None:
        return Progress()
    try:
        return Progress.from_json(json.loads(text))
    except (ValueError, RecursionError) as error:
        if isinstance(error, UnreadableProgress):
            raise
        raise UnreadableProgress("the summary of its log's newest snapshot has no valid state") from error


def generation_of(table: Table) -> int:
    """Return how often all rows of a log were replaced."""
    text = newest_summary_value(table, GENERATION, OPEN, MAIN) or "0"
    return int(text) if text.isascii() and text.isdecimal() else 0
