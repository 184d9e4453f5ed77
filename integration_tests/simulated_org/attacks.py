"""Answers that hurt a client which trusts them: bombs, endless lines, dripping bytes, endless pages.

Nothing here holds what it sends: bodies are compressed piece by piece, and drips end with the connection.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from integration_tests.simulated_org.faults import Fault
from integration_tests.simulated_org.jobs import QueryJob
from integration_tests.simulated_org.wire import Answer, ConnectionClosed, close

_MEGABYTE = 1_000_000
_LONGEST_DRIP = 3_600.0
_HEAD = b"HTTP/1.1 200 OK\r\n"
_JSON_HEAD = _HEAD + b"Content-Type: application/json;charset=UTF-8\r\n"

# What each dripping answer begins with, and the bytes that follow one by one for ever.
_DRIPS: dict[str, tuple[bytes, bytes]] = {
    "drip_status_line": (b"HTTP/1.1 200 ", b"O"),
    "drip_headers": (_JSON_HEAD + b"X-Slow: ", b"x"),
    "drip_continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "drip_chunk_extension": (_JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;name=", b"x"),
    "drip_body": (_JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
}


async def attack(fault: Fault, answer: Answer, request: web.BaseRequest) -> None:
    """Answer in the way of an attack fault.

    :raises ConnectionClosed: always; the connection has served its purpose.
    """
    if fault.kind in _DRIPS:
        await _drip(fault, request)
    else:
        await _bomb(fault, answer, request)
    close(request)
    raise ConnectionClosed


async def _drip(fault: Fault, request: web.BaseRequest) -> None:
    head, piece = _DRIPS[fault.kind]
    pause = fault.seconds if fault.seconds is not None else 0.2
    transport, spent = request.transport, 0.0
    if transport is None:
        return
    transport.write(head)
    while spent < _LONGEST_DRIP and not transport.is_closing():
        transport.write(piece)
        await asyncio.sleep(pause)
        spent += max(pause, 0.001)


async def _bomb(fault: Fault, answer: Answer, request: web.BaseRequest) -> None:
    """Send the answer's body, gzip coded, with `value` megabytes more in it than it ought to have."""
    megabytes = int(fault.value or 1_000)
    body = answer.plain()
    parts = _huge_line(body, megabytes) if fault.kind == "huge_line" else _padded(body, megabytes)
    response = web.StreamResponse(status=answer.status, headers=answer.headers | {"Content-Encoding": "gzip"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    for piece in _compressed(parts):
        if request.transport is None or request.transport.is_closing():
            return
        await response.write(piece)
        await asyncio.sleep(0)
    await response.write_eof()


def _padded(body: bytes, megabytes: int) -> Iterator[bytes]:
    """Yield blanks, which JSON allows, and then the body."""
    blanks = b" " * _MEGABYTE
    for _ in range(megabytes):
        yield blanks
    yield body


def _huge_line(body: bytes, megabytes: int) -> Iterator[bytes]:
    """Yield a CSV page whose first row goes on and on in its last cell."""
    header, _, rows = body.partition(b"\n")
    yield header + b"\n"
    first, _, rest = rows.partition(b"\n")
    yield first.removesuffix(b"\r").removesuffix(b'"')
    filler = b"x" * _MEGABYTE
    for _ in range(megabytes):
        yield filler
    yield b'"\n' + rest


def _compressed(parts: Iterator[bytes]) -> Iterator[bytes]:
    coder = zlib.compressobj(1, zlib.DEFLATED, 31)
    for part in parts:
        if piece := coder.compress(part):
            yield piece
    yield coder.flush()


def endless_result_pages(fault: Fault, body: Any, job: QueryJob, address: str) -> dict[str, Any]:
    """Return a list of result pages that is never done: the same pages again, or none at all if `value` is 'empty'."""
    locator = f"endless{len(job.locators)}"
    job.locators[locator] = 0
    pages = [] if fault.value == "empty" else body["resultPages"]
    return {"resultPages": pages, "nextRecordsUrl": f"{address}?locator={locator}", "done": False}
