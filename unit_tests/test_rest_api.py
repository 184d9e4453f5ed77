from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.salesforce import rest_api
from source_salesforce_bulk.salesforce.http_client import MAX_BODIES
from source_salesforce_bulk.salesforce.ids import id_18
from source_salesforce_bulk.salesforce.rest_api import Limit, Limits, ObjectListing
from source_salesforce_bulk.salesforce.wire import MAX_JSON_VALUES, ApiRequest, Operation, UnreadableBody

# Requests


@pytest.mark.parametrize(
    ("request_", "operation", "path", "params"),
    [
        (rest_api.versions(), Operation.VERSIONS, "/services/data", {}),
        (rest_api.sobjects("v66.0"), Operation.SOBJECTS, "/services/data/v66.0/sobjects", {}),
        (
            rest_api.describe("v66.0", "Account"),
            Operation.DESCRIBE,
            "/services/data/v66.0/sobjects/Account/describe",
            {},
        ),
        (rest_api.limits("v66.0"), Operation.LIMITS, "/services/data/v66.0/limits", {}),
        (
            rest_api.record_count("v66.0", ["Account", "Big__c"]),
            Operation.RECORD_COUNT,
            "/services/data/v66.0/limits/recordCount",
            {"sObjects": "Account,Big__c"},
        ),
        (
            rest_api.query("v66.0", "SELECT Id FROM A", include_deleted=False),
            Operation.QUERY,
            "/services/data/v66.0/query",
            {"q": "SELECT Id FROM A"},
        ),
        (
            rest_api.query("v66.0", "SELECT Id FROM A", include_deleted=True),
            Operation.QUERY,
            "/services/data/v66.0/queryAll",
            {"q": "SELECT Id FROM A"},
        ),
    ],
    ids=["versions", "sobjects", "describe", "limits", "record count", "query", "query all"],
)
def test_a_request(request_: ApiRequest, operation, path, params):
    assert (request_.operation, request_.method, request_.path) == (operation, "GET", path)
    assert dict(request_.params) == params
    assert request_.json is None


def test_only_the_versions_need_no_session():
    assert not rest_api.versions().authenticated
    assert rest_api.sobjects("v66.0").authenticated
    assert rest_api.limits("v66.0").authenticated


def test_a_describe_is_counted_for_its_object():
    assert rest_api.describe("v66.0", "Account").object_name == "Account"


def test_a_name_cannot_leave_its_place_in_the_path():
    path = rest_api.describe("v66.0", "../limits?x=1").path
    assert path == "/services/data/v66.0/sobjects/..%2Flimits%3Fx%3D1/describe"


# Versions


def test_versions_are_spelled_as_in_paths():
    payload = [
        {"label": "Summer '26", "url": "/services/data/v67.0", "version": "67.0"},
        {"label": "Spring '26", "url": "/services/data/v66.0", "version": "66.0"},
    ]
    assert rest_api.parse_versions(payload) == ("v67.0", "v66.0")


def test_entries_that_are_no_version_are_passed_over():
    assert rest_api.parse_versions([None, {}, {"version": 66.0}, {"version": "x"}, {"version": "66.0"}]) == ("v66.0",)


@pytest.mark.parametrize("payload", [None, {}, [], [{}], [{"version": "66"}], "66.0"])
def test_an_answer_without_versions_is_refused(payload):
    with pytest.raises(UnreadableBody):
        rest_api.parse_versions(payload)


# Objects


def test_a_listing_is_read():
    payload = {
        "encoding": "UTF-8",
        "sobjects": [
            {
                "name": "AccountHistory",
                "label": "Account History",
                "queryable": True,
                "deprecatedAndHidden": True,
                "custom": False,
                "customSetting": False,
                "replicateable": True,
                "keyPrefix": "017",
                "associateEntityType": "History",
            },
            {
                "name": "Config__c",
                "label": "Config",
                "queryable": False,
                "custom": True,
                "customSetting": True,
                "keyPrefix": None,
            },
        ],
    }
    assert rest_api.parse_sobjects(payload) == (
        ObjectListing("AccountHistory", queryable=True, hidden=True),
        ObjectListing("Config__c", queryable=False),
    )


@pytest.mark.parametrize(
    ("said", "retrieveable"), [({}, True), ({"retrieveable": True}, True), ({"retrieveable": False}, False)]
)
def test_an_object_is_virtual_where_the_org_says_so(said, retrieveable):
    (listing,) = rest_api.parse_sobjects({"sobjects": [{"name": "DataType", "queryable": True, **said}]})
    assert listing.retrieveable is retrieveable


def test_an_object_of_which_nothing_is_said_can_be_queried():
    payload = {"sobjects": [{"name": "A"}, {"name": "B", "queryable": None}, {"name": "C", "queryable": False}]}
    assert [listing.queryable for listing in rest_api.parse_sobjects(payload)] == [True, False, False]


@pytest.mark.parametrize("name", [None, 5, "", "Account?", "../limits", "A\x1b[2J", "A\ud800", "Größe"])
def test_an_object_without_an_api_name_makes_the_answer_unreadable(name):
    with pytest.raises(UnreadableBody, match="no API name"):
        rest_api.parse_sobjects({"sobjects": [{"name": "Account"}, {"name": name}]})


def test_an_org_may_show_no_object():
    assert rest_api.parse_sobjects({"sobjects": []}) == ()


@pytest.mark.parametrize(
    "payload", [None, [], {}, {"sobjects": None}, {"sobjects": {}}, {"sobjects": [{}]}, {"sobjects": [{"name": 1}]}]
)
def test_an_answer_without_objects_is_refused(payload):
    with pytest.raises(UnreadableBody):
        rest_api.parse_sobjects(payload)


# Limits


def test_the_limits_that_matter_are_read():
    payload = {
        "DailyApiRequests": {"Max": 15000, "Remaining": 14998, "Sample": {"Max": 0, "Remaining": 0}},
        "DailyBulkV2QueryJobs": {"Max": 10000, "Remaining": 0},
        "DailyBulkV2QueryFileStorageMB": {"Max": 976562, "Remaining": 976562},
        "DailyBulkApiBatches": {"Max": 1, "Remaining": 1},
    }
    assert rest_api.parse_limits(payload) == Limits(Limit(15000, 14998), Limit(10000, 0), Limit(976562, 976562))


@pytest.mark.parametrize(
    "value",
    [None, 5, [], {}, {"Max": 5}, {"Remaining": 5}, {"Max": "five", "Remaining": 5}, {"Max": True, "Remaining": 1}],
)
def test_a_limit_that_is_missing_or_unreadable_is_none(value):
    assert rest_api.parse_limits({"DailyApiRequests": value}) == Limits(None, None, None)


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        ({"Max": "5", "Remaining": "4"}, Limit(5, 4)),
        ({"Max": 5.0, "Remaining": 4.0}, Limit(5, 4)),
        ({"Max": 5, "Remaining": -3}, Limit(5, 0)),
    ],
    ids=["text", "fractions", "overshot"],
)
def test_a_limit_counts_however_it_is_written(value, limit):
    assert rest_api.parse_limits({"DailyApiRequests": value}).api_requests == limit


@pytest.mark.parametrize("payload", [None, [], "limits"])
def test_an_answer_without_limits_is_refused(payload):
    with pytest.raises(UnreadableBody):
        rest_api.parse_limits(payload)


# Record counts


def test_record_counts_are_read_by_name():
    payload = {"sObjects": [{"count": 3, "name": "Account"}, {"count": 0, "name": "Lead"}, {"name": "Case"}, None]}
    assert rest_api.parse_record_counts(payload) == {"Account": 3, "Lead": 0}


@pytest.mark.parametrize("payload", [None, [], {}, {"sObjects": None}])
def test_an_answer_without_counts_is_refused(payload):
    with pytest.raises(UnreadableBody):
        rest_api.parse_record_counts(payload)


# Deleted rows

LOG = {
    "deletedRecords": [
        {"id": "001A0000006Vm9rIAC", "deletedDate": "2026-11-23T01:59:59.000+0000"},
        {"id": "001A0000006Vm9s", "deletedDate": "2026-11-23T01:59:59.000+0000"},
    ],
    "earliestDateAvailable": "2026-11-09T15:57:00.000+0000",
    "latestDateCovered": "2026-11-23T02:00:00.000+0000",
}


def test_deleted_rows_are_requested_by_the_minute():
    start, end = datetime(2026, 11, 23, 1, 50, tzinfo=UTC), datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    request = rest_api.deleted("v66.0", "Big__c", start, end)
    assert (request.method, request.path) == ("GET", "/services/data/v66.0/sobjects/Big__c/deleted/")
    assert request.params == {"start": "2026-11-23T01:50:00Z", "end": "2026-11-23T02:00:00Z"}
    assert request.object_name == "Big__c"


def test_the_log_of_deletions_names_rows_and_its_reach():
    found = rest_api.parse_deleted(LOG)
    assert found.ids == {"001A0000006Vm9rIAC", id_18("001A0000006Vm9s")}
    assert found.covered == datetime(2026, 11, 23, 2, tzinfo=UTC)
    assert found.earliest == datetime(2026, 11, 9, 15, 57, tzinfo=UTC)
    assert rest_api.parse_deleted(LOG | {"earliestDateAvailable": None}).earliest is None


def test_the_longest_answer_of_the_log_is_read():
    (entry,) = (json.dumps(entry) for entry in LOG["deletedRecords"][:1])
    most = 600_000
    assert (len(entry) + 2) * most < MAX_BODIES[Operation.DELETED]
    assert (entry.count(",") + entry.count("{") + 1) * most < MAX_JSON_VALUES


@pytest.mark.parametrize(
    "change",
    [
        {"deletedRecords": None},
        {"deletedRecords": [{"id": "x' OR Id != '"}]},
        {"deletedRecords": [{}]},
        {"latestDateCovered": None},
        {"latestDateCovered": "today"},
        {"earliestDateAvailable": 7},
    ],
)
def test_a_log_that_cannot_be_trusted_is_not_read(change):
    with pytest.raises(UnreadableBody):
        rest_api.parse_deleted(LOG | change)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["sobjects", "sObjects", "name", "count", "version", "DailyApiRequests", "Max", "deletedRecords"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
PARSERS = [
    rest_api.parse_versions,
    rest_api.parse_sobjects,
    rest_api.parse_limits,
    rest_api.parse_record_counts,
    rest_api.parse_deleted,
]


@pytest.mark.parametrize("parse", PARSERS)
@given(payload=JSON)
def test_any_json_is_read_or_refused(parse, payload):
    with contextlib.suppress(UnreadableBody):
        parse(payload)
