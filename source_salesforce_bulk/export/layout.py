"""How the rows of an object lie in files: its columns, their ids, and what a file says about them. Pure."""

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
"""The metadata by which pyarrow writes a column's id, and by which it shows the id that it has read."""


@dataclass(frozen=True, slots=True)
class Layout:
    """An object as its files hold it; ``ids`` are those of the columns by name."""

    sobject: SObject
    ids: Mapping[str, int]

    @property
    def name(self) -> str:
        """The object's API name."""
        return self.sobject.name

    def columns(self, address: PageAddress) -> list[Column]:
        """A page's columns. Only fields that describe shows are ever selected."""
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
        """What stands in a file about each field's column, beside its id."""
        return {
            field.name: {"salesforce.label": field.label, "salesforce.type": field.type}
            for field in self.sobject.fields
        }

    def schema(self, columns: Sequence[Column]) -> Any:
        """The Arrow schema of ``columns``, every one nullable."""
        facts = self.facts()
        about = {column.name: {FIELD_ID: str(self.ids[column.name]), **facts[column.name]} for column in columns}
        return arrow_schema(columns, about).with_metadata({"salesforce.object": self.name})
