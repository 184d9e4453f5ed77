from __future__ import annotations

import pyarrow as pa
import pytest
from pyarrow import parquet

from source_salesforce_bulk.spark.staging import Staging


def written(staging: Staging, tmp_path, name: str, rows: int, wave: int = 1) -> None:
    """A file as Spark leaves it."""
    folder = tmp_path / "_staging" / "run-1" / "Account" / f"wave-{wave:05d}"
    assert staging.url("Account", wave) == folder.as_uri()
    folder.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table({"Id": ["x"] * rows}), folder / name)


@pytest.fixture
def staging(tmp_path):
    return Staging(tmp_path.as_uri(), "run-1")


def test_a_partitions_file_is_known_by_the_number_in_its_name(staging, tmp_path):
    written(staging, tmp_path, "part-00000-0f3c-c000.zstd.parquet", 3)
    written(staging, tmp_path, "part-00012-0f3c-c000.zstd.parquet", 5)
    (tmp_path / "_staging/run-1/Account/wave-00001/_SUCCESS").touch()
    files = staging.files("Account", 1)
    assert {number: file.rows for number, file in files.items()} == {0: 3, 12: 5}
    assert files[12].size == (tmp_path / files[12].path).stat().st_size


def test_a_wave_without_a_row_has_no_file(staging):
    assert staging.files("Account", 7) == {}


def test_a_partition_in_two_files_is_refused(staging, tmp_path):
    written(staging, tmp_path, "part-00003-0f3c-c000.zstd.parquet", 1)
    written(staging, tmp_path, "part-00003-0f3c-c001.zstd.parquet", 1)
    with pytest.raises(ValueError, match="more than one file"):
        staging.files("Account", 1)


def test_a_staged_file_becomes_part_of_the_export_in_one_step(staging, tmp_path):
    written(staging, tmp_path, "part-00000-0f3c-c000.zstd.parquet", 3)
    staged = staging.files("Account", 1)[0]
    staging.put(staged.path, "Account/run=run-1/w00000-p000000.parquet")
    assert parquet.read_metadata(tmp_path / "Account/run=run-1/w00000-p000000.parquet").num_rows == 3
    assert not (tmp_path / staged.path).exists()


def test_what_a_run_leaves_is_cleared_and_other_runs_are_left_alone(staging, tmp_path):
    written(staging, tmp_path, "part-00000-0f3c-c000.zstd.parquet", 3)
    other = tmp_path / "_staging" / "run-2" / "Account"
    other.mkdir(parents=True)
    staging.clear()
    staging.clear()
    assert not (tmp_path / "_staging/run-1").exists()
    assert other.exists()
