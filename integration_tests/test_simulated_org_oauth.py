from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
import requests

from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.simulated_org.errors import OAUTH_ERRORS
from integration_tests.simulated_org.oauth import make_key_pair

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def ask(org: SimulatedOrg, form: dict[str, str], base: str | None = None) -> requests.Response:
    return requests.post(f"{base or org.url}/services/oauth2/token", data=form, timeout=20)


def assertion(org: SimulatedOrg, key: str | None = None, **changes: object) -> str:
    credentials = org.credentials("jwt_bearer")
    claims = {
        "iss": credentials["client_id"],
        "sub": credentials["username"],
        "aud": org.url,
        "exp": int(time.time()) + 180,
    }
    return jwt.encode(claims | changes, key or credentials["private_key"], algorithm="RS256")


def test_refresh_answers_the_recorded_keys(org: SimulatedOrg) -> None:
    org.control.freeze_clock("2026-07-01T00:00:00Z")
    answer = OrgClient(org).token_answer
    assert set(answer) == {"access_token", "instance_url", "id", "issued_at", "signature", "token_type", "scope"}
    assert answer["issued_at"] == "1782864000000"
    assert answer["instance_url"] == org.instance_url != org.url
    organization, user = answer["id"].split("/")[-2:]
    assert organization.startswith("00D")
    assert user.startswith("005")


def test_identity_and_userinfo_name_the_organization(client: OrgClient) -> None:
    for address in (client.token_answer["id"], client.token_answer["instance_url"] + "/services/oauth2/userinfo"):
        assert client.session.get(address, timeout=20).json()["organization_id"].startswith("00D")


def test_refresh_without_rotation_keeps_its_token(org: SimulatedOrg, client: OrgClient) -> None:
    assert "refresh_token" not in client.login().json()
    assert client.login().status_code == 200


def test_rotation_kills_the_old_refresh_token() -> None:
    with SimulatedOrg(OrgSettings(rotate_refresh_tokens=True)) as org:
        old = org.credentials()["refresh_token"]
        client = OrgClient(org)
        assert org.credentials()["refresh_token"] == client.token_answer["refresh_token"] != old
        refused = client.login(refresh_token=old)
        assert refused.status_code == 400
        assert refused.json() == {"error": "invalid_grant", "error_description": "expired access/refresh token"}


def test_concurrent_refreshes_fail_when_asked_for() -> None:
    with SimulatedOrg(OrgSettings(concurrent_refresh="fail", token_seconds=0.1)) as org:
        client = OrgClient(org)
        with ThreadPoolExecutor(4) as pool:
            answers = [one.status_code for one in pool.map(lambda _: client.login(), range(4))]
        assert sorted(answers) == [200, 400, 400, 400]


def test_client_credentials(org: SimulatedOrg) -> None:
    credentials = org.credentials("client_credentials")
    form = {"grant_type": "client_credentials"} | {k: v for k, v in credentials.items() if k != "auth_type"}
    assert "refresh_token" not in ask(org, form).json()
    org.control.configure(login_refuses_client_credentials=True)
    assert ask(org, form).status_code == 400
    assert ask(org, form, org.instance_url).status_code == 200
    org.control.configure(client_credentials_user=False)
    assert ask(org, form, org.instance_url).json()["error_description"] == "no client credentials user enabled"
    assert ask(org, form | {"client_secret": "wrong"}, org.instance_url).json()["error"] == "invalid_client"


def test_jwt_bearer(org: SimulatedOrg) -> None:
    answer = ask(org, {"grant_type": JWT_GRANT, "assertion": assertion(org)})
    assert answer.status_code == 200, answer.text
    assert "refresh_token" not in answer.json()


@pytest.mark.parametrize(
    ("changes", "description"),
    [
        ({"aud": "https://elsewhere.example.org"}, "Audience validation failed"),
        ({"exp": 1}, "expired authorization code"),
        ({"sub": "stranger@example.org"}, "user hasn't approved this consumer"),
        ({"iss": "nobody"}, "client identifier invalid"),
    ],
)
def test_jwt_bearer_refusals(org: SimulatedOrg, changes: dict[str, object], description: str) -> None:
    answer = ask(org, {"grant_type": JWT_GRANT, "assertion": assertion(org, **changes)})
    assert (answer.status_code, answer.json()["error_description"]) == (400, description)


def test_jwt_bearer_checks_the_signature(org: SimulatedOrg) -> None:
    other_key, _ = make_key_pair.__wrapped__()
    answer = ask(org, {"grant_type": JWT_GRANT, "assertion": assertion(org, other_key)})
    assert answer.json()["error_description"] == "invalid assertion"


def test_unknown_grant_and_client(org: SimulatedOrg, client: OrgClient) -> None:
    assert ask(org, {"grant_type": "password"}).json()["error"] == "unsupported_grant_type"
    assert client.login(client_id="nobody").json()["error"] == "invalid_client_id"


@pytest.mark.parametrize("name", sorted(OAUTH_ERRORS))
def test_every_known_refusal_can_be_injected(org: SimulatedOrg, name: str) -> None:
    client = OrgClient(org)
    org.control.fault("oauth_error", error=name)
    answer = client.login()
    template = OAUTH_ERRORS[name]
    assert answer.status_code == template.status
    assert answer.json() == {"error": template.code, "error_description": template.message}
    assert client.login().status_code == 200


def test_a_session_dies_after_n_requests() -> None:
    with SimulatedOrg(OrgSettings(session_max_requests=2)) as org:
        client = OrgClient(org)
        assert [client.get("limits").status_code for _ in range(3)] == [200, 200, 401]
        assert client.get("limits").json() == [
            {"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}
        ]


def test_a_session_dies_of_idleness_by_the_orgs_clock() -> None:
    with SimulatedOrg(OrgSettings(session_max_age=7_200, frozen_at="2026-07-01T00:00:00Z")) as org:
        client = OrgClient(org)
        org.control.advance_clock(7_000)
        assert client.get("limits").status_code == 200
        org.control.advance_clock(7_000)
        assert client.get("limits").status_code == 200
        org.control.advance_clock(7_300)
        assert client.get("limits").status_code == 401


@pytest.mark.parametrize("reason", ["INVALID_SESSION_ID", "INVALID_JWT_FORMAT", "INVALID_AUTH_HEADER", "POLICY/agent"])
def test_sessions_end_at_command(org: SimulatedOrg, client: OrgClient, reason: str) -> None:
    assert client.get("limits").status_code == 200
    assert org.control.expire_sessions(reason) == 1
    answer = client.get("limits")
    assert answer.status_code == 401
    assert answer.json()[0]["errorCode"] == ("INVALID_SESSION_ID" if reason == "POLICY/agent" else reason)


def test_the_old_token_dies_on_refresh_when_asked_for() -> None:
    with SimulatedOrg(OrgSettings(old_token_dies_on_refresh=True)) as org:
        client = OrgClient(org)
        client.login()
        assert client.get("limits").status_code == 401


def test_revoked_tokens_are_useless(org: SimulatedOrg, client: OrgClient) -> None:
    requests.post(f"{org.url}/services/oauth2/revoke", data={"token": client.token_answer["access_token"]}, timeout=20)
    assert client.get("limits").status_code == 401
    org.control.revoke_refresh_tokens()
    assert org.control.refresh_tokens() == []
