from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from source_salesforce_bulk.config import ConfigError
from source_salesforce_bulk.runners.outcomes import ExitCode, ExportFailed
from source_salesforce_bulk.runners.places import UnknownPlace
from source_salesforce_bulk.runners.session import Session, new_run_id
from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.failures import Consequence, Failure, Kind, SalesforceError
from source_salesforce_bulk.signals import Stop


def raising(error: Exception):
    def work() -> int:
        raise error

    return work


@pytest.fixture
def session() -> Session:
    return Session(Stop(), "run-1")


def test_run_ids_sort_by_time_and_differ():
    moment = datetime(2026, 11, 25, 9, 0, tzinfo=timezone(timedelta(hours=1)))
    first, second = new_run_id(moment), new_run_id(moment)
    assert re.fullmatch(r"20261125T080000Z-[0-9a-f]{6}", first)
    assert first != second
    assert first < new_run_id(datetime(2026, 11, 25, 8, 0, 1, tzinfo=UTC))


def test_a_command_that_succeeds_ends_with_its_own_code(session):
    assert session.ended(lambda: ExitCode.SOME_FAILED) == 3


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ExportFailed(Consequence.CONFIG, "Mend it."), ExitCode.USAGE, "Mend it."),
        (ExportFailed(Consequence.TRANSIENT, "Come again."), ExitCode.RUN_AGAIN, "Come again."),
        (ConfigError("page_size", "is no number", "Write one"), ExitCode.USAGE, "page_size"),
        (UnknownPlace("x is no destination"), ExitCode.USAGE, "x is no destination"),
        (SalesforceError(Failure.of(Kind.CREDENTIALS_REFUSED)), ExitCode.USAGE, "client_secret"),
        (SalesforceError(Failure.of(Kind.UNAVAILABLE)), ExitCode.RUN_AGAIN, "run the sync again"),
        (OSError(28, "No space left on device"), ExitCode.RUN_AGAIN, "no space is left"),
        (KeyError("value of a row"), ExitCode.OUR_FAULT, "please report it"),
    ],
)
def test_every_failure_is_one_sentence_and_an_exit_code(session, caplog, error, code, says):
    assert session.ended(raising(error)) == code
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert says in record.getMessage()
    assert "value of a row" not in record.getMessage()


def test_a_signal_decides_the_exit_code_and_is_no_failure(session, caplog):
    session.stop.signal = 15
    assert session.ended(raising(Stopped("the run is being stopped"))) == 143
    assert session.ended(raising(ValueError("torn"))) == 143
    assert caplog.records == []
