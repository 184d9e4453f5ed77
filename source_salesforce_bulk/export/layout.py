"""The layout of an object's files: its columns, their ids and their metadata. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import pyarrow as pa

from source_salesforce_bulk.extraction.catalog import ReadableObject
from source_salesforce_bulk.pages.arrangement import Arrangement
from source_salesforce_bulk.pages.arrays import arrow_schema
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.registries.field_ids import ids_by_name
from source_salesforce_bulk.salesforce.describe import SObject
from source_salesforce_bulk.salesforce.drift import ObjectSchema
from source_salesforce_bulk.salesforce.field_types import field_type

FIELD_ID = "PARQUET:field_id"
"""The metadata key with which pyarrow writes and reads a column's id."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of one object's files.

    ``ids`` are the column ids by field. ``key`` and ``cursor`` are fields. ``upper_bound`` returns the org's time.
    """

    sobject: SObject
    ids: Mapping[str, int]
    key: tuple[str, ...] = ()
    cursor: str | None = None
    upper_bound: Callable[[], datetime] | None = None
    arrangement: Arrangement = field(default_factory=Arrangement)

    @classmethod
    def of(cls, readable: ReadableObject, schema: ObjectSchema, upper_bound: Callable[[], datetime]) -> Self:
        """Return the layout of an object, with the column ids of its registered ``schema``."""
        key, cursor = readable.primary_key, readable.cursor_field
        return cls(readable.sobject, ids_by_name(schema), key, cursor, upper_bound)

    @property
    def name(self) -> str:
        """The object's API name."""
        return self.sobject.name

    @property
    def added(self) -> list[Column]:
        """The columns that only tombstones have; they are null in the rows of pages."""
        return [Column(field.name, field_type(field.type).kind) for field in self.sobject.fields if field.added]

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """Every column, including those that only tombstones have."""
        return tuple(Column(field.name, field_type(field.type).kind) for field in self.sobject.fields)

    def facts(self) -> Mapping[str, Mapping[str, str]]:
        """Return the metadata of each column, except its id."""
        return {
            field.name: {"salesforce.label": field.label, "salesforce.type": field.type}
            for field in self.sobject.fields
        }

    def schema(self, columns: Sequence[Column]) -> Any:
        """Return the Arrow schema of a file whose pages have ``columns``, all of them nullable."""
        facts = self.facts()
        about = {column.name: {FIELD_ID: str(self.ids[column.name]), **facts[column.name]} for column in columns}
        names, marks = self.arrangement.names, self.arrangement.marks
        fields = [field.with_name(names.get(field.name, field.name)) for field in arrow_schema(columns, about)]
        more = [pa.field(mark.name, mark.type, metadata={FIELD_ID: str(mark.id)}) for mark in marks]
        return pa.schema([*fields, *more], {"salesforce.object": self.name})
