"""What is to be read of one object: everything that does not change while it is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from source_salesforce_bulk.extraction.stream_state import Mode, StreamState
from source_salesforce_bulk.pages.encoded_page import PageEncoder
from source_salesforce_bulk.pages.hashing import Hashing
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.soql import ObjectQuery


@dataclass(frozen=True, slots=True)
class ObjectPlan:
    """One object's read. ``columns`` are the SELECT's fields in order; ``state`` is the incoming one, checked.

    ``primary_key`` names a row; it is empty where nothing does.

    ``rows`` is Salesforce's estimate for the whole object; None where it is not known or says nothing, because a filter
    of the user's leaves rows out.

    ``encoder`` makes lines of the object's pages while they are proven; None where whoever reads wants their rows.
    """

    query: ObjectQuery
    columns: tuple[Column, ...]
    mode: Mode
    state: StreamState
    start: datetime | None
    lookback: timedelta
    api_version: str
    page_size: int
    primary_key: tuple[str, ...] = ()
    rows: int | None = None
    hashing: Hashing | None = None
    encoder: PageEncoder | None = None

    @property
    def object_name(self) -> str:
        """The object, which is also the stream's name."""
        return self.query.object_name

    @property
    def cursor_field(self) -> str | None:
        """The field that windows are cut along; None in a stream without one."""
        return self.query.cursor_field
