"""Objects read through REST over an org without sockets: state, resume, refusals, and the number of calls."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from source_salesforce_bulk.extraction.stream_state import REST_JOB, Mode
from source_salesforce_bulk.salesforce.failures import Kind
from source_salesforce_bulk.salesforce.lanes import BULK, Lane
from source_salesforce_bulk.salesforce.soql import format_instant
from unit_tests.extraction_rig import UPPER, ExtractionRig

REST = Lane(rest=True, reason="the Bulk API does not support it")
ROWS = [
    {
        "Id": f"001A0000006Vm{number:02d}IAC",
        "Name": f"n{number}",
        "SystemModstamp": format_instant(UPPER - timedelta(days=30 + number)),
    }
    for number in range(8)
]
IDS = [row["Id"] for row in ROWS]


@pytest.fixture
def rigs(tmp_path: Path):
    made: list[ExtractionRig] = []

    def make(**how) -> ExtractionRig:
        made.append(ExtractionRig(tmp_path, {"CaseStatus": ROWS, "Account": ROWS}, **how))
        return made[-1]

    yield make
    for salesforce in {id(rig.salesforce): rig.salesforce for rig in made}.values():
        salesforce.close()


@pytest.mark.parametrize("mode", Mode)
def test_an_object_is_read_in_the_order_of_ids_without_a_job(rigs, mode):
    rig = rigs()
    run = rig.add("CaseStatus", mode, lane=REST)
    rig.read_all()
    rig.close()
    assert [row[0] for row in run.rows] == IDS
    assert len(rig.salesforce.sent) == rig.salesforce.count("query") == 3
    assert rig.extraction.creates == 0
    assert rig.files() == []
    assert "resume" not in run.state


def test_the_state_names_the_last_id_and_the_next_run_goes_on_behind_it(rigs):
    rig = rigs()
    first = rig.add("CaseStatus", Mode.INCREMENTAL, lane=REST)
    while len(first.rows) < 3:
        rig.turn(first)
        rig.extraction.wait(1.0)
    rig.close()
    (point,) = first.state["resume"]
    assert (point["job"], point["locator"], point["page"], point["rows"]) == (REST_JOB, IDS[2], 1, 3)
    again = rigs()
    second = again.add("CaseStatus", Mode.INCREMENTAL, first.state, lane=REST)
    again.read_all()
    again.close()
    assert [row[0] for row in second.rows] == IDS[3:]
    assert second.state["SystemModstamp"] == format_instant(UPPER)


def test_a_page_that_is_lost_is_asked_for_again_from_where_it_begins(rigs):
    rig = rigs()
    rig.salesforce.script("query", "", *["short"] * 4, "")
    run = rig.add("CaseStatus", Mode.FULL_REFRESH, lane=REST)
    rig.read_all()
    rig.close()
    assert run.failure is None
    assert [row[0] for row in run.rows] == IDS
    assert rig.salesforce.count("create") == 0


@pytest.mark.parametrize(("was", "now"), [(REST, BULK), (BULK, REST)])
def test_a_window_that_was_begun_in_one_lane_is_read_whole_in_the_other(rigs, was, now):
    rig = rigs()
    first = rig.add("CaseStatus", Mode.INCREMENTAL, lane=was)
    while len(first.rows) < 3:
        rig.turn(first)
        rig.extraction.wait(1.0)
    state = first.state
    rig.close()
    again = rigs(salesforce=rig.salesforce)
    second = again.add("CaseStatus", Mode.INCREMENTAL, state, lane=now)
    again.read_all()
    again.close()
    assert [row[0] for row in second.rows] == IDS
    assert rig.salesforce.left() == set()
    assert rig.salesforce.count("create") == 1


def test_an_object_that_bulk_refuses_is_remembered_and_not_read_otherwise_in_the_same_run(rigs, caplog):
    rig = rigs()
    rig.salesforce.script("create", "400 INVALIDENTITY")
    run = rig.add("Account", Mode.INCREMENTAL)
    rig.read_all()
    rig.close()
    assert run.failure is not None
    assert run.failure.kind is Kind.OBJECT_NOT_SUPPORTED
    assert (run.rows, run.state["api"]) == ([], "rest")
    assert [record for record in caplog.records if "the next run" in record.getMessage()]


def test_a_refusal_is_not_remembered_where_the_user_has_chosen_bulk(rigs):
    rig = rigs()
    rig.salesforce.script("create", "400 INVALIDENTITY")
    run = rig.add("Account", Mode.INCREMENTAL, lane=Lane(rest=False, reason="", chosen=True))
    rig.read_all()
    rig.close()
    assert "api" not in run.state


def test_a_run_that_is_stopped_ends_the_lane_too(rigs):
    rig = rigs()
    rig.salesforce.script("query", "", "quota")
    run = rig.add("CaseStatus", Mode.FULL_REFRESH, lane=REST)
    rig.read_all()
    rig.close()
    assert run.failure is not None
    assert [row[0] for row in run.rows] == IDS[:3]
    assert run.state["resume"][0]["locator"] == IDS[2]
