"""Request a page of the REST lane, verify it, and write it as Bulk would have sent it.

A page is valid if every answer names the next one or says that it is the last, and if there are as many rows as
``totalSize`` says. If rows have Ids, these must ascend from the end of the previous page, so that no row is repeated.
``rest_rows`` then writes it like any page of Bulk, and its readers see no difference.

Does not retry: ``fetch`` requests an invalid page again, as it does with Bulk's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from source_salesforce_bulk.pages.csv_page import PageRejected, PageTooLarge
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.pages.rest_rows import header_line, record_lines
from source_salesforce_bulk.salesforce import rest_api
from source_salesforce_bulk.salesforce.asked import Asked
from source_salesforce_bulk.salesforce.bulk_api import QUERY_ALL, PageHeaders
from source_salesforce_bulk.salesforce.failures import Kind, SalesforceError, unreadable_answer
from source_salesforce_bulk.salesforce.ids import id_15, is_empty_key
from source_salesforce_bulk.salesforce.rest_query import (
    PARENTS_IN_ONE_QUERY,
    ROWS_IN_ONE_ANSWER,
    Batch,
    RestQuestion,
    record_id,
)
from source_salesforce_bulk.salesforce.transport import Transport
from source_salesforce_bulk.salesforce.wire import ApiRequest, Operation, UnreadableBody, parse_json

Record = Mapping[str, object]
Write = Callable[[bytes], object]

_BETWEEN = ":"  # between a parent's object and its key, in the locator of a page that is read by parents


@dataclass(frozen=True, slots=True)
class RestAddress:
    """The page of ``question`` that follows ``locator`` (None: the first page), and its columns."""

    question: RestQuestion
    columns: tuple[Column, ...]
    locator: str | None
    version: str


class RestPages:
    """Fetches pages of the REST lane. One instance serves every thread."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def send(self, address: RestAddress, write: Write) -> PageHeaders:
        """Pass the page to ``write`` in parts, in Bulk's form, and return headers that name the next page.

        Raises ``PageRejected`` if the answers are not valid, and the errors of ``transport``.
        """
        write(header_line(address.columns))
        if address.question.parents is not None:
            return self._by_parents(address, write)
        return self._by_ids(address, write) if address.question.keyed else self._as_a_whole(address, write)

    def _by_ids(self, address: RestAddress, write: Write) -> PageHeaders:
        """Write the rows after the locator. A full page is followed by another one, which may be empty."""
        question = address.question
        portions = []
        for soql in question.soql(address.locator):
            order = _Order(address.locator)
            portions.append([record for batch in self._batches(address, soql) for record in order.checked(batch)])
            if not portions[0]:
                break
        records = _merged(portions, question.query.cursor_field)
        write(record_lines(records, address.columns))
        full = question.limited and len(records) >= question.rows
        return PageHeaders(len(records), record_id(records[-1]) if full else None, last=not full)

    def _as_a_whole(self, address: RestAddress, write: Write) -> PageHeaders:
        """Write every row of an object without Ids, up to the limit of the question."""
        question, rows = address.question, 0
        queries = question.soql(None)
        for batch in self._batches(address, queries[0]):
            write(record_lines(batch, address.columns))
            rows += len(batch)
        return PageHeaders(rows, None, last=not question.limited or rows < question.rows)

    def _by_parents(self, address: RestAddress, write: Write) -> PageHeaders:
        """Write the children of the next parents, until there are any: a page without rows has no next page."""
        name, after = self._place(address)
        rows, seen = 0, set[str]()
        while True:
            keys = self._parents_after(address, name, after)
            for at in range(0, len(keys), PARENTS_IN_ONE_QUERY):
                soql = address.question.children(keys[at : at + PARENTS_IN_ONE_QUERY])
                for batch in self._batches(address, soql):
                    _check_once(batch, seen, keyed=address.question.keyed)
                    write(record_lines(batch, address.columns))
                    rows += len(batch)
            further = _next_parents(address.question, name, keys)
            if further is None:
                return PageHeaders(rows, None, last=True)
            if rows:
                return PageHeaders(rows, _BETWEEN.join(further), last=False)
            name, after = further[0], further[1] or None

    def _place(self, address: RestAddress) -> tuple[str, str | None]:
        parents = address.question.parents
        assert parents is not None
        if address.locator is None:
            return parents.objects[0], None
        name, _, after = address.locator.partition(_BETWEEN)
        if name not in parents.objects:
            raise PageRejected("the locator names an object that is not a parent")
        return name, after or None

    def _parents_after(self, address: RestAddress, name: str, after: str | None) -> list[str]:
        """Return the keys of the next parents, including deleted ones, whose children may still exist."""
        question, parents = address.question, address.question.parents
        assert parents is not None
        # A refusal of this query must not be explained by the child's fields.
        asking = replace(address, question=replace(question, query=replace(question.query, operation=QUERY_ALL)))
        soql = question.parents_after(name, after)
        keys = [_key_of(record, parents.key) for batch in self._batches(asking, soql) for record in batch]
        if after is not None and after in keys:
            raise PageRejected("a parent is repeated")
        return keys

    def _batches(self, address: RestAddress, soql: str) -> Iterator[Sequence[Record]]:
        """Yield the records of a query, answer by answer; their number must equal the first answer's ``totalSize``."""
        query = address.question.query
        asked = Asked(query, soql)
        everything = query.operation == QUERY_ALL and not (address.question.parents and query.exclude_deleted)
        request = rest_api.query(address.version, soql, include_deleted=everything)
        rows, total, used = 0, None, set[str]()
        while True:
            batch = self._answer(replace(request, object_name=query.object_name, asked=asked))
            total = batch.total if total is None else total
            rows += len(batch.records)
            if rows > total or batch.total != total:
                raise PageRejected(f"{rows} rows came where the answer says {total}")
            yield batch.records
            if batch.further is None:
                break
            if batch.further in used or not batch.records:
                raise PageRejected("the batches of the answer do not move on")
            used.add(batch.further)
            request = rest_api.query_more(batch.further)
        if rows != total:
            raise PageRejected(f"{rows} rows came where the answer says {total}")

    def _answer(self, request: ApiRequest) -> Batch:
        try:
            response = self._transport.call(request)
        except SalesforceError as error:
            if error.failure.kind is Kind.LOCATOR_REFUSED:
                raise PageRejected("the org does not continue the query, so it is sent again") from error
            raise
        try:
            return Batch.from_json(parse_json(response.body, digits=True))
        except UnreadableBody as error:
            raise SalesforceError(unreadable_answer(Operation.QUERY, response)) from error


@dataclass(slots=True)
class _Order:
    """Checks that the Ids of a page ascend from ``after``. Salesforce orders their first 15 characters as text."""

    after: str | None

    def checked(self, records: Sequence[Record]) -> Iterator[Record]:
        for record in records:
            found = record_id(record)
            if found is None:
                raise PageRejected("a record has no Id")
            if is_empty_key(found):
                raise PageTooLarge("its rows have no Ids, so they cannot be read in pages")
            if self.after is not None and id_15(found) <= id_15(self.after):
                raise PageRejected("a row is repeated or not in the order of Ids")
            self.after = found
            yield record


def _check_once(records: Sequence[Record], seen: set[str], *, keyed: bool) -> None:
    """Raise if a row is repeated, which cannot be, because the parents of a page are different."""
    for record in records if keyed else ():
        found = record_id(record)
        if found is None or found in seen:
            raise PageRejected("a record has no Id or is repeated")
        seen.add(found)


def _merged(portions: Sequence[Sequence[Record]], cursor: str | None) -> Sequence[Record]:
    """Merge the answers, which have different fields of the same rows."""
    if len(portions) == 1:
        return portions[0]
    marks = [[(record_id(row), row.get(cursor) if cursor else None) for row in portion] for portion in portions]
    if any(mark != marks[0] for mark in marks):
        raise PageRejected("rows changed between the queries for their fields")
    return [{key: value for record in row for key, value in record.items()} for row in zip(*portions, strict=True)]


def _key_of(record: Record, key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or not value:
        raise PageRejected(f"a parent has no {key}")
    return value


def _next_parents(question: RestQuestion, name: str, keys: Sequence[str]) -> tuple[str, str] | None:
    """Return the position of the next parents; None if there are none."""
    assert question.parents is not None
    if len(keys) >= ROWS_IN_ONE_ANSWER:
        return name, keys[-1]
    objects = question.parents.objects
    at = objects.index(name) + 1
    return (objects[at], "") if at < len(objects) else None
