"""No secret and no row value is shown, in good runs and bad ones, at debug level, whatever an org echoes.

The one message that carries a secret by design is the CONTROL message of a rotated refresh token; it goes to stdout
directly and is no log line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

import pytest

from integration_tests.connector import Connector, Output, configure
from integration_tests.fault_trial import FIELDS, PAGE_SIZE, list_secrets, streams, values_of, with_settings
from integration_tests.simulated_org import Fault, SimulatedOrg
from source_salesforce_bulk.extraction.object_read import ObjectRead

JWT = "eyJ"
"""The beginning of every assertion: a JSON object in base64."""

GOOD: list[Fault] = []
TRIALS: dict[str, list[Fault]] = {
    "good": GOOD,
    **{
        f"echo_on_{on}": [Fault(kind="echo_secret", on=on, status=400, error="UNKNOWN_CODE", times=None)]
        for on in ("createJob", "jobInfo", "results", "describe", "limits")
    },
    "echo_on_token": [Fault(kind="echo_secret", on="token", times=None)],
    "echo_on_token_later": [
        Fault(kind="session_ends", on="jobInfo"),
        Fault(kind="echo_secret", on="token", after=1, times=None),
    ],
    "echo_as_500": [Fault(kind="echo_secret", on="createJob", status=500, times=None)],
    "echo_as_503": [Fault(kind="echo_secret", on="jobInfo", status=503, error="SERVER_UNAVAILABLE", times=None)],
    "echo_on_delete": [Fault(kind="echo_secret", on="delete", status=400, times=None)],
    "echo_on_query": [
        Fault(kind="job_failed", message="Retried more than 15 times", times=None),
        Fault(kind="echo_secret", on="queryAll", times=None),
    ],
    "session_expires": [Fault(kind="session_ends", on="results")],
    "no_connection": [Fault(kind="close_before", on="jobInfo", times=None)],
    "answer_lost": [Fault(kind="answer_lost", times=None)],
    "job_fails_with_a_secret": [Fault(kind="job_failed", message="{access_token}", times=None)],
    "damaged_page": [Fault(kind="open_quote", on="results", times=None)],
    "ragged_page": [Fault(kind="ragged_row", on="results", times=None)],
    "not_utf8": [Fault(kind="invalid_utf8", on="results", times=None)],
    "json_in_a_page": [Fault(kind="json_error_page", on="results", times=None)],
    "wrong_total": [Fault(kind="total_wrong", times=None)],
}
FLOWS = ("refresh_token", "client_credentials", "jwt_bearer")


def hidden(org: SimulatedOrg, credentials: Mapping[str, Any]) -> set[str]:
    """Return the texts that must not appear anywhere, also in their form encoding."""
    secrets = {secret for secret in list_secrets(org, credentials) if "PRIVATE KEY" not in secret}
    secrets |= {line for line in str(credentials.get("private_key", "")).splitlines() if len(line) > 20}
    return secrets | {quote_plus(secret) for secret in secrets} | values_of(org) | {JWT}


def assert_hidden(words: set[str], output: Output, printed: str) -> None:
    """None of the words stands in a message other than a RECORD, in what was printed, or in the last exception."""
    texts = [str(message) for message in output.messages if message["type"] != "RECORD"]
    texts += printed.splitlines()
    if output.ending is not None:
        texts.append(f"{output.ending!r} {getattr(output.ending, 'message', '')} {output.ending.__cause__!r}")
    for text in texts:
        shown = [word for word in words if word in text]
        assert not shown, f"{shown} in {text[:3000]}"


def run(faults: list[Fault], flow: Any, jobs: int, capfd: pytest.CaptureFixture[str]) -> tuple[Output, list[int]]:
    with SimulatedOrg(with_settings()) as org:
        connector = Connector(
            org,
            impatient=True,
            credentials=org.credentials(flow),
            max_concurrent_jobs=jobs,
            page_size=PAGE_SIZE,
        )
        for fault in faults:
            org.control.add_fault(fault)
        output = connector.read(configure(streams(), list(FIELDS), "incremental", FIELDS), debug=True)
        printed = capfd.readouterr()
        assert_hidden(hidden(org, connector.config()["credentials"]), output, printed.out + printed.err)
        return output, [one["fired"] for one in org.control.fault_log()]


@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("name", TRIALS)
def test_a_run_shows_no_secret_and_no_value(name: str, jobs: int, capfd: pytest.CaptureFixture[str]) -> None:
    streams()  # discovery speaks, too, and is not what is looked at here
    capfd.readouterr()
    output, fired = run(TRIALS[name], "refresh_token", jobs, capfd)
    assert all(fired)
    assert any(message["type"] == "DEBUG" for message in output.messages)


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("name", ["good", "echo_on_token", "echo_on_token_later", "echo_on_createJob"])
def test_no_flow_shows_its_secrets(name: str, flow: str, capfd: pytest.CaptureFixture[str]) -> None:
    streams()
    capfd.readouterr()
    _, fired = run(TRIALS[name], flow, 4, capfd)
    assert all(fired)


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("on", ["token", "limits", "createJob"])
def test_check_shows_no_secret(on: str, flow: Any, capfd: pytest.CaptureFixture[str]) -> None:
    with SimulatedOrg(with_settings()) as org:
        connector = Connector(org, impatient=True, credentials=org.credentials(flow))
        org.control.add_fault(Fault(kind="echo_secret", on=on, times=None))
        output = connector.check()
        assert org.control.fault_log()[0]["fired"]
        printed = capfd.readouterr()
        assert_hidden(hidden(org, connector.config()["credentials"]), output, printed.out + printed.err)


def test_a_defect_shows_where_it_happened_and_not_what_it_said(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The text of an unforeseen exception may be a row's value."""
    with SimulatedOrg(with_settings()) as org:
        connector = Connector(org, impatient=True)
        catalog = configure(streams(), list(FIELDS), "incremental", FIELDS)
        value = min(values_of(org))

        def break_down(*_: object) -> None:
            raise LookupError(value)

        monkeypatch.setattr(ObjectRead, "hand_on", break_down)
        output = connector.read(catalog, debug=True)
        assert {error["failure_type"] for error in output.errors} == {"system_error"}
        assert any("break_down" in error["stack_trace"] for error in output.errors)
        printed = capfd.readouterr()
        assert_hidden(hidden(org, connector.config()["credentials"]), output, printed.out + printed.err)


def test_these_tests_can_fail() -> None:
    """A secret in a log line, in a trace and in an exception would be seen."""
    for message in ({"type": "LOG", "log": {"message": "a token: T0KEN"}}, {"type": "TRACE", "trace": ["T0KEN"]}):
        with pytest.raises(AssertionError, match="T0KEN"):
            assert_hidden({"T0KEN"}, Output([message]), "")
    with pytest.raises(AssertionError, match="T0KEN"):
        assert_hidden({"T0KEN"}, Output([], ending=ValueError("T0KEN")), "")
