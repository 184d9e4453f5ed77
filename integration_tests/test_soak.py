"""Days in the life of an org: after each audit, the delivered Ids equal those of the org.

`make soak` lives 30 days, `make test` three; SOAK_DAYS and SOAK_SEED choose others. Killed runs end between two pages.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integration_tests.connector import Output
from integration_tests.simulated_org.settings import OrgSettings
from integration_tests.simulated_org.simulated import SimulatedOrg
from integration_tests.test_deletions import TOLD, watching
from integration_tests.test_incremental import NOON
from source_salesforce_bulk.deletions import known_ids

DAYS = int(os.environ.get("SOAK_DAYS", "3"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
RUNS_A_DAY = 3
MOST_TRIES = 20
HOURS = 3600
OBJECTS = ("Account", "CampaignMember")


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, frozen_at=NOON)) as simulated:
        yield simulated


class Life:
    """Random changes of an org's rows, of every kind."""

    def __init__(self, org: SimulatedOrg, chance: random.Random) -> None:
        self._control = org.control
        self._chance = chance

    def an_hour(self) -> None:
        """Some changes, and the org's clock an hour on."""
        for name in OBJECTS:
            for change in self._chance.sample(self._changes(name), 3):
                change()
        self._control.advance_clock(HOURS)

    def _changes(self, name: str) -> list[Callable[[], object]]:
        control, some = self._control, self._some
        always: list[Callable[[], object]] = [
            lambda: control.insert(name, [{} for _ in range(self._chance.randint(1, 6))]),
            lambda: control.update(name, {}, ids=some(name, 5)),
            lambda: control.hard_delete(name, ids=some(name, 2), logged=self._chance.random() < 0.5),
        ]
        if name == "CampaignMember":
            return always
        return [
            *always,
            lambda: control.soft_delete(name, ids=some(name, 3, "IsDeleted = false")),
            lambda: control.undelete(name, ids=some(name, 1, "IsDeleted = true")),
            lambda: control.purge(name, ids=some(name, 2, "IsDeleted = true")),
            lambda: control.empty_recycle_bin(older_than=15 * 24 * HOURS),
            lambda: self._merge(name),
        ]

    def _merge(self, name: str) -> None:
        pair = self._some(name, 2, "IsDeleted = false")
        if len(pair) == 2:
            self._control.merge(name, *pair)

    def _some(self, name: str, count: int, where: str | None = None) -> list[str]:
        ids = [str(row["Id"]) for row in self._control.rows(name, fields=["Id"], where=where)]
        return self._chance.sample(ids, min(count, len(ids)))


class Destination:
    """A destination that keeps the row with the newest cursor of each Id. ``told`` are all reported deletions."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in OBJECTS}

    def take(self, output: Output, gone_for_good: Callable[[str, str], bool]) -> None:
        """Take what a read has emitted; a deletion that is told must be true."""
        for name in OBJECTS:
            for row in output.rows.get(name, ()):
                assert TOLD not in row or gone_for_good(name, row["Id"]), "a deletion was reported for an existing row"
                held = self.rows[name].get(row["Id"])
                if held is None or row["SystemModstamp"] >= held["SystemModstamp"]:
                    self.rows[name][row["Id"]] = row

    def ids(self, name: str) -> set[str]:
        """The Ids that are not reported as deleted."""
        return {key for key, row in self.rows[name].items() if TOLD not in row}


@pytest.mark.parametrize("exact", [20_000, 40], ids=["exact", "sketch"])
def test_after_each_audit_the_destination_has_the_ids_of_the_org(
    org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch, exact: int
) -> None:
    monkeypatch.setattr(known_ids, "EXACT_MOST", exact)
    chance = random.Random(SEED)
    life, held = Life(org, chance), Destination()
    connection = watching(org, *OBJECTS, page_size=50)

    def ids(name: str) -> set[str]:
        return {str(row["Id"]) for row in org.control.rows(name, fields=["Id"])}

    def gone_for_good(name: str, key: str) -> bool:
        return key not in ids(name)

    audits = 0
    for day in range(DAYS):
        for _ in range(RUNS_A_DAY):
            life.an_hour()
            if chance.random() < 0.4:
                event, nth = chance.choice(["page_served", "job_created", "query", "queryAll"]), chance.randint(1, 6)
                killed = connection.connector.read_until(event, nth, connection.catalog, connection.state)
                held.take(killed, gone_for_good)
                connection.keep(killed)
            else:
                held.take(connection.attempt(), gone_for_good)
        org.control.advance_clock((24 - RUNS_A_DAY) * HOURS)
        for _ in range(MOST_TRIES):
            run = connection.attempt(full_audit_every="PT12H")
            held.take(run, gone_for_good)
            if {ends[-1] for ends in run.statuses.values()} == {"COMPLETE"}:
                break  # else a signal that was meant for an earlier run has come
        for name in OBJECTS:
            assert held.ids(name) == ids(name), f"{name} after day {day + 1}"
            audits += 1
    assert audits == DAYS * len(OBJECTS)
