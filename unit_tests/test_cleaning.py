from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pyiceberg.schema import Schema
from pyiceberg.types import NestedField, StringType

from source_salesforce_bulk.tables.cleaning import clean
from source_salesforce_bulk.tables.iceberg_catalog import embedded
from source_salesforce_bulk.tables.local_files import local_path
from source_salesforce_bulk.tables.log import OBJECT


def test_young_files_stay(tmp_path):
    """A run in progress has files that no commit names yet."""
    tables = embedded(tmp_path)
    tables.make_namespace()
    columns = Schema(NestedField(1, "Id", StringType(), required=False))
    table = tables.catalog.create_table(tables.identifier("account_log"), columns, properties={OBJECT: "Account"})
    young = local_path(table.location()) / "data" / "young.parquet"
    young.parent.mkdir(parents=True)
    young.write_bytes(b"PAR1")
    now = datetime.now(UTC)

    assert [one.files for one in clean(tables, now - timedelta(hours=1))] == [0]
    assert young.exists()
    assert [one.files for one in clean(tables, now + timedelta(hours=1))] == [1]
    assert not young.exists()
