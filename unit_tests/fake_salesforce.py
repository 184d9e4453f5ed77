"""A Salesforce inside the test's process, behind the ``Http`` seam: no socket, no thread, no clock of its own.

It holds rows, answers the SOQL that this package writes, and does what a test's script says, per operation:

    salesforce = FakeSalesforce(clock, {"Account": rows})
    salesforce.script("results", "broken", "")     the first download breaks off, the second is sound

An operation whose script has run out is answered soundly. :meth:`FakeSalesforce.close` fails on a script that was not
used up, and on every request that no client should have sent: a job touched whose id it was never told, a result read
before its job was complete, a job ended twice.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.utils import format_datetime
from typing import Self

import requests

from source_salesforce_bulk.salesforce.http_client import HttpRequest
from unit_tests.fakes import Answer, FakeClock, http_response

Row = Mapping[str, str | None]

USER = "005A00000012345AAA"
ORGANIZATION = "00DA0000000001AAAA"
INSTANCE = "https://acme.my.salesforce.com"
_PATH = re.compile(r"https://[^/]+(?:/services/data/v\d+\.\d)?(/[^?]*)")
_QUERY = re.compile(
    r"SELECT (?P<fields>.+?) FROM (?P<object>\w+)(?: WHERE (?P<where>.+?))?"
    r"(?: ORDER BY (?P<order>\w+)(?: (?P<way>ASC|DESC))?)?(?: LIMIT (?P<limit>\d+))?(?: OFFSET (?P<offset>\d+))?"
)
_TOKEN = re.compile(r"\s*(\(|\)|AND\b|OR\b|(?:(\w+) (>=|<=|!=|=|<|>) ('[^']*'|[\w.:+-]+)))")


@dataclass
class Job:
    """A query job. ``told``: the client got its id. ``honest``: it never gave another count than its rows."""

    id: str
    object_name: str
    operation: str
    soql: str
    rows: list[list[str]]
    columns: list[str]
    told: bool = True
    created_by: str = USER
    state: str = "InProgress"
    reported: int | None = None
    deleted: bool = False
    honest: bool = True


@dataclass
class FakeSalesforce:
    """See the module. ``chance`` names what happens to a request where nothing is scripted for its operation.

    ``ahead`` is how far the org's clock differs from ``clock``, ``fast`` how far that of the server which answers an
    operation is ahead of it, ``creator`` whom the org names as the creator of jobs, ``unfilterable`` a field that no
    query may filter by.
    """

    clock: FakeClock
    objects: Mapping[str, Sequence[Row]]
    chance: Callable[[str], str] = lambda operation: ""
    ahead: timedelta = timedelta(0)
    fast: Mapping[str, timedelta] = field(default_factory=dict)
    creator: str = USER
    unfilterable: str = ""
    jobs: dict[str, Job] = field(default_factory=dict)
    wrongs: list[str] = field(default_factory=list)
    sent: list[HttpRequest] = field(default_factory=list)
    _scripts: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))
    _logins: int = 0

    def script(self, operation: str, *fates: str) -> Self:
        """Set what happens to the next requests of an operation; an empty text is a sound answer."""
        self._scripts[operation].extend(fates)
        return self

    def add_job(self, job_id: str, soql: str, operation: str = "query", **changes: object) -> Job:
        """A job that another run, or another client, has created."""
        job = self._new_job(job_id, soql, operation)
        for name, value in changes.items():
            setattr(job, name, value)
        return job

    def left(self) -> set[str]:
        """The jobs that are still there, those whose answer was lost left out."""
        return {job.id for job in self.jobs.values() if job.told and not job.deleted}

    def count(self, operation: str) -> int:
        """Return the number of requests of an operation."""
        return sum(self._operation(sent)[0] == operation for sent in self.sent)

    def close(self) -> None:
        """Fail on unexpected requests, and on expected ones that were not sent."""
        assert self.wrongs == []
        unused = {operation: list(fates) for operation, fates in self._scripts.items() if fates}
        assert unused == {}, f"scripted and never asked for: {unused}"

    # The Http seam

    def send(self, sent: HttpRequest) -> requests.Response:
        self.sent.append(sent)
        operation, job_id = self._operation(sent)
        fates = self._scripts[operation]
        fate = fates.popleft() if fates else self.chance(operation)
        answer = self._trouble(fate) or getattr(self, f"_{operation}")(sent, job_id, fate)
        return http_response(replace(answer, headers={"Date": self._date(operation), **answer.headers}))

    def _operation(self, sent: HttpRequest) -> tuple[str, str]:
        match = _PATH.fullmatch(sent.url)
        path = match[1].strip("/").split("/") if match else []
        match sent.method, path:
            case "POST", ["services", "oauth2", "token"]:
                return "token", ""
            case "GET", ["limits", *rest]:
                return "counts" if rest == ["recordCount"] else "limits", ""
            case "GET", ["sobjects"]:
                return "sobjects", ""
            case "GET", ["services", "data"]:
                return "versions", ""
            case "GET", ["sobjects", name, "describe"]:
                return "describe", name
            case "GET", ["query" | "queryAll"]:
                return "query", ""
            case "POST", ["jobs", "query"]:
                return "create", ""
            case "GET", ["jobs", "query", job_id]:
                return "info", job_id
            case "GET", ["jobs", "query", job_id, "results"]:
                return "results", job_id
            case "PATCH", ["jobs", "query", job_id]:
                return "abort", job_id
            case "DELETE", ["jobs", "query", job_id]:
                return "delete", job_id
        raise AssertionError(f"no client of ours sends {sent.method} {sent.url}")

    def _date(self, operation: str) -> str:
        return format_datetime(self.clock.now() + self.ahead + self.fast.get(operation, timedelta(0)), usegmt=True)

    def _trouble(self, fate: str) -> Answer | None:
        """Apply a fate that any request can have; one like ``403 FORBIDDEN`` is that status with that code."""
        if re.fullmatch(r"4\d\d \w+", fate):
            status, code = fate.split()
            return _error(int(status), code)
        match fate:
            case "unavailable":
                return _error(503, "SERVER_UNAVAILABLE")
            case "expired":
                return _error(401, "INVALID_SESSION_ID")
            case "quota":
                return _error(403, "REQUEST_LIMIT_EXCEEDED")
            case "forbidden":
                return _error(403, "INSUFFICIENT_ACCESS")
            case "no API":
                return _error(403, "API_DISABLED_FOR_ORG")
            case "no connection":
                return Answer(error=requests.exceptions.ConnectTimeout())
            case "defect":
                return Answer(error=ZeroDivisionError())
        return None

    # Resources

    def _token(self, sent: HttpRequest, _: str, fate: str) -> Answer:
        self._logins += 1
        identity = f"https://login.salesforce.com/id/{ORGANIZATION}/{USER}"
        issued = str(int((self.clock.now() + self.ahead).timestamp() * 1000))
        token = f"00D!session-{self._logins}"
        reply = {"access_token": token, "instance_url": INSTANCE, "id": identity, "issued_at": issued}
        return Answer(200, reply | ({"refresh_token": f"grant-{self._logins}"} if fate == "rotated" else {}))

    def _versions(self, sent: HttpRequest, _: str, fate: str) -> Answer:
        return Answer(200, [{"version": "66.0"}])

    def _limits(self, sent: HttpRequest, _: str, fate: str) -> Answer:
        left = {"Max": 10000, "Remaining": 9000}
        names = ("DailyApiRequests", "DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB")
        return Answer(200, dict.fromkeys(names, left))

    def _counts(self, sent: HttpRequest, _: str, fate: str) -> Answer:
        assert sent.params is not None
        names = sent.params["sObjects"].split(",")
        return Answer(
            200, {"sObjects": [{"name": n, "count": len(self.objects[n])} for n in names if n in self.objects]}
        )

    def _sobjects(self, sent: HttpRequest, _: str, fate: str) -> Answer:
        return Answer(200, {"sobjects": [{"name": name, "label": name, "queryable": True} for name in self.objects]})

    def _describe(self, sent: HttpRequest, name: str, fate: str) -> Answer:
        if name not in self.objects or fate == "gone":
            return _error(404, "NOT_FOUND")
        fields = [
            {"name": field, "type": _type_of(field), "filterable": True, "nillable": field == "Name"}
            for field in self.columns_of(name)
        ]
        return Answer(200, {"name": name, "label": name, "queryable": True, "fields": fields})

    def columns_of(self, name: str) -> list[str]:
        """An object's fields, as its first row has them."""
        return list(self.objects[name][0]) if self.objects[name] else ["Id", "Name", "SystemModstamp"]

    def _query(self, sent: HttpRequest, _: str, fate: str) -> Answer:
        assert sent.params is not None
        soql = sent.params["q"]
        if soql.startswith("SELECT COUNT() "):
            _, rows, _ = self._select(soql.replace("COUNT()", "Id"))
            return Answer(200, {"records": [], "totalSize": len(rows), "done": True})
        columns, rows, _ = self._select(soql)
        records = [dict(zip(columns, row, strict=True)) for row in rows]
        total = len(records)
        return Answer(200, {"records": records[:-1] if fate == "short" else records, "totalSize": total, "done": True})

    def _create(self, sent: HttpRequest, _: str, fate: str) -> Answer:
        assert isinstance(sent.json, dict)
        if self.unfilterable and self.unfilterable in sent.json["query"].partition(" WHERE ")[2]:
            return _error(400, "INVALID_FIELD", f"field '{self.unfilterable}' can not be filtered in a query call")
        match fate:
            case "refused":
                return _error(400, "INVALID_FIELD")
            case "too large":
                return _error(400, "QUERY_TOO_COMPLICATED")
            case "never came":
                return Answer(error=requests.exceptions.ReadTimeout())
        job = self._new_job(f"750{len(self.jobs) + 1:012d}AAA", sent.json["query"], sent.json["operation"])
        if fate == "lost":
            job.told = False
            return Answer(200, [b'{"id": "750', requests.exceptions.ChunkedEncodingError()])
        return Answer(200, self._info_of(job, "UploadComplete"))

    def _info(self, sent: HttpRequest, job_id: str, fate: str) -> Answer:
        job = self._known(job_id, "asked about")
        if job is None or fate == "gone":
            self._vanish(job)
            return _error(404, "NOT_FOUND")
        match fate:
            case "running":
                return Answer(200, self._info_of(job, "InProgress"))
            case "failed" | "aborted":
                job.state = fate.title()
            case "failed for its size":
                job.state = "Failed"
                return Answer(200, {**self._info_of(job), "errorMessage": "QUERY_TIMEOUT: too long"})
            case "no count":
                job.state, job.honest = "JobComplete", False
                return Answer(200, {**self._info_of(job), "numberRecordsProcessed": None})
            case "too many" | "too few" if job.state == "InProgress":
                job.state, job.honest = "JobComplete", False
                # Never 0 where there are rows: that count is believed without a look at the pages.
                job.reported = max(min(1, len(job.rows)), len(job.rows) + (1 if fate == "too many" else -1))
            case _ if job.state == "InProgress":
                job.state = "JobComplete"
        return Answer(200, self._info_of(job))

    def _results(self, sent: HttpRequest, job_id: str, fate: str) -> Answer:
        job = self._known(job_id, "read")
        if job is None or fate == "gone":
            self._vanish(job)
            return _error(404, "NOT_FOUND")
        if job.state != "JobComplete":
            self.wrongs.append(f"the results of {job_id} were asked for while it was {job.state}")
        if fate == "not ready":
            return _error(400, "INVALIDJOBSTATE")
        if fate == "no content":
            return Answer(204)
        if fate == "nothing there":
            return _error(404, "NOT_FOUND")
        assert sent.params is not None
        size, locator = int(sent.params["maxRecords"]), sent.params.get("locator")
        if locator is not None and not re.fullmatch(rf"{job.id}-\d+", locator):
            self.wrongs.append(f"{job_id} was asked for a locator that it never gave: {locator}")
        return _page(job, int(locator.rpartition("-")[2]) if locator else 0, size, fate)

    def _abort(self, sent: HttpRequest, job_id: str, fate: str) -> Answer:
        job = self._known(job_id, "aborted")
        if job is None:
            return _error(404, "NOT_FOUND")
        if job.state != "InProgress":
            return _error(400, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed")
        job.state = "Aborted"
        return Answer(200, self._info_of(job))

    def _delete(self, sent: HttpRequest, job_id: str, fate: str) -> Answer:
        job = self._known(job_id, "deleted")
        if job is None:
            return _error(404, "NOT_FOUND")
        if job.state == "InProgress":
            self.wrongs.append(f"{job_id} was deleted while it ran")
        job.deleted = True
        return Answer(204)

    # Jobs

    def _new_job(self, job_id: str, soql: str, operation: str) -> Job:
        columns, rows, name = self._select(soql)
        job = Job(job_id, name, operation, soql, [[cell or "" for cell in row] for row in rows], columns)
        job.created_by = self.creator
        self.jobs[job_id] = job
        return job

    def _known(self, job_id: str, what: str) -> Job | None:
        job = self.jobs.get(job_id)
        if job is None or not job.told:
            self.wrongs.append(f"{job_id} was {what}, but no client knows its id")
        return job if job is not None and not job.deleted else None

    def _vanish(self, job: Job | None) -> None:
        if job is not None:
            job.deleted = True

    def _info_of(self, job: Job, state: str | None = None) -> dict[str, object]:
        state = state or job.state
        counted = len(job.rows) if job.reported is None else job.reported
        return {
            "id": job.id,
            "state": state,
            "object": job.object_name,
            "operation": job.operation,
            "createdById": job.created_by,
            "apiVersion": 66.0,
            "numberRecordsProcessed": counted if state == "JobComplete" else 0,
        }

    def _select(self, soql: str) -> tuple[list[str], list[list[str | None]], str]:
        match = _QUERY.fullmatch(soql)
        assert match is not None, f"not a query of ours: {soql}"
        known = {name.lower(): name for name in self.columns_of(match["object"])}
        columns = [known.get(name.lower(), name) for name in match["fields"].split(", ")]
        rows = [row for row in self.objects[match["object"]] if _holds(match["where"], row)]
        if match["order"]:
            by = known.get(match["order"].lower(), match["order"])
            rows.sort(key=lambda row: row[by] or "", reverse=match["way"] == "DESC")
        rows = rows[int(match["offset"] or 0) :]
        rows = rows[: int(match["limit"])] if match["limit"] else rows
        return columns, [[row[column] for column in columns] for row in rows], match["object"]


def _error(status: int, code: str, message: str = "m") -> Answer:
    return Answer(status, [{"errorCode": code, "message": message}])


def _type_of(field_name: str) -> str:
    known = {"id": "id", "isdeleted": "boolean", "systemmodstamp": "datetime", "amount": "double"}
    return known.get(field_name.lower(), "string")


def _page(job: Job, begin: int, size: int, fate: str) -> Answer:
    rows = job.rows[begin : begin + size]
    end = begin + len(rows)
    if fate in ("short", "no locator") and not job.honest:
        fate = ""  # if the job's own count is wrong or missing as well, a missing row cannot be detected
    if fate == "short":
        rows = rows[:-1]
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([job.columns, *rows])
    body: object = text.getvalue().encode()
    assert isinstance(body, bytes)
    following = f"{job.id}-{end}" if end < len(job.rows) else "null"
    headers = {"Content-Type": "text/csv", "Sforce-Locator": following, "Sforce-NumberOfRecords": str(len(rows))}
    match fate:
        case "broken":
            body = [body[: len(body) // 2] or b'"', requests.exceptions.ChunkedEncodingError()]
        case "cut":
            body = body[:-1].rpartition(b"\n")[0] + b"\n" if rows else b'"Id'
        case "no locator":
            del headers["Sforce-Locator"]
        case "same locator":
            headers["Sforce-Locator"] = f"{job.id}-{begin}" if begin else "null"
        case "no row count":
            del headers["Sforce-NumberOfRecords"]
    return Answer(200, body, headers)


def _holds(where: str | None, row: Row) -> bool:
    """Return whether a condition of the shape that this package writes holds for a row."""
    if where is None:
        return True
    tokens, at = [], 0
    while at < len(where):
        match = _TOKEN.match(where, at)
        assert match is not None, f"not a condition of ours: {where[at:]}"
        tokens.append(match)
        at = match.end()
    words = [_compare(row, *match.groups()[1:]) if match[2] else match[1] for match in tokens]
    return bool(eval(" ".join(str(word).lower() if isinstance(word, str) else str(word) for word in words)))


def _compare(row: Row, name: str, operator: str, literal: str) -> bool:
    value = next(value for field, value in row.items() if field.lower() == name.lower())
    wanted = None if literal == "null" else literal.strip("'")
    if operator in ("=", "!="):
        return (value == wanted) is (operator == "=")
    if value is None or wanted is None:
        return False
    return {">=": value >= wanted, "<": value < wanted, ">": value > wanted, "<=": value <= wanted}[operator]
