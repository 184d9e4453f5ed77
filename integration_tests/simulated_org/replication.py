"""getDeleted and getUpdated: the rows of an object that were deleted or changed between two minutes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from integration_tests.simulated_org.clock import csv_stamp, json_stamp, parse_stamp
from integration_tests.simulated_org.errors import API_ERRORS, NOT_FOUND, ApiError
from integration_tests.simulated_org.objects import SObject
from integration_tests.simulated_org.org import Org
from integration_tests.simulated_org.routes import Call
from integration_tests.simulated_org.wire import Answer

_DELETED_REACH, _UPDATED_REACH = timedelta(days=15), timedelta(days=30)
_SHORTEST_SPAN = timedelta(minutes=1)
_STAMPS = ("SystemModstamp", "LastModifiedDate", "CreatedDate")


class ReplicationResources:
    """Handlers by request kind."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.handlers: dict[str, Callable[[Call], Awaitable[Answer]]] = {
            "getDeleted": self.deleted,
            "getUpdated": self.updated,
        }

    async def deleted(self, call: Call) -> Answer:
        """`GET …/sobjects/{name}/deleted/?start=&end=`."""
        declared = self._replicateable(call)
        start, end = self._span(call, _DELETED_REACH)
        log, now = self._org.deletions, self._org.clock.now()
        log.keep_within(declared.name, self._org.settings.delete_log_rows, now)
        trimmed = log.trimmed_until(declared.name)
        if trimmed is not None and start < trimmed:
            raise _date_error("startDate is before earliestDateAvailable")
        moments = await asyncio.to_thread(self._moments, declared)
        found = sorted((moment, one) for one, moment in moments.items() if start <= moment < end)
        self._refuse_too_many(len(found))
        return Answer.of_json(
            200,
            {
                "deletedRecords": [{"id": one, "deletedDate": json_stamp(moment)} for moment, one in found],
                "earliestDateAvailable": json_stamp(_minute(trimmed or now - _DELETED_REACH)),
                "latestDateCovered": self._covered(end),
            },
        )

    async def updated(self, call: Call) -> Answer:
        """`GET …/sobjects/{name}/updated/?start=&end=`."""
        declared = self._replicateable(call)
        start, end = self._span(call, _UPDATED_REACH)
        ids = await asyncio.to_thread(self._changed, declared, start, end)
        self._refuse_too_many(len(ids))
        return Answer.of_json(200, {"ids": ids, "latestDateCovered": self._covered(end)})

    def _replicateable(self, call: Call) -> SObject:
        declared = self._org.schema.find(call.parts["object"], self._org.login_of(call.session))
        if declared is None:
            raise NOT_FOUND.api_error(None)
        if not (declared.queryable and declared.replicateable):
            raise ApiError(400, "INVALID_TYPE_FOR_OPERATION", f"object type {declared.name} is not replicateable")
        self._org.object(declared.name)
        return declared

    def _span(self, call: Call, reach: timedelta) -> tuple[datetime, datetime]:
        """Return the two minutes that are asked for; the API ignores seconds."""
        try:
            start, end = (_minute(parse_stamp(call.query[name])) for name in ("start", "end"))
        except (KeyError, ValueError) as error:
            raise ApiError(400, "INVALID_PARAMETER", "start and end must be ISO 8601 dates") from error
        if end - start < _SHORTEST_SPAN:
            raise _date_error("startDate must be before endDate by more than a minute")
        if start < _minute(self._org.clock.now() - reach):
            raise _date_error(f"startDate cannot be more than {reach.days} days ago")
        return start, end

    def _moments(self, declared: SObject) -> dict[str, datetime]:
        """Return every deleted row with its moment: of the log, and of the recycle bin as it was generated."""
        moments = self._org.deletions.moments(declared.name)
        stamp = _stamp(declared)
        if declared.field("IsDeleted") is None or stamp is None:
            return moments
        sql = f'SELECT "Id", "{stamp}" FROM "{declared.name}" WHERE "IsDeleted" = \'true\''
        trimmed = self._org.deletions.trimmed_until(declared.name)
        for one, text in self._org.store.select(sql):
            moment = parse_stamp(str(text))
            if one is not None and (trimmed is None or moment >= trimmed) and self._is_logged(declared):
                moments.setdefault(one, moment)
        return moments

    def _is_logged(self, declared: SObject) -> bool:
        return declared.name not in self._org.settings.unlogged_deletes

    def _changed(self, declared: SObject, start: datetime, end: datetime) -> list[str]:
        stamp = _stamp(declared)
        if stamp is None:
            return []
        sql = (
            f'SELECT "Id" FROM "{declared.name}" WHERE "IsDeleted" = \'false\' AND "{stamp}" >= ? AND "{stamp}" < ? '
            'ORDER BY "Id"'
        )
        return [str(row[0]) for row in self._org.store.select(sql, (csv_stamp(start), csv_stamp(end)))]

    def _refuse_too_many(self, count: int) -> None:
        if count > self._org.settings.replication_ids:
            raise API_ERRORS["EXCEEDED_ID_LIMIT"].api_error(None)

    def _covered(self, end: datetime) -> str:
        known = self._org.clock.now() - timedelta(seconds=self._org.settings.replication_lag)
        return json_stamp(_minute(min(end, known)))


def _stamp(declared: SObject) -> str | None:
    return next((name for name in _STAMPS if declared.field(name) is not None), None)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _date_error(message: str) -> ApiError:
    return ApiError(400, "INVALID_REPLICATION_DATE", message)
