"""Plan a read for Spark: create the query jobs, wait for them, and list their pages. Runs on the driver's machine.

This is the extraction of every runner: windows, jobs, their retries, the API reserve, and the proof that the pages are
the whole result. But it downloads no page. It requests the headers of each page, which say how many rows the page has.
These numbers must add up to the job's own count. Each task receives the number for its page and compares it with the
rows that arrive.

    plan         the state names the jobs, and keeps its cursor
    tasks        read pages, as often as Spark wants
    finish       the state gets the new cursor, and the jobs are deleted

While a read with a state is not finished, its state names its jobs. If the driver dies, or the query fails, the next
read with that state continues the same jobs and creates no others.

Retries here: if a page's headers lack its number of rows, they are requested again, at most three times in all. All
other retries are the extraction's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import count

from source_salesforce_bulk.config_values import ConfigError
from source_salesforce_bulk.export import places
from source_salesforce_bulk.export.begin import belongs_somewhere
from source_salesforce_bulk.export.outcomes import ExportFailed, nothing_to_export
from source_salesforce_bulk.extraction.catalog import ReadableObject, survey_objects
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.extraction.interleaving import TURN_OVER, TurnOver
from source_salesforce_bulk.extraction.object_read import ObjectRead, ReadyPage
from source_salesforce_bulk.extraction.plan import Beginning, ObjectRequest, Planner, begin
from source_salesforce_bulk.extraction.reader import Elsewhere, PageBounds
from source_salesforce_bulk.extraction.run_loop import Participant, RunLoop
from source_salesforce_bulk.extraction.selection import select_fields
from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER, Mode, jobs_named
from source_salesforce_bulk.pages.encoders import batch_file
from source_salesforce_bulk.pages.fetch import Page, PageAddress
from source_salesforce_bulk.pages.listing import JobResult, PageLister
from source_salesforce_bulk.pages.page_encoder import PageEncoder
from source_salesforce_bulk.pages.page_task import PageCost, PageOutcome, SessionSource
from source_salesforce_bulk.pages.records import Column, product_columns
from source_salesforce_bulk.registries.state import Lease, organization_key
from source_salesforce_bulk.salesforce.clock import Clock
from source_salesforce_bulk.salesforce.failures import Action, Consequence, Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.field_types import field_type
from source_salesforce_bulk.salesforce.oauth import Session
from source_salesforce_bulk.salesforce.row_counts import RowCounts
from source_salesforce_bulk.spark.planned_pages import EncodedRows, PlannedPage
from source_salesforce_bulk.spark.planned_windows import PlannedWindows
from source_salesforce_bulk.spark.spark_pages import SparkPageReader, SparkPages
from source_salesforce_bulk.spark.waves import ReadPage, WrittenFile

DESTINATION = "spark:dataframe"
"""The destination in the states of these reads, so that no export continues them."""

LARGEST_REST = 64 << 20
"""Maximum bytes of rows that the driver reads itself and sends with the tasks: objects of the REST lane are small."""

_HEADERS_AT_ONCE = 16
_ASKED_FOR_ROWS = 3  # attempts at a page's number of rows


@dataclass(frozen=True, slots=True)
class ObjectColumns:
    """The columns of an object's query, and what is known about each.

    ``filterable`` are the types of the fields that a pushed filter may name.
    """

    columns: tuple[Column, ...]
    about: Mapping[str, Mapping[str, str]]
    filterable: Mapping[str, str]

    @property
    def product(self) -> tuple[Column, ...]:
        """The columns of a DataFrame, which are those of an export's Parquet files."""
        return product_columns(self.columns)


def describe(connection: Connection) -> tuple[ReadableObject, ObjectColumns]:
    """Return the object of the configuration; raises ``ExportFailed``, ``SalesforceError`` or ``ConfigError``."""
    try:
        survey = survey_objects(connection.discovery, connection.config)
    except ValueError as error:
        raise ConfigError("option object or fields", f"does not fit the org: {error}", "Correct it") from error
    if not survey.objects:
        raise nothing_to_export(survey, connection.config.objects)
    (readable,) = survey.objects
    columns = select_fields(readable.sobject, None, ()).columns
    hashed = {name.lower() for name in (readable.hashing.fields if readable.hashing else ())}
    fields = {field.name: field for field in readable.sobject.fields}
    about = {field.name: {"salesforce.label": field.label, "salesforce.type": field.type} for field in fields.values()}
    filterable = {
        name: field.type
        for name, field in fields.items()
        if field.filterable and field_type(field.type).bulk and not field.added and name.lower() not in hashed
    }
    return readable, ObjectColumns(columns, about, {} if readable.lane.rest else filterable)


@dataclass(frozen=True, slots=True)
class PlannedRead:
    """The tasks of a read, and what it needs until it is finished: its jobs, and its state before and after."""

    pages: tuple[PlannedPage | EncodedRows, ...]
    columns: tuple[Column, ...]
    organization: str
    jobs: Mapping[str, str]
    begun: Mapping[str, object]
    ended: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class PlannedAddress:
    """A page of a job, and the number of rows that its headers announce."""

    address: PageAddress
    rows: int


class PageHeads:
    """Requests the headers of pages: the ``read`` of a ``SparkPageReader``. Thread-safe."""

    def __init__(self, lister: PageLister, session: Callable[[], Session]) -> None:
        self._lister = lister
        self._session = session
        self._numbers = count()
        self._asked: dict[str, PlannedAddress] = {}

    def read(self, address: PageAddress, _encoder: PageEncoder, /) -> ReadPage:
        """Return the page's number of rows; raises ``SalesforceError``."""
        rows = self._rows(address)
        place = f"page-{next(self._numbers)}"
        self._asked[place] = PlannedAddress(address, rows)
        return ReadPage(PageOutcome(0, rows=rows), WrittenFile(place, rows, 0), self._session())

    def _rows(self, address: PageAddress) -> int:
        job = JobResult(address.object_name, address.job_id, address.version, address.job_rows)
        for _ in range(_ASKED_FOR_ROWS):
            rows = self._lister.headers(job, address.locator, address.page_size).rows
            if rows is not None:
                return rows
        detail = "the answer does not say how many rows it holds"
        raise SalesforceError(Failure.of(Kind.PAGE_REJECTED, detail=detail, action=Action.FAIL_STREAM))

    def asked(self, page: Page) -> PlannedAddress:
        """Return the address of a page: the one with which its headers were requested."""
        return self._asked[str(page.encoded.product.take().path)]


def plan_read(connection: Connection, state: str | None, share: Callable[[Session], SessionSource]) -> PlannedRead:
    """Plan the read of the configuration's one object. ``share`` gives the session to executors.

    Raises ``SalesforceError``, ``ExportFailed``, ``ConfigError``, ``LeaseHeld``, ``LeaseLost``, and what the state
    registry raises. Before it raises, it deletes its jobs, except those that the state names.
    """
    heads = PageHeads(connection.page_lister(), connection.log_in)
    reader = SparkPageReader(heads.read, connection.renew, connection.page_lister(), _counted_already)
    bounds = PageBounds(of_all=_HEADERS_AT_ONCE, of_one=_HEADERS_AT_ONCE)
    extraction = connection.extraction(Elsewhere(SparkPages(reader), bounds))
    leases: list[Lease] = []

    def keep_leases() -> None:
        for lease in leases:
            lease.renew()

    loop = RunLoop(connection, extraction, lambda: False, keep_leases)
    keep: set[str] = set()
    with ExitStack() as until_done:
        until_done.callback(lambda: loop.close(lambda: keep))
        loop.begin()
        readable, _ = describe(connection)
        name, organization = readable.sobject.name, organization_key(connection.log_in().organization_id)
        if state is not None:
            held = leased(state, connection.clock, Owner(organization, name, connection.run_id))
            leases.append(until_done.enter_context(held))
        reading = _Reading(connection, extraction, heads, leases[0] if leases else None)
        try:
            deque(loop.messages([Participant(name, reading.turns(readable))]), maxlen=0)
            planned = reading.planned(organization, share(connection.log_in()))
            keep.update(planned.jobs)
        finally:
            keep.update(reading.named)
        loop.finish()
        return planned


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of a state: an object of an organization, and the run that takes its lease."""

    organization: str
    object_name: str
    run_id: str


@contextmanager
def leased(state: str, clock: Clock, owner: Owner) -> Iterator[Lease]:
    """Hold the lease of an object's state; raises ``ExportFailed`` if the state belongs to an export."""
    if places.is_tables(state):
        raise ConfigError("option state", "names tables", "Write a folder or dynamodb://TABLE")
    lease = places.state_registry(state, clock).acquire(owner.organization, owner.object_name, owner.run_id)
    try:
        progress = lease.progress
        if progress.destination != DESTINATION and belongs_somewhere(progress):
            text = f"{owner.object_name}: this state belongs to an export to {progress.destination}. Name another state"
            raise ExportFailed(
                Consequence.CONFIG, f"{text} for reads by Spark, which do not write to that destination."
            )
        yield lease
    finally:
        lease.release()


class _Reading:
    """One object's read, from its first window to the list of tasks."""

    def __init__(self, connection: Connection, extraction: Extraction, heads: PageHeads, lease: Lease | None) -> None:
        self._connection = connection
        self._extraction = extraction
        self._heads = heads
        self._lease = lease
        self._windows: PlannedWindows[PlannedAddress | EncodedRows] = PlannedWindows()
        self._rest_size = 0
        self._read: ObjectRead | None = None
        self._begun: Mapping[str, object] = lease.progress.state if lease is not None else {}

    @property
    def named(self) -> frozenset[str]:
        """The jobs that the state names."""
        return jobs_named(self._begun)

    def turns(self, readable: ReadableObject) -> Iterator[ReadyPage | TurnOver]:
        """Yield the object's pages to its end; raises ``SalesforceError``."""
        connection, name = self._connection, readable.sobject.name
        counts = RowCounts(connection.discovery.record_counts, [name], connection.clock)
        request = ObjectRequest(readable, rows=counts.of(name))
        planner = Planner(connection.config, connection.log_in().organization_id)
        try:
            yield from self._turns(self._beginning(planner, request))
        except SalesforceError as error:
            refused = error.failure.kind is Kind.CURSOR_NOT_FILTERABLE
            in_full = planner.begin_in_full(request) if refused else None
            if in_full is None:
                raise
            self._windows.start_over()
            yield from self._turns(in_full)

    def _beginning(self, planner: Planner, request: ObjectRequest) -> Beginning:
        incremental = self._lease is not None and request.readable.cursor is not None
        blob = {} if self._begun == COMPLETE_MARKER else self._begun
        plan, incoming = planner.plan(request, Mode.INCREMENTAL if incremental else Mode.FULL_REFRESH, blob)
        return begin(plan, incoming, self._connection.upper_bound, remedy="begin another state")

    def _turns(self, beginning: Beginning) -> Iterator[ReadyPage | TurnOver]:
        read = self._read = self._extraction.begin(beginning, _batches)
        try:
            while not read.finished:
                ready = self._extraction.next_page(read)
                if ready is not None:
                    self._windows.take(read, self._task(ready.page))
                    self._extraction.handed_on(read, ready)
                    yield ready
                self._commit(read)
                if not read.finished:
                    yield TURN_OVER
            self._commit(read)  # the last window may end between two turns
        finally:
            self._extraction.drop(read)

    def _task(self, page: Page) -> PlannedAddress | EncodedRows | None:
        if not page.rows:
            return None
        if page.address.rest is None:
            return self._heads.asked(page)
        content = page.encoded.product.take().path.read_bytes()
        self._rest_size += len(content)
        if self._rest_size > LARGEST_REST:
            text = f"{page.address.object_name} is read through REST, and has more rows than Spark's driver can pass on"
            raise ExportFailed(Consequence.CONFIG, f"{text}. Read it with salesforce-bulk export.")
        return EncodedRows(content)

    def _commit(self, read: ObjectRead) -> None:
        if self._lease is None:
            return
        begun = self._windows.begun(read).to_json(read.plan.cursor_field)
        if begun != self._begun:
            self._lease.commit(replace(self._lease.progress, state=begun, destination=DESTINATION))
            self._begun = begun

    def planned(self, organization: str, source: SessionSource) -> PlannedRead:
        """Return the plan of the finished read."""
        read = self._read
        if read is None:
            raise AssertionError("nothing was read")
        tasks = tuple(self._windows.pages())
        jobs = {task.address.job_id: task.address.version for task in tasks if isinstance(task, PlannedAddress)}
        if self._lease is None:
            ended: Mapping[str, object] = {}
        else:
            jobs |= {point.job: point.api_version for point in self._windows.begun(read).resume}
            ended = read.state.to_json(read.plan.cursor_field)
        hashing = read.plan.hashing
        pages = tuple(
            PlannedPage(task.address, task.rows, source, hashing) if isinstance(task, PlannedAddress) else task
            for task in tasks
        )
        return PlannedRead(pages, read.plan.columns, organization, jobs, self._begun, ended)


def _batches(columns: tuple[Column, ...]) -> PageEncoder:
    """Return the encoder of pages that the driver reads itself, which belong to no job."""
    return batch_file(columns)


def _counted_already(_name: str, _cost: PageCost) -> None:
    """Ignore the cost of the driver's calls, which the run counts when they are sent."""
