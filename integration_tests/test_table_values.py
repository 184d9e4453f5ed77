"""Every object of the simulated org in Iceberg tables: each value is the org's, in each reader that is tried."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.table_exporter import TableExporter, assert_equals_org, without_marks
from integration_tests.table_readers import readers


@pytest.fixture(scope="module")
def org() -> Iterator[SimulatedOrg]:
    settings = OrgSettings(
        rows=0.03, ties=150, uneven_rows=40, polls_until_complete=1, wide_fields=40, frozen_at="2026-11-24T08:00:00Z"
    )
    with SimulatedOrg(settings) as simulated:
        yield simulated


@pytest.mark.timeout(900)  # DuckDB's extension is started once for each of some fifty tables
def test_every_object_is_read_back_value_by_value(
    org: SimulatedOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLARS_ICEBERG_PLANNER", "pyiceberg")
    exporter = TableExporter(org, tmp_path, exclude_objects=["OrgWideRole"])  # its rows need another permission
    result = exporter.run(["*"])

    assert [one.failure for one in result.outcomes if one.failure is not None] == []
    compared = 0
    for name in (one.object_name for one in result.outcomes):
        table = exporter.tables().load(name.lower())
        for by, read in readers().items():
            rows = without_marks(read(table)) if table is not None else []
            assert_equals_org(rows, org, name, by=by)
            compared += len(rows)
    assert len(result.outcomes) > 45
    assert compared > 1_000
