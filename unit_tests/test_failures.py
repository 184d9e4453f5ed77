from __future__ import annotations

import errno
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.salesforce import failures
from source_salesforce_bulk.salesforce.asked import NOT_KNOWN, Asked, Flow
from source_salesforce_bulk.salesforce.bulk_api import JobState
from source_salesforce_bulk.salesforce.failure_evidence import Evidence
from source_salesforce_bulk.salesforce.failure_meanings import MEANINGS
from source_salesforce_bulk.salesforce.failure_table import ROWS
from source_salesforce_bulk.salesforce.failures import (
    Action,
    Consequence,
    Failure,
    Kind,
    SalesforceError,
    classify_job_state,
    classify_response,
    page_not_kept,
    page_rejected,
    unreadable_answer,
)
from source_salesforce_bulk.salesforce.refusals import read_refusal
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery, build_soql
from source_salesforce_bulk.salesforce.wire import ApiResponse, Operation

SAMPLES = Path(__file__).parent / "samples" / "failures"
INDEX = json.loads((SAMPLES / "index.json").read_text())


def as_it_is(text: str) -> str:
    return text


def sample_response(sample: dict) -> ApiResponse:
    body = (SAMPLES / sample["body"]).read_bytes() if sample["body"] else b""
    return ApiResponse(sample["status"], sample["headers"], body)


def asked_in(sample: dict) -> Asked:
    """The question that a sample answers, as a read asks it: the cursor's window, and the user's own filter."""
    told = sample.get("asked", {})
    sent_at = datetime.fromisoformat(told["sent_at"]) if "sent_at" in told else None
    flow = Flow(told["flow"]) if "flow" in told else None
    if "object" not in told:
        return Asked(flow=flow, sent_at=sent_at)
    return about(told["object"], told["fields"], told.get("cursor"), told.get("where"))


def about(name: str, fields: Sequence[str], cursor: str | None = None, where: str | None = None) -> Asked:
    """A read of an object since a day, by its cursor."""
    query = ObjectQuery(name, tuple(fields), "queryAll", cursor_field=cursor, where=where)
    return Asked(query, build_soql(query, Bounds(datetime(2017, 1, 1, tzinfo=UTC), None, None, None)))


def classified(
    operation: Operation,
    status: int,
    body: object = b"",
    headers: dict | None = None,
    redact=as_it_is,
    asked: Asked = NOT_KNOWN,
) -> Failure:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    failure = classify_response(operation, ApiResponse(status, headers or {}, encoded), redact, asked)
    assert failure is not None
    return failure


def error(code: str, message: str = "") -> list[dict[str, str]]:
    return [{"errorCode": code, "message": message}]


# The table.


@pytest.mark.parametrize("sample", INDEX, ids=lambda sample: sample["body"] or sample["row"])
def test_every_recorded_answer_gets_its_meaning_from_its_row(sample):
    operation, response = Operation[sample["operation"]], sample_response(sample)
    asked = asked_in(sample)
    failure = classify_response(operation, response, as_it_is, asked)
    assert failure is not None
    assert row_of(operation, response, asked) == sample["row"]
    assert (failure.kind.name, failure.action.name, failure.consequence.name) == (
        sample["kind"],
        sample["action"],
        sample["consequence"],
    )
    assert (failure.operation, failure.status) == (operation, sample["status"])


def row_of(operation: Operation, response: ApiResponse, asked: Asked) -> str:
    errors = failures._errors_in(operation, response)
    known = read_refusal(errors.text, asked).facts
    known |= failures._login_facts(asked, response)
    return failures._row_for(operation, response.status, errors, known).name


# Rows that rest on words alone, and what the same answer ends as where its words cannot be read: Salesforce tells these
# things apart by nothing else. The message still contains Salesforce's own words.
ONLY_WORDS = {
    "wrong audience": "CREDENTIALS_REFUSED",
    "wrong domain for the grant": "CREDENTIALS_REFUSED",
    "address not on the app's list": "CREDENTIALS_REFUSED",
    "assertion from a foreign address": "CREDENTIALS_REFUSED",
    "login from a foreign address": "CREDENTIALS_REFUSED",
    "too many logins": "CREDENTIALS_REFUSED",
    "login collision": "CREDENTIALS_REFUSED",
    "app not installed, says so": "CREDENTIALS_REFUSED",
    "assertion out of date, says so": "CREDENTIALS_REFUSED",
    "app not approved for the user": "CREDENTIALS_REFUSED",
    "org not active": "CREDENTIALS_REFUSED",
    "user not active": "CREDENTIALS_REFUSED",
    # A new login is tried, and then the session is refused for good.
    "policy refuses the session": "SESSION_EXPIRED",
    "too many at once": "API_CALLS_EXHAUSTED",
    "result volume used up": "LIMIT_EXHAUSTED",
    "query jobs used up": "LIMIT_EXHAUSTED",
    # Here the question is not known; where it is, names and facts do.
    "too many parents to check, says so": "QUERY_TOO_LARGE",
    "filter required, says so": "INVALID_SOQL OBJECT_NOT_SUPPORTED",
    "filter refused, says so": "FIELD_GONE",
    "field twice, says so": "FIELD_GONE",
    "object not queryable, says so": "QUERY_REFUSED",
    "view all data required": "QUERY_REFUSED",
    "implementation restricted": "QUERY_REFUSED",
}
WORD = re.compile(r"\w[\w.]*(?:'\w+)?")


def translated(text: str, names: frozenset[str]) -> str:
    """Return the text in an invented language: names, numbers, and text in quotes or brackets stay the same."""

    def other(word: re.Match[str]) -> str:
        kept = word[0] in names or any(char.isdigit() or char == "_" for char in word[0])
        return word[0] if kept else "".join(reversed("ねかたらてにをはもえ"[: len(word[0]) % 9 + 1]))

    return WORD.sub(other, text)


def in_another_language(sample: dict) -> bytes | None:
    """A sample's body with its words translated; None where it has none."""
    body = json.loads((SAMPLES / sample["body"]).read_bytes()) if (sample["body"] or "").endswith(".json") else None
    entry = body[0] if isinstance(body, list) and body else body
    key = next((key for key in ("message", "error_description") if isinstance(entry, dict) and key in entry), None)
    if entry is None or key is None:
        return None
    told = sample.get("asked", {})
    names = frozenset({told.get("object", ""), *told.get("fields", ()), *WORD.findall(told.get("where", ""))})
    entry[key] = translated(entry[key], names)
    return json.dumps(body).encode()


@pytest.mark.parametrize("sample", INDEX, ids=lambda sample: sample["body"] or sample["row"])
def test_the_same_answer_in_another_language_ends_the_same_way(sample):
    body = in_another_language(sample)
    if body is None:
        body = (SAMPLES / sample["body"]).read_bytes() if sample["body"] else b""
    response = ApiResponse(sample["status"], sample["headers"], body)
    failure = classify_response(Operation[sample["operation"]], response, as_it_is, asked_in(sample))
    assert failure is not None
    assert failure.kind.name in [*ONLY_WORDS.get(sample["row"], "").split(), sample["kind"]]


def test_every_row_has_a_sample_and_every_sample_a_file():
    assert {row.name for row in ROWS} == {sample["row"] for sample in INDEX}
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert {sample["body"] for sample in INDEX if sample["body"]} == {
        path.name for path in SAMPLES.iterdir() if path.name != "index.json"
    }


def test_every_kind_has_a_meaning_whose_sentences_are_sentences():
    assert set(MEANINGS) == set(Kind)
    for kind, meaning in MEANINGS.items():
        assert not meaning.what.endswith("."), kind
        assert meaning.guidance.endswith("."), kind
    for row in ROWS:
        assert row.guidance is None or row.guidance.endswith("."), row.name


def test_the_last_row_takes_everything():
    assert ROWS[-1].fits(Evidence(Operation.QUERY, None, frozenset(), ""))


@pytest.mark.parametrize("operation", [op for op in Operation if op is not Operation.TOKEN])
@pytest.mark.parametrize(
    "text", ["Connected app is not attached to Agent", "This session is not valid for use with the REST API"]
)
def test_a_401_that_names_a_policy_never_starts_a_refresh(operation, text):
    for body in (error("INVALID_SESSION_ID", text), error("ANYTHING", text)):
        assert classified(operation, 401, body).action is Action.STOP_RUN


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 503])
def test_a_login_never_asks_for_another_login(status):
    for body in (error("INVALID_SESSION_ID"), b"", {"error": "invalid_grant"}):
        assert classified(Operation.TOKEN, status, body).action is not Action.REFRESH_TOKEN


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("REQUEST_LIMIT_EXCEEDED", Kind.API_CALLS_EXHAUSTED),
        ("API_CURRENTLY_DISABLED", Kind.API_DISABLED),
        ("some_new_code", Kind.CREDENTIALS_REFUSED),
    ],
)
def test_a_login_is_refused_for_what_its_code_says(code, kind):
    assert classified(Operation.TOKEN, 403, error(code)).kind is kind


def test_only_a_create_is_sent_once_more_and_only_a_page_fetched_again():
    for operation in Operation:
        for status in (200, 206, 302, 400, 404, 408, 409, 418, 429, 500, 503, 504):
            failure = classify_response(operation, ApiResponse(status, {}, b"<p>?</p>"), as_it_is)
            if failure is not None and failure.action is Action.SEND_ONCE_MORE:
                assert operation is Operation.CREATE_JOB
            if failure is not None and failure.action is Action.FETCH_PAGE_AGAIN:
                assert operation is Operation.RESULTS


@pytest.mark.parametrize("status", [500, 504])
def test_a_create_that_ends_in_a_server_error_is_in_doubt_unless_the_error_says_what_happened(status):
    assert classified(Operation.CREATE_JOB, status).action is Action.SEND_ONCE_MORE
    assert classified(Operation.CREATE_JOB, status, error("UNKNOWN_EXCEPTION")).action is Action.RETRY


@pytest.mark.parametrize("status", [406, 420, 429, 502, 503])
def test_a_create_that_salesforce_never_took_up_is_sent_again(status):
    assert classified(Operation.CREATE_JOB, status, b"<html>Edge</html>").action is Action.RETRY


# Successes.


@pytest.mark.parametrize(
    ("operation", "status", "body"),
    [
        (Operation.TOKEN, 200, b'{"access_token": "00Dx"}'),
        (Operation.VERSIONS, 200, b"[]"),
        (Operation.SOBJECTS, 200, b"{}"),
        (Operation.DESCRIBE, 200, b"{}"),
        (Operation.DESCRIBE, 304, b""),
        (Operation.QUERY, 200, b'{"records": []}'),
        (Operation.CREATE_JOB, 200, b'{"id": "750x"}'),
        (Operation.CREATE_JOB, 201, b'{"id": "750x"}'),
        (Operation.JOB_INFO, 200, b"{}"),
        (Operation.RESULTS, 200, b""),
        (Operation.RESULTS, 200, b'"Id"\n'),
        (Operation.RESULT_PAGES, 200, b"{}"),
        (Operation.BLOB, 200, b"<html>a file may be a page</html>"),
        (Operation.ABORT_JOB, 200, b"{}"),
        (Operation.DELETE_JOB, 204, b""),
        (Operation.DELETE_JOB, 200, b"<p>gone</p>"),
    ],
)
def test_the_success_an_operation_expects_is_no_failure(operation, status, body):
    assert classify_response(operation, ApiResponse(status, {}, body), as_it_is) is None


def test_a_success_is_never_quoted():
    for operation in Operation:
        for body in (b'{"access_token":"00Dsecret', b'[{"message":"00Dsecret","errorCode":"X"}]', b"00Dsecret"):
            for status in (200, 206):
                failure = classify_response(operation, ApiResponse(status, {}, body), as_it_is)
                assert failure is None or "00Dsecret" not in str(SalesforceError(failure))


# What a message shows.


def test_a_summary_names_operation_status_and_code_and_quotes_salesforce():
    failure = classified(Operation.CREATE_JOB, 400, error("INVALIDENTITY", "Entity 'X' is not supported."))
    assert failure.summary == (
        "Bulk API 2.0 does not support querying this object "
        "(create job, HTTP 400, INVALIDENTITY): Entity 'X' is not supported."
    )
    assert str(SalesforceError(failure)) == f"{failure.summary} Leave the object out with exclude_objects."


def test_a_quoted_message_is_one_line_of_at_most_300_characters():
    message = "a\r\n\tb\x00\x1b[31m\u2028\u202e\ud800" + "x" * 1000
    quoted = classified(Operation.CREATE_JOB, 400, error("MALFORMED_QUERY", message)).summary.split("): ")[1]
    assert quoted.startswith("a b [31m \ufffdxxx")
    assert quoted.isprintable()
    assert len(quoted) == 300


def test_a_message_is_redacted_before_it_is_cut():
    secret = "s" * 100
    body = error("MALFORMED_QUERY", "y" * 250 + secret)
    failure = classified(Operation.QUERY, 400, body, redact=lambda text: text.replace(secret, "****"))
    assert "ss" not in failure.summary.split("): ")[1]


def test_a_secret_broken_over_lines_is_redacted_too():
    body = error("MALFORMED_QUERY", "the key\nis here")
    failure = classified(Operation.QUERY, 400, body, redact=lambda text: text.replace("key is", "****"))
    assert failure.summary.endswith("the **** here.")


@pytest.mark.parametrize("key", ["errorCode", "error", "exceptionCode"])
def test_a_secret_in_the_place_of_a_code_is_not_shown(key):
    failure = classified(
        Operation.QUERY,
        400,
        {key: "00Dsecret", "message": "m"},
        {"x-sfdc-request-id": "00Dsecret"},
        redact=lambda text: text.replace("secret", "****"),
    )
    assert "secret" not in str(failure)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("7c9e6679-7425-40de", ", request id 7c9e6679-7425-40de)"),
        ("TID:33102.58:a_b", ", request id TID:33102.58:a_b)"),
        ("", "INVALIDENTITY)"),
        ("\x1b[31m", "INVALIDENTITY)"),
        ("a" * 81, "INVALIDENTITY)"),
    ],
)
def test_salesforces_request_id_is_in_the_message_where_it_is_one(sent, shown):
    failure = classified(Operation.CREATE_JOB, 400, error("INVALIDENTITY"), {"x-sfdc-request-id": sent})
    assert shown in failure.summary


def test_markup_is_quoted_without_its_tags():
    failure = classified(Operation.QUERY, 431, b"<h1>Bad Message 431</h1><pre>reason: Fields &gt; 8 kB</pre>")
    assert failure.summary.endswith("Bad Message 431 reason: Fields > 8 kB.")


def test_the_words_of_a_results_answer_are_never_shown():
    failure = classified(Operation.RESULTS, 400, error("INVALID_QUERY_LOCATOR", "row of Jane Doe"))
    assert "Jane" not in str(SalesforceError(failure))
    assert failure.error_codes == ("INVALID_QUERY_LOCATOR",)


def test_of_a_redirect_only_the_host_is_shown():
    headers = {"location": "https://acme.my.salesforce.com/secur/frontdoor.jsp?sid=00Dsecret"}
    failure = classified(Operation.QUERY, 302, headers=headers)
    assert failure.summary.endswith("acme.my.salesforce.com.")


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (b'[{"errorCode":"A"},{"errorCode":"B_C"},{"errorCode":"A"}]', ("A", "B_C")),
        (b'{"error":"invalid_grant","error_description":"x"}', ("invalid_grant",)),
        (b'{"exceptionCode":"InvalidJob","exceptionMessage":"x"}', ("InvalidJob",)),
        (b'[{"errorCode":"CUT_OFF","mess', ("CUT_OFF",)),
        (b"<error><exceptionCode>InvalidUrl</exceptionCode></error>", ("InvalidUrl",)),
        (b'[{"errorCode":"no code, but words"}]', ()),
        (b'[{"errorCode":7}]', ()),
        (b"[{}]", ()),
        (b"[]", ()),
        (b"", ()),
        (b"null", ()),
        (b"[" * 100_000, ()),
        (b"\xff\xfe", ()),
    ],
)
def test_error_codes_are_read_from_bodies_of_any_shape(body, codes):
    assert classified(Operation.JOB_INFO, 418, body).error_codes == codes


def test_retry_after_counts_from_the_answers_own_date():
    headers = {"retry-after": "Mon, 23 Nov 2026 02:00:09 GMT", "date": "Mon, 23 Nov 2026 02:00:00 GMT"}
    assert classified(Operation.QUERY, 503, headers=headers).retry_after == 9.0


# Total.

BODIES = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none()
        | st.booleans()
        | st.floats()
        | st.text(max_size=20)
        | st.sampled_from(["invalid_grant", "API_ERROR"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["errorCode", "message", "error", "id", "exceptionCode"]), inner, max_size=4
            )
        ),
    ).map(lambda value: json.dumps(value).encode()),
)
HEADERS = st.dictionaries(
    st.sampled_from(["location", "retry-after", "date", "content-type", "sforce-limit-info"]), st.text(max_size=40)
)


@given(st.sampled_from(Operation), st.integers(-1, 1000), HEADERS, BODIES)
def test_every_answer_has_a_meaning(operation, status, headers, body):
    failure = classify_response(operation, ApiResponse(status, headers, body), as_it_is)
    if failure is None:
        assert 200 <= status < 300 or status == 304
    else:
        assert_presentable(failure)


@given(st.sampled_from(JobState), st.none() | st.text(max_size=100))
def test_every_job_state_has_a_meaning(state, message):
    failure = classify_job_state(state, message)
    assert (failure is None) == (state not in {JobState.FAILED, JobState.ABORTED})
    assert failure is None or assert_presentable(failure)


def assert_presentable(failure: Failure) -> bool:
    assert failure.summary.isprintable()
    assert failure.summary.endswith((".", "…", "!", "?"))
    assert len(failure.summary) < 800
    assert failure.guidance
    return True


# Jobs.


@pytest.mark.parametrize(
    ("state", "message", "kind", "action"),
    [
        (JobState.FAILED, None, Kind.JOB_FAILED, Action.NEW_JOB),
        (
            JobState.FAILED,
            "Unexpected exception encountered in query processing. Please contact support with the following id: 12",
            Kind.JOB_FAILED,
            Action.NEW_JOB,
        ),
        (JobState.FAILED, "InternalServerError : Retried more than 15 times", Kind.QUERY_TIMEOUT, Action.SPLIT),
        (JobState.FAILED, "InvalidBatch : Failed to write query result", Kind.QUERY_TIMEOUT, Action.SPLIT),
        (
            JobState.FAILED,
            "InvalidBatch : Failed to process query: QUERY_TIMEOUT: Your query request was running for too long.",
            Kind.QUERY_TIMEOUT,
            Action.SPLIT,
        ),
        (
            JobState.FAILED,
            "InvalidBatch : Failed to process query: INVALID_FIELD: No such column 'X' on entity 'Y'",
            Kind.FIELD_GONE,
            Action.FAIL_STREAM,
        ),
        (JobState.FAILED, "InvalidBatch : Field name not found : X", Kind.FIELD_GONE, Action.FAIL_STREAM),
        (
            JobState.FAILED,
            "FeatureNotEnabled : Cannot serialize value for 'F' in CSV format",
            Kind.FIELD_NOT_SUPPORTED,
            Action.FAIL_STREAM,
        ),
        (JobState.FAILED, "UNKNOWN_EXCEPTION: try again", Kind.JOB_FAILED, Action.NEW_JOB),
        (JobState.FAILED, "INVALID_SESSION_ID: gone", Kind.JOB_FAILED, Action.NEW_JOB),
        (JobState.FAILED, "LIMIT_EXCEEDED: too much", Kind.LIMIT_EXHAUSTED, Action.STOP_RUN),
        (JobState.ABORTED, None, Kind.JOB_ABORTED, Action.NEW_JOB),
    ],
)
def test_a_jobs_last_word_decides_what_happens_to_its_query(state, message, kind, action):
    failure = classify_job_state(state, message)
    assert failure is not None
    assert (failure.kind, failure.action) == (kind, action)
    assert message is None or message[:40].split(":")[0] in failure.summary


# Failures made by other modules.

CREATE, RESULTS = Operation.CREATE_JOB, Operation.RESULTS


def test_a_rejected_page_is_fetched_again_unless_the_caller_has_given_up():
    assert page_rejected("3 rows, not 4").action is Action.FETCH_PAGE_AGAIN
    assert "3 rows, not 4." in page_rejected("3 rows, not 4").summary
    assert page_rejected("x", action=Action.NEW_JOB).action is Action.NEW_JOB


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, Kind.NO_DISK_SPACE),
        (errno.EDQUOT, Kind.NO_DISK_SPACE),
        (errno.EACCES, Kind.DISK_ERROR),
        (errno.EROFS, Kind.DISK_ERROR),
        (errno.EIO, Kind.DISK_ERROR),
        (errno.EMFILE, Kind.TOO_MANY_FILES),
        (errno.ENFILE, Kind.TOO_MANY_FILES),
    ],
)
def test_a_full_disk_and_too_many_open_files_are_called_by_their_names(number, kind):
    failure = page_not_kept(OSError(number, "the reason", "/the/path"))
    assert (failure.kind, failure.action) == (kind, Action.STOP_RUN)
    assert "the reason." in failure.summary


@pytest.mark.parametrize(
    ("operation", "action"),
    [(CREATE, Action.SEND_ONCE_MORE), (RESULTS, Action.FETCH_PAGE_AGAIN), (Operation.JOB_INFO, Action.RETRY)],
)
def test_an_unreadable_success_means_what_it_means_for_the_operation(operation, action):
    assert unreadable_answer(operation, ApiResponse(200, {}, b"")).action is action


def test_quota_stops_are_transient_and_credentials_are_the_users():
    exhausted = (
        Kind.API_CALLS_EXHAUSTED,
        Kind.QUERY_JOBS_EXHAUSTED,
        Kind.RESULT_VOLUME_EXHAUSTED,
        Kind.LIMIT_EXHAUSTED,
    )
    assert {MEANINGS[kind].consequence for kind in exhausted} == {Consequence.TRANSIENT}
    assert {MEANINGS[kind].action for kind in exhausted} == {Action.STOP_RUN}
    assert MEANINGS[Kind.CREDENTIALS_REFUSED].consequence is Consequence.CONFIG


def test_an_org_without_calls_says_how_many_it_has_used():
    body = b'[{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]'
    told = ApiResponse(403, {"sforce-limit-info": "api-usage=15000/15000"}, body)
    failure = classify_response(Operation.CREATE_JOB, told, str)
    assert failure is not None
    assert "TotalRequests Limit exceeded (15,000 of 15,000 are used)." in failure.summary
    silent = classify_response(Operation.CREATE_JOB, ApiResponse(403, {}, body), str)
    assert silent is not None
    assert silent.summary.endswith("TotalRequests Limit exceeded.")
