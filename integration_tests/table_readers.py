"""The readers of Iceberg tables that tests try; each returns a table's rows, nulls included.

DuckDB's own reading of Iceberg is an extension, which cannot be installed everywhere: `make certify-tables` installs it
beside a DuckDB of its version, and names that environment's interpreter in TABLES_PYTHON. Without it, DuckDB reads the
Parquet files that pyiceberg finds.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from pyarrow import parquet
from pyiceberg.table import Table

from integration_tests.exporter import Row
from source_salesforce_bulk.tables.local_files import local_path

PYTHON = os.environ.get("TABLES_PYTHON", "")
SPARK_PYTHON = os.environ.get("GLUE_PYTHON", "")
"""The interpreter of an environment with Spark, and Iceberg's runtime for it; `make certify-glue` provides both."""
RUNTIME = os.environ.get("ICEBERG_RUNTIME", "")
_SPARK_ARGUMENTS = (
    f"--master local[1] --jars {RUNTIME} --conf spark.ui.enabled=false --conf spark.driver.host=127.0.0.1 "
    "--conf spark.driver.bindAddress=127.0.0.1 --conf spark.sql.session.timeZone=UTC "
    "--conf spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS "
    "--conf spark.sql.parquet.datetimeRebaseModeInWrite=CORRECTED pyspark-shell"
)
_SPARK_SCAN = """
import sys
from pyspark.sql import SparkSession
metadata, out = sys.argv[1:]
SparkSession.builder.getOrCreate().read.format("iceberg").load(metadata).write.parquet(out)
"""
_SCAN = """
import importlib.util, sys
from pathlib import Path
import duckdb
from pyarrow import parquet
metadata, out, secret = sys.argv[1:]
connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
for name in ("avro", "httpfs", "iceberg"):
    (folder,) = importlib.util.find_spec(f"duckdb_extension_{name}").submodule_search_locations
    (path,) = Path(folder).glob(f"extensions/*/{name}.duckdb_extension")
    connection.execute(f"LOAD '{path}'")
connection.execute("SET TimeZone = 'UTC'")
if secret:
    connection.execute(secret)
rows = connection.execute("SELECT * FROM iceberg_scan(?)", [metadata]).to_arrow_table()
parquet.write_table(rows, out)
"""


def by_pyiceberg(table: Table) -> list[Row]:
    """Pyiceberg into Arrow."""
    return table.scan().to_arrow().to_pylist()


def by_polars(table: Table) -> list[Row]:
    """Polars; it plans with pyiceberg and reads by itself."""
    return pl.scan_iceberg(table, storage_options=_polars_options(table.io.properties)).collect().to_dicts()


def by_duckdb_parquet(table: Table) -> list[Row]:
    """The data files that the metadata names, read by DuckDB's Parquet reader, which knows nothing of field ids."""
    paths = [str(local_path(task.file.file_path)) for task in table.scan().plan_files()]
    if not paths:
        return []
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.from_parquet(paths, union_by_name=True).to_arrow_table().to_pylist()


def by_duckdb_iceberg(table: Table) -> list[Row]:
    """DuckDB's extension for Iceberg, from the metadata on."""
    location = table.metadata_location
    metadata = str(local_path(location)) if location.startswith("file:") else location
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.parquet"
        command = [PYTHON, "-c", _SCAN, metadata, str(out), _duckdb_secret(table.io.properties)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return parquet.read_table(out).to_pylist()


def by_spark(table: Table) -> list[Row]:
    """Spark with Iceberg's own runtime, from the metadata on."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYSPARK_PYTHON": SPARK_PYTHON, "PYSPARK_SUBMIT_ARGS": _SPARK_ARGUMENTS}
        command = [SPARK_PYTHON, "-c", _SPARK_SCAN, str(local_path(table.metadata_location)), f"{folder}/rows"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        return parquet.read_table(f"{folder}/rows").to_pylist()


def readers(*, local: bool = True) -> Mapping[str, Callable[[Table], list[Row]]]:
    """Those that are at hand, by name."""
    found = {"pyiceberg": by_pyiceberg, "polars": by_polars}
    if PYTHON:
        found["duckdb"] = by_duckdb_iceberg
    elif local:
        found["duckdb"] = by_duckdb_parquet
    return found


def _polars_options(properties: Mapping[str, Any]) -> dict[str, str] | None:
    if "s3.endpoint" not in properties:
        return None
    return {
        "aws_endpoint_url": properties["s3.endpoint"],
        "aws_access_key_id": properties["s3.access-key-id"],
        "aws_secret_access_key": properties["s3.secret-access-key"],
        "aws_region": properties["s3.region"],
        "aws_allow_http": "true",
    }


def _duckdb_secret(properties: Mapping[str, Any]) -> str:
    if "s3.endpoint" not in properties:
        return ""
    host = properties["s3.endpoint"].removeprefix("http://")
    key, secret, region = (properties[f"s3.{name}"] for name in ("access-key-id", "secret-access-key", "region"))
    return (
        f"CREATE SECRET (TYPE s3, KEY_ID '{key}', SECRET '{secret}', REGION '{region}', ENDPOINT '{host}', "
        "URL_STYLE 'path', USE_SSL false)"
    )
