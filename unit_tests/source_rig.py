"""The whole source over :class:`FakeSalesforce`; only the HTTP client and the threads are replaced."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import (
    AirbyteMessage,
    AirbyteStateMessage,
    AirbyteStateMessageSerializer,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteCatalogSerializer,
)
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_salesforce_bulk.airbyte.source import SourceSalesforceBulk
from source_salesforce_bulk.salesforce.attempts import Caller
from unit_tests.fake_salesforce import FakeSalesforce, Row
from unit_tests.fakes import FakeClock, HeldCalls

CONFIG: Mapping[str, Any] = {
    "credentials": {
        "auth_type": "refresh_token",
        "client_id": "id",
        "client_secret": "s3cret",
        "refresh_token": "grant-0",
    }
}
Message = dict[str, Any]


def configured(name: str, mode: str = "incremental", properties: Sequence[str] = ()) -> dict[str, Any]:
    """One stream of a configured catalog; without properties it selects every field."""
    return {
        "stream": {
            "name": name,
            "json_schema": {"properties": {field: {} for field in properties}},
            "supported_sync_modes": ["full_refresh", "incremental"],
        },
        "sync_mode": mode,
        "destination_sync_mode": "append",
    }


class SourceRig:
    """One source and one org. :meth:`read` gives the messages as the platform would parse them."""

    def __init__(self, objects: Mapping[str, Sequence[Row]], **config: Any) -> None:
        self.clock = FakeClock()
        self.salesforce = FakeSalesforce(self.clock, objects)
        self.calls: Callable[[FakeClock], HeldCalls] = HeldCalls
        self.stop = threading.Event()
        self.config = {**CONFIG, **config}
        self.raised: AirbyteTracedException | None = None
        self.cleaning_up: list[int] = []
        self.messages: list[Message] = []
        self.source = SourceSalesforceBulk(
            stop=self.stop,
            caller=Caller(self.salesforce, self.clock, lambda: 0.5),
            on_clean_up=lambda: self.cleaning_up.append(len(self.messages)),
            calls=lambda workers, name: self.calls(self.clock),
        )
        self.logger = logging.getLogger("airbyte")

    def read(self, *streams: dict[str, Any], states: Mapping[str, Any] | None = None) -> list[Message]:
        """Every message of a read; what it raised at its end is in ``raised``."""
        self.messages, self.raised = [], None
        try:
            for message in self.source.read(self.logger, self.config, catalog_of(*streams), states_of(states or {})):
                self.messages.append(parsed(message))
        except AirbyteTracedException as error:
            self.raised = error
        return self.messages


def catalog_of(*streams: dict[str, Any]) -> ConfiguredAirbyteCatalog:
    """A configured catalog of these streams."""
    return ConfiguredAirbyteCatalogSerializer.load({"streams": list(streams)})


def states_of(states: Mapping[str, Any]) -> list[AirbyteStateMessage]:
    """The incoming state messages, one per stream."""
    return [
        AirbyteStateMessageSerializer.load(
            {"type": "STREAM", "stream": {"stream_descriptor": {"name": name}, "stream_state": blob}}
        )
        for name, blob in states.items()
    ]


def parsed(message: AirbyteMessage) -> Message:
    """A message as it stands on stdout, parsed."""
    line: Message = orjson.loads(AirbyteEntrypoint.airbyte_message_to_string(message))
    return line


def of_type(messages: Sequence[Message], kind: str) -> list[Message]:
    """The bodies of the messages of one type."""
    return [message[kind.lower()] for message in messages if message["type"] == kind]


def rows_of(messages: Sequence[Message], name: str) -> list[dict[str, Any]]:
    """The data of a stream's records."""
    return [record["data"] for record in of_type(messages, "RECORD") if record["stream"] == name]


def states_in(messages: Sequence[Message], name: str) -> list[dict[str, Any]]:
    """A stream's states in order."""
    states = [state["stream"] for state in of_type(messages, "STATE")]
    return [state["stream_state"] for state in states if state["stream_descriptor"]["name"] == name]


def statuses_of(messages: Sequence[Message], name: str) -> list[str]:
    """A stream's statuses in order."""
    traces = [trace["stream_status"] for trace in of_type(messages, "TRACE") if trace["type"] == "STREAM_STATUS"]
    return [trace["status"] for trace in traces if trace["stream_descriptor"]["name"] == name]


def errors_in(messages: Sequence[Message]) -> dict[str, dict[str, Any]]:
    """The error trace of each stream that has one."""
    errors = [trace["error"] for trace in of_type(messages, "TRACE") if trace["type"] == "ERROR"]
    return {error["stream_descriptor"]["name"]: error for error in errors}
