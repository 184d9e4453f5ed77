"""The code of executors, in environments with the versions of Glue releases. Run by `make certify-glue`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

PYTHON = os.environ.get("GLUE_PYTHON", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="run by `make certify-glue`")

RELEASE = os.environ.get("GLUE_RELEASE", "")
CONSTRAINTS = Path(__file__).parents[1] / "deploy" / "glue" / f"constraints-{RELEASE}.txt"

# An executor's part of a wave, without Spark: what it is given is pickled, what it gives are Arrow batches.
EXECUTOR = """
import json, pickle, sys
import pyarrow as pa
from source_salesforce_bulk.pages.encoders import batch_file
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.oauth import Session
from source_salesforce_bulk.pages.page_task import PageTask, PartitionReader
from source_salesforce_bulk.pages.fetch import PageAddress

asked = json.load(sys.stdin)
columns = tuple(Column(name, CellKind(kind)) for name, kind in asked["columns"])
address = PageAddress("Contact", asked["job"], None, "v66.0", None)

class Source:
    def session(self):
        return Session(asked["token"], asked["url"])

class Given:
    value = pickle.loads(pickle.dumps((Source(), batch_file(columns), (PageTask(0, address),))))

outcomes = []
numbers = iter([pa.record_batch({"id": pa.array([0], pa.int64())})])
rows = pa.Table.from_batches(list(PartitionReader(Given(), outcomes.append)(numbers)))
outcome = outcomes[0][0]
import requests, tenacity, urllib3
print(json.dumps({
    "rows": rows.num_rows, "counted": outcome.rows, "ids": rows["Id"].to_pylist(), "calls": outcome.cost.calls,
    "stamp": str(rows.schema.field("SystemModstamp").type), "failure": outcome.failure and outcome.failure.summary,
    "versions": {"pyarrow": pa.__version__, "urllib3": urllib3.__version__, "requests": requests.__version__},
    "driver_only": sorted({"airbyte_cdk", "pydantic", "boto3", "pendulum", "pyspark"} & sys.modules.keys()),
}))
"""


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1)) as simulated:
        yield simulated


def pins() -> dict[str, str]:
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def test_an_executor_reads_a_page_with_glues_versions(org: SimulatedOrg) -> None:
    client = OrgClient(org)
    job = client.finished("SELECT Id, LastName, SystemModstamp FROM Contact")
    asked = {
        "url": client.token_answer["instance_url"],
        "token": client.token_answer["access_token"],
        "job": job,
        "columns": [["Id", "string"], ["LastName", "string"], ["SystemModstamp", "datetime"]],
    }

    done = subprocess.run(
        [PYTHON, "-c", EXECUTOR], input=json.dumps(asked), capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["failure"] is None
    assert sorted(said["ids"]) == sorted(row["Id"] for row in org.control.rows("Contact"))
    assert said["rows"] == said["counted"]
    assert (said["calls"], said["stamp"]) == (1, "timestamp[us, tz=UTC]")
    assert said["versions"] == {name: pins()[name] for name in ("pyarrow", "urllib3", "requests")}
    assert said["driver_only"] == []


def test_the_driver_can_be_imported_too() -> None:
    """All of it that does not need Spark."""
    script = "import source_salesforce_bulk.export.export_command, source_salesforce_bulk.spark.spark_pages"
    done = subprocess.run([PYTHON, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
