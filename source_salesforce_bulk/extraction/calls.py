"""Calls that run beside the reader, and whose answers come back to its thread.

The whole extraction is decided in one thread. What must wait for Salesforce is handed to a pool here; when it has
answered, its callback runs in the deciding thread, from :meth:`Calls.drain`. So no state of the extraction needs a
lock.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar

from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError

LOGGER = logging.getLogger("salesforce_bulk.extraction")

T = TypeVar("T")
Callback = Callable[[], None]


class Calls(Protocol):
    """Where calls run. Nothing here retries; an exception of a call is handed to ``failed``."""

    def submit(self, call: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        """Run ``call`` beside this thread; later, :meth:`drain` runs ``done`` or ``failed`` with what became of it."""
        ...

    def post(self, callback: Callback) -> None:
        """Let :meth:`drain` run ``callback``; may be called from any thread."""
        ...

    def drain(self, timeout: float) -> bool:
        """Run the callbacks that are due, waiting up to ``timeout`` seconds for the first; whether any ran."""
        ...

    def close(self) -> None:
        """Take no further call, and do not wait for those on their way."""
        ...


class ThreadedCalls:
    """Calls on a pool of ``workers`` threads; callbacks through one queue."""

    def __init__(self, workers: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix=name)
        self._due: SimpleQueue[Callback] = SimpleQueue()

    def submit(self, call: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        """See :class:`Calls`."""

        def run() -> None:
            try:
                result = call()
            except Exception as error:  # noqa: BLE001 - handed over whole: the deciding thread knows what it means
                failure = error
                self._due.put(lambda: failed(failure))
            else:
                self._due.put(lambda: done(result))

        self._pool.submit(run)

    def post(self, callback: Callback) -> None:
        """See :class:`Calls`."""
        self._due.put(callback)

    def drain(self, timeout: float) -> bool:
        """See :class:`Calls`."""
        try:
            callback = self._due.get(timeout=timeout) if timeout > 0 else self._due.get_nowait()
        except Empty:
            return False
        callback()
        while not self._due.empty():
            self._due.get_nowait()()
        return True

    def close(self) -> None:
        """See :class:`Calls`."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def failure_in(error: Exception) -> Failure | None:
    """What a call's exception means for the object it was made for; None where the run is being stopped anyway.

    A defect of ours fails that object and no other. Its own text is not shown: it may hold a value of a row.
    """
    if isinstance(error, SalesforceError):
        return error.failure
    if isinstance(error, Stopped):
        return None
    LOGGER.debug("%s in a call:\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
    return Failure.of(Kind.UNEXPECTED, detail=type(error).__name__)
