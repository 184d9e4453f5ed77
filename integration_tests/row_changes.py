"""Random changes of rows while they are read, with a record of every version of each row."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from integration_tests.ground_truth import GroundTruth, as_records, normal
from integration_tests.simulated_org import SimulatedOrg

EVENTS = ("page_served", "job_created", "job_processing", "job_completed", "jobInfo", "results", "createJob")
NO_RECYCLE_BIN = ("CampaignMember",)
SECONDS_BETWEEN = 7
"""The org's clock moves on with every change, so that stamps and the bounds of windows differ."""


class RowChanges:
    """Changes to ``objects`` of an org, at random events of its traffic.

    Changes whose event has not come are dropped once it is ``over``.

    ``versions`` holds every form in which a row of a ``watched`` object could be read since :meth:`watch`, by Id, and
    ``lasting`` the Ids that were there all the time.
    """

    def __init__(
        self,
        org: SimulatedOrg,
        chance: random.Random,
        objects: Iterable[str],
        watched: Iterable[str],
        events: Sequence[str] = EVENTS,
    ) -> None:
        self._events = tuple(events)
        self._control = org.control
        self._chance = chance
        self._objects = tuple(objects)
        self._watched = {name: GroundTruth(org).types(name) for name in watched}
        self.made = 0
        self.failed: Exception | None = None
        self.over = False
        self.versions: dict[str, dict[str, set[Any]]] = {}
        self.lasting: dict[str, set[str]] = {}

    def watch(self) -> None:
        """Forget the recorded versions and record again."""
        self.versions = {name: defaultdict(set) for name in self._watched}
        self.lasting = {}
        for name in self._watched:
            self._note(name)

    def schedule(self, number: int) -> None:
        """Let ``number`` random changes happen at random events from now on."""
        for _ in range(number):
            event, nth = self._chance.choice(self._events), self._chance.randint(1, 6)
            name, change = self._chance.choice(self._objects), self._chance.choice(self._kinds())
            self._control.when_do(event, partial(self._make, change, name, self._chance.random()), nth=nth)

    def _kinds(self) -> list[Callable[[str, list[str]], object]]:
        control = self._control
        return [
            lambda name, ids: control.insert(name, [{}, {}]),
            lambda name, ids: control.insert_late(name, [{}], stamped_ago=200),
            lambda name, ids: control.insert_late(name, [{}], stamped_ago=200, visible_in=120),
            lambda name, ids: control.update(name, {}, ids=ids),
            lambda name, ids: control.update(name, {}, ids=ids, touch="system"),
            lambda name, ids: control.soft_delete(name, ids=ids) if name not in NO_RECYCLE_BIN else None,
            control.undelete,
            lambda name, ids: control.hard_delete(name, ids=ids[:1]),
            lambda name, ids: control.merge(name, ids[0], ids[1]) if name in ("Account", "Contact") else None,
        ]

    def _make(self, change: Callable[[str, list[str]], object], name: str, seed: float) -> None:
        """Runs on the org's thread, where an exception would be an answer of the org."""
        if self.over:
            return
        try:
            ids = [str(row["Id"]) for row in self._control.rows(name, fields=["Id"])]
            change(name, random.Random(seed).sample(ids, 4))
        except Exception as error:  # noqa: BLE001 - the test fails with it
            self.failed = error
        self.made += 1
        self.pass_time(SECONDS_BETWEEN)

    def pass_time(self, seconds: float) -> None:
        """Move the org's clock on; rows that become visible by that are noted."""
        self._control.advance_clock(seconds)
        for name in self._watched:
            self._note(name)

    def _note(self, name: str) -> None:
        types = self._watched[name]
        rows = as_records(self._control.rows(name, fields=list(types)), types)
        for row in rows:
            self.versions[name][row["Id"]].add(normal(row))
        ids = {row["Id"] for row in rows}
        self.lasting[name] = self.lasting.get(name, ids) & ids
