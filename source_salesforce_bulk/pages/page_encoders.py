"""Where pages are encoded: in this process, and beside it in a worker process for each further core.

A worker is started when a page large enough to be worth it comes, and lives as long as the run. Should one fail, for
whatever reason, its page and all later ones are encoded here: slower, and just as well.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import LifoQueue
from typing import IO, Any, cast

from source_salesforce_bulk.pages.encoded_page import EncodedPage, PageEncoder
from source_salesforce_bulk.pages.encoding_worker import EncodingJob, WorkerDefect, page_of
from source_salesforce_bulk.pages.record_lines import LineEncoder
from source_salesforce_bulk.pages.spool import encode_file
from source_salesforce_bulk.salesforce.clock import Stopped

LOGGER = logging.getLogger("salesforce_bulk.pages")

MOST_WORKERS = 4
"""More of them would wait for the download."""
WORTH_A_WORKER = 1 << 18
"""Bytes of a page as received; a smaller one is encoded before a worker has started."""

_CGROUP_CPU = Path("/sys/fs/cgroup/cpu.max")


class PageEncoders:
    """Encodes pages for any number of threads: one at a time here, and one in each of ``workers`` processes.

    Its :meth:`encode` is an ``EncodeFile``.
    """

    def __init__(self, workers: int, worth_a_worker: int = WORTH_A_WORKER) -> None:
        self._worth_a_worker = worth_a_worker
        self._workers = [_Worker() for _ in range(workers)]
        # One thread encodes here. Two at once in one process would only push each other's cells out of the processor's
        # cache, and each thread that ever encoded keeps the memory of its largest block (glibc's arenas).
        self._here = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._places: LifoQueue[_Worker | None] = LifoQueue()  # None: here, when no worker is free
        for place in (None, *self._workers):
            self._places.put(place)
        self._broken = False
        self._closed = False

    def encode(self, page: Path, gzipped: bool, encoder: PageEncoder, lines: Path, emitted_at: int, /) -> EncodedPage:
        """See ``page_files.encode_file``; raises ``Stopped`` once this is closed."""
        here = partial(self._encode_here, page, gzipped, encoder, lines, emitted_at)
        if self._broken or not isinstance(encoder, LineEncoder) or page.stat().st_size < self._worth_a_worker:
            return here()
        place = self._places.get()
        try:
            if place is None:
                return here()
            columns = tuple((column.name, column.kind.value) for column in encoder.columns)
            job = EncodingJob(str(page), gzipped, str(lines), emitted_at, encoder.stream, columns)
            made = self._asked(place, job)
            return here() if made is None else made
        finally:
            self._places.put(place)

    def close(self) -> None:
        """End the workers, whatever they are doing."""
        self._closed = True
        self._here.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.kill()

    def _encode_here(
        self, page: Path, gzipped: bool, encoder: PageEncoder, lines: Path, emitted_at: int
    ) -> EncodedPage:
        try:
            return self._here.submit(encode_file, page, gzipped, encoder, lines, emitted_at).result()
        except (RuntimeError, CancelledError):
            self._refuse_when_closed()
            raise

    def _asked(self, worker: _Worker, job: EncodingJob) -> EncodedPage | None:
        """Return a worker's result for a page; None if it has failed, after which no worker is used.

        Raises what is wrong with the page or the disk.
        """
        self._refuse_when_closed()
        try:
            answer = worker.ask(job.to_line())
        except (OSError, ValueError) as error:
            self._refuse_when_closed()
            self._give_up(worker, error)
            return None
        try:
            return page_of(answer)
        except WorkerDefect as defect:
            self._give_up(worker, defect)
            return None

    def _give_up(self, worker: _Worker, error: Exception) -> None:
        self._broken = True
        worker.kill()
        LOGGER.warning("A process that encodes pages failed (%s); pages are encoded in this process.", error)

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise Stopped("the run is being stopped")


class _Worker:
    """A worker process, started when it is first asked. Used by one thread at a time; killed by any."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, job: bytes) -> Mapping[str, Any]:
        """Return the result of a job; raises OSError or ValueError if there is none."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "source_salesforce_bulk.pages.encoding_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(job)
        stdin.flush()
        answer: Mapping[str, Any] = json.loads(stdout.readline())
        return answer

    def kill(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(OSError):
                    cast(IO[bytes], pipe).close()
            self._process.wait()


def usable_cores(quota: Path = _CGROUP_CPU) -> int:
    """Return how many cores this process may use at once: those it is bound to, within its container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        allowed, period = quota.read_text().split()
        cores = min(cores, max(1, int(allowed) // int(period)))
    return cores


def workers_for(cores: int) -> int:
    """Return how many workers pay on a machine of ``cores``, one of which this process needs itself."""
    return min(cores - 1, MOST_WORKERS)
