"""The layout of an object's files: its columns, their ids and their metadata. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from source_salesforce_bulk.pages.arrays import arrow_schema
from source_salesforce_bulk.pages.fetch import PageAddress
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.describe import SObject
from source_salesforce_bulk.salesforce.field_types import field_type

FIELD_ID = "PARQUET:field_id"
"""The metadata key with which pyarrow writes and reads a column's id."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of an object's files; ``ids`` are the columns' ids by name."""

    sobject: SObject
    ids: Mapping[str, int]

    @property
    def name(self) -> str:
        """The object's API name."""
        return self.sobject.name

    def columns(self, address: PageAddress) -> list[Column]:
        """Return a page's columns. Only fields that describe shows are ever selected."""
        kinds = {described.name: field_type(described.type).kind for described in self.sobject.fields}
        return [Column(name, kinds[name]) for name in address.columns]

    @property
    def added(self) -> list[Column]:
        """The columns that no page has, null in its rows; tombstones have them."""
        return [Column(one.name, field_type(one.type).kind) for one in self.sobject.fields if one.added]

    @property
    def whole(self) -> Any:
        """The Arrow schema of every column."""
        return self.schema([Column(one.name, field_type(one.type).kind) for one in self.sobject.fields])

    def facts(self) -> Mapping[str, Mapping[str, str]]:
        """Return the metadata of each column, except its id."""
        return {
            field.name: {"salesforce.label": field.label, "salesforce.type": field.type}
            for field in self.sobject.fields
        }

    def schema(self, columns: Sequence[Column]) -> Any:
        """Return the Arrow schema of ``columns``, all of them nullable."""
        facts = self.facts()
        about = {column.name: {FIELD_ID: str(self.ids[column.name]), **facts[column.name]} for column in columns}
        return arrow_schema(columns, about).with_metadata({"salesforce.object": self.name})
