from __future__ import annotations

import pickle
from functools import partial

import pyarrow as pa

from source_salesforce_bulk.deletions.tombstones import DELETED_AT
from source_salesforce_bulk.pages.arrangement import Arrangement, Mark
from source_salesforce_bulk.tables.row_marks import are_tombstones, constant

INSTANT = pa.timestamp("us", "UTC")
MARKS = (
    Mark("_run_id", 8, pa.string(), partial(constant, pa.scalar("monday"))),
    Mark("_deleted", 9, pa.bool_(), are_tombstones),
)
SCHEMA = pa.schema(
    [("Id", pa.string()), ("Amount__string", pa.string()), ("New__c", pa.int64()), ("_run_id", pa.string())]
)
SCHEMA = SCHEMA.append(pa.field("_deleted", pa.bool_()))


def test_columns_are_renamed_missing_ones_are_null_and_marks_are_computed():
    rows = pa.table({"Id": ["a", "b"], "Amount": ["1", "2"]})
    arrangement = pickle.loads(pickle.dumps(Arrangement({"Amount": "Amount__string"}, MARKS)))  # as executors get it

    arranged = arrangement(rows, SCHEMA)

    assert arranged.schema == SCHEMA
    assert arranged.to_pylist() == [
        {"Id": "a", "Amount__string": "1", "New__c": None, "_run_id": "monday", "_deleted": False},
        {"Id": "b", "Amount__string": "2", "New__c": None, "_run_id": "monday", "_deleted": False},
    ]


def test_only_rows_with_a_time_of_detection_are_tombstones():
    rows = pa.table({"Id": ["a", "b"], DELETED_AT: pa.array([None, 0], INSTANT)})
    assert are_tombstones(rows).to_pylist() == [False, True]
