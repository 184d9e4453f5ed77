"""``check``: the user and the org, or what is wrong and what to do, with a handful of calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from integration_tests.connector import Connector, Output
from integration_tests.simulated_org import Fault, OrgSettings, SimulatedOrg

Arrange = Callable[[SimulatedOrg], object]


def status(output: Output) -> tuple[str, str]:
    (body,) = output.of_type("CONNECTION_STATUS")
    return body["status"], body.get("message", "")


def calls(org: SimulatedOrg) -> dict[str, int]:
    return org.control.requests()


def strike(kind: str, *on: str, **attributes: Any) -> Arrange:
    """Arm a fault that lasts, for these kinds of requests."""

    def arm(org: SimulatedOrg) -> None:
        for request_kind in on or (None,):
            org.control.add_fault(Fault(kind=kind, on=request_kind, times=None, **attributes))

    return arm


@pytest.mark.parametrize("auth_type", ["refresh_token", "client_credentials", "jwt_bearer"])
def test_it_says_who_is_connected_to_what(auth_type: Any) -> None:
    with SimulatedOrg() as org:
        # Client credentials are served by My Domain only; here that is the instance's own host.
        connector = Connector(org, credentials=org.credentials(auth_type), login_url=org.instance_url)

        output = connector.check()

        said, message = status(output)
        assert said == "SUCCEEDED"
        for fact in (org.org.id, org.org.user_id, org.instance_url):
            assert fact in message
        assert calls(org) == {"token": 1, "versions": 1, "limits": 1, "createJob": 1, "abort": 1, "delete": 1}
        assert all(job["deleted"] for job in org.control.jobs())
        assert not output.failed


@dataclass(frozen=True)
class Trouble:
    """Something wrong, the words that must be said about it, and how many calls may be spent on finding out."""

    arrange: Arrange
    words: tuple[str, ...]
    calls: int
    config: dict[str, Any] = field(default_factory=dict)
    settings: OrgSettings = field(default_factory=OrgSettings)


def credentials(auth_type: str = "refresh_token", **changes: str) -> Callable[[SimulatedOrg], dict[str, Any]]:
    return lambda org: {"credentials": {**org.credentials(auth_type), **changes}}  # type: ignore[arg-type]


def nothing(org: SimulatedOrg) -> None:
    """All is well with the org."""


TROUBLES = {
    "API Enabled is missing": Trouble(
        strike("api_error", "limits", "createJob", error="API_DISABLED_FOR_ORG"),
        ("may not use the API", "API Enabled"),
        3,
    ),
    "the daily API calls are used up": Trouble(
        lambda org: org.control.set_limit("DailyApiRequests", remaining=0),
        ("daily API calls are used up", "24 hours", "other integrations"),
        3,
    ),
    "fewer API calls are left than the reserve": Trouble(
        lambda org: org.control.set_limit("DailyApiRequests", maximum=100_000, remaining=4_000),
        ("daily API calls are used up", "of 100,000 DailyApiRequests are left", "5 %", "daily_limit_reserve_percent"),
        3,
    ),
    "the query jobs are used up": Trouble(
        lambda org: org.control.set_limit("DailyBulkV2QueryJobs", remaining=0),
        ("daily Bulk query jobs are used up", "0 of 10,000 DailyBulkV2QueryJobs"),
        3,
    ),
    "the result volume is used up": Trouble(
        lambda org: org.control.set_limit("DailyBulkV2QueryFileStorageMB", remaining=0),
        ("daily volume of Bulk query results is used up",),
        3,
    ),
    "Bulk API 2.0 is not switched on": Trouble(
        strike("api_error", "createJob", error="FUNCTIONALITY_NOT_ENABLED"), ("permission", "Bulk API"), 4
    ),
    "Bulk API 2.0 does not exist in the edition": Trouble(
        strike("api_error", "createJob", error="NOT_FOUND"), ("Bulk API 2.0", "edition"), 4
    ),
    "the version is unknown to the org": Trouble(
        nothing,
        ("api_version v67.0", "the newest of which is v66.0", "Set api_version"),
        2,
        {"api_version": "v67.0"},
        OrgSettings(versions=("65.0", "66.0")),
    ),
    "the IP address is not allowed": Trouble(
        strike("oauth_error", error="ip_restricted"), ("this IP address", "Network Access", "Login IP Ranges"), 1
    ),
    "the session is bound to another IP address": Trouble(
        strike("api_error", "limits", "createJob", error="INVALID_SESSION_ID"),
        ("right after a new login", "Session Settings"),
        5,
    ),
    "the login host is in maintenance": Trouble(
        strike("maintenance_redirect"), ("not available at the moment", "status.salesforce.com"), 5
    ),
    "the user is inactive": Trouble(strike("oauth_error", error="inactive_user"), ("unlock or unfreeze",), 1),
    "the app is blocked": Trouble(
        strike("oauth_error", error="app_blocked"), ("A policy of the org refuses", "administrator", "unblock"), 1
    ),
    "the user may not use the app": Trouble(
        strike("oauth_error", error="not_admin_approved"), ("Permitted Users", "permission set"), 1
    ),
    "the app is of another org": Trouble(
        strike("oauth_error", error="client_identifier_invalid"), ("client_id", "login_url", "test.salesforce.com"), 1
    ),
    "a web site that is not Salesforce answers": Trouble(
        strike("http_error", "token", status=404, body="html"), ("login_url is not the host", "My Domain"), 1
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_it_says_what_is_wrong_and_what_to_do(trouble: Trouble) -> None:
    with SimulatedOrg(trouble.settings) as org:
        trouble.arrange(org)

        output = Connector(org, **trouble.config).check()

        assert_refused(org, output, trouble.words, trouble.calls)


@pytest.mark.parametrize(
    ("auth_type", "changes", "words"),
    [
        ("refresh_token", {"client_secret": "wrong-secret-0001"}, ("refused the credentials", "client_secret")),
        ("refresh_token", {"client_id": "wrong-client-0001"}, ("does not have the app", "client_id", "login_url")),
        ("refresh_token", {"refresh_token": "wrong-token-0001"}, ("Authenticate again", "refresh token")),
        ("client_credentials", {"client_secret": "wrong-secret-0001"}, ("refused the credentials", "client_secret")),
        ("jwt_bearer", {"username": "nobody@example.com"}, ("Permitted Users",)),
    ],
)
def test_wrong_credentials_are_named_and_not_shown(
    auth_type: Any, changes: dict[str, str], words: tuple[str, ...]
) -> None:
    with SimulatedOrg() as org:
        connector = Connector(org, credentials={**org.credentials(auth_type), **changes}, login_url=org.instance_url)

        output = connector.check()

        assert_refused(org, output, words, 1)
        assert not any(secret in str(output.messages) for secret in changes.values() if secret.startswith("wrong"))


def test_a_sandbox_user_at_the_production_host_is_sent_to_the_sandbox_host() -> None:
    """Two orgs, one as production, one as sandbox: the sandbox's credentials are unknown to production."""
    with SimulatedOrg(OrgSettings(seed=1)) as production, SimulatedOrg(OrgSettings(seed=2)) as sandbox:
        mixed_up = {**sandbox.credentials(), "refresh_token": "5Aep.fake.of.the.sandbox"}
        connector = Connector(production, credentials=mixed_up)

        output = connector.check()

        assert_refused(production, output, ("https://test.salesforce.com",), 1)


def test_jwt_whose_every_audience_is_refused_has_a_wrong_login_host() -> None:
    with SimulatedOrg() as org:
        org.control.fault("oauth_error", error="audience", times=None)
        connector = Connector(org, credentials=org.credentials("jwt_bearer"))

        output = connector.check()

        assert_refused(org, output, ("login_url is not the host", "https://test.salesforce.com", "My Domain"), 3)


def test_client_credentials_at_the_generic_host_need_my_domain() -> None:
    with SimulatedOrg(OrgSettings(login_refuses_client_credentials=True)) as org:
        connector = Connector(org, credentials=org.credentials("client_credentials"))

        output = connector.check()

        assert_refused(org, output, ("login_url is not the host", "client credentials need the My Domain URL"), 1)


def test_a_host_without_a_listener_is_tried_again_and_then_named() -> None:
    with SimulatedOrg() as org:
        connector = Connector(org, login_url="http://127.0.0.1:9")

        said, message = status(connector.check())

        assert said == "FAILED"
        assert "The connection to Salesforce failed" in message
        assert "firewall" in message
        assert connector.clock.pauses


def test_a_user_who_may_not_see_the_limits_is_connected_all_the_same() -> None:
    """Reading limits needs View Setup and Configuration; reading data does not."""
    with SimulatedOrg() as org:
        org.control.fault("api_error", on="limits", error="INSUFFICIENT_ACCESS", times=None)

        output = Connector(org).check()

        assert status(output)[0] == "SUCCEEDED"
        assert any("limits cannot be read" in line for line in output.logs)


def test_a_user_who_may_not_see_users_is_connected_all_the_same() -> None:
    """Bulk API 2.0 compiled the query, so it may be used."""
    with SimulatedOrg() as org:
        org.control.fault("api_error", on="createJob", error="INVALID_TYPE", times=None)

        assert status(Connector(org).check())[0] == "SUCCEEDED"


def assert_refused(org: SimulatedOrg, output: Output, words: tuple[str, ...], most_calls: int) -> None:
    said, message = status(output)
    assert said == "FAILED"
    assert [word for word in words if word not in message] == [], message
    assert not output.failed, "a check that says FAILED has done its work: exit code 0"
    assert sum(calls(org).values()) <= most_calls, calls(org)
    credentials = org.credentials()
    assert not any(credentials[key] in message for key in ("client_secret", "refresh_token"))
    assert all(job["deleted"] for job in org.control.jobs())
