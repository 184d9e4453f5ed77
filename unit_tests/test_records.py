from __future__ import annotations

from decimal import Decimal

import pytest

from source_salesforce_bulk.pages.records import Column, Record, RecordReader
from source_salesforce_bulk.salesforce.field_types import CellKind

COLUMNS = (
    Column("Id", CellKind.STRING),
    Column("Name", CellKind.STRING),
    Column("IsDeleted", CellKind.BOOLEAN),
    Column("Employees", CellKind.INTEGER),
    Column("Revenue", CellKind.NUMBER),
    Column("SystemModstamp", CellKind.DATETIME),
)
SOUND = ["001", "Acme", "false", "47.0", "1.5", "2026-11-23T02:00:00.000Z"]


def records_of(*rows: list[str], columns=COLUMNS) -> list[Record]:
    return list(RecordReader(columns).records(rows))


def test_a_row_becomes_values_under_the_fields_names_in_the_columns_order():
    (record,) = records_of(SOUND)
    assert record == Record(
        data={
            "Id": "001",
            "Name": "Acme",
            "IsDeleted": False,
            "Employees": 47,
            "Revenue": 1.5,
            "SystemModstamp": "2026-11-23T02:00:00.000Z",
        },
        unreadable=(),
    )
    assert list(record.data) == [column.name for column in COLUMNS]


def test_an_empty_cell_is_null_and_nulls_are_left_out():
    (record,) = records_of(["001", "", "", "", "", ""])
    assert record == Record(data={"Id": "001"}, unreadable=())


@pytest.mark.parametrize("word", ["NA", "N/A", "null", "NULL", "NaN", "None", " ", "\t", "\r\n", "\x00", "0"])
def test_a_word_for_null_is_text(word):
    (record,) = records_of(["001", word, *SOUND[2:]])
    assert record.data["Name"] == word


def test_false_and_zero_are_no_nulls():
    (record,) = records_of(["001", "Acme", "false", "0", "0.0", ""])
    assert record.data == {"Id": "001", "Name": "Acme", "IsDeleted": False, "Employees": 0, "Revenue": 0.0}


def test_cells_that_cannot_be_their_type_are_null_and_named():
    (record,) = records_of(["001", "Acme", "perhaps", "47.5", "1.5", "yesterday"])
    assert record.unreadable == ("IsDeleted", "Employees", "SystemModstamp")
    assert record.data == {"Id": "001", "Name": "Acme", "Revenue": 1.5}


def test_an_unreadable_cell_spoils_no_other_row():
    spoiled, sound = records_of(["001", "Acme", "perhaps", *SOUND[3:]], SOUND)
    assert spoiled.unreadable == ("IsDeleted",)
    assert sound.unreadable == ()
    assert sound.data["IsDeleted"] is False


def test_a_number_that_a_float_would_change_arrives_whole():
    (record,) = records_of(["001", "", "", "", "12345678901234567890.12", ""])
    assert record.data["Revenue"] == Decimal("12345678901234567890.12")


def test_rows_are_taken_one_at_a_time():
    taken = []

    def rows():
        for number in range(3):
            taken.append(number)
            yield [str(number)]

    records = RecordReader([Column("Id", CellKind.STRING)]).records(rows())
    assert next(records).data == {"Id": "0"}
    assert taken == [0]


def test_every_kind_of_cell_can_stand_in_a_column():
    columns = [Column(kind.name, kind) for kind in CellKind]
    (record,) = records_of(["\x00"] * len(columns), columns=columns)
    assert record.data == {"STRING": "\x00"}
    assert set(record.unreadable) == {kind.name for kind in CellKind} - {"STRING"}
