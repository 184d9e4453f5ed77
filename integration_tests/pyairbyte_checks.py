"""PyAirbyte, an independent client, reads a simulated org into DuckDB twice. ``make pyairbyte-test``.

Not collected by ``make test``, because it needs some 180 packages in a virtual environment of its own
(``requirements/pyairbyte.txt``), whose interpreter ``PYAIRBYTE_PYTHON`` names.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from integration_tests.connector import SCRIPT, Connector
from integration_tests.ground_truth import GroundTruth
from integration_tests.simulated_org import SimulatedOrg

CLIENT = Path(__file__).with_name("pyairbyte_client.py")
PYTHON = os.environ.get("PYAIRBYTE_PYTHON", ".venv-pyairbyte/bin/python")
OBJECTS = ["Account", "Contact", "Opportunity", "LoginHistory"]


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg() as simulated:
        yield simulated


def read(connector: Connector, directory: Path, names: Sequence[str] = OBJECTS) -> Mapping[str, Any]:
    """Return the output of the client; without ``names`` it selects every stream.

    A process for each read: a second one in the same process trips over its own cache.
    """
    command = [PYTHON, CLIENT, SCRIPT, connector._file(connector.config()), directory / "cache", *names]
    quiet = {"AIRBYTE_OFFLINE_MODE": "1", "DO_NOT_TRACK": "1", "NO_LIVE_PROGRESS": "1"}
    places = {"HOME": str(directory), "AIRBYTE_CACHE_ROOT": str(directory), "AIRBYTE_PROJECT_DIR": str(directory)}
    done = subprocess.run(
        command, env={"PATH": os.environ["PATH"], **quiet, **places}, capture_output=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return json.loads(done.stdout)


def cached(row: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    """A row of the cache as the connector emitted it: PyAirbyte writes column names in lower case."""
    return {name: value for name in types if (value := _value(row[name.lower()], types[name])) is not None}


def _value(value: Any, field_type: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    match field_type:
        case "datetime":
            return datetime.fromisoformat(value).replace(tzinfo=UTC).isoformat(timespec="milliseconds")
        case "double" | "currency" | "percent":
            return Decimal(value).normalize()
        case _:
            return value


def emitted(row: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    """A row of the org's ground truth in the same form."""
    return {name: _truth(value, types[name]) for name, value in row.items()}


def _truth(value: Any, field_type: str) -> Any:
    match field_type:
        case "datetime":
            return datetime.fromisoformat(value).isoformat(timespec="milliseconds")
        case "double" | "currency" | "percent":
            return round(value, 9).normalize()  # PyAirbyte's own column type
        case "int" | "long":
            return int(value)
        case _:
            return value


@pytest.mark.parametrize("jobs", [1, 4])
def test_check_select_and_read_into_duckdb_twice(org: SimulatedOrg, tmp_path: Path, jobs: int) -> None:
    connector = Connector(org, max_concurrent_jobs=jobs, lookback_window="PT0S")
    truth = GroundTruth(org)

    first = read(connector, tmp_path)

    assert first["processed"] == sum(len(truth.records(name)) for name in OBJECTS)
    assert_cache_equals(first, truth)

    org.control.advance_clock(60)
    changed = [row["Id"] for row in org.control.rows("Account")[:3]]
    org.control.update("Account", {"Name": "Changed", "AnnualRevenue": "12.5"}, ids=changed)
    org.control.insert("Contact", [{"LastName": "Newcomer"}])
    org.control.advance_clock(60)
    second = read(connector, tmp_path)

    assert second["processed"] == len(changed) + 1
    assert_cache_equals(second, truth)


def assert_cache_equals(output: Mapping[str, Any], truth: GroundTruth) -> None:
    """Every row of every stream, value by value."""
    for name in OBJECTS:
        types = truth.types(name)
        found = {row["id"]: cached(row, types) for row in output["rows"][name]}
        assert len(found) == len(output["rows"][name])
        assert found == {row["Id"]: emitted(row, types) for row in truth.records(name)}


@pytest.mark.timeout(1500)
def test_select_all_streams_and_read_twice(org: SimulatedOrg, tmp_path: Path) -> None:
    """PyAirbyte asks every stream for incremental, those without a cursor too: these come in full each time."""
    # Two that the org refuses when they are asked for, and numbers of a hundred digits that DuckDB cannot hold.
    refused = ["Document", "OrgWideRole", "Awkward__c"]
    connector = Connector(org, max_concurrent_jobs=4, lookback_window="PT0S", exclude_objects=refused)
    streams = connector.streams()
    truth = GroundTruth(org)
    in_full = [name for name, stream in streams.items() if "incremental" not in stream["supported_sync_modes"]]
    assert in_full
    counts = {name: len(truth.records(name)) for name in streams}

    first = read(connector, tmp_path, [])
    assert first["processed"] == sum(counts.values())
    assert set(first["rows"]) == set(streams)

    second = read(connector, tmp_path, [])
    assert second["processed"] == sum(counts[name] for name in in_full)
    for name in streams:
        if streams[name].get("source_defined_primary_key"):
            assert len(second["rows"][name]) == counts[name], name
