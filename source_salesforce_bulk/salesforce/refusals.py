r"""Find the names in an error message that are also in the refused query. Names do not depend on the language.

A message of the SOQL compiler quotes a part of the statement, marks a position in it and says what is wrong there:

    FROM ActivityFieldHistory WHERE SystemModstamp >= 2017-01-01T00:00:00Z
                                    ^
    ERROR at Row:1:Column:286
    field 'SystemModstamp' can not be filtered in a query call

Only the marked name of the quoted part is used, because the other fields are valid. Names are tried in this order: a
name in quotes, the marked name, and a name that cannot be an ordinary word. Only names in the query are used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from source_salesforce_bulk.salesforce.asked import Asked
from source_salesforce_bulk.salesforce.failure_evidence import Fact
from source_salesforce_bulk.salesforce.object_hints import NEEDS_FILTER
from source_salesforce_bulk.salesforce.soql import ObjectQuery, without_literals

# The rest of a longer message is ignored.
_LENGTH = 4000
# The position follows the caret: two numbers, with words of any language between them.
_PLACE = re.compile(r"\^[^\d^]{0,80}(\d{1,6})[^\d^]{1,40}(\d{1,6})")
_IDENTIFIER = re.compile(r"[A-Za-z]\w*(?:\.[A-Za-z]\w*)*", re.ASCII)
_QUOTED = re.compile("['\"‘’‚“”„«»‹›「『]\\s?([A-Za-z][A-Za-z0-9_.]{0,120})\\s?['\"‘’“”«»‹›」』]")
_CONDITION = re.compile(r"\b(?:WHERE|AND|OR|NOT)\b")
_SELECTION = re.compile(r"\bSELECT\b|,")
_SHARED_BY_PARENTS = frozenset({"task", "event"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """``field`` is the refused field, spelled as in the query; None if the message names none of its fields."""

    facts: frozenset[Fact]
    field: str | None = None


@dataclass(frozen=True, slots=True)
class _Mark:
    """The marked name in a message, whether it is in the conditions, and its index in the statement."""

    name: str | None = None
    in_conditions: bool | None = None
    place: int | None = None


def read_refusal(text: str, asked: Asked) -> Refusal:
    """Return the names and facts in a refusal of this query; empty if the request was not a query."""
    if asked.query is None:
        return Refusal(frozenset())
    question = _Question(asked.query, asked.soql)
    message = text[:_LENGTH]
    said = message.rpartition("^")[2]
    mark = question.mark(message)
    pointed_at = next(question.names_in([*_QUOTED.findall(said), *filter(None, [mark.name])]), None)
    named = pointed_at or next(question.names_in(_names_in(said)), None)
    facts = _query_facts(asked.query)
    facts |= {Fact.NAMES_OBJECT} if _has_word(said, asked.query.object_name) else set()
    facts |= {Fact.POINTS_AT_FIELD} if pointed_at else set()
    facts |= question.field_role(named, mark) if named else set()
    return Refusal(frozenset(facts), named)


def _query_facts(query: ObjectQuery) -> set[Fact]:
    name = query.object_name.lower()
    facts = {Fact.FILTERED if query.where else Fact.UNFILTERED}
    facts |= {Fact.SELECTS_FIELDS} if any(field.lower() != "id" for field in query.fields) else set()
    facts |= {Fact.WANTS_FILTER} if name in NEEDS_FILTER else set()
    return facts | ({Fact.SHARED_BY_PARENTS} if name in _SHARED_BY_PARENTS else set())


class _Question:
    """A query and the positions of its parts in the statement."""

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

    def mark(self, message: str) -> _Mark:
        """Return the marked name, from the quoted part of the statement, else from the position's numbers.

        The numbers refer to the statement as Salesforce parsed it, so they are used only if the same name is there.
        """
        found = _PLACE.search(message)
        place = int(found[2]) - 1 if found and int(found[1]) == 1 else None
        name, in_conditions = _marked_piece(message)
        if place is None or not 0 <= place < len(self._soql):
            return _Mark(name, in_conditions)
        there = _identifier_at(self._soql, place)
        quoted = [quote.lower() for quote in _QUOTED.findall(message.rpartition("^")[2])]
        if there is None or (name or there).lower() != there.lower() or (quoted and there.lower() not in quoted):
            return _Mark(name, in_conditions)
        return _Mark(there, place >= self._conditions, place)

    def names_in(self, words: Iterable[str]) -> Iterator[str]:
        """Yield the query's fields among these words, spelled as in the query."""
        return filter(None, (self._known(name.strip(".")) for name in words))

    def field_role(self, name: str, mark: _Mark) -> set[Fact]:
        """Return the role of a field in the query. A field that is also a filter counts as a filter, because it exists.

        A mark at another field is ignored, because Salesforce may have rewritten the statement.
        """
        lower = name.lower()
        mark = mark if mark.name is not None and mark.name.lower() == lower else _Mark()
        twice = [field for field in self._fields if _bare(field) == _bare(name)]
        facts = {Fact.FIELD_TWICE} if len(twice) > 1 else set()
        if lower in self._selected and mark.in_conditions is False:
            return facts | {Fact.NAMES_FIELD}
        if mark.place is not None and mark.place >= self._own:
            return facts | {Fact.NAMES_WHERE}
        if self._cursor is not None and lower == self._cursor.lower():
            return facts | {Fact.NAMES_CURSOR}
        return facts | {Fact.NAMES_WHERE if lower in self._where else Fact.NAMES_FIELD}

    def _known(self, name: str) -> str | None:
        lower = name.lower()
        if self._cursor is not None and lower == self._cursor.lower():
            return self._cursor
        return self._selected.get(lower) or self._where.get(lower)


def _marked_piece(message: str) -> tuple[str | None, bool | None]:
    """Return the name above the caret in the quoted part, and whether it is in the conditions."""
    lines = message.split("\n")
    for piece, below in pairwise(lines):
        if below.strip() == "^":
            at = below.index("^")
            before = piece[:at].upper()
            in_conditions = _CONDITION.search(before) is not None
            return _identifier_at(piece, at), in_conditions or (None if not _SELECTION.search(before) else False)
    return None, None


def _identifier_at(text: str, at: int) -> str | None:
    begin = min(at, len(text))
    while begin and (text[begin - 1].isalnum() or text[begin - 1] in "_."):
        begin -= 1
    found = _IDENTIFIER.match(text, begin)
    return found[0] if found else None


def _names_in(message: str) -> Iterator[str]:
    """Yield possible unquoted field names: words that are no ordinary words, and a single word after the last colon."""
    yield from filter(_is_no_word, _IDENTIFIER.findall(message))
    last = message.rpartition(":")[2].split()
    if len(last) == 1:
        yield last[0]


def _is_no_word(name: str) -> bool:
    """Return whether a name cannot be an ordinary word: it has an underscore, a dot, or a capital inside.

    >>> [name for name in ("field", "Name", "SystemModstamp", "Gone__c", "NAME") if _is_no_word(name)]
    ['SystemModstamp', 'Gone__c']
    """
    inner = name[1:]
    return "_" in name or "." in name.strip(".") or (inner != inner.lower() and not name.isupper())


def _bare(name: str) -> str:
    """Return a field's name without case and namespace: ``npsp__Batch__c`` and ``BATCH__C`` are ``batch__c``."""
    parts = name.lower().split("__")
    return "__".join(parts[-2:]) if len(parts) > 2 else name.lower()


def _has_word(text: str, word: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(word)}(?![\w])", text) is not None
