"""State that a released version wrote is read by this one: nothing starts over because the connector was updated.

``samples/states/`` holds states as runs against the simulated org wrote them, with what they were written for. When the
shape of state changes, samples of the new release are added and the old ones stay.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from source_salesforce_bulk.extraction.stream_state import Mode, StreamState, read_state, scope_hash
from source_salesforce_bulk.salesforce.soql import ObjectQuery, build_soql, query_hash

SAMPLES = sorted((Path(__file__).parent / "samples" / "states").glob("*.json"))
QUERY = ObjectQuery(
    object_name="Opportunity",
    fields=("Id", "Name", "IsDeleted", "SystemModstamp"),
    operation="queryAll",
    cursor_field="SystemModstamp",
    cursor_nillable=False,
    where=None,
    exclude_deleted=False,
)

each_sample = pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)


def recorded(path: Path) -> tuple[Mapping[str, Any], StreamState]:
    """A sample, and its state as this version reads it in the org and configuration that it was written for."""
    sample = json.loads(path.read_text(encoding="utf-8"))
    scope = scope_hash(
        organization_id=sample["organization_id"],
        operation=sample["operation"],
        where=None,
        cursor_field=sample["cursor_field"],
        start=None,
    )
    found = read_state(sample["state"], Mode(sample["mode"]), sample["cursor_field"], scope)
    assert (found.warning, found.abandoned) == (None, ())
    return sample, found.state


@each_sample
def test_a_recorded_state_is_read_whole(path):
    sample, state = recorded(path)
    assert state.to_json(sample["cursor_field"]) == sample["state"]


@each_sample
def test_the_jobs_of_a_recorded_state_are_continued(path):
    """The query that this version would ask for their windows is the one they were asked."""
    sample, state = recorded(path)
    for point in state.resume:
        soql = build_soql(QUERY, point.bounds)
        assert soql == sample["queries"][point.query]
        assert query_hash(soql, QUERY.operation) == point.query


def test_each_shape_of_this_release_is_recorded():
    names = {path.stem for path in SAMPLES if path.stem.startswith(version("source-salesforce-bulk"))}
    shapes = {name.partition("-")[2] for name in names}
    for mode in ("incremental", "full-refresh"):
        assert {f"{mode}-{shape}" for shape in ("waiting", "inside-a-job", "split", "ended")} <= shapes
