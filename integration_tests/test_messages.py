"""Failures at night, and the one message with which the person on call can act.

Each is tried as a sync and as an export, in the languages that a login's user may have. A message says once what
happened, says what to do in the words of the running program, and shows no traceback but that of a trace message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from integration_tests.connector import Connector, Output, configure
from integration_tests.exporter import Exporter
from integration_tests.fault_trial import FIELDS, streams
from integration_tests.simulated_org import Fault, OrgSettings, SimulatedOrg

LIVE = OrgSettings(polls_until_complete=1)
TO_ACCOUNT = {"object": "Account", "times": None}


@dataclass(frozen=True)
class Night:
    """``cause`` opens the message, ``remedies`` are in it, whatever the program. ``everything``: no stream is read."""

    cause: str
    remedies: tuple[str, ...]
    type: str = "config_error"
    prepare: Callable[[SimulatedOrg], object] = lambda org: None
    faults: tuple[Fault, ...] = ()
    credentials: Mapping[str, Any] = field(default_factory=dict)
    flow: str = "refresh_token"
    everything: bool = True
    code: int = 2
    settings: OrgSettings = LIVE


def refused(kind: str, error: str, **more: Any) -> tuple[Fault, ...]:
    return (Fault(kind=kind, error=error, times=None, **more),)


def of_account(error: str, cause: str, *remedies: str) -> Night:
    """A query of Account that Salesforce refuses."""
    faults = refused("api_error", error, on="createJob", object="Account")
    return Night(cause, remedies, faults=faults, everything=False, code=3)


NIGHTS = {
    "wrong secret": Night(
        "Salesforce refused the credentials", ("Check client_secret",), credentials={"client_secret": "wrong-secret"}
    ),
    "expired refresh token": Night(
        "Salesforce refused the credentials",
        ("Authenticate again to get a new refresh token",),
        faults=refused("oauth_error", "expired"),
    ),
    "API taken from the org": Night(
        "The integration user may not use the API",
        ("tick API Enabled", "edition"),
        faults=refused("api_error", "API_DISABLED_FOR_ORG", on="limits"),
    ),
    "API taken from the user": Night(
        "The integration user may not use the API",
        ("Tick API Enabled", "API Access Control"),
        faults=refused("api_error", "API_CURRENTLY_DISABLED", on="limits"),
    ),
    "address refused": Night(
        "Salesforce does not accept logins of this user from this IP address",
        ("Network Access",),
        faults=refused("oauth_error", "ip_restricted"),
    ),
    "address refused to a JWT": Night(
        "Salesforce does not accept logins of this user from this IP address",
        ("Login IP Ranges of the user's profile", "does not lift them"),
        flow="jwt_bearer",
        faults=refused("oauth_error", "ip_restricted"),
    ),
    "user frozen": Night(
        "The integration user is inactive, locked or frozen",
        ("unfreeze", "fixed outgoing address"),
        faults=refused("oauth_error", "inactive_user"),
    ),
    "app not installed": Night(
        "The org at login_url does not have the app",
        ("install the app", "login_url"),
        faults=refused("oauth_error", "app_not_found"),
    ),
    "clock wrong": Night(
        "This machine's clock is wrong",
        ("seconds behind Salesforce's", "Set the clock"),
        flow="jwt_bearer",
        prepare=lambda org: org.control.advance_clock(3600),
        settings=OrgSettings(polls_until_complete=1, jwt_exp_by_org_clock=True),
    ),
    "calls used up": Night(
        "The org's daily API calls are used up",
        ("in an hour or two", "Setup > Company Information"),
        "transient_error",
        faults=refused("api_error", "REQUEST_LIMIT_EXCEEDED", on="limits"),
        code=75,
    ),
    "maintenance": Night(
        "Salesforce is not available at the moment",
        ("https://status.salesforce.com",),
        "transient_error",
        faults=(Fault(kind="maintenance_html", times=None),),
        code=75,
    ),
    "field removed": of_account(
        "INVALID_FIELD", "A selected field does not exist or is hidden", "Set Field-Level Security"
    ),
    "field not for Bulk": of_account(
        "COMPOUND", "Bulk API 2.0 cannot return one of the selected fields", "compound fields"
    ),
    "object hidden": of_account("INVALID_TYPE", "The object does not exist or is hidden", "Object Settings"),
    "object not for Bulk": of_account(
        "API_ERROR", "Bulk API 2.0 does not support querying this object", "exclude_objects"
    ),
    "filter required": of_account(
        "MALFORMED_QUERY/reified", "Salesforce returns this object only with a filter", "`where`"
    ),
}
# A login is refused before the user's language is known.
IN_LANGUAGES = [(name, "en") for name in NIGHTS] + [
    (name, language) for name, night in NIGHTS.items() if not night.everything for language in ("de", "ja")
]
AIRBYTES_WORDS = ("unselect the stream", "run the sync again", "source's schema")
EXPORTS_WORDS = ("--object", "--run-id", "the same command", "exclude_fields")


def troubled(night: Night, language: str, jobs: Callable[[SimulatedOrg, dict[str, Any]], Any]) -> Any:
    """Return the outcome of a run against an org in which this has happened."""
    with SimulatedOrg(night.settings) as org:
        org.control.configure(language=language)
        credentials = {**org.credentials(night.flow), **night.credentials}
        night.prepare(org)
        for fault in night.faults:
            org.control.add_fault(fault)
        return jobs(org, credentials)


def text_of(output: Output) -> str:
    """Everything that a run has said but its records, with the trace that ends it."""
    said = [str(message) for message in output.messages if message["type"] in ("LOG", "TRACE")]
    return "\n".join([*said, str(getattr(output.ending, "message", ""))])


@pytest.mark.parametrize(("name", "language"), IN_LANGUAGES)
def test_a_sync_says_it_once_and_what_to_do(name: str, language: str) -> None:
    night = NIGHTS[name]

    def sync(org: SimulatedOrg, credentials: dict[str, Any]) -> Output:
        connector = Connector(org, impatient=True, credentials=credentials)
        return connector.read(configure(streams(), list(FIELDS), "incremental", FIELDS))

    output = troubled(night, language, sync)
    error = next(error for error in output.errors if night.cause in error["message"])
    assert error["failure_type"] == night.type
    assert [remedy for remedy in night.remedies if remedy not in error["message"]] == [], error["message"]
    assert not [words for words in EXPORTS_WORDS if words in error["message"]], error["message"]
    said = text_of(output)
    assert said.count(night.cause) == 1, said
    assert "Traceback" not in said
    endings = {name: output.statuses[name][-1] for name in FIELDS}
    assert endings == {"Account": "INCOMPLETE", "Campaign": "INCOMPLETE" if night.everything else "COMPLETE"}


@pytest.mark.parametrize("night", NIGHTS.values(), ids=NIGHTS)
def test_an_export_says_it_once_and_what_to_do(night: Night, tmp_path: Path) -> None:
    def export(org: SimulatedOrg, credentials: dict[str, Any]) -> Any:
        return Exporter(org, tmp_path, credentials=credentials).script(list(FIELDS))

    done = troubled(night, "de", export)
    assert done.returncode == night.code, done.stderr
    assert done.stderr.count(night.cause) == 1, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if night.cause in line)
    assert [remedy for remedy in night.remedies if remedy not in line] == [], line
    assert not [words for words in AIRBYTES_WORDS if words in line], line
    assert "Traceback" not in done.stderr


def test_a_message_names_salesforces_request_id() -> None:
    night = NIGHTS["object hidden"]

    def sync(org: SimulatedOrg, _: dict[str, Any]) -> Output:
        return Connector(org, impatient=True).read(configure(streams(), list(FIELDS), "incremental", FIELDS))

    output = troubled(night, "en", sync)
    assert any(", request id " in error["message"] for error in output.errors)


def test_a_version_that_the_org_lacks_is_named_by_a_sync_and_no_object_is_blamed() -> None:
    with SimulatedOrg(LIVE) as org:
        connector = Connector(org, impatient=True, api_version="v99.0")
        output = connector.read(configure(streams(), list(FIELDS), "incremental", FIELDS))
        said = text_of(output)
        assert said.count("v99.0 is not among the org's versions, the newest of which is") == 1
        assert "does not exist or is hidden" not in said
        assert org.control.requests()["versions"] == 1


@pytest.mark.parametrize(
    "message",
    [
        "ClientInputError : Failed to process query",
        "InvalidBatch : Failed to process query: INVALID_TYPE_FOR_OPERATION: entity type X does not support query",
        "InvalidBatch : Failed to process query: FUNCTIONALITY_NOT_ENABLED: Selecting compound data not supported",
        "InvalidBatch : Abfrage kann nicht verarbeitet werden: MALFORMED_QUERY: Account muss gefiltert werden",
        "InvalidBatch : Failed to process query: SOME_NEW_CODE: something entirely new",
    ],
)
def test_a_job_that_fails_for_what_forbids_its_creation_costs_one_job(message: str) -> None:
    with SimulatedOrg(LIVE) as org:
        org.control.add_fault(Fault(kind="job_failed", object="Account", message=message, times=None))
        output = Connector(org, impatient=True).read(configure(streams(), list(FIELDS), "incremental", FIELDS))
        assert output.statuses["Account"][-1] == "INCOMPLETE"
        assert len(org.control.jobs("Account")) == 1
        assert {error["failure_type"] for error in output.errors} == {"config_error"}
