from __future__ import annotations

import pyarrow as pa
from pyarrow import parquet

from source_salesforce_bulk.export.layout import Layout
from source_salesforce_bulk.salesforce.describe import Field, SObject

FIELDS = (Field("Id", "id", label="Account ID"), Field("Day__c", "date"), Field("SystemModstamp", "datetime"))
LAYOUT = Layout(SObject("Account", "Account", custom=False, fields=FIELDS), {"Id": 1, "Day__c": 7, "SystemModstamp": 3})


def test_a_file_names_each_column_with_its_id_label_and_type(tmp_path):
    columns = [LAYOUT.all_columns[place] for place in (2, 0, 1)]
    parquet.write_table(LAYOUT.schema(columns).empty_table(), tmp_path / "file.parquet")

    schema = parquet.read_schema(tmp_path / "file.parquet")

    assert [(one.name, one.metadata[b"PARQUET:field_id"]) for one in schema] == [
        ("SystemModstamp", b"3"),
        ("Id", b"1"),
        ("Day__c", b"7"),
    ]
    assert schema.field("Id").metadata[b"salesforce.label"] == b"Account ID"
    assert schema.field("Day__c").metadata[b"salesforce.type"] == b"date"
    assert schema.metadata[b"salesforce.object"] == b"Account"


def test_instants_are_microseconds_in_utc():
    columns = LAYOUT.all_columns[2:]
    assert LAYOUT.schema(columns).field("SystemModstamp").type == pa.timestamp("us", "UTC")
