"""The rows that a destination has after several syncs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from integration_tests.connector import Output
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import SimulatedOrg


class Kept:
    """The rows of a destination that keeps the newest cursor of each Id, and of equal ones the later row."""

    def __init__(self, *names: str) -> None:
        self.rows: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in names}

    def take(self, output: Output) -> None:
        """Take the rows of a sync."""
        for name, held in self.rows.items():
            for row in output.rows.get(name, ()):
                before = held.get(row["Id"])
                if before is None or row["SystemModstamp"] >= before["SystemModstamp"]:
                    held[row["Id"]] = row

    def assert_equals(self, org: SimulatedOrg, name: str, without: Sequence[str] = ()) -> None:
        """Compare with every row of the org, except the values of some fields."""
        truth = {row["Id"]: row for row in GroundTruth(org).records(name)}
        assert_same_rows(
            [shown(row, without) for row in self.rows[name].values()], [shown(row, without) for row in truth.values()]
        )


def shown(row: dict[str, Any], without: Sequence[str] = ()) -> dict[str, Any]:
    """Return a row without nulls, and without some fields."""
    return {name: value for name, value in row.items() if value is not None and name not in without}
