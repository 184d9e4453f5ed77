"""Log lines on stderr: one JSON object per event for machines, or plain sentences for a terminal."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from source_salesforce_bulk.salesforce.wire import printable

# Attributes that our log calls attach, and their names in a log line.
_FACTS = {
    "run_id": "run_id",
    "object": "object",
    "job_id": "jobId",
    "batch_id": "batchId",
    "event": "event",
    "drift": "drift",
}
_OURS = "salesforce_bulk"
# Their informational lines are not about the export.
_QUIET = ("boto3", "botocore", "py4j", "s3transfer", "urllib3")


@dataclass(frozen=True, slots=True)
class LogOptions:
    """The user's log options. ``log_format``: text, json, or None to choose by the kind of stderr."""

    log_format: str | None = None
    verbose: bool = False
    quiet: bool = False

    @property
    def level(self) -> int:
        """The lowest level that is logged."""
        if self.quiet:
            return logging.WARNING
        return logging.DEBUG if self.verbose else logging.INFO


class StderrHandler(logging.Handler):
    """Write lines to stderr, above a live display if there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.write: Callable[[str], object] = _to_stderr

    def emit(self, record: logging.LogRecord) -> None:
        """See the class. If stderr cannot be written, the line is dropped, because there is nowhere to report it."""
        try:
            self.write(self.format(record))
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """Do nothing."""


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _shown(message: str) -> str:
    """Return the message with printable characters only, because parts of it may come from an org."""
    return "\n".join(map(printable, message.split("\n")))


class JsonLog(logging.Formatter):
    """Format a record as one line of JSON: time, level, message, and its facts."""

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
        facts = getattr(record, "facts", {})
        if facts.get("ends"):  # the object's own error says why
            facts = {name: fact for name, fact in facts.items() if name != "why"}
        line = {**redacted(facts, self._redact), **line}
        return printable(json.dumps(line, ensure_ascii=False, default=str))


def redacted(value: Any, redact: Callable[[str], str]) -> Any:
    """Return the facts of a record with secrets masked in every text."""
    match value:
        case str():
            return redact(value)
        case dict():
            return {name: redacted(inner, redact) for name, inner in value.items()}
        case list() | tuple():
            return [redacted(inner, redact) for inner in value]
        case _:
            return value


class Sentences(logging.Formatter):
    """Format a record for a person: time, level (if unusual), message."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """See the class."""
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        time = datetime.fromtimestamp(record.created).astimezone()
        return f"{time:%H:%M:%S} {level}{_shown(self._redact(record.getMessage()))}"


def set_up_logging(handler: logging.Handler, formatter: logging.Formatter, level: int = logging.INFO) -> None:
    """Send all log records to ``handler`` only; those of the package if they have at least ``level``.

    The package's loggers pass on every record, because further handlers may need more than the user wants to see.
    """
    handler.setFormatter(formatter)
    handler.setLevel(level)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger(_OURS).setLevel(logging.DEBUG)
    logging.captureWarnings(capture=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
