"""Where large objects are cut, over an org without sockets whose Ids come from two pods."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from source_salesforce_bulk.extraction import planner
from source_salesforce_bulk.extraction.stream_state import Mode
from source_salesforce_bulk.salesforce.failures import Kind
from source_salesforce_bulk.salesforce.ids import id_18
from source_salesforce_bulk.salesforce.soql import format_instant
from unit_tests.extraction_rig import UPPER, ExtractionRig
from unit_tests.fake_salesforce import Row

INCREMENTAL, FULL_REFRESH = Mode.INCREMENTAL, Mode.FULL_REFRESH
MILLION = 1_000_000


def rows(count: int) -> list[Row]:
    """One row a day before T, the older half of one pod, the other of another; plans claim that they are millions."""
    pods = ["001A0", "001zZ"]
    return [
        {
            "Id": id_18(f"{pods[2 * index // count]}00000{index:05d}"),
            "Name": str(index),
            "SystemModstamp": format_instant(UPPER - timedelta(days=count - index)),
        }
        for index in range(count)
    ]


@pytest.fixture
def rig(tmp_path: Path):
    rig = ExtractionRig(tmp_path, {"Account": rows(40)})
    yield rig
    rig.salesforce.close()


def queries(rig: ExtractionRig) -> list[str]:
    return [job.soql.partition(" WHERE ")[2] for job in rig.salesforce.jobs.values()]


def names(run) -> list[str]:
    return sorted((row[1] for row in run.rows), key=int)


def test_a_large_first_load_is_read_in_windows_of_dates(rig: ExtractionRig):
    run = rig.add("Account", INCREMENTAL, rows=40 * MILLION)
    rig.read_all()
    rig.close()
    assert names(run) == [str(index) for index in range(40)]
    asked = queries(rig)
    assert len(asked) == 8
    assert asked[0].startswith("(SystemModstamp < ")
    assert "OR SystemModstamp = null" in asked[0]
    assert asked[-1].endswith(f"SystemModstamp < {format_instant(UPPER)}")
    assert not any("Id" in soql or "ORDER BY" in soql or "LIMIT" in soql for soql in asked)
    cursors = [state["SystemModstamp"] for _, state in run.states if "SystemModstamp" in state]
    assert cursors == sorted(cursors)
    assert len(set(cursors)) == 8
    assert rig.salesforce.count("query") == 2


def test_a_large_full_refresh_is_read_in_ranges_of_ids_that_hold_rows(rig: ExtractionRig):
    run = rig.add("Account", FULL_REFRESH, rows=20 * MILLION)
    rig.read_all()
    rig.close()
    assert sorted(names(run), key=int) == [str(index) for index in range(40)]
    asked = queries(rig)
    assert len(asked) == 8
    assert [("Id >= " in soql, "Id < " in soql) for soql in asked] == [(False, True)] + [(True, True)] * 6 + [
        (True, False)
    ]
    assert not any("SystemModstamp" in soql or "ORDER BY" in soql or "LIMIT" in soql for soql in asked)
    assert all(job.rows for job in rig.salesforce.jobs.values()), "a range between the pods is empty"
    assert rig.salesforce.count("query") == 2 + 2 * 7
    assert run.state == {"__ab_full_refresh_sync_complete": True}


@pytest.mark.parametrize("mode", [INCREMENTAL, FULL_REFRESH])
def test_a_small_object_costs_no_question_and_one_job(rig: ExtractionRig, mode: Mode):
    rig.add("Account", mode, rows=4 * MILLION)
    rig.read_all()
    rig.close()
    assert (rig.salesforce.count("query"), rig.salesforce.count("create")) == (0, 1)


@pytest.mark.parametrize("mode", [INCREMENTAL, FULL_REFRESH])
def test_where_the_question_is_not_answered_the_object_is_one_job(rig: ExtractionRig, mode: Mode):
    rig.salesforce.script("query", *["unavailable"] * 5)
    run = rig.add("Account", mode, rows=40 * MILLION)
    rig.read_all()
    rig.close()
    assert run.failure is None
    assert len(run.rows) == 40
    assert rig.salesforce.count("create") == 1


def test_a_question_that_finds_the_quota_used_up_stops_the_run(rig: ExtractionRig):
    rig.salesforce.script("query", "quota")
    run = rig.add("Account", INCREMENTAL, rows=40 * MILLION)
    rig.read_all()
    rig.close()
    assert run.failure is not None
    assert run.failure.kind is Kind.API_CALLS_EXHAUSTED
    assert rig.salesforce.count("create") == 0


@pytest.mark.parametrize("mode", [INCREMENTAL, FULL_REFRESH])
@pytest.mark.parametrize("turns", [3, 6, 9, 14])
def test_a_run_that_stops_half_way_is_continued_piece_by_piece(
    rig: ExtractionRig, tmp_path: Path, mode: Mode, turns: int
):
    """Every row comes; none but those of the page under way may come twice."""
    first = rig.add("Account", mode, rows=40 * MILLION)
    rig.read_all(turns=turns)
    rig.close()
    again = ExtractionRig(tmp_path, salesforce=rig.salesforce)
    second = again.add("Account", mode, first.state, rows=40 * MILLION)
    again.read_all()
    again.close()
    emitted = first.states[-1][0] if first.states else 0
    kept = [row[1] for row in first.rows[:emitted]] + [row[1] for row in second.rows]
    assert sorted(kept, key=int) == [str(index) for index in range(40)]
    assert len(rig.salesforce.jobs) <= 2 * planner.MOST_PIECES


def test_the_estimate_follows_what_is_learnt(rig: ExtractionRig):
    run = rig.add("Account", INCREMENTAL, rows=40 * MILLION)
    told = [run.read.expected_rows]
    while not rig.read_all(turns=1):
        if run.read.expected_rows != told[-1]:
            told.append(run.read.expected_rows)
    rig.close()
    assert told[0] == 40 * MILLION
    assert told == sorted(told, reverse=True)
    assert run.read.expected_rows == 40


def test_while_the_org_is_asked_where_to_cut_its_slot_is_kept(tmp_path: Path, rig: ExtractionRig):
    one: Callable[..., ExtractionRig] = ExtractionRig
    alone = one(tmp_path, {"Account": rows(4)}, jobs=1)
    alone.add("Account", INCREMENTAL, rows=40 * MILLION)
    assert not alone.extraction.has_free_slot
    alone.read_all()
    alone.close()


def test_a_defect_while_an_object_is_sized_fails_that_object_alone(tmp_path: Path):
    rig = ExtractionRig(tmp_path, {"Account": rows(40), "Contact": rows(5)})
    rig.salesforce.script("query", "defect")
    account = rig.add("Account", INCREMENTAL, rows=40 * MILLION)
    contact = rig.add("Contact", INCREMENTAL)
    rig.read_all()
    rig.close()
    assert account.failure is not None
    assert account.failure.kind is Kind.UNEXPECTED
    assert (contact.failure, len(contact.rows)) == (None, 5)
    rig.salesforce.close()
