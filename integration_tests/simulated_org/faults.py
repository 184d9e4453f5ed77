"""Faults: what can go wrong, where it strikes, and a log of how often it did.

A fault waits for a request that fits (`on`, `object`, `job`, `page`), lets `after` of them pass, then strikes `times`
times, or for ever when `times` is None. The kinds and their stages are in `fault_kinds.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from integration_tests.simulated_org.fault_kinds import KINDS, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault to inject; which of the later attributes matter depends on the kind (see the README's table)."""

    kind: str
    on: str | None = None  # a request kind, `*` for all; None: the kind's own default
    object: str | None = None
    job: str | None = None  # a job id
    nth_job: int | None = None  # only the n-th job of that object, from 1
    page: int | None = None  # only the n-th page of a job, from 1
    after: int = 0
    times: int | None = 1
    status: int | None = None
    error: str | None = None  # a name of API_ERRORS or OAUTH_ERRORS
    message: str | None = None
    body: str | None = None  # json, object, html, empty, [{}], or the text itself
    retry_after: str | None = None
    at: int | None = None  # a byte of the body
    rows: int = 1
    delta: int = 1
    seconds: float | None = None
    polls: int | None = None
    name: str | None = None  # a header or key
    value: Any = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault kind {self.kind!r}; known: {', '.join(sorted(KINDS))}")

    @property
    def stage(self) -> Stage:
        """The stage of a request at which the fault strikes."""
        return KINDS[self.kind].stage

    @property
    def request_kind(self) -> str:
        """The request kind it waits for."""
        return self.on or KINDS[self.kind].on


@dataclass(frozen=True, slots=True)
class Target:
    """The parts of a request that faults select by."""

    kind: str
    object: str | None = None
    job: str | None = None
    nth_job: int | None = None
    page: int | None = None


@dataclass(slots=True)
class _Armed:
    fault: Fault
    seen: int = 0
    fired: int = 0
    log: list[str] = field(default_factory=list)


class FaultBoard:
    """The faults of one org; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: dict[int, _Armed] = {}
        self._last = 0

    def add(self, fault: Fault) -> int:
        """Arm a fault; return the number to remove it by."""
        with self._lock:
            self._last += 1
            self._armed[self._last] = _Armed(fault)
            return self._last

    def remove(self, number: int) -> None:
        """Disarm one fault and forget its log."""
        with self._lock:
            self._armed.pop(number, None)

    def clear(self) -> None:
        """Disarm all faults and forget their logs."""
        with self._lock:
            self._armed.clear()

    def strike(self, stages: Iterable[Stage], target: Target) -> list[Fault]:
        """Return the faults of these stages that strike this request, and count them."""
        wanted = frozenset(stages)
        struck = []
        with self._lock:
            for armed in self._armed.values():
                if armed.fault.stage in wanted and _fits(armed.fault, target) and _due(armed):
                    armed.log.append(f"{target.kind} {target.object or ''} {target.job or ''}".strip())
                    struck.append(armed.fault)
        return struck

    def log(self) -> list[dict[str, Any]]:
        """Return every fault with how often it saw a fitting request and how often it struck, and where."""
        with self._lock:
            return [
                {
                    "number": number,
                    "kind": armed.fault.kind,
                    "on": armed.fault.request_kind,
                    "object": armed.fault.object,
                    "seen": armed.seen,
                    "fired": armed.fired,
                    "struck": list(armed.log),
                }
                for number, armed in self._armed.items()
            ]


def _fits(fault: Fault, target: Target) -> bool:
    return (
        fault.request_kind in ("*", target.kind)
        and (fault.object is None or (target.object or "").lower() == fault.object.lower())
        and fault.job in (None, target.job)
        and fault.nth_job in (None, target.nth_job)
        and fault.page in (None, target.page)
    )


def _due(armed: _Armed) -> bool:
    armed.seen += 1
    if armed.seen <= armed.fault.after or (armed.fault.times is not None and armed.fired >= armed.fault.times):
        return False
    armed.fired += 1
    return True
