"""A trial of Airbyte's socket channel: the same read over stdout, and over one and more Unix sockets.

    python -m benchmarks.sockets [--rows N] [--rounds N] [--sockets N ...]

The destination is a stand-in that only counts, so the source is what is measured. In each round every way is taken
once, and medians are shown. ``integration_tests/test_socket_trial.py`` shows that no row is lost or repeated.
"""

from __future__ import annotations

import argparse
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock, Thread

from benchmarks import contenders
from benchmarks.bench_org import bench_org
from benchmarks.contenders import Job
from benchmarks.measure import measure

SOURCE = [sys.executable, "-m", "benchmarks.socket_source"]
_RECORD = b'{"type":"RECORD"'
_BLOCK = 1 << 20


class Destination:
    """A stand-in for a destination: it connects to every socket. With ``keep``, ``lines`` has all that came."""

    def __init__(self, paths: Sequence[str], *, keep: bool = False) -> None:
        self.records = 0
        self.first = self.last = 0.0
        self.lines: list[bytes] = []
        self._keep = keep
        self._lock = Lock()
        self._threads = [Thread(target=self._receive, args=(path,)) for path in paths]

    def start(self, source: subprocess.Popen[bytes]) -> None:
        """Connect as soon as the source listens."""
        self._source = source
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Come back when the source has closed every socket."""
        for thread in self._threads:
            thread.join()

    def _connect(self, path: str) -> socket.socket:
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(path)
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
                if self._source.poll() is not None:
                    raise
                time.sleep(0.01)
            else:
                return connection

    def _receive(self, path: str) -> None:
        rest = b""
        with self._connect(path) as connection:
            while block := connection.recv(_BLOCK):
                whole, _, rest = (rest + block).rpartition(b"\n")
                self._take(whole + b"\n" if whole else b"")

    def _take(self, lines: bytes) -> None:
        found = lines.count(_RECORD)
        with self._lock:
            if found:
                self.last = time.monotonic()
                self.first = self.first or self.last
                self.records += found
            if self._keep:
                self.lines += lines.splitlines()


@dataclass(frozen=True, slots=True)
class Trial:
    """One read: whole seconds, seconds from the first record to the last, and seconds of processor time."""

    records: int
    seconds: float
    between: float
    cpu: float


def over_stdout(command: Sequence[str], log: Path) -> Trial:
    """Read as it is done today."""
    run = measure(command, log)
    return Trial(run.records, run.seconds, run.last_record - run.first_record, run.cpu)


def over_sockets(arguments: Sequence[str], number: int, log: Path) -> Trial:
    """Read over so many sockets."""
    with tempfile.TemporaryDirectory(prefix="sockets-") as folder, log.open("wb") as errors:
        paths = socket_paths(folder, number)
        destination = Destination(paths)
        began = time.monotonic()
        source = subprocess.Popen(
            [*SOURCE, *arguments], env=environment(paths), stdout=subprocess.DEVNULL, stderr=errors
        )
        destination.start(source)
        destination.wait()
        _, status, usage = os.wait4(source.pid, 0)
        source.returncode = os.waitstatus_to_exitcode(status)
        if source.returncode:
            raise RuntimeError(f"the source ended with {source.returncode}: {log}")
        between = destination.last - destination.first
        return Trial(destination.records, time.monotonic() - began, between, usage.ru_utime + usage.ru_stime)


def socket_paths(folder: str, number: int) -> list[str]:
    """Return the paths of sockets in a folder."""
    return [f"{folder}/airbyte_socket_{at}.sock" for at in range(1, number + 1)]


def environment(paths: Sequence[str]) -> Mapping[str, str]:
    """Return the environment that the platform gives a source in socket mode."""
    channel = {"DATA_CHANNEL_MEDIUM": "SOCKET", "DATA_CHANNEL_FORMAT": "JSONL"}
    return {**os.environ, **channel, "DATA_CHANNEL_SOCKET_PATHS": ",".join(paths)}


def main() -> int:
    """Measure and print the table; 0 when every read was whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sockets", type=int, nargs="+", default=(1, 2, 4))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sockets-") as name, bench_org(options.rows) as org:
        folder = Path(name)
        job = Job(org, "full_refresh", "", "", folder)
        command = contenders.connector(job)
        measure(command, folder / "warm-up.log")
        org.warm(org.queries_since(0))
        trials: dict[str, list[Trial]] = {}
        for _ in range(options.rounds):
            trials.setdefault("stdout", []).append(over_stdout(command, folder / "stdout.log"))
            for number in options.sockets:
                trial = over_sockets(command[1:], number, folder / f"{number}.log")
                trials.setdefault(f"{number} socket{'s' * (number > 1)}", []).append(trial)
    if {trial.records for one in trials.values() for trial in one} != {options.rows}:
        raise RuntimeError("a read was not whole")
    print(heading(options))
    print("\n".join(table(trials)))
    return 0


def heading(options: argparse.Namespace) -> str:
    """When, where, and the command that was run."""
    processors, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {processors} cores, load {load:.1f} at the end\n\n"
        f"`python -m benchmarks.sockets --rows {options.rows} --rounds {options.rounds}`\n"
    )


def table(trials: Mapping[str, Sequence[Trial]]) -> list[str]:
    """The medians in Markdown."""
    lines = [
        "| over | seconds | records/s between first and last | CPU s per million |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, runs in trials.items():
        seconds = statistics.median(run.seconds for run in runs)
        rate = statistics.median(run.records / run.between for run in runs)
        cpu = statistics.median(run.cpu / run.records for run in runs) * 1e6
        lines.append(f"| {name} | {seconds:.1f} | {rate:,.0f} | {cpu:.1f} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
