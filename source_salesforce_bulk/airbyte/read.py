"""The command ``read``: start the streams of a configured catalog as job slots allow, and emit each when it is ready.

The CDK reads each stream and keeps its state (``Stream.read``). This module makes each stream a participant of the run
loop, reports how it ended, and tracks the jobs that emitted states name.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from airbyte_cdk.models import (
    AirbyteMessage,
    AirbyteStreamStatus,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    StreamDescriptor,
    SyncMode,
    Type,
)
from airbyte_cdk.sources.connector_state_manager import ConnectorStateManager
from airbyte_cdk.sources.utils.schema_helpers import split_config
from airbyte_cdk.sources.utils.slice_logger import DebugSliceLogger
from airbyte_cdk.utils.stream_status_utils import as_airbyte_message as status_message
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_salesforce_bulk.airbyte.errors import final_trace, traced, traced_as, traced_config_error, traced_defect
from source_salesforce_bulk.airbyte.record_batch import RecordBatch
from source_salesforce_bulk.airbyte.streams import BulkStream, Reading, StreamShape, build_stream, state_message
from source_salesforce_bulk.extraction.catalog import ReadableObject, readable_object
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.extraction.interleaving import TurnOver
from source_salesforce_bulk.extraction.plan import ObjectRequest, Planner, needs_count
from source_salesforce_bulk.extraction.run_loop import Participant, RunLoop
from source_salesforce_bulk.extraction.selection import selected_fields
from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER, StateError, jobs_named
from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.describe import SObject
from source_salesforce_bulk.salesforce.discovery import PendingDescribes
from source_salesforce_bulk.salesforce.drift import compare_catalog
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.row_counts import RowCounts

LOGGER = logging.getLogger("salesforce_bulk.read")

STATE_AGAIN = 300.0
"""Seconds after which a waiting stream's last STATE is emitted again; the contract is ten minutes."""
LOG_AGAIN = 60.0
"""Seconds between two log lines while a stream waits."""

_FIELDS_NAMED = 20  # in a log line
_NO_LIMITS = split_config({})[1]


@dataclass(slots=True)
class _Progress:
    """The state of one stream as the platform knows it. ``last_state`` is initially the incoming state.

    ``unflushed`` are the jobs named by states since the last flush of stdout, any of which the platform may have.
    """

    last_state: Mapping[str, Any] | None = None
    unflushed: set[str] = field(default_factory=set)
    last_state_at: float = 0.0


@dataclass(slots=True)
class CatalogRead:
    """One run over a catalog.

    ``stopped`` returns whether a signal has arrived; ``flush`` empties every output buffer; ``on_clean_up`` is called
    after the last output; ``batches`` allows ``RecordBatch`` messages.
    """

    connection: Connection
    catalog: ConfiguredAirbyteCatalog
    states: ConnectorStateManager
    stopped: Callable[[], bool]
    flush: Callable[[], None]
    on_clean_up: Callable[[], None]
    batches: bool
    _progress: dict[str, _Progress] = field(default_factory=dict)
    _failures: dict[str, AirbyteTracedException] = field(default_factory=dict)
    _reported_by: dict[Failure, str] = field(default_factory=dict)
    _logged_at: float = 0.0
    _describes: PendingDescribes | None = None
    _counts: RowCounts | None = None

    def messages(self) -> Iterator[AirbyteMessage]:
        """Yield every message of the run. Raises ``AirbyteTracedException`` at the end if any stream failed."""
        extraction = self.connection.extraction()
        loop = RunLoop(self.connection, extraction, self.stopped, partial(self._log_waiting, extraction))
        try:
            self.flush()
            self._prepare(loop, extraction)
            self._logged_at = self.connection.clock.monotonic()
            yield from loop.messages(
                [self._participant(configured, extraction) for configured in self.catalog.streams], self._flush
            )
            self._flush()
            loop.finish()
        finally:
            loop.close(self._jobs_to_keep, self._stop_describing, self.on_clean_up)
        if self._failures and not self.stopped():
            raise final_trace(self._failures)

    # Before the first stream

    def _prepare(self, loop: RunLoop, extraction: Extraction) -> None:
        """Begin the run and start describing the configured objects. A failure here stops every stream."""
        try:
            loop.begin()
        except SalesforceError as error:
            extraction.stop(error.failure)
        except Stopped:
            extraction.stop(Failure.of(Kind.INTERRUPTED))
        else:
            names = [configured.stream.name for configured in self.catalog.streams]
            self._describes = self.connection.discovery.describe_ahead(names, extraction.wake)
            counted = [configured.stream.name for configured in self.catalog.streams if self._needs_count(configured)]
            self._counts = RowCounts(
                self.connection.discovery.record_counts, counted, self.connection.clock, extraction.wake
            )

    def _stop_describing(self) -> None:
        if self._describes is not None:
            self._describes.close()

    def _needs_count(self, configured: ConfiguredAirbyteStream) -> bool:
        incoming = self._incoming(configured.stream.name)
        if configured.sync_mode is SyncMode.incremental and incoming == COMPLETE_MARKER:
            return True  # a stream without a cursor, read in full again
        return needs_count(incoming, self.connection.clock.now())

    def _rows(self, name: str) -> int | None:
        return self._counts.of(name) if self._counts is not None else None

    def _is_ready(self, name: str) -> bool:
        """Return whether the stream's first job can be created without waiting for its describe or row count."""
        known = self._describes is not None and self._describes.ready(name)
        return known and self._counts is not None and self._counts.ready

    def _incoming(self, name: str) -> MutableMapping[str, Any]:
        """Return a stream's incoming state, found by name only, like in the CDK, regardless of the namespace."""
        return self.states.get_stream_state(name, None)

    # One stream

    def _participant(self, configured: ConfiguredAirbyteStream, extraction: Extraction) -> Participant[AirbyteMessage]:
        name = configured.stream.name
        return Participant(name, self._stream_messages(configured, extraction), partial(self._is_ready, name))

    def _stream_messages(
        self,
        configured: ConfiguredAirbyteStream,
        extraction: Extraction,
    ) -> Iterator[AirbyteMessage | TurnOver]:
        """Yield the messages of a stream, from STARTED to its last status. Never raises for a failure of the stream."""
        name = configured.stream.name
        progress = self._progress.setdefault(name, _Progress())
        progress.last_state = self._incoming(name) or None
        progress.last_state_at = self.connection.clock.monotonic()
        try:
            described = self._described(name, extraction)
            if extraction.stop_failure is not None:
                if not self.stopped():
                    yield from self._not_begun(configured, extraction.stop_failure)
                return
            stream = self._stream(configured, described, extraction)
            yield status_message(configured.stream, AirbyteStreamStatus.STARTED)
            for message in self._read(stream, self._as_it_can_be_read(configured, stream)):
                if isinstance(message, TurnOver):
                    yield from self._again(name, progress)
                else:
                    self._note(progress, message)
                yield message
            yield status_message(configured.stream, AirbyteStreamStatus.COMPLETE)
            LOGGER.info("%s complete: %s", name, self._summary(name))
        except Exception as error:  # noqa: BLE001 - every failure of a stream ends here, and the other streams continue
            yield from self._failed(configured, error, extraction.stop_failure)

    def _read(self, stream: BulkStream, configured: ConfiguredAirbyteStream) -> Iterator[AirbyteMessage | TurnOver]:
        """Yield the CDK's messages of a stream: RUNNING before the first record, STATE at the end."""
        name, rows = stream.name, 0
        stream.state = self._incoming(name)
        messages = stream.read(configured, LOGGER, DebugSliceLogger(), stream.state, self.states, _NO_LIMITS)
        for message in cast(Iterator[AirbyteMessage | TurnOver], messages):
            if not isinstance(message, TurnOver) and message.type is Type.RECORD:
                if not rows:
                    yield status_message(configured.stream, AirbyteStreamStatus.RUNNING)
                rows += message.rows if isinstance(message, RecordBatch) else 1
            yield message
        LOGGER.info("Read %d records from %s stream", rows, name)

    def _described(self, name: str, extraction: Extraction) -> SObject | SalesforceError:
        """Wait for the object's describe; a failure that affects every object stops the run."""
        if extraction.stop_failure is None and self._describes is not None:
            try:
                return self._describes.result(name)
            except SalesforceError as error:
                extraction.stop(error.failure)
            except Stopped:
                extraction.stop(Failure.of(Kind.INTERRUPTED))
        return SalesforceError(extraction.stop_failure or Failure.of(Kind.OBJECT_GONE))

    def _stream(
        self, configured: ConfiguredAirbyteStream, described: SObject | SalesforceError, extraction: Extraction
    ) -> BulkStream:
        name = configured.stream.name
        if isinstance(described, SalesforceError):
            raise described
        described = described.spelled_as(selected_fields(configured.stream.json_schema) or ())
        try:
            readable = readable_object(described, self.connection.config)
        except ValueError as error:
            raise traced_config_error(f"object_overrides for {name}: {error}") from error
        added = tuple(field for field in readable.sobject.fields if field.added)
        shown = dataclasses.replace(described, fields=(*described.fields, *added))
        _warn_of_schema_changes(name, configured.stream.json_schema or {}, shown)
        return build_stream(
            StreamShape(name, readable.json_schema, readable.primary_key, readable.cursor_field),
            self._reading(configured, readable, extraction),
        )

    def _as_it_can_be_read(self, configured: ConfiguredAirbyteStream, stream: BulkStream) -> ConfiguredAirbyteStream:
        """Return the configured stream, as full refresh if it has no cursor: clients may always ask for incremental."""
        if configured.sync_mode is not SyncMode.incremental or stream.supports_incremental:
            return configured
        LOGGER.info("%s has no cursor field, so every sync reads it in full", configured.stream.name)
        return dataclasses.replace(configured, sync_mode=SyncMode.full_refresh)

    def _reading(
        self, configured: ConfiguredAirbyteStream, readable: ReadableObject, extraction: Extraction
    ) -> Reading:
        connection, name = self.connection, configured.stream.name
        planner = Planner(connection.config, connection.log_in().organization_id)
        request = ObjectRequest(readable, selected_fields(configured.stream.json_schema), self._rows(name))
        return Reading(
            extraction=extraction,
            metrics=connection.metrics.of(name),
            plan_for=partial(planner.plan, request),
            upper_bound=connection.upper_bound,
            now=connection.clock.now,
            batches=self.batches,
            in_full=partial(planner.begin_in_full, request),
            ends_for_good=configured.sync_mode is not SyncMode.incremental,
        )

    def _not_begun(self, configured: ConfiguredAirbyteStream, failure: Failure) -> Iterator[AirbyteMessage]:
        """Yield the messages of a stream that was never started: its incoming state, unchanged, and its status."""
        incoming = self._incoming(configured.stream.name)
        if incoming:
            yield state_message(configured.stream.name, incoming)
        yield from self._failed(configured, SalesforceError(failure), failure)

    def _failed(
        self, configured: ConfiguredAirbyteStream, error: Exception, of_run: Failure | None
    ) -> Iterator[AirbyteMessage]:
        """Yield the end of a failed stream; a failure ``of_run`` is reported by the first stream that ends with it."""
        name = configured.stream.name
        trace = self._trace(name, error, of_run)
        self._failures[name] = trace
        if not self.connection.metrics.of(name).errors:
            self.connection.metrics.count(name, errors=1)  # a failure before the first job has not been counted yet
        LOGGER.info("%s failed: %s", name, self._summary(name))  # the trace says why
        yield status_message(configured.stream, AirbyteStreamStatus.INCOMPLETE)
        yield trace.as_sanitized_airbyte_message(stream_descriptor=StreamDescriptor(name=name))

    def _summary(self, name: str) -> str:
        return f"run id {self.connection.run_id}, {self.connection.metrics.of(name).summary()}"

    def _trace(self, name: str, error: Exception, of_run: Failure | None) -> AirbyteTracedException:
        if isinstance(error, SalesforceError):
            failure = error.failure
            first = self._reported_by.setdefault(failure, name) if failure is of_run else name
            return traced(failure, object_name=name) if first == name else traced_as(first, failure, name)
        if isinstance(error, StateError):
            return traced_config_error(
                f"The saved state of {name} cannot be used: {error}. Reset the stream, or restore its state."
            )
        if isinstance(error, AirbyteTracedException):
            return error
        return traced_defect(error, object_name=name)

    def _note(self, progress: _Progress, message: AirbyteMessage) -> None:
        """Remember the last emitted state, which determines the jobs that are kept after the run."""
        if message.type is Type.STATE and message.state is not None and message.state.stream is not None:
            blob = message.state.stream.stream_state
            progress.last_state = copy.deepcopy(dict(blob.__dict__)) if blob is not None else {}
            progress.unflushed |= jobs_named(progress.last_state)
            progress.last_state_at = self.connection.clock.monotonic()

    def _again(self, name: str, progress: _Progress) -> Iterator[AirbyteMessage]:
        """Yield a waiting stream's last state again, so that the platform does not consider the sync stuck."""
        now = self.connection.clock.monotonic()
        if progress.last_state is not None and now - progress.last_state_at >= STATE_AGAIN:
            progress.last_state_at = now
            yield state_message(name, progress.last_state)

    # The whole run

    def _flush(self) -> None:
        """Flush stdout, so that it is known which states the platform has."""
        self.flush()
        for progress in self._progress.values():
            progress.unflushed.clear()

    def _log_waiting(self, extraction: Extraction) -> None:
        """Log once a minute what the run is waiting for."""
        now = self.connection.clock.monotonic()
        if now - self._logged_at >= LOG_AGAIN:
            self._logged_at = now
            LOGGER.info("Still reading: %s", extraction.describe_waiting())

    def _jobs_to_keep(self) -> set[str]:
        """Return the jobs named by states that the platform may have: the next run continues or deletes them."""
        keep: set[str] = set()
        for progress in self._progress.values():
            keep |= progress.unflushed | jobs_named(progress.last_state)
        return keep


def _warn_of_schema_changes(name: str, configured: Mapping[str, Any], described: SObject) -> None:
    """Warn if the object has changed since the catalog was configured."""
    changes = compare_catalog(configured, described)
    retyped = [str(change) for change in changes if change.breaking]
    if retyped:
        LOGGER.warning(
            "%s has changed since the stream was configured: %s. Refresh the source schema of the connection.",
            name,
            "; ".join(retyped),
        )
    others = [change.field for change in changes if not change.breaking]
    if others:
        LOGGER.info(
            "%s has %d fields that the configured catalog does not select: %s%s",
            name,
            len(others),
            ", ".join(others[:_FIELDS_NAMED]),
            ", ..." if len(others) > _FIELDS_NAMED else "",
        )
