"""What encoding costs, by kind of page: ``python -m benchmarks.encoders``. No org, no network, one process, one core.

    lines      the connector's encoder (``pages.record_lines``)
    row by row the exact path: csv module, one record at a time, orjson
    polars     a columnar engine, where it is installed; it writes nulls out and cannot keep every digit
    core       the native page core, where it is installed: proving alone, with lines, with Arrow batches

CPU µs a row, best of some rounds, interleaved. ``exact`` is the share of rows that the encoder could not cut and
left to the csv module.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import io
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import orjson

from source_salesforce_bulk.pages.core import HAS_CORE, ExactCells
from source_salesforce_bulk.pages.csv_page import read_rows
from source_salesforce_bulk.pages.json_cells import json_value
from source_salesforce_bulk.pages.record_lines import LineEncoder
from source_salesforce_bulk.pages.records import Column, RecordReader
from source_salesforce_bulk.salesforce.field_types import CellKind

ROUNDS = 5
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
    print("| page | bytes a row | lines | exact | row by row | polars | core, prove | core, lines | core, Arrow |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
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
    encoder = LineEncoder("Account", columns)
    encoded = encoder.encode(io.BytesIO(page), io.BytesIO(), 1)
    rows = encoded.shape.rows
    ways: dict[str, Callable[[], object]] = {
        "lines": lambda: encoder.encode(io.BytesIO(page), io.BytesIO(), 1),
        "rows": lambda: _row_by_row(columns, page),
    }
    if with_polars:
        ways["polars"] = lambda: _by_polars(columns, page)
    if HAS_CORE:
        ways |= _by_core(columns, page)
    best = dict.fromkeys(ways, float("inf"))
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
    beside = [micros.get(name, "not installed") for name in ("polars", "core, prove", "core, lines", "core, Arrow")]
    return [f"{len(page) / rows:,.0f}", micros["lines"], f"{encoded.exact / rows:.0%}", micros["rows"], *beside]


def _by_core(columns: Sequence[Column], page: bytes) -> dict[str, Callable[[], object]]:
    """The native core, as a page arrives in pieces."""
    import salesforce_bulk_core as core  # noqa: PLC0415 - not on every platform

    kinds = [(column.name, column.kind.value) for column in columns]
    line_form, array_form, exact = core.LineFormat(kinds, "Account"), core.ArrayFormat(kinds), ExactCells(columns)

    def proven(keep: int) -> core.PageDecoder:
        decoder = core.PageDecoder([column.name for column in columns], gzipped=False, keep=keep)
        for at in range(0, len(page), 1 << 18):
            decoder.feed(page[at : at + (1 << 18)])
        decoder.finish()
        return decoder

    def lines() -> None:
        decoder = proven(len(page))
        while decoder.lines(line_form, exact, emitted_at=1) is not None:
            pass

    def arrays() -> None:
        decoder = proven(len(page))
        while decoder.batch(array_form, exact) is not None:
            pass

    return {"core, prove": lambda: proven(0), "core, lines": lines, "core, Arrow": arrays}


def _row_by_row(columns: Sequence[Column], page: bytes) -> bytes:
    """The records of ``records`` as lines, without the CDK's own cost of a message."""
    lines = []
    for record in RecordReader(columns).records(read_rows(io.BytesIO(page), [column.name for column in columns])):
        data = {name: json_value(value) for name, value in record.data.items()}
        message: dict[str, object] = {"stream": "Account", "data": data, "emitted_at": 1}
        if record.unreadable:
            changes = [{"field": name, "change": "NULLED"} for name in record.unreadable]
            message["meta"] = {"changes": changes}
        lines.append(orjson.dumps({"type": "RECORD", "record": message}))
    return b"\n".join(lines)


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
