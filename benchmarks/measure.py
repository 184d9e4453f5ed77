"""One process, measured from outside: its records, its seconds, and what its whole family of processes cost."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_RECORD = b'{"type":"RECORD"'
_PIPE = 1 << 20
_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLE_EVERY = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class Run:
    """One run. Times are in seconds since the process was started, ``peak_rss`` and ``written`` in bytes."""

    records: int
    seconds: float
    first_record: float
    last_record: float
    cpu: float
    peak_rss: int
    written: int
    exit_code: int

    @property
    def rate(self) -> float:
        """Records per second of the whole run, from the start of the process to its end."""
        return self.records / self.seconds

    @property
    def steady_rate(self) -> float:
        """Records per second between the first and the last record: without start-up, job and clean-up."""
        return self.records / max(self.last_record - self.first_record, 1e-9)


class Family:
    """A process and its descendants: their memory together at its peak, and the processor time of all of them."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._cpu: dict[int, float] = {}
        self.peak_rss = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def cpu(self) -> float:
        """Seconds, of every process that was ever seen."""
        return sum(self._cpu.values())

    def finish(self) -> None:
        """Look a last time."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_SAMPLE_EVERY):
            self._look()

    def _look(self) -> None:
        rss = 0
        for pid, parent in _family(self._pid):
            with contextlib.suppress(OSError, IndexError, ValueError):
                if parent and _command(pid) == _command(parent):
                    continue  # between fork and exec a process still is its parent's memory
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                self._cpu[pid] = (int(fields[11]) + int(fields[12])) / _TICKS
                rss += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
        self.peak_rss = max(self.peak_rss, rss)


def _family(pid: int, parent: int = 0) -> list[tuple[int, int]]:
    """A process and its descendants, each with its parent."""
    found = [(pid, parent)]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _family(int(child), pid)
    return found


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@dataclass(slots=True)
class _Count:
    records: int = 0
    written: int = 0
    first: float = 0.0
    last: float = 0.0
    rest: bytes = b""
    began: float = field(default_factory=time.monotonic)

    def take(self, chunk: bytes) -> None:
        self.written += len(chunk)
        text = self.rest + chunk
        found = text.count(_RECORD)
        self.rest = text[1 - len(_RECORD) :]
        if found:
            self.last = time.monotonic() - self.began
            self.first = self.first or self.last
            self.records += found


def measure(command: Sequence[str | os.PathLike[str]], log: Path) -> Run:
    """Run a command, its stdout into a pipe that counts RECORD lines, its stderr into ``log``."""
    count = _Count()
    with log.open("wb") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr)
        family = Family(process.pid)
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE)
        while chunk := os.read(descriptor, _PIPE):
            count.take(chunk)
        family.finish()
        exit_code = process.wait()
    seconds = time.monotonic() - count.began
    return Run(
        records=count.records,
        seconds=seconds,
        first_record=count.first,
        last_record=count.last,
        cpu=family.cpu,
        peak_rss=family.peak_rss,
        written=count.written,
        exit_code=exit_code,
    )
