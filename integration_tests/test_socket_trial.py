"""The trial of Airbyte's socket channel delivers every row once, also after a kill (see ``benchmarks.sockets``)."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sockets import SOURCE, Destination, environment, socket_paths
from integration_tests.connector import Connector, configure, parse, state_of
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

NAMES = ("Contact", "Account")
ROOT = Path(__file__).parents[1]


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(rows=0.2, polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")) as simulated:
        yield simulated


class Sync:
    """A read over two sockets. ``kill_at``: the page of the org at whose delivery the source is killed."""

    def __init__(self, connector: Connector, catalog: Mapping[str, Any], state: Any, folder: Path, kill_at: int = 0):
        paths = socket_paths(str(folder), 2)
        for path in paths:
            Path(path).unlink(missing_ok=True)
        arguments = connector._read_arguments(catalog, state, {})
        destination = Destination(paths, keep=True)
        with subprocess.Popen(
            [*SOURCE, *arguments], cwd=ROOT, env=environment(paths), stdout=subprocess.PIPE
        ) as source:
            if kill_at:
                connector.org.control.when_do("page_served", source.kill, nth=kill_at)
            destination.start(source)
            stdout, _ = source.communicate(timeout=120)
            destination.wait()
        self.shown = parse(line.decode() for line in stdout.splitlines())
        self.came = parse(line.decode() for line in destination.lines)

    def committed(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Rows and states, as a destination commits them: in the order of ids, each when all its records are there."""
        records: dict[str, list[Any]] = {}
        for message in self.came:
            if message["type"] == "RECORD":
                records.setdefault(message["record"]["partition_id"], []).append(message["record"])
        rows: list[dict[str, Any]] = []
        states: dict[str, Any] = {}
        arrived = {message["state"]["id"]: message["state"] for message in self.came if message["type"] == "STATE"}
        for number in range(1, len(arrived) + 1):
            state = arrived.get(number)
            if state is None:
                break
            of_it = records.get(state["partition_id"], [])
            if len(of_it) != state["sourceStats"]["recordCount"]:
                break
            rows += of_it
            states[state["stream"]["stream_descriptor"]["name"]] = state["stream"]["stream_state"]
        return rows, states


def connection(org: SimulatedOrg) -> tuple[Connector, dict[str, Any]]:
    connector = Connector(org, page_size=50)
    return connector, configure(connector.streams(objects=list(NAMES)), NAMES)


def told(messages: list[dict[str, Any]], what: str) -> Counter[str]:
    bodies = (message.get("trace", message) for message in messages)
    return Counter(json.dumps(body[what], sort_keys=True, default=str) for body in bodies if what in body)


def test_every_row_state_and_status_comes_over_the_sockets(org: SimulatedOrg, tmp_path: Path) -> None:
    sync = Sync(*connection(org), None, tmp_path)
    rows, _ = sync.committed()
    for name in NAMES:
        assert_same_rows([row["data"] for row in rows if row["stream"] == name], GroundTruth(org).records(name))
    assert told(sync.shown, "state") == told(sync.came, "state")
    assert told(sync.shown, "stream_status") == told(sync.came, "stream_status")
    assert not [one for one in sync.shown if one["type"] == "RECORD"]


@pytest.mark.parametrize("kill_at", [2, 6, 11])
def test_after_a_kill_the_committed_states_bring_the_rest(org: SimulatedOrg, tmp_path: Path, kill_at: int) -> None:
    connector, catalog = connection(org)
    first, states = Sync(connector, catalog, None, tmp_path, kill_at).committed()
    second, _ = Sync(connector, catalog, [state_of(*one) for one in states.items()], tmp_path).committed()
    assert len(first) < sum(len(GroundTruth(org).records(name)) for name in NAMES)
    for name in NAMES:
        rows = [row["data"] for row in (*first, *second) if row["stream"] == name]
        assert_same_rows(rows, GroundTruth(org).records(name))
