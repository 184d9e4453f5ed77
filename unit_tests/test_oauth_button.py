from __future__ import annotations

import re
from collections.abc import Mapping

from source_salesforce_bulk.airbyte.oauth_button import advanced_auth
from source_salesforce_bulk.airbyte.spec import connection_specification
from source_salesforce_bulk.config import parse_config

AUTH = advanced_auth()
FLOW = AUTH["oauth_config_specification"]
URLS = FLOW["oauth_connector_input_specification"]
# What the platform fills in by itself, beside what the user has entered (CDK 7, declarative OAuth).
PLATFORM_WORDS = {
    f"{name}_{part}"
    for name in ("client_id", "client_secret", "redirect_uri", "state", "scope", "auth_code")
    for part in ("key", "value")
}


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


def test_both_addresses_use_only_words_that_can_be_filled_in():
    known = PLATFORM_WORDS | set(FLOW["oauth_user_input_from_connector_config_specification"]["properties"])
    for url in (URLS["consent_url"], URLS["access_token_url"]):
        assert url.startswith("{{login_url}}/services/oauth2/")
        assert set(re.findall(r"{{(\w+)}}", url)) <= known
        assert url.count("{{") == url.count("}}")


def test_the_code_is_bound_to_who_asked_for_it():
    """PKCE: the challenge goes out with the user's browser, the verifier with the exchange."""
    assert "code_challenge={{ {{state_value}} | codeChallengeS256 }}&code_challenge_method=S256" in URLS["consent_url"]
    assert "code_verifier={{state_value}}" in URLS["access_token_url"]
    assert (URLS["state"]["min"], URLS["state"]["max"]) == (43, 128)


def test_it_asks_for_a_refresh_token_and_the_api():
    assert set(URLS["scope"].split()) == {"api", "refresh_token"}
    assert URLS["extract_output"] == ["refresh_token"]
