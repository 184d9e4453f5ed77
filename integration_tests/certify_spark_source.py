"""``format("salesforce_bulk")`` on Spark 4.1, against a simulated org. Run by `make certify-glue`, which sets it up."""

from __future__ import annotations

import json
import os
import random
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from integration_tests.aws import TABLE, Aws
from integration_tests.documents import blocks
from integration_tests.exporter import Exporter, Row, assert_every_row_once, pages_served
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.spark_job import PYTHON, SESSION_SECRET, kill_workers

pytestmark = [pytest.mark.skipif(not PYTHON, reason="run by `make certify-glue`"), pytest.mark.timeout(900)]

NOTEBOOK = Path(__file__).parents[1] / "examples" / "spark_data_source.ipynb"
KILLS = 3
"""A task may fail three times before Spark gives up the query."""

SPARK = {
    "spark.master": "local[2,4]",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.python.filterPushdown.enabled": "true",
}

BEGIN = """
import json, os, pathlib, sys
from pyspark.sql import SparkSession
from source_salesforce_bulk.spark.data_source import register

spark = SparkSession.builder.getOrCreate()
out = os.environ["OUT"]

def load(name, **options):
    return spark.read.format("salesforce_bulk").options(config="env:SALESFORCE_CONFIG", object=name, **options).load()
"""


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    settings = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z", page_size=300)
    with SimulatedOrg(settings) as simulated:
        yield simulated


class Driver:
    """Runs scripts as Spark's driver, each in a Spark of its own."""

    def __init__(self, org: SimulatedOrg, folder: Path) -> None:
        self.org = org
        self.out = folder
        self.config = {"credentials": org.credentials(), "login_url": org.url}
        self.environment: dict[str, str] = {}

    def start(self, script: str) -> subprocess.Popen[str]:
        arguments = [part for name, value in SPARK.items() for part in ("--conf", f"{name}={value}")]
        environment = {
            **os.environ,
            **self.environment,
            "PYSPARK_PYTHON": PYTHON,
            "PYSPARK_SUBMIT_ARGS": f"{' '.join(arguments)} pyspark-shell",
            "SALESFORCE_CONFIG": json.dumps(self.config),
            "OUT": str(self.out),
        }
        return subprocess.Popen(
            [PYTHON, "-c", script],
            cwd=self.out,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, script: str) -> str:
        """Return what the script has printed, after it ended with code 0."""
        process = self.start(BEGIN + textwrap.dedent(script))
        printed, _ = process.communicate(timeout=400)
        assert process.returncode == 0, printed[-6000:]
        secrets = self.org.credentials()
        assert not any(secrets[name] in printed for name in ("client_secret", "refresh_token"))
        return printed

    def said(self, script: str) -> Any:
        """The JSON on the script's line that begins with SAID."""
        (line,) = [line for line in self.run(script).splitlines() if line.startswith("SAID ")]
        return json.loads(line.removeprefix("SAID "))

    def rows(self, folder: str) -> list[Row]:
        """The rows of the Parquet files in a folder, nulls left out."""
        rows = parquet.read_table(self.out / folder).to_pylist()
        return [{name: value for name, value in row.items() if value is not None} for row in rows]


@pytest.fixture
def driver(org: SimulatedOrg, tmp_path: Path) -> Driver:
    return Driver(org, tmp_path)


def left_in(org: SimulatedOrg) -> list[str]:
    return [job["id"] for job in org.control.jobs() if not job["deleted"]]


def test_the_rows_are_the_orgs_though_workers_are_killed_and_no_further_job_is_created(
    org: SimulatedOrg, driver: Driver
) -> None:
    planned, chance, killed = driver.out / "planned", random.Random(2611), [0]
    running: list[subprocess.Popen[str]] = []

    def kill() -> None:
        if planned.exists() and killed[0] < KILLS and chance.random() < 0.5:
            killed[0] += bool(kill_workers(running[0].pid))

    for nth in range(1, 60):
        org.control.when_do("page_served", kill, object="Contact", nth=nth)
    script = """
    with register(spark):
        contacts = load("Contact")
        assert contacts.rdd.getNumPartitions() == 9
        pathlib.Path(out, "planned").touch()
        contacts.write.parquet(f"{out}/contacts")
        print(contacts.count())
    """

    running.append(driver.start(BEGIN + textwrap.dedent(script)))
    printed, _ = running[0].communicate(timeout=400)

    assert running[0].returncode == 0, printed[-6000:]
    assert killed[0] == KILLS
    assert_every_row_once(lambda _: driver.rows("contacts"), org, "Contact")
    assert max(pages_served(org).values()) > 2  # its headers were asked for, and its rows at least twice
    assert org.control.requests()["createJob"] == 1
    assert left_in(org) == []


def test_every_kind_of_object_has_the_rows_and_columns_of_an_export(
    org: SimulatedOrg, driver: Driver, tmp_path: Path
) -> None:
    names = ["Account", "Awkward__c", "LoginHistory", "Empty__c", "CaseStatus"]
    export = Exporter(org, tmp_path / "export")
    assert export.run(names).code == 0
    said = driver.said(f"""
    found = {{}}
    register(spark)
    for name in {names!r}:
        rows = load(name)
        rows.write.parquet(f"{{out}}/{{name}}")
        found[name] = rows.schema.jsonValue()["fields"]
    print("SAID " + json.dumps(found))
    """)

    assert_every_row_once(driver.rows, org, *names)
    for name in names:
        for file in export.files(name)[:1]:
            schema = parquet.read_schema(export.destination / file["path"])
            assert [field["name"] for field in said[name]] == schema.names
            words = {"int64": "long", "bool": "boolean", "date32[day]": "date", "timestamp[us, tz=UTC]": "timestamp"}
            assert [field["type"] for field in said[name]] == [words.get(str(t), str(t)) for t in schema.types]
            about = schema.field(schema.names[0]).metadata
            assert said[name][0]["metadata"]["salesforce.type"] == about[b"salesforce.type"].decode()
    assert left_in(org) == []  # the program's end deletes them


def test_pushed_filters_narrow_the_query_and_not_the_answer(org: SimulatedOrg, driver: Driver) -> None:
    org.control.update("Account", {"Industry": "ENERGY"}, ids=[row["Id"] for row in org.control.rows("Account")[:3]])
    said = driver.said("""
    register(spark)
    kept = "Industry = 'Energy' and SystemModstamp > timestamp'2001-01-01 00:00:00' and Name is not null"
    pushed = load("Account", push_filters="true").where(kept)
    whole = load("Account").where(kept)
    print("SAID " + json.dumps([sorted(row.Id for row in one.collect()) for one in (pushed, whole)]))
    """)

    assert said[0] == said[1] != []
    soql = [job["query"] for job in org.control.jobs("Account")]
    assert "(Industry = 'Energy') AND (SystemModstamp >= 2001-01-01T00:00:00.000Z)" in soql[0]
    assert "WHERE" not in soql[1]
    assert left_in(org) == []


def test_increments_with_a_state_in_dynamodb_and_the_session_in_a_secret(
    org: SimulatedOrg, driver: Driver, aws: Aws
) -> None:
    driver.environment = aws.environment
    aws.client("secretsmanager").create_secret(Name=SESSION_SECRET)
    options = f'state="dynamodb://{TABLE}", session_secret="{SESSION_SECRET}"'
    read = f"""
    with register(spark):
        load("Contact", {options}).write.mode("append").parquet(out + "/contacts")
    """
    failing = f"""
    try:
        with register(spark):
            assert load("Contact", {options}).count()
            raise RuntimeError("the disk is full")
    except RuntimeError:
        pass
    """

    driver.run(failing)
    (job,) = left_in(org)
    driver.run(read)
    org.control.advance_clock(3600)
    org.control.update("Contact", {"LastName": "Changed"}, ids=[row["Id"] for row in org.control.rows("Contact")[:7]])
    org.control.advance_clock(60)
    driver.run(read)

    rows = driver.rows("contacts")
    assert len(rows) == 2507
    assert [row["LastName"] for row in rows].count("Changed") == 7
    first = [one for one in org.control.jobs("Contact") if "SystemModstamp >=" not in one["query"]]
    assert [one["id"] for one in first] == [job]  # the second run has gone on with the job of the first
    assert left_in(org) == []


def test_what_goes_wrong_is_one_sentence(org: SimulatedOrg, driver: Driver) -> None:
    printed = driver.run("""
    register(spark)
    for options in ({"fields": "Lastname2"}, {"feilds": "Name"}):
        try:
            load("Contact", **options).count()
        except Exception as error:
            print(str(error).replace(chr(10), " "))
    """)
    assert "Lastname2" in printed
    assert "option feilds is unknown. Did you mean fields?" in printed
    assert "KeyError" not in printed


def test_executors_import_neither_the_cdk_nor_boto3() -> None:
    script = "import sys, source_salesforce_bulk.spark.data_source; print(*sys.modules)"
    done = subprocess.run([PYTHON, "-c", script], capture_output=True, text=True, check=True)
    assert not {"airbyte_cdk", "boto3", "botocore", "pydantic"} & set(done.stdout.split())


def test_the_pages_blocks_and_the_example_notebook_run(org: SimulatedOrg, driver: Driver) -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    shown = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    page = [block.text for block in blocks("docs/spark.md") if block.language == "python"]
    script = "\n".join([BEGIN, *page, *shown])

    process = driver.start(script)
    printed, _ = process.communicate(timeout=400)

    assert process.returncode == 0, printed[-6000:]
    assert f"{len(org.control.rows('Account', operation='queryAll'))} accounts" in printed
    assert f"{len(org.control.rows('Contact', operation='query'))} contacts" in printed
    assert len(driver.rows("accounts")) == len(org.control.rows("Account", operation="queryAll"))
    assert left_in(org) == []
