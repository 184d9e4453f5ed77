"""REST resources other than Bulk API: versions, describe, limits, record counts, deleted rows, queries.

Source: REST API Developer Guide, "Reference". Parsers take decoded JSON, ignore unknown keys, and raise
:class:`UnreadableBody` if a required part is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from source_salesforce_bulk.salesforce.ids import id_18
from source_salesforce_bulk.salesforce.soql import check_name, parse_instant
from source_salesforce_bulk.salesforce.wire import ApiRequest, Operation, UnreadableBody, whole_number

_ROOT = "/services/data"
_VERSION = re.compile(r"\d{1,4}\.\d", re.ASCII)


# Requests


def versions() -> ApiRequest:
    """Request the org's API versions. This needs no session and counts against no limit."""
    return ApiRequest(Operation.VERSIONS, "GET", _ROOT, authenticated=False)


def sobjects(version: str) -> ApiRequest:
    """Request all objects that the user can see (global describe)."""
    return ApiRequest(Operation.SOBJECTS, "GET", f"{_ROOT}/{version}/sobjects")


def describe(version: str, name: str) -> ApiRequest:
    """Request the description of one object."""
    path = f"{_ROOT}/{version}/sobjects/{quote(name, safe='')}/describe"
    return ApiRequest(Operation.DESCRIBE, "GET", path, object_name=name)


def limits(version: str) -> ApiRequest:
    """Request the org's limits; the user needs View Setup and Configuration."""
    return ApiRequest(Operation.LIMITS, "GET", f"{_ROOT}/{version}/limits")


def record_count(version: str, names: Sequence[str]) -> ApiRequest:
    """Request estimated row counts of these objects. Their names are part of the URL."""
    path = f"{_ROOT}/{version}/limits/recordCount"
    return ApiRequest(Operation.RECORD_COUNT, "GET", path, params={"sObjects": ",".join(names)})


def query(version: str, soql: str, include_deleted: bool) -> ApiRequest:
    """Run a query synchronously; with ``include_deleted`` also over soft-deleted and archived rows."""
    resource = "queryAll" if include_deleted else "query"
    return ApiRequest(Operation.QUERY, "GET", f"{_ROOT}/{version}/{resource}", params={"q": soql})


def query_more(path: str) -> ApiRequest:
    """Ask for the batch behind another one, by the path that its answer names."""
    return ApiRequest(Operation.QUERY, "GET", path)


def deleted(version: str, name: str, start: datetime, end: datetime) -> ApiRequest:
    """Request the Ids of the rows that were deleted between two whole minutes in UTC, ``end`` excluded."""
    path = f"{_ROOT}/{version}/sobjects/{quote(name, safe='')}/deleted/"
    span = {key: f"{minute:%Y-%m-%dT%H:%M:%SZ}" for key, minute in (("start", start), ("end", end))}
    return ApiRequest(Operation.DELETED, "GET", path, params=span, object_name=name)


def blob(version: str, object_name: str, record_id: str, field: str) -> ApiRequest:
    """Request the bytes of a binary field of one row. They must not be compressed, so that their size can be checked.

    Source: REST API Developer Guide, "sObject Blob Get".
    """
    path = f"{_ROOT}/{version}/sobjects/{quote(object_name, safe='')}/{quote(record_id, safe='')}/{field}"
    headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
    return ApiRequest(Operation.BLOB, "GET", path, headers=headers, object_name=object_name)


# Answers


@dataclass(frozen=True, slots=True)
class ObjectListing:
    """The relevant properties of one object in the global describe. ``hidden`` is ``deprecatedAndHidden``.

    ``retrieveable`` is false for virtual objects, whose rows Salesforce computes on request.
    """

    name: str
    queryable: bool
    hidden: bool = False
    retrieveable: bool = True


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit and its remaining part."""

    maximum: int
    remaining: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The daily limits that this connector uses; None for a limit that the org does not report."""

    api_requests: Limit | None
    query_jobs: Limit | None
    query_result_mb: Limit | None


@dataclass(frozen=True, slots=True)
class DeletedRows:
    """An answer of the log of deletions: Ids of 18 characters, and up to when they are complete.

    ``earliest`` is the time from which on the log has entries; None if the answer does not name it.
    """

    ids: frozenset[str]
    covered: datetime
    earliest: datetime | None


def parse_versions(payload: object) -> tuple[str, ...]:
    """Return the org's API versions as used in paths, in the given order.

    >>> parse_versions([{"label": "Winter '27", "url": "/services/data/v66.0", "version": "66.0"}])
    ('v66.0',)
    """
    if not isinstance(payload, list):
        raise UnreadableBody("the answer is not a list of versions")
    known = [entry.get("version") for entry in payload if isinstance(entry, Mapping)]
    found = tuple(f"v{version}" for version in known if isinstance(version, str) and _VERSION.fullmatch(version))
    if not found:
        raise UnreadableBody("the answer names no version")
    return found


def parse_sobjects(payload: object) -> tuple[ObjectListing, ...]:
    """Return every object of a global describe, in its order."""
    return tuple(_listing(entry) for entry in _entries(payload, "sobjects"))


def parse_limits(payload: object) -> Limits:
    """Return the relevant limits of a response."""
    if not isinstance(payload, Mapping):
        raise UnreadableBody("the answer is not an object of limits")
    return Limits(
        api_requests=_limit(payload.get("DailyApiRequests")),
        query_jobs=_limit(payload.get("DailyBulkV2QueryJobs")),
        query_result_mb=_limit(payload.get("DailyBulkV2QueryFileStorageMB")),
    )


def parse_record_counts(payload: object) -> dict[str, int]:
    """Return estimated rows by object; an object that Salesforce did not count is missing."""
    counts: dict[str, int] = {}
    for entry in _entries(payload, "sObjects"):
        name, count = entry.get("name"), whole_number(entry.get("count"))
        if isinstance(name, str) and count is not None:
            counts[name] = count
    return counts


def parse_deleted(payload: object) -> DeletedRows:
    """Return the rows of an answer of the log of deletions, which may be in the recycle bin or gone."""
    records = [entry.get("id") for entry in _entries(payload, "deletedRecords")]
    known = payload if isinstance(payload, Mapping) else {}
    earliest = known.get("earliestDateAvailable")
    try:
        ids = frozenset(id_18(str(record_id)) for record_id in records)
        covered = parse_instant(str(known.get("latestDateCovered")))
        return DeletedRows(ids, covered, None if earliest is None else parse_instant(str(earliest)))
    except ValueError as error:
        raise UnreadableBody("an Id or a date of the answer is not one of Salesforce's") from error


def _entries(payload: object, key: str) -> Iterator[Mapping[str, object]]:
    entries = payload.get(key) if isinstance(payload, Mapping) else None
    if not isinstance(entries, list):
        raise UnreadableBody(f"the answer has no list of {key}")
    return (entry for entry in entries if isinstance(entry, Mapping))


def _listing(entry: Mapping[str, object]) -> ObjectListing:
    name = entry.get("name")
    try:
        checked = check_name(name if isinstance(name, str) else "")
    except ValueError as error:
        raise UnreadableBody("an object of the answer has no API name") from error
    return ObjectListing(
        name=checked,
        queryable=entry.get("queryable", True) is True,
        hidden=entry.get("deprecatedAndHidden") is True,
        retrieveable=entry.get("retrieveable") is not False,
    )


def _limit(value: object) -> Limit | None:
    if not isinstance(value, Mapping):
        return None
    maximum, remaining = whole_number(value.get("Max")), _left(value.get("Remaining"))
    return None if maximum is None or remaining is None else Limit(maximum, remaining)


def _left(value: object) -> int | None:
    """Return the remaining part of a limit, at least 0: an org may report a negative number if it was exceeded."""
    return 0 if isinstance(value, (int, float)) and value < 0 else whole_number(value)
