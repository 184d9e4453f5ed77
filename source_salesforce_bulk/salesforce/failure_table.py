"""The table that maps responses to kinds of failure. The first row that fits decides.

The order of the rows matters. Rows test operation, code, status and the request; the text of a message comes last,
because its language is the login user's. The text decides only if Salesforce uses one code for several errors that
cannot be distinguished otherwise. There is one deliberate exception, the first of the data rows: a 401 whose text
names a policy must never start a refresh loop, whatever its code (jsforce pull request 1774).

Each row has a recorded sample in ``unit_tests/samples/failures``, which is also tested with its text scrambled.
"""

from __future__ import annotations

import re

from source_salesforce_bulk.salesforce.failure_evidence import Fact, Row, codes, facts, statuses, text
from source_salesforce_bulk.salesforce.failure_kinds import Action, Kind
from source_salesforce_bulk.salesforce.login_failures import LOGIN_REFUSED, LOGIN_ROWS
from source_salesforce_bulk.salesforce.wire import Operation

_TOKEN = frozenset({Operation.TOKEN})
_DATA = frozenset(Operation) - _TOKEN
_CREATE = frozenset({Operation.CREATE_JOB})
_QUERYING = frozenset({Operation.CREATE_JOB, Operation.QUERY})
_PAGES = frozenset({Operation.RESULTS, Operation.RESULT_PAGES})
_JOB = _PAGES | {Operation.JOB_INFO}
_CLEAN_UP = frozenset({Operation.ABORT_JOB, Operation.DELETE_JOB})

_SUCCESS = frozenset(range(200, 300))
_REDIRECT = frozenset(range(300, 400))
_SERVER_ERROR = frozenset(range(500, 600)) | {408}
_BAD_REQUEST = statuses(400, None)

# Codes with which Salesforce reports that a filter is required.
_WANTING = (
    "MALFORMED_QUERY EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION EXTERNAL_OBJECT_EXCEPTION API_ERROR "
    "BIG_OBJECT_UNSUPPORTED_OPERATION INVALID_QUERY_FILTER_OPERATOR"
)

_VIEW_ALL = (
    "Give the integration user View All Data in a profile or permission set (Setup > Permission Sets > System "
    "Permissions), or {leave_out}."
)

_SESSION = (
    Row(
        "policy refuses the session",
        Kind.POLICY_REFUSED,
        statuses=statuses(401, 403),
        text=text(r"app is not attached to agent|session is not valid for use with the rest api"),
    ),
    Row(
        "session expired",
        Kind.SESSION_EXPIRED,
        _DATA,
        codes=codes("INVALID_SESSION_ID INVALID_AUTH_HEADER INVALID_JWT_FORMAT"),
    ),
    Row("unauthorized", Kind.SESSION_EXPIRED, statuses=statuses(401)),
)

_ACCESS = (
    Row(
        "password expired",
        Kind.CREDENTIALS_REFUSED,
        codes=codes("INVALID_OPERATION_WITH_EXPIRED_PASSWORD"),
        guidance="Set a new password for the integration user (Setup > Users), and let it never expire.",
    ),
    Row(
        "API not for this user",
        Kind.API_DISABLED,
        codes=codes("API_CURRENTLY_DISABLED"),
        guidance="Tick API Enabled under System Permissions of the user's profile or permission set (Setup > "
        "Permission Sets); if it is ticked, see that no API Access Control policy of the org keeps the app out.",
    ),
    Row("API not in this org", Kind.API_DISABLED, codes=codes("API_DISABLED_FOR_ORG")),
)

_QUOTA = (
    Row(
        "too many at once",
        Kind.CONCURRENT_LIMIT,
        codes=codes("REQUEST_LIMIT_EXCEEDED"),
        text=text(r"concurrent"),
    ),
    Row("slow down, says so", Kind.CONCURRENT_LIMIT, codes=codes("REQUEST_LIMIT_EXCEEDED"), statuses=statuses(429)),
    Row("API calls used up", Kind.API_CALLS_EXHAUSTED, codes=codes("REQUEST_LIMIT_EXCEEDED")),
    Row("result volume used up", Kind.RESULT_VOLUME_EXHAUSTED, text=text(r"query result size stored")),
    Row("query jobs used up", Kind.QUERY_JOBS_EXHAUSTED, text=text(r"query jobs \(\d+\) per 24")),
    Row("other limit used up", Kind.LIMIT_EXHAUSTED, codes=codes("LIMIT_EXCEEDED EXCEEDED_QUOTA")),
)

_CODES = (
    Row("unsupported version", Kind.VERSION_UNKNOWN, codes=codes("UNSUPPORTED_API_VERSION")),
    Row(
        "in trouble, says so",
        Kind.UNAVAILABLE,
        codes=codes(
            "UNABLE_TO_LOCK_ROW SERVER_UNAVAILABLE UNKNOWN_EXCEPTION UNKNOWN_ERROR INTERNAL_SERVER_ERROR "
            "TOO_MANY_LOCK_FAILURE"
        ),
    ),
    Row(
        "transaction security",
        Kind.TRANSACTION_SECURITY,
        codes=codes("TXN_SECURITY_METERING_ERROR TXN_SECURITY_NO_ACCESS TXN_SECURITY_RUNTIME_EXCEPTION"),
    ),
    Row("query timeout", Kind.QUERY_TIMEOUT, codes=codes("QUERY_TIMEOUT REQUEST_RUNNING_TOO_LONG")),
    Row("query too complicated", Kind.QUERY_TOO_LARGE, codes=codes("QUERY_TOO_COMPLICATED")),
    # Task and Event without View All: the sharing check counts parents, and even a small window has many (singer #98).
    Row(
        "too many parents to check",
        Kind.MISSING_PERMISSION,
        codes=codes("OPERATION_TOO_LARGE"),
        facts=facts(Fact.SHARED_BY_PARENTS),
        guidance=_VIEW_ALL,
    ),
    Row(
        "too many parents to check, says so",
        Kind.MISSING_PERMISSION,
        codes=codes("OPERATION_TOO_LARGE"),
        text=text(r"who/what"),
        guidance=_VIEW_ALL,
    ),
    Row("operation too large", Kind.QUERY_TOO_LARGE, codes=codes("OPERATION_TOO_LARGE EXCEEDED_ID_LIMIT")),
)

_QUERY = (
    # Filters. A statement without user input is well formed: if it is refused, a filter is missing.
    Row(
        "where refused",
        Kind.INVALID_SOQL,
        codes=codes("INVALID_FIELD MALFORMED_QUERY INVALID_QUERY_FILTER_OPERATOR"),
        facts=facts(Fact.NAMES_WHERE),
        guidance="Correct the `where` that object_overrides gives this object: {field} in it does not exist, is hidden "
        "from the integration user, or cannot be filtered by in this way.",
    ),
    Row(
        "cursor refused",
        Kind.CURSOR_NOT_FILTERABLE,
        codes=codes("INVALID_FIELD MALFORMED_QUERY INVALID_QUERY_FILTER_OPERATOR"),
        facts=facts(Fact.NAMES_CURSOR),
    ),
    Row(
        "filter required, on other fields",
        Kind.FILTER_REQUIRED,
        codes=codes(_WANTING),
        facts=facts(Fact.WANTS_FILTER, Fact.FILTERED),
        guidance="Change the object's `where` in object_overrides so that it filters on the fields that Salesforce's "
        "message names (by one value, or with IN), or {leave_out}.",
    ),
    Row(
        "filter required",
        Kind.FILTER_REQUIRED,
        codes=codes(_WANTING),
        facts=facts(Fact.WANTS_FILTER),
    ),
    Row(
        "filter required, for no field is named",
        Kind.FILTER_REQUIRED,
        codes=codes("INVALID_FIELD"),
        facts=facts(Fact.WANTS_FILTER),
        but_not=facts(Fact.POINTS_AT_FIELD),
    ),
    Row(
        "filter required, and none was given",
        Kind.FILTER_REQUIRED,
        codes=codes("MALFORMED_QUERY"),
        facts=facts(Fact.UNFILTERED),
    ),
    Row(
        "filter required, names the field",
        Kind.FILTER_REQUIRED,
        codes=codes("EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION"),
        facts=facts(Fact.NAMES_FIELD),
    ),
    Row(
        "view all data required",
        Kind.MISSING_PERMISSION,
        codes=codes("API_ERROR MALFORMED_QUERY"),
        text=text(r"view all data"),
        guidance=_VIEW_ALL,
    ),
    Row(
        "filter required, says so",
        Kind.FILTER_REQUIRED,
        codes=codes(_WANTING),
        text=text(r"requires? a filter|filter on a reified column|where clauses should contain|must (be )?filter"),
    ),
    # Fields.
    Row("field twice", Kind.FIELD_TWICE, codes=codes("INVALID_FIELD"), facts=facts(Fact.FIELD_TWICE)),
    Row("field twice, says so", Kind.FIELD_TWICE, codes=codes("INVALID_FIELD"), text=text(r"duplicate field")),
    Row(
        "filter refused, says so",
        Kind.INVALID_SOQL,
        codes=codes("INVALID_FIELD"),
        text=text(r"can ?not be filtered|not filterable"),
        guidance="A field cannot be filtered by: correct the object's `where` in object_overrides, or name another "
        "cursor_field there.",
    ),
    Row("no such field", Kind.FIELD_GONE, codes=codes("INVALID_FIELD")),
    Row("no such field, in a batch", Kind.FIELD_GONE, codes=codes("INVALID_BATCH"), facts=facts(Fact.NAMES_FIELD)),
    Row(
        "field not for Bulk, says so",
        Kind.FIELD_NOT_SUPPORTED,
        text=text(r"(compound data|(blob|binary) field|aggregate relationships?) not supported|cannot serialize value"),
    ),
    Row(
        "field not for Bulk",
        Kind.FIELD_NOT_SUPPORTED,
        _QUERYING,
        codes=codes("FEATURE_NOT_ENABLED FUNCTIONALITY_NOT_ENABLED"),
        statuses=_BAD_REQUEST,
        facts=facts(Fact.SELECTS_FIELDS),
    ),
    Row("malformed query", Kind.INVALID_SOQL, codes=codes("MALFORMED_QUERY INVALID_QUERY_FILTER_OPERATOR")),
    # Objects.
    Row("no such object", Kind.OBJECT_GONE, codes=codes("INVALID_TYPE")),
    Row(
        "object not for Bulk",
        Kind.OBJECT_NOT_SUPPORTED,
        codes=codes(
            "INVALID_ENTITY INVALID_TYPE_FOR_OPERATION EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION EXTERNAL_OBJECT_EXCEPTION "
            "BIG_OBJECT_UNSUPPORTED_OPERATION"
        ),
    ),
    Row(
        "implementation restricted",
        Kind.MISSING_PERMISSION,
        codes=codes("API_ERROR"),
        text=text(r"implementation restriction"),
        guidance=_VIEW_ALL,
    ),
    Row(
        "object not queryable",
        Kind.OBJECT_NOT_SUPPORTED,
        _QUERYING,
        codes=codes("API_ERROR"),
        facts=facts(Fact.NAMES_OBJECT),
    ),
    Row(
        "object not queryable, says so",
        Kind.OBJECT_NOT_SUPPORTED,
        codes=codes("API_ERROR"),
        text=text(r"does not support query"),
    ),
    # Recorded for compound fields, binary fields and subqueries: the code is generic, and the text names no field.
    Row(
        "field not for Bulk, unnamed",
        Kind.FIELD_NOT_SUPPORTED,
        _QUERYING,
        codes=codes("API_ERROR"),
        statuses=_BAD_REQUEST,
        facts=facts(Fact.SELECTS_FIELDS),
    ),
    Row("input refused", Kind.QUERY_REFUSED, codes=codes("CLIENT_INPUT_ERROR")),
)

_PERMISSIONS = (
    Row(
        "Data.com not for this user",
        Kind.MISSING_PERMISSION,
        codes=codes("DATACLOUD_API_DISABLED_EXCEPTION"),
        guidance="{Leave_out}: the object belongs to Data.com, whose API this user may not use.",
    ),
    Row(
        "limits not for this user",
        Kind.MISSING_PERMISSION,
        frozenset({Operation.LIMITS}),
        statuses=statuses(403),
        guidance="Give the integration user View Setup and Configuration in a profile or permission set.",
    ),
    Row(
        "Bulk API not for this user",
        Kind.MISSING_PERMISSION,
        _CREATE,
        codes=codes("FUNCTIONALITY_NOT_ENABLED"),
        guidance="Bulk API 2.0 is not switched on for the integration user: tick API Enabled in a profile or "
        "permission set, and check that the org's edition and the user's licence include the Bulk API (Enterprise, "
        "Performance, Unlimited and Developer do).",
    ),
    Row(
        "permission missing",
        Kind.MISSING_PERMISSION,
        codes=codes(
            "INSUFFICIENT_ACCESS INSUFFICIENT_ACCESS_OR_READONLY FUNCTIONALITY_NOT_ENABLED FEATURE_NOT_ENABLED"
        ),
    ),
)

_JOBS = (
    Row(
        "clean-up of a job that is gone",
        Kind.JOB_GONE,
        _CLEAN_UP,
        statuses=statuses(404, 410),
        action=Action.IGNORE,
        guidance="There is nothing to do.",
    ),
    Row("clean-up of a job that has ended", Kind.JOB_ALREADY_ENDED, _CLEAN_UP, codes=codes("INVALID_JOB_STATE")),
    Row("clean-up too early", Kind.JOB_NOT_COMPLETE, _CLEAN_UP, codes=codes("API_ERROR"), statuses=statuses(400)),
    # Three editions of the documentation: 412 JOB_NOT_COMPLETE (v47), 204 (v48 to v50), silence (today).
    Row("results not ready", Kind.JOB_NOT_COMPLETE, _PAGES, statuses=statuses(204, 412)),
    Row("results not ready, says so", Kind.JOB_NOT_COMPLETE, _PAGES, codes=codes("JOB_NOT_COMPLETE INVALID_JOB_STATE")),
    Row("other version", Kind.VERSION_MISMATCH, _JOB, statuses=statuses(409)),
    Row("locator refused", Kind.LOCATOR_REFUSED, codes=codes("INVALID_QUERY_LOCATOR INVALID_LOCATOR")),
    Row("job gone", Kind.JOB_GONE, _JOB, statuses=statuses(404, 410)),
    Row("job gone, says so", Kind.JOB_GONE, _JOB, codes=codes("INVALID_JOB NOT_FOUND")),
    # The locator is all that distinguishes one page's request from the next.
    Row("page request refused", Kind.LOCATOR_REFUSED, _PAGES, statuses=statuses(400)),
)

_STATUSES = (
    Row("object not found", Kind.OBJECT_GONE, frozenset({Operation.DESCRIBE}), statuses=statuses(404)),
    Row("file gone", Kind.FILE_GONE, frozenset({Operation.BLOB}), statuses=statuses(404, 410)),
    Row(
        "file refused",
        Kind.MISSING_PERMISSION,
        frozenset({Operation.BLOB}),
        statuses=statuses(400, 403),
        guidance="Open the file in Salesforce as the integration user: it may be in a library that this user may not "
        "read, or stored outside of Salesforce.",
    ),
    # Limits, estimates and probes are optional: a run must not fail without them.
    Row(
        "resource to do without not found",
        Kind.VERSION_UNKNOWN,
        frozenset({Operation.LIMITS, Operation.RECORD_COUNT, Operation.QUERY, Operation.DELETED}),
        statuses=statuses(404, 410),
        action=Action.FAIL_STREAM,
    ),
    Row("resource not found", Kind.VERSION_UNKNOWN, statuses=statuses(404, 410)),
    Row("redirect", Kind.REDIRECTED, statuses=_REDIRECT),
    Row("slow down", Kind.CONCURRENT_LIMIT, statuses=statuses(429)),
    # Salesforce Edge sends these before the request reaches the instance, so a create may be sent again.
    Row("edge in trouble", Kind.UNAVAILABLE, statuses=statuses(406, 420, 502, 503)),
    Row("create in doubt", Kind.ANSWER_LOST, _CREATE, statuses=_SERVER_ERROR, without_code=True),
    Row("server in trouble", Kind.UNAVAILABLE, statuses=_SERVER_ERROR),
    Row("request too large", Kind.REQUEST_TOO_LARGE, statuses=statuses(413, 414, 431)),
    Row("query refused", Kind.QUERY_REFUSED, _QUERYING | {Operation.DELETED}, statuses=statuses(400)),
    Row("forbidden", Kind.MISSING_PERMISSION, statuses=statuses(403)),
    Row("page in disguise", Kind.BODY_BROKEN, frozenset({Operation.RESULTS}), statuses=_SUCCESS),
    Row("created, but which", Kind.ANSWER_LOST, _CREATE, statuses=_SUCCESS),
    Row("success that cannot be read", Kind.UNREADABLE_ANSWER, statuses=_SUCCESS),
    Row("anything else", Kind.UNEXPECTED),
)

ROWS: tuple[Row, ...] = (
    *LOGIN_ROWS,
    *_QUOTA,
    *_ACCESS,
    LOGIN_REFUSED,
    *_SESSION,
    *_CODES,
    *_QUERY,
    *_PERMISSIONS,
    *_JOBS,
    *_STATUSES,
)

JOB_MESSAGES: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (text(r"field name not found|no such column"), Kind.FIELD_GONE),
    # Bulk API 1.0 messages that appear in failed jobs; Salesforce recommends a smaller query.
    (text(r"retried more than|failed to write query result|too long|time[d ]?.?out"), Kind.QUERY_TIMEOUT),
)
"""Texts in a Failed job's ``errorMessage``, for messages without a meaningful error code."""
