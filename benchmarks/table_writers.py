"""One change of a table by one writer, as a process of its own.

    python benchmarks/table_writers.py WRITER STEP LAKE ROWS

``STEP`` is ``load`` or ``apply``. ``ROWS`` is a Parquet file of rows with the key ``Id``; in ``apply``, those with
``IsDeleted`` leave the table. The program stands alone, so that it runs where only the writer is installed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from pyarrow import parquet

NAME = "Bench__c"


def tables(step: str, lake: Path, rows: Path) -> None:
    """This project's log and current table."""
    from source_salesforce_bulk.registries.state import DataFile, Progress  # noqa: PLC0415 - here and below: each alone
    from source_salesforce_bulk.salesforce.drift import FieldSchema, ObjectSchema  # noqa: PLC0415
    from source_salesforce_bulk.tables.current import Fold  # noqa: PLC0415
    from source_salesforce_bulk.tables.derived import CURSOR, KEY  # noqa: PLC0415
    from source_salesforce_bulk.tables.iceberg_catalog import embedded  # noqa: PLC0415
    from source_salesforce_bulk.tables.table_schemas import TableSchemas  # noqa: PLC0415
    from source_salesforce_bulk.tables.table_states import TableStates  # noqa: PLC0415

    lake_tables = embedded(lake)
    states = TableStates(lake_tables, time.monotonic)
    states.check()
    lease = states.acquire("00D", NAME, "bench")
    log = states.logs[NAME]
    schema = parquet.read_schema(rows)
    if step == "load":
        words = {"string": "string", "double": "double", "bool": "boolean"}
        fields = [FieldSchema(one.name, words.get(str(one.type), "datetime")) for one in schema]
        TableSchemas(lake_tables, states).register("00D", ObjectSchema(NAME, tuple(fields), 0), None)
        with log.table.transaction() as transaction:
            transaction.set_properties({KEY: "Id", CURSOR: "SystemModstamp"})
        log.refresh()
    files = []
    for at, page in enumerate(_pages(log.table, rows, lake.parent / f"{rows.stem}-pages")):
        log.put(page, f"{NAME}/{rows.stem}/{at}.parquet")
        files.append(DataFile(f"{NAME}/{rows.stem}/{at}.parquet", 0, 0, "750", str(at)))
    state = {"SystemModstamp": f"2026-11-{20 + len(list(lake.parent.glob('*-pages'))):02d}T00:00:00.000Z"}
    lease.commit(Progress(state, closed=tuple(files)))
    Fold(lake_tables, log.table, keep_deleted=False).run()


def _pages(table: Any, rows: Path, folder: Path) -> Iterator[Path]:
    """Pages as an export writes them: the log's columns, with their ids."""
    import pyarrow as pa  # noqa: PLC0415
    from pyiceberg.io.pyarrow import schema_to_pyarrow  # noqa: PLC0415

    schema = schema_to_pyarrow(table.schema(), include_field_ids=True)
    folder.mkdir()
    for at, batch in enumerate(parquet.ParquetFile(rows).iter_batches(50_000)):
        moment = pa.scalar(batch["SystemModstamp"][0].value, pa.int64()).cast(pa.timestamp("us", "UTC"))
        marks = {"_run_id": rows.stem, "_read_at": moment, "_deleted": False}
        columns = [
            batch[one.name].cast(one.type)
            if one.name in batch.schema.names
            else pa.repeat(pa.scalar(marks[one.name], one.type), batch.num_rows)
            for one in schema
        ]
        path = folder / f"{at}.parquet"
        parquet.write_table(pa.table(columns, schema=schema), path, compression="zstd")
        yield path


def iceberg_upsert(step: str, lake: Path, rows: Path) -> None:
    """Pyiceberg's own way: upsert by key, then delete."""
    from pyiceberg.catalog.sql import SqlCatalog  # noqa: PLC0415
    from pyiceberg.expressions import In  # noqa: PLC0415

    lake.mkdir(exist_ok=True)
    catalog = SqlCatalog("bench", uri=f"sqlite:///{lake}/catalog.db", warehouse=lake.as_uri())
    table = parquet.read_table(rows)
    if step == "load":
        catalog.create_namespace("bench")
        catalog.create_table("bench.bench", table.schema).append(table)
        return
    target = catalog.load_table("bench.bench")
    target.upsert(table.filter(pc.invert(table["IsDeleted"])), join_cols=["Id"])
    target.delete(In("Id", table.filter(table["IsDeleted"])["Id"].to_pylist()))


def delta_merge(step: str, lake: Path, rows: Path) -> None:
    """Delta Lake's merge in one commit."""
    from deltalake import DeltaTable, write_deltalake  # noqa: PLC0415

    table = parquet.read_table(rows)
    if step == "load":
        write_deltalake(str(lake), table)
        return
    merge = DeltaTable(str(lake)).merge(table, "t.Id = s.Id", source_alias="s", target_alias="t")
    merge = merge.when_matched_delete("s.IsDeleted").when_matched_update_all()
    merge.when_not_matched_insert_all("NOT s.IsDeleted").execute()


WRITERS: Mapping[str, Callable[[str, Path, Path], None]] = {
    "tables": tables,
    "iceberg-upsert": iceberg_upsert,
    "delta-merge": delta_merge,
}

if __name__ == "__main__":
    writer, wanted, to, source = sys.argv[1:]
    WRITERS[writer](wanted, Path(to), Path(source))
