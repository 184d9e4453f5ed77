"""Salesforce objects as CDK streams: schema, state and records, with no rules of their own.

``extraction`` decides what is read, in which windows, and when it may be emitted; ``describe`` defines the fields. A
stream turns pages into Airbyte messages and the extraction's state into STATE.

A stream yields ``TURN_OVER`` after each page, and when it has nothing to emit, so that another stream can continue.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import requests
from airbyte_cdk.models import (
    AirbyteEstimateTraceMessage,
    AirbyteMessage,
    AirbyteRecordMessage,
    AirbyteStateBlob,
    AirbyteStateMessage,
    AirbyteStateType,
    AirbyteStreamState,
    AirbyteTraceMessage,
    EstimateType,
    StreamDescriptor,
    SyncMode,
    TraceType,
    Type,
)
from airbyte_cdk.models.airbyte_protocol import (  # type: ignore[attr-defined]  # defined by an untyped star import
    AirbyteRecordMessageMeta,
    AirbyteRecordMessageMetaChange,
    Change,
    Reason,
)
from airbyte_cdk.sources.streams.http import HttpStream

from source_salesforce_bulk.airbyte.record_batch import RecordBatch
from source_salesforce_bulk.deletions.known_ids import SeenRow
from source_salesforce_bulk.deletions.tombstones import tombstone
from source_salesforce_bulk.extraction.deletion_watch import DeletionWatch, begin_again
from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.extraction.interleaving import TURN_OVER, TurnOver
from source_salesforce_bulk.extraction.metrics import ObjectMetrics
from source_salesforce_bulk.extraction.object_read import ObjectRead
from source_salesforce_bulk.extraction.plan import Beginning, ObjectPlan, begin
from source_salesforce_bulk.extraction.seen_rows import SeenRows
from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER, DELETES, Mode, ReadState
from source_salesforce_bulk.pages.encoders import record_lines
from source_salesforce_bulk.pages.fetch import Page
from source_salesforce_bulk.pages.json_text import json_value, parse_line
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError


@dataclass(frozen=True, slots=True)
class StreamShape:
    """The properties of an object that discovery shows."""

    name: str
    json_schema: Mapping[str, Any]
    primary_key: tuple[str, ...]
    cursor_field: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that a stream needs to be read.

    ``plan_for`` makes the plan of a mode from the incoming state, and raises if that state cannot be read.
    ``upper_bound`` returns T, and is called just before the first job is created. ``batches`` allows
    :class:`RecordBatch` messages. ``ends_for_good``: a full refresh that an earlier run has completed is not repeated;
    it is repeated if the platform requested an incremental sync. ``in_full`` begins an object without its cursor; it
    returns None if the user configured that cursor.
    """

    extraction: Extraction
    metrics: ObjectMetrics
    plan_for: Callable[[Mode, Mapping[str, Any]], tuple[ObjectPlan, ReadState]]
    upper_bound: Callable[[], datetime]
    now: Callable[[], datetime]
    batches: bool = False
    ends_for_good: bool = True
    in_full: Callable[[], Beginning | None] = lambda: None


class BulkStream(HttpStream):
    """One object without a cursor: full refresh, resumable inside its query job.

    Without a ``reading`` it can only be discovered; with one it can be read, once.
    """

    def __init__(self, shape: StreamShape, reading: Reading | None = None) -> None:
        self._shape = shape
        self._reading = reading
        self._incoming: Mapping[str, Any] = {}
        self._read: ObjectRead | None = None
        self._watch: DeletionWatch | None = None
        self._seen = SeenRows(())
        self._held: Beginning | None = None
        self._state: dict[str, Any] = {}
        self._state_version = 0
        self._emitted_version = 0
        self._estimate = 0
        super().__init__()

    # What discovery shows

    @property
    def name(self) -> str:
        """The object's API name."""
        return self._shape.name

    @property
    def primary_key(self) -> list[str] | None:
        """The fields that identify a row; None if there are none."""
        return list(self._shape.primary_key) or None

    def get_json_schema(self) -> Mapping[str, Any]:  # type: ignore[override]  # the CDK caches its own
        """Return the object's JSON Schema, from describe."""
        return self._shape.json_schema

    # State

    @property
    def state(self) -> MutableMapping[str, Any]:
        """The state after everything emitted so far; computed only when it changes, because the CDK reads it often."""
        read = self._read
        if read is None or read.version == 0:
            return dict(self._incoming)
        if read.version != self._state_version:
            self._state = read.state.to_json(self._shape.cursor_field)
            self._state_version = read.version
        return self._state

    @state.setter
    def state(self, value: MutableMapping[str, Any]) -> None:
        again = value == COMPLETE_MARKER and self._reading is not None and not self._reading.ends_for_good
        self._incoming = {} if again else value

    # Reading

    def stream_slices(
        self,
        *,
        sync_mode: SyncMode,
        cursor_field: list[str] | None = None,
        stream_state: Mapping[str, Any] | None = None,
    ) -> Iterator[Mapping[str, Any]]:
        """Yield one empty slice, or none if there is nothing to read; the extraction manages the windows."""
        if self._begin(Mode(sync_mode.value)):
            yield {}

    def read_records(  # type: ignore[override]  # turns are for ``CatalogRead``, behind the CDK
        self,
        sync_mode: SyncMode,
        cursor_field: list[str] | None = None,
        stream_slice: Mapping[str, Any] | None = None,
        stream_state: Mapping[str, Any] | None = None,
    ) -> Iterator[AirbyteMessage | TurnOver]:
        """Yield the object's RECORD, STATE and ESTIMATE messages, and ``TURN_OVER``; raises ``SalesforceError``.

        The state that covers a page follows the page's last record. The CDK emits the state after the last page, at the
        end of the slice.
        """
        try:
            yield from self._messages()
        except SalesforceError as error:
            if not self._goes_on_in_full(error.failure):
                raise
            yield from self._messages()

    def _messages(self) -> Iterator[AirbyteMessage | TurnOver]:
        if self._held is not None:
            # The last audit must be older than the first row that is read after it; known_ids says why.
            yield from self._audited()
            self._begun(self._held)
        while (yield from self._rows_and_deletions()):
            yield from self._audited()
            self._begun(self._over_again())

    def _rows_and_deletions(self) -> Generator[AirbyteMessage | TurnOver, None, bool]:
        """Yield the rows, then the deleted rows; return True if a window has to be read again first."""
        reading, read = self._being_read()
        try:
            while not read.finished:
                ready = reading.extraction.next_page(read)
                if self._watch is not None and read.repeated_rows:
                    return True
                yield from self._estimates(read)
                if ready is not None:
                    yield from self._records(ready.page)
                    self._remember(read)
                    reading.extraction.handed_on(read, ready)
                if not read.finished:
                    yield from self._changed_state(read)
                    yield TURN_OVER
            if self._watch is not None and self._watch.due:
                yield from self._audited()
            self._remember(read, at_once=True)
            return False
        except SalesforceError:
            yield from self._changed_state(read)
            raise
        finally:
            reading.extraction.drop(read)

    def _begin(self, mode: Mode) -> bool:
        """Plan the windows and start their jobs; return whether there is anything to read."""
        reading = self._reading
        if reading is None:
            raise RuntimeError(f"{self.name} was built to be discovered; read it through SourceSalesforceBulk.read")
        plan, incoming = reading.plan_for(mode, self._incoming)
        if incoming.warning:
            self._incoming = {}
        if plan.audit is None:
            self._incoming = {key: value for key, value in self._incoming.items() if key != DELETES}
        beginning = begin(plan, incoming, reading.upper_bound, remedy="reset the stream")
        if plan.audit is not None:
            self._seen = SeenRows(plan.audit.columns)
            self._watch = DeletionWatch(beginning.plan, plan.audit, reading.extraction, reading.upper_bound)
            if beginning.windows and self._watch.comes_first(beginning):
                self._held = beginning
                return True
        return self._begun(beginning)

    def _begun(self, beginning: Beginning) -> bool:
        reading = self._reading
        assert reading is not None
        self._read = reading.extraction.begin(beginning, partial(record_lines, self.name))
        self._state_version = self._emitted_version = 0
        self._remember(self._read, at_once=True)
        if not beginning.windows:
            reading.extraction.drop(self._read)
        return bool(beginning.windows)

    def _audited(self) -> Iterator[AirbyteMessage | TurnOver]:
        """Compare all Ids and emit the deleted rows; yields turns in the meantime."""
        reading, watch = self._reading, self._watch
        assert reading is not None
        assert watch is not None
        for gone in watch.audited():
            if gone is None:
                yield TURN_OVER
            else:
                row = tombstone(*gone, key=self._shape.primary_key[0], cursor=self._shape.cursor_field or "")
                record = AirbyteRecordMessage(stream=self.name, data=dict(row), emitted_at=int(_now_ms(reading)))
                yield AirbyteMessage(type=Type.RECORD, record=record)

    def _over_again(self) -> Beginning:
        """Return the remaining windows, from their start and without earlier jobs."""
        reading, read = self._being_read()
        beginning = begin_again(read, reading.upper_bound)
        self._incoming = beginning.plan.state.to_json(self._shape.cursor_field)
        return beginning

    def _remember(self, read: ObjectRead, *, at_once: bool = False) -> None:
        if self._watch is not None:
            read.remember(self._watch.memory, at_once=at_once)

    def _note(self, read: ObjectRead, rows: Iterator[SeenRow]) -> None:
        if self._watch is not None and read.front is not None:
            self._watch.note(rows, read.front.bounds.end)

    def _goes_on_in_full(self, failure: Failure) -> bool:
        """Begin again without the cursor, if Salesforce refuses it and the user has not configured it."""
        in_full = self._reading.in_full() if self._reading and failure.kind is Kind.CURSOR_NOT_FILTERABLE else None
        if in_full is None:
            return False
        self._watch = self._held = None
        self._begun(in_full)
        return True

    def _being_read(self) -> tuple[Reading, ObjectRead]:
        if self._reading is None or self._read is None:
            raise RuntimeError(f"{self.name}: stream_slices comes before read_records")
        return self._reading, self._read

    def _records(self, page: Page) -> Iterator[AirbyteMessage]:
        reading, read = self._being_read()
        for block in page.encoded.product.take().blocks:
            self._note(read, self._seen.in_lines(block.lines))
            if reading.batches:
                yield RecordBatch(self.name, block.lines, block.rows)
            else:
                yield from record_messages(bytes(block.lines))
        self._count_unreadable(reading.metrics, page.encoded.unreadable)

    def _count_unreadable(self, metrics: ObjectMetrics, cells: Mapping[str, int]) -> None:
        for name, count in cells.items():
            if not metrics.unreadable[name]:
                self.logger.warning(
                    "%s.%s: a cell cannot be read as its type and is null; see meta.changes of its record",
                    self.name,
                    name,
                )
            metrics.unreadable[name] += count

    def _changed_state(self, read: ObjectRead) -> Iterator[AirbyteMessage]:
        """Yield the state as a message if it has changed since it was last emitted."""
        if read.version != self._emitted_version:
            self._emitted_version = read.version
            yield state_message(self.name, self.state)

    def _estimates(self, read: ObjectRead) -> Iterator[AirbyteMessage]:
        if read.expected_rows != self._estimate:
            self._estimate = read.expected_rows
            estimate = AirbyteEstimateTraceMessage(
                name=self.name, type=EstimateType.STREAM, row_estimate=self._estimate
            )
            trace = AirbyteTraceMessage(
                type=TraceType.ESTIMATE, emitted_at=_now_ms(self._being_read()[0]), estimate=estimate
            )
            yield AirbyteMessage(type=Type.TRACE, trace=trace)

    # Required by HttpStream, which would request pages itself; here the extraction requests them

    @property
    def url_base(self) -> str:
        """Not used: every request is sent to the login's ``instance_url``."""
        return ""

    def path(self, **_: Any) -> str:
        """Not used, as :attr:`url_base`."""
        return ""

    def next_page_token(self, response: requests.Response) -> Mapping[str, Any] | None:
        """Not used, as :attr:`url_base`."""
        return None

    def parse_response(self, response: requests.Response, **_: Any) -> Iterable[Mapping[str, Any]]:
        """Raise: a response is an unverified page, and only rows of verified pages are emitted."""
        raise NotImplementedError("result pages are read by the extraction")


class IncrementalBulkStream(BulkStream):
    """One object with a cursor: incremental, or full refresh."""

    @property
    def cursor_field(self) -> str:
        """The field that windows filter by."""
        return self._shape.cursor_field or ""


def build_stream(shape: StreamShape, reading: Reading | None = None) -> BulkStream:
    """Create a stream of the class that fits the object."""
    return (IncrementalBulkStream if shape.cursor_field else BulkStream)(shape, reading)


def record_messages(lines: bytes) -> Iterator[AirbyteMessage]:
    """Yield RECORD lines as messages, whose values orjson writes digit for digit."""
    for line in lines.split(b"\n")[:-1]:
        record = parse_line(line)["record"]
        data = {name: json_value(value) for name, value in record["data"].items()}
        message = AirbyteRecordMessage(stream=record["stream"], data=data, emitted_at=record["emitted_at"])
        if "meta" in record:
            changes = [
                AirbyteRecordMessageMetaChange(
                    field=change["field"], change=Change(change["change"]), reason=Reason(change["reason"])
                )
                for change in record["meta"]["changes"]
            ]
            message.meta = AirbyteRecordMessageMeta(changes=changes)
        yield AirbyteMessage(type=Type.RECORD, record=message)


def state_message(name: str, state: Mapping[str, Any]) -> AirbyteMessage:
    """Return a STATE message of one stream."""
    descriptor = StreamDescriptor(name=name)
    stream_state = AirbyteStreamState(stream_descriptor=descriptor, stream_state=AirbyteStateBlob(dict(state)))
    return AirbyteMessage(type=Type.STATE, state=AirbyteStateMessage(type=AirbyteStateType.STREAM, stream=stream_state))


def _now_ms(reading: Reading) -> float:
    return reading.now().timestamp() * 1000
