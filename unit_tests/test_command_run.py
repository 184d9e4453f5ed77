from __future__ import annotations

import io
import json
import logging
import re
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import quote_plus

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from source_salesforce_bulk.config import ConfigError
from source_salesforce_bulk.export.command_run import CommandRun, new_run_id
from source_salesforce_bulk.export.logs import JsonLog
from source_salesforce_bulk.export.outcomes import ExitCode, ExportFailed
from source_salesforce_bulk.export.places import UnknownPlace
from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.failures import Consequence, Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.oauth import list_secrets
from source_salesforce_bulk.signals import Stop

PEM = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    .decode()
)


def raising(error: Exception):
    def work() -> int:
        raise error

    return work


@pytest.fixture
def command_run() -> CommandRun:
    return CommandRun(Stop(), "run-1")


def test_run_ids_sort_by_time_and_differ():
    moment = datetime(2026, 11, 25, 9, 0, tzinfo=timezone(timedelta(hours=1)))
    first, second = new_run_id(moment), new_run_id(moment)
    assert re.fullmatch(r"20261125T080000Z-[0-9a-f]{6}", first)
    assert first != second
    assert first < new_run_id(datetime(2026, 11, 25, 8, 0, 1, tzinfo=UTC))


def test_a_command_that_succeeds_ends_with_its_own_code(command_run):
    assert command_run.ended(lambda: ExitCode.SOME_FAILED) == 3


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ExportFailed(Consequence.CONFIG, "Mend it."), ExitCode.USAGE, "Mend it."),
        (ExportFailed(Consequence.TRANSIENT, "Come again."), ExitCode.RUN_AGAIN, "Come again."),
        (ConfigError("page_size", "is no number", "Write one"), ExitCode.USAGE, "page_size"),
        (UnknownPlace("x is no destination"), ExitCode.USAGE, "x is no destination"),
        (SalesforceError(Failure.of(Kind.CREDENTIALS_REFUSED)), ExitCode.USAGE, "client_secret"),
        (SalesforceError(Failure.of(Kind.UNAVAILABLE)), ExitCode.RUN_AGAIN, "run the same command again"),
        (OSError(28, "No space left on device"), ExitCode.RUN_AGAIN, "no space is left"),
        (KeyError("value of a row"), ExitCode.OUR_FAULT, "please report it"),
    ],
)
def test_every_failure_is_one_sentence_and_an_exit_code(command_run, caplog, error, code, says):
    assert command_run.ended(raising(error)) == code
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert says in record.getMessage()
    assert "value of a row" not in record.getMessage()


# Secrets


FLOWS = {
    "refresh_token": {"client_id": "id", "client_secret": "app/s3cret", "refresh_token": "grant/0"},
    "client_credentials": {"client_id": "id", "client_secret": "app/s3cret"},
    "jwt_bearer": {"client_id": "id", "username": "u@acme.com", "private_key": PEM},
}


@pytest.mark.parametrize("flow", FLOWS)
def test_the_configurations_own_secrets_are_masked_in_the_logs_however_they_are_spelled(flow, tmp_path):
    path = tmp_path / "config.json"
    raw = {"credentials": {"auth_type": flow, **FLOWS[flow]}, "login_url": "https://acme.my.salesforce.com"}
    path.write_text(json.dumps(raw), encoding="utf-8")
    command_run, out = CommandRun(Stop(), "run-1"), io.StringIO()
    with command_run.connect(str(path), []) as connection:
        secrets = list_secrets(connection.config.credentials)
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonLog("run-1", command_run.mask.redact))
    for secret in secrets:
        for text in (secret, quote_plus(secret), json.dumps(secret)):
            handler.emit(logging.LogRecord("x", logging.INFO, __file__, 1, "it said: %s", (text,), None))
    said = [json.loads(line)["message"].removeprefix("it said: ") for line in out.getvalue().splitlines()]
    assert said == ["****", "****", '"****"'] * len(secrets)


def test_a_temporary_folder_that_cannot_be_used_ends_the_run_before_anything(command_run, monkeypatch, caplog):
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    assert command_run.ended(lambda: command_run.connect("env:NOT_SET", [])) == ExitCode.USAGE
    assert "TMPDIR, which is /nonexistent" in caplog.text


def test_a_signal_decides_the_exit_code_and_is_no_failure(command_run, caplog):
    command_run.stop.signal = 15
    assert command_run.ended(raising(Stopped("the run is being stopped"))) == 143
    assert command_run.ended(raising(ValueError("torn"))) == 143
    assert caplog.records == []
