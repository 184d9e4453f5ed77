from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
import requests
import urllib3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.failures import Action, Consequence, Kind, SalesforceError
from source_salesforce_bulk.salesforce.http_client import Timeouts
from source_salesforce_bulk.salesforce.oauth import JwtBearer, RefreshToken
from source_salesforce_bulk.salesforce.token import Login, SecretHooks, TokenProvider
from unit_tests.fakes import Answer, FakeClock, ScriptedHttp

LOGIN = "https://login.salesforce.com"
GRANT = RefreshToken("client", "client-secret/+=", "refresh-0")


def reply(token: str, **more: str) -> Answer:
    return Answer(200, {"access_token": token, "instance_url": "https://acme.my.salesforce.com", **more})


def refused(description: str = "expired access/refresh token") -> Answer:
    return Answer(400, {"error": "invalid_grant", "error_description": description})


class Rig:
    def __init__(self, credentials=GRANT, on_rotation=None, newer=lambda: None, login_url=LOGIN) -> None:
        self.http, self.clock = ScriptedHttp(), FakeClock()
        self.told: list[tuple[str, str]] = []
        hooks = SecretHooks(
            on_rotation or (lambda token: self.told.append(("rotation", token))),
            lambda secret: self.told.append(("secret", secret)),
            newer,
        )
        self.tokens = TokenProvider(Login(credentials, login_url), Caller(self.http, self.clock, lambda: 0.0), hooks)

    def answers(self, *answers: Answer) -> Rig:
        for answer in answers:
            self.http.expect("POST", "/services/oauth2/token", answer)
        return self

    def forms(self) -> list:
        return [sent.form for sent in self.http.sent]


@pytest.fixture
def rig():
    rig = Rig()
    with rig.http:
        yield rig


def test_the_first_call_logs_in_and_the_next_ones_do_not(rig):
    rig.answers(reply("access-1"))
    assert rig.tokens.session().access_token == "access-1"
    assert rig.tokens.session().instance_url == "https://acme.my.salesforce.com"
    sent = rig.http.sent[0]
    assert sent.url == "https://login.salesforce.com/services/oauth2/token"
    assert sent.form["refresh_token"] == "refresh-0"
    assert sent.timeouts == Timeouts(connect=10.0, head=30.0, body=30.0)


def test_a_refresh_replaces_the_session_it_was_asked_for(rig):
    rig.answers(reply("access-1"), reply("access-2"))
    rig.tokens.session()
    assert rig.tokens.refresh("access-1").access_token == "access-2"
    assert rig.tokens.session().access_token == "access-2"


def test_who_comes_late_gets_the_session_that_is_there(rig):
    rig.answers(reply("access-1"), reply("access-2"))
    rig.tokens.session()
    rig.tokens.refresh("access-1")
    assert rig.tokens.refresh("access-1").access_token == "access-2"
    assert rig.tokens.refresh("access-0").access_token == "access-2"


def test_threads_with_the_same_stale_token_share_one_request():
    threads = 8
    rig = Rig().answers(reply("access-1"))
    rig.tokens.session()
    ready, waiting = threading.Barrier(threads), threading.Event()

    def others_have_come(sent):
        assert waiting.wait(10)

    rig.http.expect("POST", "/token", reply("access-2"), check=others_have_come)

    def refresh() -> str:
        if ready.wait(10) == 0:
            waiting.set()
        return rig.tokens.refresh("access-1").access_token

    with rig.http, ThreadPoolExecutor(threads) as pool:
        results = [pool.submit(refresh) for _ in range(threads)]
        assert {result.result(10) for result in results} == {"access-2"}
    assert len(rig.http.sent) == 2


def test_threads_that_wait_share_the_failure_too():
    rig = Rig()
    arrived = threading.Event()

    def second_has_come(sent):
        second.start()
        assert arrived.wait(10)

    rig.http.expect("POST", "/token", refused(), check=second_has_come)
    failures: list[SalesforceError] = []

    def log_in() -> None:
        arrived.set()
        try:
            rig.tokens.session()
        except SalesforceError as error:
            failures.append(error)

    second = threading.Thread(target=log_in)
    with rig.http:
        log_in()
        second.join(10)
    assert [error.failure.kind for error in failures] == [Kind.CREDENTIALS_REFUSED] * 2


# Rotation.


def test_a_rotated_refresh_token_is_handed_on_first_and_used_from_then_on(rig):
    rig.answers(reply("access-1", refresh_token="refresh-1"), reply("access-2"))
    rig.tokens.session()
    assert rig.told == [("rotation", "refresh-1"), ("secret", "refresh-1"), ("secret", "access-1")]
    rig.tokens.refresh("access-1")
    assert [form["refresh_token"] for form in rig.forms()] == ["refresh-0", "refresh-1"]
    assert rig.told[3:] == [("secret", "access-2")]


def test_the_same_refresh_token_again_is_no_rotation(rig):
    rig.answers(reply("access-1", refresh_token="refresh-0"))
    rig.tokens.session()
    assert rig.told == [("secret", "access-1")]


def test_a_rotated_token_survives_a_reply_that_is_otherwise_useless(rig):
    rig.answers(Answer(200, {"refresh_token": "refresh-1"}), reply("access-1"))
    assert rig.tokens.session().access_token == "access-1"
    assert rig.told[0] == ("rotation", "refresh-1")
    assert rig.forms()[1]["refresh_token"] == "refresh-1"


def test_where_handing_on_fails_the_login_fails_and_the_new_token_stays_known():
    def broken(token: str) -> None:
        raise BrokenPipeError("stdout is gone")

    rig = Rig(on_rotation=broken).answers(reply("access-1", refresh_token="refresh-1"), reply("access-2"))
    with pytest.raises(BrokenPipeError):
        rig.tokens.session()
    assert rig.told == [("secret", "refresh-1")]
    assert rig.tokens.redact("refresh-1") == "****"
    assert rig.tokens.session().access_token == "access-2"
    assert rig.forms()[1]["refresh_token"] == "refresh-1"


def test_a_session_does_not_spread_the_refresh_token(rig):
    rig.answers(reply("access-1", refresh_token="refresh-1"))
    assert rig.tokens.session().refresh_token is None


# Trouble.


@pytest.mark.parametrize(
    "trouble",
    [
        Answer(503, b"<html><body>Down for maintenance</body></html>", headers={"Content-Type": "text/html"}),
        Answer(200, b"<html><body>Down for maintenance</body></html>", headers={"Content-Type": "text/html"}),
        Answer(302, headers={"Location": "https://acme.my.salesforce.com/maintenance"}),
        Answer(429, headers={"Retry-After": "1"}),
        Answer(error=requests.ConnectionError("reset")),
        Answer(error=requests.ReadTimeout("x")),
        Answer(200, [b'{"access_', urllib3.exceptions.ProtocolError("cut")]),
        Answer(200, b'{"access_token":"x"', headers={"Content-Length": "80"}),
        Answer(200, {"access_token": "x"}),
        refused("token request is already being processed"),
        Answer(400, {"error": "unknown_error", "error_description": "retry your request"}),
    ],
    ids=lambda answer: f"{answer.error or answer.status}",
)
def test_trouble_that_passes_is_tried_again_after_a_pause(rig, trouble):
    rig.answers(trouble, reply("access-1"))
    assert rig.tokens.session().access_token == "access-1"
    assert rig.clock.sleeps == [1.0]


def test_the_attempts_are_bounded_and_the_next_call_may_try_again(rig):
    rig.answers(*[Answer(503)] * 5, reply("access-1"))
    with pytest.raises(SalesforceError) as raised:
        rig.tokens.session()
    assert raised.value.failure.consequence is Consequence.TRANSIENT
    assert rig.clock.sleeps == [1.0, 2.0, 4.0, 8.0]
    assert rig.tokens.session().access_token == "access-1"


def test_refused_credentials_are_not_tried_again_in_this_run(rig):
    rig.answers(refused())
    for _ in range(3):
        with pytest.raises(SalesforceError) as raised:
            rig.tokens.session()
        failure = raised.value.failure
        assert (failure.kind, failure.action, failure.consequence) == (
            Kind.CREDENTIALS_REFUSED,
            Action.STOP_RUN,
            Consequence.CONFIG,
        )
    assert rig.clock.sleeps == []


def test_a_redirect_to_elsewhere_is_a_wrong_login_host(rig):
    rig.answers(Answer(302, headers={"Location": "https://acme.lightning.force.com/"}))
    with pytest.raises(SalesforceError) as raised:
        rig.tokens.session()
    assert raised.value.failure.kind is Kind.WRONG_LOGIN_HOST


def test_stopping_ends_the_wait_for_the_next_attempt(rig):
    rig.http.expect("POST", "/token", Answer(503), check=lambda _: setattr(rig.clock, "stopped", True))
    with pytest.raises(Stopped):
        rig.tokens.session()


# The audience of a JWT.


WRONG_AUDIENCE = refused("Audience validation failed")
MY_DOMAIN = "https://acme.my.salesforce.com"


def audiences_of(rig) -> list[str]:
    decoded = (jwt.decode(form["assertion"], options={"verify_signature": False}) for form in rig.forms())
    return [claims["aud"] for claims in decoded]


@pytest.mark.parametrize(
    ("login_url", "tried"),
    [
        (LOGIN, [LOGIN, "https://test.salesforce.com"]),
        ("https://acme.cs42.my.salesforce.com", ["https://test.salesforce.com", LOGIN]),
        (MY_DOMAIN, [MY_DOMAIN, LOGIN, "https://test.salesforce.com"]),
    ],
)
def test_a_refused_audience_is_replaced_by_each_other_that_may_be_meant_once(pem, login_url, tried):
    rig = Rig(JwtBearer("client", "user", pem), login_url=login_url)
    with rig.http:
        rig.answers(*[WRONG_AUDIENCE] * len(tried))
        with pytest.raises(SalesforceError) as raised:
            rig.tokens.session()
    assert audiences_of(rig) == tried
    assert raised.value.failure.kind is Kind.WRONG_LOGIN_HOST
    assert rig.clock.sleeps == []


def test_the_audience_that_was_accepted_is_used_from_then_on(pem):
    rig = Rig(JwtBearer("client", "user", pem))
    with rig.http:
        rig.answers(WRONG_AUDIENCE, reply("access-1"), reply("access-2"))
        rig.tokens.session()
        assert rig.tokens.refresh("access-1").access_token == "access-2"
    assert audiences_of(rig) == [LOGIN, "https://test.salesforce.com", "https://test.salesforce.com"]


@pytest.mark.parametrize(
    "answer",
    [
        refused("user hasn't approved this consumer"),
        refused("invalid assertion"),
        Answer(302, headers={"Location": "https://acme.lightning.force.com/"}),
    ],
)
def test_any_other_refusal_of_a_jwt_is_not_tried_with_another_audience(pem, answer):
    rig = Rig(JwtBearer("client", "user", pem))
    with rig.http:
        rig.answers(answer)
        with pytest.raises(SalesforceError):
            rig.tokens.session()


def test_a_refresh_token_has_no_audience_to_try(rig):
    rig.answers(WRONG_AUDIENCE)
    with pytest.raises(SalesforceError):
        rig.tokens.session()


# Secrets.


def test_every_secret_ever_seen_is_masked(rig):
    rig.answers(reply("access-1", refresh_token="refresh-1"), reply("access-2"))
    rig.tokens.session()
    rig.tokens.refresh("access-1")
    text = "client-secret/+= refresh-0 refresh-1 access-1 access-2 client"
    assert rig.tokens.redact(text) == "**** **** **** **** **** client"


def test_an_error_that_echoes_the_request_is_masked(rig):
    rig.answers(refused("bad request: client_secret=client-secret%2F%2B%3D&refresh_token=refresh-0"))
    with pytest.raises(SalesforceError) as raised:
        rig.tokens.session()
    assert "client_secret=****&refresh_token=****" in str(raised.value)


@pytest.fixture(scope="module")
def pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


def test_a_key_its_lines_and_the_assertion_are_masked(pem):
    rig = Rig(JwtBearer("client", "user", pem)).answers(reply("access-1"))
    rig.tokens.session()
    assertion = rig.forms()[0]["assertion"]
    assert ("secret", assertion) in rig.told
    assert rig.tokens.redact(f"a {assertion} b") == "a **** b"
    assert rig.tokens.redact(f"key: {pem}") == "key: ****"
    assert rig.tokens.redact(pem.splitlines()[3]) == "****"


def test_refused_credentials_are_replaced_by_newer_ones_once():
    """A secret that was rotated while the run went on."""
    newer = RefreshToken("client", "client-secret/+=", "refresh-from-the-store")
    rig = Rig(newer=lambda: newer)
    with rig.http:
        rig.answers(refused(), reply("access-1"), refused())
        assert rig.tokens.session().access_token == "access-1"
        assert [form["refresh_token"] for form in rig.forms()] == ["refresh-0", "refresh-from-the-store"]
        assert rig.tokens.redact("refresh-from-the-store") == "****"
        with pytest.raises(SalesforceError):
            rig.tokens.refresh("access-1")


def test_the_same_credentials_again_are_not_tried():
    rig = Rig(newer=lambda: GRANT)
    with rig.http:
        rig.answers(refused())
        with pytest.raises(SalesforceError):
            rig.tokens.session()


def test_trouble_that_passes_asks_for_no_newer_credentials():
    def never():
        raise AssertionError("no session was refused")

    rig = Rig(newer=never)
    with rig.http:
        rig.answers(Answer(503), reply("access-1"))
        assert rig.tokens.session().access_token == "access-1"
