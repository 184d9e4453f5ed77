"""Salesforce's own estimates of how many rows objects have, asked for once, beside everything else.

They make a plan better and are never needed: whatever goes wrong, nothing is known. Retries here: none.
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
"""Seconds after which objects are read without them."""


class RowCounts:
    """The counts of ``names``, by one call for all of them where their names fit into one; no call for no names.

    Nobody waits for them longer than :data:`PATIENCE`. ``on_done`` is called when they are in, on any thread.
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
        """Whether :meth:`of` would not wait."""
        return self._counts.done() or self._left() <= 0

    def of(self, name: str) -> int | None:
        """The estimate; None where there is none, or none yet when patience is over."""
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
        LOGGER.info("How many rows the objects have could not be asked: %s", error.failure.summary)
    except Stopped:
        pass
    return {}
