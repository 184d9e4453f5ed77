"""Find when each version of a row was valid. Pure, on Arrow tables.

A version begins at its cursor and ends where the next version of its key begins, or where the row was deleted. Deleted
versions and tombstones end the version before them, but are not versions themselves. A version that was read
twice counts once, as it was read last.

A version that was read again after a tombstone still exists, so that tombstone ends nothing. Versions from the history
already have an end, which is kept unless the same version was read again later.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

KEY, BEGINS, READ_AT, GONE, TOMBSTONE, ENDS, FILE, ROW = (
    *("key", "begins", "read_at", "gone", "tombstone", "ends", "file", "row"),
)
INSTANT = pa.timestamp("us", "UTC")

VERSIONS = pa.schema(
    [
        (KEY, pa.string()),
        (BEGINS, INSTANT),
        (READ_AT, INSTANT),
        (GONE, pa.bool_()),
        (TOMBSTONE, pa.bool_()),
        (ENDS, INSTANT),
        (FILE, pa.int32()),
        (ROW, pa.int64()),
    ]
)
"""``begins`` is never null. ``gone``: the version ends the one before it. ``file`` and ``row`` are its position."""

_BEFORE_ALL = pa.scalar(-(1 << 63) + 1, pa.int64()).cast(pa.timestamp("us")).cast(INSTANT)


def intervals(versions: Any) -> Any:
    """Return the versions that existed, with their ``ends``; ``versions`` has the schema VERSIONS."""
    rows = versions.set_column(
        versions.column_names.index(READ_AT), READ_AT, pc.fill_null(versions[READ_AT], _BEFORE_ALL)
    ).combine_chunks()
    rows = rows.sort_by([(name, "ascending") for name in (KEY, BEGINS, GONE, READ_AT, FILE, ROW)])
    rows = rows.filter(pc.invert(_with_next(rows, BEGINS, GONE)))  # of equal versions, the one that was read last
    rows = rows.filter(pc.invert(_survived(rows)))
    follows = _with_next(rows)
    next_begins = pc.if_else(follows, _shifted(rows[BEGINS], -1), pa.scalar(None, INSTANT))
    ends = pc.min_element_wise(rows[ENDS].cast(pa.int64()), next_begins.cast(pa.int64())).cast(INSTANT)
    return rows.set_column(rows.column_names.index(ENDS), ENDS, ends).filter(pc.invert(rows[GONE]))


def _with_next(rows: Any, *names: str) -> Any:
    """Return for each row whether the next one has the same key, and the same values of ``names``."""
    same = pc.equal(rows[KEY], _shifted(rows[KEY], -1))
    for name in names:
        same = pc.and_(same, pc.equal(rows[name], _shifted(rows[name], -1)))
    return pc.fill_null(same, fill_value=False)


def _survived(rows: Any) -> Any:
    """Return which rows are tombstones of a version that was read again later."""
    mine = pc.equal(rows[KEY], _shifted(rows[KEY], 1))
    later = pc.greater(_shifted(rows[READ_AT], 1), rows[READ_AT])
    return pc.fill_null(pc.and_(rows[TOMBSTONE], pc.and_(mine, later)), fill_value=False)


def _shifted(column: Any, by: int) -> Any:
    """Return the values ``by`` rows before; null where there is none."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    none = pa.nulls(min(abs(by), len(array)), array.type)
    if by < 0:
        return pa.concat_arrays([array[-by:], none])
    return pa.concat_arrays([none, array[: len(array) - len(none)]])
