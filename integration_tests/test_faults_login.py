"""Logins that are refused, answered by another server, or delayed."""

from __future__ import annotations

from typing import Any

import pytest

from integration_tests.connector import Connector, configure
from integration_tests.fault_trial import FIELDS, Fails, Trial, streams, trials, try_fault, with_settings
from integration_tests.simulated_org import Fault, SimulatedOrg


def refused(error: str, message: str, **more: Any) -> Trial:
    """The token endpoint's own error, for ever."""
    fault = Fault(kind="oauth_error", error=error, times=None)
    return Trial([fault], Fails("config_error", message, everything=True, **more), requests={"token": 2})


CREDENTIALS = "Salesforce refused the credentials"
REFUSALS = {
    "expired": refused("expired", "Authenticate again to get a new refresh token"),
    "authentication_failure": refused("authentication_failure", CREDENTIALS),
    "invalid_password": refused("invalid_password", CREDENTIALS),
    "ip_restricted": refused("ip_restricted", "does not accept logins of this user from this IP address"),
    "inactive_user": refused("inactive_user", "Activate, unlock or unfreeze the integration user"),
    "inactive_organization": refused("inactive_organization", "The org is inactive"),
    "audience": refused("audience", "login_url is not the host that logs this user in"),
    "no_client_credentials_user": refused("no_client_credentials_user", "Run As user"),
    "not_approved": refused("not_approved", "A policy of the org refuses"),
    "client_identifier_invalid": refused("client_identifier_invalid", "does not have the app that client_id names"),
    "invalid_client": refused("invalid_client", "Check client_secret"),
    "invalid_client_401": refused("invalid_client_401", "Check client_secret"),
    "unsupported_grant_type": refused("unsupported_grant_type", "Enable the chosen OAuth flow"),
    "not_admin_approved": refused("not_admin_approved", "A policy of the org refuses"),
    "app_not_found": refused("app_not_found", "install the app in this org"),
    "app_blocked": refused("app_blocked", "unblock the app"),
    "not_on_login_host": refused("not_on_login_host", "login_url is not the host"),
    "login_rate": Trial(
        [Fault(kind="oauth_error", error="login_rate", times=None)],
        Fails("transient_error", "logged in too often within the last hour", everything=True),
        requests={"token": 2},
    ),
    "maintenance_always": Trial(
        [Fault(kind="maintenance_html", times=None)],
        Fails("transient_error", "Salesforce is not available at the moment", everything=True),
        requests={"token": 6},
    ),
}

TROUBLE = {
    "login_rate_in_the_middle": Trial(
        [Fault(kind="session_ends", on="createJob"), Fault(kind="oauth_error", error="login_rate_403", after=1)],
        Fails("transient_error", "logged in too often", everything=True),
    ),
    "already_processing": Trial([Fault(kind="oauth_error", error="already_processing", times=2)]),
    "unknown_error": Trial([Fault(kind="oauth_error", error="retry")]),
    "maintenance_html": Trial([Fault(kind="maintenance_html")]),
    "maintenance_redirect": Trial([Fault(kind="maintenance_redirect")]),
    "closed": Trial([Fault(kind="close_before", on="token")]),
    "unparsable": Trial([Fault(kind="unparsable_json", on="token")]),
    "rotation": Trial([Fault(kind="session_ends", on="jobInfo")], settings=with_settings(rotate_refresh_tokens=True)),
}


@trials(REFUSALS)
def test_refused(trial: Trial, jobs: int) -> None:
    """Refused credentials are not tried again, and each refusal says what to do."""
    try_fault(trial, jobs)


@trials(TROUBLE)
def test_trouble(trial: Trial, jobs: int) -> None:
    """Trouble that passes, and tokens that change."""
    try_fault(trial, jobs)


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_rotated_refresh_token_is_handed_on_before_any_row(jobs: int, capfd: pytest.CaptureFixture[str]) -> None:
    """A run that lost it would lock the user out of the next."""
    with SimulatedOrg(with_settings(rotate_refresh_tokens=True)) as org:
        connector = Connector(org, impatient=True, max_concurrent_jobs=jobs)
        output = connector.read(configure(streams(), list(FIELDS), "incremental", FIELDS))
        assert not output.failed
        (newest,) = org.control.refresh_tokens()
        assert f'"refresh_token":"{newest}"' in capfd.readouterr().out.replace(" ", "")
