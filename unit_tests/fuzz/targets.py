"""The rules that hold for any bytes. A target raises only AssertionError; any other exception is a defect."""

from __future__ import annotations

import csv
import io
import json
import posixpath
from collections.abc import Callable
from contextlib import suppress
from pathlib import PurePosixPath

import orjson

from source_salesforce_bulk.extraction.stream_state import Mode, StateError, read_state
from source_salesforce_bulk.pages.core import HAS_CORE, NativeDecoder
from source_salesforce_bulk.pages.csv_page import PageRejected, read_rows
from source_salesforce_bulk.pages.lines import LineForm
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.registries.schemas import UnreadableSchema, from_json_schema, to_json_schema
from source_salesforce_bulk.registries.state import Progress, UnreadableProgress
from source_salesforce_bulk.salesforce.bulk_api import JobState
from source_salesforce_bulk.salesforce.describe import (
    choose_cursor,
    choose_primary_key,
    json_schema,
    parse_describe,
)
from source_salesforce_bulk.salesforce.drift import object_schema
from source_salesforce_bulk.salesforce.failures import classify_job_state, classify_response
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.object_hints import why_left_out
from source_salesforce_bulk.salesforce.rest_api import parse_sobjects
from source_salesforce_bulk.salesforce.soql import check_name
from source_salesforce_bulk.salesforce.wire import ApiResponse, Operation, UnreadableBody

COLUMNS = ("Id", "Name", "Note")
SECRET = "00Dxx!AQ.never-shown"
_OPERATIONS = tuple(Operation)


class InPieces(io.BytesIO):
    """A file that never gives more than a few bytes at a time, as a slow network does."""

    def read(self, size: int | None = -1, /) -> bytes:
        """At most three bytes."""
        return super().read(3 if size is None or size < 0 else min(size, 3))


def page(data: bytes) -> None:
    """The first byte says how many columns were selected, the rest is the page.

    It is rejected, or it has rows of that many cells: the same whatever pieces the bytes came in, and the very
    cells that Python's own csv module reads.
    """
    columns = COLUMNS[: 1 + data[0] % len(COLUMNS)] if data else COLUMNS
    body = data[1:]
    try:
        rows = list(read_rows(io.BytesIO(body), columns))
    except PageRejected:
        return
    assert all(len(row) == len(columns) for row in rows)
    assert list(read_rows(InPieces(body), columns)) == rows
    text = body.decode("utf-8-sig")
    if "\r" not in text and text:
        header, *expected = csv.reader(io.StringIO(text, newline=""), strict=True)
        if header == ["Records not found for this query"]:
            assert rows == []
            return
        order = [[name.lower() for name in header].index(column.lower()) for column in columns]
        assert rows == [[(row or [""])[index] for index in order] for row in expected]


def blocks(data: bytes) -> None:
    """Like :func:`page`; the second byte is the number of bytes that arrive at once.

    The native core, where it is installed, finds the rows that ``csv_page`` finds, and rejects what it rejects.
    """
    columns = COLUMNS[: 1 + data[0] % len(COLUMNS)] if data else COLUMNS
    size, body = 20 + (data[1] if len(data) > 1 else 0), data[2:]
    if not HAS_CORE:
        return
    try:
        rows = list(read_rows(io.BytesIO(body), columns))
    except PageRejected:
        try:
            _rows_of_the_core(body, columns, size)
        except PageRejected:
            return
        raise AssertionError("the core accepts a page that Python rejects") from None
    assert _rows_of_the_core(body, columns, size) == rows


def answer(data: bytes) -> None:
    """Three bytes choose the operation and the status, the rest is the body, in which a secret is echoed.

    Every answer is a success or a failure that says something, on one line, without the secret. Of a result page's
    body nothing is quoted, so that there is nothing to mask.
    """
    choice, high, low, *_ = (*data[:3], 0, 0, 0)
    operation = _OPERATIONS[choice % len(_OPERATIONS)]
    status = 100 + (high * 256 + low) % 500
    body = data[3:] + SECRET.encode()
    headers = {"content-type": "text/html" if choice & 128 else "application/json", "location": SECRET}
    masked = str if operation is Operation.RESULTS else _masked
    failure = classify_response(operation, ApiResponse(status, headers, body), masked)
    if failure is not None:
        _says_something(failure.summary, failure.guidance)
    job = classify_job_state(JobState.FAILED, _masked(body.decode(errors="replace")))
    assert job is not None
    _says_something(job.summary, job.guidance)


def describe(data: bytes) -> None:
    """The body of a describe or of a list of objects.

    It is unreadable, or all that discovery makes of it can be written as UTF-8 and shown on a terminal.
    """
    response = ApiResponse(200, {}, data)
    with suppress(UnreadableBody):
        for listing in parse_sobjects(response.json()):
            assert check_name(listing.name)
            why_left_out(listing)
    with suppress(UnreadableBody):
        sobject = parse_describe(response.json(), asked_for="Asked__c")
        schema = json_schema(sobject, choose_cursor(sobject))
        assert set(choose_primary_key(sobject)) <= set(schema["properties"])
        assert all(check_name(field.name) for field in sobject.fields)
        words = [schema["description"], *(one["description"] for one in schema["properties"].values())]
        assert all(word.isprintable() and word.encode() for word in words)
        assert from_json_schema(to_json_schema(object_schema(sobject))).same_as(object_schema(sobject))


def state(data: bytes) -> None:
    """A state that Airbyte or a registry kept: it is refused, or what is written of it is read as the same again.

    Whatever it names can stand in a path and in a query.
    """
    with suppress(ValueError, RecursionError):
        blob = json.loads(data)
        for mode in Mode:
            _is_read_again(blob, mode)


def registry(data: bytes) -> None:
    """The first byte chooses a state file or a schema file: it is refused, or names nothing outside its folder."""
    text = data[1:]
    if not data or data[0] % 2:
        with suppress(UnreadableSchema):
            schema = from_json_schema(text)
            assert from_json_schema(to_json_schema(schema)).same_as(schema)
        return
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError):
        return
    with suppress(UnreadableProgress):
        progress = Progress.from_json(payload)
        assert Progress.from_json(progress.to_json()) == progress
        below = PurePosixPath("/destination")
        for path in (*(file.path for file in (*progress.closed, *progress.open)), f"{progress.closing or 'run'}.json"):
            inside = PurePosixPath(posixpath.normpath(below / path))
            assert inside == below / path
            assert inside.is_relative_to(below)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "page": page,
    "blocks": blocks,
    "answer": answer,
    "describe": describe,
    "state": state,
    "registry": registry,
}


def _is_read_again(blob: object, mode: Mode) -> None:
    scope = str(blob.get("scope")) if isinstance(blob, dict) else ""
    try:
        read = read_state(blob, mode, "SystemModstamp", scope).state  # type: ignore[arg-type]
    except StateError:
        return
    written = read.to_json("SystemModstamp")
    if written != {"scope": scope}:  # nothing is known yet
        assert read_state(written, mode, "SystemModstamp", scope).state == read
    for point in read.resume:
        assert f"{point.job}{point.locator}{point.api_version}".isascii()
        assert "'" not in f"{point.bounds.id_from}{point.bounds.id_to}"


def _rows_of_the_core(body: bytes, columns: tuple[str, ...], size: int) -> list[list[str]]:
    form = LineForm(tuple(Column(name, CellKind.STRING) for name in columns))
    decoder, lines, taker = NativeDecoder(form.columns, gzipped=False, most=1 << 30), b"", form.native(0)
    for start in range(0, len(body), size):
        for _ in decoder.feed(body[start : start + size]):
            pass
    decoder.finish(None)
    while (block := taker.next(decoder.core)) is not None:
        lines += bytes(block.content)
    found = [orjson.loads(line) for line in lines.split(b"\n")[:-1]]
    return [[row.get(name, "") for name in columns] for row in found]


def _masked(text: str) -> str:
    return text.replace(SECRET, "****")


def _says_something(summary: str, guidance: str) -> None:
    assert summary
    assert guidance
    assert SECRET not in summary
    assert "\n" not in summary
    assert len(summary) < 1000
