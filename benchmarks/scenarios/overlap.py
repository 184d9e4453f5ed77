"""Waiting: jobs ahead, pages in parallel, describes at once, a stuck job; against the ideal and the peer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import overlap
from benchmarks.scenario import Scale


@dataclass(frozen=True, slots=True)
class OverlapScenario:
    """As ``Scenario``, with a table of its own; each line is measured once."""

    name: str

    def run(self, scale: Scale, _: Path) -> Iterator[str]:
        """Measure every situation; lines of Markdown."""
        yield f"### {self.name}"
        yield ""
        yield overlap.HEADING
        for situation in overlap.SCENARIOS.values():
            yield from map(str, situation(overlap.Size(scale.rows, scale.peer_rows)))


SCENARIO = OverlapScenario("overlap")
