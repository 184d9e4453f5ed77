"""A run's calls to the org, over an org without sockets: probes, slots, and the number of jobs it may still create."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from source_salesforce_bulk.extraction.query_job import JobPolicy, polls_until
from source_salesforce_bulk.extraction.stream_state import Mode
from source_salesforce_bulk.extraction.windows import PlannedWindow
from source_salesforce_bulk.salesforce.failures import Failure, Kind
from source_salesforce_bulk.salesforce.soql import Bounds, format_instant
from unit_tests.extraction_rig import SCOPE, UPPER, ExtractionRig
from unit_tests.fake_salesforce import Row
from unit_tests.fakes import HeldCalls

ROOT = Path(__file__).parents[1]
DAY = timedelta(days=1)
BEFORE = UPPER - DAY
STATE = {"SystemModstamp": format_instant(BEFORE), "scope": SCOPE}
INCREMENTAL, FULL_REFRESH = Mode.INCREMENTAL, Mode.FULL_REFRESH

Rigs = Callable[..., ExtractionRig]


def rows(*days: float) -> list[Row]:
    """One row for each age in days before T."""
    return [
        {"Id": f"001A0000006Vm{index:02d}IAC", "Name": f"{days}", "SystemModstamp": format_instant(UPPER - DAY * age)}
        for index, age in enumerate(days)
    ]


@pytest.fixture
def rigs(tmp_path: Path):
    made: list[ExtractionRig] = []

    def make(objects, **how) -> ExtractionRig:
        made.append(ExtractionRig(tmp_path, objects, **how))
        return made[-1]

    yield make
    for rig in made:
        rig.salesforce.close()


# Probes


def test_a_window_in_which_nothing_changed_costs_one_call_and_is_closed(rigs: Rigs):
    rig = rigs({"Account": rows(5, 3)})
    run = rig.add("Account", INCREMENTAL, STATE)
    rig.read_all()
    rig.close()
    assert run.rows == []
    assert run.state["SystemModstamp"] == format_instant(UPPER)
    assert "resume" not in run.state
    assert len(rig.salesforce.sent) == rig.salesforce.count("query") == 1


def test_a_window_whose_rows_fit_one_page_is_read_by_its_probe(rigs: Rigs):
    rig = rigs({"Account": rows(5, 0.5, 0.25)})
    run = rig.add("Account", INCREMENTAL, STATE)
    rig.read_all()
    rig.close()
    assert [stamp for _, _, stamp in run.rows] == [format_instant(UPPER - DAY * age) for age in (0.5, 0.25)]
    assert run.state["SystemModstamp"] == format_instant(UPPER)
    assert "resume" not in run.state
    assert len(rig.salesforce.sent) == rig.salesforce.count("query") == 1
    assert rig.files() == []


def test_a_window_with_more_rows_than_a_page_is_read_by_a_job(rigs: Rigs):
    rig = rigs({"Account": rows(5, 0.5, 0.4, 0.3)})
    run = rig.add("Account", INCREMENTAL, STATE)
    rig.read_all()
    rig.close()
    assert len(run.rows) == 3
    assert run.state["SystemModstamp"] == format_instant(UPPER)
    assert (rig.salesforce.count("query"), rig.salesforce.count("create")) == (1, 1)
    assert rig.files() == []


@pytest.mark.parametrize("fate", ["unavailable", "no connection"])
def test_a_probe_that_fails_leaves_the_window_to_a_job(rigs: Rigs, fate: str):
    rig = rigs({"Account": rows(5)})
    rig.salesforce.script("query", *[fate] * 5)
    run = rig.add("Account", INCREMENTAL, STATE)
    rig.read_all()
    rig.close()
    assert run.failure is None
    assert run.state["SystemModstamp"] == format_instant(UPPER)
    assert rig.salesforce.count("create") == 1


def test_an_org_that_answers_no_probe_is_asked_once(rigs: Rigs):
    """A call takes a quarter of a minute to be given up; a hundred objects would wait for that one after the other."""
    rig = rigs({"Account": rows(5), "Contact": rows(5)}, jobs=1)
    rig.salesforce.script("query", *["unavailable"] * 5)
    runs = [rig.add(name, INCREMENTAL, STATE) for name in ("Account", "Contact")]
    rig.read_all()
    rig.close()
    assert [run.failure for run in runs] == [None, None]
    assert (rig.salesforce.count("query"), rig.salesforce.count("create")) == (5, 2)


def test_a_first_load_is_not_probed(rigs: Rigs):
    rig = rigs({"Account": rows()})
    for mode in (INCREMENTAL, FULL_REFRESH):
        rig.add("Account", mode)
    rig.read_all()
    rig.close()
    assert (rig.salesforce.count("query"), rig.salesforce.count("create")) == (0, 2)


def test_an_empty_window_behind_one_that_is_being_read_is_closed_after_it(rigs: Rigs):
    rig = rigs({"Account": rows(1.5, 1.6, 1.7)})
    older = Bounds(start=UPPER - 2 * DAY, end=BEFORE, id_from=None, id_to=None)
    newer = Bounds(start=BEFORE, end=UPPER, id_from=None, id_to=None)
    state = {**STATE, "SystemModstamp": format_instant(UPPER - 2 * DAY)}
    run = rig.add("Account", INCREMENTAL, state, [PlannedWindow(older), PlannedWindow(newer)])
    rig.salesforce.script("info", *["running"] * 5)
    rig.read_all()
    rig.close()
    cursors = [state.get("SystemModstamp") for _, state in run.states]
    assert len(run.rows) == 3
    assert cursors == sorted(cursors)
    assert cursors[-1] == format_instant(UPPER)
    assert rig.salesforce.count("create") == 1


def test_a_probe_that_is_answered_after_the_run_has_stopped_creates_no_job(rigs: Rigs):
    rig = rigs({"Account": rows(0.5)})
    run = rig.add("Account", INCREMENTAL, STATE)
    rig.extraction.stop(Failure.of(Kind.INTERRUPTED))
    rig.read_all()
    rig.close()
    assert run.failure is not None
    assert rig.salesforce.count("create") == 0


# Slots


class NewestFirst(HeldCalls):
    """Calls that are answered in reverse order: a create before the abort of the job that it replaces."""

    def next_one(self) -> int:
        return len(self.held) - 1


def unfinished(rig: ExtractionRig) -> int:
    """Jobs of the org that have not ended."""
    return sum(job.state == "InProgress" and not job.deleted for job in rig.salesforce.jobs.values())


def most_unfinished(rig: ExtractionRig) -> int:
    """Read everything; how many jobs were unfinished at once."""
    most = 0
    while not rig.read_all(turns=1):
        most = max(most, unfinished(rig))
    return most


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_no_more_jobs_than_slots_are_unfinished_also_while_stuck_ones_are_replaced(rigs: Rigs, slots: int):
    rig = rigs({name: rows(1) for name in "ABCDE"}, jobs=slots, job_timeout=30.0, calls=NewestFirst)
    rig.salesforce.script("info", *["running"] * 40 * slots)
    rig.salesforce.script("abort", "no connection", "")
    for name in "ABCDE":
        rig.add(name, FULL_REFRESH)
    assert most_unfinished(rig) == slots
    rig.close()
    assert rig.salesforce.count("abort") >= 2


def test_a_job_that_hangs_for_its_whole_time_delays_no_other_object(rigs: Rigs):
    """The stuck job keeps its slot, and everything else goes through the other."""
    rig = rigs({name: rows(1) for name in ["Stuck", *"ABCDEFG"]}, jobs=2, job_timeout=3600.0)
    stuck = rig.add("Stuck", FULL_REFRESH)
    rig.calls.settle()
    (job,) = rig.salesforce.jobs.values()
    job.state = "Queued"  # whatever that may be: it is unknown, and no end
    began = rig.clock.monotonic()
    others = [rig.add(name, FULL_REFRESH) for name in "ABCDEFG"]
    while not all(run.ended for run in others):
        rig.read_all(turns=1)
    assert rig.clock.monotonic() - began < 60
    assert not stuck.ended
    job.state = "InProgress"
    rig.read_all()
    rig.close()
    assert [len(run.rows) for run in rig.runs] == [1] * 8


# What the day's allowance leaves


def test_creates_stop_where_the_allowance_ends_and_jobs_that_exist_are_read(rigs: Rigs):
    rig = rigs({name: rows(1) for name in "ABCD"}, jobs=1)
    rig.extraction.allow_jobs(2, counted_at=0)
    for name in "ABCD":
        rig.add(name, FULL_REFRESH)
    rig.read_all()
    rig.close()
    assert rig.salesforce.count("create") == rig.extraction.creates == 2
    kinds = [run.failure.kind if run.failure else None for run in rig.runs]
    assert kinds == [None, None, Kind.QUERY_JOBS_EXHAUSTED, Kind.QUERY_JOBS_EXHAUSTED]


def test_a_newer_word_of_the_org_moves_the_end_of_the_allowance(rigs: Rigs):
    rig = rigs({name: rows(1) for name in "ABC"}, jobs=1)
    rig.extraction.allow_jobs(1, counted_at=0)
    rig.add("A", FULL_REFRESH)
    rig.read_all()
    rig.extraction.allow_jobs(2, counted_at=1)
    for name in "BC":
        rig.add(name, FULL_REFRESH)
    rig.read_all()
    rig.close()
    assert rig.salesforce.count("create") == 3
    rig.extraction.allow_jobs(None, counted_at=3)


def test_jobs_that_replace_others_count_too(rigs: Rigs):
    rig = rigs({"Account": rows(1)})
    rig.extraction.allow_jobs(1, counted_at=0)
    rig.salesforce.script("info", "failed")
    run = rig.add("Account", FULL_REFRESH)
    rig.read_all()
    rig.close()
    assert rig.salesforce.count("create") == 1
    assert run.failure is not None
    assert run.failure.kind is Kind.QUERY_JOBS_EXHAUSTED


# Polls


def test_polls_cost_what_the_docs_say():
    one, ten, minutes, hour = (polls_until(seconds, JobPolicy(job_timeout=14400.0)) for seconds in (1, 10, 600, 3600))
    told = (ROOT / "docs" / "api-calls.md").read_text(encoding="utf-8")
    sentence = " ".join(told.partition("A job that takes one second costs")[2].partition("\n- ")[0].split())
    assert sentence == f"{one} polls, ten seconds {ten}, ten minutes {minutes}, an hour {hour}."
