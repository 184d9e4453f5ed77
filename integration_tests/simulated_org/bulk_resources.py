"""The Bulk API 2.0 query resources: create, info, list, abort, delete, results, resultPages."""

from __future__ import annotations

import json
from typing import Any

from integration_tests.simulated_org.csv_text import DELIMITERS, LINE_ENDINGS, CsvForm
from integration_tests.simulated_org.errors import API_ERRORS, NOT_FOUND, ApiError
from integration_tests.simulated_org.faults import Target
from integration_tests.simulated_org.job_runner import JobRequest, JobRunner
from integration_tests.simulated_org.jobs import COMPLETE, TERMINAL, QueryJob
from integration_tests.simulated_org.org import Org
from integration_tests.simulated_org.pages import Page, faulty_page, next_locator, sound_page
from integration_tests.simulated_org.rest_resources import Handler
from integration_tests.simulated_org.routes import Call
from integration_tests.simulated_org.wire import Answer

_FIRST_VERSION, _FIRST_WITH_RESULT_PAGES = 47.0, 58.0


class BulkResources:
    """Handlers by request kind."""

    def __init__(self, org: Org, runner: JobRunner) -> None:
        self._org = org
        self._runner = runner
        self.handlers: dict[str, Handler] = {
            "createJob": self.create,
            "listJobs": self.list,
            "jobInfo": self.info,
            "abort": self.abort,
            "delete": self.delete,
            "results": self.results,
            "resultPages": self.result_pages,
        }

    async def create(self, call: Call) -> Answer:
        """`POST …/jobs/query`: compiles the statement now; 200, not 201."""
        if float(call.version) < _FIRST_VERSION:
            raise NOT_FOUND.api_error(None)
        if self._org.settings.enforce_limits:
            self._org.limits.refuse_exhausted("DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB")
        wanted = call.json if isinstance(call.json, dict) else {}
        operation, soql = wanted.get("operation"), wanted.get("query")
        if operation not in ("query", "queryAll"):
            raise ApiError(400, "INVALIDJOB", f"Invalid operation: {operation}")
        if not isinstance(soql, str) or not soql.strip():
            raise ApiError(400, "INVALIDJOB", "A query is required for this operation")
        delimiter = _one_of("columnDelimiter", wanted.get("columnDelimiter", "COMMA"), DELIMITERS)
        ending = _one_of("lineEnding", wanted.get("lineEnding", "LF"), LINE_ENDINGS)
        _one_of("contentType", wanted.get("contentType", "CSV"), {"CSV": ""})
        job = await self._runner.create(JobRequest(soql, operation, call.version, delimiter, ending, call.session))
        call.target = Target(call.kind, job.object, job.id, job.nth)
        return Answer.of_json(200, job.create_body())

    async def info(self, call: Call) -> Answer:
        """`GET …/jobs/query/{id}`."""
        job = self._job(call)
        if not job.foreign:
            await self._runner.poll(job)
            job = self._job(call)
        return Answer.of_json(200, self._info(job))

    async def list(self, call: Call) -> Answer:
        """`GET …/jobs/query`: all jobs of the org, newest last, with the documented odd link to the next page."""
        jobs = [job for job in self._org.jobs.values() if not job.gone and _listed(job, call)]
        start = int(call.query.get("queryLocator", "0") or 0)
        stop = start + self._org.settings.list_page_size
        done = stop >= len(jobs)
        place = self._org.settings.list_next_url
        following = None if done else f"/services/data/v{call.version}/jobs/{place}?queryLocator={stop}"
        records = [job.create_body() | {"jobType": job.job_type} for job in jobs[start:stop]]
        return Answer.of_json(200, {"done": done, "records": records, "nextRecordsUrl": following})

    async def abort(self, call: Call) -> Answer:
        """`PATCH …/jobs/query/{id}` with `{"state": "Aborted"}`."""
        job = self._job(call)
        if not isinstance(call.json, dict) or call.json.get("state") != "Aborted":
            raise ApiError(400, "INVALIDJOB", "Only the state can be changed, and only to Aborted")
        if job.state in TERMINAL:
            raise API_ERRORS["INVALIDJOBSTATE"].api_error(None)
        self._runner.abort(job)
        return Answer.of_json(200, job.abort_body())

    async def delete(self, call: Call) -> Answer:
        """`DELETE …/jobs/query/{id}`: 204; an unfinished job is refused."""
        job = self._job(call)
        if job.state not in TERMINAL:
            message = "Error encountered when deleting the job because the job is not terminated"
            raise ApiError(400, "API_ERROR", message)
        job.deleted = True
        return Answer(204)

    async def results(self, call: Call) -> Answer:
        """`GET …/jobs/query/{id}/results`: one page of CSV."""
        job = self._job(call)
        self._same_version(job, call)
        if not _accepts_csv(call.headers.get("Accept")):
            return Answer(406)
        snapshot = self._finished(job)
        if snapshot is None:
            return Answer(204)
        start = self._start(job, call)
        limit = self._page_rows(call)
        stop = snapshot.fitting(start, limit, self._org.settings.page_bytes_cap)
        number = 1 + start // limit
        call.target = Target(call.kind, job.object, job.id, job.nth, number)
        vanishes = job.planned("job_vanishes")
        if vanishes is not None and job.pages_served >= (vanishes.at or 1):
            job.expired = True
            raise NOT_FOUND.api_error(None)
        job.pages_served += 1
        faults = self._org.faults.strike(["page"], call.target)
        if not faults:
            return sound_page(job, snapshot, start, stop, self._org.settings)
        settings = self._org.settings
        form = CsvForm(DELIMITERS[job.column_delimiter], LINE_ENDINGS[job.line_ending], settings.quoting)
        page = Page(
            job,
            snapshot,
            form,
            start,
            stop,
            snapshot.header,
            snapshot.lines(start, stop),
            str(stop - start),
            next_locator(job, stop, snapshot.rows, settings),
            others=[*self._org.jobs.values()],
        )
        return faulty_page(page, faults)

    async def result_pages(self, call: Call) -> Answer:
        """`GET …/jobs/query/{id}/resultPages`: up to five page addresses at a time."""
        job = self._job(call)
        if float(call.version) < _FIRST_WITH_RESULT_PAGES:
            raise NOT_FOUND.api_error(None)
        self._same_version(job, call)
        snapshot = self._finished(job)
        if snapshot is None:
            return Answer(204)
        settings = self._org.settings
        base = f"/services/data/v{call.version}/jobs/query/{job.id}"
        start = self._start(job, call)
        pages: list[dict[str, str]] = []
        while len(pages) < settings.result_pages_per_answer and (start < snapshot.rows or not pages):
            pages.append({settings.result_pages_url_key: f"{base}/results?locator={job.locator(start)}"})
            start = max(start + 1, snapshot.fitting(start, settings.page_size, settings.page_bytes_cap))
        body: dict[str, Any] = {"resultPages": pages, "done": start >= snapshot.rows}
        if not body["done"]:
            place = settings.case_of_result_pages_url
            body[settings.result_pages_next_key] = f"{base}/{place}?locator={job.locator(start)}"
        return Answer.of_json(200, body)

    def _job(self, call: Call) -> QueryJob:
        job = self._org.jobs.get(call.parts["job"])
        if job is None or job.gone:
            raise NOT_FOUND.api_error(None)
        return job

    def _info(self, job: QueryJob) -> dict[str, Any]:
        settings = self._org.settings
        known = float(job.version) >= settings.pk_chunking_key_since
        return job.info_body(while_running=settings.count_while_running, chunking_key=known)

    def _same_version(self, job: QueryJob, call: Call) -> None:
        if job.version != call.version:
            message = f"The job was created with API version {job.version}, results were asked with {call.version}"
            raise ApiError(409, self._org.settings.version_mismatch_code, message)

    def _finished(self, job: QueryJob) -> Any:
        """Return the result of a finished job, None when the answer is an empty 204.

        :raises ApiError: 412, the job is not complete.
        """
        if job.state == COMPLETE and job.snapshot is not None:
            return job.snapshot
        if self._org.settings.not_ready == 204:
            return None
        status = {"UploadComplete": "UPLOAD_COMPLETE", "InProgress": "IN_PROGRESS"}.get(job.state, job.state.upper())
        known = API_ERRORS["JOB_NOT_COMPLETE"]
        raise ApiError(412, known.code, known.message.replace("IN_PROGRESS", status))

    def _start(self, job: QueryJob, call: Call) -> int:
        locator = call.query.get("locator")
        if locator is None:
            return 0
        if locator not in job.locators:
            raise ApiError(self._org.settings.bad_locator_status, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return job.locators[locator]

    def _page_rows(self, call: Call) -> int:
        settings = self._org.settings
        text = call.query.get("maxRecords")
        if text is not None and (not text.isdigit() or int(text) < 1):
            raise ApiError(400, "INVALID_PARAMETER", f"Invalid value for maxRecords: {text}")
        return min(int(text) if text else settings.page_size, settings.page_rows_cap or 10**12)


def _one_of(key: str, value: object, known: dict[str, str]) -> str:
    if value not in known:
        raise ApiError(400, "INVALIDJOB", f"Invalid {key}: {value}")
    return str(value)


def _listed(job: QueryJob, call: Call) -> bool:
    if call.query.get("isPkChunkingEnabled", "false").lower() == "true":
        return False  # concerns only Bulk 1.0 jobs, which do not exist here
    return call.query.get("jobType") in (None, job.job_type) and call.query.get("concurrencyMode") in (None, "Parallel")


def _accepts_csv(accept: str | None) -> bool:
    kinds = [part.partition(";")[0].strip().lower() for part in (accept or "").split(",")]
    return any(kind in ("text/csv", "text/*", "*/*") for kind in kinds)


def parsed_json(body: bytes) -> Any:
    """Return the JSON of a request body, None for an empty one.

    :raises ApiError: it is no JSON.
    """
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError as error:
        raise ApiError(400, "JSON_PARSER_ERROR", "Unexpected character in the request body") from error
