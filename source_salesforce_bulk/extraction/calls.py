"""Run calls on a thread pool, and deliver their results to the deciding thread.

One thread makes all decisions of the extraction. Calls that wait for Salesforce run on a pool; their callbacks run in
the deciding thread, from :meth:`Calls.drain`. So no state of the extraction needs a lock.
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
    """Runs calls. Does not retry; an exception of a call is passed to ``failed``."""

    def submit(self, call: Callable[[], T], done: Callable[[T], None], failed: Callable[[Exception], None]) -> None:
        """Run ``call`` on another thread; later, :meth:`drain` calls ``done`` or ``failed`` with its result."""
        ...

    def post(self, callback: Callback) -> None:
        """Let :meth:`drain` run ``callback``. Thread-safe."""
        ...

    def drain(self, timeout: float) -> bool:
        """Run the due callbacks, after waiting up to ``timeout`` seconds for the first; return whether any ran."""
        ...

    def close(self) -> None:
        """Accept no further calls, and do not wait for running ones."""
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
            except Exception as error:  # noqa: BLE001 - passed on to the deciding thread
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
    """Return the failure of the object that a call was made for; None if the run is being stopped anyway.

    Our own defects fail only that object. Their text is not shown, because it may contain row values.
    """
    if isinstance(error, SalesforceError):
        return error.failure
    if isinstance(error, Stopped):
        return None
    LOGGER.debug("%s in a call:\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
    return Failure.of(Kind.UNEXPECTED, detail=type(error).__name__)
