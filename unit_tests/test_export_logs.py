from __future__ import annotations

import io
import json
import logging

import pytest
from rich.console import Console

from source_salesforce_bulk.export.logs import ConsoleHandler, JsonLog, Sentences, set_up_logging
from source_salesforce_bulk.salesforce.secret_mask import SecretMask


def record(message: str, *args, level: int = logging.INFO, **facts) -> logging.LogRecord:
    made = logging.LogRecord("salesforce_bulk.export", level, __file__, 1, message, args, None)
    for name, value in facts.items():
        setattr(made, name, value)
    return made


def test_a_line_is_json_with_the_facts_of_its_event():
    line = JsonLog("r1", str).format(record("page of %d rows", 5, object="Account", job_id="750A", batch_id="loc"))
    said = json.loads(line)
    assert "\n" not in line
    assert said.pop("time").endswith("+00:00")
    assert said == {
        "level": "INFO",
        "logger": "salesforce_bulk.export",
        "message": "page of 5 rows",
        "run_id": "r1",
        "object": "Account",
        "jobId": "750A",
        "batchId": "loc",
    }


def test_what_is_not_known_is_left_out():
    assert "jobId" not in json.loads(JsonLog("r1", str).format(record("hello", job_id=None)))


@pytest.mark.parametrize("formatter", [lambda redact: JsonLog("r1", redact), Sentences])
def test_no_line_holds_a_secret(formatter):
    line = formatter(SecretMask("s3cr3t/").redact).format(record("token s3cr3t/ sent as %s", "s3cr3t%2F"))
    assert "s3cr3t" not in line
    assert "token **** sent as ****" in line


def test_a_person_reads_time_and_sentence():
    assert Sentences(str).format(record("All is well."))[8:] == " All is well."
    assert Sentences(str).format(record("Look.", level=logging.WARNING))[8:] == " warning: Look."


def test_everything_goes_to_the_one_handler():
    out = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        set_up_logging(ConsoleHandler(Console(file=out, width=20)), Sentences(str))
        logging.getLogger("salesforce_bulk.x").info("a sentence longer than the console is wide [not markup]")
        logging.getLogger("botocore.x").info("chatter")
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:] = before
        root.setLevel(level)
    assert out.getvalue()[8:] == " a sentence longer than the console is wide [not markup]\n"
