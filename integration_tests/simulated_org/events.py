"""Changes that are made at a given moment of the traffic, such as after the second page of a job was served."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

EVENTS = ("job_created", "job_processing", "job_completed", "job_ended", "page_served")


@dataclass(slots=True)
class _Waiting:
    event: str
    object_name: str | None
    left: int
    action: Callable[[], object]


class Events:
    """Actions waiting for the n-th event of a kind; each runs once, in the order they were registered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []

    def when(self, event: str, action: Callable[[], object], *, object_name: str | None = None, nth: int = 1) -> None:
        """Run an action at the n-th event from now on, optionally only of one object.

        Events are those of `EVENTS` and, when a request comes in and before it is processed, its request kind.
        """
        with self._lock:
            self._waiting.append(_Waiting(event, object_name, nth, action))

    def fire(self, event: str, object_name: str | None = None) -> None:
        """Run what was waiting for this event."""
        due = []
        with self._lock:
            for waiting in self._waiting:
                if waiting.event != event or (
                    waiting.object_name is not None and waiting.object_name.lower() != (object_name or "").lower()
                ):
                    continue
                waiting.left -= 1
                if waiting.left == 0:
                    due.append(waiting)
            self._waiting = [waiting for waiting in self._waiting if waiting.left > 0]
        for waiting in due:
            waiting.action()

    def pending(self) -> int:
        """Return how many actions still wait."""
        with self._lock:
            return len(self._waiting)
