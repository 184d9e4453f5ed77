"""What there is to judge a refusal by, and the form of a row that judges it.

Codes are compared without case and underscores: Bulk API 2.0 reuses Bulk 1.0's CamelCase names in upper case
(``InvalidJobState``, ``INVALIDJOBSTATE``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from source_salesforce_bulk.salesforce.failure_kinds import Action, Kind
from source_salesforce_bulk.salesforce.wire import Operation


class Fact(Enum):
    """What is known in any language: of the question that was asked, and of the names that the answer repeats.

    Where the question is not known, none of its facts holds, nor does its opposite.
    """

    SELECTS_FIELDS = auto()
    """The query selects more than the Id, which every object can return."""
    WANTS_FILTER = auto()
    """The object is one that Salesforce returns only with a filter on particular fields."""
    FILTERED = auto()
    """The user has written a ``where`` for the object."""
    UNFILTERED = auto()
    """The user has written none: whatever is in the statement, this connector has put there."""
    NAMES_CURSOR = auto()
    """The answer names the cursor, by which the statement filters."""
    NAMES_WHERE = auto()
    """The answer names a field that stands in the user's ``where``."""
    NAMES_FIELD = auto()
    """The answer names a field of the SELECT list."""
    POINTS_AT_FIELD = auto()
    """The answer marks a field in the statement, or puts it in quotes."""
    NAMES_OBJECT = auto()
    """The answer names the object."""
    SHARED_BY_PARENTS = auto()
    """The object's rows are shared by their parents: a user without View All Data has them checked one by one."""
    FIELD_TWICE = auto()
    """The field that the answer names is selected twice, where case and namespaces do not count."""
    REFRESH_TOKEN = auto()
    CLIENT_CREDENTIALS = auto()
    JWT_BEARER = auto()
    CLOCK_WRONG = auto()
    """This machine's clock and the answer's ``Date`` are further apart than an assertion lives."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an answer shows: ``codes`` in normal form, ``text`` its words (of a redirect: its target).

    A 2xx gets here only when its body is not what the operation expects.
    """

    operation: Operation
    status: int | None
    codes: frozenset[str]
    text: str
    facts: frozenset[Fact] = frozenset()


@dataclass(frozen=True, slots=True)
class Row:
    """One row: every condition given must hold. ``action`` and ``guidance``, where given, overrule the kind's."""

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
        """Whether the evidence meets every condition."""
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
    """``InvalidJobState``, ``INVALID_JOB_STATE`` and ``INVALIDJOBSTATE`` are one code.

    >>> normal_code("Invalid_JobState")
    'INVALIDJOBSTATE'
    """
    return code.replace("_", "").upper()


def codes(words: str) -> frozenset[str]:
    """The codes in a list of words, in normal form."""
    return frozenset(normal_code(word) for word in words.split())


def statuses(*numbers: int | None) -> frozenset[int | None]:
    """A set of HTTP statuses; None stands for a job's last word, which has none."""
    return frozenset(numbers)


def facts(*known: Fact) -> frozenset[Fact]:
    """A set of facts."""
    return frozenset(known)


def text(pattern: str) -> re.Pattern[str]:
    """A pattern that a message is searched for, in any letter case."""
    return re.compile(pattern, re.IGNORECASE)
