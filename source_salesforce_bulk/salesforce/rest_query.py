"""The synchronous queries for a page of the REST lane, and the parsing of their answers. Pure.

A page has at most ``rows`` rows after the last Id of the previous page, in the order of their Ids. So an object can be
read without the org's query cursors, which expire after two days: only the Id of the last row is stored. If an answer
has several batches, its ``nextRecordsUrl`` is followed to the end.

Objects whose rows have no Ids are one page, and so are the rows of a batch of parents (``Parents``).

A query is part of its request's URL, which may have 16,384 bytes. If an object has too many fields for that, they are
queried in portions, and rows are merged by their Ids. Key and cursor are in every portion, so that a row that changes
between two queries is noticed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote_plus

from source_salesforce_bulk.salesforce.ids import id_18, is_id
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery, build_soql, conditions_of, select
from source_salesforce_bulk.salesforce.wire import UnreadableBody, whole_number

ROWS_IN_ONE_ANSWER = 2_000
"""Maximum rows of one batch (REST API Developer Guide, "Query Options Header")."""

VALUES_IN_ONE_PAGE = 200_000
"""Approximate maximum of values in a page. Answers are parsed in memory, where each value takes about 100 bytes."""

PARENTS_IN_ONE_QUERY = 200
"""Parents in one query for children: their Ids take 5,000 characters of its URL."""

IDS_IN_ONE_QUERY = 400
"""Rows in one query for rows by their Ids: these take 11,200 characters of its URL."""

_ADDRESS_LENGTH = 12_000
"""Maximum characters of a query in a URL; the rest of the 16,384 bytes is for the token and other headers."""

_ID = "Id"


@dataclass(frozen=True, slots=True)
class Parents:
    """The parents of an object whose rows Salesforce returns only by their parents.

    The child's ``field`` contains the ``key`` of a row of one of ``objects``.
    """

    field: str
    objects: tuple[str, ...]
    key: str = _ID


@dataclass(frozen=True, slots=True)
class RestQuestion:
    """The query for a window's pages. ``keyed``: the rows have Ids and are read in their order.

    ``parents``: the rows are queried by their parents, a batch at a time. ``rows`` is the maximum number in a page;
    only a ``limited`` query has it as its LIMIT.
    """

    query: ObjectQuery
    bounds: Bounds
    rows: int
    keyed: bool = True
    parents: Parents | None = None
    limited: bool = True

    def soql(self, after: str | None) -> tuple[str, ...]:
        """Return the queries for the page after the Id ``after``; more than one if the fields do not fit into one."""
        conditions = conditions_of(self.query, self.bounds)
        if self.keyed and after is not None:
            conditions.append(f"Id > '{after}'")
        return tuple(self._query(fields, conditions) for fields in self._portions(conditions))

    def children(self, keys: Sequence[str]) -> str:
        """Return the query for the children of these parents, without other conditions, which most of them refuse."""
        assert self.parents is not None
        listed = ", ".join(map(_literal, keys))
        return select(self._with_id(self.query.fields), self.query.object_name, [f"{self.parents.field} IN ({listed})"])

    def parents_after(self, name: str, after: str | None) -> str:
        """Return the query for the keys of the next parents of one object."""
        assert self.parents is not None
        key = self.parents.key
        behind = [f"{key} > {_literal(after)}"] if after is not None else []
        return f"{select([key], name, behind)} ORDER BY {key} LIMIT {ROWS_IN_ONE_ANSWER}"

    def _query(self, fields: Sequence[str], conditions: Sequence[str]) -> str:
        order = " ORDER BY Id" if self.keyed else ""
        limit = f" LIMIT {self.rows}" if self.limited else ""
        return select(fields, self.query.object_name, conditions) + order + limit

    def _portions(self, conditions: Sequence[str]) -> Iterator[tuple[str, ...]]:
        always = self._with_id((self.query.cursor_field,) if self.query.cursor_field else ())
        fixed = _length(self._query(always, conditions))
        portion, length = list(always), fixed
        known = {name.lower() for name in always}
        for name in self.query.fields:
            if name.lower() in known:
                continue
            longer = _length(f", {name}")
            if self.keyed and length + longer > _ADDRESS_LENGTH and len(portion) > len(always):
                yield tuple(portion)
                portion, length = list(always), fixed
            portion.append(name)
            length += longer
        yield tuple(portion)

    def _with_id(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the fields with the Id, which identifies rows, if they have one."""
        if not self.keyed or any(name.lower() == _ID.lower() for name in names):
            return tuple(names)
        return (_ID, *names)


@dataclass(frozen=True, slots=True)
class Batch:
    """One answer of a query. ``further`` is the path of the next batch; None in the last."""

    records: tuple[Mapping[str, object], ...]
    total: int
    further: str | None

    @classmethod
    def from_json(cls, payload: object) -> Batch:
        """Read an answer; raises :class:`UnreadableBody` if it lacks its size, or whether it is the last."""
        if not isinstance(payload, Mapping):
            raise UnreadableBody("the answer is not a query's")
        records, done, further = payload.get("records"), payload.get("done"), payload.get("nextRecordsUrl")
        total = whole_number(payload.get("totalSize"))
        if not isinstance(records, list) or total is None or not isinstance(done, bool):
            raise UnreadableBody("the answer is not a query's")
        if not all(isinstance(record, Mapping) for record in records):
            raise UnreadableBody("an entry of the answer is not a record")
        if not done and not (isinstance(further, str) and further.startswith("/services/data/")):
            raise UnreadableBody("the answer is not the last one and does not name the next one")
        return cls(tuple(records), total, None if done else str(further))


def rows_of_a_page(page_size: int, fields: int) -> int:
    """Return the maximum number of rows of a page: fewer for wide objects, at least 200.

    >>> rows_of_a_page(50_000, 20), rows_of_a_page(50_000, 500), rows_of_a_page(100, 20)
    (2000, 400, 100)
    """
    return min(page_size, ROWS_IN_ONE_ANSWER, max(200, VALUES_IN_ONE_PAGE // max(1, fields)))


def record_id(record: Mapping[str, object]) -> str | None:
    """Return the Id of a record; None if it has none.

    >>> record_id({"Id": "001A0000006Vm9rIAC"}), record_id({"Name": "x"})
    ('001A0000006Vm9rIAC', None)
    """
    value = record.get(_ID, record.get(_ID.lower()))
    return value if isinstance(value, str) and is_id(value) else None


def query_of_ids(query: ObjectQuery, ids: Collection[str]) -> str:
    """Return the query for those of at most :data:`IDS_IN_ONE_QUERY` rows that its object has."""
    listed = ", ".join(_literal(one) for one in sorted(ids))
    return build_soql(query, Bounds(None, None, None, None, only=f"Id IN ({listed})"))


def ids_among(ids: Collection[str], payload: object) -> frozenset[str]:
    """Return the Ids in the answer of :func:`query_of_ids`; raises :class:`UnreadableBody` if it is not complete."""
    batch = Batch.from_json(payload)
    found = frozenset(id_18(one) for one in map(record_id, batch.records) if one is not None)
    if batch.further is not None or len(found) != batch.total or not found <= set(ids):
        raise UnreadableBody("the answer does not have the rows that were asked for")
    return found


def _literal(text: str) -> str:
    """Return a text as a SOQL literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _length(text: str) -> int:
    return len(quote_plus(text))
