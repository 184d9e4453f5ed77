"""Exports into tables of catalogs and object stores of others: Glue and S3 as moto has them, SeaweedFS.

SeaweedFS is tried by `make certify-tables`, which installs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from integration_tests.aws import simulated_aws
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.table_catalogs import WEED, CatalogExporter, GlueVersions, Seaweed, glue_properties
from integration_tests.table_exporter import (
    assert_equals_org,
    assert_overtaken_writer_is_refused,
    change,
    without_marks,
)
from integration_tests.table_readers import readers
from source_salesforce_bulk.export.begin import BeginOptions
from source_salesforce_bulk.tables.cleaning import clean

NAMES = ["Contact", "Awkward__c"]
SETTINGS = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z", rows=0.03)


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(SETTINGS) as simulated:
        yield simulated


@pytest.fixture
def versions() -> Iterator[GlueVersions]:
    with GlueVersions().enforced() as enforced:
        yield enforced


@pytest.fixture
def glue(versions: GlueVersions) -> Iterator[Mapping[str, str]]:
    with simulated_aws() as aws:
        aws.reset()
        yield glue_properties(aws)


@pytest.fixture
def seaweed(tmp_path: Path) -> Iterator[Seaweed]:
    if not WEED:
        pytest.skip("run by `make certify-tables`")
    folder = tmp_path / "weed"
    folder.mkdir()
    server = Seaweed(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(params=["glue", "seaweed"])
def exporter(request: pytest.FixtureRequest, org: SimulatedOrg, tmp_path: Path) -> CatalogExporter:
    found = request.getfixturevalue(request.param)
    properties = found.properties if isinstance(found, Seaweed) else found
    return CatalogExporter(org, tmp_path, properties, page_size=30)


def test_tables_equal_the_org_through_changes_a_full_refresh_and_a_clean_up(
    org: SimulatedOrg, exporter: CatalogExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLARS_ICEBERG_PLANNER", "pyiceberg")
    seconds = iter(range(0, 1_000_000, 61))
    exporter.monotonic = lambda: float(next(seconds))  # so that every page is committed
    assert exporter.run(NAMES).code == 0
    change(org, "Contact")
    org.control.add_field("Contact", "New__c string(20)")
    assert exporter.run(NAMES).code == 0
    assert exporter.run(["Contact"], begin_options=BeginOptions(start_over=True)).code == 0
    removed = {one.table: one for one in clean(exporter.tables(), datetime.now(UTC) + timedelta(hours=1), keep=1)}

    assert removed["contact_log"].files > 3
    for name in NAMES:
        for by, read in readers(local=False).items():
            assert_equals_org(without_marks(read(exporter.table(name.lower()))), org, name, by=by)
    change(org, "Contact")
    assert exporter.run(NAMES).code == 0
    assert_equals_org(exporter.rows_of("contact"), org, "Contact")


def test_a_writer_that_was_overtaken_is_refused(exporter: CatalogExporter) -> None:
    assert_overtaken_writer_is_refused(exporter)


def test_glue_refuses_a_commit_if_another_lands_while_it_is_made(
    org: SimulatedOrg, glue: Mapping[str, str], versions: GlueVersions, tmp_path: Path
) -> None:
    """Both writers have seen the same table; only Glue's own check of the version tells the second one."""
    exporter, other = (CatalogExporter(org, tmp_path / name, glue) for name in ("one", "other"))
    exporter.run(["Contact"])
    change(org, "Contact")
    codes = []
    versions.before = lambda: codes.append(other.run(["Contact"], run_id="other").code)

    result = exporter.run(["Contact"])

    assert codes == [0]
    assert versions.refused == 1
    assert result.code == 75
    assert_equals_org(exporter.rows_of("contact"), org, "Contact")
    assert exporter.run(["Contact"]).code == 0
    assert_equals_org(exporter.rows_of("contact"), org, "Contact")
    assert len(exporter.rows_of("contact_log")) == len(
        {(row["Id"], row["SystemModstamp"]) for row in exporter.rows_of("contact_log")}
    )


def test_a_catalog_or_its_storage_that_goes_away_is_trouble_that_passes(
    org: SimulatedOrg, seaweed: Seaweed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = CatalogExporter(org, tmp_path, seaweed.properties, page_size=30)
    assert exporter.run(["Contact"]).code == 0
    change(org, "Contact")
    org.control.when_do("page_served", seaweed.stop, object="Contact", nth=1)
    whole = BeginOptions(start_over=True)
    assert exporter.run(["Contact"], begin_options=whole).code == 75
    for name, value in seaweed.properties.items():
        monkeypatch.setenv(f"PYICEBERG_CATALOG__LAKE__{_spelt(name)}", value)
    done = exporter.script(["Contact"])
    assert done.returncode == 75, done.stderr
    assert "the catalog of the tables cannot be reached: ConnectionError at 127.0.0.1." in done.stderr

    seaweed.start()
    assert exporter.run(["Contact"]).code == 0
    assert_equals_org(exporter.rows_of("contact"), org, "Contact")


def _spelt(name: str) -> str:
    """A property as pyiceberg finds it in the environment."""
    return name.upper().replace(".", "__").replace("-", "_")
