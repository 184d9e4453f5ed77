"""Convert rows of text to records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from source_salesforce_bulk.pages.cells import READERS, UNREADABLE, Value
from source_salesforce_bulk.salesforce.field_types import CellKind

Compound = Mapping[str, Value | None]
"""The value of a compound field: an object."""


@dataclass(frozen=True, slots=True)
class Column:
    """A field and how its cells are read.

    ``parts`` is empty for a field that a query selects. A compound field is selected by no query: ``parts`` are the
    keys of its object, each with the name of the column of its value (None: always null). A column that is not
    ``shown`` is read for a compound field only.
    """

    name: str
    kind: CellKind
    parts: tuple[tuple[str, str | None], ...] = ()
    shown: bool = True


def page_columns(columns: Iterable[Column]) -> tuple[Column, ...]:
    """Return the columns that pages have."""
    return tuple(column for column in columns if not column.parts)


def product_columns(columns: Iterable[Column]) -> tuple[Column, ...]:
    """Return the columns of the output: those that are shown, compound fields last."""
    shown = [column for column in columns if column.shown]
    return tuple(sorted(shown, key=lambda column: bool(column.parts)))


@dataclass(frozen=True, slots=True)
class Record:
    """One row: its non-null values, and the fields that are null because their cell could not be read."""

    data: Mapping[str, Value | Compound]
    unreadable: tuple[str, ...] = ()


class RecordReader:
    """Turns rows, with their cells in the order of the page's columns, into records. Keeps no row."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = [
            (index, column.name, None if column.kind is CellKind.STRING else READERS[column.kind])
            for index, column in enumerate(page_columns(columns))
        ]
        self._compounds = [(column.name, column.parts) for column in columns if column.parts]
        self._hidden = [column.name for column in columns if not column.shown]

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
        return Record(self._with_compounds(data) if self._compounds else data, tuple(unreadable))

    def _with_compounds(self, data: dict[str, Value]) -> Mapping[str, Value | Compound]:
        built: dict[str, Compound] = {}
        for name, parts in self._compounds:
            compound = {key: data.get(column) if column else None for key, column in parts}
            if any(value is not None for value in compound.values()):
                built[name] = compound
        for name in self._hidden:
            data.pop(name, None)
        return {**data, **built}
