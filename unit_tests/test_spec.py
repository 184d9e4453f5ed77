from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from source_salesforce_bulk.airbyte.spec import SPEC_FILE, connection_specification, connector_specification, spec_text
from source_salesforce_bulk.config import REMEDIES, parse_config

ROOT = Path(__file__).parents[1]
SCHEMA = connection_specification()
PROPERTIES = SCHEMA["properties"]
BRANCHES = {branch["properties"]["auth_type"]["const"]: branch for branch in PROPERTIES["credentials"]["oneOf"]}
CREDENTIALS = {"auth_type": "refresh_token", "client_id": "id", "client_secret": "s", "refresh_token": "t"}

# key -> (type, default). None: no default.
KEYS = {
    "credentials": ("object", None),
    "login_url": ("string", "https://login.salesforce.com"),
    "start_date": ("string", None),
    "objects": ("array", ["*"]),
    "exclude_objects": ("array", []),
    "include_deleted": ("boolean", True),
    "detect_deletes": ("string", "recycle_bin"),
    "full_audit_every": ("string", "P7D"),
    "max_deletes": ("integer", 20),
    "compound_fields": ("string", "parts"),
    "formula_fields": ("string", "read"),
    "clock_formulas": ("string", "leave_out"),
    "backfill_new_fields": ("boolean", False),
    "lookback_window": ("string", "PT10M"),
    "api_version": ("string", "v66.0"),
    "max_concurrent_jobs": ("integer", 10),
    "page_size": ("integer", 50000),
    "job_timeout": ("string", "PT4H"),
    "daily_limit_reserve_percent": ("integer", 5),
    "hash_key": ("string", None),
    "object_overrides": ("array", []),
}
SECRETS = {"client_secret", "refresh_token", "private_key", "hash_key"}
SECRET_NAME = re.compile(
    r"(^|_)(token|secret|password|passphrase|private_key|hash_key|api_key|jwt|credentials?)$", re.IGNORECASE
)
FORBIDDEN = {
    "$ref", "$defs", "definitions", "allOf", "anyOf", "not", "if", "then", "else", "discriminator", "contains",
    "patternProperties", "prefixItems", "minProperties", "maxProperties", "dependencies", "nullable",
}  # fmt: skip


def schemas(schema: dict, path: str = "") -> Iterator[tuple[str, dict]]:
    """Every schema within, itself first, by its path."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from schemas(inner, f"{path}.{name}".removeprefix("."))
    for at, inner in enumerate(schema.get("oneOf", [])):
        yield from schemas(inner, f"{path}<{at}>")
    if "items" in schema:
        yield from schemas(schema["items"], f"{path}[]")


ALL = dict(schemas(SCHEMA))
NAMED = {path: schema for path, schema in ALL.items() if path and not path.endswith((">", "[]"))}


def leaf(path: str) -> str:
    return path.rpartition(".")[2]


def minimal(**keys: object) -> dict:
    return {"credentials": CREDENTIALS, **keys}


def test_the_schema_is_a_draft_7_schema():
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(SCHEMA)


def test_every_key_has_its_type_and_default():
    assert list(PROPERTIES) == list(KEYS)
    assert {key: (value["type"], value.get("default")) for key, value in PROPERTIES.items()} == KEYS
    assert "default" not in PROPERTIES["start_date"]
    assert SCHEMA["required"] == ["credentials"]


def test_ranges():
    bounds = {
        key: (value.get("minimum"), value.get("maximum"))
        for key, value in PROPERTIES.items()
        if value["type"] == "integer"
    }
    assert bounds == {
        "max_deletes": (0, 100),
        "max_concurrent_jobs": (1, None),
        "page_size": (1, None),
        "daily_limit_reserve_percent": (0, 99),
    }


def test_each_way_to_log_in_has_its_keys():
    assert {name: list(branch["properties"]) for name, branch in BRANCHES.items()} == {
        "refresh_token": ["auth_type", "client_id", "client_secret", "refresh_token"],
        "client_credentials": ["auth_type", "client_id", "client_secret"],
        "jwt_bearer": ["auth_type", "client_id", "username", "private_key"],
    }
    for name, branch in BRANCHES.items():
        # Some apps do not demand their secret in this one flow.
        optional = {"client_secret"} if name == "refresh_token" else set()
        assert set(branch["required"]) == set(branch["properties"]) - optional


def test_an_override_needs_only_its_object():
    override = PROPERTIES["object_overrides"]["items"]
    assert list(override["properties"]) == [
        "object",
        "primary_key",
        "cursor_field",
        "where",
        "fields",
        "exclude_fields",
        "hash_fields",
        "api",
        "compound_fields",
    ]
    assert override["required"] == ["object"]


def test_the_defaults_of_the_specification_are_those_of_the_configuration():
    defaults = {key: value["default"] for key, value in PROPERTIES.items() if "default" in value}
    assert parse_config(minimal(**defaults)) == parse_config(minimal())


@pytest.mark.parametrize("path", [path for path, schema in NAMED.items() if "examples" in schema])
def test_examples_meet_their_own_schema(path):
    for example in NAMED[path]["examples"]:
        assert Draft7Validator(NAMED[path]).is_valid(example)


@pytest.mark.parametrize("key", [key for key in KEYS if "examples" in PROPERTIES[key]])
def test_examples_are_accepted(key):
    for example in PROPERTIES[key]["examples"]:
        parse_config(minimal(**{key: example}))


@pytest.mark.parametrize(
    "keys",
    [
        {"login_url": " HTTPS://Acme.my.salesforce.com/path "},
        {"login_url": "http://127.0.0.1:8080"},
        {"start_date": "2024-01-01T00:00:00.123456+02:00"},
        {"start_date": "2024-01-01T00:00Z"},
        {"lookback_window": "P1DT2H3M4.5S"},
        {"lookback_window": "P2W"},
        {"lookback_window": "PT0S"},
        {"api_version": "66"},
        {"api_version": "V66.0"},
        {"object_overrides": [{"object": "A__c", "primary_key": [], "where": "X = 1", "unknown": 1}]},
        {"unknown": {}},
        {"credentials": {key: value for key, value in CREDENTIALS.items() if key != "client_secret"}},
    ],
)
def test_what_the_configuration_takes_the_schema_takes(keys):
    parse_config(minimal(**keys))
    Draft7Validator(SCHEMA).validate(minimal(**keys))


def test_every_key_has_a_remedy():
    assert {leaf(path) for path in NAMED} == set(REMEDIES)


# --- what Airbyte's lint asks for


def test_secrets_are_marked():
    assert {leaf(path) for path, schema in ALL.items() if schema.get("airbyte_secret")} == SECRETS


def test_whatever_is_called_like_a_secret_is_one():
    called = {path for path, schema in NAMED.items() if SECRET_NAME.search(leaf(path)) and schema["type"] == "string"}
    assert called == {path for path, schema in NAMED.items() if schema.get("airbyte_secret") is True}


def test_no_secret_has_a_rule_whose_breach_would_quote_it():
    rules = {"pattern", "minLength", "maxLength", "format", "enum", "examples"}
    assert not [path for path, schema in ALL.items() if schema.get("airbyte_secret") and rules & set(schema)]


def test_only_plain_keywords():
    assert not [(path, word) for path, schema in ALL.items() for word in FORBIDDEN & set(schema)]
    assert all(isinstance(schema["type"], str) for schema in ALL.values())


def test_objects_say_what_they_hold_and_tolerate_more():
    for path, schema in ALL.items():
        if schema["type"] == "object":
            assert schema.get("properties") or schema.get("oneOf"), path
        assert schema.get("additionalProperties", True) is True
    assert all(schema["additionalProperties"] is True for schema in [SCHEMA, *BRANCHES.values()])


def test_lists_say_what_they_hold():
    assert {schema["items"]["type"] for schema in ALL.values() if schema["type"] == "array"} == {"string", "object"}


def test_a_one_of_is_told_apart_by_a_constant():
    assert len(BRANCHES) == 3
    for branch in BRANCHES.values():
        auth_type = branch["properties"]["auth_type"]
        assert (branch["type"], auth_type["type"], auth_type["order"]) == ("object", "string", 0)
        assert "auth_type" in branch["required"]
        assert not {"enum", "default"} & set(auth_type)


def test_everything_has_a_title_and_a_help_text():
    for path, schema in ALL.items():
        if not (path.endswith("[]") and schema["type"] == "string"):
            assert schema["title"].strip(), path
            assert schema["description"].strip().endswith("."), path


def test_everything_is_in_order():
    for schema in ALL.values():
        orders = [value["order"] for value in schema.get("properties", {}).values()]
        assert orders == list(range(len(orders)))
        branches = [branch["order"] for branch in schema.get("oneOf", [])]
        assert branches == list(range(len(branches)))


def test_patterns_are_described_in_plain_words():
    for path, schema in ALL.items():
        assert ("pattern" in schema) == ("pattern_descriptor" in schema), path
        assert not set(schema.get("pattern_descriptor", "")) & set("^$\\[]{}"), path


def test_dates_have_a_pattern():
    assert [path for path, schema in ALL.items() if "format" in schema] == ["start_date"]
    assert PROPERTIES["start_date"]["format"] == "date-time"
    assert "pattern" in PROPERTIES["start_date"]


def test_links_lead_to_salesforce():
    links = [link for schema in ALL.values() for link in re.findall(r'href="([^"]*)"', schema.get("description", ""))]
    assert links
    assert not [link for link in links if not re.match(r"https://(help|developer)\.salesforce\.com/", link)]


def test_every_key_stands_below_one_of_the_headings():
    titles = [group["title"] for group in SCHEMA["groups"]]
    assert len(set(titles)) == len(titles)
    assert [group["id"] for group in SCHEMA["groups"]] == list(dict.fromkeys(p["group"] for p in PROPERTIES.values()))


# --- the whole answer


def test_the_file_is_what_the_model_says():
    assert SPEC_FILE.read_text(encoding="utf-8") == spec_text(), "run: python -m source_salesforce_bulk.airbyte.spec"
    assert json.loads(spec_text()) == connector_specification()


def test_the_answer_is_what_the_cdk_would_print():
    models = pytest.importorskip("airbyte_cdk.models")
    specification = models.ConnectorSpecificationSerializer.load(connector_specification())
    message = models.AirbyteMessage(type=models.Type.SPEC, spec=specification)
    printed = models.AirbyteMessageSerializer.dump(message)["spec"]
    assert printed == connector_specification()


def test_the_documentation_is_where_the_metadata_says():
    metadata = yaml.safe_load((ROOT / "metadata.yaml").read_text(encoding="utf-8"))["data"]
    assert connector_specification()["documentationUrl"] == metadata["documentationUrl"]


def test_each_call_gives_a_specification_of_its_own():
    connection_specification()["properties"].clear()
    assert list(connection_specification()["properties"]) == list(KEYS)


def test_neither_module_needs_the_cdk():
    imports = "import source_salesforce_bulk.config, source_salesforce_bulk.airbyte.spec as spec"
    code = f"import sys; sys.modules['airbyte_cdk'] = None; {imports}; spec.connector_specification()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_module_writes_the_file_beside_itself(tmp_path):
    # A copy: a stale file in the package must stay stale, for the test above.
    copy = tmp_path / "spec.py"
    copy.write_bytes(SPEC_FILE.with_suffix(".py").read_bytes())
    subprocess.run([sys.executable, str(copy)], cwd=ROOT, check=True)
    assert (tmp_path / "spec.json").read_text(encoding="utf-8") == spec_text()
