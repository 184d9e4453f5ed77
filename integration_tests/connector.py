"""Run the connector: in this process because that is fast, or as the console script because that is the real thing.

Both ways go through a CDK entrypoint and come back as lines of JSON, parsed with every digit kept.
"""

from __future__ import annotations

import json
import logging
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import AirbyteLogFormatter

from integration_tests.simulated_org import SimulatedOrg
from source_salesforce_bulk.airbyte.http import CdkHttp
from source_salesforce_bulk.airbyte.source import SourceSalesforceBulk
from source_salesforce_bulk.extraction.calls import ThreadedCalls
from source_salesforce_bulk.extraction.connection import CONNECTIONS
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.clock import Clock

SCRIPT = Path(sys.executable).with_name("source-salesforce-bulk")
T = TypeVar("T")
Message = dict[str, Any]
Row = dict[str, Any]


class ImpatientClock:
    """Real time, except that pauses between retries take none: nothing here waits for what it could be told."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self._skipped = 0.0

    def monotonic(self) -> float:
        """Seconds of this machine's own counter, and those that were skipped."""
        return time.monotonic() + self._skipped

    def skip(self, seconds: float) -> None:
        """Let time pass at once."""
        self._skipped += seconds

    def now(self) -> datetime:
        """This machine's wall clock."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Note the pause that would have been made."""
        self.pauses.append(seconds)


class ImpatientCalls(ThreadedCalls):
    """Calls on threads. When none is under way, waiting takes no time: only the clock could bring anything about."""

    def __init__(self, workers: int, name: str, clock: ImpatientClock) -> None:
        super().__init__(workers, name)
        self._clock = clock
        self._under_way = 0

    def submit(self, call: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        """See ``extraction.calls.Calls``."""

        def landed(callback: Callable[[Any], None], outcome: Any) -> None:
            self._under_way -= 1
            callback(outcome)

        self._under_way += 1
        super().submit(call, partial(landed, done), partial(landed, failed))

    def drain(self, timeout: float) -> bool:
        """See ``extraction.calls.Calls``."""
        if self._under_way:
            return super().drain(timeout)
        ran = super().drain(0.0)
        if not ran:
            self._clock.skip(timeout)
        return ran


@dataclass(slots=True)
class Output:
    """Everything one command said. ``failed`` says whether its process would end with a code other than 0.

    ``ending`` is the exception that ended a command in this process; the console script prints its trace.
    """

    messages: list[Message] = field(default_factory=list)
    failed: bool = False
    exit_code: int | None = None
    ending: BaseException | None = None

    @property
    def rows(self) -> dict[str, list[Row]]:
        """The data of every RECORD, by stream, in the order in which they came."""
        found: dict[str, list[Row]] = defaultdict(list)
        for record in self.of_type("RECORD"):
            found[record["stream"]].append(record["data"])
        return found

    @property
    def states(self) -> dict[str, list[dict[str, Any]]]:
        """Every state, by stream, in order."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for state in self.of_type("STATE"):
            stream = state["stream"]
            found[stream["stream_descriptor"]["name"]].append(stream["stream_state"])
        return found

    @property
    def statuses(self) -> dict[str, list[str]]:
        """Every stream status, by stream, in order."""
        found: dict[str, list[str]] = defaultdict(list)
        for trace in self.of_type("TRACE"):
            if "stream_status" in trace:
                status = trace["stream_status"]
                found[status["stream_descriptor"]["name"]].append(status["status"])
        return found

    @property
    def errors(self) -> list[dict[str, Any]]:
        """Every error trace."""
        return [trace["error"] for trace in self.of_type("TRACE") if "error" in trace]

    @property
    def causes(self) -> list[str]:
        """The messages of the error traces, without those that refer to another stream's."""
        return [
            error["message"]
            for error in self.errors
            if "the run was stopped; the message about" not in error["message"]
        ]

    @property
    def logs(self) -> list[str]:
        """Every log line's text."""
        return [log["message"] for log in self.of_type("LOG")]

    @property
    def warnings(self) -> list[str]:
        """The text of every warning."""
        return [log["message"] for log in self.of_type("LOG") if log["level"] == "WARN"]

    def of_type(self, kind: str) -> Iterator[Any]:
        """The bodies of all messages of a type."""
        key = {"CONNECTION_STATUS": "connectionStatus"}.get(kind, kind.lower())
        return (message[key] for message in self.messages if message["type"] == kind)

    def final_states(self) -> list[dict[str, Any]]:
        """The last state of every stream, as the next run takes it."""
        return [state_of(name, states[-1]) for name, states in self.states.items()]


def cdk_caller(clock: Clock) -> Caller:
    """The calls of the connector as it is, by another clock."""
    return Caller(CdkHttp(CONNECTIONS), clock, random.random)


class Connector:
    """Runs protocol commands against one simulated org. Keyword arguments overlay the configuration.

    ``impatient``: in this process, waiting for a poll to come due takes no time.
    """

    script = SCRIPT

    def __init__(self, org: SimulatedOrg, *, impatient: bool = False, **config: Any) -> None:
        self.org = org
        self._config = {"credentials": org.credentials(), "login_url": org.url, **config}
        self.clock = ImpatientClock()
        self._calls = partial(ImpatientCalls, clock=self.clock) if impatient else ThreadedCalls
        self._stop = threading.Event()
        self._directory = tempfile.mkdtemp(prefix="connector-")
        weakref.finalize(self, shutil.rmtree, self._directory, ignore_errors=True)

    def config(self, **overlay: Any) -> dict[str, Any]:
        """The configuration."""
        return {**self._config, **overlay}

    def spec(self) -> Output:
        """In this process."""
        return self._run(["spec"])

    def check(self, **overlay: Any) -> Output:
        """In this process."""
        return self._run(["check", "--config", self._file(self.config(**overlay))])

    def discover(self, **overlay: Any) -> Output:
        """In this process."""
        return self._run(["discover", "--config", self._file(self.config(**overlay))])

    def streams(self, **overlay: Any) -> dict[str, dict[str, Any]]:
        """The discovered streams, by name."""
        (catalog,) = self.discover(**overlay).of_type("CATALOG")
        return {stream["name"]: stream for stream in catalog["streams"]}

    def read(
        self,
        catalog: Mapping[str, Any],
        state: Sequence[Mapping[str, Any]] | None = None,
        *,
        debug: bool = False,
        **overlay: Any,
    ) -> Output:
        """In this process; with ``debug``, as loudly as the platform can ask for."""
        return self._run(self._read_arguments(catalog, state, overlay) + ["--debug"] * debug)

    def read_with_state_file(self, catalog: Mapping[str, Any], text: str) -> Output:
        """``read`` in this process, with ``text`` for a state file."""
        arguments = self._read_arguments(catalog, [], {})
        Path(arguments[-1]).write_text(text, encoding="utf-8")
        return self._run(arguments)

    def read_until(
        self,
        event: str,
        nth: int,
        catalog: Mapping[str, Any],
        state: Sequence[Mapping[str, Any]] | None = None,
        **overlay: Any,
    ) -> Output:
        """In this process, stopped as by a signal at the ``nth`` event of the org from now on."""
        self.org.control.when_do(event, lambda: self._stop.set(), nth=nth)  # noqa: PLW0108 - each run has its own
        return self.read(catalog, state, **overlay)

    def run_script(self, *arguments: str, timeout: float = 120) -> Output:
        """The console script in a process of its own; every line of its stdout must be a protocol message."""
        done = subprocess.run([self.script, *arguments], capture_output=True, timeout=timeout, check=False)
        assert not done.stderr, done.stderr.decode()[:2000]
        return Output(parse(done.stdout.decode().split("\n")[:-1]), done.returncode != 0, done.returncode)

    def read_by_script(
        self, catalog: Mapping[str, Any], state: Sequence[Mapping[str, Any]] | None = None, **overlay: Any
    ) -> Output:
        """``read`` by the console script."""
        return self.run_script(*self._read_arguments(catalog, state, overlay))

    def start_script(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The console script under way, its stdout a pipe; the caller ends it."""
        return subprocess.Popen([self.script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def start(self, command: str, catalog: Mapping[str, Any]) -> subprocess.Popen[bytes]:
        """``check``, ``discover`` or a first ``read`` by the console script, under way."""
        if command == "read":
            return self.start_read(catalog)
        return self.start_script(command, "--config", self._file(self.config()))

    def start_read(
        self, catalog: Mapping[str, Any], state: Sequence[Mapping[str, Any]] | None = None, **overlay: Any
    ) -> subprocess.Popen[bytes]:
        """``read`` by the console script, under way."""
        return self.start_script(*self._read_arguments(catalog, state, overlay))

    def _read_arguments(
        self, catalog: Mapping[str, Any], state: Sequence[Mapping[str, Any]] | None, overlay: Mapping[str, Any]
    ) -> list[str]:
        arguments = ["read", "--config", self._file(self.config(**overlay)), "--catalog", self._file(catalog)]
        return arguments + (["--state", self._file(list(state))] if state is not None else [])

    def _run(self, arguments: list[str]) -> Output:
        """A stock CDK entrypoint: what any tool that is not our console script would see.

        An exception that ends the command is what the excepthook would print before exit code 1.
        """
        self._stop = threading.Event()
        entrypoint = AirbyteEntrypoint(SourceSalesforceBulk(self._stop, cdk_caller(self.clock), calls=self._calls))
        lines: list[str] = []
        ending: BaseException | None = None
        with self._captured_logs(lines):
            try:
                lines.extend(entrypoint.run(entrypoint.parse_args(arguments)))
            except Exception as error:  # noqa: BLE001
                ending = error
        return Output(parse(lines), failed=ending is not None, ending=ending)

    @contextmanager
    def _captured_logs(self, lines: list[str]) -> Iterator[None]:
        handler = _LinesHandler(lines)
        root = logging.getLogger()
        before = root.handlers[:]
        root.handlers[:] = [handler]
        try:
            yield
        finally:
            root.handlers[:] = before

    def _file(self, content: object) -> str:
        with tempfile.NamedTemporaryFile(
            "w", suffix=".json", dir=self._directory, delete=False, encoding="utf-8"
        ) as file:
            json.dump(content, file)
        return file.name


class _LinesHandler(logging.Handler):
    """Log lines in the protocol's form, among the other messages."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines
        self.setFormatter(AirbyteLogFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self._lines.append(self.format(record))


def parse(lines: Iterable[str]) -> list[Message]:
    """Protocol messages; anything else fails the test. Numbers keep their digits."""
    return [json.loads(line, parse_float=Decimal) for line in lines]


def state_of(name: str, blob: Mapping[str, Any]) -> dict[str, Any]:
    """A state message's body."""
    return {"type": "STREAM", "stream": {"stream_descriptor": {"name": name}, "stream_state": dict(blob)}}


def configure(
    streams: Mapping[str, Mapping[str, Any]],
    names: Iterable[str],
    mode: str = "incremental",
    fields: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """A configured catalog: ``mode`` where the stream has it, else full refresh; ``fields`` narrows selections."""
    return {"streams": [_configured(streams[name], mode, (fields or {}).get(name)) for name in names]}


def _configured(stream: Mapping[str, Any], mode: str, fields: Sequence[str] | None) -> dict[str, Any]:
    supported = stream["supported_sync_modes"]
    schema = dict(stream["json_schema"])
    if fields is not None:
        schema["properties"] = {name: schema["properties"].get(name, {}) for name in fields}
    return {
        "stream": {**stream, "json_schema": schema},
        "sync_mode": mode if mode in supported else "full_refresh",
        "destination_sync_mode": "append",
    }
