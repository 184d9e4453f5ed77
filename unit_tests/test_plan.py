from __future__ import annotations

import logging
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from source_salesforce_bulk.extraction.catalog import readable_object
from source_salesforce_bulk.extraction.plan import (
    PROBE_SPAN,
    ROWS_IN_ONE_REFRESH,
    ROWS_PER_WINDOW,
    Beginning,
    ObjectPlan,
    ObjectRequest,
    Planner,
    begin,
    expected_rows,
    may_be_large,
    needs_count,
    probe_pays,
)
from source_salesforce_bulk.extraction.policies import RefreshPolicy
from source_salesforce_bulk.extraction.selection import object_query, select_fields, selected_fields
from source_salesforce_bulk.extraction.stream_state import (
    COMPLETE_MARKER,
    Mode,
    ReadState,
    ResumePoint,
    StateError,
    StreamState,
    read_state,
)
from source_salesforce_bulk.extraction.windows import WHOLE, PlannedWindow
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.describe import Cursor, Field, SObject
from source_salesforce_bulk.salesforce.failures import Action, Consequence, Kind, SalesforceError
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery, build_soql, format_instant, query_hash
from unit_tests.catalog_rig import ORG, config, described
from unit_tests.extraction_rig import object_plan

PLAN = ObjectPlan(
    query=ObjectQuery(
        "Account", ("Id",), "query", "SystemModstamp", cursor_nillable=False, where=None, exclude_deleted=False
    ),
    columns=(),
    mode=Mode.INCREMENTAL,
    state=StreamState(mode=Mode.INCREMENTAL),
    start=None,
    lookback=timedelta(minutes=10),
    api_version="v66.0",
    page_size=50000,
)


def test_a_plan_is_of_its_querys_object_along_its_querys_cursor():
    assert (PLAN.object_name, PLAN.cursor_field) == ("Account", "SystemModstamp")
    assert replace(PLAN, query=replace(PLAN.query, cursor_field=None)).cursor_field is None


def test_a_plan_does_not_change_while_its_object_is_read():
    with pytest.raises(FrozenInstanceError):
        PLAN.page_size = 1  # type: ignore[misc]


CURSOR = Cursor(field="SystemModstamp", nillable=False, sees_updates=True)


def sobject(*fields: tuple[str, str]) -> SObject:
    return SObject(
        name="Account",
        label="Account",
        custom=False,
        fields=tuple(Field(name, kind) for name, kind in fields),
    )


ACCOUNT = sobject(
    ("Id", "id"), ("IsDeleted", "boolean"), ("Name", "string"), ("Size__c", "double"), ("SystemModstamp", "datetime")
)


def names(columns: tuple[Column, ...]) -> list[str]:
    return [column.name for column in columns]


def test_without_a_wish_every_field_is_read():
    selection = select_fields(ACCOUNT, None, {"Id"})
    assert names(selection.columns) == ["Id", "IsDeleted", "Name", "Size__c", "SystemModstamp"]
    assert selection.vanished == ()


def test_wanted_fields_come_in_describes_order_with_those_that_are_always_read():
    selection = select_fields(ACCOUNT, ["Size__c", "Name"], {"Id", "SystemModstamp"})
    assert names(selection.columns) == ["Id", "Name", "Size__c", "SystemModstamp"]


def test_a_column_is_read_as_its_fields_type_says():
    kinds = {column.name: column.kind for column in select_fields(ACCOUNT, None, ()).columns}
    assert kinds["Name"] is CellKind.STRING
    assert len({kinds["Name"], kinds["IsDeleted"], kinds["Size__c"], kinds["SystemModstamp"]}) == 4


def test_a_field_that_is_gone_is_named_and_not_selected():
    selection = select_fields(ACCOUNT, ["Name", "Old__c", "Hidden__c"], {"Id"})
    assert names(selection.columns) == ["Id", "Name"]
    assert selection.vanished == ("Hidden__c", "Old__c")


@pytest.mark.parametrize("asked_for", ["name", "NAME", "nAMe"])
def test_a_field_is_found_in_any_letter_case_and_read_under_the_name_asked_for(asked_for):
    selection = select_fields(ACCOUNT, [asked_for, "SIZE__C"], {"Id"})
    assert names(selection.columns) == ["Id", asked_for, "SIZE__C"]
    assert selection.vanished == ()


@pytest.mark.parametrize("flag", ["IsDeleted", "ISDELETED", "isdeleted"])
def test_a_selected_deletion_flag_is_known_in_any_letter_case(flag):
    columns = select_fields(ACCOUNT, [flag], {"Id"}).columns
    assert not object_query(ACCOUNT, columns, None, where=None, include_deleted=True).exclude_deleted


DEFINITION = sobject(("DurableId", "string"), ("Label", "string"))
"""An object as some metadata objects are: no Id, nothing to cut windows by."""


def test_a_selection_whose_fields_have_all_vanished_is_no_query_and_says_what_to_do():
    with pytest.raises(SalesforceError) as raised:
        select_fields(DEFINITION, {"Old__c", "Hidden__c"}, ())
    failure = raised.value.failure
    assert (failure.kind, failure.consequence, failure.action) == (
        Kind.FIELD_GONE,
        Consequence.CONFIG,
        Action.FAIL_STREAM,
    )
    assert "the object no longer has any of the selected fields (Hidden__c, Old__c)." in failure.summary
    assert failure.guidance.startswith("{Look_again} and select fields that the object has")


def test_of_many_vanished_fields_the_first_are_named():
    with pytest.raises(SalesforceError, match=r"\(F00__c, .*, F09__c and 2 more\)"):
        select_fields(DEFINITION, {f"F{number:02d}__c" for number in range(12)}, ())


def test_an_object_without_a_field_to_select_is_none_that_bulk_can_read():
    with pytest.raises(SalesforceError) as raised:
        select_fields(sobject(), None, ())
    assert raised.value.failure.kind is Kind.OBJECT_NOT_SUPPORTED


def query(sobject_: SObject = ACCOUNT, wanted=None, cursor: Cursor | None = CURSOR, **changes) -> ObjectQuery:
    columns = select_fields(sobject_, wanted, {"Id"}).columns
    return object_query(sobject_, columns, cursor, **({"where": None, "include_deleted": True} | changes))


def test_the_query_selects_exactly_the_columns_in_their_order():
    assert query(wanted=["Size__c", "Name"]).fields == ("Id", "Name", "Size__c")


@pytest.mark.parametrize(("include_deleted", "operation"), [(True, "queryAll"), (False, "query")])
def test_deleted_rows_are_a_matter_of_the_operation(include_deleted, operation):
    assert query(include_deleted=include_deleted).operation == operation


def test_a_deleted_row_never_arrives_looking_alive():
    assert query(wanted=["Name"]).exclude_deleted
    assert not query(wanted=["Name", "IsDeleted"]).exclude_deleted
    assert not query(wanted=["Name"], include_deleted=False).exclude_deleted


def test_an_object_without_the_flag_is_not_filtered_by_it():
    assert not query(sobject(("Id", "id"), ("Name", "string"))).exclude_deleted


def test_the_cursor_and_whether_it_may_be_null_come_from_describe():
    nullable = Cursor(field="LastLoginDate", nillable=True, sees_updates=True)
    assert (query().cursor_field, query().cursor_nillable) == ("SystemModstamp", False)
    assert (query(cursor=nullable).cursor_field, query(cursor=nullable).cursor_nillable) == ("LastLoginDate", True)
    assert (query(cursor=None).cursor_field, query(cursor=None).cursor_nillable) == (None, False)


def test_the_users_filter_goes_with_the_query():
    assert query(where="Name LIKE 'A%'").where == "Name LIKE 'A%'"


T = datetime(2026, 11, 23, 2, tzinfo=UTC)
READ_BEFORE = StreamState(mode=Mode.INCREMENTAL, cursor=T - timedelta(days=1))


def window(span: timedelta | None, **ids: str) -> Bounds:
    start = T - span if span is not None else None
    return Bounds(start=start, end=T, id_from=ids.get("id_from"), id_to=ids.get("id_to"))


# From a state to windows

POINT = ResumePoint(
    job="750old000000000AAA",
    locator="e",
    page=5,
    rows=500,
    bounds=Bounds(start=None, end=T, id_from=None, id_to=None),
    api_version="v58.0",
    page_size=100,
    query="",
)


def continued(plan: ObjectPlan, point: ResumePoint = POINT) -> ResumePoint:
    """The point of a job that was created for exactly the query that ``plan`` has."""
    return replace(point, query=query_hash(build_soql(plan.query, point.bounds), plan.query.operation))


def begun(plan: ObjectPlan, *points: ResumePoint, **changes: Any) -> Beginning:
    state = replace(plan.state, resume=points)
    incoming = ReadState(state, **changes)
    return begin(replace(plan, state=state), incoming, lambda: T, remedy="reset the stream")


def test_an_earlier_runs_job_of_the_same_query_is_continued():
    plan = object_plan("Account", Mode.INCREMENTAL)
    point = continued(plan)
    assert begun(plan, point).windows[0] == PlannedWindow(point.bounds, point)


@pytest.mark.parametrize("mode", list(Mode))
def test_an_earlier_runs_job_of_another_query_is_abandoned_and_its_window_read_again(mode):
    point = POINT if mode is Mode.INCREMENTAL else replace(POINT, bounds=WHOLE)
    beginning = begun(object_plan("Account", mode), point)
    assert beginning.windows[0] == PlannedWindow(point.bounds)
    assert beginning.abandoned == (point,)
    assert beginning.warnings == (f"Account: its query changed; the window of job {point.job} is read again",)


def test_a_window_that_ends_behind_the_orgs_clock_is_abandoned():
    plan = object_plan("Account", Mode.INCREMENTAL)
    ahead = continued(plan, replace(POINT, bounds=replace(POINT.bounds, end=T + timedelta(hours=1))))
    beginning = begun(plan, ahead)
    assert beginning.windows == (PlannedWindow(replace(WHOLE, end=T)),)
    assert (beginning.abandoned, beginning.plan.state.resume) == ((ahead,), ())


def test_what_the_state_says_of_itself_is_a_warning_and_its_jobs_are_abandoned():
    beginning = begun(object_plan("Account", Mode.INCREMENTAL), warning="It is old.", abandoned=(POINT,))
    assert beginning.warnings == ("Account: It is old.",)
    assert beginning.abandoned == (POINT,)


def test_the_orgs_clock_is_asked_only_where_a_window_ends_there():
    def never() -> datetime:
        raise AssertionError("asked")

    plan = object_plan("Account", Mode.FULL_REFRESH)
    assert begin(plan, ReadState(plan.state), never).windows == (PlannedWindow(WHOLE),)
    complete = replace(plan.state, complete=True)
    assert begin(plan, ReadState(complete), never).windows == ()


# Probes


@pytest.mark.parametrize("span", [timedelta(minutes=10), timedelta(days=1), PROBE_SPAN])
def test_a_short_window_behind_what_an_earlier_run_has_read_is_probed(span):
    assert probe_pays(READ_BEFORE, window(span))


def test_a_long_window_is_not():
    assert not probe_pays(READ_BEFORE, window(PROBE_SPAN + timedelta(seconds=1)))


def test_a_first_load_is_not_probed_however_short_its_window():
    assert not probe_pays(StreamState(mode=Mode.INCREMENTAL), window(timedelta(days=1)))


def test_a_window_that_is_open_or_a_range_of_ids_is_not_probed():
    assert not probe_pays(READ_BEFORE, window(None))
    assert not probe_pays(READ_BEFORE, Bounds(start=T, end=None, id_from=None, id_to=None))
    assert not probe_pays(READ_BEFORE, window(timedelta(days=1), id_from="001A0000006Vm9r"))
    assert not probe_pays(READ_BEFORE, window(timedelta(days=1), id_to="001A0000006Vm9r"))


# Whose rows are counted

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("blob", "wanted"),
    [
        ({}, True),
        (None, True),
        ({"SystemModstamp": format_instant(T - DAY), "scope": "sha256:s"}, False),
        ({"SystemModstamp": format_instant(T - 30 * DAY), "scope": "sha256:s"}, True),
        ({"SystemModstamp": format_instant(T - DAY), "resume": []}, True),
        ({"scope": "sha256:s"}, True),
        (dict(COMPLETE_MARKER), False),
        ({"mode": "full_refresh", "resume": []}, True),
        ({"SystemModstamp": 7}, True),
    ],
)
def test_a_count_is_wanted_unless_an_earlier_run_has_read_nearly_everything(blob, wanted):
    assert needs_count(blob, T) is wanted


# What is large


def plan(mode: Mode = Mode.INCREMENTAL, rows: int | None = None, **changes) -> ObjectPlan:
    return replace(object_plan("Account", mode), rows=rows, **changes)


@pytest.mark.parametrize(("rows", "large"), [(None, False), (ROWS_PER_WINDOW, False), (ROWS_PER_WINDOW + 1, True)])
def test_a_first_load_is_large_above_one_windows_rows(rows, large):
    assert may_be_large(plan(rows=rows), window(None)) is large


@pytest.mark.parametrize("rows", [ROWS_IN_ONE_REFRESH, ROWS_IN_ONE_REFRESH + 1])
def test_a_full_refresh_is_left_to_salesforces_own_chunks_for_longer(rows):
    assert may_be_large(plan(Mode.FULL_REFRESH, rows), WHOLE) is (rows > ROWS_IN_ONE_REFRESH)


def test_a_full_refresh_that_a_start_date_narrows_is_not_cut_because_its_rows_are_not_known():
    assert not may_be_large(plan(Mode.FULL_REFRESH, 10**9, start=T - DAY), replace(WHOLE, start=T - DAY))


def test_what_is_probed_or_a_range_of_ids_already_is_not_cut_by_date():
    assert not may_be_large(plan(rows=10**9, state=READ_BEFORE), window(DAY))
    assert not may_be_large(plan(rows=10**9), window(None, id_from="001A0000006Vm9r"))


def test_rows_are_expected_of_windows_that_take_in_the_whole_object():
    assert expected_rows(plan(rows=47), window(None)) == 47
    assert expected_rows(plan(Mode.FULL_REFRESH, 47), WHOLE) == 47
    assert expected_rows(plan(rows=47), window(DAY)) is None
    assert expected_rows(plan(rows=47), window(None, id_from="001A0000006Vm9r")) is None


@pytest.mark.parametrize("schema", [None, {}, {"properties": {}}, {"properties": None}, {"properties": []}])
def test_a_schema_without_properties_selects_every_field(schema):
    assert selected_fields(schema) is None


def test_a_schema_selects_its_properties():
    assert selected_fields({"properties": {"Id": {}, "Name": {}}}) == {"Id", "Name"}


# Plans


def planned(
    wanted=None,
    mode: Mode = Mode.INCREMENTAL,
    blob: dict[str, Any] | None = None,
    organization: str | None = ORG,
    readable: SObject | None = None,
    **changes: Any,
):
    settings = config(**changes)
    request = ObjectRequest(readable_object(readable or described(), settings), wanted)
    return Planner(settings, organization).plan(request, mode, blob or {})


def scope(**changes: Any) -> str:
    found = planned(**changes)[0].state.scope
    assert found is not None
    return found


def test_key_and_cursor_are_read_whether_they_were_selected_or_not():
    assert planned({"Name"})[0].query.fields == ("Id", "Name", "SystemModstamp")


def test_the_plan_carries_what_the_configuration_says():
    made, _ = planned(lookback_window="PT1H", api_version="v60.0", page_size=7, start_date="2024-01-01")
    assert (made.lookback.total_seconds(), made.api_version, made.page_size) == (3600, "v60.0", 7)
    assert made.start == datetime(2024, 1, 1, tzinfo=UTC)


def test_a_start_date_means_nothing_without_a_cursor():
    made, _ = planned(readable=described(("Id", "id")), mode=Mode.FULL_REFRESH, start_date="2024-01-01")
    assert made.start is None


def test_a_vanished_field_is_dropped_with_a_warning(caplog):
    made, _ = planned({"Name", "Old__c"})
    assert "Old__c" not in made.query.fields
    assert any("Old__c" in record.getMessage() and record.levelno == logging.WARNING for record in caplog.records)


def test_leaving_deleted_rows_out_is_said_once(caplog):
    caplog.set_level(logging.INFO)
    made, _ = planned({"Name"})
    assert made.query.exclude_deleted
    assert len([1 for record in caplog.records if "IsDeleted" in record.getMessage()]) == 1


def test_the_incoming_state_is_read_as_this_streams():
    made, incoming = planned(blob={"SystemModstamp": "2026-11-23T02:00:00.000Z", "scope": scope()})
    assert made.state.cursor == datetime(2026, 11, 23, 2, tzinfo=UTC)
    assert incoming.warning is None


def test_a_state_that_cannot_be_this_streams_is_refused():
    with pytest.raises(StateError):
        planned(blob={"LastModifiedDate": "2026-11-23T02:00:00.000Z"})


def test_a_complete_full_refresh_stays_complete():
    made, _ = planned(mode=Mode.FULL_REFRESH, blob=dict(COMPLETE_MARKER))
    assert made.state.complete


@pytest.mark.parametrize(
    "changes",
    [
        {"organization": "00DB0000000001AAAA"},
        {"include_deleted": False},
        {"start_date": "2024-01-01"},
        {"object_overrides": [{"object": "Account", "where": "Name != null"}]},
        {"readable": described(("Id", "id"), ("LastModifiedDate", "datetime"))},
    ],
    ids=["organization", "operation", "start_date", "where", "cursor"],
)
def test_a_state_of_another_scope_starts_over_with_a_warning(changes):
    assert scope(**changes) != scope()
    made, incoming = planned(blob={"SystemModstamp": "2026-11-23T02:00:00.000Z", "scope": scope()}, **changes)
    assert made.state.cursor is None
    assert incoming.warning


@pytest.mark.parametrize("changes", [{"wanted": {"Name"}}, {"lookback_window": "PT1H"}, {"page_size": 7}])
def test_what_does_not_change_which_rows_were_read_keeps_the_scope(changes):
    assert scope(**changes) == scope()


@pytest.mark.parametrize("was", ["systemmodstamp", "SYSTEMMODSTAMP"])
def test_a_state_whose_cursor_differs_in_letter_case_is_gone_on_with(was):
    readable = readable_object(described().spelled_as([was]), config())
    plan, _ = Planner(config(), ORG).plan(ObjectRequest(readable), Mode.INCREMENTAL, {})
    blob = {was: "2026-11-20T00:00:00.000Z", "scope": plan.state.scope}
    renamed = readable_object(described(), config())
    plan, incoming = Planner(config(), ORG).plan(ObjectRequest(renamed), Mode.INCREMENTAL, blob)
    assert incoming.warning is None
    assert plan.state.cursor == datetime(2026, 11, 20, tzinfo=UTC)
    assert plan.state.to_json("SystemModstamp")["scope"] == plan.state.scope != blob["scope"]


def test_the_plan_knows_the_objects_key():
    readable = readable_object(described(), config(object_overrides=[{"object": "Account", "primary_key": ["name"]}]))
    plan, _ = Planner(config(), ORG).plan(ObjectRequest(readable), Mode.INCREMENTAL, {})
    assert plan.primary_key == ("Name",)


# Extra windows

EXTRA_BOUNDS = Bounds(None, T, "001000000000001AAA", "001000000000009AAA", only="Id != null")
EXTRA = replace(POINT, query="sha256:x", extra="values", bounds=EXTRA_BOUNDS)


def refreshing() -> ObjectPlan:
    columns = (Column("Id", CellKind.STRING), Column("Title__c", CellKind.STRING))
    return replace(object_plan("Account", Mode.INCREMENTAL), refresh=(RefreshPolicy("values", columns, daily=False),))


def test_an_extra_window_is_continued_before_the_others_and_no_gap_is_filled():
    plan = refreshing()
    point = continued(plan, EXTRA)
    beginning = begun(replace(plan, state=replace(plan.state, cursor=T)), point)
    assert beginning.extra == (PlannedWindow(point.bounds, point, "values"),)
    assert beginning.state.resume == (point,)
    assert beginning.plan.state.resume == ()
    assert [window.bounds.id_from for window in beginning.windows] == [None] * len(beginning.windows)
    assert not beginning.abandoned


@pytest.mark.parametrize(
    "plan", [object_plan("Account", Mode.INCREMENTAL), refreshing()], ids=["not wanted", "changed"]
)
def test_an_extra_window_that_is_not_wanted_or_has_another_query_is_abandoned(plan):
    beginning = begun(plan, EXTRA)
    assert (beginning.extra, beginning.abandoned) == ((), (EXTRA,))
    assert beginning.plan.state.resume == ()


def test_an_extra_window_comes_back_from_its_json():
    memories = {"formulas": {"values": {}}, "fields": ("Id", "Name")}
    state = StreamState(Mode.INCREMENTAL, cursor=T, scope="s", resume=(EXTRA,), **memories)
    assert read_state(state.to_json("SystemModstamp"), Mode.INCREMENTAL, "SystemModstamp", "s").state == state


@pytest.mark.parametrize("names", ["Id", [1], {"Id": 1}])
def test_names_of_fields_in_a_state_are_a_list_of_texts(names):
    blob = StreamState(Mode.INCREMENTAL, cursor=T, scope="s").to_json("SystemModstamp") | {"fields": names}
    with pytest.raises(StateError, match="fields is not a list of names"):
        read_state(blob, Mode.INCREMENTAL, "SystemModstamp", "s")


@pytest.mark.parametrize("only", ["Id != null) OR (Id = null", "Id != null ORDER BY Id", 5])
def test_a_condition_in_a_state_is_checked_because_it_becomes_part_of_a_query(only):
    blob = StreamState(Mode.INCREMENTAL, cursor=T, scope="s", resume=(EXTRA,)).to_json("SystemModstamp")
    blob["resume"][0]["only"] = only  # type: ignore[index]
    with pytest.raises(StateError):
        read_state(blob, Mode.INCREMENTAL, "SystemModstamp", "s")
