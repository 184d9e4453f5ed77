"""Build SOQL for Bulk API 2.0, and check the conditions that a user writes.

A job's query never has ORDER BY or LIMIT: both switch off Salesforce's PK chunking and lead to timeouts
(Bulk API guide, "Troubleshooting Query Timeouts").

Names and a ``where`` are inserted unchanged: names are checked when a describe response is parsed, a ``where`` when
the configuration is parsed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_FIELDS_SHOWN = 2


@dataclass(frozen=True, slots=True)
class Bounds:
    """A window: ``start <= cursor < end`` and ``id_from <= Id < id_to``. None means no bound.

    ``only`` is a condition of the window's own; its rows meet it, too.
    """

    start: datetime | None
    end: datetime | None
    id_from: str | None
    id_to: str | None
    only: str | None = None

    def __str__(self) -> str:
        """Return the window as text, for logs and reports."""
        parts = [
            *([f"from {format_instant(self.start)}"] if self.start else []),
            *([f"to {format_instant(self.end)}"] if self.end else []),
            *([f"Id from {self.id_from}"] if self.id_from else []),
            *([f"Id below {self.id_to}"] if self.id_to else []),
            *(["some of them"] if self.only else []),
        ]
        return ", ".join(parts) or "all rows"


@dataclass(frozen=True, slots=True)
class ObjectQuery:
    """The query of one object, without its window.

    ``operation`` is ``query`` or ``queryAll``; ``where`` is the user's filter; ``exclude_deleted`` excludes
    soft-deleted rows from a ``queryAll``.
    """

    object_name: str
    fields: tuple[str, ...]
    operation: str
    cursor_field: str | None = None
    cursor_nillable: bool = False
    where: str | None = None
    exclude_deleted: bool = False


def build_soql(query: ObjectQuery, bounds: Bounds) -> str:
    """Build the query of one window, with its fields in the given order.

    If the cursor may be null, the window without a lower bound also selects the rows whose cursor is null.
    """
    return select(query.fields, query.object_name, conditions_of(query, bounds))


def conditions_of(query: ObjectQuery, bounds: Bounds) -> list[str]:
    """Return the conditions of a window's rows, to be joined by AND."""
    conditions = [*_cursor_conditions(query, bounds), *_id_conditions(bounds)]
    if bounds.only:
        conditions.append(f"({bounds.only})")
    if query.exclude_deleted:
        conditions.append("IsDeleted = false")
    if query.where:
        conditions.append(f"({query.where})")
    return conditions


def select(fields: Sequence[str], object_name: str, conditions: Sequence[str]) -> str:
    """Return a SELECT of rows that meet every condition."""
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {', '.join(fields)} FROM {object_name}{where}"  # noqa: S608 - see above


def abridged(soql: str) -> str:
    """Return a query with a shortened list of fields, for a log line.

    >>> abridged("SELECT Id, Name, Phone, Fax FROM Account WHERE Id > '001'")
    "SELECT Id, Name and 2 more fields FROM Account WHERE Id > '001'"
    """
    selected, from_, rest = soql.removeprefix("SELECT ").partition(" FROM ")
    fields = selected.split(", ")
    more = len(fields) - _FIELDS_SHOWN
    shown = ", ".join(fields[:_FIELDS_SHOWN]) + (f" and {more} more fields" if more > 0 else "")
    return f"SELECT {shown}{from_}{rest}"


def query_hash(soql: str, operation: str) -> str:
    """Return the hash of a job's query: jobs with the same hash have the same query."""
    return "sha256:" + hashlib.sha256(f"{operation}\n{soql}".encode()).hexdigest()


def format_instant(instant: datetime) -> str:
    """Format an instant as in Bulk results and SOQL, in UTC with milliseconds; raises ValueError without a time zone.

    >>> format_instant(datetime(2026, 11, 23, 2, tzinfo=UTC))
    '2026-11-23T02:00:00.000Z'
    """
    if instant.tzinfo is None:
        # astimezone would interpret it as this machine's local time.
        raise ValueError("an instant needs a time zone")
    utc = instant.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z" if utc.year >= 1000 else _early(utc)


def parse_instant(text: str) -> datetime:
    """Parse an ISO 8601 instant with a zone (``Z``, ``+0000`` or ``+00:00``) to UTC; raises ValueError for other text.

    >>> parse_instant("2020-10-22T21:03:23.000+0000").isoformat()
    '2020-10-22T21:03:23+00:00'
    """
    if not _INSTANT.fullmatch(text):
        raise ValueError("not an instant")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("not an instant") from error


def check_name(text: str) -> str:
    """Return ``text`` if it can be the API name of an object or field, or a path of them; else raise ValueError."""
    if not _NAME.fullmatch(text):
        raise ValueError("is not an API name: letters, digits and underscores, beginning with a letter")
    return text


def check_where(text: str) -> str:
    """Return ``text`` if it can be used in parentheses after WHERE; else raise ValueError with a sentence.

    Outside text literals, clauses that change the result of the whole query are refused, and so is an unbalanced
    parenthesis.
    """
    bare = without_literals(text)
    if not bare.strip():
        raise ValueError("is empty; write a condition such as StageName = 'Closed Won', or leave where out")
    clause = _CLAUSE.search(bare)
    if clause:
        raise ValueError(f"contains {' '.join(clause[0].upper().split())}; write the condition alone")
    if _WHERE.match(bare):
        raise ValueError("begins with WHERE; write the condition alone")
    if _END.search(bare):
        raise ValueError("contains ; or a comment; write the condition alone")
    if _OTHER_QUOTE.search(bare):
        raise ValueError("has a quote that SOQL does not know; put text in straight single quotes, like 'this'")
    depth = 0
    for character in bare:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:
            break
    if depth != 0:
        raise ValueError("has a parenthesis without its partner")
    return text.strip()


_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:Z|[+-]\d{2}:?\d{2})", re.ASCII
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z]\w*(?:\.[A-Za-z]\w*)*", re.ASCII)
# Matches to the closing quote or to the end of the text, so that matching stays linear.
_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*(?:(?P<closed>')|\\?\Z)", re.DOTALL)
_CLAUSE = re.compile(
    r"\b(?:ORDER\s+BY|GROUP\s+BY|LIMIT|OFFSET|HAVING|WITH|USING\s+SCOPE|FOR\s+(?:VIEW|REFERENCE|UPDATE)|ALL\s+ROWS)\b",
    re.IGNORECASE,
)
_WHERE = re.compile(r"\s*WHERE\b", re.IGNORECASE)
_END = re.compile(r";|--|//|/\*|\*/")
_OTHER_QUOTE = re.compile('["`‘’“”]')


def _cursor_conditions(query: ObjectQuery, bounds: Bounds) -> list[str]:
    field, start, end = query.cursor_field, bounds.start, bounds.end
    if field is None:
        return []
    below = f"{field} < {format_instant(end)}" if end is not None else None
    if start is not None:
        return [f"{field} >= {format_instant(start)}"] + ([below] if below else [])
    if below is None:
        return []
    return [f"({below} OR {field} = null)"] if query.cursor_nillable else [below]


def _id_conditions(bounds: Bounds) -> list[str]:
    lower = [f"Id >= '{bounds.id_from}'"] if bounds.id_from is not None else []
    upper = [f"Id < '{bounds.id_to}'"] if bounds.id_to is not None else []
    return lower + upper


def without_literals(text: str) -> str:
    """Return a condition with its text literals empty; raises ValueError for a quote without its partner.

    >>> without_literals("Name = 'x' AND Age__c > 5")
    "Name = '' AND Age__c > 5"
    """
    return _LITERAL.sub(_without_content, text)


def _without_content(literal: re.Match[str]) -> str:
    if literal["closed"] is None:
        raise ValueError("has a quote without its partner")
    return "''"


def _early(utc: datetime) -> str:
    """Format an instant before the year 1000, which ``strftime`` does not pad on every platform."""
    return f"{utc.year:04d}-{utc:%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
