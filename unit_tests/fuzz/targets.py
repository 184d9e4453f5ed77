"""What must hold for any bytes. A target raises nothing of its own but AssertionError; anything else is a defect."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from contextlib import suppress

import orjson

from source_salesforce_bulk.pages.csv_blocks import Block, NotPlain, exact_blocks, plain_blocks
from source_salesforce_bulk.pages.csv_page import PageRejected, inspect_page, read_rows
from source_salesforce_bulk.salesforce.bulk_api import JobState
from source_salesforce_bulk.salesforce.failures import classify_job_state, classify_response
from source_salesforce_bulk.salesforce.wire import ApiResponse, Operation

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

    It is rejected, or it has rows of that many cells: as many as were counted, whatever pieces the bytes came in, and
    the very cells that Python's own csv module reads.
    """
    columns = COLUMNS[: 1 + data[0] % len(COLUMNS)] if data else COLUMNS
    body = data[1:]
    try:
        shape = inspect_page(io.BytesIO(body), columns)
    except PageRejected:
        return
    rows = list(read_rows(io.BytesIO(body), columns))
    assert len(rows) == shape.rows
    assert all(len(row) == len(columns) for row in rows)
    assert list(read_rows(InPieces(body), columns)) == rows
    text = body.decode("utf-8-sig")
    if "\r" not in text and text:
        header, *expected = csv.reader(io.StringIO(text, newline=""), strict=True)
        order = [[name.lower() for name in header].index(column.lower()) for column in columns]
        assert rows == [[(row or [""])[index] for index in order] for row in expected]


def blocks(data: bytes) -> None:
    """As :func:`page`, with how many bytes make a block in the second byte.

    The fast way through a page gives it up or finds the cells that ``csv_page`` finds, and the exact way always does.
    """
    columns = COLUMNS[: 1 + data[0] % len(COLUMNS)] if data else COLUMNS
    size, body = 20 + (data[1] if len(data) > 1 else 0), data[2:]
    try:
        rows = list(read_rows(io.BytesIO(body), columns))
    except PageRejected as rejected:
        _is_rejected(body, columns, size, str(rejected))
        return
    with suppress(NotPlain):
        assert _cells(plain_blocks(io.BytesIO(body), columns, size)) == rows
    assert _cells(exact_blocks(io.BytesIO(body), columns)) == rows


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


TARGETS: dict[str, Callable[[bytes], None]] = {"page": page, "blocks": blocks, "answer": answer}


def _cells(found: Iterable[Block]) -> list[list[str]]:
    rows: list[list[str]] = []
    for block in found:
        assert all(len(column) == block.rows for column in block.columns)
        rows += ([orjson.loads(b'"%b"' % cell) for cell in row] for row in zip(*block.columns, strict=True))
    return rows


def _is_rejected(body: bytes, columns: tuple[str, ...], size: int, why: str) -> None:
    try:
        list(plain_blocks(io.BytesIO(body), columns, size))
    except NotPlain:
        pass
    else:
        raise AssertionError(f"the fast way accepts a page although {why}")
    try:
        list(exact_blocks(io.BytesIO(body), columns))
    except PageRejected as rejected:
        said = str(rejected)
    assert said == why


def _masked(text: str) -> str:
    return text.replace(SECRET, "****")


def _says_something(summary: str, guidance: str) -> None:
    assert summary
    assert guidance
    assert SECRET not in summary
    assert "\n" not in summary
    assert len(summary) < 1000
