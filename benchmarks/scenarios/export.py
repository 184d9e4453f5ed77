"""The export to Parquet and JSON lines, against the Airbyte path and against pyarrow reading the same CSV from disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import export
from benchmarks.scenario import Scale


@dataclass(frozen=True, slots=True)
class ExportScenario:
    """As ``Scenario``, with contenders of its own."""

    name: str

    def run(self, scale: Scale, directory: Path) -> Iterator[str]:
        """Measure everyone in turn; lines of Markdown."""
        yield f"### {self.name}"
        yield ""
        with tempfile.TemporaryDirectory(dir=directory.absolute()) as folder, export.bench_org(scale.rows) as org:
            yield from export.bench(Path(folder), org, scale.rows, scale.rounds)


SCENARIO = ExportScenario("export")
