"""Time, where it comes from: every pause and every reading of a clock goes through a :class:`Clock`."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Stopped(Exception):
    """The run is being stopped; whoever was waiting gives up."""


class Clock(Protocol):
    """What the package knows of time."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; only differences mean something."""

    def now(self) -> datetime:
        """This machine's UTC time: for signatures and log lines, never for the bounds of a window."""

    def sleep(self, seconds: float) -> None:
        """Wait; raises :class:`Stopped` as soon as the run is being stopped. ``sleep(0)`` only asks that."""


class SystemClock:
    """The machine's clock. Setting ``stop`` ends every sleep, from any thread and from signal handlers."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def monotonic(self) -> float:
        """See :class:`Clock`."""
        return time.monotonic()

    def now(self) -> datetime:
        """See :class:`Clock`."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """See :class:`Clock`."""
        # Event.wait refuses nothing but what overflows a C timestamp; a century is long enough.
        if self._stop.wait(min(max(seconds, 0.0), threading.TIMEOUT_MAX)):
            raise Stopped("the run is being stopped")
