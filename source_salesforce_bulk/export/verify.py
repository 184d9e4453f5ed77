"""Compare every Id and timestamp of an object in the org with the exported rows, and repair differences.

The org's side is one query job. A repair reads the missing and stale rows by their Ids, and writes a tombstone for each
extra row. It adds files and a manifest and does not change the state: its rows win by their timestamps.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from source_salesforce_bulk.deletions.audit import is_too_much
from source_salesforce_bulk.deletions.tombstones import tombstone, with_tombstone_fields
from source_salesforce_bulk.export.comparison import Comparison, Differences, Stamped
from source_salesforce_bulk.export.destination import Destination
from source_salesforce_bulk.export.kept_rows import Columns, milliseconds, named_files, rows_of_file
from source_salesforce_bulk.export.layout import Layout
from source_salesforce_bulk.export.manifest import build_manifest, page_path
from source_salesforce_bulk.export.object_deletions import JOB
from source_salesforce_bulk.export.outcomes import ObjectOutcome
from source_salesforce_bulk.export.page_files import FORMATS, FileMaker, ObjectFiles
from source_salesforce_bulk.export.schema_watch import SchemaWatch
from source_salesforce_bulk.extraction.catalog import ReadableObject
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.extraction import CLEAN_UP, IDLE, Encode
from source_salesforce_bulk.extraction.object_read import ObjectRead, ReadyPage
from source_salesforce_bulk.extraction.plan import Beginning, ObjectPlan, ObjectRequest, Planner
from source_salesforce_bulk.extraction.stream_state import Mode
from source_salesforce_bulk.extraction.windows import plan_full_refresh
from source_salesforce_bulk.pages.encoders import object_lines
from source_salesforce_bulk.pages.json_text import parse_line
from source_salesforce_bulk.pages.page_encoder import PageContent
from source_salesforce_bulk.registries.field_ids import ids_by_name
from source_salesforce_bulk.registries.state import DataFile, organization_key
from source_salesforce_bulk.salesforce.describe import SObject

LOGGER = logging.getLogger("salesforce_bulk.verify")

IDS_AT_ONCE = 2_000
"""Ids in one query: 45,000 characters of the 100,000 that a query may have."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The result for one object. ``problem`` says why it was not compared, or why the result is not reliable.

    ``believed`` is false if it is unknown whether the rows are equal. ``left`` are the differences after a repair, or
    those found if there was none.
    """

    name: str
    found: Differences | None = None
    left: Differences | None = None
    problem: str = ""
    believed: bool = True

    @property
    def equal(self) -> bool:
        """True if the org's rows and the exported rows are equal now."""
        return self.left is not None and self.left.equal


@dataclass(frozen=True, slots=True)
class Repair:
    """The requirements of a repair besides the destination; ``page_files`` writes files in the destination's format."""

    schemas: SchemaWatch
    page_files: FileMaker = FORMATS["parquet"]


class Verifier:
    """Compares objects of one org with the rows at a destination, or with those in one file."""

    def __init__(self, connection: Connection, destination: Destination | None, against: Path | None) -> None:
        self._connection = connection
        self._destination = destination
        self._against = against
        self._planner = Planner(connection.config, connection.log_in().organization_id)
        self._manifests = destination.manifests() if destination is not None else []
        self._outcomes: list[ObjectOutcome] = []
        self._window = 0

    def verify(self, readable: ReadableObject, repair: Repair | None) -> Verified:
        """Compare one object, and repair it if ``repair`` is given; raises the errors of reading the org and files."""
        name, cursor = readable.sobject.name, readable.cursor
        if cursor is None or [key.lower() for key in readable.primary_key] != ["id"]:
            return Verified(name, problem="it is read in full each time, or Id is not its key")
        plan, _ = self._planner.plan(ObjectRequest(readable), Mode.FULL_REFRESH, {})
        columns = Columns(readable.primary_key[0], cursor.field)
        with tempfile.TemporaryDirectory(prefix="verify-") as folder, Comparison(Path(folder) / "rows") as comparison:
            comparison.add_kept(self._kept(name, columns))
            self._read_org(plan, columns, comparison)
            found = comparison.differences()
            if is_too_much(len(found.extra), found.kept, self._connection.config.max_deletes):
                return Verified(name, found, found, _FEWER, believed=False)
            if repair is None or found.equal:
                return Verified(name, found, found)
            self._repair(plan, readable, found, self._as_kept(name, repair), comparison)
            return Verified(name, found, comparison.differences(newer_is_equal=True))

    def conclude(self, started: datetime) -> str | None:
        """Write the manifest of the repaired rows and return its location; None if nothing was repaired."""
        if self._destination is None or not self._outcomes:
            return None
        now, run_id = self._connection.clock.now(), self._connection.run_id
        manifest = build_manifest(run_id, self._outcomes, self._destination.url, started, now)
        return self._destination.create_manifest(run_id, manifest)

    def _kept(self, name: str, columns: Columns) -> Iterator[Stamped]:
        if self._against is not None:
            yield from rows_of_file(self._against.name, self._against.read_bytes(), columns)
        elif self._destination is not None:
            for path in named_files(self._manifests, name):
                yield from rows_of_file(path, self._destination.read(path) or b"", columns)

    def _read_org(self, plan: ObjectPlan, columns: Columns, comparison: Comparison) -> None:
        names = {columns.key.lower(), columns.stamp.lower()}
        narrow = tuple(column for column in plan.columns if column.name.lower() in names)
        fields = tuple(column.name for column in narrow)
        asked = replace(plan, query=replace(plan.query, fields=fields), columns=narrow, hashing=None)
        for ready in self._pages(asked, object_lines):
            for block in ready.page.encoded.product.take().blocks:
                rows = map(parse_line, bytes(block.lines).splitlines())
                comparison.add_org(
                    Stamped(row.get(columns.key, ""), milliseconds(row.get(columns.stamp) or _NEVER)) for row in rows
                )

    def _pages(self, plan: ObjectPlan, encode: Encode) -> Iterator[ReadyPage]:
        """Yield the pages of a plan; at the end, its jobs are deleted."""
        extraction = self._connection.extraction()
        beginning = Beginning(plan, plan_full_refresh(plan.state, start=plan.start))
        read: ObjectRead = extraction.begin(beginning, encode)
        try:
            while not read.finished:
                ready = extraction.next_page(read)
                if ready is not None:
                    yield ready
                    extraction.handed_on(read, ready)
                elif read.windows:
                    extraction.wait(IDLE)
        finally:
            extraction.drop(read)
            extraction.close((), CLEAN_UP)

    # Repair

    def _as_kept(self, name: str, repair: Repair) -> Repair:
        """Return the repair with the format of the object's files."""
        paths = named_files(self._manifests, name)
        formats = [name for name in FORMATS if any(path.endswith(f".{name}") for path in paths)]
        return replace(repair, page_files=FORMATS[min(formats)]) if formats else repair

    def _repair(
        self, plan: ObjectPlan, readable: ReadableObject, found: Differences, repair: Repair, comparison: Comparison
    ) -> None:
        organization = organization_key(self._connection.log_in().organization_id)
        registered = repair.schemas.check(organization, readable.sobject)
        made_by = ObjectFiles(repair.page_files, _layout(readable.sobject, ids_by_name(registered.schema)))
        columns = Columns(readable.primary_key[0], plan.cursor_field or (readable.cursor_field or ""))
        files = [*self._read_again(plan, sorted((*found.missing, *found.stale)), made_by, columns, comparison)]
        if found.extra:
            files.append(self._tombstones(plan, columns, found.extra, made_by, comparison))
        rows = sum(file.rows for file in files)
        outcome = ObjectOutcome(plan.object_name, files=tuple(files), rows=rows, schema_version=registered.version)
        self._outcomes.append(outcome)
        LOGGER.info("%s: %d rows were written, %d of them mark deletions", plan.object_name, rows, len(found.extra))

    def _read_again(
        self, plan: ObjectPlan, ids: Sequence[str], files: ObjectFiles, columns: Columns, comparison: Comparison
    ) -> Iterator[DataFile]:
        for begin in range(0, len(ids), IDS_AT_ONCE):
            listed = ", ".join(f"'{record_id}'" for record_id in ids[begin : begin + IDS_AT_ONCE])
            asked = replace(plan, query=replace(plan.query, where=f"Id IN ({listed})"), rows=None)
            for ready in self._pages(asked, files.encoder):
                page = ready.page
                if page.rows:
                    made = page.encoded.product.take()
                    comparison.add_kept(rows_of_file(_named(made, files), made.path.read_bytes(), columns))
                    yield self._put(plan.object_name, made, page.rows, page.address.job_id, files)

    def _tombstones(
        self, plan: ObjectPlan, columns: Columns, extra: Sequence[str], files: ObjectFiles, comparison: Comparison
    ) -> DataFile:
        seen = self._connection.upper_bound()
        rows = [tombstone(record_id, seen, key=columns.key, cursor=columns.stamp) for record_id in extra]
        comparison.add_kept(Stamped(record_id, milliseconds(seen), gone=True) for record_id in extra)
        with tempfile.TemporaryDirectory(prefix="tombstones-") as folder:
            made = files.write_rows(rows, Path(folder))
            return self._put(plan.object_name, made, len(rows), JOB, files)

    def _put(self, name: str, made: PageContent, rows: int, job: str, files: ObjectFiles) -> DataFile:
        path = page_path(name, self._connection.run_id, self._window, 0, files.maker.extension)
        self._window += 1
        assert self._destination is not None
        self._destination.put(made.path, path)
        return DataFile(path, rows, made.size, job, None)


_FIRST_ID = 1_000_000  # of columns that are not in the schema
_NEVER = "1970-01-01T00:00:00+00:00"
_FEWER = (
    "the user of the login sees far fewer rows than were exported. Check whether it can still see all rows (sharing "
    "rules, View All, the permission set), or raise max_deletes if they were really deleted"
)


def _layout(sobject: SObject, ids: Mapping[str, int]) -> Layout:
    """Return the layout of an object's files, with the columns of tombstones, which its exports may not have."""
    extended = sobject if any(field.added for field in sobject.fields) else with_tombstone_fields(sobject)
    unknown = [field.name for field in extended.fields if field.name not in ids]
    return Layout(extended, {**ids, **{name: _FIRST_ID + at for at, name in enumerate(unknown)}})


def _named(made: PageContent, files: ObjectFiles) -> str:
    return f"{made.path.name}.{files.maker.extension}"
