"""The loop of a run: objects begin as job slots become free, take turns page by page, and stop together.

    loop.begin()                  log in and look at the limits
    loop.messages(participants)   yield the objects' messages, in turns
    loop.finish()                 note that everything was emitted
    loop.close(keep)              end the jobs that no emitted state names

Airbyte's ``read`` and ``export`` both use it. They provide the objects, and a callback between two turns.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.extraction import CLEAN_UP, CLEAN_UP_STOPPED, IDLE, Extraction
from source_salesforce_bulk.extraction.interleaving import TurnOver, interleave
from source_salesforce_bulk.extraction.limits_watch import LimitsWatch
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError

LOGGER = logging.getLogger("salesforce_bulk.run")

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Participant(Generic[M]):
    """One object of a run. ``turns`` yields its messages, and ``TURN_OVER`` when another object may continue.

    ``ready`` returns whether everything that the object needs before its first job is known; it is called before the
    object begins, while others are running.
    """

    name: str
    turns: Iterator[M | TurnOver]
    ready: Callable[[], bool] = lambda: True


class RunLoop:
    """One run over a connection. ``stopped`` returns whether a signal has come; ``watch`` is called between turns."""

    def __init__(
        self,
        connection: Connection,
        extraction: Extraction,
        stopped: Callable[[], bool],
        watch: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = connection
        self._extraction = extraction
        self._stopped = stopped
        self._watch = watch
        self._limits = LimitsWatch(connection, extraction)
        self._clean_up_seconds = CLEAN_UP_STOPPED

    def begin(self) -> None:
        """Log in and look at the limits. Raises ``SalesforceError`` for what stops every object, and ``Stopped``."""
        self._connection.log_in()
        failure = self._limits.begin()
        if failure is not None:
            raise SalesforceError(failure)

    def messages(
        self, participants: Sequence[Participant[M]], before_waiting: Callable[[], None] = lambda: None
    ) -> Iterator[M]:
        """Yield the participants' messages in turns; those of one participant stay in order.

        ``before_waiting`` is called before every wait, for instance to flush buffers.
        """
        extraction = self._extraction
        begun = 0

        def watched(participant: Participant[M]) -> Iterator[M | TurnOver]:
            nonlocal begun
            begun += 1
            for turn in self._timed(participant):
                if isinstance(turn, TurnOver):
                    yield turn
                    look_around()
                else:
                    yield turn
            look_around()

        def look_around() -> None:
            extraction.others_wait = begun < len(participants)
            if self._stopped():
                extraction.stop(Failure.of(Kind.INTERRUPTED))
            self._limits.look()
            self._watch()

        def may_begin(others: bool) -> bool:
            if not others or extraction.stop_failure is not None:
                return True
            return extraction.has_free_slot and participants[begun].ready()

        def idle() -> None:
            before_waiting()
            extraction.wait(IDLE)
            look_around()

        extraction.others_wait = len(participants) > 1
        yield from interleave([watched(participant) for participant in participants], may_begin=may_begin, idle=idle)

    def _timed(self, participant: Participant[M]) -> Iterator[M | TurnOver]:
        """Count the time between two consecutive turns without a message as waiting time of the object."""
        metrics, clock = self._connection.metrics.of(participant.name), self._connection.clock
        waiting_since: float | None = None
        for turn in participant.turns:
            now = clock.monotonic()
            over = isinstance(turn, TurnOver)
            if over and waiting_since is not None:
                metrics.waiting += now - waiting_since
            waiting_since = now if over else None
            yield turn

    def finish(self) -> None:
        """Note that everything was emitted. Without a signal, there is now more time to delete finished jobs."""
        if not self._stopped():
            self._clean_up_seconds = CLEAN_UP

    def close(self, keep: Callable[[], Collection[str]], *first: Callable[[], object]) -> None:
        """Run the steps in ``first``, end every job of the run that is not in ``keep``, and close the connection.

        Each step runs even if others fail. A failure is logged; it must not hide how the run ended.
        """
        for step in (*first, lambda: self._extraction.close(keep(), self._clean_up_seconds), self._connection.close):
            try:
                step()
            except Exception as error:  # noqa: BLE001 - see above
                LOGGER.warning("A step of the clean-up failed (%s)", type(error).__name__)
