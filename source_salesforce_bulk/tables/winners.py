"""Choose the current version of each row. Pure, on Arrow tables.

Of the versions of a key, the one with the newest cursor wins; among equals, the one that was read last. So rows that
are repeated, because a window looks back or a job was read twice, never replace newer ones, and folding twice changes
nothing. A tombstone says that the audit did not find the key, so it beats every version that was read before the audit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

KEY, CURSOR, READ_AT, GONE, TOMBSTONE, FILE, ROW = "key", "cursor", "read_at", "gone", "tombstone", "file", "row"
BURIED = "buried"

VERSIONS = pa.schema(
    [
        (KEY, pa.string()),
        (CURSOR, pa.timestamp("us", "UTC")),
        (READ_AT, pa.timestamp("us", "UTC")),
        (GONE, pa.bool_()),
        (TOMBSTONE, pa.bool_()),
        (FILE, pa.int32()),
        (ROW, pa.int64()),
    ]
)
"""The columns that decide. ``gone``: the version has ``IsDeleted``. ``file`` and ``row`` are its position."""

_AT = "at"
_BEFORE_ALL = -(1 << 63)


@dataclass(frozen=True, slots=True)
class Places:
    """The positions of rows, by file. ``buried`` is the time of the tombstone that has buried a row, or null."""

    table: Any

    def in_file(self, file: int) -> Any:
        """Return the row numbers in one file, as an Arrow array."""
        return self._of(file)[ROW]

    def buried_in(self, file: int) -> Any:
        """Return the buried rows in one file that are kept: a table of ``row`` and ``buried``."""
        return self._of(file).filter(pc.field(BURIED).is_valid()).select([ROW, BURIED])

    def _of(self, file: int) -> Any:
        return self.table.filter(pc.equal(self.table[FILE], file))


def key_of(columns: Sequence[Any]) -> Any:
    """Return the key's columns as one column of text."""
    texts = [column.cast(pa.string()) for column in columns]
    if len(texts) == 1:
        return texts[0]
    return pc.binary_join_element_wise(*texts, "\x00", null_handling="replace", null_replacement="\x01")


def winners(versions: Any, *, keep_deleted: bool) -> Places:
    """Return the position of the current version of each key that is kept; ``versions`` has the schema VERSIONS."""
    rows = versions.filter(pc.invert(versions[TOMBSTONE]))
    moments = {name: pc.fill_null(rows[name].cast(pa.int64()), _BEFORE_ALL) for name in (CURSOR, READ_AT)}
    order = pc.sort_indices(
        pa.table({**moments, FILE: rows[FILE], ROW: rows[ROW]}),
        sort_keys=[(CURSOR, "ascending"), (READ_AT, "ascending"), (FILE, "ascending"), (ROW, "ascending")],
    )
    ascending = rows.take(order).append_column(_AT, pa.array(range(rows.num_rows), pa.int64()))
    newest = ascending.take(ascending.group_by(KEY).aggregate([(_AT, "max")])[f"{_AT}_max"])
    newest = _with_burials(newest, versions.filter(versions[TOMBSTONE]))
    if not keep_deleted:
        newest = newest.filter(pc.and_(pc.invert(newest[GONE]), pc.is_null(newest[BURIED])))
    return Places(newest.select([FILE, ROW, BURIED]))


def _with_burials(newest: Any, tombstones: Any) -> Any:
    """Return the rows with the time of the tombstone that beats each; null if there is none, or only an older one."""
    if not tombstones.num_rows:
        return newest.append_column(BURIED, pa.nulls(newest.num_rows, VERSIONS.field(READ_AT).type))
    last = tombstones.group_by(KEY).aggregate([(READ_AT, "max")]).rename_columns([KEY, BURIED])
    joined = newest.join(last, KEY, join_type="left outer")
    # A version without a time was written by another program; a tombstone beats it.
    stands = pc.fill_null(pc.less(joined[BURIED], joined[READ_AT]), fill_value=False)
    buried = pc.if_else(stands, pa.scalar(None, VERSIONS.field(READ_AT).type), joined[BURIED])
    return joined.set_column(joined.column_names.index(BURIED), BURIED, buried)


def boundaries(keys: Any, parts: int) -> list[str]:
    """Return the keys, ascending, that split ``keys`` into about equal parts: at most one fewer than ``parts``."""
    if parts < 2 or not len(keys):
        return []
    ascending = keys.take(pc.sort_indices(keys))
    cuts = {ascending[len(ascending) * part // parts].as_py() for part in range(1, parts)}
    return sorted(cut for cut in cuts if cut is not None)


def between(versions: Any, start: str | None, end: str | None) -> Any:
    """Return the versions with ``start <= key < end``; None means no bound."""
    if start is not None:
        versions = versions.filter(pc.greater_equal(versions[KEY], start))
    if end is not None:
        versions = versions.filter(pc.less(versions[KEY], end))
    return versions
