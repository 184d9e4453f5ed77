"""Files that Spark has staged on S3 become part of an export (moto)."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from integration_tests.aws import BUCKET, Aws
from source_salesforce_bulk.export.destination import S3Destination
from source_salesforce_bulk.export.storage_failures import storage_failure
from source_salesforce_bulk.salesforce.failures import Consequence
from source_salesforce_bulk.spark.staging import StagedDestination, Staging

DESTINATION = f"s3://{BUCKET}/salesforce/prod"
WAVE = "salesforce/prod/_staging/run-1/Account/wave-00001"


@pytest.fixture
def staging(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Staging:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    return Staging(DESTINATION, "run-1")


def stage(aws: Aws, name: str, rows: int) -> None:
    """A file as Spark leaves it."""
    file = io.BytesIO()
    parquet.write_table(pa.table({"Id": ["x"] * rows}), file)
    aws.client("s3").put_object(Bucket=BUCKET, Key=f"{WAVE}/{name}", Body=file.getvalue())


def test_a_wave_is_read_from_the_names_that_spark_gives(aws: Aws, staging: Staging) -> None:
    assert staging.url("Account", 1) == f"s3://{BUCKET}/{WAVE}"
    stage(aws, "part-00000-0f3c-c000.zstd.parquet", 3)
    stage(aws, "part-00012-0f3c-c000.zstd.parquet", 5)
    stage(aws, "_SUCCESS", 0)
    assert {number: file.rows for number, file in staging.files("Account", 1).items()} == {0: 3, 12: 5}
    assert staging.files("Account", 2) == {}


def test_a_staged_file_is_moved_to_its_place(aws: Aws, staging: Staging) -> None:
    stage(aws, "part-00000-0f3c-c000.zstd.parquet", 3)
    place = StagedDestination(S3Destination(aws.client("s3"), BUCKET, "salesforce/prod"), staging)
    place.put(Path(staging.files("Account", 1)[0].path), "Account/run=run-1/w00000-p000000.parquet")
    keys = {key for key in aws.all_keys() if key.endswith(".parquet")}
    assert keys == {"salesforce/prod/Account/run=run-1/w00000-p000000.parquet"}


def test_what_a_run_leaves_is_cleared_and_nothing_else(aws: Aws, staging: Staging) -> None:
    stage(aws, "part-00000-0f3c-c000.zstd.parquet", 3)
    other = "salesforce/prod/_staging/run-2/Account/wave-00001/part-00000-x.parquet"
    aws.client("s3").put_object(Bucket=BUCKET, Key=other, Body=b"")
    staging.clear()
    staging.clear()
    assert {key for key in aws.all_keys() if not key.endswith("/")} == {other}


def test_what_s3_answers_through_arrow_is_told_in_its_words(staging: Staging) -> None:
    with pytest.raises(OSError, match="AWS Error") as caught:
        staging.put("_staging/run-1/gone.parquet", "Account/x.parquet")
    failed = storage_failure(caught.value, "Account")
    assert failed is not None
    assert failed.consequence is Consequence.TRANSIENT
    assert "_staging/run-1/gone.parquet" in failed.message
