"""The vocabulary of failures: what happened, what happens next, and who has to act.

Each :class:`Kind` has a row in ``failure_meanings``: its action, its consequence, and the two sentences that a user
reads. ``failure_table`` maps responses to kinds; ``failures`` combines both.
"""

from __future__ import annotations

import errno
from enum import Enum


class Consequence(Enum):
    """The consequence of a failure: a later run may succeed, the user must act, or the connector has a defect."""

    TRANSIENT = "transient"
    CONFIG = "config"
    SYSTEM = "system"


class Action(Enum):
    """The next step, and the layer that takes it: each retry has one owner (docs/contracts.md, "Retries")."""

    RETRY = "retry"
    """``transport``: send the same request again after a pause. Above ``transport``: the retries have failed."""
    REFRESH_TOKEN = "refresh token"
    """``transport`` with ``token``: one new login, then the same request."""
    NOT_READY = "not ready"
    """``query_job``: the job has not ended; continue polling."""
    FETCH_PAGE_AGAIN = "fetch page again"
    """``pages``: the same locator, or the same file, again."""
    SEND_ONCE_MORE = "send once more"
    """``query_job``: the response to a create was lost; create once more and count the possible orphan."""
    NEW_JOB = "new job"
    """``query_job``: the same query as a new job."""
    SPLIT = "split"
    """``query_job``: the window is too large for Salesforce; halve it."""
    IGNORE = "ignore"
    """The clean-up concerns something that is already gone."""
    FAIL_STREAM = "fail stream"
    """This object cannot be read; the others can."""
    STOP_RUN = "stop run"
    """Every object is affected, for example by quota or credentials."""


class Kind(Enum):
    """The kinds of failure."""

    INVALID_SOQL = "invalid SOQL"
    FIELD_GONE = "field gone"
    FIELD_TWICE = "field twice"
    CURSOR_NOT_FILTERABLE = "cursor not filterable"
    FIELD_NOT_SUPPORTED = "field not supported"
    OBJECT_NOT_SUPPORTED = "object not supported"
    OBJECT_GONE = "object gone"
    FILTER_REQUIRED = "filter required"
    QUERY_REFUSED = "query refused"
    MISSING_PERMISSION = "missing permission"
    TRANSACTION_SECURITY = "transaction security"
    API_DISABLED = "API disabled"
    SESSION_EXPIRED = "session expired"
    SESSION_REFUSED = "session refused"
    POLICY_REFUSED = "policy refused"
    CREDENTIALS_REFUSED = "credentials refused"
    APP_UNKNOWN = "app unknown"
    USER_INACTIVE = "user inactive"
    ORG_INACTIVE = "org inactive"
    CLOCK_WRONG = "clock wrong"
    WRONG_LOGIN_HOST = "wrong login host"
    IP_RESTRICTED = "IP restricted"
    LOGIN_RATE_LIMITED = "login rate limited"
    LOGIN_COLLISION = "login collision"
    API_CALLS_EXHAUSTED = "API calls exhausted"
    QUERY_JOBS_EXHAUSTED = "query jobs exhausted"
    RESULT_VOLUME_EXHAUSTED = "result volume exhausted"
    LIMIT_EXHAUSTED = "limit exhausted"
    CONCURRENT_LIMIT = "concurrent limit"
    VERSION_MISMATCH = "version mismatch"
    VERSION_UNKNOWN = "version unknown"
    QUERY_TIMEOUT = "query timeout"
    QUERY_TOO_LARGE = "query too large"
    JOB_GONE = "job gone"
    JOB_FAILED = "job failed"
    JOB_ABORTED = "job aborted"
    JOB_TIMED_OUT = "job timed out"
    JOB_NOT_COMPLETE = "job not complete"
    JOB_ALREADY_ENDED = "job already ended"
    LOCATOR_REFUSED = "locator refused"
    PAGE_REJECTED = "page rejected"
    BODY_BROKEN = "body broken"
    FILE_GONE = "file gone"
    FILE_BROKEN = "file broken"
    FILE_REJECTED = "file rejected"
    TOTAL_MISMATCH = "total mismatch"
    ANSWER_LOST = "answer lost"
    UNAVAILABLE = "unavailable"
    CONNECTION = "connection"
    HOST_NOT_FOUND = "host not found"
    CERTIFICATE_REFUSED = "certificate refused"
    NETWORK_SETTING = "network setting"
    PROXY_REFUSED = "proxy refused"
    PROXY_UNREACHABLE = "proxy unreachable"
    REDIRECTED = "redirected"
    REQUEST_TOO_LARGE = "request too large"
    UNREADABLE_ANSWER = "unreadable answer"
    TOO_MANY_DELETIONS = "too many deletions"
    DELETIONS_UNKNOWN = "deletions unknown"
    CLOCKS_DISAGREE = "clocks disagree"
    TOKEN_NOT_KEPT = "token not kept"
    TOO_MANY_FILES = "too many files"
    NO_DISK_SPACE = "no disk space"
    DISK_ERROR = "disk error"
    INTERRUPTED = "interrupted"
    UNEXPECTED = "unexpected"


TOO_MANY_OPEN = frozenset({errno.EMFILE, errno.ENFILE})


def disk_kind(cause: OSError) -> Kind:
    """Return the kind of a file system error: a full disk or quota, or any other error."""
    if cause.errno in TOO_MANY_OPEN:
        return Kind.TOO_MANY_FILES
    return Kind.NO_DISK_SPACE if cause.errno in (errno.ENOSPC, errno.EDQUOT) else Kind.DISK_ERROR
