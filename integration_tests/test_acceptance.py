"""The checks of Airbyte's older acceptance tests that the CDK's suite no longer has.

All streams of the simulated org at once, in one process, through a stock CDK entrypoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_tests.connector import Connector, Output, Row, configure, state_of
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

METADATA = yaml.safe_load((Path(__file__).parents[1] / "metadata.yaml").read_text(encoding="utf-8"))["data"]


@pytest.fixture(scope="module")
def org() -> Iterator[SimulatedOrg]:
    """An org that no test here changes."""
    with SimulatedOrg(OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")) as simulated:
        yield simulated


@pytest.fixture(scope="module", params=[1, 4], ids=["one job at once", "four jobs at once"])
def everything(org: SimulatedOrg, request: pytest.FixtureRequest) -> Everything:
    return Everything(org, request.param)


class Everything:
    """Every stream that can be read. As nothing changes, what was read once need not be read for each test."""

    def __init__(self, org: SimulatedOrg, jobs: int) -> None:
        self.connector = Connector(org, max_concurrent_jobs=jobs, page_size=500)
        refused = {one["name"] for one in org.control.objects() if one["refused_by_bulk"] or one["filter_required"]}
        streams = self.connector.streams(exclude_objects=["Wide__c"])
        self.streams = {name: stream for name, stream in streams.items() if name not in refused}
        self.incremental = {
            name: stream for name, stream in self.streams.items() if "incremental" in stream["supported_sync_modes"]
        }

    @cached_property
    def full_refresh(self) -> Output:
        return self.read("full_refresh")

    @cached_property
    def first(self) -> Output:
        """An incremental read without state."""
        return self.read("incremental")

    @cached_property
    def second(self) -> Output:
        """The one after it."""
        return self.read("incremental", self.first.final_states())

    def read(self, mode: str, state: Sequence[Mapping[str, Any]] | None = None) -> Output:
        streams = self.incremental if mode == "incremental" else self.streams
        output = self.connector.read(configure(streams, streams, mode), state)
        assert not output.failed, output.errors
        return output


def keys_of(rows: Sequence[Row], stream: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The primary keys, or the rows themselves where a stream has none."""
    paths = stream.get("source_defined_primary_key") or [[name] for name in stream["json_schema"]["properties"]]
    return [tuple(row.get(field) for (field,) in paths) for row in rows]


def test_two_full_refreshes_in_a_row_are_equal(everything: Everything) -> None:
    first, second = everything.full_refresh, everything.read("full_refresh")

    assert sum(map(len, first.rows.values())) > 10000
    for name in everything.streams:
        assert first.rows.get(name) == second.rows.get(name), name


def test_a_second_incremental_read_goes_on_where_the_first_ended(everything: Everything) -> None:
    assert everything.second.rows == {}  # nothing changed, and the look-back holds no row
    for name, stream in everything.incremental.items():
        (cursor,) = stream["default_cursor_field"]
        assert everything.second.states[name][-1][cursor] >= everything.first.states[name][-1][cursor]


def test_every_row_is_below_the_cursor_that_its_state_names(everything: Everything) -> None:
    for name, stream in everything.incremental.items():
        (cursor,) = stream["default_cursor_field"]
        final = everything.first.states[name][-1][cursor]
        assert [row for row in everything.first.rows.get(name, []) if row.get(cursor, "") >= final] == []


@pytest.mark.parametrize("name", ["Contact", "LoginHistory", "NullCursor__c"])
def test_a_read_from_any_state_between_brings_what_is_missing(everything: Everything, name: str) -> None:
    """Whichever state the platform kept, even one whose query job is gone by now."""
    stream = everything.streams[name]
    catalog = configure(everything.streams, [name])
    whole = everything.connector.read(catalog)
    wanted = keys_of(whole.rows[name], stream)

    before: list[Row] = []
    for message in whole.messages:
        if message["type"] == "RECORD":
            before.append(message["record"]["data"])
        if message["type"] == "STATE":
            state = message["state"]["stream"]["stream_state"]
            rest = everything.connector.read(catalog, [state_of(name, state)])
            assert set(keys_of(before + rest.rows.get(name, []), stream)) == set(wanted)
    assert len(before) == len(wanted)


def test_a_state_from_the_future_brings_nothing_and_is_kept(everything: Everything) -> None:
    future = {
        name: {cursor: "2222-01-01T00:00:00.000Z"}
        for name, stream in everything.incremental.items()
        for cursor in stream["default_cursor_field"]
    }

    output = everything.read("incremental", [state_of(name, blob) for name, blob in future.items()])

    assert output.rows == {}
    for name in everything.incremental:
        assert output.states[name]
        assert output.states[name][-1] == future[name]


def test_statuses_come_in_order_with_states_that_count_their_rows(everything: Everything) -> None:
    for output in (everything.full_refresh, everything.first, everything.second):
        for name in output.statuses:
            rows = output.rows.get(name, [])
            assert output.statuses[name] == ["STARTED", *(["RUNNING"] if rows else []), "COMPLETE"], name
            counts = [
                state["sourceStats"]["recordCount"]
                for state in output.of_type("STATE")
                if state["stream"]["stream_descriptor"]["name"] == name
            ]
            assert counts, name
            assert sum(counts) == len(rows), name


def test_every_key_is_there_scalar_and_once(everything: Everything) -> None:
    keyed = {name: stream for name, stream in everything.streams.items() if stream.get("source_defined_primary_key")}
    assert len(keyed) > 20
    for name, stream in keyed.items():
        keys = keys_of(everything.full_refresh.rows.get(name, []), stream)
        assert all(isinstance(part, (str, int)) for key in keys for part in key), name
        assert len(set(keys)) == len(keys), name


def test_every_suggested_stream_is_one(org: SimulatedOrg) -> None:
    suggested = METADATA["suggestedStreams"]["streams"]
    assert len(suggested) == len(set(suggested)) > 5
    assert set(suggested) <= set(Connector(org).streams())
