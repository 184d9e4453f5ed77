from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.salesforce.failures import Action, Consequence, Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.oauth import (
    ClientCredentials,
    JwtBearer,
    RefreshToken,
    Session,
    audiences,
    build_token_request,
    is_loopback,
    list_secrets,
    parse_token_reply,
)
from source_salesforce_bulk.salesforce.wire import ApiResponse

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LOGIN = "https://login.salesforce.com"
REPLY = {
    "access_token": "00Dx!AQEAQ",
    "instance_url": "https://acme.my.salesforce.com",
    "id": "https://login.salesforce.com/id/00D000000000001EAA/005000000000001AAA",
    "issued_at": "1763863200123",
    "signature": "x=",
    "token_type": "Bearer",
}


def pem(key) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def replied(reply: object, status: int = 200, login_url: str = LOGIN) -> Session | Failure:
    body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
    return parse_token_reply(ApiResponse(status, {}, body), login_url, lambda text: text)


def test_the_refresh_token_flow_sends_its_four_parameters():
    request = build_token_request(RefreshToken("id", "secret", "refresh"), LOGIN + "/", NOW)
    assert request.url == "https://login.salesforce.com/services/oauth2/token"
    assert request.form == {
        "grant_type": "refresh_token",
        "refresh_token": "refresh",
        "client_id": "id",
        "client_secret": "secret",
    }


def test_an_app_without_a_secret_is_sent_none():
    assert "client_secret" not in build_token_request(RefreshToken("id", "", "refresh"), LOGIN, NOW).form


def test_the_client_credentials_flow_sends_its_three_parameters():
    form = build_token_request(ClientCredentials("id", "secret"), LOGIN, NOW).form
    assert form == {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}


def test_the_jwt_flow_signs_who_for_whom_and_until_when(key):
    form = build_token_request(JwtBearer("id", "user@acme.com", pem(key)), LOGIN, NOW).form
    claims = jwt.decode(
        form["assertion"], key.public_key(), algorithms=["RS256"], audience=LOGIN, options={"verify_exp": False}
    )
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert claims == {
        "iss": "id",
        "sub": "user@acme.com",
        "aud": LOGIN,
        "exp": int((NOW + timedelta(minutes=3)).timestamp()),
    }


@pytest.mark.parametrize(
    ("login_url", "audience"),
    [
        ("https://login.salesforce.com/", "https://login.salesforce.com"),
        ("https://test.salesforce.com", "https://test.salesforce.com"),
        ("https://acme.my.salesforce.com", "https://acme.my.salesforce.com"),
        ("https://acme--uat.sandbox.my.salesforce.com", "https://test.salesforce.com"),
        ("https://acme--uat.my.salesforce.com", "https://test.salesforce.com"),
        ("https://acme--uat.cs42.my.salesforce.com", "https://test.salesforce.com"),
        ("https://power-ocean-1234-dev-ed.scratch.my.salesforce.com", "https://test.salesforce.com"),
        ("https://acme.cs42.my.salesforce.com", "https://test.salesforce.com"),
        ("https://cs42.salesforce.com", "https://test.salesforce.com"),
        ("https://na123.salesforce.com", "https://na123.salesforce.com"),
        ("https://acme-dev-ed.develop.my.salesforce.com", "https://acme-dev-ed.develop.my.salesforce.com"),
        ("https://csi42.my.salesforce.com", "https://csi42.my.salesforce.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_the_assertion_is_for_the_login_host_and_of_a_sandbox_for_the_common_one(key, login_url, audience):
    form = build_token_request(JwtBearer("id", "user", pem(key)), login_url, NOW).form
    assert jwt.decode(form["assertion"], options={"verify_signature": False})["aud"] == audience


@pytest.mark.parametrize(
    ("login_url", "others"),
    [
        (LOGIN, ("https://test.salesforce.com",)),
        ("https://cs42.salesforce.com", (LOGIN,)),
        ("https://acme.my.salesforce.com/", (LOGIN, "https://test.salesforce.com")),
    ],
)
def test_the_standard_audiences_stand_behind_the_likeliest_one(login_url, others):
    assert audiences(login_url)[1:] == others


def test_an_assertion_is_for_the_audience_that_is_asked_for(key):
    form = build_token_request(JwtBearer("id", "user", pem(key)), LOGIN, NOW, "https://test.salesforce.com").form
    claims = jwt.decode(form["assertion"], options={"verify_signature": False})
    assert claims["aud"] == "https://test.salesforce.com"


@pytest.mark.parametrize("text", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_a_key_that_cannot_sign_is_the_users_to_correct_and_is_not_quoted(text):
    with pytest.raises(SalesforceError) as raised:
        build_token_request(JwtBearer("id", "user", text), LOGIN, NOW)
    failure = raised.value.failure
    assert (failure.kind, failure.action) == (Kind.CREDENTIALS_REFUSED, Action.STOP_RUN)
    assert failure.consequence is Consequence.CONFIG
    assert raised.value.__suppress_context__
    assert "AAAA" not in str(raised.value)


def test_a_key_of_another_kind_is_refused():
    with pytest.raises(SalesforceError, match="not an RSA private key"):
        build_token_request(JwtBearer("id", "user", pem(ec.generate_private_key(ec.SECP256R1()))), LOGIN, NOW)


def test_the_secrets_of_each_flow_are_all_but_the_names():
    assert list_secrets(RefreshToken("id", "s", "r")) == ("s", "r")
    assert list_secrets(ClientCredentials("id", "s")) == ("s",)


def test_a_keys_lines_are_secrets_of_their_own(key):
    whole, *lines = list_secrets(JwtBearer("id", "user", pem(key)))
    assert whole == pem(key)
    assert len(lines) > 10
    assert all(line in pem(key) and "-----" not in line for line in lines)


def test_no_repr_shows_a_secret(key):
    credentials = [
        RefreshToken("id", "S3CRET", "S3CRET"),
        ClientCredentials("id", "S3CRET"),
        JwtBearer("i", "u", "S3CRET"),
    ]
    session = Session("S3CRET", "https://acme.my.salesforce.com", refresh_token="S3CRET")
    request = build_token_request(credentials[0], LOGIN, NOW)
    assert "S3CRET" not in repr([credentials, session, request])


def test_a_reply_opens_a_session():
    assert replied(REPLY) == Session(
        access_token="00Dx!AQEAQ",
        instance_url="https://acme.my.salesforce.com",
        issued_at=datetime(2025, 11, 23, 2, 0, 0, 123000, tzinfo=UTC),
        organization_id="00D000000000001EAA",
        user_id="005000000000001AAA",
        refresh_token=None,
    )


def test_a_rotated_refresh_token_comes_with_the_session():
    session = replied({**REPLY, "refresh_token": "new"})
    assert isinstance(session, Session)
    assert session.refresh_token == "new"


@pytest.mark.parametrize("reply", [{"id": "https://x/id/1/2"}, {"id": 7}, {}])
@pytest.mark.parametrize("issued_at", ["", "soon", "9" * 30, "9" * 18, -7, [7], None])
def test_what_is_not_needed_may_be_missing_or_odd(reply, issued_at):
    needed = {"access_token": "t", "instance_url": "https://acme.my.salesforce.com"}
    session = replied({**needed, **reply, "issued_at": issued_at})
    assert isinstance(session, Session)
    assert (session.organization_id, session.user_id, session.issued_at) == (None, None, None)


@pytest.mark.parametrize("issued_at", [1763863200123, "1763863200123", 1763863200123.0])
def test_the_time_of_issue_may_be_a_number(issued_at):
    assert replied({**REPLY, "issued_at": issued_at}) == replied({**REPLY, "issued_at": "1763863200123"})
    assert replied({**REPLY, "issued_at": issued_at}).issued_at == datetime(2025, 11, 23, 2, 0, 0, 123000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("https://acme.my.salesforce.com/", "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com/services?x=1#y", "https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com:8443", "https://acme.my.salesforce.com:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost:8080", "http://localhost:8080"),
    ],
)
def test_instance_url_is_cut_to_scheme_and_host(given, base):
    session = replied({**REPLY, "instance_url": given}, login_url=base)
    assert isinstance(session, Session)
    assert session.instance_url == base


@pytest.mark.parametrize(
    "url",
    [
        "http://acme.my.salesforce.com",
        "http://localhost.example.com",
        "https://",
        "https://user@acme.my.salesforce.com",
        "https://acme:99999999",
        "https://[",
        "https://acme\x1b[31m.com",
        "https://acme.com\ud800",
        "https://acme com",
        "ftp://acme",
        "acme.my.salesforce.com",
        "",
        None,
        7,
    ],
)
def test_an_address_that_may_not_be_given_the_token_opens_no_session(url):
    failure = replied({**REPLY, "instance_url": url})
    assert isinstance(failure, Failure)
    assert failure.kind is Kind.UNREADABLE_ANSWER


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:8080"])
@pytest.mark.parametrize("login_url", [LOGIN, "https://localhost:8443", "https://127.0.0.1"])
def test_a_login_over_tls_opens_no_session_without_it(url, login_url):
    failure = replied({**REPLY, "instance_url": url}, login_url=login_url)
    assert isinstance(failure, Failure)
    assert "its instance_url is not an https address" in failure.summary


@pytest.mark.parametrize("token", ["", "a b", "a\nHost: evil", "é", 7, None])
def test_a_token_that_is_none_opens_no_session_and_is_not_shown(token):
    failure = replied({**REPLY, "access_token": token})
    assert isinstance(failure, Failure)
    assert "evil" not in failure.summary


def test_a_refusal_says_what_to_do():
    failure = replied({"error": "invalid_grant", "error_description": "expired access/refresh token"}, 400)
    assert isinstance(failure, Failure)
    assert failure.consequence is Consequence.CONFIG
    assert "Authenticate again" in failure.guidance


def test_an_error_that_calls_itself_a_success_is_a_refusal():
    failure = replied({"error": "invalid_client", "error_description": "x"})
    assert isinstance(failure, Failure)
    assert failure.kind is Kind.CREDENTIALS_REFUSED


@given(st.integers(100, 599), st.binary(max_size=100))
def test_any_reply_is_a_session_or_a_failure(status, body):
    assert isinstance(replied(body, status), Session | Failure)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("localhost.evil.com", False),
        ("", False),
        (None, False),
    ],
)
def test_only_this_machine_is_loopback(host, loopback):
    assert is_loopback(host) is loopback
