from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import AirbyteMessage, SyncMode

from source_salesforce_bulk.airbyte.record_batch import RecordBatch
from source_salesforce_bulk.airbyte.streams import (
    BulkStream,
    IncrementalBulkStream,
    Reading,
    StreamShape,
    build_stream,
    state_message,
)
from source_salesforce_bulk.extraction.interleaving import TURN_OVER, TurnOver
from source_salesforce_bulk.extraction.stream_state import Mode, ReadState, read_state
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.failures import SalesforceError
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.ids import id_18
from unit_tests.extraction_rig import SCOPE, UPPER, ExtractionRig, object_plan
from unit_tests.source_rig import parsed

SHAPE = StreamShape("Account", {"type": "object"}, ("Id",), "SystemModstamp")
FIELDS = ("Id", "Name", "Amount", "SystemModstamp")
STAMP = "2026-11-20T00:00:00.000Z"


def rows(*amounts: str, name: str = "Acme") -> list[dict[str, str | None]]:
    return [
        {"Id": id_18(f"001A{number:011d}"), "Name": name, "Amount": amount, "SystemModstamp": STAMP}
        for number, amount in enumerate(amounts)
    ]


class Rig(ExtractionRig):
    """A stream over an extraction. Where a stream waits, so does the rig."""

    def stream(self, shape: StreamShape = SHAPE, *, batches: bool = False) -> BulkStream:
        return build_stream(
            shape,
            Reading(
                extraction=self.extraction,
                metrics=self.metrics.of(shape.name),
                plan_for=self._plan,
                upper_bound=lambda: UPPER,
                now=self.clock.now,
                batches=batches,
            ),
        )

    def _plan(self, mode: Mode, blob: Any) -> tuple[Any, ReadState]:
        incoming = read_state(blob, mode, "SystemModstamp", SCOPE)
        plan = object_plan("Account", mode, incoming.state)
        kinds = {"Amount": CellKind.NUMBER}
        return replace(
            plan,
            query=replace(plan.query, fields=FIELDS),
            columns=tuple(Column(field, kinds.get(field, CellKind.STRING)) for field in FIELDS),
        ), incoming

    def messages(self, stream: BulkStream, mode: SyncMode = SyncMode.incremental) -> list[AirbyteMessage]:
        found = []
        for part in stream.stream_slices(sync_mode=mode):
            for message in stream.read_records(mode, stream_slice=part):
                found.append(message)
                if message is TURN_OVER:
                    self.extraction.wait(1.0)
        return found


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path, {"Account": rows("1", "2", "3", "4")})


def kinds(messages: list[AirbyteMessage]) -> str:
    """R for a record, S for a state, | for the end of a turn; turns without either are left out."""
    letters = {"RECORD": "R", "STATE": "S", "TRACE": ""}
    turns = "".join("|" if message is TURN_OVER else letters[message.type.value] for message in messages).split("|")
    return "|".join(turn for turn in turns if turn)


def of_type(messages: list[AirbyteMessage | TurnOver], kind: str) -> list[AirbyteMessage]:
    return [message for message in messages if message is not TURN_OVER and message.type.value == kind]


def records(messages: list[AirbyteMessage]) -> list[dict[str, Any]]:
    return [parsed(message)["record"] for message in of_type(messages, "RECORD")]


# What discovery shows


def test_an_object_with_a_cursor_is_incremental_and_one_without_is_not():
    assert isinstance(build_stream(SHAPE), IncrementalBulkStream)
    assert build_stream(SHAPE).cursor_field == "SystemModstamp"
    plain = build_stream(replace(SHAPE, cursor_field=None))
    assert not isinstance(plain, IncrementalBulkStream)
    assert not plain.supports_incremental


def test_a_stream_shows_what_its_shape_says():
    stream = build_stream(SHAPE)
    assert (stream.name, stream.primary_key, stream.get_json_schema()) == ("Account", ["Id"], {"type": "object"})
    assert build_stream(replace(SHAPE, primary_key=())).primary_key is None


def test_a_response_is_an_unproven_page_and_gives_no_rows():
    with pytest.raises(NotImplementedError):
        build_stream(SHAPE).parse_response(None)  # type: ignore[arg-type]


# Messages


def test_rows_come_page_by_page_each_followed_by_its_state_and_a_turn(rig):
    messages = rig.messages(rig.stream())
    assert kinds(messages) == "S|RRRS|R"
    assert [record["data"]["Amount"] for record in records(messages)] == [1, 2, 3, 4]
    assert all(record["stream"] == "Account" for record in records(messages))


def test_a_client_that_takes_batches_gets_finished_lines_instead_of_records(rig):
    messages = rig.messages(rig.stream(batches=True))
    assert kinds(messages) == "S|RS|R"
    batches = [message for message in messages if isinstance(message, RecordBatch)]
    assert [(batch.stream, batch.rows) for batch in batches] == [("Account", 3), ("Account", 1)]
    lines = [json.loads(line)["record"] for batch in batches for line in bytes(batch.lines).splitlines()]
    assert [line["data"]["Amount"] for line in lines] == [1.0, 2.0, 3.0, 4.0]
    assert {line["emitted_at"] for line in lines} == {int(rig.clock.now().timestamp() * 1000)}


def test_a_cell_that_cannot_be_its_type_is_counted_and_said_in_a_batch_too(tmp_path, caplog):
    rig = Rig(tmp_path, {"Account": rows("x", "1", "y", "2")})
    with caplog.at_level("WARNING"):
        rig.messages(rig.stream(batches=True))
    assert rig.metrics.of("Account").unreadable == {"Amount": 2}
    assert sum("Account.Amount: a cell cannot be read" in line for line in caplog.messages) == 1


def test_the_state_behind_the_last_page_is_left_to_the_cdk(rig):
    stream = rig.stream()
    rig.messages(stream)
    assert stream.state == {"SystemModstamp": "2026-11-23T02:00:00.000Z", "scope": SCOPE}


def test_a_state_on_its_way_names_the_job_and_how_many_rows_lie_behind(rig):
    states = [
        parsed(message)["state"]["stream"]["stream_state"] for message in of_type(rig.messages(rig.stream()), "STATE")
    ]
    assert [state["resume"][0]["rows"] for state in states] == [0, 3]


def test_the_estimate_is_what_the_job_reports(rig):
    traces = [parsed(message)["trace"] for message in of_type(rig.messages(rig.stream()), "TRACE")]
    assert [trace["estimate"]["row_estimate"] for trace in traces] == [4]


def test_emission_time_is_this_machines_clock_in_milliseconds(rig):
    emitted = records(rig.messages(rig.stream()))[0]["emitted_at"]
    assert emitted == int(rig.clock.now().timestamp() * 1000)


@pytest.mark.parametrize(
    "digits",
    [
        "0.1",
        "12345678901234567890.123456789",
        "9007199254740993",
        "0.30000000000000004",
        "123456789012345678901234567890",
        "-0.00",
    ],
)
def test_numbers_keep_every_digit_on_the_wire(tmp_path, digits):
    rig = Rig(tmp_path, {"Account": rows(digits)})
    (message,) = of_type(rig.messages(rig.stream()), "RECORD")
    data = json.loads(AirbyteEntrypoint.airbyte_message_to_string(message), parse_float=Decimal)["record"]["data"]
    assert Decimal(data["Amount"]) == Decimal(digits)


@pytest.mark.parametrize("name", ["NA", "null", "NaN", "  ", "None", "\t", "a\r\nb", "\x00"])
def test_only_an_empty_cell_is_null(tmp_path, name):
    rig = Rig(tmp_path, {"Account": rows("1", name=name)})
    assert records(rig.messages(rig.stream()))[0]["data"]["Name"] == name


def test_an_empty_cell_is_left_out(tmp_path):
    rig = Rig(tmp_path, {"Account": rows("", name="")})
    assert set(records(rig.messages(rig.stream()))[0]["data"]) == {"Id", "SystemModstamp"}


def test_a_cell_that_cannot_be_its_type_is_null_with_a_note_counted_and_said_once_per_field(tmp_path, caplog):
    rig = Rig(tmp_path, {"Account": rows("SECRET-1", "7", "SECRET-2")})
    first, second, _ = records(rig.messages(rig.stream()))
    assert "Amount" not in first["data"]
    assert first["meta"]["changes"] == [{"field": "Amount", "change": "NULLED", "reason": "SOURCE_SERIALIZATION_ERROR"}]
    assert second["data"]["Amount"] == 7
    assert "meta" not in second
    assert rig.metrics.of("Account").unreadable == {"Amount": 2}
    (line,) = [record.getMessage() for record in caplog.records if "Amount" in record.getMessage()]
    assert "SECRET" not in line


# Slices


def test_there_is_exactly_one_empty_slice(rig):
    assert list(rig.stream().stream_slices(sync_mode=SyncMode.full_refresh)) == [{}]


@pytest.mark.parametrize(
    ("mode", "state"),
    [
        (SyncMode.full_refresh, {"__ab_full_refresh_sync_complete": True}),
        (SyncMode.incremental, {"SystemModstamp": "2030-01-01T00:00:00.000Z", "scope": SCOPE}),
    ],
    ids=["a complete full refresh", "a cursor in the future"],
)
def test_where_there_is_nothing_to_read_there_is_no_slice_and_the_state_stays(rig, mode, state):
    stream = rig.stream()
    stream.state = dict(state)
    assert list(stream.stream_slices(sync_mode=mode)) == []
    assert stream.state == state
    assert rig.salesforce.sent == []


def test_a_state_that_is_not_this_modes_is_ignored_with_a_warning(rig, caplog):
    stream = rig.stream()
    stream.state = {"SystemModstamp": STAMP}
    messages = rig.messages(stream, SyncMode.full_refresh)
    assert len(records(messages)) == 4
    assert any("ignored" in record.getMessage() for record in caplog.records)


def test_records_before_slices_is_a_defect_that_says_so(rig):
    with pytest.raises(RuntimeError, match="stream_slices"):
        next(rig.stream().read_records(SyncMode.incremental))


# Ends


def test_a_failure_is_raised_behind_the_state_that_covers_all_that_was_emitted(rig):
    rig.salesforce.script("results", "", *["quota"])
    stream, found = rig.stream(), []

    def read() -> None:
        list(stream.stream_slices(sync_mode=SyncMode.incremental))
        for message in stream.read_records(SyncMode.incremental):
            found.append(message)
            if message is TURN_OVER:
                rig.extraction.wait(1.0)

    with pytest.raises(SalesforceError):
        read()
    assert parsed(of_type(found, "STATE")[-1])["state"]["stream"]["stream_state"] == stream.state
    assert stream.state["resume"][0]["rows"] == len(records(found)) == 3


def test_a_reader_who_stops_early_leaves_no_page_on_disk(rig):
    stream = rig.stream()
    list(stream.stream_slices(sync_mode=SyncMode.incremental))
    reading = stream.read_records(SyncMode.incremental)
    while not of_type([next(reading)], "RECORD"):
        rig.extraction.wait(1.0)
    assert rig.files() != []
    reading.close()
    rig.calls.settle()
    assert rig.files() == []


def test_a_state_message_is_one_streams():
    state = parsed(state_message("Account", {"a": 1}))["state"]
    assert state["type"] == "STREAM"
    assert state["stream"] == {"stream_descriptor": {"name": "Account"}, "stream_state": {"a": 1}}
