"""The evidence by which an error response is classified, and the rows of the classification tables.

Codes are compared without case and underscores, because Bulk API 2.0 reuses Bulk API 1.0's CamelCase names in upper
case (``InvalidJobState``, ``INVALIDJOBSTATE``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from source_salesforce_bulk.salesforce.failure_kinds import Action, Kind
from source_salesforce_bulk.salesforce.wire import Operation


class Fact(Enum):
    """Language-independent facts: about the request, and about the names that the response repeats.

    If the request is not known, neither its facts nor their opposites hold.
    """

    SELECTS_FIELDS = auto()
    """The query selects more than the Id, which every object can return."""
    WANTS_FILTER = auto()
    """Salesforce returns this object only with a filter on particular fields."""
    FILTERED = auto()
    """The user has configured a ``where`` for the object."""
    UNFILTERED = auto()
    """The user has not configured a ``where``, so the connector wrote the whole statement."""
    NAMES_CURSOR = auto()
    """The response names the cursor, by which the statement filters."""
    NAMES_WHERE = auto()
    """The response names a field in the user's ``where``."""
    NAMES_FIELD = auto()
    """The response names a field of the SELECT list."""
    POINTS_AT_FIELD = auto()
    """The response marks a field in the statement, or puts it in quotes."""
    NAMES_OBJECT = auto()
    """The response names the object."""
    SHARED_BY_PARENTS = auto()
    """Parents control access to the object's rows. Without View All Data, Salesforce checks each of them."""
    FIELD_TWICE = auto()
    """The field that the response names is selected twice, ignoring case and namespaces."""
    REFRESH_TOKEN = auto()
    CLIENT_CREDENTIALS = auto()
    JWT_BEARER = auto()
    CLOCK_WRONG = auto()
    """This machine's clock and the response's ``Date`` differ by more than the lifetime of an assertion allows."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence in a response: ``codes`` in normal form, ``text`` its message (for a redirect, its target).

    A 2xx response is classified only if its body is not what the operation expects.
    """

    operation: Operation
    status: int | None
    codes: frozenset[str]
    text: str
    facts: frozenset[Fact] = frozenset()


@dataclass(frozen=True, slots=True)
class Row:
    """One row: all its conditions must hold. ``action`` and ``guidance``, if given, override those of the kind."""

    name: str
    kind: Kind
    operations: frozenset[Operation] = frozenset(Operation)
    codes: frozenset[str] = frozenset()
    statuses: frozenset[int | None] = frozenset()
    facts: frozenset[Fact] = frozenset()
    but_not: frozenset[Fact] = frozenset()
    text: re.Pattern[str] | None = None
    without_code: bool = False
    action: Action | None = None
    guidance: str | None = None

    def fits(self, evidence: Evidence) -> bool:
        """Return whether the evidence meets every condition."""
        return (
            evidence.operation in self.operations
            and (not self.codes or not self.codes.isdisjoint(evidence.codes))
            and (not self.statuses or evidence.status in self.statuses)
            and self.facts <= evidence.facts
            and self.but_not.isdisjoint(evidence.facts)
            and (self.text is None or self.text.search(evidence.text) is not None)
            and not (self.without_code and evidence.codes)
        )


def normal_code(code: str) -> str:
    """Return a code without case and underscores, so that different spellings are equal.

    >>> normal_code("Invalid_JobState")
    'INVALIDJOBSTATE'
    """
    return code.replace("_", "").upper()


def codes(words: str) -> frozenset[str]:
    """Return the codes in a blank-separated list, in normal form."""
    return frozenset(normal_code(word) for word in words.split())


def statuses(*numbers: int | None) -> frozenset[int | None]:
    """Return a set of HTTP statuses; None stands for a job's final state, which has no status."""
    return frozenset(numbers)


def facts(*known: Fact) -> frozenset[Fact]:
    """Return a set of facts."""
    return frozenset(known)


def text(pattern: str) -> re.Pattern[str]:
    """Return a case-insensitive pattern to search messages for."""
    return re.compile(pattern, re.IGNORECASE)
