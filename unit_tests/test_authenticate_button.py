"""The Authenticate button of the specification, seen from the platform that renders it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import pytest

from source_salesforce_bulk.airbyte.spec import advanced_auth, connection_specification
from source_salesforce_bulk.config import parse_config
from unit_tests import platform_oauth
from unit_tests.platform_oauth import FILTERS, FatalTemplateError, consent_url, render, s256, token_request

AUTH = advanced_auth()
FLOW = AUTH["oauth_config_specification"]
SPEC = FLOW["oauth_connector_input_specification"]
USER = {"login_url": "https://acme--dev.sandbox.my.salesforce.com"}
GIVEN = {
    "client_id": "3MVG9.app_ID",
    "client_secret": "s&cret=1 +/%",
    "redirect_uri": "https://cloud.airbyte.example/auth_flow?a=1&b=ü",
    "state": "aB3.-_" * 8,
    "code": "aPrx&c0de==",
}


@pytest.fixture(params=[s256, platform_oauth.s256_padded], ids=["today's platform", "an older platform"])
def platform(request, monkeypatch):
    """Both forms of the filter, base64url without padding and ordinary base64."""
    monkeypatch.setitem(FILTERS, "codechallengeS256", request.param)


def at(path: list[str]) -> Mapping[str, object]:
    """The schema of a place in the configuration."""
    schema = connection_specification()
    for key in path:
        if "oneOf" in schema:
            (schema,) = [one for one in schema["oneOf"] if one["properties"]["auth_type"]["const"] == "refresh_token"]
        schema = schema["properties"][key]
    return schema


def test_the_button_belongs_to_the_refresh_token():
    assert AUTH["auth_flow_type"] == "oauth2.0"
    branches = {one["properties"]["auth_type"]["const"] for one in at(["credentials"])["oneOf"]}
    assert AUTH["predicate_key"] == ["credentials", "auth_type"]
    assert AUTH["predicate_value"] in branches


def test_every_place_it_names_is_one_of_the_form():
    for schema in FLOW.values():
        for name, value in schema.get("properties", {}).items():
            if "path_in_connector_config" in value:
                assert at(value["path_in_connector_config"])["type"] == "string"
                assert value["path_in_connector_config"][-1] == name


def test_what_it_fills_in_is_a_complete_configuration():
    filled: dict[str, dict[str, str]] = {"credentials": {"auth_type": AUTH["predicate_value"]}}
    for part in ("complete_oauth_output_specification", "complete_oauth_server_output_specification"):
        for name, value in FLOW[part]["properties"].items():
            place, _ = value["path_in_connector_config"]
            filled[place][name] = "something"
    parse_config(filled)
    assert SPEC["extract_output"] == list(FLOW["complete_oauth_output_specification"]["properties"])


@pytest.mark.usefixtures("platform")
def test_the_log_in_window_gets_what_salesforce_asks_for():
    parts = urlsplit(consent_url(SPEC, USER, GIVEN))
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{USER['login_url']}/services/oauth2/authorize"
    query = {name: one for name, (one,) in parse_qs(parts.query, strict_parsing=True).items()}
    challenge = query.pop("code_challenge")
    assert query == {
        "response_type": "code",
        "client_id": GIVEN["client_id"],
        "redirect_uri": GIVEN["redirect_uri"],
        "state": GIVEN["state"],
        "scope": "api refresh_token",
        "code_challenge_method": "S256",
    }
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", challenge)


@pytest.mark.usefixtures("platform")
def test_the_exchange_is_a_form_and_no_secret_is_in_its_address():
    request = token_request(SPEC, USER, GIVEN)
    assert request.url == f"{USER['login_url']}/services/oauth2/token"
    sent = {name: one for name, (one,) in parse_qs(request.body, strict_parsing=True).items()}
    verifier = sent.pop("code_verifier")
    assert sent == {
        "grant_type": "authorization_code",
        "client_id": GIVEN["client_id"],
        "client_secret": GIVEN["client_secret"],
        "code": GIVEN["code"],
        "redirect_uri": GIVEN["redirect_uri"],
    }
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", verifier)


# The state of a platform that does not know `state`, and both ends of the lengths that are asked for.
@pytest.mark.parametrize("state", ["abcdefg", "a" * 43, "Z.-_9" * 25 + "abc"])
@pytest.mark.usefixtures("platform")
def test_the_verifier_answers_the_challenge_and_is_in_no_address(state):
    given = {**GIVEN, "state": state}
    address = consent_url(SPEC, USER, given)
    verifier = token_request(SPEC, USER, given).parameters["code_verifier"]
    assert parse_qs(urlsplit(address).query)["code_challenge"] == [s256(verifier)]
    assert verifier not in address
    assert verifier != state


@pytest.mark.parametrize("login_url", ["https://acme.my.salesforce.com/", "https://acme.my.salesforce.com"])
def test_a_slash_at_the_end_of_the_login_url_does_no_harm(login_url):
    address = consent_url(SPEC, {"login_url": login_url}, GIVEN)
    assert address.startswith("https://acme.my.salesforce.com/services/")
    assert token_request(SPEC, {"login_url": login_url}, GIVEN).url.startswith("https://acme.my.salesforce.com/serv")


@pytest.mark.parametrize(
    "template",
    [
        "{{ {{redirect_uri_value}} | urlEncoder }}",
        "{{ {{state_value}} | codeChallengeS256 }}",
        "{{ state_value | codeChallengeS256 }}",
        "{{ state_value | CODECHALLENGES256 }}",
        "{{ redirect_uri_value | urlEncoder }}",
        "{{ state_value | lower }}",
        "{{ state_value | base64Encoder }}",
        "{{ state_value | replace('+') }}",
        "{{ state_value",
        "{% set x = 1 %}",
    ],
)
def test_the_platform_here_refuses_what_the_real_one_refuses(template):
    with pytest.raises(FatalTemplateError):
        render(template, {"state_value": "a", "redirect_uri_value": "b"})


def test_the_platform_here_renders_as_the_real_one_does():
    values = {"a": "x y/é", "none": None}
    assert render("{{a}}-{{ a | urlencode }}-{{ a | b64encode }}", values) == "x y/é-x+y%2F%C3%A9-eCB5L8Op"
    assert render("{{ none }}{{ missing }}{{ a | replace(' ', '}') | replace(\"é\",'') }}", values) == "x}y/"
