from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.extraction.stream_state import (
    COMPLETE_MARKER,
    Mode,
    ReadState,
    ResumePoint,
    StateError,
    StreamState,
    jobs_named,
    read_state,
    scope_hash,
)
from source_salesforce_bulk.salesforce.soql import Bounds

CURSOR = "SystemModstamp"
SCOPE = "sha256:scope"
AT = datetime(2026, 11, 23, 2, tzinfo=UTC)

ENTRY = {
    "job": "7505g00000AbCdEAAV",
    "locator": "MDowR2FI",
    "page": 5,
    "rows": 250000,
    "from": "2026-11-22T01:50:00.000Z",
    "to": "2026-11-23T02:00:00.000Z",
    "id_from": None,
    "id_to": None,
    "api_version": "v66.0",
    "page_size": 50000,
    "query": "sha256:query",
}
POINT = ResumePoint(
    job="7505g00000AbCdEAAV",
    locator="MDowR2FI",
    page=5,
    rows=250000,
    bounds=Bounds(start=AT - timedelta(days=1, minutes=10), end=AT, id_from=None, id_to=None),
    api_version="v66.0",
    page_size=50000,
    query="sha256:query",
)
INCREMENTAL = {CURSOR: "2026-11-23T02:00:00.000Z", "scope": SCOPE, "resume": [ENTRY]}
FULL_REFRESH = {"mode": "full_refresh", "scope": SCOPE, "resume": [ENTRY]}
FRESH = StreamState(mode=Mode.INCREMENTAL, scope=SCOPE)
FRESH_REFRESH = StreamState(mode=Mode.FULL_REFRESH, scope=SCOPE)


def incremental(blob) -> ReadState:
    return read_state(blob, Mode.INCREMENTAL, CURSOR, SCOPE)


def full_refresh(blob) -> ReadState:
    return read_state(blob, Mode.FULL_REFRESH, CURSOR, SCOPE)


# The form


def test_an_incremental_state_is_written_as_the_contract_says():
    state = StreamState(mode=Mode.INCREMENTAL, cursor=AT, scope=SCOPE, resume=(POINT,))
    assert state.to_json(CURSOR) == INCREMENTAL
    assert list(state.to_json(CURSOR)["resume"][0]) == list(ENTRY)  # type: ignore[index,call-overload]


def test_a_full_refresh_state_has_its_mode_and_no_cursor():
    assert StreamState(mode=Mode.FULL_REFRESH, scope=SCOPE, resume=(POINT,)).to_json(CURSOR) == FULL_REFRESH


def test_the_cursor_is_absent_until_a_window_has_closed_and_resume_when_none_is_open():
    assert FRESH.to_json(CURSOR) == {"scope": SCOPE}
    assert replace(FRESH, cursor=AT).to_json(CURSOR) == {CURSOR: "2026-11-23T02:00:00.000Z", "scope": SCOPE}
    assert replace(FRESH, resume=(POINT,)).to_json(CURSOR) == {"scope": SCOPE, "resume": [ENTRY]}


def test_a_full_refresh_that_has_ended_is_exactly_the_marker():
    assert replace(FRESH_REFRESH, complete=True).to_json(CURSOR) == {"__ab_full_refresh_sync_complete": True}
    assert replace(FRESH_REFRESH, complete=True, resume=(POINT,)).to_json(None) == COMPLETE_MARKER


def test_what_is_written_can_be_changed_without_changing_the_marker():
    replace(FRESH_REFRESH, complete=True).to_json(CURSOR)["more"] = 1
    assert COMPLETE_MARKER == {"__ab_full_refresh_sync_complete": True}


moments = st.datetimes(min_value=datetime(1, 1, 2), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
texts = st.text(min_size=1, max_size=20)
ids = st.from_regex(r"[0-9A-Za-z]{15}([0-9A-Za-z]{3})?", fullmatch=True)
points = st.builds(
    ResumePoint,
    job=st.from_regex(r"[0-9A-Za-z]{1,18}", fullmatch=True),
    locator=st.none() | st.from_regex(r"[!-~]{1,20}", fullmatch=True),
    page=st.integers(0, 10**9),
    rows=st.integers(0, 10**12),
    bounds=st.builds(Bounds, st.none() | moments, st.none() | moments, st.none() | ids, st.none() | ids),
    api_version=st.sampled_from(["v58.0", "v66.0", "v123.0"]),
    page_size=st.integers(1, 10**6),
    query=texts,
)
states = st.builds(
    StreamState,
    mode=st.just(Mode.INCREMENTAL),
    cursor=st.none() | moments,
    scope=st.just(SCOPE),
    resume=st.lists(points, max_size=3).map(tuple),
) | st.builds(
    StreamState,
    mode=st.just(Mode.FULL_REFRESH),
    scope=st.just(SCOPE),
    resume=st.lists(points, max_size=3).map(tuple),
)


@given(states)
def test_every_state_survives_being_written_and_read(state):
    blob = json.loads(json.dumps(state.to_json(CURSOR)))
    assert read_state(blob, state.mode, CURSOR, SCOPE) == ReadState(state)


# An incremental state


def test_an_incremental_state_is_read():
    assert incremental(INCREMENTAL) == ReadState(
        StreamState(mode=Mode.INCREMENTAL, cursor=AT, scope=SCOPE, resume=(POINT,))
    )


@pytest.mark.parametrize("blob", [None, {}, {"__ab_no_cursor_state_message": True}])
@pytest.mark.parametrize("mode", Mode)
def test_no_state_begins_from_the_beginning_without_a_warning(blob, mode):
    assert read_state(blob, mode, CURSOR, SCOPE) == ReadState(StreamState(mode=mode, scope=SCOPE))


def test_a_state_without_scope_is_accepted():
    assert incremental({CURSOR: "2026-11-23T02:00:00.000Z"}) == ReadState(replace(FRESH, cursor=AT))


@pytest.mark.parametrize("text", ["2026-11-23T02:00:00Z", "2026-11-23T02:00:00.000+0000", "2026-11-23T04:00:00+02:00"])
def test_a_cursor_is_read_with_any_zone(text):
    assert incremental({CURSOR: text}).state.cursor == AT


def test_unknown_keys_are_tolerated():
    assert incremental({**INCREMENTAL, "more": 1, "resume": [{**ENTRY, "more": 1}]}) == incremental(INCREMENTAL)


def test_whole_numbers_may_come_back_as_floats():
    entry = {**ENTRY, "page": 5.0, "rows": 250000.0, "page_size": 50000.0}
    assert incremental({**INCREMENTAL, "resume": [entry]}) == incremental(INCREMENTAL)


@pytest.mark.parametrize("scope", ["sha256:other", "", None, 7, ["sha256:scope"]])
def test_a_state_of_another_scope_starts_over_says_why_and_leaves_its_jobs(scope):
    found = incremental({**INCREMENTAL, "scope": scope})
    assert (found.state, found.abandoned) == (FRESH, (POINT,))
    assert found.warning is not None
    for reason in (
        "organization",
        "include_deleted",
        "where",
        "cursor field",
        "start_date",
        "starts from the beginning",
    ):
        assert reason in found.warning


@pytest.mark.parametrize("blob", [COMPLETE_MARKER, {"mode": "full_refresh", "scope": SCOPE}])
def test_in_incremental_mode_a_state_of_a_full_refresh_is_no_state(blob):
    found = incremental(blob)
    assert (found.state, found.abandoned) == (FRESH, ())
    assert found.warning is not None
    assert "full refresh" in found.warning


def test_in_incremental_mode_the_jobs_of_a_full_refresh_are_left():
    assert incremental(FULL_REFRESH).abandoned == (POINT,)
    assert incremental(FULL_REFRESH).state == FRESH


def test_in_incremental_mode_a_damaged_state_of_a_full_refresh_is_no_state():
    found = incremental({**FULL_REFRESH, "resume": "damaged"})
    assert (found.state, found.abandoned) == (FRESH, ())
    assert found.warning is not None


def entry_with(**changes) -> dict[str, object]:
    return {**INCREMENTAL, "resume": [{**ENTRY, **changes}]}


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        ({CURSOR: "yesterday"}, f"its {CURSOR} is not an instant like 2026-11-23T02:00:00.000Z"),
        ({CURSOR: "2026-11-23"}, "is not an instant"),
        ({CURSOR: "2026-11-23T02:00:00"}, "is not an instant"),
        ({CURSOR: "0001-01-01T00:00:00+10:00"}, "is not an instant"),
        ({CURSOR: 1764000000}, f"its {CURSOR} is not a text"),
        ({CURSOR: None}, f"its {CURSOR} is not a text"),
        ({"LastModifiedDate": "2026-11-23T02:00:00.000Z"}, f"it has no {CURSOR}"),
        ({"updated_at": 7}, "not a state of this stream"),
        ({"resume": []}, "not a state of this stream"),
        ({**INCREMENTAL, "resume": {}}, "its resume is not a list"),
        ({**INCREMENTAL, "resume": None}, "its resume is not a list"),
        ({**INCREMENTAL, "resume": ["750"]}, "an entry of its resume is not an object"),
        (entry_with(job=None), "has no job"),
        (entry_with(job=""), "has no job"),
        (entry_with(job=7), "has no job"),
        (entry_with(locator=7), "has no locator"),
        (entry_with(locator=""), "has no locator"),
        (entry_with(page=-1), "page of an entry"),
        (entry_with(page=1.5), "page of an entry"),
        (entry_with(page="5"), "page of an entry"),
        (entry_with(page=True), "page of an entry"),
        (entry_with(page=float("nan")), "page of an entry"),
        (entry_with(rows=float("inf")), "rows of an entry"),
        (entry_with(page_size=None), "page_size of an entry"),
        (entry_with(page_size=0), "page_size of an entry"),
        (entry_with(**{"from": "then"}), "from of an entry of its resume is not an instant"),
        (entry_with(to=7), "has no to"),
        (entry_with(id_from=7), "has no id_from"),
        (entry_with(id_to=""), "has no id_to"),
        (entry_with(api_version=66.0), "has no api_version"),
        (entry_with(api_version="66.0"), "not a version like v66.0"),
        (entry_with(api_version="v66.0/../../x"), "not a version like v66.0"),
        (entry_with(id_from="001A0000006Vm9r' OR Id != '"), "id_from of an entry of its resume is not a Salesforce Id"),
        (entry_with(id_to="001"), "id_to of an entry of its resume is not a Salesforce Id"),
        (entry_with(job=".."), "the job of an entry of its resume is not one of Salesforce's"),
        (entry_with(job="750\x1b[2J"), "the job of an entry of its resume is not one of Salesforce's"),
        (entry_with(locator="a b"), "the locator of an entry of its resume is not one of Salesforce's"),
        (entry_with(locator="\ud800"), "the locator of an entry of its resume is not one of Salesforce's"),
        (entry_with(query=None), "has no query"),
        ([INCREMENTAL], "not a JSON object"),
        ("state", "not a JSON object"),
        (7, "not a JSON object"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_state_that_cannot_be_this_streams_is_refused_with_a_sentence(blob, reason):
    with pytest.raises(StateError, match=re.escape(reason)):
        incremental(blob)


# A full refresh


def test_a_full_refresh_continues_what_a_full_refresh_wrote():
    assert full_refresh(FULL_REFRESH) == ReadState(replace(FRESH_REFRESH, resume=(POINT,)))
    assert full_refresh({"mode": "full_refresh"}) == ReadState(FRESH_REFRESH)


def test_the_marker_says_that_nothing_is_left():
    found = full_refresh({"__ab_full_refresh_sync_complete": True})
    assert found == ReadState(replace(FRESH_REFRESH, complete=True))
    assert found.state.to_json(CURSOR) == COMPLETE_MARKER


@pytest.mark.parametrize(
    "blob",
    [
        INCREMENTAL,
        {CURSOR: "2026-11-23T02:00:00.000Z"},
        {CURSOR: "damaged"},
        {"__ab_full_refresh_sync_complete": False},
        {"__ab_full_refresh_sync_complete": True, "more": 1},
        {"mode": "other"},
        {"mode": ["full_refresh"]},
        {"anything": "else"},
    ],
)
def test_anything_else_is_ignored_with_a_warning(blob):
    found = full_refresh(blob)
    assert (found.state, found.abandoned) == (FRESH_REFRESH, ())
    assert found.warning is not None
    assert "ignored" in found.warning


def test_a_damaged_state_of_a_full_refresh_is_ignored_with_a_warning():
    found = full_refresh({**FULL_REFRESH, "resume": [{**ENTRY, "job": 7}]})
    assert (found.state, found.abandoned) == (FRESH_REFRESH, ())
    assert found.warning is not None
    assert "has no job" in found.warning


def test_a_full_refresh_of_another_scope_starts_over_and_leaves_its_jobs():
    found = full_refresh({**FULL_REFRESH, "scope": "sha256:other"})
    assert (found.state, found.abandoned) == (FRESH_REFRESH, (POINT,))
    assert found.warning is not None


# Any JSON

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(ENTRY["from"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)
hostile_entries = st.fixed_dictionaries(
    {}, optional={key: st.just(value) | json_values for key, value in ENTRY.items()}
)
hostile = json_values | st.fixed_dictionaries(
    {},
    optional={
        CURSOR: json_values,
        "scope": st.just(SCOPE) | json_values,
        "mode": st.just("full_refresh") | json_values,
        "resume": st.lists(hostile_entries, max_size=2) | json_values,
    },
)


@given(hostile)
def test_any_json_is_a_state_or_refused_by_an_incremental_read(blob):
    with suppress(StateError):
        assert incremental(blob).state.mode is Mode.INCREMENTAL


@given(hostile)
def test_any_json_object_is_a_state_or_ignored_by_a_full_refresh(blob):
    if isinstance(blob, dict):
        assert full_refresh(blob).state.mode is Mode.FULL_REFRESH


# The scope

PARTS = {
    "organization_id": "00D000000000001EAA",
    "operation": "queryAll",
    "where": "Name != null",
    "cursor_field": CURSOR,
    "start": AT,
}


def test_every_part_counts_in_a_scope():
    changed = [{**PARTS, key: None} for key in PARTS if key != "operation"]
    changed += [{**PARTS, "operation": "query"}, {**PARTS, "start": AT + timedelta(seconds=1)}]
    assert len({scope_hash(**parts) for parts in (PARTS, *changed)}) == 1 + len(changed)  # type: ignore[arg-type]


def test_parts_cannot_be_taken_for_each_other():
    one = scope_hash(organization_id="a", operation="query", where="b", cursor_field=None, start=None)
    other = scope_hash(organization_id="a", operation="query", where=None, cursor_field="b", start=None)
    assert one != other


def test_a_scope_is_the_same_in_every_run_and_zone():
    # Written into states: a change would make every stream of every user start over.
    digest = "5b38d2eb651c8162c7e51fed87a14ac37cd9c55350e40e618c594f550b8707ae"
    assert scope_hash(**PARTS) == f"sha256:{digest}"  # type: ignore[arg-type]


@pytest.mark.parametrize("blob", [None, {}, {"resume": None}, {"resume": {"job": "750A"}}, {"resume": ["750A", {}]}])
def test_a_state_without_entries_names_no_job(blob):
    assert jobs_named(blob) == frozenset()


def test_the_jobs_that_a_state_names_are_told_whatever_else_is_in_it():
    assert jobs_named({"resume": [{"job": "750A"}, {"job": 7}, None]}) == {"750A", "7"}
