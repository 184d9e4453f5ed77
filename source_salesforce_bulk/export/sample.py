"""Read a few rows of an object with a separate query job, to preview an export.

The job is created, polled, read and deleted here. Its rows are verified and hashed in the same way as in an export.

The only retries are those of the transport and of pages.
"""

from __future__ import annotations

from dataclasses import dataclass

from source_salesforce_bulk.config import Config
from source_salesforce_bulk.extraction.catalog import ReadableObject
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.query_job import JobPolicy, poll_interval
from source_salesforce_bulk.extraction.salesforce_org import SalesforceOrg
from source_salesforce_bulk.extraction.selection import object_query, select_fields
from source_salesforce_bulk.extraction.windows import WHOLE
from source_salesforce_bulk.pages.cells import Value
from source_salesforce_bulk.pages.encoders import hashed, json_lines
from source_salesforce_bulk.pages.fetch import PageAddress
from source_salesforce_bulk.pages.json_text import parse_line
from source_salesforce_bulk.pages.page_encoder import PageEncoder
from source_salesforce_bulk.pages.records import page_columns
from source_salesforce_bulk.pages.rest_pages import RestAddress
from source_salesforce_bulk.salesforce.bulk_api import JobInfo, JobState
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.rest_query import RestQuestion
from source_salesforce_bulk.salesforce.soql import ObjectQuery, build_soql


def sample_through_rest(config: Config, readable: ReadableObject, query: ObjectQuery, count: int) -> PageAddress:
    """Return the page that brings some rows of an object of the REST lane: ``count``, or those of the first parents."""
    columns = select_fields(readable.sobject, None, ()).columns
    question = RestQuestion(query, WHOLE, count, readable.lane.keyed, readable.lane.parents)
    rest = RestAddress(question, page_columns(columns), None, config.api_version)
    return PageAddress(query.object_name, "", None, config.api_version, count, rest=rest)


def rows_at(org: SalesforceOrg, address: PageAddress, encoder: PageEncoder) -> list[dict[str, Value]]:
    """Return the rows of a page, which ``encoder`` writes as JSON lines, without nulls; raises ``SalesforceError``."""
    page = org.fetch(address, lambda _: None, encoder)
    try:
        lines = page.encoded.product.take().path.read_bytes()
        return [parse_line(line) for line in lines.split(b"\n")[:-1]]
    finally:
        page.discard()


@dataclass(frozen=True, slots=True)
class Sampler:
    """Reads samples from one org."""

    connection: Connection
    org: SalesforceOrg

    def rows(self, readable: ReadableObject, count: int) -> list[dict[str, Value]]:
        """Return at most ``count`` rows, without nulls; raises ``SalesforceError`` and ``Stopped``."""
        config, name = self.connection.config, readable.sobject.name
        columns = select_fields(readable.sobject, None, ()).columns
        query = object_query(
            readable.sobject, columns, readable.cursor, where=readable.where, include_deleted=config.include_deleted
        )
        encoder = hashed(json_lines(columns), readable.hashing)
        if readable.lane.rest:
            return rows_at(self.org, sample_through_rest(config, readable, query, count), encoder)[:count]
        job = self.org.create(config.api_version, f"{build_soql(query, WHOLE)} LIMIT {count}", query)
        finished = False
        try:
            self._wait(job, name)
            finished = True
            address = PageAddress(name, job.id, None, config.api_version, count)
            return rows_at(self.org, address, encoder)
        finally:
            (self.org.delete if finished else self.org.abort)(config.api_version, job.id, name)

    def _wait(self, job: JobInfo, name: str) -> None:
        """Wait until the job is complete; raises ``SalesforceError`` if it fails or takes too long."""
        config, clock = self.connection.config, self.connection.clock
        policy = JobPolicy(job_timeout=config.job_timeout.total_seconds())
        began = clock.monotonic()
        state = job.state
        while state is not JobState.JOB_COMPLETE:
            waited = clock.monotonic() - began
            if state.finished or waited > policy.job_timeout:
                detail = f"the sample's query job ended as {state.value}"
                raise SalesforceError(Failure.of(Kind.JOB_FAILED, detail=detail))
            clock.sleep(poll_interval(waited, policy, 0.5))
            state = self.org.info(config.api_version, job.id, name).state
