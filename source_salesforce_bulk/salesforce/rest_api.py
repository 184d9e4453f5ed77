"""REST resources that are not Bulk: versions, describe, limits, record counts, the synchronous query.

Source: REST API Developer Guide, "Reference". Parsers take decoded JSON, ignore what they do not know, and raise
:class:`UnreadableBody` where the part they need is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from source_salesforce_bulk.salesforce.soql import check_name
from source_salesforce_bulk.salesforce.wire import ApiRequest, Operation, UnreadableBody, whole_number

_ROOT = "/services/data"
_VERSION = re.compile(r"\d{1,4}\.\d", re.ASCII)


# Requests


def versions() -> ApiRequest:
    """Ask which API versions the org has. It needs no session and counts against no limit."""
    return ApiRequest(Operation.VERSIONS, "GET", _ROOT, authenticated=False)


def sobjects(version: str) -> ApiRequest:
    """Ask for every object that the user may see (global describe)."""
    return ApiRequest(Operation.SOBJECTS, "GET", f"{_ROOT}/{version}/sobjects")


def describe(version: str, name: str) -> ApiRequest:
    """Ask what one object looks like."""
    path = f"{_ROOT}/{version}/sobjects/{quote(name, safe='')}/describe"
    return ApiRequest(Operation.DESCRIBE, "GET", path, object_name=name)


def limits(version: str) -> ApiRequest:
    """Ask what is left of the org's allowances; the user needs View Setup and Configuration."""
    return ApiRequest(Operation.LIMITS, "GET", f"{_ROOT}/{version}/limits")


def record_count(version: str, names: Sequence[str]) -> ApiRequest:
    """Ask for an estimate of how many rows these objects have. Their names stand in the URL."""
    path = f"{_ROOT}/{version}/limits/recordCount"
    return ApiRequest(Operation.RECORD_COUNT, "GET", path, params={"sObjects": ",".join(names)})


def query(version: str, soql: str, include_deleted: bool) -> ApiRequest:
    """Run a query synchronously, over soft-deleted and archived rows too where ``include_deleted`` says so."""
    resource = "queryAll" if include_deleted else "query"
    return ApiRequest(Operation.QUERY, "GET", f"{_ROOT}/{version}/{resource}", params={"q": soql})


# Answers


@dataclass(frozen=True, slots=True)
class ObjectListing:
    """What the global describe says of one object, as far as it decides. ``hidden`` is ``deprecatedAndHidden``.

    ``retrieveable`` is false of virtual objects, whose rows Salesforce computes when it is asked.
    """

    name: str
    queryable: bool
    hidden: bool = False
    retrieveable: bool = True


@dataclass(frozen=True, slots=True)
class Limit:
    """One allowance and what is left of it."""

    maximum: int
    remaining: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The daily allowances that this connector uses; None where the org does not report one."""

    api_requests: Limit | None
    query_jobs: Limit | None
    query_result_mb: Limit | None


def parse_versions(payload: object) -> tuple[str, ...]:
    """The org's API versions as they stand in paths, in the order given.

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
    """Every object of a global describe, in its order."""
    return tuple(_listing(entry) for entry in _entries(payload, "sobjects"))


def parse_limits(payload: object) -> Limits:
    """The allowances among an answer's many."""
    if not isinstance(payload, Mapping):
        raise UnreadableBody("the answer is not an object of limits")
    return Limits(
        api_requests=_limit(payload.get("DailyApiRequests")),
        query_jobs=_limit(payload.get("DailyBulkV2QueryJobs")),
        query_result_mb=_limit(payload.get("DailyBulkV2QueryFileStorageMB")),
    )


def parse_record_counts(payload: object) -> dict[str, int]:
    """Estimated rows by object; an object that Salesforce did not count is missing."""
    counts: dict[str, int] = {}
    for entry in _entries(payload, "sObjects"):
        name, count = entry.get("name"), whole_number(entry.get("count"))
        if isinstance(name, str) and count is not None:
            counts[name] = count
    return counts


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
    """What remains of a limit: nothing where it was overshot, which an org may report as less than nothing."""
    return 0 if isinstance(value, (int, float)) and value < 0 else whole_number(value)
