from __future__ import annotations

import json
import logging

import pytest

from source_salesforce_bulk.export.logs import JsonLog, LogOptions, Sentences, StderrHandler, set_up_logging
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


@pytest.mark.parametrize("formatter", [lambda redact: JsonLog("r1", redact), Sentences])
@pytest.mark.parametrize("text", ["\x1b[2J", "\x9b31m", "\ud800", "\r", "\u202e"])
def test_no_line_moves_a_terminal_or_cannot_be_written(formatter, text):
    line = formatter(str).format(record("the label is %s", text))
    assert text not in line
    assert line.isprintable()
    assert "the label is " in line


def test_a_message_may_have_several_lines():
    assert json.loads(JsonLog("r1", str).format(record("one\ntwo")))["message"] == "one\ntwo"


def test_a_person_reads_time_and_sentence():
    assert Sentences(str).format(record("All is well."))[8:] == " All is well."
    assert Sentences(str).format(record("Look.", level=logging.WARNING))[8:] == " warning: Look."


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (LogOptions(), ["info", "warning"]),
        (LogOptions(verbose=True), ["debug", "info", "warning"]),
        (LogOptions(quiet=True), ["warning"]),
    ],
)
def test_everything_goes_to_the_one_handler_from_the_level_on_that_is_wanted(options, shown, capsys):
    set_up_logging(StderrHandler(), Sentences(str), options.level)
    ours = logging.getLogger("salesforce_bulk.x")
    ours.debug("debug")
    ours.info("info")
    ours.warning("warning")
    logging.getLogger("botocore.x").info("chatter")
    assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == shown


def test_numbers_of_an_event_are_fields_of_its_line():
    said = json.loads(JsonLog("r1", str).format(record("half", event="progress", facts={"rows": 5, "level": "no"})))
    assert (said["event"], said["rows"], said["level"]) == ("progress", 5, "INFO")
