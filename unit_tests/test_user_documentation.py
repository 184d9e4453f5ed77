"""The page for users agrees with the code: options, types, messages."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from source_salesforce_bulk.airbyte.spec import connector_specification
from source_salesforce_bulk.config import ConfigError, parse_config
from source_salesforce_bulk.salesforce.failure_meanings import MEANINGS
from source_salesforce_bulk.salesforce.failures import Consequence, Kind
from source_salesforce_bulk.salesforce.field_types import _ROWS as FIELD_TYPES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "salesforce-bulk.md").read_text(encoding="utf-8")
PROPERTIES = connector_specification()["connectionSpecification"]["properties"]
BRANCHES = {one["properties"]["auth_type"]["const"] for one in PROPERTIES["credentials"]["oneOf"]}


def section(heading: str) -> str:
    """Return the text below a heading, up to the next one."""
    return re.split(r"^#+ ", PAGE.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def words_of_the_code() -> str:
    """Every text in the package; of a text with gaps, its parts."""
    parts = []
    for path in sorted((ROOT / "source_salesforce_bulk").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parts += [
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
    return "\n".join(parts)


WORDS = words_of_the_code()
MESSAGES = [text for row in rows("Error messages") for text in code(row[0])]


@pytest.mark.parametrize("text", MESSAGES)
def test_a_message_in_the_troubleshooting_table_is_one_of_the_connector(text):
    # A message about the configuration begins with the key.
    said = text.partition(" ")[2] if text.startswith("private_key ") else text
    assert said in WORDS


def test_each_message_has_its_remedy():
    table = rows("Error messages")
    assert len(table) > 30
    assert all(len(row) == 3 and all(row) for row in table)
    assert len(set(MESSAGES)) == len(MESSAGES) == len(table)


@pytest.mark.parametrize("kind", [kind for kind in Kind if MEANINGS[kind].consequence is Consequence.CONFIG])
def test_what_the_user_has_to_correct_is_in_the_table(kind):
    assert any(MEANINGS[kind].what.startswith(text) for text in MESSAGES)


def test_every_option_is_explained_with_its_default():
    told = {key: row[1] for row in rows("Options") for key in code(row[0])}
    assert set(told) == set(PROPERTIES) - {"credentials"}
    for key, said in told.items():
        default = PROPERTIES[key].get("default")
        written = default if isinstance(default, str) else json.dumps(default)
        assert default is None or written in code(said), key


def test_every_field_type_is_in_the_map():
    told = {name: row[1] for row in rows("Data type map") for name in code(row[0])}
    reserved = {"floatarray", "textarray"}
    assert set(told) == {row.name for row in FIELD_TYPES} - reserved
    for row in FIELD_TYPES:
        if row.name not in reserved:
            schema_type = row.json_schema["type"][1]
            assert told[row.name].startswith(schema_type if row.bulk else "not read"), row.name
            assert f"format `{row.json_schema.get('format')}`" in told[row.name] or "format" not in row.json_schema


CONFIGURATIONS = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


def test_each_way_to_log_in_has_an_example():
    assert {configuration["credentials"]["auth_type"] for configuration in CONFIGURATIONS} == BRANCHES


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_an_example_is_a_configuration(configuration):
    if configuration["credentials"]["auth_type"] == "jwt_bearer":
        with pytest.raises(ConfigError, match=r"credentials\.private_key"):  # cut short on the page
            parse_config(configuration)
    else:
        parse_config(configuration)


def test_the_override_in_the_table_is_one():
    (override,) = [json.loads(text) for text in code(section("Options")) if text.startswith('{"object"')]
    credentials = {"auth_type": "refresh_token", "client_id": "x", "refresh_token": "y"}
    assert parse_config({"credentials": credentials, "object_overrides": [override]}).override_for("opportunity")
