"""Measure the encoding of pages by their kind, with ``python -m benchmarks.encoders``: no org, one process, one core.

    core       the native page core, where it is installed: RECORD lines in memory, Arrow batches in a file
    Python     the exact path to the same
    polars     a columnar engine, where it is installed; it writes nulls out and cannot keep every digit

CPU µs a row, best of some rounds, interleaved.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import io
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from source_salesforce_bulk.pages.core import HAS_CORE
from source_salesforce_bulk.pages.encoders import FormEncoder, batch_file, record_lines
from source_salesforce_bulk.pages.page_encoder import Arrival
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.pages.workspace import MemoryBudget, Workspace
from source_salesforce_bulk.salesforce.field_types import CellKind

ROUNDS = 5
WAYS = ("core, lines", "core, Arrow", "Python, lines", "Python, Arrow", "polars")
STRING, NUMBER, INTEGER, BOOLEAN, DATE, DATETIME = (
    CellKind.STRING,
    CellKind.NUMBER,
    CellKind.INTEGER,
    CellKind.BOOLEAN,
    CellKind.DATE,
    CellKind.DATETIME,
)
_KINDS = [STRING] * 14 + [NUMBER] * 2 + [INTEGER] + [BOOLEAN] * 2 + [DATE] + [DATETIME] * 5


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encoders")
    parser.add_argument("--rows", type=int, default=20_000, help="of a typical page; others have fewer")
    rows = parser.parse_args().rows
    with_polars = importlib.util.find_spec("polars") is not None
    print(f"| page | bytes a row | {' | '.join(WAYS)} |")
    print("| --- | ---: |" + " ---: |" * len(WAYS))
    for name, columns, page in pages(rows):
        print(f"| {name} | {' | '.join(_measured(columns, page, with_polars=with_polars))} |", flush=True)
    return 0


def pages(rows: int) -> Iterator[tuple[str, list[Column], bytes]]:
    """Pages of every kind: a name, the columns, the CSV."""
    typical = columns_of(_KINDS)
    yield "typical, 25 fields", typical, page_of(typical, rows, nulls=0.2)
    yield "the same, cells quoted where they must be", typical, page_of(typical, rows, nulls=0.2, all_quoted=False)
    yield "the same, one row in five holds quotes", typical, page_of(typical, rows, nulls=0.2, quotes=0.2)
    yield "the same, one cell in five cannot be its type", typical, page_of(typical, rows // 5, nulls=0.2, bad=0.2)
    yield "all null but the Id", typical, page_of(typical, rows, nulls=1.0)
    wide = columns_of(_KINDS * 20)
    yield "wide, 500 fields, half of them null", wide, page_of(wide, rows // 40, nulls=0.5)
    texts = columns_of([STRING] * 6)
    yield (
        "text, 6 fields of 5,000 characters with line breaks",
        texts,
        page_of(texts, rows // 40, nulls=0.1, text=5_000),
    )


def columns_of(kinds: Sequence[CellKind]) -> list[Column]:
    """Fields of these kinds, with the Id in front."""
    return [Column("Id", STRING), *(Column(f"Field{n}__c", kind) for n, kind in enumerate(kinds[1:], 1))]


def page_of(
    columns: Sequence[Column],
    rows: int,
    *,
    nulls: float,
    quotes: float = 0.0,
    bad: float = 0.0,
    text: int = 18,
    all_quoted: bool = True,
) -> bytes:
    """A page by these chances; the same for the same arguments."""
    chance = random.Random(f"{rows} {nulls} {quotes} {bad} {text}")  # noqa: S311 - the same rows every time

    def cell(kind: CellKind) -> str:
        if chance.random() < nulls:
            return ""
        if kind is not STRING and chance.random() < bad:
            return "n/a"
        n = chance.randrange(10**6)
        return {
            STRING: lambda: ("word é\n" * (text // 7 + 1) if text > 100 else f"text {n} and {n % 977} more")[:text],
            NUMBER: lambda: f"{n}.{n % 89 + 1}".rstrip("0"),
            INTEGER: lambda: str(n),
            BOOLEAN: lambda: "true" if n % 2 else "false",
            DATE: lambda: f"20{n % 25 + 1:02d}-{n % 12 + 1:02d}-{n % 28 + 1:02d}",
            DATETIME: lambda: f"20{n % 25 + 1:02d}-{n % 12 + 1:02d}-{n % 28 + 1:02d}T{n % 24:02d}:{n % 60:02d}:00.000Z",
        }[kind]()

    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL)
    writer.writerow([column.name for column in columns])
    for number in range(rows):
        row = [f"001{number:015d}", *(cell(column.kind) for column in columns[1:])]
        if quotes and chance.random() < quotes:
            row[1] = f'said "{number}"'
        writer.writerow(row)
    return out.getvalue().encode()


def _measured(columns: list[Column], page: bytes, *, with_polars: bool) -> list[str]:
    ways: dict[str, Callable[[], object]] = {
        f"{way}, {name}": partial(encode, encoder, page, native=way == "core")
        for name, encoder in (("lines", record_lines("Account", columns)), ("Arrow", batch_file(columns)))
        for way in ("core", "Python")
        if HAS_CORE or way == "Python"
    }
    if with_polars:
        ways["polars"] = lambda: _by_polars(columns, page)
    best = dict.fromkeys(ways, float("inf"))
    rows = encode(record_lines("Account", columns), page, native=False)
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.process_time()
            try:
                way()
            except ValueError as error:
                best[name] = float("nan")
                print(f"{name}: {error}", file=sys.stderr)
            else:
                best[name] = min(best[name], time.process_time() - began)
    micros = {name: f"{seconds / rows * 1e6:,.1f}" for name, seconds in best.items()}
    return [f"{len(page) / rows:,.0f}", *(micros.get(name, "not installed") for name in WAYS)]


def encode(encoder: FormEncoder[Any], page: bytes, *, native: bool) -> int:
    """Encode a page as it arrives in pieces; its rows."""
    with tempfile.TemporaryDirectory() as directory:
        workspace = Workspace(Path(directory), MemoryBudget(1 << 34))
        encoding = replace(encoder, native=native).begin(Arrival(gzipped=False, at=1, workspace=workspace))
        for at in range(0, len(page), 1 << 18):
            encoding.feed(page[at : at + (1 << 18)])
        made = encoding.finish(None)
        encoding.close()
        made.product.discard()
        return made.rows


def _by_polars(columns: Sequence[Column], page: bytes) -> object:
    """As near as a columnar engine comes by itself: whole columns cast, one struct, written as NDJSON."""
    import polars as pl  # type: ignore[import-not-found]  # noqa: PLC0415 - not a dependency

    casts = {NUMBER: pl.Float64, INTEGER: pl.Int64}
    frame = pl.read_csv(page, infer_schema=False).with_columns(pl.all().replace("", None))
    try:
        frame = frame.with_columns(
            [pl.col(column.name).cast(casts[column.kind]) for column in columns if column.kind in casts]
            + [pl.col(column.name) == "true" for column in columns if column.kind is BOOLEAN]
        )
    except pl.exceptions.InvalidOperationError as error:
        raise ValueError("a column with one bad cell fails as a whole") from error
    record = pl.struct(
        pl.lit("Account").alias("stream"), pl.struct(pl.all()).alias("data"), pl.lit(1).alias("emitted_at")
    )
    return frame.select(pl.lit("RECORD").alias("type"), record.alias("record")).write_ndjson()


if __name__ == "__main__":
    sys.exit(main())
