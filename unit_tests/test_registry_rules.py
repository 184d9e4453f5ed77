"""The rules of Airbyte's registry for a connector, its metadata schema and quality checks, each as a test.

The rules are those of Airbyte's ``connectors_qa`` (packaging, metadata, assets, security, documentation, testing).
Where this project departs from one on purpose, the departure is asserted too.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, FormatChecker

from source_salesforce_bulk.airbyte.spec import connector_specification
from source_salesforce_bulk.config import ConfigError, parse_config

ROOT = Path(__file__).parents[1]
METADATA = yaml.safe_load((ROOT / "metadata.yaml").read_text(encoding="utf-8"))
DATA = METADATA["data"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "salesforce-bulk.md").read_text(encoding="utf-8")
NAME = DATA["name"]

TEXT, URL, FLAG = {"type": "string"}, {"type": "string", "format": "uri"}, {"type": "boolean"}


def record(required: str = "", /, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required.split(),
        "properties": properties,
    }


def array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


def one_of(*words: object) -> dict[str, Any]:
    return {"enum": list(words)}


# The part of ConnectorMetadataDefinitionV0 that a source like this one needs; nothing else may stand in the file.
SCHEMA = record(
    "metadataSpecVersion data",
    metadataSpecVersion={"const": "1.0"},
    data=record(
        "name definitionId connectorType dockerRepository dockerImageTag license documentationUrl githubIssueLabel "
        "connectorSubtype releaseStage",
        name=TEXT,
        icon=TEXT,
        definitionId={"type": "string", "format": "uuid"},
        connectorType={"const": "source"},
        connectorSubtype=one_of(
            "api", "database", "datalake", "file", "custom", "message_queue", "unknown", "vectorstore"
        ),
        dockerRepository=TEXT,
        dockerImageTag={"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
        license=one_of("MIT", "ELv2"),
        documentationUrl=URL,
        externalDocumentationUrls=array(
            record(
                "title url",
                title=TEXT,
                url=URL,
                type=one_of("api_reference", "data_model_reference", "rate_limits", "status_page"),
            )
        ),
        githubIssueLabel=TEXT,
        releaseDate={"type": "string", "format": "date"},
        releaseStage=one_of("alpha", "beta", "generally_available", "custom"),
        supportLevel=one_of("community", "certified", "archived"),
        maxSecondsBetweenMessages={"type": "integer", "minimum": 1},
        tags=array(TEXT),
        ab_internal=record("ql sl", ql=one_of(0, 100, 200, 300, 400, 500, 600), sl=one_of(0, 100, 200, 300)),
        allowedHosts=record("hosts", hosts=array(TEXT)),
        connectorBuildOptions=record("baseImage", baseImage=TEXT),
        registryOverrides=record(
            "cloud oss", cloud=record("enabled", enabled=FLAG), oss=record("enabled", enabled=FLAG)
        ),
        releases=record(
            "rolloutConfiguration",
            rolloutConfiguration=record("enableProgressiveRollout", enableProgressiveRollout=FLAG),
        ),
        remoteRegistries=record("pypi", pypi=record("enabled packageName", enabled=FLAG, packageName=TEXT)),
        suggestedStreams=record("streams", streams=array(TEXT)),
        connectorTestSuitesOptions=array(
            record("suite", suite=one_of("unitTests", "integrationTests", "acceptanceTests", "liveTests", "smokeTests"))
        ),
    ),
)


# Metadata.


def test_the_metadata_meet_the_schema_and_say_everything_in_it():
    validator = Draft7Validator(SCHEMA, format_checker=FormatChecker())
    problems = [problem.message for problem in validator.iter_errors(METADATA)]
    assert problems == []
    assert set(DATA) == set(SCHEMA["properties"]["data"]["properties"])


@pytest.mark.parametrize(
    "wrong",
    [{"definitionId": "not-a-uuid"}, {"dockerImageTag": "1.0"}, {"license": "AGPL"}, {"unknown": 1}, {"tags": []}],
)
def test_the_schema_would_notice(wrong):
    assert not Draft7Validator(SCHEMA, format_checker=FormatChecker()).is_valid({**METADATA, "data": DATA | wrong})


def test_messages_come_long_before_the_platform_gives_up():
    """A waiting stream emits something every ten minutes."""
    assert DATA["maxSecondsBetweenMessages"] == 7200
    assert DATA["maxSecondsBetweenMessages"] > 5 * 600


def test_the_tags_name_the_language():
    assert {"language:python", "cdk:python"} <= set(DATA["tags"])


def test_the_acceptance_tests_are_enabled():
    assert {suite["suite"] for suite in DATA["connectorTestSuitesOptions"]} >= {"acceptanceTests", "unitTests"}


def test_there_is_no_breaking_change_without_a_migration_guide():
    assert "breakingChanges" not in DATA["releases"]
    assert not (ROOT / "docs" / "salesforce-bulk-migrations.md").exists()


def test_the_release_date_is_one():
    assert date.fromisoformat(DATA["releaseDate"]) >= date(2026, 1, 1)


LOGIN_URLS = re.findall(
    r"https://[\w.-]+", json.dumps(connector_specification()["connectionSpecification"]["properties"]["login_url"])
)


@pytest.mark.parametrize("url", [url for url in LOGIN_URLS if "help." not in url])
def test_the_allowed_hosts_hold_every_host_that_may_be_logged_in_at(url):
    host = url.removeprefix("https://")
    assert any(fnmatch(host, allowed) for allowed in DATA["allowedHosts"]["hosts"])
    credentials = {"auth_type": "refresh_token", "client_id": "x", "refresh_token": "y"}
    assert parse_config({"credentials": credentials, "login_url": url}).login_url == url


def test_the_allowed_hosts_are_no_wider_than_salesforce():
    assert [host for host in DATA["allowedHosts"]["hosts"] if not host.endswith(".salesforce.com")] == []


def test_unencrypted_hosts_are_refused():
    credentials = {"auth_type": "refresh_token", "client_id": "x", "refresh_token": "y"}
    with pytest.raises(ConfigError, match="unencrypted"):
        parse_config({"credentials": credentials, "login_url": "http://acme.my.salesforce.com"})


# Packaging.


def test_the_documentation_names_the_current_version():
    changelog = PAGE.partition("## Changelog")[2]
    rows = re.findall(r"^\| (\d+\.\d+\.\d+) \| (\d{4}-\d\d-\d\d) \|", changelog, re.MULTILINE)
    assert rows[0] == (DATA["dockerImageTag"], DATA["releaseDate"])
    assert rows == sorted(rows, key=lambda row: [int(part) for part in row[0].split(".")], reverse=True)


def test_the_changelogs_name_the_same_versions():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d[^]]*)\]", changelog, re.MULTILINE)
    assert re.findall(r"^\| (\d+\.\d+\.\d+) \|", PAGE, re.MULTILINE) == released


def test_the_departures_from_airbytes_rules_are_these_and_no_others():
    """Airbyte's rule -> what replaces it here, and why (also in CONTRIBUTING.md)."""
    # No Dockerfile but a base image in the metadata: the design asks for a Dockerfile. The base is declared as well.
    assert (ROOT / "Dockerfile").exists()
    assert DATA["connectorBuildOptions"]["baseImage"] in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    # A poetry.lock: it would name a package index (ADR 0003). Hash-locked requirements pin the same.
    assert not (ROOT / "poetry.lock").exists()
    assert "--hash=sha256:" in (ROOT / "requirements" / "connector.txt").read_text(encoding="utf-8")
    # name, version, licence under [tool.poetry]: they stand under [project] (PEP 621); Poetry 2 reads them there.
    assert {"name", "version", "license"} <= set(PROJECT["project"])
    assert set(PROJECT["tool"]["poetry"]) == {"packages"}
    assert PROJECT["build-system"]["build-backend"] == "poetry.core.masonry.api"
    # The page for users in docs/integrations/sources/: this is a repository of its own.
    assert (ROOT / "docs" / "salesforce-bulk.md").exists()
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for departure in ("Dockerfile", "poetry.lock", "tool.poetry", "docs/salesforce-bulk.md"):
        assert departure in contributing


# Security.

NOT_SEARCHED = (".venv", ".git", ".hypothesis", ".cache", "__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache")
NOT_SEARCHED_EITHER = {"unit_tests", "integration_tests", "build", "dist", "out", "secrets", "tmp"}


def text_files() -> Iterator[Path]:
    for top in ROOT.iterdir():
        if top.name.startswith(NOT_SEARCHED) or top.name in NOT_SEARCHED_EITHER:
            continue
        for path in [top] if top.is_file() else top.rglob("*"):
            if path.is_file() and path.suffix not in {".pyc", ".svg", ".gz"} and "__pycache__" not in path.parts:
                yield path


def test_nothing_speaks_unencrypted():
    found = []
    for path in text_files():
        for line in path.read_text(encoding="utf-8", errors="ignore").splitlines():
            plain = line.replace("http://json-schema.org", "").replace("http://localhost", "")
            comment = line.lstrip().startswith("#" if path.suffix != ".md" else "<!--")
            if "http://" in plain and "# ignore-https-check" not in line and not comment:
                found.append(f"{path.relative_to(ROOT)}: {line.strip()[:80]}")
    assert found == []


# The page for users.

SLOT = None  # where a connector may have headings of its own
HEADINGS = (
    (1, NAME),
    (2, "Prerequisites"),
    (2, "Setup guide"),
    (2, f"Set up {NAME}"),
    (3, "For Airbyte Cloud:"),
    (3, "For Airbyte Open Source:"),
    SLOT,
    (2, f"Set up the {NAME} connector in Airbyte"),
    (3, "For Airbyte Cloud:"),
    (3, "For Airbyte Open Source:"),
    SLOT,
    (2, "Supported sync modes"),
    (2, "Supported Streams"),
    SLOT,
    (3, "Performance considerations"),
    (2, "Data type map"),
    (2, "Limitations & Troubleshooting"),
    SLOT,
    (3, "Tutorials"),
    (2, "Changelog"),
)
# How these sections have to begin.
OPENINGS = {
    f"{NAME}": "\n\n<HideInUI>\n\nThis page contains the setup guide and reference information for the "
    f"[{NAME}](https://",
    "For Airbyte Cloud:": "\n\n1. [Log into your Airbyte Cloud](https://cloud.airbyte.com/workspaces) account.\n"
    "2. Click Sources and then click + New source.\n"
    f"3. On the Set up the source page, select {NAME} from the Source type dropdown.\n"
    f"4. Enter a name for the {NAME} connector.\n",
    "For Airbyte Open Source:": "\n\n1. Navigate to the Airbyte Open Source dashboard.\n",
    "Supported sync modes": f"\n\nThe {NAME} source connector supports the following [sync modes]"
    "(https://docs.airbyte.com/cloud/core-concepts/#connection-sync-modes):\n",
    "Tutorials": f"\n\nNow that you have set up the {NAME} source connector, check out the following {NAME} "
    "tutorials:\n",
    "Changelog": "\n\n<details>\n  <summary>Expand to review</summary>\n",
}


def headings(page: str) -> list[tuple[int, str]]:
    without_code = re.sub(r"^( *)```.*?^\1```$", "", page, flags=re.MULTILINE | re.DOTALL)
    return [(len(marks), title) for marks, title in re.findall(r"^(#+) (.+)$", without_code, re.MULTILINE)]


def test_the_headings_are_airbytes_in_airbytes_order():
    wanted = [heading for heading in HEADINGS if heading is not SLOT]
    expected = iter(HEADINGS)
    upcoming = next(expected)
    for heading in headings(PAGE):
        while upcoming is SLOT and heading in wanted:
            upcoming = next(expected)
        assert upcoming is SLOT or heading == upcoming, f"{heading} where {upcoming} should be"
        if upcoming is not SLOT:
            upcoming = next(expected, SLOT)
    assert list(expected) == []


@pytest.mark.parametrize("heading", OPENINGS)
def test_a_section_begins_as_airbyte_asks(heading):
    sections = re.split(rf"^#+ {re.escape(heading)}$", PAGE, flags=re.MULTILINE)[1:]
    assert any(section.startswith(OPENINGS[heading]) for section in sections)


def test_the_prerequisites_name_what_has_to_be_filled_in():
    prerequisites = PAGE.split("## Prerequisites")[1].split("\n## ")[0].lower()
    specification = connector_specification()["connectionSpecification"]
    titles = [specification["properties"][key]["title"].lower() for key in specification["required"]]
    assert titles == ["authentication"]
    assert [title for title in titles if title not in prerequisites] == []
