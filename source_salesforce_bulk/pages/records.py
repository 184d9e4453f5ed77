"""Convert rows of text to records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from source_salesforce_bulk.pages.cells import READERS, UNREADABLE, Value
from source_salesforce_bulk.salesforce.field_types import CellKind


@dataclass(frozen=True, slots=True)
class Column:
    """A selected field and how its cells are read."""

    name: str
    kind: CellKind


@dataclass(frozen=True, slots=True)
class Record:
    """One row: its non-null values, and the fields that are null because their cell could not be read."""

    data: Mapping[str, Value]
    unreadable: tuple[str, ...] = ()


class RecordReader:
    """Turns rows, with their cells in the order of ``columns``, into records. Keeps no row."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = [
            (index, column.name, None if column.kind is CellKind.STRING else READERS[column.kind])
            for index, column in enumerate(columns)
        ]

    def records(self, rows: Iterable[Sequence[str]]) -> Iterator[Record]:
        """Yield one record for each row, in order. Nulls are left out of ``data``, as in the CDK's own serializer."""
        for row in rows:
            yield self._record(row)

    def _record(self, row: Sequence[str]) -> Record:
        data: dict[str, Value] = {}
        unreadable: list[str] = []
        for index, name, read in self._columns:
            cell = row[index]
            if not cell:
                continue
            value: Value = cell if read is None else read(cell)
            if value is UNREADABLE:
                unreadable.append(name)
            else:
                data[name] = value
        return Record(data, tuple(unreadable))
