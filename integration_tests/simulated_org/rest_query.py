"""The query resources of REST: `query`, `queryAll`, the batches after the first one, and the bytes of binary fields."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable
from typing import Any

from integration_tests.simulated_org.errors import API_ERRORS, NOT_FOUND, ApiError
from integration_tests.simulated_org.ids import simple_id, to_18
from integration_tests.simulated_org.org import Org
from integration_tests.simulated_org.rest_values import record
from integration_tests.simulated_org.routes import Call
from integration_tests.simulated_org.soql import CompiledQuery
from integration_tests.simulated_org.wire import Answer

_SMALLEST_BATCH, _LARGEST_BATCH = 200, 2_000
_BATCH_OPTION = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)


class QueryResources:
    """Handlers by request kind. A cursor keeps the records that its query found."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.handlers: dict[str, Callable[[Call], Awaitable[Answer]]] = {
            "query": self.query,
            "queryAll": self.query,
            "queryMore": self.query_more,
            "blob": self.blob,
        }

    async def query(self, call: Call) -> Answer:
        """`GET …/query?q=` and `…/queryAll?q=`: the first batch."""
        soql = call.query.get("q")
        if not soql:
            raise ApiError(400, "MALFORMED_QUERY", "unexpected token: <EOF>")
        compiled, rows = await asyncio.to_thread(self._select, soql, call)
        if compiled.count_only:
            return Answer.of_json(200, {"totalSize": int(rows[0][0] or 0), "done": True, "records": []})
        records = [record(compiled, row, call.version) for row in rows]
        cursor = simple_id("01g", "D0", self._org.cursors_made)
        self._org.cursors_made += 1
        self._org.cursors[cursor] = records
        return self._batch(cursor, 0, call)

    def _select(self, soql: str, call: Call) -> tuple[CompiledQuery, list[tuple[str | None, ...]]]:
        login = self._org.login_of(call.session)
        all_rows = call.kind == "queryAll"
        compiled = self._org.compile(soql, all_rows=all_rows, dialect="rest", with_extras=True, login=login)
        return compiled, self._org.select(compiled)

    async def query_more(self, call: Call) -> Answer:
        """`GET …/query/{cursor}-{row}`: a later batch, as often as it is asked for."""
        cursor, _, start = call.parts["cursor"].partition("-")
        if cursor not in self._org.cursors or not start.isdigit():
            raise API_ERRORS["INVALID_QUERY_LOCATOR"].api_error(None)
        return self._batch(cursor, int(start), call)

    def _batch(self, cursor: str, start: int, call: Call) -> Answer:
        records = self._org.cursors[cursor]
        stop = start + self._size(call)
        body: dict[str, Any] = {"totalSize": len(records), "done": stop >= len(records)}
        if not body["done"]:
            body["nextRecordsUrl"] = f"/services/data/v{call.version}/query/{cursor}-{stop}"
        return Answer.of_json(200, body | {"records": records[start:stop]})

    def _size(self, call: Call) -> int:
        """Return the rows of a batch: as the client wishes within 200 and 2,000, else as the org is set."""
        wished = _BATCH_OPTION.search(call.headers.get("Sforce-Query-Options", ""))
        if wished is None:
            return self._org.settings.rest_batch
        return min(max(int(wished[1]), _SMALLEST_BATCH), _LARGEST_BATCH)

    async def blob(self, call: Call) -> Answer:
        """`GET …/sobjects/{object}/{id}/{field}`: the bytes of a binary field."""
        login = self._org.login_of(call.session)
        declared = self._org.schema.find(call.parts["object"], login)
        field = declared.field(call.parts["field"]) if declared is not None else None
        identifier = to_18(call.parts["id"])
        if declared is None or field is None or field.kind != "base64" or identifier is None:
            raise NOT_FOUND.api_error(None)
        soql = f"SELECT {field.name} FROM {declared.name} WHERE Id = '{identifier}'"
        rows = await asyncio.to_thread(self._cells, soql, login, deleted=False)
        with_deleted = rows or await asyncio.to_thread(self._cells, soql, login, deleted=True)
        if with_deleted and not rows:
            raise ApiError(404, "ENTITY_IS_DELETED", "entity is deleted")
        if not rows or rows[0][0] is None:
            raise NOT_FOUND.api_error(None)
        return Answer(200, base64.b64decode(rows[0][0]), {"Content-Type": "application/octet-stream"})

    def _cells(self, soql: str, login: str | None, *, deleted: bool) -> list[tuple[str | None, ...]]:
        compiled = self._org.compile(soql, all_rows=deleted, dialect="rest", login=login)
        return self._org.store.select(compiled.sql, compiled.parameters)
