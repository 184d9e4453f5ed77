"""Salesforce objects as CDK streams: schema, state and records, with no rules of their own.

``extraction`` decides what is read, in which windows, and when it may be emitted; ``describe`` defines the fields. A
stream turns pages into Airbyte messages and the extraction's state into STATE.

A stream yields ``TURN_OVER`` after each page, and when it has nothing to emit, so that another stream can continue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
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
from source_salesforce_bulk.deletions.tombstones import Vanished, tombstone
from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.extraction.interleaving import TURN_OVER, TurnOver
from source_salesforce_bulk.extraction.metrics import ObjectMetrics
from source_salesforce_bulk.extraction.object_read import ObjectRead
from source_salesforce_bulk.extraction.plan import Beginning, ObjectPlan, begin
from source_salesforce_bulk.extraction.reconciliation import Reconciliation
from source_salesforce_bulk.extraction.seen_rows import SeenRows
from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER, DELETES, FIELDS, FORMULAS, Mode, ReadState
from source_salesforce_bulk.extraction.window_read import WindowRead
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
        self._reconciliation: Reconciliation | None = None
        self._seen = SeenRows(())
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
        reading, reconciliation = self._under_way()
        try:
            for step in reconciliation.steps():
                match step:
                    case Vanished():
                        yield self._tombstone(step, reading)
                    case Beginning():
                        yield from self._rows(step)
                    case TurnOver():
                        yield step
        except SalesforceError:
            if self._read is not None:
                yield from self._changed_state(self._read)
            raise

    def _rows(self, beginning: Beginning) -> Iterator[AirbyteMessage | TurnOver]:
        """Yield the rows of some windows, and the states that cover them, up to the last page's."""
        reading, reconciliation = self._under_way()
        if self._read is not None:
            yield from self._changed_state(self._read)
            self._incoming = beginning.plan.state.to_json(self._shape.cursor_field)
        read = self._read = reading.extraction.begin(beginning, partial(record_lines, self.name))
        self._state_version = self._emitted_version = 0
        reconciliation.begun(read)
        try:
            while not read.finished:
                ready = reading.extraction.next_page(read)
                if reconciliation.over_again:
                    return
                yield from self._estimates(read)
                if ready is not None:
                    window = read.windows[0]
                    yield from self._records(ready.page, window)
                    reconciliation.noted()
                    reading.extraction.handed_on(read, ready)
                    reconciliation.handed_on(window, ready.after)
                if not read.finished:
                    yield from self._changed_state(read)
                    yield TURN_OVER
        finally:
            reading.extraction.drop(read)

    def _begin(self, mode: Mode) -> bool:
        """Plan the windows; return whether there is anything to read."""
        reading = self._reading
        if reading is None:
            raise RuntimeError(f"{self.name} was built to be discovered; read it through SourceSalesforceBulk.read")
        plan, incoming = reading.plan_for(mode, self._incoming)
        if incoming.warning:
            self._incoming = {}
        wanted = {DELETES: plan.audit is not None, FORMULAS: bool(plan.refresh), FIELDS: plan.backfill is not None}
        self._incoming = {key: value for key, value in self._incoming.items() if wanted.get(key, True)}
        return self._begun(begin(plan, incoming, reading.upper_bound, remedy="reset the stream"))

    def _begun(self, beginning: Beginning) -> bool:
        reading = self._reading
        assert reading is not None
        if beginning.plan.audit is not None:
            self._seen = SeenRows(beginning.plan.audit.columns)
        self._reconciliation = Reconciliation(beginning, reading.extraction, reading.upper_bound)
        if not beginning.reads:
            # Nothing is read, but its warnings are logged, and jobs that nothing continues are ended.
            self._read = reading.extraction.begin(beginning, partial(record_lines, self.name))
            reading.extraction.drop(self._read)
        return beginning.reads

    def _tombstone(self, gone: Vanished, reading: Reading) -> AirbyteMessage:
        key, cursor = self._shape.primary_key[0], self._shape.cursor_field or ""
        row = tombstone(gone.record_id, gone.seen, key=key, cursor=cursor)
        record = AirbyteRecordMessage(stream=self.name, data=dict(row), emitted_at=int(_now_ms(reading)))
        return AirbyteMessage(type=Type.RECORD, record=record)

    def _goes_on_in_full(self, failure: Failure) -> bool:
        """Begin again without the cursor, if Salesforce refuses it and the user has not configured it."""
        in_full = self._reading.in_full() if self._reading and failure.kind is Kind.CURSOR_NOT_FILTERABLE else None
        if in_full is None:
            return False
        self._begun(in_full)
        self._read = None
        return True

    def _under_way(self) -> tuple[Reading, Reconciliation]:
        if self._reading is None or self._reconciliation is None:
            raise RuntimeError(f"{self.name}: stream_slices comes before read_records")
        return self._reading, self._reconciliation

    def _records(self, page: Page, window: WindowRead) -> Iterator[AirbyteMessage]:
        reading, reconciliation = self._under_way()
        for block in page.encoded.product.take().blocks:
            if reconciliation.sees_rows:
                reconciliation.note(self._seen.in_lines(block.lines), window)
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
                type=TraceType.ESTIMATE, emitted_at=_now_ms(self._under_way()[0]), estimate=estimate
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
