"""Log lines on stderr: one JSON object per event for machines, or plain sentences for a terminal."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from rich.console import Console

# Attributes that our own log calls attach, by the name that they have in a line.
_FACTS = {
    "run_id": "run_id",
    "object": "object",
    "job_id": "jobId",
    "batch_id": "batchId",
    "event": "event",
    "drift": "drift",
}
# Their informational lines are not about the export.
_QUIET = ("boto3", "botocore", "py4j", "s3transfer", "urllib3")


class ConsoleHandler(logging.Handler):
    """Log lines above the live display of a terminal."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """See the class."""
        self._console.print(self.format(record), markup=False, highlight=False, soft_wrap=True)


class JsonLog(logging.Formatter):
    """A record as one line of JSON: time, level, message, and the facts that it carries."""

    def __init__(self, run_id: str, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._run_id = run_id
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """See the class."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._redact(record.getMessage()),
            "run_id": self._run_id,
        }
        for attribute, name in _FACTS.items():
            if (value := getattr(record, attribute, None)) is not None:
                line[name] = value
        return json.dumps(line, ensure_ascii=False, default=str)


class Sentences(logging.Formatter):
    """A record as a person reads it: the time, the level where it is none of the usual, the sentence."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """See the class."""
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        return (
            f"{datetime.fromtimestamp(record.created).astimezone():%H:%M:%S} {level}{self._redact(record.getMessage())}"
        )


def set_up_logging(handler: logging.Handler, formatter: logging.Formatter) -> None:
    """Let everything that the package logs go to ``handler`` alone."""
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
