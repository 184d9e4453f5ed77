"""List the rows of an object that have files, through the REST lane: 200 in a query, in the order of their Ids.

Pages are verified and fetched again like all pages of the lane. Deleted rows are not listed, because Salesforce does
not return their content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from source_salesforce_bulk.export.sample import rows_at
from source_salesforce_bulk.extraction.catalog import ReadableObject
from source_salesforce_bulk.extraction.salesforce_org import SalesforceOrg
from source_salesforce_bulk.extraction.stream_state import REST_JOB
from source_salesforce_bulk.pages.encoders import json_lines
from source_salesforce_bulk.pages.fetch import PageAddress
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.pages.rest_pages import RestAddress
from source_salesforce_bulk.salesforce.blobs import BLOB_OBJECTS, STAMP, Blob, BlobObject
from source_salesforce_bulk.salesforce.bulk_api import QUERY
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.rest_query import RestQuestion
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery
from source_salesforce_bulk.salesforce.wire import Operation, UnreadableBody


@dataclass(frozen=True, slots=True)
class BlobLister:
    """Lists the files of one object, in the API's ``version``. Does not retry."""

    org: SalesforceOrg
    readable: ReadableObject
    version: str

    @property
    def of(self) -> BlobObject:
        """The object's fields."""
        return BLOB_OBJECTS[self.readable.sobject.name]

    def page(self, bounds: Bounds, after: str | None, rows: int) -> list[Blob]:
        """Return at most ``rows`` files, those after the Id ``after``; fewer if they are the last."""
        columns = tuple(Column(name, _kind(name)) for name in self._fields)
        rest = RestAddress(RestQuestion(self._query, bounds, rows), columns, after, self.version)
        address = PageAddress(self.of.name, REST_JOB, after, self.version, rows, rest=rest)
        return [self._blob(row) for row in rows_at(self.org, address, json_lines(columns))]

    def size(self, bounds: Bounds, after: str | None) -> tuple[int, int] | None:
        """Return the number of files within ``bounds`` after an Id, and their bytes; None if unknown."""
        left = bounds if after is None else replace(bounds, only=f"Id > '{after}'")
        return self.org.size_within(self._query, left, self.of.size, self.version)

    def _blob(self, row: Mapping[str, object]) -> Blob:
        try:
            return Blob.from_row(self.of, row)
        except UnreadableBody as error:
            raise SalesforceError(Failure.of(Kind.UNREADABLE_ANSWER, Operation.QUERY, str(error))) from error

    @property
    def _query(self) -> ObjectQuery:
        return ObjectQuery(self.of.name, self._fields, QUERY, cursor_field=STAMP, where=self.readable.where)

    @property
    def _fields(self) -> tuple[str, ...]:
        """The fields to query. A text that the user has excluded or hashed must not appear in the index or in names."""
        hashing, sobject = self.readable.hashing, self.readable.sobject
        hidden = {name.lower() for name in hashing.fields} if hashing is not None else set()
        shown = [name for name in self.of.texts if sobject.field(name) is not None and name.lower() not in hidden]
        return (*self.of.described_by, *shown)


def _kind(name: str) -> CellKind:
    return CellKind.DATETIME if name == STAMP else CellKind.STRING
