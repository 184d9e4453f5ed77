"""Classify failures: what went wrong, what happens next, and what the user should do.

    :func:`classify_response`    a response                   -> Failure or None (success)
    :func:`classify_exception`   no or an incomplete response -> Failure
    :func:`classify_job_state`   a job's final state          -> Failure or None (not a failure)

They use the operation, the codes, the status and the request, and the text last (``failure_table``). They return a
value for any input and never raise. ``failure_meanings`` defines the consequences of each kind. Nothing here retries:
an :class:`Action` names the layer that does.

:class:`SalesforceError` is the only exception that carries a failure; callers use ``error.failure``, never its text.

A message may quote Salesforce, redacted, in one line and shortened, but never a result page, which contains records.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from source_salesforce_bulk.salesforce.asked import NOT_KNOWN, Asked
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
from source_salesforce_bulk.salesforce.failure_evidence import Evidence, Fact, Row, codes, normal_code
from source_salesforce_bulk.salesforce.failure_kinds import Action, Consequence, Kind, disk_kind
from source_salesforce_bulk.salesforce.failure_meanings import MEANINGS, Meaning
from source_salesforce_bulk.salesforce.failure_table import JOB_MESSAGES, ROWS
from source_salesforce_bulk.salesforce.programs import Program, in_words_of
from source_salesforce_bulk.salesforce.refusals import read_refusal
from source_salesforce_bulk.salesforce.retry import parse_retry_after
from source_salesforce_bulk.salesforce.wire import ApiResponse, Operation, parse_limit_info

__all__ = [
    "Action",
    "Answer",
    "Consequence",
    "Failure",
    "Kind",
    "SalesforceError",
    "asked_pause",
    "blob_not_kept",
    "blob_rejected",
    "broken_body",
    "classify_exception",
    "classify_job_state",
    "classify_response",
    "page_not_kept",
    "page_rejected",
    "unreadable_answer",
]

Redact = Callable[[str], str]

# Kinds of an incomplete response, for operations for which it is more than a connection failure.
_BROKEN = {
    Operation.CREATE_JOB: Kind.ANSWER_LOST,
    Operation.RESULTS: Kind.BODY_BROKEN,
    Operation.BLOB: Kind.FILE_BROKEN,
}

# A job's message begins with a code or contains one: ``InvalidBatch : Failed to process query: INVALID_FIELD ...``.
_CODE_IN_TEXT = re.compile(r"^\s*(\w+)\s*:|\b([A-Z]+(?:_[A-Z]+)+|INVALID[A-Z]+)\b")
_JOB_MESSAGE_LENGTH = 4000
# Bulk API's codes for an invalid query. The code after them says what is wrong; the temporary ones are in the table.
_BAD_QUERY = codes("InvalidBatch ClientInputError")
_REQUEST_ID = re.compile(r"[\w.:-]{1,80}", re.ASCII)
_SOME_FIELD = "the field that Salesforce's message names"
# An assertion is valid for three minutes.
_WRONG_CLOCK = timedelta(minutes=2)
_HOST = re.compile(r"^https?://(?:[^/?#]*@)?([\w.:-]+)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failure. ``summary`` says what happened and ``guidance`` what to do; both are safe to display and to log.

    ``guidance`` is a template for ``programs``; :meth:`message_for` fills it in. ``error_codes`` are spelled as
    Salesforce spelled them. ``retry_after`` is in seconds. ``request_id`` is Salesforce's id of the request, ``job_id``
    the query job that was being read, ``field`` the field that caused the failure.
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
    request_id: str | None = None
    job_id: str | None = None
    field: str | None = None

    @classmethod
    def of(
        cls,
        kind: Kind,
        operation: Operation | None = None,
        detail: str = "",
        *,
        action: Action | None = None,
        guidance: str | None = None,
        answer: Answer | None = None,
        job_id: str | None = None,
        field: str | None = None,
    ) -> Failure:
        """Create a failure of this kind; ``detail`` must be safe to display, and is appended to the summary."""
        meaning, answer = MEANINGS[kind], answer or Answer()
        return cls(
            kind=kind,
            action=action or meaning.action,
            consequence=meaning.consequence,
            summary=_summary(meaning, operation, answer, detail),
            guidance=(guidance or meaning.guidance).replace("{field}", field or _SOME_FIELD),
            operation=operation,
            status=answer.status,
            error_codes=answer.error_codes,
            retry_after=answer.retry_after,
            request_id=answer.request_id,
            job_id=job_id,
            field=field,
        )

    def message_for(self, program: Program) -> str:
        """Return what happened and what to do, in the terms of the program that runs."""
        return f"{self.summary} {in_words_of(program, self.guidance)}"


@dataclass(frozen=True, slots=True)
class Answer:
    """The facts of a response: its status, its codes, Salesforce's request id, and the requested pause."""

    status: int | None = None
    error_codes: tuple[str, ...] = ()
    request_id: str | None = None
    retry_after: float | None = None

    @classmethod
    def of(cls, response: ApiResponse, error_codes: tuple[str, ...] = ()) -> Answer:
        """Create the facts of a response in which these codes were found."""
        found = _REQUEST_ID.fullmatch(response.headers.get("x-sfdc-request-id", ""))
        pause = parse_retry_after(response.headers, response.date)
        return cls(response.status, error_codes, found[0] if found else None, pause)

    def without_secrets(self, redact: Redact) -> Answer:
        """Return a copy without values that contain a secret: any text may appear in place of a code."""
        codes = tuple(code for code in self.error_codes if redact(code) == code)
        safe = self.request_id is None or redact(self.request_id) == self.request_id
        return replace(self, error_codes=codes, request_id=self.request_id if safe else None)

    def facts(self) -> list[str]:
        """Return the facts that a message shows."""
        facts = [f"HTTP {self.status}"] if self.status is not None else []
        facts += self.error_codes[:3]
        return facts + ([f"request id {self.request_id}"] if self.request_id else [])


class SalesforceError(Exception):
    """The only exception of this layer; ``failure`` says what happened. Its text is safe to display."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure

    def __str__(self) -> str:
        return self.failure.message_for(Program.ANY)


def asked_pause(error: BaseException) -> float | None:
    """Return the pause in seconds that the response behind an exception requested."""
    return error.failure.retry_after if isinstance(error, SalesforceError) else None


def classify_response(
    operation: Operation, response: ApiResponse, redact: Redact, asked: Asked = NOT_KNOWN
) -> Failure | None:
    """Return the failure that a response reports; None for a success that the operation expects, and for 304.

    ``asked`` is the request: the more is known about it, the less depends on the response's text. The body of a
    successful result page is not used and may be empty.
    """
    if _is_success(operation, response):
        return None
    errors = _errors_in(operation, response)
    refusal = read_refusal(errors.text, asked)
    known = refusal.facts | _login_facts(asked, response)
    row = _row_for(operation, response.status, errors, known)
    return Failure.of(
        row.kind,
        operation,
        _detail(row.kind, operation, _quote(errors, redact), response, asked),
        action=row.action,
        guidance=row.guidance,
        answer=Answer.of(response, errors.codes).without_secrets(redact),
        field=refusal.field,
    )


def classify_exception(operation: Operation, error: BaseException) -> Failure:
    """Return the failure for any exception that was raised during this operation.

    For a create request it matters whether the request may have been sent: without a connection, no job can have been
    created; after any later failure, one may exist.
    """
    return Failure.of(exception_kind(operation, error), operation, exception_words(error))


def classify_job_state(state: JobState, error_message: str | None, asked: Asked = NOT_KNOWN) -> Failure | None:
    """Return the failure for a job's final state; None if it is not a failure. The message must not contain secrets.

    An error that forbids the creation of a job is also final in a failed job: a new job would fail in the same way.
    """
    if state is JobState.ABORTED:
        return Failure.of(Kind.JOB_ABORTED, Operation.JOB_INFO)
    if state is not JobState.FAILED:
        return None
    message = (error_message or "")[:_JOB_MESSAGE_LENGTH]
    errors = ErrorBody(tuple(dict.fromkeys(one or other for one, other in _CODE_IN_TEXT.findall(message))), message)
    refusal = read_refusal(message, asked)
    kind, row = _job_failure(errors, refusal.facts)
    return Failure.of(
        kind,
        Operation.JOB_INFO,
        _quote(errors, str),
        action=row.action if row else None,
        guidance=row.guidance if row else None,
        answer=Answer(error_codes=errors.codes),
        field=refusal.field,
    )


def broken_body(operation: Operation, cause: BaseException | str) -> Failure:
    """Return the failure of a response whose body is incomplete. A ``cause`` given as text must be safe to display."""
    detail = cause if isinstance(cause, str) else exception_words(cause)
    return Failure.of(_BROKEN.get(operation, Kind.CONNECTION), operation, detail)


def page_rejected(detail: str, action: Action = Action.FETCH_PAGE_AGAIN) -> Failure:
    """Return the failure of a result page that was not accepted. ``detail`` must not contain record values."""
    return Failure.of(Kind.PAGE_REJECTED, Operation.RESULTS, detail, action=action)


def page_not_kept(cause: OSError) -> Failure:
    """Return the failure of a result page that could not be saved to disk."""
    return Failure.of(disk_kind(cause), Operation.RESULTS, exception_words(cause))


def blob_rejected(detail: str) -> Failure:
    """Return the failure of a file whose body was not accepted."""
    return Failure.of(Kind.FILE_REJECTED, Operation.BLOB, detail)


def blob_not_kept(cause: OSError) -> Failure:
    """Return the failure of a file that could not be saved to disk."""
    return Failure.of(disk_kind(cause), Operation.BLOB, exception_words(cause))


def unreadable_answer(operation: Operation, response: ApiResponse) -> Failure:
    """Return the failure of a successful response that lacks a required value."""
    return Failure.of(_BROKEN.get(operation, Kind.UNREADABLE_ANSWER), operation, answer=Answer.of(response))


# Answers.


def _is_success(operation: Operation, response: ApiResponse) -> bool:
    if response.status == 304:
        return True
    if not 200 <= response.status < 300:
        return False
    match operation:
        case Operation.RESULTS:
            # An HTML page comes from a proxy or from maintenance; it is not a result.
            return response.status == 200 and "html" not in response.headers.get("content-type", "").lower()
        case Operation.DELETE_JOB | Operation.ABORT_JOB | Operation.BLOB:
            return True
        case Operation.VERSIONS:
            return isinstance(parsed(response.body), list)
        case Operation.CREATE_JOB:
            return _has_text(response.body, "id")
        case Operation.TOKEN:
            return _has_text(response.body, "access_token")
        case _:
            return isinstance(parsed(response.body), dict)


def _has_text(body: bytes, key: str) -> bool:
    payload = parsed(body)
    value = payload.get(key) if isinstance(payload, dict) else None
    return isinstance(value, str) and value != ""


def _errors_in(operation: Operation, response: ApiResponse) -> ErrorBody:
    """Return the codes and text of a response; the text of a redirect is its target."""
    if 300 <= response.status < 400:
        return ErrorBody((), response.headers.get("location", ""))
    if 200 <= response.status < 300:
        # The text of an error with a success status is not used: it may contain records or a token.
        return ErrorBody(() if operation is Operation.RESULTS else error_codes(parsed(response.body)), "")
    return read_error_body(response.body)


def _row_for(operation: Operation, status: int | None, errors: ErrorBody, known: frozenset[Fact]) -> Row:
    evidence = Evidence(operation, status, frozenset(map(normal_code, errors.codes)), errors.text, known)
    return next(row for row in ROWS if row.fits(evidence))


def _login_facts(asked: Asked, response: ApiResponse) -> frozenset[Fact]:
    skew = _skew(asked, response)
    wrong = {Fact.CLOCK_WRONG} if skew is not None and abs(skew) > _WRONG_CLOCK else set()
    return frozenset(wrong | ({Fact[asked.flow.name]} if asked.flow is not None else set()))


def _skew(asked: Asked, response: ApiResponse) -> timedelta | None:
    """Return how far this machine's clock is ahead of the response's."""
    return asked.sent_at - response.date if asked.sent_at is not None and response.date is not None else None


def _detail(kind: Kind, operation: Operation, quoted: str, response: ApiResponse, asked: Asked) -> str:
    """Return the end of the summary: Salesforce's text, or a more useful figure."""
    if operation is Operation.RESULTS:
        return ""
    if 300 <= response.status < 400:
        # Only the host is shown, because Salesforce puts session ids into redirect URLs.
        return " ".join(_HOST.findall(response.headers.get("location", "")))
    usage, skew = parse_limit_info(response.headers), _skew(asked, response)
    if kind is Kind.API_CALLS_EXHAUSTED and usage is not None:
        return f"{quoted.rstrip('.')} ({usage.used:,} of {usage.maximum:,} are used)".strip()
    if kind is Kind.CLOCK_WRONG and skew is not None:
        side = "ahead of" if skew > timedelta() else "behind"
        seconds = abs(skew).total_seconds()
        return f"it is {seconds:,.0f} seconds {side} Salesforce's"
    return quoted


def _quote(errors: ErrorBody, redact: Redact) -> str:
    """Return Salesforce's text, redacted before it is shortened, so that no part of a secret is left."""
    return one_line(redact(one_line(redact(errors.text))), QUOTE_LENGTH)


def _summary(meaning: Meaning, operation: Operation | None, answer: Answer, detail: str) -> str:
    facts = [*([operation.value] if operation else []), *answer.facts()]
    shown = f" ({', '.join(facts)})" if facts else ""
    said = f": {detail}" if detail else ""
    sentence = f"{meaning.what}{shown}{said}"
    return sentence if sentence.endswith((".", "…", "!", "?")) else f"{sentence}."


# Jobs.


def _job_failure(errors: ErrorBody, known: frozenset[Fact]) -> tuple[Kind, Row | None]:
    """Classify a failed job; its message decides if it shows that the same query would fail again."""
    row = _row_for(Operation.CREATE_JOB, None, errors, known)
    action = row.action or MEANINGS[row.kind].action
    if row.kind is not Kind.UNEXPECTED:
        if action in {Action.SPLIT, Action.FAIL_STREAM, Action.STOP_RUN}:
            return row.kind, row
    elif len(errors.codes) > 1 and normal_code(errors.codes[0]) in _BAD_QUERY:
        return Kind.QUERY_REFUSED, None
    return next((kind for pattern, kind in JOB_MESSAGES if pattern.search(errors.text)), Kind.JOB_FAILED), None
