"""How well waiting overlaps: wall time of whole runs of the console script, against what would be ideal.

    python -m benchmarks.overlap [jobs | pages | discover | stuck] [--rows N]

Each scenario runs the connector as Airbyte does, in a process of its own, against a simulated org in another. Ratios
are taken within one run of this program, on one machine: they carry over to other machines, the seconds do not. Seconds
count from the connector's first message: how long Python takes to start is no matter of overlap.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

CONNECTOR = Path(sys.executable).with_name("source-salesforce-bulk")
LATENCY = 3.0
BANDWIDTHS = (5_000_000, 500_000)
DESCRIBE_SECONDS = 0.1
_BYTES = re.compile(r"complete: .* bytes (\d+),")


@dataclass(frozen=True)
class Line:
    """One line of the table: what was measured, and what it is held against."""

    what: str
    seconds: float
    against: str
    reference: float
    target: str

    def __str__(self) -> str:
        ratio = self.seconds / self.reference
        shown = f"{ratio:.2f} x" if ratio > 0.5 else f"1 / {1 / ratio:.1f}"
        return (
            f"| {self.what} | {self.seconds:.1f} s | {self.against}: {self.reference:.1f} s | {shown} | {self.target} |"
        )


@dataclass
class Run:
    """One command: when each stream was complete, from its first message on, and the bytes of pages it received."""

    seconds: float = 0.0
    complete: dict[str, float] = field(default_factory=dict)
    received: int = 0
    rows: int = 0


class Org:
    """A simulated org in a process of its own."""

    def __init__(self, ready: Mapping[str, Any]) -> None:
        self._ready = ready
        self._directory = Path(tempfile.mkdtemp(prefix="overlap-"))

    def config(self, **overlay: Any) -> dict[str, Any]:
        """The connector's configuration for this org."""
        return {
            "credentials": self._ready["credentials"]["refresh_token"],
            "login_url": self._ready["url"],
            **overlay,
        }

    def control(self, method: str, **arguments: Any) -> Any:
        """Call the control API."""
        answer = requests.post(f"{self._ready['control_url']}/{method}", json=arguments, timeout=600)
        answer.raise_for_status()
        return answer.json()["result"]

    def run(self, command: str, *arguments: str, until: Callable[[Run], bool] = lambda _: False, **config: Any) -> Run:
        """Run one protocol command to its end, or until enough was seen."""
        path = self.file("config.json", self.config(**config))
        run, began = Run(), 0.0
        arguments = (command, "--config", str(path), *arguments)
        with subprocess.Popen([CONNECTOR, *arguments], stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                began = began or time.monotonic()
                _note(run, line, time.monotonic() - began)
                if until(run):
                    process.kill()
                    break
        run.seconds = time.monotonic() - began
        if process.returncode not in (0, -9):
            raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
        return run

    def read(self, names: Sequence[str], until: Callable[[Run], bool] = lambda _: False, **config: Any) -> Run:
        """Read objects in full."""
        streams = [
            {
                "stream": {"name": name, "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
                "sync_mode": "full_refresh",
                "destination_sync_mode": "append",
            }
            for name in names
        ]
        catalog = self.file("catalog.json", {"streams": streams})
        return self.run("read", "--catalog", str(catalog), until=until, **config)

    def warm(self, names: Sequence[str], **config: Any) -> None:
        """Let the org render what the connector will ask for, so that the connector is measured and not the org."""
        self.read(names, **config)
        for name in names:
            job = self.control("jobs", object=name)[-1]
            self.control("warm", query=job["query"], operation=job["operation"])

    def file(self, name: str, content: object) -> Path:
        """Write a JSON file."""
        path = self._directory / name
        path.write_text(json.dumps(content), encoding="utf-8")
        return path


def _note(run: Run, line: str, at: float) -> None:
    if line.startswith('{"type":"RECORD"'):
        run.rows += 1
    elif '"COMPLETE"' in line:
        status = json.loads(line)["trace"]["stream_status"]
        run.complete[status["stream_descriptor"]["name"]] = at
    elif found := _BYTES.search(line):
        run.received += int(found[1])


@contextmanager
def simulated_org(*options: str) -> Iterator[Org]:
    """An org on a free loopback port."""
    command = [sys.executable, "-m", "integration_tests.simulated_org", "--port", "0", "--exit-with-parent", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Org(json.loads(process.stdout.readline() if process.stdout else ""))
        finally:
            process.terminate()


def loaded_objects(org: Org, count: int, rows: int) -> list[str]:
    """Make objects of ``rows`` rows."""
    names = [f"Load{number:02d}__c" for number in range(1, count + 1)]
    for number, name in enumerate(names, 1):
        fields = "Amount__c currency(12,2)\nCity__c string(40)\nDay__c date\nOpen__c boolean"
        org.control("add_object", name=name, fields=fields, prefix=f"aL{number % 10}", rows=rows)
    return names


def jobs(rows: int) -> Iterator[Line]:
    """Ten objects whose jobs take three seconds each."""
    with simulated_org() as org:
        names = loaded_objects(org, 10, rows)
        org.warm(names)
        transfer = org.read(names).seconds
        org.control("configure", latency=LATENCY)
        longest = max(org.read([name]).seconds for name in names[:3])
        together = org.read(names).seconds
    reference = max(longest, transfer)
    yield Line(
        f"10 objects of {rows:,} rows, {LATENCY:.0f} s a job",
        together,
        "one object, or all without latency",
        reference,
        "<= 1.3 x",
    )


def pages(rows: int) -> Iterator[Line]:
    """One large object from an org that gives each connection so many megabytes a second.

    At five the connector's own work may take longer than the transfer; at half of one, only the network counts.
    """
    with simulated_org("--bench-rows", str(rows)) as org:
        org.warm(["Bench__c"])
        for bandwidth in (None, *BANDWIDTHS):
            org.control("configure", bandwidth=bandwidth)
            run = org.read(["Bench__c"])
            what = f"1 object of {rows:,} rows, {run.received / 1e6:.0f} MB gzipped"
            if bandwidth is None:
                yield Line(f"{what}, at full speed", run.seconds, "itself", run.seconds, "-")
                continue
            alone = run.received / bandwidth
            yield Line(
                f"{what}, {bandwidth / 1e6:.1f} MB/s a connection", run.seconds, "one connection", alone, "<= 1 / 3.5"
            )


def discover(_: int) -> Iterator[Line]:
    """An org of 1,500 objects whose describes take a tenth of a second."""
    with simulated_org("--objects", "1500", "--describe-seconds", str(DESCRIBE_SECONDS)) as org:
        seconds = org.run("discover", objects=["Extra*"]).seconds
    yield Line("discover 1,500 objects, 0.1 s a describe", seconds, "one after another", 150.0, "seconds")


def stuck(_: int) -> Iterator[Line]:
    """One job among ten that never ends."""
    names = [f"Extra{number:04d}__c" for number in range(1, 11)]
    with simulated_org("--objects", "10", "--latency", str(LATENCY)) as org:
        healthy = org.read(names[1:])
        org.control("fault", kind="job_stuck", object=names[0], times=None)
        others = org.read(names, until=lambda run: len(run.complete) == len(names) - 1)
    last, reference = max(others.complete.values()), max(healthy.complete.values())
    yield Line("9 objects beside 1 stuck job: the last is complete", last, "without it", reference, "1.0 x")


SCENARIOS: Mapping[str, tuple[Callable[[int], Iterator[Line]], int]] = {
    "jobs": (jobs, 50_000),
    "pages": (pages, 1_000_000),
    "discover": (discover, 0),
    "stuck": (stuck, 0),
}


def main() -> int:
    """Run the scenarios asked for, or all, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], metavar="|".join(SCENARIOS))
    parser.add_argument("--rows", type=int, help="rows of an object, instead of the scenario's own number")
    options = parser.parse_args()
    processors, version = len(os.sched_getaffinity(0)), platform.python_version()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {processors} processors, Python {version}\n")
    print("| scenario | connector | held against | ratio | target |\n| --- | --- | --- | --- | --- |")
    for name in options.scenarios or SCENARIOS:
        scenario, rows = SCENARIOS[name]
        for line in scenario(options.rows or rows):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
