"""Objects that Bulk refuses, read through REST: every row once, whatever the org does in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from integration_tests.connection import Connection
from integration_tests.connector import Connector, Row, configure
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

NOON = "2026-11-24T12:00:00Z"
PAGE = 200


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=0, frozen_at=NOON, wide_fields=800)) as simulated:
        yield simulated


def through(api: str, *names: str) -> list[dict[str, str]]:
    return [{"object": name, "api": api} for name in names]


def texts(rows: list[Row]) -> list[str]:
    """Records as text, number by number and field by field."""
    return sorted(json.dumps(row, default=str) for row in rows)


WANTS_PERMISSION = {"OrgWideRole"}
"""Objects that no API returns to a user without View All Data; the stream fails and names that permission."""


def refused_by_bulk(org: SimulatedOrg) -> set[str]:
    return {one["name"] for one in org.control.objects() if one["refused_by_bulk"] and one["queryable"]}


# -- every object ------------------------------------------------------------------------------------------------------


def test_every_object_that_is_offered_is_read_whichever_lane_it_takes(org: SimulatedOrg) -> None:
    names = [name for name in Connector(org).streams() if name not in WANTS_PERMISSION]
    refused = refused_by_bulk(org) & set(names)
    assert {"CaseStatus", "TaskStatus", "Attachment"} <= refused
    output = Connection(org, names).sync()
    for name in names:
        assert_same_rows(output.rows[name], GroundTruth(org).readable(name))
    assert not {job["object"] for job in org.control.jobs()} & refused
    assert len([line for line in output.logs if "the Bulk API does not support it" in line]) >= len(refused)


def test_the_same_rows_come_through_both_lanes_byte_for_byte(org: SimulatedOrg) -> None:
    names = [
        one["name"]
        for one in org.control.objects()
        if one["queryable"] and not one["refused_by_bulk"] and not one["filter_required"]
    ]
    bulk = Connection(org, names, "full_refresh", objects=names, object_overrides=through("bulk", *names)).sync()
    creates = org.control.requests()["createJob"]
    rest = Connection(org, names, "full_refresh", objects=names, object_overrides=through("rest", *names)).sync()
    assert org.control.requests()["createJob"] == creates
    for name in names:
        assert texts(rest.rows[name]) == texts(bulk.rows[name]), name
    assert sum(map(len, bulk.rows.values())) > 5_000


def test_the_lane_and_its_reason_are_in_the_streams_description(org: SimulatedOrg) -> None:
    streams = Connector(org).streams()
    assert (
        "Read through REST (the Bulk API does not support it)." in streams["CaseStatus"]["json_schema"]["description"]
    )
    assert "Read through" not in streams["Account"]["json_schema"]["description"]
    link = streams["ContentDocumentLink"]["json_schema"]["description"]
    assert "read by its ContentDocumentId, batch by batch" in link
    assert "Full refresh only" in link


# -- by parents --------------------------------------------------------------------------------------------------------


def test_links_of_deleted_documents_are_not_lost(org: SimulatedOrg) -> None:
    before = GroundTruth(org).readable("ContentDocumentLink")
    org.control.soft_delete("ContentDocument", where="Id != null")
    rows = Connection(org, ["ContentDocumentLink"]).sync().rows["ContentDocumentLink"]
    assert len(before) == 40
    assert_same_rows(rows, before)


# -- small increments --------------------------------------------------------------------------------------------------


def test_an_increment_of_ten_rows_on_fifty_objects_costs_two_calls_an_object() -> None:
    names = [f"Extra{number:04d}__c" for number in range(1, 51)]
    with SimulatedOrg(OrgSettings(polls_until_complete=0, extra_objects=50, rows=0.1, frozen_at=NOON)) as org:
        connection = Connection(org, names, objects=["Extra*"])
        connection.sync()
        org.control.advance_clock(3_600)
        for name in names:
            org.control.insert(name, [{} for _ in range(10)])
        org.control.advance_clock(3_600)
        org.control.reset_requests()
        output = connection.sync()
        calls = {kind: count for kind, count in org.control.requests().items() if count}
    assert {name: len(output.rows[name]) for name in names} == dict.fromkeys(names, 10)
    assert calls == {"token": 1, "limits": 1, "describe": 50, "queryAll": 50}


def test_a_wide_object_is_read_through_rest_in_portions_of_its_fields(org: SimulatedOrg) -> None:
    output = Connection(org, ["Wide__c"], object_overrides=through("rest", "Wide__c")).sync()
    assert_same_rows(output.rows["Wide__c"], GroundTruth(org).records("Wide__c"))


# -- faults ------------------------------------------------------------------------------------------------------------


FAULTS: list[dict[str, Any]] = [
    {"kind": "query_done_early"},
    {"kind": "query_short", "rows": 3},
    {"kind": "query_repeats", "rows": 3},
    {"kind": "query_total_wrong", "delta": -1},
    {"kind": "query_total_wrong", "delta": 1},
    {"kind": "unparsable_json"},
    {"kind": "http_error", "status": 503},
    {"kind": "session_ends"},
]


def lane(org: SimulatedOrg, **config: Any) -> Connection:
    return Connection(org, ["Contact"], page_size=PAGE, object_overrides=through("rest", "Contact"), **config)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(map(str, fault.values())))
def test_an_answer_that_is_wrong_once_costs_no_row_and_repeats_none(org: SimulatedOrg, fault: dict[str, Any]) -> None:
    connection = lane(org)
    org.control.fault(on="queryAll", after=1, **fault)
    output = connection.sync()
    assert_same_rows(output.rows["Contact"], GroundTruth(org).records("Contact"))


@pytest.mark.parametrize("kind", ["query_done_early", "query_endless", "query_short", "query_repeats"])
def test_an_answer_that_stays_wrong_fails_the_stream_without_a_row_of_its_page(org: SimulatedOrg, kind: str) -> None:
    org.control.configure(rest_batch=100)
    connection = lane(org)
    org.control.fault(kind, on="*", after=2, times=None, object="Contact", rows=1)
    output = connection.attempt()
    assert output.failed
    ids = [row["Id"] for row in output.rows["Contact"]]
    assert len(ids) == len(set(ids)) <= PAGE
    assert output.statuses["Contact"][-1] == "INCOMPLETE"


def test_a_quota_stops_the_lane_and_the_next_run_goes_on_behind_the_last_page(org: SimulatedOrg) -> None:
    connection = lane(org)
    org.control.fault("api_error", on="queryAll", after=3, times=None, error="REQUEST_LIMIT_EXCEEDED")
    first = connection.attempt()
    assert first.failed
    point = connection.state_of("Contact")["resume"][0]
    assert (point["job"], point["rows"]) == ("rest", len(first.rows["Contact"]))
    org.control.clear_faults()
    second = connection.sync()
    assert_same_rows([*first.rows["Contact"], *second.rows["Contact"]], GroundTruth(org).records("Contact"))


def test_a_run_that_is_stopped_goes_on_behind_the_last_page(org: SimulatedOrg) -> None:
    connection = lane(org)
    first = connection.connector.read_until("queryAll", 4, connection.catalog)
    second = connection.connector.read(connection.catalog, first.final_states())
    assert 0 < len(first.rows["Contact"]) < len(GroundTruth(org).records("Contact"))
    assert_same_rows([*first.rows["Contact"], *second.rows["Contact"]], GroundTruth(org).records("Contact"))


def test_rows_that_change_while_they_are_read_come_in_the_next_run(org: SimulatedOrg) -> None:
    connection = lane(org)
    connection.sync()
    org.control.advance_clock(3_600)
    changed = [str(row["Id"]) for row in org.control.rows("Contact", fields=["Id"])[:300]]
    org.control.update("Contact", {}, ids=changed)
    org.control.advance_clock(3_600)
    output = connection.sync()
    assert sorted(row["Id"] for row in output.rows["Contact"]) == sorted(changed)


# -- refusals that no list knows ---------------------------------------------------------------------------------------


def test_what_bulk_refuses_at_read_time_is_read_through_rest_in_the_next_run(org: SimulatedOrg) -> None:
    connection = Connection(org, ["Account"])
    org.control.fault("api_error", object="Account", error="INVALIDENTITY", times=None)
    first = connection.attempt()
    assert (first.failed, first.rows["Account"]) == (True, [])
    assert len([line for line in first.warnings if "the next run" in line]) == 1
    second = connection.sync()
    assert_same_rows(second.rows["Account"], GroundTruth(org).records("Account"))
    third = connection.sync()
    assert third.rows["Account"] == []
    assert connection.state_of("Account")["api"] == "rest"


def test_a_client_without_our_code_reads_the_same_rows(org: SimulatedOrg) -> None:
    """The lane is compared with a plain client, not with itself."""
    rows = Connection(org, ["CaseStatus"]).sync().rows["CaseStatus"]
    answer = OrgClient(org).get("queryAll", q="SELECT Id FROM CaseStatus").json()
    assert sorted(row["Id"] for row in rows) == sorted(record["Id"] for record in answer["records"])


# -- a list as long as a real one --------------------------------------------------------------------------------------


def test_every_object_of_a_real_list_is_offered_with_a_lane_that_reads_it_or_left_out_with_a_reason() -> None:
    with SimulatedOrg(OrgSettings(object_list="real", rows=0.02)) as org:
        known = {one["name"]: one for one in org.control.objects()}
        output = Connector(org, objects=["*"], exclude_objects=["*__c", "*Share", "*History", "*Feed"]).discover()
        (catalog,) = output.of_type("CATALOG")
        offered = {stream["name"]: stream["json_schema"]["description"] for stream in catalog["streams"]}
        said = {line.split(":")[1].strip(): line for line in output.logs if line.startswith("Not offered: ")}
        assert not set(offered) & set(said)
        for name, one in known.items():
            if name in said or name.endswith(("__c", "Share", "History", "Feed")):
                continue
            through_rest = "Read through REST" in offered[name]
            plain = not (one["refused_by_bulk"] or one["filter_required"])
            assert through_rest or plain or name in WANTS_PERMISSION, name
        refused = [name for name, told in offered.items() if "Read through REST" in told]
        assert len(refused) > 30
        assert not Connection(org, refused).attempt().failed


# -- pages that take too long ------------------------------------------------------------------------------------------


def test_a_page_that_takes_salesforce_too_long_is_requested_with_fewer_rows(org: SimulatedOrg) -> None:
    connector = Connector(org, page_size=PAGE, object_overrides=through("rest", "Account"))
    org.control.fault("api_error", on="queryAll", object="Account", error="QUERY_TIMEOUT", after=1, times=2)
    output = connector.read(configure(connector.streams(), ["Account"], "full_refresh"))
    assert not output.failed, output.errors
    assert_same_rows(output.rows["Account"], GroundTruth(org).readable("Account"))
    queries = [str(one["query"].get("q", "")) for one in org.control.request_log() if one["kind"] == "queryAll"]
    limits = [int(query.rpartition(" ")[2]) for query in queries if " FROM Account" in query and " LIMIT " in query]
    assert limits[:4] == [PAGE, PAGE, PAGE // 4, PAGE // 16]
