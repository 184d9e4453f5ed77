from __future__ import annotations

import pyarrow as pa

from source_salesforce_bulk.tables.current import Fold
from source_salesforce_bulk.tables.derived import CURSOR, KEY, Folded
from source_salesforce_bulk.tables.iceberg_catalog import embedded
from source_salesforce_bulk.tables.log import OBJECT, ORGANIZATION


def test_a_fold_that_has_nothing_to_add_makes_no_commit(tmp_path):
    tables = embedded(tmp_path)
    tables.make_namespace()
    rows = pa.table({"Id": ["001A", "001A", "001B"], "Name": ["old", "new", "one"]})
    facts = {OBJECT: "Account", ORGANIZATION: "00D", KEY: "Id", CURSOR: ""}
    log = tables.catalog.create_table(tables.identifier("account_log"), rows.schema, properties=facts)
    log.append(rows)

    assert Fold(tables, log, keep_deleted=False).run() == Folded(3, 2)
    assert Fold(tables, log, keep_deleted=False).run() == Folded()

    table = tables.load("account")
    assert len(table.metadata.snapshots) == 1
    assert sorted(table.scan().to_arrow()["Name"].to_pylist()) == ["new", "one"]
