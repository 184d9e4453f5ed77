from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from source_salesforce_bulk.export.destination import LocalDestination
from source_salesforce_bulk.export.ledger import kept_at_destination, kept_in_folder, ledger_entry
from source_salesforce_bulk.salesforce.secret_mask import SecretMask

LOG = logging.getLogger("salesforce_bulk.test_ledger")


def record(level: int, message: str, **facts: Any) -> logging.LogRecord:
    made = logging.LogRecord("x", level, __file__, 1, message, (), None)
    for name, value in facts.items():
        setattr(made, name, value)
    return made


def test_events_and_warnings_are_entries_and_nothing_else():
    assert ledger_entry(record(logging.INFO, "chatter")) is None
    page = ledger_entry(record(logging.DEBUG, "page", event="page", object="Account", job_id="750A", facts={"rows": 3}))
    assert page is not None
    assert {name: page[name] for name in ("event", "object", "job", "rows")} == {
        "event": "page",
        "object": "Account",
        "job": "750A",
        "rows": 3,
    }
    assert "message" not in page
    warned = ledger_entry(record(logging.WARNING, "look"))
    assert warned is not None
    assert (warned["event"], warned["message"]) == ("warning", "look")


def entries(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def log(event: str, **facts: Any) -> None:
    LOG.setLevel(logging.DEBUG)
    LOG.debug("something", extra={"event": event, "facts": facts})


def test_a_ledger_lies_in_the_states_folder_and_attempts_are_added(tmp_path: Path):
    for attempt in (1, 2):
        with kept_in_folder(tmp_path, "monday", str):
            log("run_begun", attempt=attempt)
    log("after")
    assert [one["attempt"] for one in entries(tmp_path / "ledger" / "monday.jsonl")] == [1, 2]


def test_without_a_folder_it_arrives_at_the_destination(tmp_path: Path):
    destination = LocalDestination(tmp_path / "out")
    for attempt in (1, 2):
        with kept_at_destination(destination, "monday", str) as place:
            log("run_begun", attempt=attempt)
    assert place == "_ledger/monday.jsonl"
    assert [one["attempt"] for one in entries(tmp_path / "out" / place)] == [1, 2]
    assert destination.newest("_ledger") == "monday"


def test_no_secret_gets_in(tmp_path: Path):
    with kept_in_folder(tmp_path, "monday", SecretMask("s3cr3t").redact):
        log("retry", why="sent with s3cr3t")
        LOG.warning("token s3cr3t refused")
    text = (tmp_path / "ledger" / "monday.jsonl").read_text()
    assert "s3cr3t" not in text
    assert len(text.splitlines()) == 2


def test_a_place_that_takes_no_ledger_is_a_warning_and_the_run_goes_on(tmp_path: Path, caplog):
    (tmp_path / "ledger").write_text("a file where the folder should be")
    with kept_in_folder(tmp_path, "monday", str):
        log("run_begun")
    assert "cannot be written" in caplog.text
