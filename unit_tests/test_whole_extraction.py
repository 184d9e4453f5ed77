"""An extraction from an org with arbitrary faults: every row once, or a typed failure; no job is left."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from source_salesforce_bulk.extraction.query_job import JobPolicy
from source_salesforce_bulk.extraction.stream_state import Mode
from source_salesforce_bulk.salesforce.failures import Kind
from source_salesforce_bulk.salesforce.ids import id_18
from source_salesforce_bulk.salesforce.soql import format_instant
from unit_tests.extraction_rig import FIELDS, UPPER, ExtractionRig, ObjectRun
from unit_tests.fake_salesforce import FakeSalesforce, Row
from unit_tests.fakes import FakeClock, HeldCalls

TIMEOUT = 60.0

FATES = {
    "create": ["lost", "never came", "too large", "unavailable", "expired"],
    "info": ["running"] * 6
    + ["failed", "aborted", "gone", "failed for its size", "no count", "too many", "too few", "unavailable"],
    "results": ["broken", "cut", "short", "no locator", "same locator", "no row count", "gone", "not ready", "expired"],
    "query": ["unavailable"],
    "abort": ["no connection"],
    "delete": ["no connection"],
}
"""The possible faults of a request."""


class Chance:
    """Repeat the numbers that hypothesis chose, each offset by the number of requests, so that no fate lasts."""

    def __init__(self, numbers: list[int], share: int) -> None:
        self._numbers = numbers
        self._share = share
        self._asked = 0
        self._spared = False

    def number(self, ways: int) -> int:
        self._asked += 1
        return (self._numbers[self._asked % len(self._numbers)] + self._asked * 7919) % ways

    def fate(self, operation: str) -> str:
        fates = FATES.get(operation, [])
        # Clean-up is best effort: what this test promises of it holds where it is answered at the second attempt.
        self._spared = operation in ("abort", "delete") and not self._spared
        if not fates or self._spared or self.number(100) >= self._share:
            return ""
        return fates[self.number(len(fates))]


class ShuffledCalls(HeldCalls):
    """Calls that answer in any order."""

    def __init__(self, clock: FakeClock, chance: Chance) -> None:
        super().__init__(clock)
        self._chance = chance

    def next_one(self) -> int:
        return self._chance.number(len(self.held))


def rows(count: int, ties: int) -> list[Row]:
    """Rows of which some share a stamp, one has none, and none is at or behind T."""
    stamps = [UPPER - timedelta(seconds=1 + 3600 * (number // ties)) for number in range(count)]
    return [
        {
            "Id": id_18(f"001A{number:011d}"),
            "Name": ["NA", "", None, 'a "quoted", name', "two\nlines"][number % 5],
            "SystemModstamp": format_instant(stamp) if number else None,
        }
        for number, stamp in enumerate(stamps)
    ]


def truth(of: list[Row]) -> Counter[tuple[str, ...]]:
    return Counter(tuple(row[name] or "" for name in FIELDS) for row in of)


@st.composite
def numbers(draw) -> list[int]:
    return draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=40))


MANY = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each example leaves the directory empty
)
MODES = st.sampled_from(Mode)
SIZES = st.integers(0, 14)


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def check_rows(run: ObjectRun, all_rows: list[Row]) -> None:
    """Every row once, except those announced as repeated; of a failed object, only existing rows."""
    wanted, found = truth(all_rows), Counter(run.rows)
    assert set(found) <= set(wanted)
    repeated = (found - wanted).total()
    if run.failure is None:
        assert set(found) == set(wanted)
        assert repeated == run.read.repeated_rows
    else:
        assert repeated <= run.read.repeated_rows


def check_jobs(rig: ExtractionRig) -> None:
    """No job is left but those that the newest states name; nothing was touched that is not ours."""
    assert rig.salesforce.left() <= rig.named()
    rig.salesforce.close()
    assert rig.files() == []


def chance_rig(directory: Path, chance: Chance, objects: dict[str, list[Row]], jobs: int) -> ExtractionRig:
    salesforce = FakeSalesforce(FakeClock(), objects, chance=chance.fate)
    return ExtractionRig(
        directory,
        salesforce=salesforce,
        jobs=jobs,
        job_timeout=TIMEOUT,
        calls=lambda clock: ShuffledCalls(clock, chance),
        random01=lambda: chance.number(1000) / 1000,
    )


@given(numbers(), st.integers(0, 70), MODES, SIZES, st.integers(1, 6), st.sampled_from([1, 4]))
@MANY
def test_every_row_comes_once_or_the_object_fails_typed_and_no_job_is_left(
    directory, script, share, mode, size, ties, jobs
):
    objects = {"Account": rows(size, ties), "Contact": rows(size // 2, ties)}
    rig = chance_rig(directory, Chance(script, share), objects, jobs)
    for name in objects:
        rig.add(name, mode)
    began = rig.clock.monotonic()
    rig.read_all()
    rig.close()
    for run in rig.runs:
        check_rows(run, objects[run.plan.object_name])
    check_jobs(rig)
    assert rig.clock.monotonic() - began < 40 * JobPolicy(job_timeout=TIMEOUT).budget
    if share == 0:
        assert all(run.failure is None and run.read.repeated_rows == 0 for run in rig.runs)


@given(numbers(), st.integers(0, 50), MODES, SIZES, st.integers(1, 6), st.integers(1, 40), st.booleans())
@MANY
def test_a_state_is_never_ahead_of_its_rows_whenever_the_run_is_killed(
    directory, script, share, mode, size, ties, turns, killed
):
    """Undisturbed runs read from the first one's last state exactly what it has not emitted."""
    objects = {"Account": rows(size, ties)}
    rig = chance_rig(directory, Chance(script, share), objects, jobs=4)
    first = rig.add("Account", mode)
    rig.read_all(turns)
    if not killed:
        rig.close()
    rig.salesforce.chance = lambda operation: ""
    emitted, state = first.states[-1] if first.states else (0, {})
    runs = [first]
    both = Counter(first.rows[:emitted])
    while len(runs) == 1 or runs[-1].failure is not None:
        again = ExtractionRig(directory, salesforce=rig.salesforce, jobs=4, job_timeout=TIMEOUT)
        runs.append(again.add("Account", mode, state))
        again.read_all()
        again.close()
        both += Counter(runs[-1].rows)
        state = runs[-1].state
        # A job of the first run may have lied about its count. That is found once, and its window is read again.
        assert len(runs) <= 3
    wanted = truth(objects["Account"])
    assert set(both) == set(wanted)
    if not any(run.failure is not None and run.failure.kind is Kind.TOTAL_MISMATCH for run in runs):
        assert (both - wanted).total() <= sum(run.read.repeated_rows for run in runs)
    rig.salesforce.close()


@given(numbers(), st.integers(0, 70), MODES, SIZES)
@MANY
def test_states_are_emitted_behind_the_rows_they_cover_and_the_cursor_never_decreases(
    directory, script, share, mode, size
):
    rig = chance_rig(directory, Chance(script, share), {"Account": rows(size, 3)}, jobs=4)
    run = rig.add("Account", mode)
    rig.read_all()
    rig.close()
    cursors = [str(state.get("SystemModstamp", "")) for _, state in run.states]
    assert cursors == sorted(cursors)
    assert all(cursor <= format_instant(UPPER) for cursor in cursors)
    for _, state in run.states:
        points = state.get("resume", [])
        assert sum(point["rows"] > 0 for point in points[1:]) == 0, "only the first unfinished job may have rows"
        assert len(points) <= 4
    if run.failure is None and mode is Mode.FULL_REFRESH:
        assert run.state == {"__ab_full_refresh_sync_complete": True}
    elif run.failure is None:
        assert run.state["SystemModstamp"] == format_instant(UPPER)
        assert "resume" not in run.state
    elif run.failure.kind is Kind.TOTAL_MISMATCH:
        assert "resume" not in run.state
