"""A process that encodes pages: one job per line on stdin, one answer per line on stdout, until stdin ends.

Python runs one thread at a time, so a second core only helps in a second process. This one imports nothing but what
encoding needs: it starts in a tenth of a second and takes some 15 MB.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from source_salesforce_bulk.pages.csv_page import PageRejected, PageShape, PageTooLarge
from source_salesforce_bulk.pages.encoded_page import EncodedPage, LineBlock
from source_salesforce_bulk.pages.record_lines import LineEncoder
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.pages.spool import encode_file
from source_salesforce_bulk.salesforce.field_types import CellKind


@dataclass(frozen=True, slots=True)
class EncodingJob:
    """A page's file to be made into ``lines``; ``columns`` are names and kinds."""

    page: str
    gzipped: bool
    lines: str
    emitted_at: int
    stream: str
    columns: tuple[tuple[str, str], ...]

    def to_line(self) -> bytes:
        """Return the job as the worker reads it."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> EncodingJob:
        """Return a job as it was sent."""
        payload = json.loads(line)
        return cls(**{**payload, "columns": tuple(map(tuple, payload["columns"]))})

    def run(self) -> EncodedPage:
        """Do it here; raises ``PageRejected`` and OSError."""
        encoder = _encoder(self.stream, self.columns)
        return encode_file(Path(self.page), self.gzipped, encoder, Path(self.lines), self.emitted_at)


class WorkerDefect(Exception):
    """The worker could not do a job, for a reason that is not the page's. The message names the exception's type."""


def answer_of(job: EncodingJob) -> Mapping[str, Any]:
    """Return the result of a job, as it is sent back.

    Of a defect only the name of its type: a traceback on stderr, or the exception's text, may hold values of rows.
    """
    try:
        return {"page": asdict(job.run())}
    except PageRejected as rejected:
        return {"rejected": str(rejected), "too_large": isinstance(rejected, PageTooLarge)}
    except OSError as error:
        return {"os_error": [error.errno, error.strerror]}
    except Exception as error:  # noqa: BLE001 - the page is encoded by the other process then, which types it
        return {"defect": type(error).__name__}


def page_of(answer: Mapping[str, Any]) -> EncodedPage:
    """Return the page in a result; raises the job's exception, or :class:`WorkerDefect`."""
    if "defect" in answer:
        raise WorkerDefect(answer["defect"])
    if "rejected" in answer:
        raise (PageTooLarge if answer["too_large"] else PageRejected)(answer["rejected"])
    if "os_error" in answer:
        raise OSError(*answer["os_error"])
    page = answer["page"]
    return EncodedPage(
        shape=PageShape(**page["shape"]),
        blocks=tuple(LineBlock(**block) for block in page["blocks"]),
        exact=page["exact"],
        unreadable=page["unreadable"],
    )


def main(jobs: BinaryIO, answers: BinaryIO) -> None:
    """Process jobs until the input ends; raises BrokenPipeError if the output has been closed."""
    for line in jobs:
        answers.write(json.dumps(answer_of(EncodingJob.from_line(line))).encode() + b"\n")
        answers.flush()


@lru_cache(maxsize=8)
def _encoder(stream: str, columns: tuple[tuple[str, str], ...]) -> LineEncoder:
    return LineEncoder(stream, [Column(name, CellKind(kind)) for name, kind in columns])


if __name__ == "__main__":
    # Ctrl-C at a terminal reaches the whole family; this process ends when its parent closes stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        main(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        # The run has ended without waiting. Nobody is left to be told, also not by the interpreter's last flush.
        os._exit(0)
