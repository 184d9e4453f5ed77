"""Answers and the delivery of their bytes: coding, transfer, pace, and every way of breaking off."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from integration_tests.simulated_org.faults import Fault
from integration_tests.simulated_org.settings import OrgSettings, Transfer

_PIECE = 65_536
_JSON = "application/json;charset=UTF-8"


@dataclass(slots=True)
class Answer:
    """An answer of the org. `compressed` gives the body as gzip where that is kept ready; `json` becomes the body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    json: Any = None
    compressed: Callable[[], bytes] | None = None
    late_body: Callable[[], bytes] | None = None  # makes the body when it is needed uncompressed
    may_gzip: bool = True

    def plain(self) -> bytes:
        """Return the uncompressed body."""
        if not self.body and self.late_body is not None:
            self.body = self.late_body()
        return self.body

    @classmethod
    def of_json(cls, status: int, value: Any, headers: dict[str, str] | None = None) -> Answer:
        """Make an answer whose body is written from a JSON value when it is sent."""
        return cls(status, b"", {"Content-Type": _JSON, **(headers or {})}, json=value)


@dataclass(frozen=True, slots=True)
class DeliveryPlan:
    """The delivery of an answer's bytes."""

    transfer: Transfer = "chunked"
    bytes_per_second: float | None = None
    cut_at: int | None = None
    reset: bool = False
    stall_at: int | None = None
    stall_seconds: float = 0.0
    close_after_stall: bool = False
    extra_length: int = 0


class _OwnHeadersOnly(web.StreamResponse):
    """A response that sends no `Date` but its own: aiohttp's would be the machine's clock, not the org's."""

    async def _prepare_headers(self) -> None:
        had_date = "Date" in self.headers
        await super()._prepare_headers()
        if not had_date:
            del self.headers["Date"]


class ConnectionClosed(Exception):
    """The handler has ended the connection on purpose; there is nothing left to answer."""


def code_body(answer: Answer, accept_encoding: str, faults: Sequence[Fault]) -> bytes:
    """Return the body as it goes on the wire and set Content-Encoding on the answer."""
    kinds = {fault.kind: fault for fault in faults}
    if "other_byte" in kinds and answer.plain():
        at = kinds["other_byte"].at
        answer.body = _flip(answer.body, len(answer.body) // 2 if at is None else at)
    wants = "gzip" in accept_encoding.lower() and answer.may_gzip and "identity" not in kinds
    if "gzip_claimed" in kinds:
        answer.headers["Content-Encoding"] = "gzip"
        return answer.plain()
    if not answer.compressed and not answer.plain():
        return b""
    if not wants and not any(kind.startswith("gzip_") for kind in kinds):
        return answer.plain()
    coded = answer.compressed() if answer.compressed else gzip.compress(answer.plain(), 1, mtime=0)
    if "gzip_unclaimed" not in kinds:
        answer.headers["Content-Encoding"] = "gzip"
    for kind, fault in kinds.items():
        if kind in _GZIP_DAMAGE:
            coded = _GZIP_DAMAGE[kind](coded, answer, fault)
    return coded


def _flip(coded: bytes, at: int) -> bytes:
    at = at % len(coded)
    return coded[:at] + bytes([coded[at] ^ 0xFF]) + coded[at + 1 :]


def _two_members(coded: bytes, answer: Answer, fault: Fault) -> bytes:
    body = answer.plain()
    middle = fault.at if fault.at is not None else len(body) // 2
    return gzip.compress(body[:middle], 1) + gzip.compress(body[middle:], 1)


_GZIP_DAMAGE: dict[str, Callable[[bytes, Answer, Fault], bytes]] = {
    "gzip_cut": lambda coded, answer, fault: coded[: fault.at if fault.at is not None else len(coded) // 2],
    "gzip_corrupt": lambda coded, answer, fault: _flip(coded, fault.at if fault.at is not None else len(coded) // 2),
    "gzip_bad_crc": lambda coded, answer, fault: _flip(coded, len(coded) - 8),
    "gzip_two_members": _two_members,
    "gzip_junk": lambda coded, answer, fault: coded + b"<!-- junk -->",
    "gzip_no_trailer": lambda coded, answer, fault: coded[:-8],
}


def plan_delivery(settings: OrgSettings, faults: Sequence[Fault], size: int, default: Transfer) -> DeliveryPlan:
    """Return the delivery of a body of `size` wire bytes."""
    plan = DeliveryPlan(default, settings.bandwidth)
    for fault in faults:
        at = fault.at if fault.at is not None else size // 2
        match fault.kind:
            case "cut":
                plan = replace(plan, cut_at=min(at, max(0, size - 1)), reset=fault.value == "reset")
            case "stall":
                plan = replace(
                    plan, stall_at=at, stall_seconds=fault.seconds or 0.0, close_after_stall=fault.value == "close"
                )
            case "slow":
                plan = replace(plan, bytes_per_second=float(fault.value))
            case "transfer":
                plan = replace(plan, transfer=fault.value)
            case "wrong_length":
                plan = replace(plan, transfer="content-length", extra_length=fault.delta)
            case _:
                pass
    return plan


async def deliver(request: web.BaseRequest, answer: Answer, coded: bytes, plan: DeliveryPlan) -> web.StreamResponse:
    """Send an answer.

    :raises ConnectionClosed: the plan ended the connection before the answer's proper end.
    """
    response = _OwnHeadersOnly(status=answer.status, headers=answer.headers)
    if answer.status in (204, 304):
        await response.prepare(request)
        return response
    if plan.transfer == "close":
        await _deliver_raw(request, answer, coded, plan)
        raise ConnectionClosed
    if plan.transfer == "content-length":
        response.content_length = len(coded) + plan.extra_length
    else:
        response.enable_chunked_encoding()
    await response.prepare(request)
    await _write(coded, plan, response.write, request)
    if plan.extra_length > 0:
        close(request)
        raise ConnectionClosed
    return response


async def _deliver_raw(request: web.BaseRequest, answer: Answer, coded: bytes, plan: DeliveryPlan) -> None:
    """Send an answer without length or chunks: its end is the connection's end."""
    transport = request.transport
    if transport is None:
        return
    head = [f"HTTP/1.1 {answer.status} OK", *(f"{name}: {value}" for name, value in answer.headers.items())]
    transport.write(("\r\n".join([*head, "Connection: close"]) + "\r\n\r\n").encode("latin-1"))

    async def write(piece: bytes) -> None:
        transport.write(piece)
        await asyncio.sleep(0)

    await _write(coded, plan, write, request)
    close(request)


async def _write(coded: bytes, plan: DeliveryPlan, write: Callable[[bytes], Any], request: web.BaseRequest) -> None:
    stops = sorted({at for at in (plan.cut_at, plan.stall_at, len(coded)) if at is not None and at <= len(coded)})
    sent = 0
    for stop in stops:
        sent = await _write_until(coded, sent, stop, plan, write)
        if stop == plan.stall_at:
            await asyncio.sleep(plan.stall_seconds)
        if stop == plan.cut_at or (stop == plan.stall_at and plan.close_after_stall):
            close(request, reset=plan.reset)
            raise ConnectionClosed


async def _write_until(coded: bytes, sent: int, stop: int, plan: DeliveryPlan, write: Callable[[bytes], Any]) -> int:
    pace = plan.bytes_per_second
    piece = _PIECE if pace is None else max(1, min(_PIECE, int(pace / 20)))
    view = memoryview(coded)
    for at in range(sent, stop, piece):
        part = bytes(view[at : min(at + piece, stop)])
        await write(part)
        if pace is not None:
            await asyncio.sleep(len(part) / pace)
    return stop


def close(request: web.BaseRequest, *, reset: bool = False) -> None:
    """End the client's connection, after what was written or, with `reset`, with a TCP reset."""
    transport = request.transport
    if transport is None:
        return
    if not reset:
        transport.close()
        return
    raw = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
