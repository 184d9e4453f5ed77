from __future__ import annotations

from types import SimpleNamespace

import pytest
from pyiceberg.schema import Schema
from pyiceberg.types import NestedField, StringType

from source_salesforce_bulk.tables.commits import MAIN, PROPERTIES, FencedTransaction, Stale, checked, refs_of
from source_salesforce_bulk.tables.iceberg_catalog import embedded
from source_salesforce_bulk.tables.table_failures import UnusableTable


@pytest.mark.parametrize("properties", [PROPERTIES, {"commit.retry.min-wait-ms": "1"}], ids=["ours", "changed"])
def test_a_commit_on_older_snapshots_is_refused(tmp_path, properties):
    tables = embedded(tmp_path)
    tables.make_namespace()
    columns = Schema(NestedField(1, "Id", StringType(), required=False))
    table = tables.catalog.create_table(tables.identifier("account_log"), columns, properties=properties)
    known = refs_of(table, MAIN)
    commit(table, known)

    with pytest.raises(Stale, match=r"salesforce\.account_log was changed by another writer"):
        commit(tables.load("account_log"), known)

    assert len(tables.load("account_log").metadata.snapshots) == 1


def commit(table, known):
    transaction = FencedTransaction(table, known)
    transaction.update_snapshot().fast_append().commit()
    transaction.commit_transaction()


def test_a_table_that_was_upgraded_is_refused():
    table = SimpleNamespace(metadata=SimpleNamespace(format_version=3), name=lambda: ("salesforce", "account"))
    with pytest.raises(UnusableTable, match=r"salesforce\.account has format version 3"):
        checked(table)
