"""How the columns of a page become those of a file: under other names, and with columns in addition. Pure.

An encoder carries it, so it goes to other machines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Mark:
    """A column in addition to the object's fields, of pyarrow's ``type``; ``fill`` computes it for a table of rows."""

    name: str
    id: int
    type: Any
    fill: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """``names`` are the names of columns that differ from their fields'; ``marks`` are the additional columns."""

    names: Mapping[str, str] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()

    def __call__(self, rows: Any, schema: Any) -> Any:
        """Return ``rows``, a pyarrow table of fields, converted to ``schema``; missing columns are null."""
        there = {self.names.get(name, name): rows[name] for name in rows.column_names}
        there |= {mark.name: mark.fill(rows) for mark in self.marks}
        columns = [there.get(field.name, pa.nulls(rows.num_rows, field.type)).cast(field.type) for field in schema]
        return pa.table(columns, schema=schema)
