"""Invalid input: a clear, typed error, an exit code other than 0, and only protocol messages on stdout.

Most cases run in this process; the console script, which takes a second to start, has a case of each kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from integration_tests.connector import Connector, Output, configure, parse, state_of
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

both_concurrencies = pytest.mark.parametrize("jobs", [1, 4])


@pytest.fixture(scope="module")
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T12:00:00Z")) as simulated:
        yield simulated


@pytest.fixture(scope="module")
def streams(org: SimulatedOrg) -> dict[str, dict[str, Any]]:
    return Connector(org).streams(objects=["Account", "Contact", "AppDefinition"])


# -- configuration -----------------------------------------------------------------------------------------------------

BAD_CONFIGS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "unknown auth type": (
        {"credentials": {"auth_type": "password", "username": "u", "password": "p"}},
        ("credentials.auth_type", "refresh_token, client_credentials or jwt_bearer"),
    ),
    "no credentials": ({"credentials": None}, ("credentials is missing", '"auth_type"')),
    "not a date": ({"start_date": "24/11/2026"}, ("start_date", '"24/11/2026"', '"2024-01-01"')),
    "a day that does not exist": ({"start_date": "2026-02-30"}, ("start_date", '"2026-02-30"')),
    "a time without zone": ({"start_date": "2026-01-01T00:00:00"}, ("start_date", "no time zone", "Add Z for UTC")),
    "not a duration": ({"lookback_window": "10 minutes"}, ("lookback_window", '"10 minutes"', '"PT10M"')),
    "a duration in months": ({"lookback_window": "P1M"}, ("lookback_window", "months or years", '"P30D"')),
    "a negative duration": ({"lookback_window": "-PT10M"}, ("lookback_window", "negative")),
    "no time for jobs": ({"job_timeout": "PT0S"}, ("job_timeout", "no time at all", '"PT4H"')),
    "not a version": ({"api_version": "latest"}, ("api_version", '"latest"', '"v66.0"')),
    "a version that is too old": ({"api_version": "v50.0"}, ("api_version", "too old", '"v58.0"')),
    "no job at once": ({"max_concurrent_jobs": 0}, ("max_concurrent_jobs", "too small", "from 1 up")),
    "a number in quotes": ({"page_size": "many"}, ("page_size", "whole number")),
    "a reserve of everything": ({"daily_limit_reserve_percent": 100}, ("daily_limit_reserve_percent", "0 to 99")),
    "http without need": ({"login_url": "http://login.salesforce.com"}, ("login_url", "http://", "https://")),
    "a where that is more": (
        {"object_overrides": [{"object": "Account", "where": "Name != null LIMIT 5"}]},
        ("object_overrides[0].where", "LIMIT"),
    ),
    "two overrides of one object": (
        {"object_overrides": [{"object": "Account"}, {"object": "account"}]},
        ("object_overrides[1].object", "already"),
    ),
}


@pytest.mark.parametrize(("changes", "words"), BAD_CONFIGS.values(), ids=BAD_CONFIGS)
@pytest.mark.parametrize("command", ["discover", "read"])
def test_a_bad_configuration_is_a_config_error_that_names_the_key(
    org: SimulatedOrg, streams: dict[str, Any], command: str, changes: dict[str, Any], words: tuple[str, ...]
) -> None:
    connector = Connector(org, **changes)
    org.control.reset_requests()

    output = connector.read(configure(streams, ["Account"])) if command == "read" else getattr(connector, command)()

    message = config_error(output)
    assert [word for word in words if word not in message] == [], message
    assert org.control.requests() == {}, "nothing is asked of an org with a configuration that cannot be used"


def config_error(output: Output) -> str:
    """The message of a command that a config error ended."""
    assert isinstance(output.ending, AirbyteTracedException)
    assert output.ending.failure_type is FailureType.config_error
    return str(output.ending.message)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"cursor_field": "Name"}, ("cursor_field Name", "datetime field", "SystemModstamp")),
        ({"cursor_field": "Nowhere__c"}, ("cursor_field names Nowhere__c", "no such field")),
        ({"primary_key": ["Nowhere__c"]}, ("primary_key names Nowhere__c", "no such field")),
    ],
)
@both_concurrencies
def test_an_override_that_the_object_contradicts_fails_its_stream_alone(
    org: SimulatedOrg, streams: dict[str, Any], override: dict[str, Any], words: tuple[str, ...], jobs: int
) -> None:
    connector = Connector(org, object_overrides=[{"object": "Account", **override}], max_concurrent_jobs=jobs)

    output = connector.read(configure(streams, ["Account", "Contact"]))

    assert_fails_alone(org, output, "Account", words)


# -- catalog -----------------------------------------------------------------------------------------------------------


@both_concurrencies
def test_an_unknown_object_in_the_catalog_fails_its_stream_alone(
    org: SimulatedOrg, streams: dict[str, Any], jobs: int
) -> None:
    unknown = {**streams["Account"], "name": "Nowhere__c"}
    catalog = configure({**streams, "Nowhere__c": unknown}, ["Nowhere__c", "Contact"])

    output = Connector(org, max_concurrent_jobs=jobs).read(catalog)

    assert_fails_alone(org, output, "Nowhere__c", ("does not exist or is hidden", "unselect"))


@both_concurrencies
def test_an_incremental_stream_without_a_cursor_is_read_in_full_with_one_line(
    org: SimulatedOrg, streams: dict[str, Any], jobs: int
) -> None:
    catalog = configure(streams, ["AppDefinition", "Contact"])
    catalog["streams"][0]["sync_mode"] = "incremental"

    output = Connector(org, max_concurrent_jobs=jobs).read(catalog)

    assert not output.failed
    assert output.statuses["AppDefinition"][-1] == "COMPLETE"
    assert len([line for line in output.logs if "AppDefinition" in line and "in full" in line]) == 1


@both_concurrencies
def test_an_object_that_bulk_refuses_fails_its_stream_alone(
    org: SimulatedOrg, streams: dict[str, Any], jobs: int
) -> None:
    chosen = [{"object": "CaseStatus", "api": "bulk"}]
    connector = Connector(org, max_concurrent_jobs=jobs, object_overrides=chosen)
    refused = connector.streams(objects=["CaseStatus"])

    output = connector.read(configure({**streams, **refused}, ["CaseStatus", "Contact"]))

    assert_fails_alone(org, output, "CaseStatus", ("does not support", "Unselect the stream", "exclude_objects"))


# -- state -------------------------------------------------------------------------------------------------------------

CURSOR = {"SystemModstamp": "2026-06-01T00:00:00.000Z"}
ENTRY = {
    "job": "750000000000001AAA",
    "locator": None,
    "page": 0,
    "rows": 0,
    "from": None,
    "to": "2026-06-01T00:00:00.000Z",
    "id_from": None,
    "id_to": None,
    "api_version": "v66.0",
    "page_size": 50000,
    "query": "sha256:0",
}
BAD_STATES: dict[str, tuple[dict[str, Any], str]] = {
    "another stream's": ({"LoginTime": "2026-06-01T00:00:00.000Z"}, "no SystemModstamp"),
    "another connector's": ({"states": [{"cursor": "x"}], "use_global_cursor": False}, "no SystemModstamp"),
    "a cursor that is no instant": ({"SystemModstamp": "yesterday"}, "not an instant"),
    "a cursor that is a number": ({"SystemModstamp": 1764000000}, "not a text"),
    "a resume that is no list": ({**CURSOR, "resume": {}}, "resume is not a list"),
    "an entry without a job": ({**CURSOR, "resume": [{**ENTRY, "job": None}]}, "no job"),
    "an entry with negative rows": ({**CURSOR, "resume": [{**ENTRY, "rows": -1}]}, "the rows of an entry"),
    "an entry with SOQL for an Id": ({**CURSOR, "resume": [{**ENTRY, "id_from": "' OR Id != '"}]}, "not a Salesforce"),
    "an entry with a path for a version": (
        {**CURSOR, "resume": [{**ENTRY, "api_version": "../../x"}]},
        "not a version",
    ),
}


@pytest.mark.parametrize(("state", "words"), BAD_STATES.values(), ids=BAD_STATES)
@both_concurrencies
def test_a_state_that_cannot_be_this_streams_fails_its_stream_alone(
    org: SimulatedOrg, streams: dict[str, Any], state: dict[str, Any], words: str, jobs: int
) -> None:
    connector = Connector(org, max_concurrent_jobs=jobs)

    output = connector.read(configure(streams, ["Account", "Contact"]), [state_of("Account", state)])

    assert_fails_alone(org, output, "Account", ("The saved state of Account cannot be used", words, "Reset the stream"))


def assert_fails_alone(org: SimulatedOrg, output: Output, name: str, words: tuple[str, ...]) -> None:
    """``name`` fails with a config error that says why; Contact is read whole, and the run fails."""
    assert output.failed
    assert output.statuses[name][-1] == "INCOMPLETE"
    (error,) = output.errors
    assert error["failure_type"] == "config_error"
    assert [word for word in (name, *words) if word not in error["message"]] == [], error["message"]
    assert not output.rows[name]
    assert output.statuses["Contact"] == ["STARTED", "RUNNING", "COMPLETE"]
    assert_same_rows(output.rows["Contact"], GroundTruth(org).records("Contact"))
    assert isinstance(output.ending, AirbyteTracedException)
    assert output.ending.failure_type is FailureType.config_error
    assert name in str(output.ending.message)


# -- the console script: an exit code, and no word on stdout that is no message ----------------------------------------


def script(org: SimulatedOrg, command: str, *more: str, **config: Any) -> Output:
    """Run a command; ``run_script`` fails on a line of stdout that is no JSON, and on anything on stderr."""
    connector = Connector(org, **config)
    return connector.run_script(command, "--config", connector._file(connector.config()), *more)


def test_check_by_the_script_says_what_is_wrong_with_a_configuration(org: SimulatedOrg) -> None:
    """A stock CDK entrypoint validates against the specification first, and quotes what was typed; ours does not."""
    credentials = {"auth_type": "password", "username": "somebody", "password": "hunter2-hunter2"}

    output = script(org, "check", credentials=credentials)

    (status,) = output.of_type("CONNECTION_STATUS")
    assert status["status"] == "FAILED"
    assert "credentials.auth_type" in status["message"]
    assert output.exit_code == 0
    assert "hunter2" not in str(output.messages)


def test_the_script_ends_with_1_after_a_bad_configuration(org: SimulatedOrg) -> None:
    output = script(org, "discover", start_date="24/11/2026")

    assert output.exit_code == 1
    (error,) = output.errors
    assert error["failure_type"] == "config_error"
    assert error["message"].startswith('start_date "24/11/2026"')


def test_the_script_ends_with_1_when_one_stream_of_many_fails(org: SimulatedOrg, streams: dict[str, Any]) -> None:
    """With --debug, and with warnings that Python would print."""
    connector = Connector(org, lookback_window="PT0S")
    unknown = {**streams["Account"], "name": "Nowhere__c"}
    catalog = configure({**streams, "Nowhere__c": unknown}, ["Nowhere__c", "Contact"])
    arguments = connector._read_arguments(catalog, [state_of("Contact", CURSOR)], {})

    output = connector.run_script(*arguments, "--debug")

    assert output.exit_code == 1
    assert {message["type"] for message in output.messages} == {"LOG", "TRACE", "RECORD", "STATE"}
    assert [error["failure_type"] for error in output.errors] == ["config_error", "config_error"]
    assert "Nowhere__c failed" in output.errors[-1]["message"]
    said = str(output.messages)
    assert org.credentials()["client_secret"] not in said
    assert not [one for one in org.org.sessions.all() if one.token in said]


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "--config", "/nowhere/config.json"],
        ["read", "--config", "{config}", "--catalog", "/nowhere/catalog.json"],
        ["read", "--config", "{config}", "--catalog", "{catalog}", "--state", "/nowhere/state.json"],
        ["read", "--config", "{config}", "--catalog", "{config}"],
        ["check", "--config", "{text}"],
        ["write"],
    ],
    ids=["no config", "no catalog", "no state", "not a catalog", "a config that is not JSON", "no command"],
)
def test_a_command_line_that_cannot_be_carried_out_ends_with_an_error(
    org: SimulatedOrg, streams: dict[str, Any], arguments: list[str]
) -> None:
    connector = Connector(org)
    files = {
        "config": connector._file(connector.config()),
        "catalog": connector._file(configure(streams, ["Account"])),
        "text": connector._file("client_secret=0123"),
    }
    process = connector.start_script(*(argument.format(**files) for argument in arguments))
    stdout, _ = process.communicate()

    assert process.returncode not in (0, None)
    assert all(message["type"] in ("LOG", "TRACE") for message in parse(stdout.decode().split("\n")[:-1]))
