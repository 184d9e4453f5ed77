"""An increment of 1,000 changed and 100 deleted rows into a table: ours, Delta Lake's merge, pyiceberg's upsert.

Each writer is a process that has the rows in a file. Ours commits the log and folds the current table; the others
change their one table. The table has a quarter of the scale's rows, and 25 columns.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from benchmarks.contenders import HERE
from benchmarks.export import measured
from benchmarks.scenario import Scale

_CHANGED, _DELETED = 1_000, 100
_WRITERS = {
    "log and current table": ("tables", Path(sys.executable)),
    "deltalake `merge`": ("delta-merge", Path("build/writers/bin/python")),
    "pyiceberg `upsert` and `delete`": ("iceberg-upsert", Path(sys.executable)),
}


@dataclass(frozen=True, slots=True)
class TableScenario:
    """As ``Scenario``, with writers in place of contenders."""

    name: str

    def run(self, scale: Scale, directory: Path) -> Iterator[str]:
        """Measure the second step of every writer; lines of Markdown."""
        rows = scale.rows // 4
        yield f"### {self.name}"
        yield ""
        yield f"{_CHANGED:,} changed and {_DELETED} deleted rows into a table of {rows:,} rows x 25 columns"
        yield ""
        yield "| writer | seconds | CPU seconds | peak MiB |"
        yield "| --- | ---: | ---: | ---: |"
        with tempfile.TemporaryDirectory(dir=directory.absolute()) as folder:
            first, second = Path(folder) / "first.parquet", Path(folder) / "second.parquet"
            parquet.write_table(_table(range(rows), 0), first)
            step = rows // (_CHANGED + _DELETED)
            parquet.write_table(_table(range(0, step * (_CHANGED + _DELETED), step), 1), second)
            for name, (writer, python) in _WRITERS.items():
                if not python.exists():
                    print(f"{self.name}: {name} is left out; {python} does not exist", file=sys.stderr)
                    continue
                lake = Path(folder) / writer / "lake"
                lake.parent.mkdir()
                command = [python, HERE / "table_writers.py", writer]
                measured([*command, "load", lake, first])
                cost = measured([*command, "apply", lake, second])
                yield f"| {name} | {cost.seconds:.1f} | {cost.cpu:.1f} | {cost.peak_mib:,.0f} |"


def _table(numbers: range, version: int) -> pa.Table:
    """Rows of these numbers; of those of a second version, every eleventh is deleted."""
    moment = pa.scalar(1_764_500_000_000_000 + version * 3_600_000_000, pa.timestamp("us", "UTC"))
    columns = {
        "Id": [f"a01{number:012d}AAA" for number in numbers],
        "IsDeleted": [bool(version) and place % 11 == 0 for place in range(len(numbers))],
        "SystemModstamp": pa.repeat(moment, len(numbers)),
        **{f"Text{at}__c": [f"{version} {at} {number * 7919 % 1_000_003}" for number in numbers] for at in range(16)},
        **{f"Amount{at}__c": [float(number * at % 9973) / 4 for number in numbers] for at in range(6)},
    }
    return pa.table(columns)


SCENARIO = TableScenario("tables")
