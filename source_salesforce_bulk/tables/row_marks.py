"""The values of a log's columns that are not Salesforce fields. Pure, and without pyiceberg.

Spark executors compute them, too.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from source_salesforce_bulk.deletions.tombstones import DELETED_AT


def constant(value: Any, rows: Any) -> Any:
    """Return a column with ``value``, a pyarrow scalar, in each row."""
    return pa.repeat(value, rows.num_rows)


def are_tombstones(rows: Any) -> Any:
    """Return which rows are tombstones: only these have the time of detection."""
    if DELETED_AT in rows.column_names:
        return pc.is_valid(rows[DELETED_AT])
    return pa.repeat(pa.scalar(value=False), rows.num_rows)
