"""The ledger of a run: its events, written as they happen, one JSON object per line. Reports are made from it.

If the state is a folder, the ledger is ``<state>/ledger/<run id>.jsonl``, else ``_ledger/<run id>.jsonl`` below the
destination. Later attempts of a run are appended. It contains no row values and no secrets.

Every log record with an ``event``, and every warning, becomes an entry, so no event has to be reported separately.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from source_salesforce_bulk.export.destination import LEDGERS, Destination
from source_salesforce_bulk.export.logs import redacted

LOGGER = logging.getLogger("salesforce_bulk.export")

FOLDER = "ledger"
_FACTS = {"object": "object", "job_id": "job", "batch_id": "batch", "drift": "drift"}


def ledger_entry(record: logging.LogRecord) -> dict[str, Any] | None:
    """Return the ledger entry of a log record; None if the record does not belong in the ledger."""
    event = getattr(record, "event", None)
    if event is None and record.levelno < logging.WARNING:
        return None
    entry: dict[str, Any] = {
        "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "event": event or record.levelname.lower(),
    }
    entry |= {name: value for key, name in _FACTS.items() if (value := getattr(record, key, None)) is not None}
    if record.levelno >= logging.WARNING:
        entry["message"] = record.getMessage()
    return {**getattr(record, "facts", {}), **entry}


class LedgerHandler(logging.Handler):
    """Append entries to a file. If that fails, log one warning and continue without a ledger."""

    def __init__(self, path: Path, redact: Callable[[str], str]) -> None:
        super().__init__(logging.DEBUG)
        self._redact = redact
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        self._broken = False

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``."""
        if self._broken:
            return
        entry = ledger_entry(record)
        if entry is None:
            return
        try:
            self._file.write(json.dumps(redacted(entry, self._redact), default=str) + "\n")
            self._file.flush()
        except (OSError, ValueError) as error:
            self._broken = True
            LOGGER.warning(
                "The run's ledger cannot be written (%s); the report will lack entries", type(error).__name__
            )

    def close(self) -> None:
        """See ``logging.Handler``."""
        with suppress(OSError):
            self._file.close()
        super().close()


@contextmanager
def kept_in_folder(state: Path, run_id: str, redact: Callable[[str], str]) -> Iterator[Path]:
    """Write the ledger of a run to the folder of its state; yields the file's path."""
    path = state / FOLDER / f"{run_id}.jsonl"
    with _handling(path, redact):
        yield path


@contextmanager
def kept_at_destination(destination: Destination, run_id: str, redact: Callable[[str], str]) -> Iterator[str]:
    """Write the ledger of a run, and move it to the destination at the end of the run; yields its path there."""
    place = f"{LEDGERS}/{run_id}.jsonl"
    with tempfile.TemporaryDirectory(prefix="salesforce-bulk-") as folder:
        path = Path(folder) / "ledger.jsonl"
        try:
            with _handling(path, redact):
                yield place
        finally:
            try:
                earlier = destination.read(place)
                path.write_bytes((earlier or b"") + path.read_bytes())
                destination.put(path, place)
            except Exception as error:  # noqa: BLE001 - the run has already ended
                LOGGER.warning("The run's ledger was not saved (%s)", type(error).__name__)


@contextmanager
def _handling(path: Path, redact: Callable[[str], str]) -> Iterator[None]:
    try:
        handler = LedgerHandler(path, redact)
    except OSError as error:
        LOGGER.warning("The run's ledger cannot be written to %s (%s)", path.parent, type(error).__name__)
        yield
        return
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
