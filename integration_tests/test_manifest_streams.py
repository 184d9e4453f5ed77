"""The stream strategies of ``connector_manifest.yaml``, derived from what discovery does with a simulated org."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_tests.connector import Connector
from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

STREAMS = yaml.safe_load((Path(__file__).parents[1] / "connector_manifest.yaml").read_text(encoding="utf-8"))["streams"]
# docs/contracts.md, "Configuration", in order of preference.
STAMPS = ("SystemModstamp", "LastModifiedDate", "CreatedDate", "LoginTime")
NEW_ROWS_ONLY = ("CreatedDate", "LoginTime")
READ_BY_PARENTS = ("ContentDocumentLink", "ContentFolderItem", "ContentFolderMember", "IdeaComment")

Streams = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings()) as simulated:
        yield simulated


@pytest.fixture(scope="module")
def streams(org: SimulatedOrg) -> Streams:
    return Connector(org).streams()


@pytest.fixture(scope="module")
def fields(org: SimulatedOrg, streams: Streams) -> Mapping[str, Mapping[str, Any]]:
    """The fields of every stream's object, as the org itself describes them."""
    client = OrgClient(org)
    return {
        name: {field["name"]: field for field in client.get(f"sobjects/{name}/describe").json()["fields"]}
        for name in streams
    }


def primary_key(stream: Mapping[str, Any]) -> list[str]:
    return [path[0] for path in stream.get("source_defined_primary_key", [])]


def cursor(stream: Mapping[str, Any]) -> str | None:
    return next(iter(stream.get("default_cursor_field", [])), None)


def test_streams_come_from_discovery(org: SimulatedOrg, streams: Streams) -> None:
    """No list of streams is built in: the objects of the org are the streams."""
    org.control.add_object("Fresh__c", "Name string(80) name", rows=3)
    with_it = Connector(org).streams()
    org.control.remove_object("Fresh__c")
    without_it = Connector(org).streams()

    assert set(with_it) - set(streams) == {"Fresh__c"}
    assert set(without_it) == set(streams)
    assert STREAMS["strategy"] == "discovery"


def test_the_key_is_source_declared_or_configured(
    org: SimulatedOrg, streams: Streams, fields: Mapping[str, Mapping[str, Any]]
) -> None:
    """Return the configured key, else the field that identifies a row according to describe, else None."""
    for name, stream in streams.items():
        identifiers = [field for field in ("EventIdentifier", "DurableId", "Id") if field in fields[name]]
        assert primary_key(stream) == identifiers[:1]
    for name in streams:
        field = next(iter(streams[name]["json_schema"]["properties"]))
        configured = Connector(org, object_overrides=[{"object": name, "primary_key": [field]}])
        assert primary_key(configured.streams(objects=[name])[name]) == [field]
    assert STREAMS["defaults"]["key_strategy"] == "source_declared_or_config"


def test_the_cursor_is_source_declared_or_the_stream_is_full_refresh(
    org: SimulatedOrg, streams: Streams, fields: Mapping[str, Mapping[str, Any]]
) -> None:
    """The first stamp that can be filtered on; without one, full refresh and nothing else. An override wins."""
    seen = set()
    for name, stream in streams.items():
        usable = [stamp for stamp in STAMPS if fields[name].get(stamp, {}).get("filterable")]
        if cursor(stream) is None:
            assert stream["supported_sync_modes"] == ["full_refresh"]
            # What is left then sees new rows only, or the object refuses to be filtered by it.
            refuses = "Event" in name or name in READ_BY_PARENTS
            assert refuses or not set(usable) - set(NEW_ROWS_ONLY)
        else:
            assert cursor(stream) == usable[0]
            assert stream["supported_sync_modes"] == ["full_refresh", "incremental"]
        seen.add(cursor(stream))
    assert seen == {*STAMPS, None}
    overriding = Connector(org, object_overrides=[{"object": "Account", "cursor_field": "CreatedDate"}])
    assert cursor(overriding.streams(objects=["Account"])["Account"]) == "CreatedDate"
    assert STREAMS["defaults"]["cursor_strategy"] == "source_declared_or_full_refresh"
