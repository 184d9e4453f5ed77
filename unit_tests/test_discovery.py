from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.describe import SObject
from source_salesforce_bulk.salesforce.discovery import Discovery, LeftOutObject, Listing
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.rest_api import Limit, Limits
from source_salesforce_bulk.salesforce.wire import ApiRequest, ApiResponse, Operation

Reply = object | Callable[[ApiRequest], object]


class ScriptedOrg:
    """A transport that answers by path, and fails on an unscripted request.

    A reply is a body, an exception to be raised, or a function of the request that gives either.
    """

    def __init__(self, **replies: Reply) -> None:
        self._lock = threading.Lock()
        self._replies = replies
        self.asked: list[ApiRequest] = []

    def call(self, request: ApiRequest) -> ApiResponse:
        with self._lock:
            self.asked.append(request)
        key = request.object_name or request.operation.name.lower()
        assert key in self._replies, f"{request} is not scripted"
        reply = self._replies[key]
        body = reply(request) if callable(reply) else reply
        if isinstance(body, Exception):
            raise body
        return ApiResponse(200, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def discovery(org: ScriptedOrg, at_once: int = 4) -> Discovery:
    return Discovery(org, "v66.0", at_once)


def listed(*names: str, **more: object) -> dict[str, object]:
    return {"sobjects": [{"name": name, "label": name, "queryable": True, **more} for name in names]}


def described(name: str) -> dict[str, object]:
    return {"name": name, "label": name, "queryable": True, "fields": [{"name": "Id", "type": "id"}]}


def failed(kind: Kind) -> SalesforceError:
    return SalesforceError(Failure.of(kind, Operation.DESCRIBE))


def selected(listing: Listing) -> list[str]:
    return [one.name for one in listing.selected]


# Listing


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (["*"], [], ["Account", "AccountShare", "Contact", "Order__c"]),
        (["Account"], [], ["Account"]),
        (["acc*"], [], ["Account", "AccountShare"]),
        (["*__C", "CONTACT"], [], ["Contact", "Order__c"]),
        (["?ontact"], [], ["Contact"]),
        (["[ac]*"], [], ["Account", "AccountShare", "Contact"]),
        (["*"], ["*SHARE", "contact"], ["Account", "Order__c"]),
        (["Account"], ["*"], []),
        ([], [], []),
        (["Nobody"], [], []),
    ],
)
def test_patterns_select_objects_and_exclude_wins(include, exclude, expected):
    org = ScriptedOrg(sobjects=listed("Account", "AccountShare", "Contact", "Order__c"))
    assert selected(discovery(org).list_objects(include, exclude)) == expected


def test_what_cannot_be_read_is_left_out_with_its_reason():
    entries = [
        *listed("Account", "CaseStatus", "ActivityHistory")["sobjects"],  # type: ignore[misc]
        *listed("AccountChangeEvent", queryable=False)["sobjects"],  # type: ignore[misc]
        *listed("Old__c", deprecatedAndHidden=True)["sobjects"],  # type: ignore[misc]
    ]
    listing = discovery(ScriptedOrg(sobjects={"sobjects": entries})).list_objects(["*"], [])
    assert selected(listing) == ["Account", "CaseStatus"]
    assert listing.left_out == (
        LeftOutObject("ActivityHistory", "Salesforce does not support querying it"),
        LeftOutObject("AccountChangeEvent", "describe says that it cannot be queried"),
        LeftOutObject("Old__c", "it is deprecated and hidden"),
    )


def test_what_the_patterns_do_not_name_is_not_even_left_out():
    org = ScriptedOrg(sobjects=listed("Account", "CaseStatus", "TaskStatus"))
    listing = discovery(org).list_objects(["*"], ["case*", "task*"])
    assert listing.left_out == ()
    assert discovery(org).list_objects(["Account"], []).left_out == ()


def test_an_object_given_by_its_own_name_is_offered_in_spite_of_the_hints():
    org = ScriptedOrg(sobjects=listed("Account", "FeedItem", "Vote"))
    listing = discovery(org).list_objects(["*", "feeditem"], [])
    assert selected(listing) == ["Account", "FeedItem"]
    assert [one.name for one in listing.left_out] == ["Vote"]


@pytest.mark.parametrize(
    ("include", "exclude", "reason", "meant"),
    [
        (["Nobody"], [], "no object of that name is visible to this user", None),
        (["acount"], [], "no object of that name is visible to this user (did you mean Account?)", "Account"),
        (["Order"], [], "no object of that name is visible to this user (did you mean Order__c?)", "Order__c"),
        (["*", "Account"], ["acc*"], "it is excluded by exclude_objects", None),
        (["Hidden__c", "*"], [], "describe says that it cannot be queried", None),
    ],
)
def test_an_object_given_by_its_own_name_is_offered_or_left_out_with_the_reason(include, exclude, reason, meant):
    org = ScriptedOrg(
        sobjects={
            "sobjects": [
                *listed("Account", "Order__c")["sobjects"],  # type: ignore[misc]
                *listed("Hidden__c", queryable=False)["sobjects"],  # type: ignore[misc]
            ]
        }
    )
    (named,) = [entry for entry in include if entry != "*"]
    (left_out,) = [one for one in discovery(org).list_objects(include, exclude).left_out if one.wanted]
    assert left_out == LeftOutObject(named, reason, True, meant, unknown="no object" in reason)
    assert (left_out.code == "not_found") is left_out.unknown


@pytest.mark.parametrize("name", ["FieldDefinition", "feeditem", "Vote", "Announcement", "EntityDefinition"])
def test_an_override_offers_an_object_that_the_patterns_cover(name):
    org = ScriptedOrg(
        sobjects={
            "sobjects": [
                *listed("Account", "FieldDefinition", "FeedItem", "Vote", "Announcement")["sobjects"],  # type: ignore[misc]
                *listed("EntityDefinition", retrieveable=False)["sobjects"],  # type: ignore[misc]
            ]
        }
    )
    assert selected(discovery(org).list_objects(["*"], [])) == ["Account"]
    listing = discovery(org).list_objects(["*"], [], [name])
    assert [one.lower() for one in selected(listing)] == ["account", name.lower()]
    assert name not in [one.name for one in listing.left_out]


@pytest.mark.parametrize(
    ("include", "exclude"), [(["*"], ["contentdocumentlink"]), (["Account"], []), (["Acc*"], ["*Link"])]
)
def test_an_override_offers_nothing_that_the_patterns_do_not_show(include, exclude):
    org = ScriptedOrg(sobjects=listed("Account", "ContentDocumentLink"))
    listing = discovery(org).list_objects(include, exclude, ["ContentDocumentLink"])
    assert selected(listing) == ["Account"]
    assert listing.left_out == ()


@pytest.mark.parametrize("include", [["*"], ["Account"], ["Contact", "Acc*"]])
@pytest.mark.parametrize("written", ["Acount", "Acounts", "acc_ount"])
def test_an_override_of_a_misspelt_object_is_reported_whatever_the_patterns(include, written):
    (missed,) = (
        discovery(ScriptedOrg(sobjects=listed("Account", "Contact"))).list_objects(include, [], [written]).left_out
    )
    assert (missed.name, missed.wanted, missed.meant) == (written, True, "Account")


def test_an_override_of_an_object_that_another_org_has_is_reported_where_the_patterns_cover_it():
    org = discovery(ScriptedOrg(sobjects=listed("Account")))
    assert [one.name for one in org.list_objects(["*"], [], ["Invoice__c"]).left_out] == ["Invoice__c"]
    assert org.list_objects(["Account"], [], ["Invoice__c"]).left_out == ()


def test_a_list_of_objects_as_long_as_real_ones_is_read():
    names = [f"Object{number}__c" for number in range(1293)]
    listing = discovery(ScriptedOrg(sobjects=listed(*names, "Account"))).list_objects(["*", "Acount"], ["*7__c"])
    assert len(listing.selected) == 1294 - 129
    assert [one.meant for one in listing.left_out] == ["Account"]


def test_a_name_that_is_given_twice_is_left_out_once():
    listing = discovery(ScriptedOrg(sobjects=listed("Account"))).list_objects(["Gone__c", "gone__C"], [])
    assert [one.name for one in listing.left_out] == ["Gone__c"]


def test_listing_describes_nothing():
    org = ScriptedOrg(sobjects=listed("Account"))
    discovery(org).list_objects(["*"], [])
    assert [request.path for request in org.asked] == ["/services/data/v66.0/sobjects"]


# Describing


def test_objects_are_described_in_the_order_asked_for_and_once():
    names = ["Contact", "Account", "Lead", "Account"]
    org = ScriptedOrg(**{name: described(name) for name in names})
    result = discovery(org).describe(names)
    assert list(result) == ["Contact", "Account", "Lead"]
    assert [one.name for one in result.values() if not isinstance(one, SalesforceError)] == list(result)
    assert len(org.asked) == 3


def test_nothing_is_asked_for_no_object():
    assert discovery(ScriptedOrg()).describe([]) == {}


def test_an_object_can_be_had_while_others_are_still_being_described():
    held = threading.Event()

    def hold(request: ApiRequest) -> object:
        assert held.wait(30)
        return described("Contact")

    done = threading.Semaphore(0)
    describes = discovery(ScriptedOrg(Account=described("Account"), Contact=hold)).describe_ahead(
        ["Account", "Contact"], on_done=done.release
    )
    account = describes.result("Account")
    assert done.acquire(timeout=30)
    assert isinstance(account, SObject)
    assert (describes.ready("Account"), describes.ready("Contact")) == (True, False)
    held.set()
    assert done.acquire(timeout=30)
    assert describes.ready("Contact")
    describes.close()


def test_what_was_not_sent_before_the_end_is_not_sent():
    began, held = threading.Event(), threading.Event()

    def hold(request: ApiRequest) -> object:
        began.set()
        assert held.wait(30)
        return described("Account")

    org = ScriptedOrg(Account=hold)
    describes = discovery(org, at_once=1).describe_ahead(["Account", "Contact"])
    assert began.wait(30)
    describes.close()
    held.set()
    assert isinstance(describes.result("Account"), SObject)
    assert describes.ready("Contact")
    assert [request.object_name for request in org.asked] == ["Account"]


def test_describes_are_under_way_at_once_and_keep_their_order():
    together = threading.Barrier(3, timeout=30)

    def wait_for_the_others(request: ApiRequest) -> object:
        together.wait()
        return described(request.object_name or "")

    names = ["C", "A", "B"]
    org = ScriptedOrg(**dict.fromkeys(names, wait_for_the_others))
    assert list(discovery(org, at_once=3).describe(names)) == names


def test_no_more_describes_than_allowed_are_under_way():
    lock, under_way, most = threading.Lock(), 0, 0

    def count(request: ApiRequest) -> object:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        with lock:
            under_way -= 1
        return described(request.object_name or "")

    names = [f"Object{index}__c" for index in range(40)]
    assert len(discovery(ScriptedOrg(**dict.fromkeys(names, count)), at_once=2).describe(names)) == 40
    assert most <= 2


@pytest.mark.parametrize("kind", [Kind.OBJECT_GONE, Kind.UNAVAILABLE, Kind.MISSING_PERMISSION])
def test_one_object_that_cannot_be_described_does_not_stop_the_others(kind):
    error = failed(kind)
    org = ScriptedOrg(
        versions=[{"version": "66.0"}], Account=described("Account"), Gone__c=error, Lead=described("Lead")
    )
    result = discovery(org).describe(["Account", "Gone__c", "Lead"])
    assert list(result) == ["Account", "Gone__c", "Lead"]
    assert result["Gone__c"] is error
    assert not isinstance(result["Lead"], SalesforceError)


@pytest.mark.parametrize("kind", [Kind.API_CALLS_EXHAUSTED, Kind.CREDENTIALS_REFUSED])
def test_a_failure_of_every_object_is_raised_and_ends_the_asking(kind):
    error = failed(kind)
    names = [f"Object{index}__c" for index in range(50)]
    org = ScriptedOrg(**dict.fromkeys(names, error))
    with pytest.raises(SalesforceError) as caught:
        discovery(org, at_once=1).describe(names)
    assert caught.value is error
    assert len(org.asked) < 50


def test_a_stopped_run_stops_describing():
    org = ScriptedOrg(Account=Stopped("the run is being stopped"))
    with pytest.raises(Stopped):
        discovery(org).describe(["Account"])


@pytest.mark.parametrize("body", [b"<html>", b"", [], {}, {"name": "Account"}, {"name": "Account", "fields": [1]}])
def test_an_answer_that_describes_nothing_is_a_failure_of_its_object(body):
    result = discovery(ScriptedOrg(Account=body, Lead=described("Lead"))).describe(["Account", "Lead"])
    error = result["Account"]
    assert isinstance(error, SalesforceError)
    assert error.failure.kind is Kind.UNREADABLE_ANSWER
    assert error.failure.operation is Operation.DESCRIBE
    assert not isinstance(result["Lead"], SalesforceError)


# Versions, limits, counts


def test_versions_are_given_as_they_stand_in_paths():
    assert discovery(ScriptedOrg(versions=[{"version": "66.0"}])).versions() == ("v66.0",)


GONE = failed(Kind.OBJECT_GONE)


def test_objects_that_are_not_found_for_want_of_the_version_are_not_blamed():
    org = ScriptedOrg(versions=[{"version": "65.0"}, {"version": "9.0"}], Account=GONE, Contact=GONE, Lead=GONE)
    with pytest.raises(SalesforceError) as raised:
        discovery(org, at_once=1).describe(["Account", "Contact", "Lead"])
    assert raised.value.failure.kind is Kind.VERSION_UNKNOWN
    assert "v66.0 is not among the org's versions, the newest of which is v65.0." in raised.value.failure.summary
    assert len(org.asked) == 2


@pytest.mark.parametrize("versions", [[{"version": "66.0"}], failed(Kind.UNAVAILABLE)])
def test_where_the_version_is_not_the_reason_the_object_is_and_the_org_is_asked_once(versions):
    org = ScriptedOrg(versions=versions, Gone__c=GONE, Lost__c=GONE, Account=described("Account"))
    found = discovery(org).describe(["Gone__c", "Account", "Lost__c"])
    assert [isinstance(one, SalesforceError) for one in found.values()] == [True, False, True]
    assert [request.operation for request in org.asked].count(Operation.VERSIONS) == 1


def test_limits_are_given():
    org = ScriptedOrg(limits={"DailyApiRequests": {"Max": 100, "Remaining": 4}})
    assert discovery(org).limits() == Limits(Limit(100, 4), None, None)


def counted(request: ApiRequest) -> object:
    names = request.params["sObjects"].split(",")
    return {"sObjects": [{"name": name, "count": len(name)} for name in names]}


def test_record_counts_of_few_objects_take_one_call():
    org = ScriptedOrg(record_count=counted)
    assert discovery(org).record_counts(["Account", "Lead", "Account"]) == {"Account": 7, "Lead": 4}
    assert [dict(request.params) for request in org.asked] == [{"sObjects": "Account,Lead"}]


def test_record_counts_of_many_objects_come_in_short_urls():
    names = [f"A_rather_long_object_name_{index:04d}__c" for index in range(1000)]
    org = ScriptedOrg(record_count=counted)
    counts = discovery(org).record_counts(names)
    assert list(counts) == names
    asked = [request.params["sObjects"] for request in org.asked]
    assert [name for some in asked for name in some.split(",")] == names
    assert all(len(some.replace(",", "%2C")) <= 4000 for some in asked)
    assert len(asked) < 15


def test_record_counts_of_no_object_take_no_call():
    assert discovery(ScriptedOrg()).record_counts([]) == {}


@pytest.mark.parametrize(
    ("key", "ask"),
    [
        ("versions", lambda one: one.versions()),
        ("sobjects", lambda one: one.list_objects(["*"], [])),
        ("limits", lambda one: one.limits()),
        ("record_count", lambda one: one.record_counts(["Account"])),
    ],
)
@pytest.mark.parametrize("body", [b"<html>maintenance</html>", b"null", b'"text"'])
def test_an_unreadable_answer_is_a_failure_of_its_operation(key, ask, body):
    with pytest.raises(SalesforceError) as caught:
        ask(discovery(ScriptedOrg(**{key: body})))
    assert caught.value.failure.kind is Kind.UNREADABLE_ANSWER
    assert caught.value.failure.operation is Operation[key.upper()]


@pytest.mark.parametrize("ask", [lambda one: one.list_objects(["*"], []), lambda one: one.limits()])
def test_a_failure_of_the_call_is_handed_on_as_it_is(ask):
    error = failed(Kind.CONNECTION)
    with pytest.raises(SalesforceError) as caught:
        ask(discovery(ScriptedOrg(sobjects=error, limits=error)))
    assert caught.value is error
