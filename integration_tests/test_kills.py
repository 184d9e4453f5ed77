"""The console script is killed again and again, at random moments, while the org's rows change under it.

    make kill-test KILLS=200 [SEED=…]        a long one; `make test` runs a short one

Each round is one sync of eight objects: its attempts are killed and started again from the last states they wrote,
until one ends by itself. The requirements are in ``assert_…`` below. The same is done in
the REST lane, with two more objects that only it can read.
"""

from __future__ import annotations

import logging
import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from integration_tests.connector import Connector, configure
from integration_tests.ground_truth import GroundTruth, normal
from integration_tests.killed_runs import ORG_EVENTS, REST_EVENTS, Moment, Run, Sequence
from integration_tests.org_client import strike
from integration_tests.row_changes import EVENTS as BULK_CHANGES
from integration_tests.row_changes import RowChanges
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

KILLS = int(os.environ.get("KILLS", "3"))
SEED = int(os.environ.get("SEED") or 0) or random.SystemRandom().randrange(1, 10**9)
PAGE_SIZE = 100
LOOKBACK = timedelta(minutes=10)

INCREMENTAL = ("Contact", "Opportunity", "OpportunityLineItem", "NullCursor__c")
FULL_REFRESH = ("Task", "Case", "CampaignMember", "AppDefinition")
ENDED = ("JobComplete", "Failed", "Aborted")
REST_ONLY = ("CaseStatus", "ContentDocumentLink")
CHANGING = ("Contact", "Opportunity", "OpportunityLineItem", "Task", "Case", "CampaignMember")


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    """Case has no cursor. Two objects have results so large that Salesforce wants them split: by dates, by Ids."""
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # clients that die are no news here
    settings = OrgSettings(rows=0.4, polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")
    with SimulatedOrg(settings) as simulated:
        for name in ("SystemModstamp", "LastModifiedDate", "CreatedDate"):
            simulated.control.hide_field("Case", name)
        too_large = {"message": "Retried more than 15 times", "value": "above", "times": None}
        strike(simulated, "job_failed", object="OpportunityLineItem", rows=250, **too_large)
        strike(simulated, "job_failed", object="CampaignMember", rows=150, **too_large)
        yield simulated


@pytest.mark.timeout(300 + 60 * KILLS)
@pytest.mark.parametrize(("lane", "jobs"), [("bulk", 1), ("bulk", 4), ("rest", 4)])
def test_a_read_that_is_killed_again_and_again_loses_no_row(org: SimulatedOrg, lane: str, jobs: int) -> None:
    chance = random.Random(SEED + jobs)
    print(f"SEED={SEED} KILLS={KILLS} lane={lane} max_concurrent_jobs={jobs}")  # noqa: T201 - to run it again
    overrides = [{"object": name, "api": lane} for name in (*INCREMENTAL, *FULL_REFRESH)]
    connector = Connector(org, max_concurrent_jobs=jobs, page_size=PAGE_SIZE, object_overrides=overrides)
    in_full = FULL_REFRESH if lane == "bulk" else (*FULL_REFRESH, *REST_ONLY)
    streams = connector.streams(objects=[*INCREMENTAL, *in_full])
    assert not streams["Case"]["supported_sync_modes"].count("incremental")
    catalog = configure(streams, INCREMENTAL)
    catalog["streams"] += configure(streams, in_full, "full_refresh")["streams"]
    events, changing = (ORG_EVENTS, BULK_CHANGES) if lane == "bulk" else (REST_EVENTS, ("queryAll",))
    changes = RowChanges(org, chance, CHANGING, FULL_REFRESH[:3], changing)
    first = "2024-01-01T00:00:00.000Z"
    history = History(org, {"Opportunity": first})
    saved: dict[str, dict[str, Any]] = {"Opportunity": {"SystemModstamp": first}}

    kills = rounds = 0
    while kills < KILLS:
        changes.watch()
        sync = Sequence(connector, catalog, dict(saved))
        while not sync.runs or sync.runs[-1].killed:
            changes.schedule(chance.randint(0, 4))
            sync.attempt(Moment.random(chance, events) if kills + sync.kills < KILLS else None)
            changes.pass_time(3600)
        assert changes.failed is None
        assert sync.runs[-1].output.exit_code == 0, sync.runs[-1].output.errors
        assert_no_more_than_one_page_per_kill_is_repeated(sync, in_full)
        assert_no_job_is_created_again(sync, org)
        assert_jobs_of_states_are_gone(sync, org)
        assert_full_refresh_is_whole(sync, changes)
        for name in in_full[len(FULL_REFRESH) :]:
            assert {row["Id"] for row in sync.rows(name)} == {row["Id"] for row in GroundTruth(org).readable(name)}
        history.add(sync)
        saved = {name: blob for name, blob in sync.state.items() if name in INCREMENTAL}
        kills, rounds = kills + sync.kills, rounds + 1
        print(f"sync {rounds}: {sync.kills} kills at {sync.moments}")  # noqa: T201

    changes.over = True
    last = Sequence(connector, catalog, dict(saved))
    last.attempt()
    history.add(last)
    history.assert_every_row_as_it_is_now()
    assert bool(org.control.jobs()) == (lane == "bulk")
    print(f"{kills} kills in {rounds} syncs, {changes.made} changes, {len(org.control.jobs())} jobs")  # noqa: T201


class History:
    """Everything the incremental streams have ever emitted. ``since``: streams whose first state was made by hand."""

    def __init__(self, org: SimulatedOrg, since: dict[str, str]) -> None:
        self._org = org
        self._since = since
        self._newest: dict[str, dict[str, Any]] = defaultdict(dict)

    def add(self, sync: Sequence) -> None:
        """As a destination does that keeps the row that came last."""
        for name in INCREMENTAL:
            self._newest[name] |= {row["Id"]: normal(row) for row in sync.rows(name)}

    def assert_every_row_as_it_is_now(self) -> None:
        """Nothing is missing and nothing is old. What was deleted for good cannot be seen; it may be left over."""
        for name in INCREMENTAL:
            truth = GroundTruth(self._org).records(name)
            since = self._since.get(name, "")
            expected = {row["Id"]: normal(row) for row in truth if row.get("SystemModstamp", since) >= since}
            emitted = {key: row for key, row in self._newest[name].items() if key in expected}
            wrong = [key for key, row in expected.items() if emitted.get(key) != row]
            assert not wrong, f"{name}: {len(wrong)} of {len(expected)} rows are missing or old, first {wrong[0]}"


def assert_no_more_than_one_page_per_kill_is_repeated(sync: Sequence, in_full: tuple[str, ...]) -> None:
    """A killed run's rows behind its last state come again, and they are of one page; nothing else does.

    Except what windows that look back are there to read again.
    """
    for run in sync.runs:
        assert sum(run.trailing_rows.values()) <= (PAGE_SIZE if run.killed else 0), run.trailing_rows
    for name in (*INCREMENTAL, *in_full):
        seen = Counter(normal(row) for row in sync.rows(name) if not _looked_back_at(row, name, sync))
        repeated = seen.total() - len(seen)
        allowed = sum(run.trailing_rows.get(name, 0) for run in sync.runs)
        assert repeated <= allowed, f"{name}: {repeated} rows came again, {allowed} stood behind a last state"


def _looked_back_at(row: dict[str, Any], name: str, sync: Sequence) -> bool:
    if name not in INCREMENTAL or "SystemModstamp" not in row:
        return False
    stamp = datetime.fromisoformat(row["SystemModstamp"])
    return any(end - LOOKBACK <= stamp < end for end in _window_ends(name, sync))


def _window_ends(name: str, sync: Sequence) -> set[datetime]:
    states = [state for run in sync.runs for state in run.output.states.get(name, ())]
    texts = {state["SystemModstamp"] for state in states if "SystemModstamp" in state}
    texts |= {entry["to"] for state in states for entry in state.get("resume", ())}
    return {datetime.fromisoformat(text) for text in texts}


def assert_no_job_is_created_again(sync: Sequence, org: SimulatedOrg) -> None:
    """No job asks what another one asked whose results were there and whose id a state had carried on."""
    jobs = org.control.jobs()
    for number, run in enumerate(sync.runs):
        known = {job for earlier in sync.runs[:number] for job in earlier.named_jobs}
        results = {job["query"] for job in jobs if job["id"] in known and "JobComplete" in job["history"]}
        created = jobs_of(run, jobs)
        again = results & {job["query"] for job in created}
        assert not again, f"run {number} created again: {again}"
        sound = [job["query"] for job in created if "Failed" not in job["history"]]
        assert len(sound) == len(set(sound)), f"run {number} created a job twice"


def jobs_of(run: Run, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The jobs that a run created and asked for.

    Of others the org may have heard late: the last request of a run that was already dead.
    """
    return [job for job in jobs[run.jobs_before : run.jobs_after] if len(job["history"]) > 1]


def assert_jobs_of_states_are_gone(sync: Sequence, org: SimulatedOrg) -> None:
    """The run that ended by itself leaves nothing behind, neither of its own nor of what its state carried on.

    A killed run does: jobs that it had read to their end, and jobs whose ids no state had reached.
    """
    jobs = org.control.jobs()
    last = sync.runs[-1]
    carried = {entry["job"] for message in last.state for entry in resume_entries(message)}
    own = {job["id"] for job in jobs_of(last, jobs)}
    left = [job["id"] for job in jobs if job["id"] in carried | own and not job["deleted"]]
    assert not left, f"left behind: {left}"
    running = {job["id"] for job in jobs if job["state"] not in ENDED}
    known = {job for run in sync.runs for job in run.named_jobs}
    assert not running & known, "a job that a state named still runs"


def resume_entries(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The jobs that a state message carries on."""
    entries: list[dict[str, Any]] = message["stream"]["stream_state"].get("resume", [])
    return entries


def assert_full_refresh_is_whole(sync: Sequence, changes: RowChanges) -> None:
    """Every row that was there all the time came, and every row came as it once was."""
    for name, versions in changes.versions.items():
        rows = sync.rows(name)
        missing = changes.lasting[name] - {row["Id"] for row in rows}
        assert not missing, f"{name}: {len(missing)} rows are missing"
        strange = [row["Id"] for row in rows if normal(row) not in versions[row["Id"]]]
        assert not strange, f"{name}: {len(strange)} rows never looked like that"
