"""Logins and sessions: three flows, sessions that end during a sync, refresh tokens that rotate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from integration_tests.connection import Connection
from integration_tests.connector import Connector, Message, Output, configure, parse, state_of
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

both_concurrencies = pytest.mark.parametrize("jobs", [1, 4])
OBJECTS = ["Account", "Contact", "Lead", "Opportunity"]


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1)) as simulated:
        yield simulated


def assert_whole(org: SimulatedOrg, output: Output, names: list[str]) -> None:
    for name in names:
        assert_same_rows(output.rows[name], GroundTruth(org).records(name))


def logins(org: SimulatedOrg) -> int:
    """Return the number of the connector's logins; call it before the ground truth logs in."""
    return org.control.requests().get("token", 0)


# -- three flows -------------------------------------------------------------------------------------------------------


@both_concurrencies
@pytest.mark.parametrize("auth_type", ["refresh_token", "client_credentials", "jwt_bearer"])
def test_each_flow_reads_with_one_login_and_follows_instance_url(auth_type: Any, jobs: int) -> None:
    """The login host and the instance are two hosts; the token goes to the instance alone."""
    with SimulatedOrg(OrgSettings(polls_until_complete=1, split_hosts=True)) as org:
        assert org.url != org.instance_url
        connection = Connection(
            org, ["Account", "Contact"], credentials=org.credentials(auth_type), max_concurrent_jobs=jobs
        )
        org.control.reset_requests()

        output = connection.sync()

        assert logins(org) == 1
        hosts = {(one["kind"] == "token", one["host"]) for one in org.control.request_log()}
        assert hosts == {(True, org.url.removeprefix("http://")), (False, org.instance_url.removeprefix("http://"))}
        assert_whole(org, output, ["Account", "Contact"])


def test_a_second_flow_is_refused_where_the_first_is_configured(org: SimulatedOrg) -> None:
    """Credentials of one app used in another app's flow: said, not tried again."""
    mixed = {**org.credentials("refresh_token"), "auth_type": "client_credentials"}

    (status,) = Connector(org, credentials=mixed, login_url=org.instance_url).check().of_type("CONNECTION_STATUS")

    assert status["status"] == "FAILED"
    assert "Enable Client Credentials Flow" in status["message"]


# -- sessions that end -------------------------------------------------------------------------------------------------


@both_concurrencies
@pytest.mark.parametrize("event", ["job_created", "jobInfo", "results", "page_served"])
def test_a_session_that_ends_mid_sync_costs_one_login(org: SimulatedOrg, event: str, jobs: int) -> None:
    connection = Connection(org, OBJECTS, max_concurrent_jobs=jobs, page_size=500)
    org.control.reset_requests()
    org.control.when(event, "expire_sessions", nth=2)

    output = connection.sync()

    assert logins(org) == 2
    assert org.control.pending_events() == 0
    assert_whole(org, output, OBJECTS)


@both_concurrencies
def test_many_calls_that_find_the_session_ended_share_one_login(jobs: int) -> None:
    """Salesforce refuses logins that happen at the same time, and a login ends the session before."""
    settings = OrgSettings(
        polls_until_complete=1, concurrent_refresh="fail", token_seconds=0.05, old_token_dies_on_refresh=True
    )
    with SimulatedOrg(settings) as org:
        connection = Connection(org, OBJECTS, max_concurrent_jobs=jobs, page_size=100)
        org.control.reset_requests()
        org.control.when("page_served", "expire_sessions", nth=3)
        org.control.when("page_served", "expire_sessions", nth=20)

        output = connection.sync()

        assert logins(org) == 3
        assert all(one["status"] == 200 for one in org.control.request_log() if one["kind"] == "token")
        assert_whole(org, output, OBJECTS)


@both_concurrencies
def test_a_session_good_for_few_requests_is_renewed_as_often_as_needed(jobs: int) -> None:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, session_max_requests=7)) as org:
        connection = Connection(org, OBJECTS, max_concurrent_jobs=jobs, page_size=500)

        output = connection.sync()

        assert_whole(org, output, OBJECTS)


@both_concurrencies
@pytest.mark.parametrize("reason", ["INVALID_SESSION_ID", "INVALID_JWT_FORMAT", "INVALID_AUTH_HEADER"])
def test_every_word_for_an_ended_session_is_understood(org: SimulatedOrg, reason: str, jobs: int) -> None:
    connection = Connection(org, ["Contact"], max_concurrent_jobs=jobs, page_size=500)
    org.control.reset_requests()
    org.control.when("page_served", "expire_sessions", {"reason": reason}, nth=2)

    output = connection.sync()

    assert logins(org) == 2
    assert_whole(org, output, ["Contact"])


# -- 401s that a login does not cure -----------------------------------------------------------------------------------


@both_concurrencies
@pytest.mark.parametrize(
    ("error", "tokens", "words"),
    [
        ("POLICY/agent", 1, "A policy of the org refuses this app's sessions"),
        ("POLICY/rest", 1, "A policy of the org refuses this app's sessions"),
        ("INVALID_SESSION_ID", 2, "refuses the session right after a new login"),
    ],
)
def test_a_401_that_no_login_cures_never_loops(
    org: SimulatedOrg, error: str, tokens: int, words: str, jobs: int
) -> None:
    connection = Connection(org, OBJECTS, max_concurrent_jobs=jobs)
    org.control.reset_requests()
    org.control.fault("api_error", on="createJob", error=error, times=None)

    output = connection.attempt()

    assert output.failed
    assert {one["failure_type"] for one in output.errors} == {"config_error"}
    assert all(words in cause for cause in output.causes)
    assert logins(org) == tokens
    assert {statuses[-1] for statuses in output.statuses.values()} == {"INCOMPLETE"}


# -- refused logins ----------------------------------------------------------------------------------------------------

CONFIG, TRANSIENT = "config_error", "transient_error"


@pytest.mark.parametrize(
    ("error", "failure_type", "words"),
    [
        ("expired", CONFIG, "Authenticate again"),
        ("authentication_failure", CONFIG, "Login History"),
        ("invalid_password", CONFIG, "Login History"),
        ("ip_restricted", CONFIG, "Network Access"),
        ("inactive_user", CONFIG, "Activate, unlock or unfreeze"),
        ("inactive_organization", CONFIG, "Salesforce's support"),
        ("audience", CONFIG, "login_url"),
        ("no_client_credentials_user", CONFIG, "Run As user"),
        ("not_approved", CONFIG, "Permitted Users"),
        ("invalid_assertion", CONFIG, "Login History"),
        ("client_identifier_invalid", CONFIG, "client_id"),
        ("invalid_client", CONFIG, "client_secret"),
        ("invalid_client_401", CONFIG, "client_secret"),
        ("unsupported_grant_type", CONFIG, "OAuth flow"),
        ("not_admin_approved", CONFIG, "Permitted Users"),
        ("app_not_found", CONFIG, "administrator"),
        ("app_blocked", CONFIG, "unblock the app"),
        ("not_on_login_host", CONFIG, "My Domain"),
        ("login_rate", TRANSIENT, "in an hour"),
        ("login_rate_403", TRANSIENT, "in an hour"),
    ],
)
def test_a_refused_login_says_what_to_do_and_is_not_tried_again(
    org: SimulatedOrg, error: str, failure_type: str, words: str
) -> None:
    """Trying refused credentials again would lock the user. States come back as they went in."""
    connection = Connection(org, ["Account", "Contact"])
    saved = {"SystemModstamp": "2026-06-01T00:00:00.000Z"}
    connection.state = [state_of("Account", saved), state_of("Contact", saved)]
    org.control.reset_requests()
    org.control.fault("oauth_error", error=error, times=None)

    output = connection.attempt()

    assert output.failed
    assert {one["failure_type"] for one in output.errors} == {failure_type}
    assert [words in cause for cause in output.causes] == [True]
    assert org.control.requests() == {"token": 1}
    assert output.statuses == {"Account": ["INCOMPLETE"], "Contact": ["INCOMPLETE"]}
    assert output.states == {"Account": [saved], "Contact": [saved]}
    assert not output.rows


@pytest.mark.parametrize("error", ["already_processing", "retry"])
def test_a_login_that_met_passing_trouble_is_tried_again(org: SimulatedOrg, error: str) -> None:
    connection = Connection(org, ["Account"])
    org.control.reset_requests()
    org.control.fault("oauth_error", error=error, times=2)

    output = connection.sync()

    assert logins(org) == 3
    assert len(connection.connector.clock.pauses) >= 2
    assert_whole(org, output, ["Account"])


# -- refresh tokens that rotate ----------------------------------------------------------------------------------------


@pytest.fixture
def rotating_org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, rotate_refresh_tokens=True)) as simulated:
        yield simulated


def new_configs(messages: list[Message]) -> list[dict[str, Any]]:
    controls = [message["control"] for message in messages if message["type"] == "CONTROL"]
    return [control["connectorConfig"]["config"] for control in controls]


def arguments_of(connector: Connector, command: str) -> list[str]:
    return [command, "--config", connector._file(connector.config())]


@pytest.mark.parametrize("command", ["check", "discover"])
def test_a_rotated_refresh_token_is_handed_back_by_every_command(
    rotating_org: SimulatedOrg, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    connector = Connector(rotating_org, objects=["Account"], page_size=123)

    output = getattr(connector, command)()

    assert not output.failed
    printed = parse(capsys.readouterr().out.splitlines())
    (config,) = new_configs(printed)
    assert config["credentials"]["refresh_token"] in rotating_org.control.refresh_tokens()
    assert config == {**connector.config(), "credentials": config["credentials"]}


@both_concurrencies
def test_each_rotation_of_a_read_is_handed_back_and_the_next_run_uses_it(rotating_org: SimulatedOrg, jobs: int) -> None:
    """Two rotations in one read: the session ends in the middle. Nothing of the rows comes before the first."""
    connector = Connector(rotating_org, max_concurrent_jobs=jobs, page_size=500)
    streams = connector.streams(objects=["Contact"])
    connector = Connector(rotating_org, max_concurrent_jobs=jobs, page_size=500)
    rotating_org.control.when("page_served", "expire_sessions", nth=2)

    output = connector.read_by_script(configure(streams, ["Contact"]))

    assert output.exit_code == 0
    configs = new_configs(output.messages)
    assert len({config["credentials"]["refresh_token"] for config in configs}) == 2
    kinds = [message["type"] for message in output.messages if message["type"] != "LOG"]
    assert kinds[0] == "CONTROL"
    assert not connector.read(configure(streams, ["Contact"]), **configs[-1]).failed
    stale = connector.read(configure(streams, ["Contact"]), **configs[0])
    assert {one["failure_type"] for one in stale.errors} == {"config_error"}
    assert_whole(rotating_org, output, ["Contact"])


def test_the_new_token_is_out_before_the_next_request_is_answered(rotating_org: SimulatedOrg) -> None:
    """The old token is dead: should the run die now, only this message keeps the user from being locked out."""
    connector = Connector(rotating_org)
    rotating_org.control.fault("hang", on="versions", times=None)
    process = connector.start_script(*arguments_of(connector, "check"))
    try:
        assert process.stdout is not None
        first = next(message for message in parse(_lines(process.stdout)) if message["type"] != "LOG")
    finally:
        process.kill()
        process.communicate()

    assert first["type"] == "CONTROL"
    token = first["control"]["connectorConfig"]["config"]["credentials"]["refresh_token"]
    assert token in rotating_org.control.refresh_tokens()


def _lines(stdout: Any) -> list[str]:
    """Lines up to the first that is no log."""
    lines: list[str] = []
    for line in stdout:
        lines.append(line.decode())
        if json.loads(line)["type"] != "LOG":
            break
    return lines


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_no_secret_is_shown_even_where_the_org_echoes_it(org: SimulatedOrg) -> None:
    connector = Connector(org)
    streams = connector.streams(objects=["Account"])
    org.control.fault("echo_secret", on="createJob", times=None)

    output = connector.read_by_script(configure(streams, ["Account"]))

    said = json.dumps(output.messages, default=str)
    credentials = org.credentials()
    assert output.exit_code == 1
    assert "create job" in said
    assert credentials["client_secret"] not in said
    assert credentials["refresh_token"] not in said
    assert not [session for session in org.org.sessions.all() if session.token in said]
