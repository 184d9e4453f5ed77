"""An export into Iceberg tables is killed at random writes, of every phase, while the org's rows change under it.

    make kill-test KILLS=200 [SEED=…]        a long one; `make test` runs a short one

After each kill, readers see whole tables in which nothing comes twice. From time to time a run is left alone; then the
tables equal the org. After the last run, `tables clean` leaves no file that no metadata names.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from integration_tests.mortal_command import STRUCK
from integration_tests.row_changes import RowChanges
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.table_exporter import (
    TableExporter,
    assert_equals_org,
    assert_history_equals_org,
    assert_no_garbage,
    assert_nothing_twice,
)

KILLS = int(os.environ.get("KILLS", "3"))
SEED = int(os.environ.get("SEED") or 0) or random.SystemRandom().randrange(1, 10**9)
KILLS_BETWEEN = 10
LONGEST_DELAY = 0.2
OBJECTS = ("Contact", "Opportunity", "Case")
WITH_CURSOR = ("Contact", "Opportunity")
"""Contact has so many pages that some are committed before its end. Case has no cursor: it is replaced by every run."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Where a process is killed: at a write whose path has ``pattern``, one of the first ``writes``."""

    pattern: str
    writes: int
    command: str = "export"


PHASES = {
    "pages and log": Phase(r"lake/.*_log/", 45),
    "log commit": Phase(r"lake/(.*_log/metadata/|catalog\.db)", 30),
    "swap": Phase(r"lake/.*/contact_log/metadata/", 12, "full"),
    "fold": Phase(r"lake/.*/(contact|opportunity|case)/(data|metadata)/", 15),
    "history": Phase(r"lake/.*_history/(data|metadata)/", 8),
    "clean": Phase(r"lake/(.*/metadata/|catalog\.db)", 3, "clean"),
}


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # clients that die are no news here
    settings = OrgSettings(rows=0.05, polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")
    with SimulatedOrg(settings) as simulated:
        for name in ("SystemModstamp", "LastModifiedDate", "CreatedDate"):
            simulated.control.hide_field("Case", name)
        yield simulated


class Lake:
    """The exports of one org, each a process of its own."""

    def __init__(self, org: SimulatedOrg, folder: Path, chance: random.Random) -> None:
        self.exporter = TableExporter(org, folder, page_size=5, detect_deletes="all", full_audit_every="P1D")
        self._chance = chance
        self.struck: Counter[str] = Counter()
        # Where nothing that is compiled may be kept, compiling would be most of the time of each process.
        kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
        self._environment = {**os.environ, **(kept if sys.dont_write_bytecode else {})}

    def attempt(self, name: str) -> bool:
        """Run a command of a phase and kill it; returns whether the kill came before its end."""
        phase = PHASES[name]
        nth = 1 + int(phase.writes * self._chance.random())
        delay = self._chance.choice([0.0, 0.0, self._chance.uniform(0, LONGEST_DELAY)])
        mortal = [sys.executable, "-m", "integration_tests.mortal_command", phase.pattern, str(nth), f"{delay:.4f}"]
        done = self.run([*mortal, *self.command(phase.command)[1:]])
        if done.returncode != -signal.SIGKILL:
            assert done.returncode == 0, done.stderr
            return False
        self.struck[name] += 1
        print(f"{name}: {done.stderr.rpartition(STRUCK)[2].strip().rpartition('lake/')[2]} + {delay * 1000:.0f} ms")  # noqa: T201
        return True

    def command(self, kind: str) -> list[str]:
        if kind == "clean":
            return self.exporter.tables_command("clean", "--older-than", "PT0S")
        return self.exporter.arguments(OBJECTS, "--history", *(("--full", "Contact") if kind == "full" else ()))

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=120, check=False)

    def finish(self, kind: str) -> None:
        done = self.run(self.command(kind))
        assert done.returncode == 0, done.stderr

    def assert_equals_org(self) -> None:
        for name in OBJECTS:
            assert_equals_org(self.exporter.rows_of(name.lower()), self.exporter.org, name)
        for name in WITH_CURSOR:
            assert_history_equals_org(self.exporter, name)


@pytest.mark.timeout(300 + 60 * KILLS)
def test_tables_that_are_written_by_killed_runs_equal_the_org(org: SimulatedOrg, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    print(f"SEED={SEED} KILLS={KILLS}")  # noqa: T201 - to run it again
    lake = Lake(org, tmp_path, chance)
    changes = RowChanges(org, chance, OBJECTS, ())
    kills = 0
    while kills < KILLS:
        changes.schedule(chance.randint(0, 3))
        due = [name for name in PHASES if lake.struck[name] == min(lake.struck[one] for one in PHASES)]
        kills += lake.attempt(chance.choice(due))
        assert_nothing_twice(lake.exporter, OBJECTS)
        changes.pass_time(3600)
        if kills % KILLS_BETWEEN == 0 or kills == KILLS:
            changes.over = True
            changes.pass_time(2 * 86_400)  # so that audits are due
            lake.finish("export")
            lake.assert_equals_org()
            changes.over = False

    assert changes.failed is None
    lake.finish("clean")
    lake.assert_equals_org()
    assert_no_garbage(lake.exporter)
    print(f"{kills} kills, {changes.made} changes: {dict(lake.struck)}")  # noqa: T201
