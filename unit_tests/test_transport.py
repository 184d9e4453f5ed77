from __future__ import annotations

import gzip
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests
import urllib3

from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.failures import Action, Consequence, Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.org_clock import OrgClock
from source_salesforce_bulk.salesforce.retry import MAX_RETRY_AFTER, REQUEST_RETRIES
from source_salesforce_bulk.salesforce.transport import MAX_LOGINS, Transport
from source_salesforce_bulk.salesforce.wire import ApiRequest, ApiUsage, Operation, parse_limit_info
from unit_tests.fakes import Answer, FakeClock, FakeTokens, ScriptedHttp

BASE = "https://acme.my.salesforce.com"
JOBS = "/services/data/v66.0/jobs/query"
INFO = ApiRequest(Operation.JOB_INFO, "GET", f"{JOBS}/750x", object_name="Account")
CREATE = ApiRequest(Operation.CREATE_JOB, "POST", JOBS, json={"query": "SELECT Id FROM Account"})
RESULTS = ApiRequest(Operation.RESULTS, "GET", f"{JOBS}/750x/results", params={"maxRecords": "5"})
DELETE = ApiRequest(Operation.DELETE_JOB, "DELETE", f"{JOBS}/750x")
EXPIRED = Answer(401, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}])
JOB = {"id": "750x", "state": "InProgress"}


class Watcher:
    def __init__(self) -> None:
        self.answers: list[tuple[Operation, int | None, float, int, ApiUsage | None]] = []
        self.retries: list[tuple[Kind, float]] = []

    def on_answer(self, request, status, seconds, size, usage):
        self.answers.append((request.operation, status, seconds, size, usage))

    def on_retry(self, request, failure, pause):
        self.retries.append((failure.kind, pause))


class Rig:
    def __init__(self) -> None:
        self.http, self.tokens, self.clock, self.watcher = ScriptedHttp(), FakeTokens(), FakeClock(), Watcher()
        self.transport = Transport(Caller(self.http, self.clock, lambda: 0.0), self.tokens, self.watcher)

    def info(self, answer: Answer) -> Rig:
        self.http.expect("GET", "/750x", answer)
        return self

    def page(self, answer: Answer) -> Rig:
        self.http.expect("GET", "/750x/results", answer)
        return self

    def fails(self, request: ApiRequest) -> Failure:
        with pytest.raises(SalesforceError) as raised:
            self.transport.call(request)
        return raised.value.failure

    def read_page(self, size: int = 1 << 16) -> list[bytes]:
        with self.transport.open(RESULTS) as body:
            return list(body.chunks(size))

    def fails_in_page(self) -> Failure:
        with self.transport.open(RESULTS) as body, pytest.raises(SalesforceError) as raised:
            list(body.chunks(1 << 16))
        return raised.value.failure


@pytest.fixture
def rig():
    rig = Rig()
    with rig.http:
        yield rig


# Requests.


def test_a_call_carries_the_token_of_the_moment_and_asks_for_json(rig):
    rig.info(Answer(200, JOB))
    assert rig.transport.call(INFO).json() == JOB
    sent = rig.http.sent[0]
    assert sent.url == f"{BASE}{JOBS}/750x"
    assert sent.headers["Authorization"] == "Bearer T0"
    assert sent.headers["Accept"] == "application/json"


def test_a_result_page_is_asked_for_as_compressed_csv(rig):
    rig.page(Answer(200, b"Id\n"))
    rig.read_page()
    sent = rig.http.sent[0]
    assert (sent.headers["Accept"], sent.headers["Accept-Encoding"]) == ("text/csv", "gzip")
    assert sent.params == {"maxRecords": "5"}


@pytest.mark.parametrize("operation", [op for op in Operation if op is not Operation.TOKEN])
def test_every_request_has_timeouts(rig, operation):
    rig.http.expect("GET", "/x", Answer(418))
    rig.fails(ApiRequest(operation, "GET", "/x"))
    timeouts = rig.http.sent[0].timeouts
    assert timeouts.connect == 10.0
    assert 0 < timeouts.head <= 300.0
    assert 0 < timeouts.body <= (3600.0 if operation is Operation.BLOB else 900.0)


def test_a_create_may_take_longer_than_the_two_minutes_salesforce_gives_a_query(rig):
    rig.http.expect("POST", "/query", Answer(200, JOB))
    rig.transport.call(CREATE)
    assert rig.http.sent[0].timeouts.head > 120
    assert rig.http.sent[0].json == {"query": "SELECT Id FROM Account"}


def test_a_request_that_needs_no_token_carries_none(rig):
    rig.http.expect("GET", "/services/data", Answer(200, b"[]"))
    rig.transport.call(ApiRequest(Operation.VERSIONS, "GET", "/services/data", authenticated=False))
    assert "Authorization" not in rig.http.sent[0].headers


def test_a_requests_own_headers_do_not_replace_the_token(rig):
    rig.http.expect("GET", "/x", Answer(304))
    headers = {"If-Modified-Since": "now", "Authorization": "Basic x"}
    response = rig.transport.call(ApiRequest(Operation.DESCRIBE, "GET", "/x", headers=headers))
    assert (response.status, response.body) == (304, b"")
    assert rig.http.sent[0].headers["If-Modified-Since"] == "now"
    assert rig.http.sent[0].headers["Authorization"] == "Bearer T0"


@pytest.mark.parametrize(
    "path", ["@evil.example/x", ".evil.example/x", "https://evil.example/x", ":443@evil.example/", ""]
)
def test_the_token_goes_to_no_other_host(rig, path):
    failure = rig.fails(ApiRequest(Operation.RESULTS, "GET", path))
    assert (failure.kind, failure.consequence) == (Kind.UNEXPECTED, Consequence.SYSTEM)
    assert rig.http.sent == []


def test_a_new_session_may_live_on_another_instance(rig):
    rig.info(EXPIRED).info(Answer(200, JOB))
    rig.tokens.base = "https://one.my.salesforce.com"
    rig.transport.call(INFO)
    assert rig.http.sent[1].url.startswith("https://one.my.salesforce.com/")


# Retries.


def test_trouble_that_passes_is_tried_again_with_growing_pauses(rig):
    rig.info(Answer(503)).info(Answer(502)).info(Answer(406)).info(Answer(200, JOB))
    assert rig.transport.call(INFO).status == 200
    assert rig.clock.sleeps == [1.0, 2.0, 4.0]
    assert rig.watcher.retries == [(Kind.UNAVAILABLE, 1.0), (Kind.UNAVAILABLE, 2.0), (Kind.UNAVAILABLE, 4.0)]


def test_after_five_attempts_it_is_over_and_says_so(rig):
    for _ in range(5):
        rig.info(Answer(500))
    failure = rig.fails(INFO)
    assert failure.action is Action.RETRY
    assert failure.summary.endswith("This was attempt 5 of 5.")
    assert len(rig.clock.sleeps) == 4


def test_retry_after_is_honoured(rig):
    rig.info(Answer(429, headers={"Retry-After": "17"})).info(Answer(200, JOB))
    rig.transport.call(INFO)
    assert rig.clock.sleeps == [17.0]


def test_retry_after_is_capped(rig):
    rig.info(Answer(503, headers={"Retry-After": "86400"})).info(Answer(200, JOB))
    rig.transport.call(INFO)
    assert rig.clock.sleeps == [MAX_RETRY_AFTER]


def test_no_attempt_begins_after_the_time_budget(rig):
    def slow(sent):
        rig.clock.advance(REQUEST_RETRIES.budget - 0.5)

    rig.http.expect("GET", "/750x", Answer(error=requests.ReadTimeout("x")), check=slow)
    assert rig.fails(INFO).kind is Kind.CONNECTION
    assert rig.clock.sleeps == []


def test_jitter_comes_from_the_given_chance():
    rig = Rig()
    rig.transport = Transport(Caller(rig.http, rig.clock, lambda: 1.0), rig.tokens, rig.watcher)
    rig.info(Answer(503)).info(Answer(200, JOB))
    rig.transport.call(INFO)
    assert rig.clock.sleeps == [0.75]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(error=requests.ConnectionError("reset")),
        Answer(error=requests.ReadTimeout("x")),
        Answer(error=urllib3.exceptions.ProtocolError("x")),
        Answer(200, b"<html>maintenance</html>"),
        Answer(200, b'{"id": "750x", "sta'),
        Answer(200, [b'{"id":', urllib3.exceptions.ProtocolError("cut")]),
        Answer(200, b'{"id"', headers={"Content-Length": "40"}),
        Answer(200, b"\x1f\x8bnot gzip", headers={"Content-Encoding": "gzip"}),
        Answer(200, gzip.compress(b'{"id": "750x"}')[:-1], headers={"Content-Encoding": "gzip"}),
        Answer(302, headers={"Location": "https://status.salesforce.com/"}),
        Answer(403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "ConcurrentRequests Limit exceeded."}]),
    ],
    ids=lambda answer: str(answer.error or answer.status),
)
def test_a_read_that_failed_on_the_way_is_sent_again(rig, answer):
    rig.info(answer).info(Answer(200, JOB))
    assert rig.transport.call(INFO).json() == JOB
    assert len(rig.clock.sleeps) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(error=requests.ReadTimeout("x")),
        Answer(error=requests.ConnectionError("reset")),
        Answer(504),
        Answer(200, b"<html>"),
        Answer(200, [b'{"id":', urllib3.exceptions.ProtocolError("cut")]),
    ],
    ids=lambda answer: str(answer.error or answer.status),
)
def test_a_create_whose_answer_was_lost_is_never_sent_again_here(rig, answer):
    rig.http.expect("POST", "/query", answer)
    assert rig.fails(CREATE).action is Action.SEND_ONCE_MORE
    assert rig.clock.sleeps == []


@pytest.mark.parametrize(
    "answer", [Answer(503), Answer(error=requests.ConnectTimeout("x"))], ids=["503", "unconnected"]
)
def test_a_create_that_never_took_place_is_sent_again(rig, answer):
    rig.http.expect("POST", "/query", answer).expect("POST", "/query", Answer(200, JOB))
    assert rig.transport.call(CREATE).status == 200


@pytest.mark.parametrize(
    ("status", "code"), [(400, "MALFORMED_QUERY"), (403, "REQUEST_LIMIT_EXCEEDED"), (404, "NOT_FOUND"), (409, "X")]
)
def test_what_a_retry_cannot_help_fails_at_once(rig, status, code):
    rig.info(Answer(status, [{"errorCode": code, "message": "x"}]))
    assert rig.fails(INFO).error_codes == (code,)
    assert rig.clock.sleeps == []


def test_stopping_ends_the_wait_for_a_retry(rig):
    rig.http.expect("GET", "/750x", Answer(503), check=lambda _: setattr(rig.clock, "stopped", True))
    with pytest.raises(Stopped):
        rig.transport.call(INFO)


def test_clean_up_still_gets_its_answer_while_the_run_is_being_stopped(rig):
    rig.clock.stopped = True
    rig.http.expect("DELETE", "/750x", Answer(204))
    assert rig.transport.call(DELETE).status == 204


def test_a_quoted_message_is_redacted(rig):
    rig.info(Answer(400, [{"errorCode": "X", "message": "token S3CRET refused"}]))
    assert "token **** refused" in rig.fails(INFO).summary


# Sessions.


def test_an_ended_session_is_renewed_once_and_the_request_sent_again(rig):
    rig.info(EXPIRED).info(Answer(200, JOB))
    assert rig.transport.call(INFO).status == 200
    assert rig.tokens.refreshed == ["T0"]
    assert [sent.headers["Authorization"] for sent in rig.http.sent] == ["Bearer T0", "Bearer T1"]
    assert rig.clock.sleeps == []


def test_a_session_refused_right_after_its_login_fails_for_good(rig):
    rig.info(EXPIRED).info(EXPIRED)
    failure = rig.fails(INFO)
    assert (failure.kind, failure.action) == (Kind.SESSION_REFUSED, Action.STOP_RUN)
    assert failure.consequence is Consequence.CONFIG
    assert rig.tokens.refreshed == ["T0"]


def test_retries_between_make_a_new_session_no_better(rig):
    rig.info(EXPIRED).info(Answer(503)).info(EXPIRED)
    assert rig.fails(INFO).kind is Kind.SESSION_REFUSED
    assert rig.tokens.refreshed == ["T0"]


def used_up_by_others(rig, sessions: int) -> None:
    """Sessions T1, T2, ... were good for other calls; this one begins with T0."""
    for number in range(1, sessions + 1):
        rig.tokens.generation = number
        rig.info(Answer(200, JOB))
        rig.transport.call(INFO)
    rig.tokens.generation = 0


def test_a_session_that_others_have_used_up_is_renewed_again(rig):
    used_up_by_others(rig, sessions=2)
    rig.info(EXPIRED).info(EXPIRED).info(EXPIRED).info(Answer(200, JOB))
    assert rig.transport.call(INFO).status == 200
    assert rig.tokens.refreshed == ["T0", "T1", "T2"]


def test_sessions_are_not_renewed_for_ever(rig):
    used_up_by_others(rig, sessions=9)
    for _ in range(1 + MAX_LOGINS):
        rig.info(EXPIRED)
    assert rig.fails(INFO).kind is Kind.SESSION_REFUSED
    assert len(rig.tokens.refreshed) == MAX_LOGINS


def test_a_401_that_names_a_policy_is_not_answered_with_a_login(rig):
    rig.info(Answer(401, [{"errorCode": "INVALID_SESSION_ID", "message": "Connected app is not attached to Agent"}]))
    assert rig.fails(INFO).kind is Kind.POLICY_REFUSED
    assert rig.tokens.refreshed == []


def test_a_login_that_failed_is_not_retried_here(rig):
    rig.tokens.failure = Failure.of(Kind.UNAVAILABLE, Operation.TOKEN)
    rig.info(EXPIRED)
    assert rig.fails(INFO).operation is Operation.TOKEN
    assert rig.clock.sleeps == []


# An org that has moved.


MOVED = Answer(302, headers={"Location": "https://acme.my.salesforce.com/moved"})


def was_good_once(rig) -> None:
    rig.info(Answer(200, JOB))
    rig.transport.call(INFO)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_after_good_answers_is_followed_by_one_login_to_where_the_org_is_now(rig, status):
    was_good_once(rig)
    rig.tokens.base_after_refresh = "https://acme.eu50.my.salesforce.com"
    rig.info(Answer(status, headers=dict(MOVED.headers))).info(Answer(200, JOB))
    assert rig.transport.call(INFO).json() == JOB
    assert rig.http.sent[-1].url == f"https://acme.eu50.my.salesforce.com{JOBS}/750x"
    assert rig.tokens.refreshed == ["T0"]
    assert rig.clock.sleeps == []


def test_a_page_is_fetched_from_where_the_org_is_now(rig):
    was_good_once(rig)
    rig.tokens.base_after_refresh = "https://acme.eu50.my.salesforce.com"
    rig.page(MOVED).page(Answer(200, b"Id\n"))
    assert rig.read_page() == [b"Id\n"]
    assert rig.http.sent[-1].url.startswith("https://acme.eu50.my.salesforce.com/")


def test_a_create_that_was_redirected_never_took_place_and_is_sent_to_where_the_org_is_now(rig):
    was_good_once(rig)
    rig.http.expect("POST", "/query", MOVED).expect("POST", "/query", Answer(200, JOB))
    assert rig.transport.call(CREATE).status == 200
    assert rig.tokens.refreshed == ["T0"]


def test_maintenance_that_redirects_costs_one_login_and_ends_as_before(rig):
    was_good_once(rig)
    for _ in range(6):
        rig.info(MOVED)
    failure = rig.fails(INFO)
    assert (failure.kind, failure.action) == (Kind.REDIRECTED, Action.RETRY)
    assert rig.tokens.refreshed == ["T0"]
    for _ in range(5):
        rig.info(MOVED)
    rig.fails(INFO)
    assert rig.tokens.refreshed == ["T0"], "a session that was never good asks for no other"


def test_a_redirect_before_any_answer_is_no_reason_to_log_in(rig):
    rig.info(MOVED).info(Answer(200, JOB))
    rig.transport.call(INFO)
    assert rig.tokens.refreshed == []
    assert rig.clock.sleeps == [1.0]


# Pages.


def test_a_page_comes_in_pieces_as_it_is_on_the_wire(rig):
    gzipped = b"\x1f\x8b not decoded here"
    rig.page(Answer(200, [gzipped[:3], gzipped[3:]], headers={"Content-Encoding": "gzip", "Sforce-Locator": "null"}))
    with rig.transport.open(RESULTS) as body:
        assert (body.status, body.headers["sforce-locator"]) == (200, "null")
        assert list(body.chunks(5)) == [gzipped[:3], gzipped[3:8], gzipped[8:13], gzipped[13:18], gzipped[18:]]


@pytest.mark.parametrize(
    "error",
    [
        urllib3.exceptions.ProtocolError("Connection broken: IncompleteRead(905 bytes read, 119 more expected)"),
        urllib3.exceptions.ReadTimeoutError(None, "/x", "Read timed out."),  # type: ignore[arg-type]
        urllib3.exceptions.IncompleteRead(1, 2),
        requests.exceptions.ChunkedEncodingError("x"),
        requests.ConnectionError("Read timed out."),
        ConnectionResetError(104, "Connection reset by peer"),
        ValueError("I/O operation on closed file."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_page_that_breaks_off_says_so_and_is_not_retried_here(rig, error):
    rig.page(Answer(200, [b"Id\n", error]))
    failure = rig.fails_in_page()
    assert (failure.kind, failure.action) == (Kind.BODY_BROKEN, Action.FETCH_PAGE_AGAIN)
    assert rig.clock.sleeps == []


def test_fewer_bytes_than_announced_are_a_broken_page(rig):
    rig.page(Answer(200, b"Id\n1\n", headers={"Content-Length": "6"}))
    assert "5 of 6 bytes came" in rig.fails_in_page().summary


@pytest.mark.parametrize("length", ["5", "junk", "-1", ""])
def test_as_many_bytes_as_announced_or_an_unreadable_announcement_are_fine(rig, length):
    rig.page(Answer(200, b"Id\n1\n", headers={"Content-Length": length}))
    assert b"".join(rig.read_page()) == b"Id\n1\n"


def test_stopping_ends_a_page_between_two_pieces(rig):
    rig.page(Answer(200, [b"a", b"b"]))
    with rig.transport.open(RESULTS) as body:
        pieces = body.chunks(1)
        assert next(pieces) == b"a"
        rig.clock.stopped = True
        with pytest.raises(Stopped):
            next(pieces)


@pytest.mark.parametrize(
    ("answer", "action"),
    [
        (Answer(204), Action.NOT_READY),
        (Answer(412), Action.NOT_READY),
        (Answer(404), Action.NEW_JOB),
        (Answer(409), Action.NEW_JOB),
        (Answer(400, [{"errorCode": "INVALID_QUERY_LOCATOR"}]), Action.NEW_JOB),
        (Answer(200, b"<html>", headers={"Content-Type": "text/html"}), Action.FETCH_PAGE_AGAIN),
    ],
    ids=["204", "412", "404", "409", "locator", "html"],
)
def test_a_page_that_cannot_begin_fails_before_anything_is_read(rig, answer, action):
    rig.page(answer)
    with pytest.raises(SalesforceError) as raised:
        rig.transport.open(RESULTS)
    assert raised.value.failure.action is action
    assert [status for _, status, *_ in rig.watcher.answers] == [answer.status]


def test_trouble_before_a_page_began_is_retried_here(rig):
    rig.page(Answer(406)).page(Answer(error=requests.ReadTimeout("x"))).page(EXPIRED).page(Answer(200, b"Id\n"))
    assert rig.read_page() == [b"Id\n"]
    assert rig.clock.sleeps == [1.0, 2.0]


def test_no_more_of_an_error_than_needed_is_read(rig):
    rest = [b"x" * 1000] * 10_000
    rig.page(Answer(400, [b'[{"errorCode":"INVALID_QUERY_LOCATOR"}', *rest]))
    with pytest.raises(SalesforceError, match="INVALID_QUERY_LOCATOR"):
        rig.transport.open(RESULTS)
    assert rig.watcher.answers[0][3] < 70_000


# What is told and remembered.


def test_every_attempt_is_reported_once_with_size_and_usage(rig):
    usage = {"Sforce-Limit-Info": "api-usage=18/5000"}
    rig.info(Answer(503, b"busy", headers=usage)).info(Answer(error=requests.ReadTimeout("x")))
    rig.info(Answer(200, b'{"id":"x"}', headers=usage))
    rig.transport.call(INFO)
    assert rig.watcher.answers == [
        (Operation.JOB_INFO, 503, 0.0, 4, ApiUsage(18, 5000)),
        (Operation.JOB_INFO, None, 0.0, 0, None),
        (Operation.JOB_INFO, 200, 0.0, 10, ApiUsage(18, 5000)),
    ]


def test_a_page_is_reported_when_its_body_is_over(rig):
    rig.page(Answer(200, [b"Id\n", lambda: rig.clock.advance(3)]))
    with rig.transport.open(RESULTS) as body:
        list(body.chunks(10))
        assert rig.watcher.answers == []
    body.close()
    assert rig.watcher.answers == [(Operation.RESULTS, 200, 3.0, 3, None)]


def test_the_dates_of_the_orgs_answers_are_remembered(rig):
    dates = ["Mon, 23 Nov 2026 02:00:05 GMT", "Mon, 23 Nov 2026 02:00:04 GMT", "nonsense"]
    assert rig.transport.org_clock == OrgClock()
    for date in dates:
        rig.info(Answer(200, JOB, headers={"Date": date}))
        rig.transport.call(INFO)
    assert rig.transport.org_clock.recent[-1].date == datetime(2026, 11, 23, 2, 0, 4, tzinfo=UTC)


def test_the_date_of_an_error_may_come_from_a_proxy_and_does_not_count(rig):
    rig.info(Answer(418, headers={"Date": "Mon, 23 Nov 2026 02:00:05 GMT"}))
    rig.fails(INFO)
    assert rig.transport.org_clock == OrgClock()


def test_the_date_counts_as_soon_as_the_headers_are_in(rig):
    rig.page(Answer(200, b"", headers={"Date": "Mon, 23 Nov 2026 02:00:05 GMT"}))
    with rig.transport.open(RESULTS) as body:
        assert rig.transport.org_clock.recent[-1].date == body.date == datetime(2026, 11, 23, 2, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize("minutes", [3, 50, 600])
def test_servers_that_disagree_about_the_time_are_reported_once_with_both_addresses(rig, caplog, minutes):
    late = datetime(2026, 11, 23, 2, 0, 5, tzinfo=UTC) + timedelta(minutes=minutes)
    dates = ["Mon, 23 Nov 2026 02:00:05 GMT", format_datetime(late, usegmt=True), "Mon, 23 Nov 2026 02:00:05 GMT"]
    for date in dates:
        rig.info(Answer(200, JOB, headers={"Date": date}))
        rig.transport.call(INFO)
    (warning,) = [record.getMessage() for record in caplog.records if "disagree" in record.getMessage()]
    assert warning.count("https://acme.my.salesforce.com/services/data/v66.0/jobs/query/750x") == 2


def test_servers_that_are_a_minute_apart_are_not_reported(rig, caplog):
    for date in ("Mon, 23 Nov 2026 02:00:05 GMT", "Mon, 23 Nov 2026 02:01:05 GMT"):
        rig.info(Answer(200, JOB, headers={"Date": date}))
        rig.transport.call(INFO)
    assert not [record for record in caplog.records if "disagree" in record.getMessage()]


def test_many_threads_may_call_at_once():
    rig = Rig()
    for _ in range(8):
        rig.info(Answer(200, JOB))
    threads = [threading.Thread(target=rig.transport.call, args=(INFO,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rig.watcher.answers) == 8


@pytest.mark.parametrize(
    ("header", "usage"),
    [
        ("api-usage=18/5000", ApiUsage(18, 5000)),
        ("api-usage=18/5000; per-app-api-usage=17/250(appName=sample)", ApiUsage(18, 5000)),
        ("per-app-api-usage=17/250(appName=sample), api-usage=18/5000", ApiUsage(18, 5000)),
        ("per-app-api-usage=17/250(appName=sample)", None),
        ("api-usage=many/5000", None),
        ("", None),
    ],
)
def test_the_orgs_usage_is_told_from_one_apps(header, usage):
    assert parse_limit_info({"sforce-limit-info": header}) == usage
