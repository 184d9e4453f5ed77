"""The queries of docs/tables.md, run unchanged on the files of a real export, return the rows of the org."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from integration_tests.exporter import Exporter
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

PAGE = (Path(__file__).parents[1] / "docs" / "tables.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


class SparkByDuckDb:
    """The part of a Spark session that the snippet uses. DuckDB runs its SQL."""

    def __init__(self) -> None:
        self._files: list[str] = []
        self.read = self

    def option(self, name: str, value: str) -> SparkByDuckDb:
        assert (name, value) == ("mergeSchema", "true")
        return self

    def parquet(self, *files: str) -> SparkByDuckDb:
        self._files = list(files)
        return self

    def createOrReplaceTempView(self, name: str) -> None:  # noqa: N802 - Spark's name
        duckdb.read_parquet(self._files, union_by_name=True).create_view(name, replace=True)

    def sql(self, text: str) -> SparkByDuckDb:
        self._rows = duckdb.sql(text)
        return self

    def drop(self, column: str) -> duckdb.DuckDBPyRelation:
        return self._rows.select(f"* EXCLUDE ({column})")


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")) as simulated:
        yield simulated


def test_the_snippets_keep_the_newest_row_of_each_id_and_drop_the_deleted(
    org: SimulatedOrg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = Exporter(org, tmp_path / "out")
    exporter.run(["Contact"])
    org.control.advance_clock(3600)
    ids = [row["Id"] for row in org.control.rows("Contact")]
    org.control.update("Contact", {"LastName": "Changed"}, ids=ids[:7])
    org.control.soft_delete("Contact", ids=ids[7:10])
    org.control.advance_clock(60)
    exporter.run(["Contact"])
    (tmp_path / "out" / "export").symlink_to(exporter.destination)
    (exporter.destination / "Contact" / "garbage.parquet").write_bytes(b"of a run that was killed")
    alive = {row["Id"] for row in org.control.rows("Contact") if row.get("IsDeleted") not in (True, "true")}
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}

    by_duckdb, by_pandas, by_spark = SNIPPETS
    exec(by_duckdb, names)
    current = names["current"].fetchall()
    exec(by_pandas, names)

    assert len(current) == len({row[0] for row in current}) == len(alive)
    frame = names["current"]
    assert set(frame["Id"]) == alive
    assert (frame[frame["Id"].isin(ids[:7])]["LastName"] == "Changed").all()

    names["spark"] = SparkByDuckDb()
    exec(by_spark, names)
    assert {row[0] for row in names["current"].fetchall()} == alive
