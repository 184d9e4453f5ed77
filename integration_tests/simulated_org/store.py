"""Rows in SQLite. Every column holds the exact text that Bulk CSV would show, or NULL.

Tables are filled the first time they are touched, so an org of many objects starts at once. The database is a file in
write-ahead mode: a query job reads its snapshot over a connection of its own while rows change under it.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from integration_tests.simulated_org.objects import SObject

Cell = str | None
HIDDEN_COLUMNS = ("Id", "IsDeleted", "IsArchived", "_visible_from")
_ROWS_PER_INSERT = 5_000
SHARING = "_hidden rows"


class RowStore:
    """The tables of one org; safe to use from several threads.

    `fill` writes the generated rows of an object when its table is first needed.
    """

    def __init__(self, path: Path, fill: Callable[[RowStore, SObject], None]) -> None:
        self._path = path
        self._fill = fill
        self._lock = threading.RLock()
        self._columns: dict[str, list[str]] = {}
        self.late: set[str] = set()  # objects with rows that become visible later
        self.versions: Counter[str] = Counter()  # by object; grows with every change of its rows
        self._unshared: set[tuple[str | None, str]] = set()  # logins (None: all) and objects with rows hidden from them
        self._connection = self._connect()
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "temp_store=MEMORY"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(f'CREATE TABLE "{SHARING}" (login TEXT, object TEXT, id TEXT)')
        self._connection.execute(f'CREATE INDEX "{SHARING} by id" ON "{SHARING}" (object, id)')
        self._connection.commit()

    def close(self) -> None:
        """Close the database; the file stays."""
        with self._lock:
            self._connection.close()

    def ensure(self, declared: SObject) -> None:
        """Make the object's table, filled, and give it columns for fields that are new."""
        with self._lock:
            if declared.name not in self._columns:
                self._columns[declared.name] = []
                self._create(declared)
                self._fill(self, declared)
                self._connection.commit()
            self._add_columns(declared)

    def columns(self, declared: SObject) -> list[str]:
        """Return the physical columns of the object's table."""
        return self._columns[declared.name]

    def insert(self, declared: SObject, rows: Iterable[Mapping[str, Cell]]) -> None:
        """Add rows; cells that are not given are NULL, IsDeleted and IsArchived are `false`."""
        columns = self.columns(declared)
        defaults: dict[str, Cell] = dict.fromkeys(columns) | {"IsDeleted": "false", "IsArchived": "false"}
        self.insert_tuples(declared, ([row.get(name, defaults[name]) for name in columns] for row in rows))

    def insert_tuples(self, declared: SObject, rows: Iterable[Sequence[Cell]]) -> None:
        """Add rows given in the order of the physical columns."""
        columns = self.columns(declared)
        marks = ",".join("?" * len(columns))
        with self._lock:
            self._connection.executemany(f'INSERT INTO "{declared.name}" VALUES ({marks})', rows)
            self._changed(declared)

    def update(self, declared: SObject, ids: Sequence[str], values: Mapping[str, Cell]) -> int:
        """Set cells of the rows with these ids; return how many rows there were."""
        assignments = ",".join(f'"{name}"=?' for name in values)
        with self._lock:
            done = sum(
                self._connection.execute(
                    f'UPDATE "{declared.name}" SET {assignments} WHERE "Id"=?', (*values.values(), one)
                ).rowcount
                for one in ids
            )
            self._changed(declared)
        return done

    def rename(self, declared: SObject, field_name: str, new_name: str) -> None:
        """Return a column another name; one that differs in letter case alone is the same column to SQLite."""
        with self._lock:
            known = self._columns[declared.name]
            at = [name.lower() for name in known].index(field_name.lower())
            if field_name.lower() != new_name.lower():
                self._connection.execute(f'ALTER TABLE "{declared.name}" RENAME COLUMN "{known[at]}" TO "{new_name}"')
            known[at] = new_name
            self._changed(declared)

    def delete(self, declared: SObject, ids: Sequence[str]) -> int:
        """Remove rows for good; return how many there were."""
        with self._lock:
            done = sum(
                self._connection.execute(f'DELETE FROM "{declared.name}" WHERE "Id"=?', (one,)).rowcount for one in ids
            )
            self._changed(declared)
        return done

    def hide(self, declared: SObject, ids: Sequence[str], login: str | None) -> None:
        """Hide rows from a login, None for every login."""
        with self._lock:
            self._connection.executemany(
                f'INSERT INTO "{SHARING}" VALUES (?, ?, ?)', [(login or "", declared.name, one) for one in ids]
            )
            self._unshared.add((login, declared.name))
            self._changed(declared)

    def show(self, declared: SObject, login: str | None) -> None:
        """Show every row of an object to a login again, None for those hidden from every login."""
        with self._lock:
            gone = f'DELETE FROM "{SHARING}" WHERE login = ? AND object = ?'
            self._connection.execute(gone, (login or "", declared.name))
            self._unshared.discard((login, declared.name))
            self._changed(declared)

    def hidden_from(self, login: str | None) -> Mapping[str, str]:
        """Return the objects with rows hidden from a login, each with the SQL condition of those it sees."""
        whom = {"", login or ""}
        listed = ",".join(f"'{one}'" for one in sorted(whom))
        with self._lock:
            unshared = list(self._unshared)
        return {
            name: f't0."Id" NOT IN (SELECT id FROM "{SHARING}" WHERE object = \'{name}\' AND login IN ({listed}))'
            for one, name in unshared
            if (one or "") in whom
        }

    def clear(self, declared: SObject) -> None:
        """Remove every row of an object."""
        with self._lock:
            self._connection.execute(f'DELETE FROM "{declared.name}"')

    def select(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Cell, ...]]:
        """Run a query on the present state."""
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    @contextlib.contextmanager
    def snapshot(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Iterator[list[tuple[Cell, ...]]]]:
        """Run a query over a connection of its own and return its rows in batches, all from one instant."""
        connection = self._connect()
        try:
            cursor = connection.execute(sql, parameters)
            yield iter(lambda: cursor.fetchmany(_ROWS_PER_INSERT), [])
        finally:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, check_same_thread=False, timeout=30)
        connection.execute("PRAGMA cache_size=-65536")
        return connection

    def _create(self, declared: SObject) -> None:
        names = [field.name for field in declared.fields if field.stored]
        names += [name for name in HIDDEN_COLUMNS if name not in names]
        key = None if declared.empty_ids else "Id"
        keyed = [f'"{name}" TEXT PRIMARY KEY' if name == key else f'"{name}" TEXT' for name in names]
        self._connection.execute(f'CREATE TABLE "{declared.name}" ({",".join(keyed)})')
        self._columns[declared.name] = names

    def _add_columns(self, declared: SObject) -> None:
        known = self._columns[declared.name]
        lower = {name.lower() for name in known}
        for field in declared.fields:
            if field.stored and field.name.lower() not in lower:
                self._connection.execute(f'ALTER TABLE "{declared.name}" ADD COLUMN "{field.name}" TEXT')
                known.append(field.name)
                self._changed(declared)

    def _changed(self, declared: SObject) -> None:
        self._connection.commit()
        self.versions[declared.name] += 1
