"""What went wrong, what happens next, and what the user should do: one total function per source of trouble.

    :func:`classify_response`    an answer           -> Failure or None (success)
    :func:`classify_exception`   no or half an answer -> Failure
    :func:`classify_job_state`   a job's last word   -> Failure or None (not a failure)

They read an answer's error codes first, its status second, its words last (``failure_table``), return a value and raise
nothing, whatever they are given. What follows from a kind stands in ``failure_meanings``. Nothing here retries: an
:class:`Action` names the layer that does.

One exception carries a failure upwards, :class:`SalesforceError`; callers look at ``error.failure``, never at its text.

A message may quote Salesforce, redacted, on one line and cut; never the body of a result page, which holds records.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from source_salesforce_bulk.salesforce.bulk_api import JobState
from source_salesforce_bulk.salesforce.error_bodies import (
    QUOTE_LENGTH,
    ErrorBody,
    error_codes,
    one_line,
    parsed,
    read_error_body,
)
from source_salesforce_bulk.salesforce.exception_kinds import exception_kind, exception_words
from source_salesforce_bulk.salesforce.failure_kinds import Action, Consequence, Kind, disk_kind
from source_salesforce_bulk.salesforce.failure_meanings import MEANINGS, Meaning
from source_salesforce_bulk.salesforce.failure_table import JOB_MESSAGES, ROWS, Evidence, Row, normal_code
from source_salesforce_bulk.salesforce.retry import parse_retry_after
from source_salesforce_bulk.salesforce.wire import ApiResponse, Operation, parse_limit_info

__all__ = [
    "Action",
    "Consequence",
    "Failure",
    "Kind",
    "SalesforceError",
    "asked_pause",
    "broken_body",
    "classify_exception",
    "classify_job_state",
    "classify_response",
    "page_not_kept",
    "page_rejected",
    "unreadable_answer",
]

Redact = Callable[[str], str]

# What half an answer means, where it means more than trouble with the connection.
_BROKEN = {Operation.CREATE_JOB: Kind.ANSWER_LOST, Operation.RESULTS: Kind.BODY_BROKEN}

# A job's message begins with a code or has one inside: ``InvalidBatch : Failed to process query: INVALID_FIELD ...``.
_CODE_IN_TEXT = re.compile(r"^\s*(\w+)\s*:|\b([A-Z]+(?:_[A-Z]+)+|INVALID[A-Z]+)\b")
_HOST = re.compile(r"^https?://(?:[^/?#]*@)?([\w.:-]+)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failure. ``summary`` says what happened and ``guidance`` what to do; both are safe to show and to log.

    ``error_codes`` are Salesforce's, as it spelled them. ``retry_after`` is what the answer asked for, in seconds.
    ``job_id`` is the query job that was being read.
    """

    kind: Kind
    action: Action
    consequence: Consequence
    summary: str
    guidance: str
    operation: Operation | None = None
    status: int | None = None
    error_codes: tuple[str, ...] = ()
    retry_after: float | None = None
    job_id: str | None = None

    @classmethod
    def of(
        cls,
        kind: Kind,
        operation: Operation | None = None,
        detail: str = "",
        *,
        action: Action | None = None,
        guidance: str | None = None,
        status: int | None = None,
        error_codes: tuple[str, ...] = (),
        retry_after: float | None = None,
        job_id: str | None = None,
    ) -> Failure:
        """A failure of this kind with the kind's meaning; ``detail`` must be safe to show, and ends the summary."""
        meaning = MEANINGS[kind]
        return cls(
            kind=kind,
            action=action or meaning.action,
            consequence=meaning.consequence,
            summary=_summary(meaning, operation, status, error_codes, detail),
            guidance=guidance or meaning.guidance,
            operation=operation,
            status=status,
            error_codes=error_codes,
            retry_after=retry_after,
            job_id=job_id,
        )


class SalesforceError(Exception):
    """The one exception of this layer: something failed, and ``failure`` says what. Its text is safe to show."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        return f"{self.failure.summary} {self.failure.guidance}"


def asked_pause(error: BaseException) -> float | None:
    """How many seconds the answer behind an exception asked to wait."""
    return error.failure.retry_after if isinstance(error, SalesforceError) else None


def classify_response(operation: Operation, response: ApiResponse, redact: Redact) -> Failure | None:
    """The failure an answer reports; None for a success of the sort the operation expects, and for 304.

    The body of a successful result page is not looked at: it may be left out.
    """
    if _is_success(operation, response):
        return None
    row, errors = _matching_row(operation, response)
    quoted = "" if operation is Operation.RESULTS else _quote(errors, redact)
    return Failure.of(
        row.kind,
        operation,
        _with_usage(quoted, response) if row.kind is Kind.API_CALLS_EXHAUSTED else quoted,
        action=row.action,
        guidance=row.guidance,
        status=response.status,
        error_codes=errors.codes,
        retry_after=parse_retry_after(response.headers, response.date),
    )


def classify_exception(operation: Operation, error: BaseException) -> Failure:
    """The failure behind an exception of the HTTP library, or of anything else, while this operation was carried out.

    What matters for a create is whether the request can have left: a connection that never came about cannot have
    created a job, everything later may have.
    """
    return Failure.of(exception_kind(operation, error), operation, exception_words(error))


def classify_job_state(state: JobState, error_message: str | None) -> Failure | None:
    """The failure behind a job's final state; None for states that are none. No secret may be left in the message."""
    if state is JobState.ABORTED:
        return Failure.of(Kind.JOB_ABORTED, Operation.JOB_INFO)
    if state is not JobState.FAILED:
        return None
    message = error_message or ""
    codes = tuple(dict.fromkeys(first or later for first, later in _CODE_IN_TEXT.findall(message)))
    errors = ErrorBody(codes, message)
    kind, row = _job_failure(errors)
    return Failure.of(
        kind,
        Operation.JOB_INFO,
        _quote(errors, str),
        guidance=row.guidance if row else None,
        error_codes=codes,
    )


def broken_body(operation: Operation, cause: BaseException | str) -> Failure:
    """An answer whose body did not come to its end. A ``cause`` in words must be safe to show."""
    detail = cause if isinstance(cause, str) else exception_words(cause)
    return Failure.of(_BROKEN.get(operation, Kind.CONNECTION), operation, detail)


def page_rejected(detail: str, action: Action = Action.FETCH_PAGE_AGAIN) -> Failure:
    """A result page that was not accepted. ``detail`` must not contain record values."""
    return Failure.of(Kind.PAGE_REJECTED, Operation.RESULTS, detail, action=action)


def page_not_kept(cause: OSError) -> Failure:
    """A result page could not be kept on disk, for the reason that the operating system gives."""
    return Failure.of(disk_kind(cause), Operation.RESULTS, exception_words(cause))


def unreadable_answer(operation: Operation, response: ApiResponse) -> Failure:
    """An answer that reports success and lacks what the operation needs."""
    return Failure.of(_BROKEN.get(operation, Kind.UNREADABLE_ANSWER), operation, status=response.status)


# Answers.


def _is_success(operation: Operation, response: ApiResponse) -> bool:
    if response.status == 304:
        return True
    if not 200 <= response.status < 300:
        return False
    match operation:
        case Operation.RESULTS:
            # A page that calls itself HTML is one of a proxy or of maintenance, not a result.
            return response.status == 200 and "html" not in response.headers.get("content-type", "").lower()
        case Operation.DELETE_JOB | Operation.ABORT_JOB:
            return True
        case Operation.VERSIONS:
            return isinstance(parsed(response.body), list)
        case Operation.CREATE_JOB:
            return _has_text(response.body, "id")
        case Operation.TOKEN:
            return _has_text(response.body, "access_token")
        case _:
            return isinstance(parsed(response.body), dict)


def _with_usage(said: str, response: ApiResponse) -> str:
    usage = parse_limit_info(response.headers)
    return f"{said.rstrip('.')} ({usage.used:,} of {usage.maximum:,} are used)".strip() if usage else said


def _has_text(body: bytes, key: str) -> bool:
    payload = parsed(body)
    value = payload.get(key) if isinstance(payload, dict) else None
    return isinstance(value, str) and value != ""


def _matching_row(operation: Operation, response: ApiResponse) -> tuple[Row, ErrorBody]:
    if 300 <= response.status < 400:
        target = response.headers.get("location", "")
        # Only the host is shown: Salesforce puts session ids into the addresses it redirects to.
        errors = ErrorBody((), " ".join(_HOST.findall(target)))
        return _first_row(Evidence(operation, response.status, frozenset(), target)), errors
    if 200 <= response.status < 300:
        errors = _errors_of_success(operation, response.body)
    else:
        errors = read_error_body(response.body)
    codes = frozenset(map(normal_code, errors.codes))
    return _first_row(Evidence(operation, response.status, codes, errors.text)), errors


def _first_row(evidence: Evidence) -> Row:
    return next(row for row in ROWS if row.fits(evidence))


def _errors_of_success(operation: Operation, body: bytes) -> ErrorBody:
    """The codes of an error that calls itself a success. Its words are left alone: they may be records, or a token."""
    payload = None if operation is Operation.RESULTS else parsed(body)
    return ErrorBody(error_codes(payload), "")


def _quote(errors: ErrorBody, redact: Redact) -> str:
    """Salesforce's words, safe: redacted before they are cut, so that no half of a secret is left."""
    return one_line(redact(one_line(redact(errors.text))), QUOTE_LENGTH)


def _summary(
    meaning: Meaning, operation: Operation | None, status: int | None, codes: tuple[str, ...], detail: str
) -> str:
    facts = [operation.value] if operation else []
    facts += [f"HTTP {status}"] if status is not None else []
    facts += codes[:3]
    shown = f" ({', '.join(facts)})" if facts else ""
    said = f": {detail}" if detail else ""
    sentence = f"{meaning.what}{shown}{said}"
    return sentence if sentence.endswith((".", "…", "!", "?")) else f"{sentence}."


# Jobs.


def _job_failure(errors: ErrorBody) -> tuple[Kind, Row | None]:
    """What a Failed job means: a code in its message counts where it forbids to ask for the same query again."""
    codes = frozenset(map(normal_code, errors.codes))
    row = _first_row(Evidence(Operation.JOB_INFO, None, codes, errors.text))
    action = row.action or MEANINGS[row.kind].action
    if row.kind is not Kind.UNEXPECTED and action in {Action.SPLIT, Action.FAIL_STREAM, Action.STOP_RUN}:
        return row.kind, row
    return next((kind for pattern, kind in JOB_MESSAGES if pattern.search(errors.text)), Kind.JOB_FAILED), None
