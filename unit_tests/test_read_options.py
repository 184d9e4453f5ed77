from __future__ import annotations

import re

import pytest

from source_salesforce_bulk.config import Config, DetectDeletes, parse_config
from source_salesforce_bulk.config_values import ConfigError
from source_salesforce_bulk.spark.read_options import ReadOptions, narrowed, parse_options

LEAST = {"config": "env:CONFIG", "object": "Account"}


def config(**more: object) -> Config:
    credentials = {"auth_type": "client_credentials", "client_id": "id", "client_secret": "secret"}
    return parse_config({"credentials": credentials, "login_url": "https://example.my.salesforce.com", **more})


def test_names_have_any_letter_case_and_values_lose_their_blanks():
    given = {"Config": " env:CONFIG ", "OBJECT": "Account", "Fields": "Name , Industry,", "push_filters": "True"}
    assert parse_options(given) == ReadOptions("env:CONFIG", "Account", ("Name", "Industry"), push_filters=True)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"object": "Account"}, "option config is missing"),
        ({"config": "env:CONFIG"}, "option object is not the name of one object"),
        ({**LEAST, "object": "Acc*"}, "option object is not the name of one object"),
        ({**LEAST, "feilds": "Name"}, "option feilds is unknown. Did you mean fields?"),
        ({**LEAST, "path": "x"}, "option path is unknown. The options are config, object, fields"),
        ({**LEAST, "push_filters": "yes"}, "option push_filters is neither true nor false"),
        ({**LEAST, "push_filters": "true", "state": "s"}, "option push_filters cannot be combined with state"),
        ({**LEAST, "where": "Name = 'x' LIMIT 3"}, "option where contains LIMIT"),
    ],
)
def test_a_wrong_option_is_one_sentence(given, sentence):
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        parse_options(given)


def test_options_replace_what_the_configuration_has_for_the_object():
    kept = config(object_overrides=[{"object": "account", "where": "Rating = 'Hot'", "fields": ["Name"]}])
    options = ReadOptions("env:CONFIG", "Account", ("Phone",), "Rating = 'Cold'")

    override = narrowed(kept, options).override_for("Account")

    assert (override.fields, override.where) == (("Phone",), "Rating = 'Cold'")
    assert narrowed(kept, options).objects == ("Account",)


def test_pushed_conditions_are_added_to_the_users():
    kept = config(object_overrides=[{"object": "Account", "where": "A = 1 OR B = 2"}])
    override = narrowed(kept, ReadOptions("env:CONFIG", "Account"), ["C = 3", "D = 4"]).override_for("Account")
    assert override.where == "(A = 1 OR B = 2) AND (C = 3) AND (D = 4)"


def test_without_options_the_configuration_stays_as_it_is():
    assert narrowed(config(), ReadOptions("env:CONFIG", "Account")).overrides == {}


def test_rows_that_vanish_formulas_that_move_and_new_fields_are_left_to_exports():
    whole = config(detect_deletes="all", formula_fields="refresh", backfill_new_fields=True)
    kept = narrowed(whole, ReadOptions("env:CONFIG", "Account"))
    assert (kept.detect_deletes, kept.formula_fields) == (DetectDeletes.RECYCLE_BIN, "read")
    assert not kept.backfill_new_fields
