"""An object's columns as Spark's schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql.types import (
    BooleanType,
    DataType,
    DateType,
    DoubleType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.field_types import CellKind

_TYPES: Mapping[CellKind, DataType] = {
    CellKind.STRING: StringType(),
    CellKind.BOOLEAN: BooleanType(),
    CellKind.INTEGER: LongType(),
    CellKind.NUMBER: DoubleType(),
    CellKind.DATE: DateType(),
    CellKind.DATETIME: TimestampType(),
    CellKind.TIME: StringType(),
}


def spark_struct(columns: Sequence[Column], about: Mapping[str, Mapping[str, Any]]) -> StructType:
    """Return the schema of ``columns``, all of them nullable, with the metadata ``about`` each of them."""
    fields = [StructField(column.name, _TYPES[column.kind], True, dict(about[column.name])) for column in columns]
    return StructType(fields)
