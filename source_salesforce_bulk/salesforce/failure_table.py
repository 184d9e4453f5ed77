"""Which answer is of which kind: one table, read from the top, the first row that fits decides.

Order is meaning. Rows with error codes come before rows with only a status, as Salesforce sends one status for many
things; a message decides where Salesforce uses one code for several things, or none at all. The one deliberate
exception stands first among the data rows: a 401 whose text names a policy must never start a refresh loop, whatever
its code (jsforce pull request 1774).

Codes are compared without case and underscores: Bulk API 2.0 reuses Bulk 1.0's CamelCase names in upper case
(``InvalidJobState``, ``INVALIDJOBSTATE``). Each row has a recorded sample in ``unit_tests/samples/failures``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from source_salesforce_bulk.salesforce.failure_kinds import Action, Kind
from source_salesforce_bulk.salesforce.wire import Operation

_ANY = frozenset(Operation)
_TOKEN = frozenset({Operation.TOKEN})
_DATA = _ANY - _TOKEN
_CREATE = frozenset({Operation.CREATE_JOB})
_QUERYING = frozenset({Operation.CREATE_JOB, Operation.QUERY})
_PAGES = frozenset({Operation.RESULTS, Operation.RESULT_PAGES})
_JOB = _PAGES | {Operation.JOB_INFO}
_CLEAN_UP = frozenset({Operation.ABORT_JOB, Operation.DELETE_JOB})

_SUCCESS = frozenset(range(200, 300))
_REDIRECT = frozenset(range(300, 400))
_SERVER_ERROR = frozenset(range(500, 600)) | {408}
_LOGIN_REFUSED = frozenset({400, 401, 403})


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an answer shows: ``codes`` in normal form, ``text`` what it says in words (of a redirect: where to).

    A 2xx gets here only when its body is not what the operation expects.
    """

    operation: Operation
    status: int | None
    codes: frozenset[str]
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row: every condition given must hold. ``action`` and ``guidance``, where given, overrule the kind's."""

    name: str
    kind: Kind
    operations: frozenset[Operation] = _ANY
    codes: frozenset[str] = frozenset()
    statuses: frozenset[int] = frozenset()
    text: re.Pattern[str] | None = None
    without_code: bool = False
    action: Action | None = None
    guidance: str | None = None

    def fits(self, evidence: Evidence) -> bool:
        """Whether the evidence meets every condition."""
        return (
            evidence.operation in self.operations
            and (not self.codes or not self.codes.isdisjoint(evidence.codes))
            and (not self.statuses or evidence.status in self.statuses)
            and (self.text is None or self.text.search(evidence.text) is not None)
            and not (self.without_code and evidence.codes)
        )


def normal_code(code: str) -> str:
    """``InvalidJobState``, ``INVALID_JOB_STATE`` and ``INVALIDJOBSTATE`` are one code.

    >>> normal_code("Invalid_JobState")
    'INVALIDJOBSTATE'
    """
    return code.replace("_", "").upper()


def _codes(words: str) -> frozenset[str]:
    return frozenset(normal_code(word) for word in words.split())


def _statuses(*statuses: int) -> frozenset[int]:
    return frozenset(statuses)


def _text(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_VIEW_ALL = (
    "Give the integration user View All Data in a profile or permission set (Setup > Permission Sets > System "
    "Permissions), or unselect the object."
)
_APP_ACCESS = (
    "Under the app's OAuth policies either set Permitted Users to All users may self-authorize, or add a profile or "
    "permission set of the integration user to the app."
)

_LOGIN = (
    Row("wrong audience", Kind.WRONG_LOGIN_HOST, _TOKEN, statuses=_LOGIN_REFUSED, text=_text(r"audience")),
    Row(
        "wrong domain for the grant",
        Kind.WRONG_LOGIN_HOST,
        _TOKEN,
        statuses=_LOGIN_REFUSED,
        text=_text(r"not supported on this domain"),
    ),
    Row(
        "login from a foreign address",
        Kind.IP_RESTRICTED,
        _TOKEN,
        statuses=_LOGIN_REFUSED,
        text=_text(r"ip restricted|restricted ip"),
    ),
    Row(
        "too many logins",
        Kind.LOGIN_RATE_LIMITED,
        _TOKEN,
        statuses=_LOGIN_REFUSED | {429},
        text=_text(r"login rate|rate limit"),
    ),
    Row("login collision", Kind.LOGIN_COLLISION, _TOKEN, statuses=_LOGIN_REFUSED, text=_text(r"being processed")),
    Row(
        "login host in trouble",
        Kind.UNAVAILABLE,
        _TOKEN,
        codes=_codes("unknown_error server_error temporarily_unavailable"),
    ),
    Row(
        "refresh token dead",
        Kind.CREDENTIALS_REFUSED,
        _TOKEN,
        statuses=_LOGIN_REFUSED,
        text=_text(r"expired (access/refresh|refresh|authorization)"),
        guidance="Authenticate again to get a new refresh token: this one has expired, was revoked or was replaced "
        "(rotation); the app's Refresh Token Policy says how long one lives. A sandbox's token is known only where the "
        "sandbox logs in, at https://test.salesforce.com or its My Domain URL.",
    ),
    Row(
        "no run-as user",
        Kind.CREDENTIALS_REFUSED,
        _TOKEN,
        statuses=_LOGIN_REFUSED,
        text=_text(r"no client credentials user"),
        guidance="Tick Enable Client Credentials Flow in the app's OAuth settings and choose a Run As user under its "
        "policies.",
    ),
    Row(
        "app not approved for the user",
        Kind.POLICY_REFUSED,
        _TOKEN,
        statuses=_LOGIN_REFUSED,
        text=_text(r"(hasn.t|has not) approved|not admin approved"),
        guidance=_APP_ACCESS,
    ),
    Row("app not for the user", Kind.POLICY_REFUSED, _TOKEN, codes=_codes("invalid_app_access"), guidance=_APP_ACCESS),
    Row(
        "user or org not active",
        Kind.CREDENTIALS_REFUSED,
        _TOKEN,
        statuses=_LOGIN_REFUSED,
        text=_text(r"inactive (user|org)|user (is )?inactive|user locked|locked out"),
        guidance="Activate or unlock the integration user (Setup > Users), or use another one.",
    ),
    Row(
        "app not known",
        Kind.CREDENTIALS_REFUSED,
        _TOKEN,
        codes=_codes("invalid_client invalid_client_id"),
        guidance="Check client_id (Consumer Key) and client_secret (Consumer Secret) against the app's OAuth settings, "
        "and that login_url belongs to the org that has the app: a sandbox logs in at https://test.salesforce.com.",
    ),
    Row(
        "app blocked or missing",
        Kind.POLICY_REFUSED,
        _TOKEN,
        codes=_codes("app_not_found oauth_app_blocked oauth_app_access_denied"),
        guidance="Have an administrator install or unblock the app under Setup > Connected Apps OAuth Usage.",
    ),
    Row(
        "grant not offered",
        Kind.CREDENTIALS_REFUSED,
        _TOKEN,
        codes=_codes("unsupported_grant_type unauthorized_client"),
        guidance="Enable the chosen OAuth flow in the app's OAuth settings, or choose another auth_type.",
    ),
    Row(
        "grant refused",
        Kind.CREDENTIALS_REFUSED,
        _TOKEN,
        codes=_codes("invalid_grant"),
        guidance="Check the credentials, and whether login_url fits: users of a sandbox log in at "
        "https://test.salesforce.com or the sandbox's My Domain URL. Setup > Users > Login History shows the reason.",
    ),
    Row("login host redirects to maintenance", Kind.UNAVAILABLE, _TOKEN, statuses=_REDIRECT, text=_text(r"maint|down")),
    Row("login host redirects", Kind.WRONG_LOGIN_HOST, _TOKEN, statuses=_REDIRECT),
    Row("no token endpoint", Kind.WRONG_LOGIN_HOST, _TOKEN, statuses=_statuses(404, 405, 410)),
    Row("login refused", Kind.CREDENTIALS_REFUSED, _TOKEN, statuses=_LOGIN_REFUSED),
)

_SESSION = (
    Row(
        "policy refuses the session",
        Kind.POLICY_REFUSED,
        statuses=_statuses(401, 403),
        text=_text(r"app is not attached to agent|session is not valid for use with the rest api"),
    ),
    Row(
        "session expired",
        Kind.SESSION_EXPIRED,
        _DATA,
        codes=_codes("INVALID_SESSION_ID INVALID_AUTH_HEADER INVALID_JWT_FORMAT"),
    ),
    Row("unauthorized", Kind.SESSION_EXPIRED, statuses=_statuses(401)),
    Row(
        "password expired",
        Kind.CREDENTIALS_REFUSED,
        codes=_codes("INVALID_OPERATION_WITH_EXPIRED_PASSWORD"),
        guidance="Set a new password for the integration user (Setup > Users), and let it never expire.",
    ),
    Row("API not for this user", Kind.API_DISABLED, codes=_codes("API_DISABLED_FOR_ORG")),
)

_QUOTA = (
    Row(
        "too many at once",
        Kind.CONCURRENT_LIMIT,
        codes=_codes("REQUEST_LIMIT_EXCEEDED"),
        text=_text(r"concurrent"),
    ),
    Row("slow down, says so", Kind.CONCURRENT_LIMIT, codes=_codes("REQUEST_LIMIT_EXCEEDED"), statuses=_statuses(429)),
    Row("API calls used up", Kind.API_CALLS_EXHAUSTED, codes=_codes("REQUEST_LIMIT_EXCEEDED")),
    Row("result volume used up", Kind.RESULT_VOLUME_EXHAUSTED, text=_text(r"query result size stored")),
    Row("query jobs used up", Kind.QUERY_JOBS_EXHAUSTED, text=_text(r"query jobs \(\d+\) per 24")),
    Row("other limit used up", Kind.LIMIT_EXHAUSTED, codes=_codes("LIMIT_EXCEEDED EXCEEDED_QUOTA")),
)

_CODES = (
    Row("unsupported version", Kind.VERSION_UNKNOWN, codes=_codes("UNSUPPORTED_API_VERSION")),
    Row(
        "in trouble, says so",
        Kind.UNAVAILABLE,
        codes=_codes(
            "UNABLE_TO_LOCK_ROW SERVER_UNAVAILABLE UNKNOWN_EXCEPTION UNKNOWN_ERROR INTERNAL_SERVER_ERROR "
            "TOO_MANY_LOCK_FAILURE API_CURRENTLY_DISABLED"
        ),
    ),
    Row(
        "transaction security",
        Kind.TRANSACTION_SECURITY,
        codes=_codes("TXN_SECURITY_METERING_ERROR TXN_SECURITY_NO_ACCESS TXN_SECURITY_RUNTIME_EXCEPTION"),
    ),
    Row("query timeout", Kind.QUERY_TIMEOUT, codes=_codes("QUERY_TIMEOUT REQUEST_RUNNING_TOO_LONG")),
    Row("query too complicated", Kind.QUERY_TOO_LARGE, codes=_codes("QUERY_TOO_COMPLICATED")),
    # Task and Event without View All: the sharing check counts parents, and a window of few rows has many (singer #98).
    Row(
        "too many parents to check",
        Kind.MISSING_PERMISSION,
        codes=_codes("OPERATION_TOO_LARGE"),
        text=_text(r"who/what"),
        guidance=_VIEW_ALL,
    ),
    Row("operation too large", Kind.QUERY_TOO_LARGE, codes=_codes("OPERATION_TOO_LARGE EXCEEDED_ID_LIMIT")),
    Row(
        "filter required",
        Kind.FILTER_REQUIRED,
        codes=_codes("MALFORMED_QUERY EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION API_ERROR"),
        text=_text(r"requires a filter|filter on a reified column|where clauses should contain"),
    ),
    Row(
        "field not for Bulk",
        Kind.FIELD_NOT_SUPPORTED,
        text=_text(r"compound data not supported|cannot serialize value"),
    ),
    Row("malformed query", Kind.INVALID_SOQL, codes=_codes("MALFORMED_QUERY")),
    Row("no such field", Kind.FIELD_GONE, codes=_codes("INVALID_FIELD")),
    Row("no such object", Kind.OBJECT_GONE, codes=_codes("INVALID_TYPE")),
    Row(
        "object not for Bulk",
        Kind.OBJECT_NOT_SUPPORTED,
        codes=_codes(
            "INVALID_ENTITY INVALID_TYPE_FOR_OPERATION EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION EXTERNAL_OBJECT_EXCEPTION"
        ),
    ),
    Row(
        "object not queryable",
        Kind.OBJECT_NOT_SUPPORTED,
        codes=_codes("API_ERROR"),
        text=_text(r"does not support query"),
    ),
    Row(
        "view all data required",
        Kind.MISSING_PERMISSION,
        codes=_codes("API_ERROR"),
        text=_text(r"implementation restriction"),
        guidance=_VIEW_ALL,
    ),
    Row(
        "Data.com not for this user",
        Kind.MISSING_PERMISSION,
        codes=_codes("DATACLOUD_API_DISABLED_EXCEPTION"),
        guidance="Unselect the object: it belongs to Data.com, whose API this user may not use.",
    ),
    Row(
        "limits not for this user",
        Kind.MISSING_PERMISSION,
        frozenset({Operation.LIMITS}),
        statuses=_statuses(403),
        guidance="Give the integration user View Setup and Configuration in a profile or permission set.",
    ),
    Row(
        "Bulk API not for this user",
        Kind.MISSING_PERMISSION,
        _CREATE,
        codes=_codes("FUNCTIONALITY_NOT_ENABLED"),
        guidance="Bulk API 2.0 is not switched on for the integration user: tick API Enabled in a profile or "
        "permission set, and check that the org's edition and the user's licence include the Bulk API (Enterprise, "
        "Performance, Unlimited and Developer do).",
    ),
    Row(
        "permission missing",
        Kind.MISSING_PERMISSION,
        codes=_codes(
            "INSUFFICIENT_ACCESS INSUFFICIENT_ACCESS_OR_READONLY FUNCTIONALITY_NOT_ENABLED FEATURE_NOT_ENABLED"
        ),
    ),
)

_JOBS = (
    Row(
        "clean-up of a job that is gone",
        Kind.JOB_GONE,
        _CLEAN_UP,
        statuses=_statuses(404, 410),
        action=Action.IGNORE,
        guidance="There is nothing to do.",
    ),
    Row("clean-up of a job that has ended", Kind.JOB_ALREADY_ENDED, _CLEAN_UP, codes=_codes("INVALID_JOB_STATE")),
    Row("clean-up too early", Kind.JOB_NOT_COMPLETE, _CLEAN_UP, text=_text(r"is not terminated")),
    # Three editions of the documentation: 412 JOB_NOT_COMPLETE (v47), 204 (v48 to v50), silence (today).
    Row("results not ready", Kind.JOB_NOT_COMPLETE, _PAGES, statuses=_statuses(204, 412)),
    Row(
        "results not ready, says so", Kind.JOB_NOT_COMPLETE, _PAGES, codes=_codes("JOB_NOT_COMPLETE INVALID_JOB_STATE")
    ),
    Row("other version", Kind.VERSION_MISMATCH, _JOB, statuses=_statuses(409)),
    Row("locator refused", Kind.LOCATOR_REFUSED, codes=_codes("INVALID_QUERY_LOCATOR INVALID_LOCATOR")),
    Row("job gone", Kind.JOB_GONE, _JOB, statuses=_statuses(404, 410)),
    Row("job gone, says so", Kind.JOB_GONE, _JOB, codes=_codes("INVALID_JOB NOT_FOUND")),
    # The locator is all that distinguishes one page's request from the next.
    Row("page request refused", Kind.LOCATOR_REFUSED, _PAGES, statuses=_statuses(400)),
)

_STATUSES = (
    Row("object not found", Kind.OBJECT_GONE, frozenset({Operation.DESCRIBE}), statuses=_statuses(404)),
    # Limits, estimates and probes make a run better and are never needed: one without them must not end.
    Row(
        "resource to do without not found",
        Kind.VERSION_UNKNOWN,
        frozenset({Operation.LIMITS, Operation.RECORD_COUNT, Operation.QUERY}),
        statuses=_statuses(404, 410),
        action=Action.FAIL_STREAM,
    ),
    Row("resource not found", Kind.VERSION_UNKNOWN, statuses=_statuses(404, 410)),
    Row("redirect", Kind.REDIRECTED, statuses=_REDIRECT),
    Row("slow down", Kind.CONCURRENT_LIMIT, statuses=_statuses(429)),
    # Salesforce Edge answers these before the instance saw the request, so a create may be sent again.
    Row("edge in trouble", Kind.UNAVAILABLE, statuses=_statuses(406, 420, 502, 503)),
    Row("create in doubt", Kind.ANSWER_LOST, _CREATE, statuses=_SERVER_ERROR, without_code=True),
    Row("server in trouble", Kind.UNAVAILABLE, statuses=_SERVER_ERROR),
    Row("request too large", Kind.REQUEST_TOO_LARGE, statuses=_statuses(413, 414, 431)),
    Row("query refused", Kind.QUERY_REFUSED, _QUERYING, statuses=_statuses(400)),
    Row("forbidden", Kind.MISSING_PERMISSION, statuses=_statuses(403)),
    Row("page in disguise", Kind.BODY_BROKEN, frozenset({Operation.RESULTS}), statuses=_SUCCESS),
    Row("created, but which", Kind.ANSWER_LOST, _CREATE, statuses=_SUCCESS),
    Row("success that cannot be read", Kind.UNREADABLE_ANSWER, statuses=_SUCCESS),
    Row("anything else", Kind.UNEXPECTED),
)

ROWS: tuple[Row, ...] = (*_LOGIN, *_SESSION, *_QUOTA, *_CODES, *_JOBS, *_STATUSES)

JOB_MESSAGES: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (_text(r"field name not found|no such column"), Kind.FIELD_GONE),
    # Wordings of Bulk 1.0 that leak into Failed jobs; Salesforce's own remedy is a smaller query.
    (_text(r"retried more than|failed to write query result|too long|time[d ]?.?out"), Kind.QUERY_TIMEOUT),
)
"""What a Failed job's ``errorMessage`` says in words, where no error code in it says more."""
