r"""What a refusal names of the query it refuses. Names stay as they are in every language; words do not.

A message of the SOQL compiler repeats a piece of the statement, marks a place in it and says what is wrong there:

    FROM ActivityFieldHistory WHERE SystemModstamp >= 2017-01-01T00:00:00Z
                                    ^
    ERROR at Row:1:Column:286
    field 'SystemModstamp' can not be filtered in a query call

The piece is skipped, because it names fields that nothing is wrong with. What counts is, in this order, a name in
quotes, the name at the marked place, and a name that cannot be an ordinary word. Only names that the query has count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from source_salesforce_bulk.salesforce.asked import Asked
from source_salesforce_bulk.salesforce.failure_evidence import Fact
from source_salesforce_bulk.salesforce.object_hints import NEEDS_FILTER
from source_salesforce_bulk.salesforce.soql import ObjectQuery, without_literals

# More of a message than this says nothing more.
_LENGTH = 4000
# The place stands behind the caret: two numbers, in whatever words.
_PLACE = re.compile(r"\^[^\d^]{0,80}(\d{1,6})[^\d^]{1,40}(\d{1,6})")
_IDENTIFIER = re.compile(r"[A-Za-z]\w*(?:\.[A-Za-z]\w*)*", re.ASCII)
_QUOTED = re.compile("['\"‘’‚“”„«»‹›「『]\\s?([A-Za-z][A-Za-z0-9_.]{0,120})\\s?['\"‘’“”«»‹›」』]")
_SHARED_BY_PARENTS = frozenset({"task", "event"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """``field`` is the field at fault, spelled as in the query; None where the message names none of its fields."""

    facts: frozenset[Fact]
    field: str | None = None


def read_refusal(text: str, asked: Asked) -> Refusal:
    """What is known of a refusal of this query; nothing where no query was asked."""
    if asked.query is None:
        return Refusal(frozenset())
    question = _Question(asked.query, asked.soql)
    message = text[:_LENGTH]
    said = message.rpartition("^")[2]
    place = question.place(message)
    marked = next(question.names_in(_QUOTED.findall(said)), None) or question.name_at(place)
    named = marked or next(question.names_in(_names_in(said)), None)
    facts = _facts_of(asked.query)
    facts |= {Fact.NAMES_OBJECT} if _has_word(said, asked.query.object_name) else set()
    facts |= {Fact.POINTS_AT_FIELD} if marked else set()
    facts |= question.role_of(named, place) if named else set()
    return Refusal(frozenset(facts), named)


def _facts_of(query: ObjectQuery) -> set[Fact]:
    name = query.object_name.lower()
    facts = {Fact.FILTERED if query.where else Fact.UNFILTERED}
    facts |= {Fact.SELECTS_FIELDS} if any(field.lower() != "id" for field in query.fields) else set()
    facts |= {Fact.WANTS_FILTER} if name in NEEDS_FILTER else set()
    return facts | ({Fact.SHARED_BY_PARENTS} if name in _SHARED_BY_PARENTS else set())


class _Question:
    """A query, and where in its statement its parts stand."""

    def __init__(self, query: ObjectQuery, soql: str) -> None:
        self._soql = soql
        self._selected = {name.lower(): name for name in reversed(query.fields)}
        self._fields = query.fields
        self._conditions = max(soql.find(" FROM "), 0)
        own = f"({query.where})" if query.where else ""
        self._own = soql.rfind(own) if own and own in soql else len(soql)
        conditions = soql[self._conditions : self._own]
        cursor = query.cursor_field
        self._cursor = cursor if cursor and _has_word(conditions, cursor) else None
        where = without_literals(query.where or "")
        self._where = {name.lower(): name for name in _IDENTIFIER.findall(where)}

    def place(self, message: str) -> int | None:
        """The index in the statement that the message marks."""
        found = _PLACE.search(message)
        place = int(found[2]) - 1 if found and int(found[1]) == 1 else -1
        return place if 0 <= place < len(self._soql) else None

    def name_at(self, place: int | None) -> str | None:
        """The field at an index of the statement."""
        if place is None:
            return None
        begin = place
        while begin and (self._soql[begin - 1].isalnum() or self._soql[begin - 1] in "_."):
            begin -= 1
        found = _IDENTIFIER.match(self._soql, begin)
        return self._known(found[0]) if found else None

    def names_in(self, words: Iterable[str]) -> Iterator[str]:
        """The query's fields among these words, spelled as in the query."""
        return filter(None, (self._known(name.strip(".")) for name in words))

    def role_of(self, name: str, place: int | None) -> set[Fact]:
        """The part that a field has in the query: a filter if it is one, as describe has just shown that it exists.

        A place at which another field stands says nothing: the statement may have been rewritten.
        """
        place = place if self.name_at(place) == self._known(name) else None
        twice = [one for one in self._fields if _bare(one) == _bare(name)]
        facts = {Fact.FIELD_TWICE} if len(twice) > 1 else set()
        selected, in_select = name.lower() in self._selected, place is not None and place < self._conditions
        if selected and in_select:
            return facts | {Fact.NAMES_FIELD}
        if place is not None and place >= self._own:
            return facts | {Fact.NAMES_WHERE}
        if self._cursor is not None and name.lower() == self._cursor.lower():
            return facts | {Fact.NAMES_CURSOR}
        return facts | {Fact.NAMES_WHERE if name.lower() in self._where else Fact.NAMES_FIELD}

    def _known(self, name: str) -> str | None:
        lower = name.lower()
        if self._cursor is not None and lower == self._cursor.lower():
            return self._cursor
        return self._selected.get(lower) or self._where.get(lower)


def _names_in(message: str) -> Iterator[str]:
    """What may be a field's name without quotes: what can be no word, and a single word behind the last colon."""
    yield from filter(_is_no_word, _IDENTIFIER.findall(message))
    last = message.rpartition(":")[2].split()
    if len(last) == 1:
        yield last[0]


def _is_no_word(name: str) -> bool:
    """Whether a name can be no ordinary word: it has an underscore, a point, or a capital inside.

    >>> [name for name in ("field", "Name", "SystemModstamp", "Gone__c", "NAME") if _is_no_word(name)]
    ['SystemModstamp', 'Gone__c']
    """
    inner = name[1:]
    return "_" in name or "." in name.strip(".") or (inner != inner.lower() and not name.isupper())


def _bare(name: str) -> str:
    """A field's name without case and namespace: ``npsp__Batch__c`` and ``BATCH__C`` are ``batch__c``."""
    parts = name.lower().split("__")
    return "__".join(parts[-2:]) if len(parts) > 2 else name.lower()


def _has_word(text: str, word: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(word)}(?![\w])", text) is not None
