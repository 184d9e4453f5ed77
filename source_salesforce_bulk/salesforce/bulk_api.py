"""Bulk API 2.0 query resources: building requests and parsing responses.

Source: Bulk API 2.0 and Bulk API Developer Guide, "Query" chapters. Create, poll and results must use one API version
(the results route answers 409 otherwise), so every builder takes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from urllib.parse import parse_qs, quote, urlsplit

from source_salesforce_bulk.salesforce.asked import Asked
from source_salesforce_bulk.salesforce.soql import ObjectQuery
from source_salesforce_bulk.salesforce.wire import ApiRequest, Operation, UnreadableBody, whole_number

QUERY = "query"
QUERY_ALL = "queryAll"


_JOB_ID = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
_LOCATOR = re.compile(r"[\x21-\x7e]{1,2000}", re.ASCII)


class JobState(Enum):
    """A query job's ``state``. An unknown state is UNKNOWN and counts as unfinished until the job's deadline."""

    UPLOAD_COMPLETE = "UploadComplete"
    IN_PROGRESS = "InProgress"
    JOB_COMPLETE = "JobComplete"
    FAILED = "Failed"
    ABORTED = "Aborted"
    UNKNOWN = "unknown"

    @property
    def finished(self) -> bool:
        """True if Salesforce has stopped working on the job."""
        return self in (JobState.JOB_COMPLETE, JobState.FAILED, JobState.ABORTED)


# The beta job event spells aborted as ``Abort``. States are compared without case and blanks.
_STATES = {state.value.lower(): state for state in JobState} | {"abort": JobState.ABORTED}


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A query job as Salesforce reports it. ``records_processed`` is None if the key is missing."""

    id: str
    state: JobState
    object_name: str | None = None
    operation: str | None = None
    records_processed: int | None = None
    error_message: str | None = None
    created_by: str | None = None

    @classmethod
    def from_json(cls, payload: object) -> JobInfo:
        """Parse the response to a create or info request; raises :class:`UnreadableBody` if it has no job id.

        A job's id is used in paths and log lines, so any other text is refused.
        """
        if not isinstance(payload, Mapping) or not is_job_id(payload.get("id")):
            raise UnreadableBody("the answer names no job")
        return cls(
            id=payload["id"],
            state=_STATES.get(str(payload.get("state", "")).replace(" ", "").lower(), JobState.UNKNOWN),
            object_name=_text(payload.get("object")),
            operation=_text(payload.get("operation")),
            records_processed=whole_number(payload.get("numberRecordsProcessed")),
            error_message=_text(payload.get("errorMessage")),
            created_by=_text(payload.get("createdById")),
        )


@dataclass(frozen=True, slots=True)
class PageHeaders:
    """The headers of a result page.

    ``rows`` is ``Sforce-NumberOfRecords``. ``locator`` names the next page; ``last`` is true if Salesforce sent
    ``null`` instead. If both are unset, the header was missing, empty or invalid, which does not prove the end.
    """

    rows: int | None
    locator: str | None
    last: bool

    @classmethod
    def from_http(cls, headers: Mapping[str, str]) -> PageHeaders:
        """Parse the headers, whose names must be in lower case."""
        locator = headers.get("sforce-locator", "").strip()
        last = locator.lower() == "null"
        return cls(
            rows=whole_number(headers.get("sforce-numberofrecords")),
            locator=locator if is_locator(locator) and not last else None,
            last=last,
        )


@dataclass(frozen=True, slots=True)
class PageList:
    """One response of the parallel results resource: the locators of some pages, in the order of the result.

    None among ``locators`` is the first page, if the org lists it without a locator. ``further`` is the path, with its
    query string, that lists the following pages; None at the end.
    """

    locators: tuple[str | None, ...]
    further: str | None

    @classmethod
    def from_json(cls, payload: object) -> PageList:
        """Parse a response, in any of the spellings that the guide uses; raises :class:`UnreadableBody`."""
        entries = payload.get("resultPages") if isinstance(payload, Mapping) else None
        if not isinstance(payload, Mapping) or not isinstance(entries, list):
            raise UnreadableBody("the answer lists no pages")
        urls = [_either(entry, "resultUrl", "resultLink") for entry in entries]
        further = _either(payload, "nextRecordsUrl", "nextRecordUrl")
        if None in urls:
            raise UnreadableBody("a page of the answer has no address")
        if further is None and payload.get("done") is False:
            raise UnreadableBody("the answer is not the last one and does not name the next one")
        return cls(
            tuple(_parse_locator(url) for url in urls if url is not None), _path_in_org(further) if further else None
        )


def is_job_id(value: object) -> bool:
    """Return whether a value can be a job's id: letters and digits, as in every Salesforce Id."""
    return isinstance(value, str) and _JOB_ID.fullmatch(value) is not None


def is_locator(value: object) -> bool:
    """Return whether a value can be a page's locator: printable ASCII without blanks, short enough for a URL."""
    return isinstance(value, str) and _LOCATOR.fullmatch(value) is not None


def create_job(version: str, soql: str, query: ObjectQuery) -> ApiRequest:
    """Create a query job whose result is comma-separated with LF line endings; ``soql`` is ``query`` for one window."""
    body = {"operation": query.operation, "query": soql}
    body |= {"contentType": "CSV", "columnDelimiter": "COMMA", "lineEnding": "LF"}
    asked = Asked(query, soql)
    name = query.object_name
    return ApiRequest(Operation.CREATE_JOB, "POST", _jobs(version), json=body, object_name=name, asked=asked)


def job_info(version: str, job_id: str, object_name: str) -> ApiRequest:
    """Request a job's state."""
    return ApiRequest(Operation.JOB_INFO, "GET", _job(version, job_id), object_name=object_name)


def results(version: str, job_id: str, locator: str | None, page_size: int | None, object_name: str) -> ApiRequest:
    """Request one result page, the first if ``locator`` is None.

    Every page is requested with the same ``maxRecords``, because the effect of changing it between pages is not
    documented. Pages that Salesforce has listed (:func:`result_pages`) have a fixed size and are requested without it.
    """
    params = ({"maxRecords": str(page_size)} if page_size else {}) | ({"locator": locator} if locator else {})
    path = f"{_job(version, job_id)}/results"
    return ApiRequest(Operation.RESULTS, "GET", path, params=params, object_name=object_name)


def result_pages(version: str, job_id: str, object_name: str, further: str | None = None) -> ApiRequest:
    """Request the list of a complete job's pages (API v58 and later), or its continuation at ``further``."""
    path = further or f"{_job(version, job_id)}/resultPages"
    return ApiRequest(Operation.RESULT_PAGES, "GET", path, object_name=object_name)


def abort_job(version: str, job_id: str, object_name: str) -> ApiRequest:
    """Stop an unfinished job."""
    path = _job(version, job_id)
    return ApiRequest(Operation.ABORT_JOB, "PATCH", path, json={"state": "Aborted"}, object_name=object_name)


def delete_job(version: str, job_id: str, object_name: str) -> ApiRequest:
    """Delete a finished job with its results."""
    return ApiRequest(Operation.DELETE_JOB, "DELETE", _job(version, job_id), object_name=object_name)


def _jobs(version: str) -> str:
    return f"/services/data/{version}/jobs/query"


def _job(version: str, job_id: str) -> str:
    return f"{_jobs(version)}/{quote(job_id, safe='')}"


def _either(payload: object, *spellings: str) -> str | None:
    values = [payload.get(spelling) for spelling in spellings] if isinstance(payload, Mapping) else []
    return next((value for value in values if isinstance(value, str) and value), None)


def _parse_locator(url: str) -> str | None:
    found = parse_qs(urlsplit(url).query).get("locator")
    if found and not is_locator(found[0]):
        raise UnreadableBody("a page of the answer has no usable locator")
    return found[0] if found else None


def _path_in_org(url: str) -> str:
    """Return a URL's path and query. Its host is ignored, because the token is sent only to the org's own host."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
