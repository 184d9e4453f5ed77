"""The command ``verify`` finds every planted difference, and repairs it without reading other rows."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from integration_tests.exporter import SCRIPT, Exporter
from integration_tests.simulated_org.settings import OrgSettings
from integration_tests.simulated_org.simulated import SimulatedOrg
from integration_tests.test_incremental import NOON, some_ids

EQUAL, DIFFERENT, CANNOT_TELL = 0, 3, 75


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, frozen_at=NOON)) as simulated:
        yield simulated


@pytest.fixture
def exported(org: SimulatedOrg, tmp_path: Path, request: pytest.FixtureRequest) -> Exporter:
    exporter = Exporter(org, tmp_path)
    assert exporter.run(["Account"], format_name=getattr(request, "param", "parquet")).code == 0
    org.control.advance_clock(3600)
    return exporter


def verify(exporter: Exporter, *more: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and what is said of the Account."""
    config = exporter.folder / "config.json"
    config.write_text(json.dumps(exporter.config), encoding="utf-8")
    places = ["--destination", str(exporter.destination), "--schemas", str(exporter.folder / "schemas")]
    command = [str(SCRIPT), "verify", "--config", str(config), "--object", "Account", "--json", *places, *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["objects"][0]


def plant(org: SimulatedOrg) -> dict[str, list[str]]:
    """Differences of every kind between the org and what was exported."""
    changed, hard = some_ids(org, "Account", 5, where="IsDeleted = false")[:2], some_ids(org, "Account", 8)[5:]
    org.control.update("Account", {"Rating": "Cold"}, ids=changed)
    org.control.hard_delete("Account", ids=hard)
    added = org.control.insert("Account", [{"Name": f"new {number}"} for number in range(4)])
    return {"missing": sorted(added), "extra": sorted(hard), "stale": sorted(changed)}


def test_an_export_equals_the_org(exported: Exporter) -> None:
    code, told = verify(exported)
    assert (code, told["status"]) == (EQUAL, "equal")
    assert told["counts"] == {"missing": 0, "extra": 0, "stale": 0}
    assert told["rows_in_org"] == told["rows_kept"] == 300


@pytest.mark.parametrize("exported", ["parquet", "jsonl"], indirect=True)
def test_every_difference_is_found_and_repaired_with_no_more_rows(org: SimulatedOrg, exported: Exporter) -> None:
    planted = plant(org)
    code, told = verify(exported)
    assert code == DIFFERENT
    assert {kind: told[kind] for kind in planted} == planted
    assert told["counts"] == {"missing": 4, "extra": 3, "stale": 2}
    before = len(exported.rows("Account"))

    code, told = verify(exported, "--repair")
    assert (code, told["status"]) == (EQUAL, "repaired")
    assert len(exported.rows("Account")) - before == 9
    assert verify(exported)[0] == EQUAL


def test_a_login_that_sees_far_fewer_rows_cannot_tell_and_repairs_nothing(
    org: SimulatedOrg, exported: Exporter
) -> None:
    org.control.hide_rows("Account", ids=some_ids(org, "Account", 150))
    before = len(exported.files("Account"))
    code, told = verify(exported, "--repair")
    assert (code, told["status"]) == (CANNOT_TELL, "cannot tell")
    assert len(exported.files("Account")) == before


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_query_result_of_any_warehouse_is_compared(org: SimulatedOrg, tmp_path: Path, ending: str) -> None:
    exporter = Exporter(org, tmp_path)
    rows = [dict(row) for row in org.control.rows("Account", fields=["Id", "SystemModstamp"])]
    planted = plant(org)
    file = tmp_path / f"result.{ending}"
    if ending == "csv":
        with file.open("w", encoding="utf-8", newline="") as text:
            writer = csv.DictWriter(text, ["ID", "SYSTEMMODSTAMP"])
            writer.writeheader()
            writer.writerows({name.upper(): value for name, value in row.items()} for row in rows)
    else:
        parquet.write_table(pa.Table.from_pylist(rows), file)
    org.control.advance_clock(60)
    code, told = verify(exporter, "--against", str(file))
    assert code == DIFFERENT
    assert {kind: told[kind] for kind in ("missing", "extra")} == {kind: planted[kind] for kind in ("missing", "extra")}


def test_it_costs_one_query_job(org: SimulatedOrg, exported: Exporter) -> None:
    jobs = len(org.control.jobs())
    verify(exported)
    assert len(org.control.jobs()) - jobs == 1
    assert all(job["deleted"] for job in org.control.jobs()[jobs:])


def test_a_repair_needs_to_know_the_schemas(exported: Exporter) -> None:
    config = exported.folder / "config.json"
    config.write_text(json.dumps(exported.config), encoding="utf-8")
    command = [str(SCRIPT), "verify", "--config", str(config), "--destination", str(exported.destination), "--repair"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "--schemas" in done.stderr


def test_an_object_that_cannot_be_had_is_not_called_equal(exported: Exporter) -> None:
    config = exported.folder / "config.json"
    config.write_text(json.dumps(exported.config), encoding="utf-8")
    command = [str(SCRIPT), "verify", "--config", str(config), "--destination", str(exported.destination)]
    named = [part for name in ("Account", "Nothing__c", "AppDefinition") for part in ("--object", name)]
    done = subprocess.run([*command, *named], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == CANNOT_TELL
    assert "Nothing__c" in done.stdout
    assert "not compared" in done.stdout
