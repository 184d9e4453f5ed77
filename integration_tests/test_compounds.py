"""Addresses and locations as objects: what a plain client gets through REST, by either API and in every output."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from integration_tests.backfill import Backfill
from integration_tests.connection import Connection
from integration_tests.connector import Connector
from integration_tests.exporter import Exporter
from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.table_exporter import TableExporter

SETTINGS = OrgSettings(polls_until_complete=0, frozen_at="2026-11-24T08:00:00Z", page_size=300, rows=0.2)
NAMES = ["Account", "Contact", "Awkward__c"]
COMPOUNDS = {"Account": "BillingAddress", "Contact": "MailingAddress", "Awkward__c": "Place__c"}
PARTS = {"Account": "BillingCity", "Contact": "MailingCity", "Awkward__c": "Place__Latitude__s"}

Objects = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(SETTINGS) as simulated:
        for name, compound in COMPOUNDS.items():
            fields = OrgClient(simulated).get(f"sobjects/{name}/describe").json()["fields"]
            parts = {field["name"]: None for field in fields if field["compoundFieldName"] == compound}
            ids = [str(row["Id"]) for row in simulated.control.rows(name, fields=["Id"])[:3]]
            simulated.control.update(name, parts, ids=ids)
        yield simulated


@pytest.fixture(scope="module")
def truth(org: SimulatedOrg) -> dict[str, Objects]:
    """The objects that are not null, by Id, as a client gets them that knows nothing of their parts."""
    client, found = OrgClient(org), {}
    for name, compound in COMPOUNDS.items():
        answer = client.get("queryAll", q=f"SELECT Id, {compound} FROM {name}")
        records = list(answer.json(parse_float=Decimal)["records"])
        while not answer.json()["done"]:
            answer = client.get(answer.json()["nextRecordsUrl"].partition("/services/data/v66.0/")[2])
            records += answer.json(parse_float=Decimal)["records"]
        found[name] = {record["Id"]: numbered(record[compound]) for record in records if record[compound]}
        assert 0 < len(found[name]) < len(records)
    return found


def numbered(compound: Mapping[str, Any]) -> dict[str, Any]:
    return {key: float(value) if isinstance(value, Decimal | int) else value for key, value in compound.items()}


def objects(rows: list[dict[str, Any]], name: str) -> Objects:
    values = {row["Id"]: row.get(COMPOUNDS[name]) for row in rows}
    return {
        key: numbered(json.loads(value) if isinstance(value, str) else value) for key, value in values.items() if value
    }


@pytest.mark.parametrize("way", ["object", "both"])
def test_records_hold_the_objects_of_rest_and_are_the_same_bytes_by_either_api(
    org: SimulatedOrg, truth: dict[str, Objects], way: str
) -> None:
    made = {}
    for api in ("bulk", "rest"):
        overrides = [{"object": name, "api": api} for name in NAMES]
        connection = Connection(org, NAMES, "full_refresh", compound_fields=way, object_overrides=overrides)
        made[api] = connection.sync().rows
    for name in NAMES:
        assert objects(made["bulk"][name], name) == truth[name]
        assert any(PARTS[name] in row for row in made["bulk"][name]) == (way == "both")
        by_bulk, by_rest = (sorted(json.dumps(row, default=str) for row in made[api][name]) for api in ("bulk", "rest"))
        assert by_bulk == by_rest


def test_the_core_and_python_write_the_same_records(org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for core in ("on", "off"):
        monkeypatch.setenv("SALESFORCE_BULK_CORE", core)
        output = Connection(org, NAMES, "full_refresh", compound_fields="both").sync()
        made.append({name: sorted(map(str, output.rows[name])) for name in NAMES})
    assert made[0] == made[1]


def test_the_schema_shows_objects_in_the_place_of_their_parts(org: SimulatedOrg) -> None:
    override = {"object": "Contact", "compound_fields": "parts"}
    streams = Connector(org, compound_fields="object", object_overrides=[override]).streams(objects=NAMES)
    account = streams["Account"]["json_schema"]
    assert account["properties"]["BillingAddress"]["type"] == ["null", "object"]
    assert account["properties"]["BillingAddress"]["properties"]["latitude"] == {"type": ["null", "number"]}
    assert "BillingCity" not in account["properties"]
    assert "BillingAddress" not in account["description"]
    contact = streams["Contact"]["json_schema"]["properties"]
    assert "MailingCity" in contact
    assert "MailingAddress" not in contact


def test_a_selected_object_brings_its_parts_and_none_of_them_is_delivered(
    org: SimulatedOrg, truth: dict[str, Objects]
) -> None:
    connection = Connection(org, ["Account"], "full_refresh", compound_fields="both")
    (stream,) = connection.catalog["streams"]
    shown = ("Id", "IsDeleted", "BillingAddress")
    properties = stream["stream"]["json_schema"]["properties"]
    stream["stream"]["json_schema"]["properties"] = {name: properties[name] for name in shown}
    rows = connection.sync().rows["Account"]
    assert objects(rows, "Account") == truth["Account"]
    assert {key for row in rows for key in row} <= {*shown, "SystemModstamp"}


@pytest.mark.parametrize("format_name", ["parquet", "jsonl", "spark", "iceberg"])
def test_files_and_tables_hold_the_objects(
    org: SimulatedOrg, truth: dict[str, Objects], tmp_path: Path, format_name: str
) -> None:
    makers: dict[str, Any] = {"spark": Backfill, "iceberg": TableExporter}
    exporter = makers.get(format_name, Exporter)(org, tmp_path, compound_fields="object")
    options = {"format_name": "jsonl"} if format_name == "jsonl" else {}
    assert exporter.run(NAMES, **options).code == 0
    for name in NAMES:
        rows = exporter.rows_of(f"{name.lower()}_log") if format_name == "iceberg" else exporter.rows(name)
        assert objects(rows, name) == truth[name]
        assert not any(PARTS[name] in row for row in rows)
        if format_name != "jsonl":
            assert all(isinstance(row.get(COMPOUNDS[name]), str | None) for row in rows)
