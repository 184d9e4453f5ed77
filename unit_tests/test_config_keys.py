from __future__ import annotations

import pytest

from source_salesforce_bulk.config_keys import UnknownKey, unknown_keys

SECRET = "5Aep861TSESvWeug_x"


def one(raw: dict) -> UnknownKey:
    (found,) = unknown_keys(raw)
    return found


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("start_dat", "start_date"),
        ("startDate", "start_date"),
        ("StartDate", "start_date"),
        ("include_objects", "objects"),
        ("Objects", "objects"),
        ("credential", "credentials"),
        ("pagesize", "page_size"),
        ("timeout", "job_timeout"),
        ("is_sandbox", "login_url"),
        ("where", "object_overrides.where"),
        ("client_id", "credentials.client_id"),
        ("refresh_token", "credentials.refresh_token"),
        ("nonsense", None),
    ],
)
def test_a_key_that_the_form_does_not_have_is_found_with_the_one_that_was_meant(written, meant):
    found = one({"objects": ["*"], written: True})
    assert (found.place, found.name, found.meant) == ("", written, meant)
    assert "start_date" in found.known


@pytest.mark.parametrize(
    ("raw", "place", "name", "meant"),
    [
        ({"credentials": {"auth_type": "x", "client_secet": 1}}, "credentials", "client_secet", "client_secret"),
        ({"credentials": {"password": 1}}, "credentials", None, None),
        ({"object_overrides": [{}, {"object": "A", "wher": "x"}]}, "object_overrides[1]", "wher", "where"),
        ({"object_overrides": [{"objects": "A"}]}, "object_overrides[0]", "objects", "object"),
        ({"object_overrides": [{"start_date": "A"}]}, "object_overrides[0]", "start_date", "start_date"),
    ],
)
def test_keys_are_looked_at_on_every_level(raw, place, name, meant):
    found = one(raw)
    assert (found.place, found.name, found.meant) == (place, name, meant)


def test_a_secret_in_the_place_of_a_key_is_not_repeated():
    assert SECRET not in repr(one({"credentials": {SECRET: ""}}))


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"_page_size": 5, "credentials": {"_x": 1}, "object_overrides": [{"_y": 1}]},
        {"__injected": {}},
        {"typo": None},
        {"credentials": {"auth_type": "jwt_bearer", "refresh_token": "left over"}},
        {"credentials": 5, "object_overrides": {"where": 1}, "objects": [{"a": 1}]},
        None,
        ["a"],
    ],
)
def test_what_is_the_platforms_is_null_or_is_known_elsewhere_passes(raw):
    assert list(unknown_keys(raw)) == []


def test_a_key_without_end_takes_no_time_to_compare():
    assert one({"start_dat" * 100_000: 1}).meant is None
