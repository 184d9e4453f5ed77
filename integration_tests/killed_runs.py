"""Run the console script, kill it at a random moment, and keep its output.

A moment is a small random delay after an event: the n-th request of a kind at the org, or the n-th message of a type on
stdout. Only whole lines of stdout count: a kill may leave half a line at the end, which the platform drops.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from integration_tests.connector import Connector, Output, parse, state_of
from integration_tests.simulated_org import SimulatedOrg

# Events at the org with how many of them an undisturbed run has, about: a moment is drawn from these.
ORG_EVENTS = {
    "page_served": 20,
    "results": 20,
    "jobInfo": 15,
    "createJob": 8,
    "job_created": 8,
    "job_processing": 8,
    "job_completed": 8,
    "describe": 6,
    "delete": 8,
    "token": 1,
    "limits": 1,
}
REST_EVENTS = {"queryAll": 80, "describe": 6, "token": 1, "limits": 1}
"""The same for a run that creates no job."""

LINES = {"RECORD": 1500, "STATE": 25, "TRACE": 15, "LOG": 60}
LONGEST_DELAY = 0.05


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment of a kill: ``delay`` seconds after the ``nth`` event at the org, or message of that type on stdout."""

    event: str
    nth: int
    delay: float

    @staticmethod
    def random(chance: random.Random, events: Mapping[str, int] = ORG_EVENTS) -> Moment:
        """Any moment of a run, the beginning more often than the end: killed runs leave little for the next."""
        busiest = sorted(events, key=lambda event: events[event])[-2:]
        event = chance.choice([*events, *LINES, *busiest, "STATE", "RECORD"])
        most = events.get(event) or LINES[event]
        nth = 1 + int(most * chance.random() ** 2)
        return Moment(event, nth, chance.choice([0.0, 0.0, chance.uniform(0.0, LONGEST_DELAY)]))


@dataclass(slots=True)
class Run:
    """One process, from its first to its last word. ``state`` is what it was given; the org's jobs are counted."""

    state: list[dict[str, Any]]
    output: Output
    moment: Moment | None
    jobs_before: int
    jobs_after: int
    cut_line: bytes = b""

    @property
    def killed(self) -> bool:
        """Return whether the kill came before the run's own end."""
        return self.output.exit_code == -signal.SIGKILL

    @property
    def trailing_rows(self) -> dict[str, int]:
        """Rows of each stream behind its last state: the next run emits them again."""
        since: dict[str, int] = defaultdict(int)
        for message in self.output.messages:
            if message["type"] == "RECORD":
                since[message["record"]["stream"]] += 1
            elif message["type"] == "STATE":
                since[message["state"]["stream"]["stream_descriptor"]["name"]] = 0
        return {name: rows for name, rows in since.items() if rows}

    @property
    def named_jobs(self) -> set[str]:
        """Jobs that any state of this run named."""
        states = (state for states in self.output.states.values() for state in states)
        return {entry["job"] for state in states for entry in state.get("resume", ())}


@dataclass(slots=True)
class Sequence:
    """One sync as the platform makes it: attempts, each from the last states of those before it, until one ends."""

    connector: Connector
    catalog: Mapping[str, Any]
    state: dict[str, dict[str, Any]]
    runs: list[Run] = field(default_factory=list)

    def attempt(self, moment: Moment | None = None) -> Run:
        """One run, killed at ``moment`` unless it ends before."""
        control = self.connector.org.control
        given = [state_of(name, blob) for name, blob in self.state.items()]
        before = len(control.jobs())
        process = self.connector.start_read(self.catalog, given)
        stdout, code = _watched(process, self.connector.org, moment)
        *lines, cut = stdout.split(b"\n")
        output = Output(parse(line.decode() for line in lines), code != 0, code)
        run = Run(given, output, moment, before, len(control.jobs()), cut)
        self.runs.append(run)
        self.state |= {name: states[-1] for name, states in output.states.items()}
        return run

    @property
    def kills(self) -> int:
        """The number of killed runs."""
        return sum(run.killed for run in self.runs)

    @property
    def moments(self) -> str:
        """Return the moments of the kills, for a log line."""
        struck = [run.moment for run in self.runs if run.killed and run.moment]
        return ", ".join(f"{moment.event} {moment.nth} + {moment.delay * 1000:.0f} ms" for moment in struck)

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Every row of a stream that any run emitted, in order."""
        return [row for run in self.runs for row in run.output.rows.get(name, ())]


def _watched(process: subprocess.Popen[bytes], org: SimulatedOrg, moment: Moment | None) -> tuple[bytes, int]:
    """Everything the process wrote until it ended, and its exit code."""
    assert process.stdout is not None
    assert process.stderr is not None
    on_line: Callable[[bytes], None] = lambda _: None  # noqa: E731
    if moment is not None:
        strike = _Strike(process, moment)
        if moment.event in LINES:
            on_line = strike.on_line
        else:
            org.control.when_do(moment.event, strike.now, nth=moment.nth)
    pieces = []
    with process:
        while piece := os.read(process.stdout.fileno(), 1 << 16):
            pieces.append(piece)
            on_line(piece)
        errors = process.stderr.read()
    assert not errors, errors.decode()[:2000]
    return b"".join(pieces), process.returncode


class _Strike:
    """Kills a process once, at its moment, from the thread that notices the event."""

    def __init__(self, process: subprocess.Popen[bytes], moment: Moment) -> None:
        self._process = process
        self._moment = moment
        self._mark = f'"type":"{moment.event}"'.encode()
        self._left = moment.nth
        self._rest = b""

    def now(self) -> None:
        """The event has come."""
        if self._moment.delay:
            threading.Timer(self._moment.delay, self._process.kill).start()
        else:
            self._process.kill()

    def on_line(self, piece: bytes) -> None:
        """A piece of stdout has come; a mark may lie across two pieces."""
        text = self._rest + piece
        self._rest = text[-len(self._mark) + 1 :]
        before, self._left = self._left, self._left - text.replace(b'": "', b'":"').count(self._mark)
        if before > 0 >= self._left:
            self.now()
