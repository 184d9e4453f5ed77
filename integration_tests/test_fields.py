"""Chosen, excluded and hashed fields: the same in a sync, an export and a backfill, and nowhere in clear text."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from integration_tests.backfill import Backfill
from integration_tests.connector import Connector, configure
from integration_tests.exporter import Exporter
from integration_tests.ground_truth import GroundTruth
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from source_salesforce_bulk.salesforce.failures import Consequence

SETTINGS = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z", page_size=300)
KEY = "a long random text"
OVERRIDE = {"object": "contact", "exclude_fields": ["Phone"], "hash_fields": ["email", "Birthdate"]}
CONFIG: Mapping[str, Any] = {"hash_key": KEY, "object_overrides": [OVERRIDE]}


@pytest.fixture(scope="module")
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(SETTINGS) as simulated:
        yield simulated


def digest(value: str | None) -> str | None:
    return hmac.new(KEY.encode(), value.encode(), hashlib.sha256).hexdigest() if value else None


def by_id(rows: list[dict[str, Any]]) -> dict[str, tuple[Any, Any]]:
    return {row["Id"]: (row.get("Email"), row.get("Birthdate")) for row in rows}


def test_the_same_digests_come_by_every_way(org: SimulatedOrg, tmp_path: Path) -> None:
    truth = {
        row["Id"]: (digest(row.get("Email")), digest(row.get("Birthdate")))
        for row in GroundTruth(org).records("Contact", fields=["Id", "Email", "Birthdate"])
    }
    assert any(email for email, _ in truth.values())
    connector = Connector(org, **CONFIG)
    emitted = connector.read(configure(connector.streams(objects=["Contact"]), ["Contact"])).rows["Contact"]
    parquet, jsonl = Exporter(org, tmp_path / "parquet", **CONFIG), Exporter(org, tmp_path / "jsonl", **CONFIG)
    backfill = Backfill(org, tmp_path / "backfill", **CONFIG)
    for exporter, options in ((parquet, {}), (jsonl, {"format_name": "jsonl"}), (backfill, {})):
        assert exporter.run(["Contact"], **options).code == 0

    for rows in (emitted, parquet.rows("Contact"), jsonl.rows("Contact"), backfill.rows("Contact")):
        assert by_id(rows) == truth
        assert not any("Phone" in row for row in rows)


def test_no_value_in_clear_is_in_files_logs_or_ledger(org: SimulatedOrg, tmp_path: Path) -> None:
    exporter = Exporter(org, tmp_path, **CONFIG)
    done = exporter.script(["Contact"], "--format", "jsonl", "-v")
    assert done.returncode == 0, done.stderr
    clear = {row["Email"] for row in GroundTruth(org).records("Contact", fields=["Email"]) if row.get("Email")}
    written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file() and path.name != "config.json"]
    for text in (*written, done.stdout, done.stderr):
        assert not any(value in text for value in clear)
        assert KEY not in text


def test_discovery_shows_only_what_is_read_and_hashed_fields_as_text(org: SimulatedOrg) -> None:
    override = {"object": "Contact", "fields": ["LastName", "Birthdate"], "hash_fields": ["Birthdate"]}
    stream = Connector(org, hash_key=KEY, object_overrides=[override]).streams(objects=["Contact"])["Contact"]
    properties = stream["json_schema"]["properties"]
    assert set(properties) == {"Id", "LastName", "Birthdate", "SystemModstamp"}
    assert "format" not in properties["Birthdate"]


def test_a_field_that_is_not_there_begins_nothing(org: SimulatedOrg, tmp_path: Path) -> None:
    override = {"object": "Contact", "hash_fields": ["Emial"]}
    failed = Exporter(org, tmp_path, hash_key=KEY, object_overrides=[override]).failure(["Contact"])
    assert failed.consequence is Consequence.CONFIG
    assert "Did you mean Email?" in failed.message
    exporter = Exporter(org, tmp_path, object_overrides=[OVERRIDE])
    done = exporter.script(["Contact"])
    assert done.returncode == 2
    assert "hash_key is missing" in json.loads(done.stderr.splitlines()[-1])["message"]
