"""Read the Ids and timestamps of exported rows, from an export's files or from the result of a warehouse query."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

import orjson
import pyarrow as pa
from pyarrow import parquet

from source_salesforce_bulk.deletions.tombstones import DELETED_AT
from source_salesforce_bulk.export.comparison import Stamped
from source_salesforce_bulk.export.outcomes import ExportFailed
from source_salesforce_bulk.salesforce.failures import Consequence
from source_salesforce_bulk.salesforce.ids import id_18

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of a row's key and timestamp columns, in any letter case."""

    key: str
    stamp: str


def rows_of_file(name: str, content: bytes, columns: Columns) -> Iterator[Stamped]:
    """Yield the rows of a file of Parquet, JSON lines or CSV, according to the extension of its ``name``.

    Raises ``ExportFailed`` if a column is missing, or if a value is not an Id or not a time.
    """
    if name.endswith(".gz"):
        name, content = name.removesuffix(".gz"), gzip.decompress(content)
    readers = {".parquet": _parquet, ".jsonl": _json_lines, ".csv": _csv}
    reader = readers.get(Path(name).suffix.lower())
    if reader is None:
        raise _unreadable(name, "it is neither .parquet nor .csv nor .jsonl")
    try:
        for row in reader(content, columns):
            yield _stamped(row, columns)
    except (KeyError, ValueError, TypeError, pa.ArrowException) as error:
        raise _unreadable(name, f"it needs {columns.key} and {columns.stamp} in each row ({error})") from error


def milliseconds(value: object) -> int:
    """Return an instant from a file in milliseconds since 1970, UTC if it has no time zone; raises ValueError."""
    match value:
        case datetime():
            moment = value
        case date():
            moment = datetime.combine(value, time())
        case str():
            moment = datetime.fromisoformat(value.strip().replace(" UTC", "+00:00"))
        case _:
            raise ValueError("not a time")
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round((moment - _EPOCH).total_seconds() * 1000)


def _stamped(row: Mapping[str, object], columns: Columns) -> Stamped:
    cells = {name.lower(): value for name, value in row.items()}
    gone = cells.get(DELETED_AT)
    return Stamped(
        id_18(str(cells[columns.key.lower()])), milliseconds(cells[columns.stamp.lower()]), gone not in (None, "")
    )


def _parquet(content: bytes, columns: Columns) -> Iterator[Mapping[str, object]]:
    file = parquet.ParquetFile(io.BytesIO(content))
    wanted = {columns.key.lower(), columns.stamp.lower(), DELETED_AT}
    names = [name for name in file.schema_arrow.names if name.lower() in wanted]
    for batch in file.iter_batches(columns=names):
        yield from batch.to_pylist()


def _json_lines(content: bytes, _: Columns) -> Iterator[Mapping[str, object]]:
    for line in content.splitlines():
        yield orjson.loads(line)


def _csv(content: bytes, _: Columns) -> Iterator[Mapping[str, object]]:
    yield from csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))


def _unreadable(name: str, why: str) -> ExportFailed:
    return ExportFailed(Consequence.CONFIG, f"{name} cannot be compared: {why}.")


def named_files(manifests: Sequence[Mapping[str, object]], object_name: str) -> list[str]:
    """Return the paths of an object's files that any manifest names."""
    found: list[str] = []
    for manifest in manifests:
        entries = manifest.get("objects")
        for entry in entries if isinstance(entries, list) else ():
            if entry.get("object") == object_name:
                found += [file["path"] for file in entry.get("files", ())]
    return found
