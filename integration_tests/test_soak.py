"""Days in the life of an org: after each audit, the delivered Ids equal those of the org.

`make soak` lives 30 days, `make test` two; SOAK_DAYS and SOAK_SEED choose others. Killed runs end between two pages.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_tests.connector import Output
from integration_tests.exporter import Exporter, as_emitted
from integration_tests.ground_truth import GroundTruth
from integration_tests.simulated_org.settings import OrgSettings
from integration_tests.simulated_org.simulated import SimulatedOrg
from integration_tests.test_deletions import TOLD, watching
from integration_tests.test_incremental import NOON
from source_salesforce_bulk.deletions import known_ids

DAYS = int(os.environ.get("SOAK_DAYS", "2"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
RUNS_A_DAY = 3
MOST_TRIES = 20
HOURS = 3600
EVENTS = ("page_served", "job_created", "queryAll", "getDeleted")
OBJECTS = ("Account", "CampaignMember")
PROJECTS = ("Project__c", "ProjectJob__c")
FORMULAS = {
    "Project__c": ("Remaining__c", "Title__c", "AccountName__c", "AccountOwner__c", "Jobs__c", "Hours__c"),
    "ProjectJob__c": ("ProjectName__c", "Cost__c"),
}


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    settings = OrgSettings(polls_until_complete=1, frozen_at=NOON, formula_objects=True)
    with SimulatedOrg(settings) as simulated:
        accounts = [
            str(row["Id"]) for row in simulated.control.rows("Account", fields=["Id"], where="IsDeleted = false")
        ]
        rows = [{"Name": f"p{at}", "Account__c": accounts[at % 9], "Rate__c": "10.0"} for at in range(120)]
        simulated.control.insert("Project__c", rows)
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
        for change in self._chance.sample(self._moves(), 2):
            change()
        self._control.advance_clock(HOURS)

    def _moves(self) -> list[Callable[[], object]]:
        """Changes that move formulas; of others' rows, of their own, and back."""
        control, some, digit = self._control, self._some, self._chance.randint(1, 3)
        alive = "IsDeleted = false"
        job = {"Name": "j", "Hours__c": f"{digit}.0"}
        return [
            lambda: control.insert(
                "ProjectJob__c", [{**job, "Project__c": one} for one in some("Project__c", 2, alive)]
            ),
            lambda: control.soft_delete("ProjectJob__c", ids=some("ProjectJob__c", 2, alive)),
            lambda: control.update("ProjectJob__c", {"Hours__c": f"{digit}.0"}, ids=some("ProjectJob__c", 2, alive)),
            lambda: control.update("Project__c", {"Rate__c": f"{digit}0.0"}, ids=some("Project__c", 2, alive)),
            lambda: control.update("Account", {"Name": f"n{digit}"}, ids=some("Account", 9, alive)),
        ]

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
        self.rows: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in (*OBJECTS, *PROJECTS)}

    def take(self, output: Output, gone_for_good: Callable[[str, str], bool]) -> None:
        """Take what a read has emitted; a deletion that is told must be true."""
        for name in self.rows:
            for row in output.rows.get(name, ()):
                assert TOLD not in row or gone_for_good(name, row["Id"]), "a deletion was reported for an existing row"
                held = self.rows[name].get(row["Id"])
                if held is None or row["SystemModstamp"] >= held["SystemModstamp"]:
                    self.rows[name][row["Id"]] = row

    def ids(self, name: str) -> set[str]:
        """The Ids that are not reported as deleted."""
        return {key for key, row in self.rows[name].items() if TOLD not in row}

    def assert_formulas(self, org: SimulatedOrg) -> None:
        """Assert that every formula has the value that it has in the org."""
        for name, formulas in FORMULAS.items():
            truth = {row["Id"]: row for row in GroundTruth(org).records(name)}
            stale = [
                (key, field, self.rows[name][key].get(field), row.get(field))
                for key, row in truth.items()
                for field in formulas
                if self.rows[name][key].get(field) != row.get(field)
            ]
            assert not stale, f"{name}: {len(stale)} values, such as {stale[:2]}"


def killed(output: Output, chance: random.Random) -> Output:
    """Return what a destination keeps of a run that was killed: of each stream, all rows up to its last state."""
    cut = output.messages[: chance.randint(0, len(output.messages))]
    kept = Output()
    for name in (*OBJECTS, *PROJECTS):
        own = [message for message in cut if _stream_of(message) == name]
        last = max((at for at, message in enumerate(own) if message["type"] == "STATE"), default=-1)
        kept.messages += own[: last + 1]
    return kept


def _stream_of(message: dict[str, Any]) -> str | None:
    match message:
        case {"record": {"stream": str(name)}}:
            return name
        case {"state": {"stream": {"stream_descriptor": {"name": str(name)}}}}:
            return name
        case _:
            return None


def is_complete(output: Output) -> bool:
    """Return True if every stream was read to its end."""
    ends = [statuses[-1] for statuses in output.statuses.values()]
    return len(ends) == len((*OBJECTS, *PROJECTS)) and set(ends) == {"COMPLETE"}


@pytest.mark.parametrize("exact", [20_000, 40], ids=["exact", "sketch"])
def test_after_each_audit_the_destination_has_the_ids_of_the_org(
    org: SimulatedOrg, monkeypatch: pytest.MonkeyPatch, exact: int
) -> None:
    monkeypatch.setattr(known_ids, "EXACT_MOST", exact)
    chance = random.Random(SEED)
    life, held = Life(org, chance), Destination()
    connection = watching(org, *OBJECTS, *PROJECTS, page_size=50, formula_fields="refresh")

    def ids(name: str) -> set[str]:
        return {str(row["Id"]) for row in org.control.rows(name, fields=["Id"])}

    def gone_for_good(name: str, key: str) -> bool:
        return key not in ids(name)

    audits = 0
    for day in range(DAYS):
        for _ in range(RUNS_A_DAY):
            life.an_hour()
            fate = chance.random()
            if fate < 0.3:
                event, nth = chance.choice(EVENTS), chance.randint(1, 9)
                stopped = connection.connector.read_until(event, nth, connection.catalog, connection.state)
            elif fate < 0.6:
                stopped = killed(connection.connector.read(connection.catalog, connection.state), chance)
            else:
                stopped = connection.connector.read(connection.catalog, connection.state)
            held.take(stopped, gone_for_good)
            connection.keep(stopped)
            if is_complete(stopped):
                held.assert_formulas(org)
        org.control.advance_clock((24 - RUNS_A_DAY) * HOURS)
        for _ in range(MOST_TRIES):
            run = connection.attempt(full_audit_every="PT12H")
            held.take(run, gone_for_good)
            if is_complete(run):
                break  # else a signal that was meant for an earlier run has come
        held.assert_formulas(org)
        for name in OBJECTS:
            assert held.ids(name) == ids(name), f"{name} after day {day + 1}"
            audits += 1
    assert audits == DAYS * len(OBJECTS)


def test_after_each_audit_the_files_of_an_export_equal_the_org(org: SimulatedOrg, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    life, held, names = Life(org, chance), Destination(), (*OBJECTS, *PROJECTS)
    config = {"detect_deletes": "all", "full_audit_every": "PT12H", "formula_fields": "refresh", "page_size": 50}
    exporter = Exporter(org, tmp_path, **config)
    for day in range(DAYS):
        for run in range(RUNS_A_DAY):
            life.an_hour()
            stop = threading.Event()
            if chance.random() < 0.6:
                org.control.when_do(chance.choice(EVENTS), stop.set, nth=chance.randint(1, 9))
            with exporter.without_clean_up():
                exporter.run(names, run_id=f"run-{day:02}-{run}", stop=stop)
        org.control.advance_clock((24 - RUNS_A_DAY) * HOURS)
        codes = [exporter.run(names, run_id=f"run-{day:02}-{RUNS_A_DAY + again}").code for again in range(2)]
        assert codes[-1] == 0
        for name in names:
            types = {**GroundTruth(org).types(name), TOLD: "datetime"}
            rows = sorted(
                (as_emitted(row, types) for row in exporter.rows(name)), key=lambda row: row["SystemModstamp"]
            )
            held.rows[name] = {row["Id"]: row for row in rows}
        for name in OBJECTS:
            there = {str(row["Id"]) for row in org.control.rows(name, fields=["Id"])}
            assert held.ids(name) == there, f"{name} after day {day + 1}"
        held.assert_formulas(org)
