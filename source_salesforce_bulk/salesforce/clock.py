"""Sources of time: every pause and every reading of a clock goes through a :class:`Clock`."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Stopped(Exception):
    """Raised in every waiting thread when the run is being stopped."""


class Clock(Protocol):
    """The clock that the package uses."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back; only differences are meaningful."""

    def now(self) -> datetime:
        """Return this machine's UTC time, for signatures and log lines, never for the bounds of a window."""

    def sleep(self, seconds: float) -> None:
        """Wait; raises :class:`Stopped` as soon as the run is being stopped. ``sleep(0)`` only checks for that."""


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
        # Event.wait raises OverflowError above TIMEOUT_MAX, which is about a century.
        if self._stop.wait(min(max(seconds, 0.0), threading.TIMEOUT_MAX)):
            raise Stopped("the run is being stopped")
