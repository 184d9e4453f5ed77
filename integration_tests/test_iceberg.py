"""Exports into embedded Iceberg tables equal the org, whoever reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.table_exporter import TableExporter, assert_equals_org

NAMES = ["Account", "Contact", "Awkward__c", "Opportunity", "LoginHistory"]


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")) as simulated:
        yield simulated


def test_both_tables_equal_the_org(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = TableExporter(org, tmp_path, page_size=700)

    result = exporter.run(NAMES)

    assert result.code == 0
    for name in NAMES:
        assert_equals_org(exporter.rows_of(f"{name.lower()}_log"), org, name, "queryAll")
        assert_equals_org(exporter.rows_of(name.lower()), org, name)
