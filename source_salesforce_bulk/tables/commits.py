"""Commits to a table that fail if another writer has committed in the meantime.

By default, pyiceberg retries a refused commit up to four times on top of the new snapshot. That would be wrong here,
because old state would overwrite newer state. So commits are not retried, and each names the snapshots on which it
builds, for every branch. (pyiceberg keeps only one such requirement in a transaction, hence the private attribute.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table, Transaction
from pyiceberg.table.snapshots import ancestors_of
from pyiceberg.table.update import AssertRefSnapshotId, TableRequirement

from source_salesforce_bulk.tables.table_failures import UnusableTable

MAIN = "main"
PROPERTIES: Mapping[str, str] = {
    "format-version": "2",
    "commit.retry.num-retries": "0",
    "write.parquet.compression-codec": "zstd",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
}
"""The properties of every new table. Version 2, because Athena does not support newer versions."""


class Stale(Exception):
    """Another writer has committed to the table since it was loaded. The message is a clause."""


class FencedTransaction(Transaction):
    """A transaction that fails if one of ``refs``, the snapshots by branch, has changed."""

    def __init__(self, table: Table, refs: Mapping[str, int | None]) -> None:
        super().__init__(table)
        # A table without a snapshot has no branches, and pyiceberg then accepts only main.
        fenced = refs if refs.get(MAIN) is not None else {MAIN: None}
        self._fence: Iterable[TableRequirement] = [
            AssertRefSnapshotId(ref=name, snapshot_id=snapshot) for name, snapshot in fenced.items()
        ]

    def commit_transaction(self) -> Table:
        """Commit all staged changes atomically; raises :class:`Stale`."""
        others = [rule for rule in self._requirements if not isinstance(rule, AssertRefSnapshotId)]
        self._requirements = (*others, *self._fence)
        try:
            return super().commit_transaction()
        except CommitFailedException as error:
            raise Stale(f"the table {'.'.join(self._table.name())} was changed by another writer") from error

    def _rebuild_snapshot_updates(self) -> None:
        """Refuse the commit: pyiceberg calls this to try again, on a table whose properties no longer forbid it."""
        raise CommitFailedException("the table has changed")


def refs_of(table: Table, *names: str) -> dict[str, int | None]:
    """Return the snapshots of branches; None for a branch that does not exist."""
    refs = table.metadata.refs
    return {name: refs[name].snapshot_id if name in refs else None for name in names}


def newest_summary_value(table: Table, name: str, *branches: str) -> str | None:
    """Return the newest value of ``name`` in the summaries of the first of ``branches`` that has one.

    Snapshots of other writers, such as compactions, are skipped.
    """
    for head in refs_of(table, *branches).values():
        snapshot = None if head is None else table.metadata.snapshot_by_id(head)
        for ancestor in ancestors_of(snapshot, table.metadata):
            facts = ancestor.summary.additional_properties if ancestor.summary is not None else {}
            if name in facts:
                return facts[name]
    return None


def checked(table: Table) -> Table:
    """Return ``table``; raises :class:`UnusableTable` if another engine has upgraded it."""
    if table.metadata.format_version != 2:
        raise UnusableTable(
            f"the table {'.'.join(table.name())} has format version {table.metadata.format_version}; this program "
            "writes version 2. Another engine has upgraded it. Copy it into a table of version 2, or let this program "
            "create a new one with --start-over in another namespace."
        )
    return table
