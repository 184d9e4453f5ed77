"""Salesforce's estimates of how many rows objects have, requested once, in the background.

They improve a plan but are optional: after any failure, the counts are unknown. Does not retry.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet

from source_salesforce_bulk.salesforce.clock import Clock, Stopped
from source_salesforce_bulk.salesforce.failures import SalesforceError

LOGGER = logging.getLogger("salesforce_bulk.row_counts")

PATIENCE = 5.0
"""Seconds after which objects are read without their counts."""


class RowCounts:
    """The counts of ``names``, requested in as few calls as their names allow; no call for no names.

    A caller waits for them at most :data:`PATIENCE`. ``on_done`` is called when they have arrived, on any thread.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[str]], Mapping[str, int]],
        names: Sequence[str],
        clock: Clock,
        on_done: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._until = clock.monotonic() + PATIENCE
        pool = ThreadPoolExecutor(1, thread_name_prefix="counts")
        self._counts = pool.submit(_counts, ask, names)
        self._counts.add_done_callback(lambda _: on_done())
        pool.shutdown(wait=False)

    @property
    def ready(self) -> bool:
        """Return whether :meth:`of` would return at once."""
        return self._counts.done() or self._left() <= 0

    def of(self, name: str) -> int | None:
        """Return the estimate; None if there is none, or none before the time-out."""
        try:
            return self._counts.result(max(0.0, self._left())).get(name)
        except NotYet:
            return None

    def _left(self) -> float:
        return self._until - self._clock.monotonic()


def _counts(ask: Callable[[Sequence[str]], Mapping[str, int]], names: Sequence[str]) -> Mapping[str, int]:
    if not names:
        return {}
    try:
        return ask(names)
    except SalesforceError as error:
        LOGGER.info("The objects' row counts could not be read: %s", error.failure.summary)
    except Stopped:
        pass
    return {}
