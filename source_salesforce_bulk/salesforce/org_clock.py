"""The org's own clock, as its answers show it.

Many servers answer for one org, and each stamps its answers (``Date``) by a clock of its own. A cursor that runs ahead
of the org's clock skips rows for good; one that lags reads some rows twice. So the slowest clock counts:

    upper bound T = the smallest Date among the answers of the last minute,
                    not later than any earlier Date or the login's issued_at, each with the time since then added

How much two answers disagree is measured against the time that passed between them on this machine: by its monotonic
clock or by its wall clock, whichever explains the answers better. The first stands still while a machine sleeps, the
second jumps when it is set. Neither ever becomes T.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

AGREE_WITHIN = timedelta(minutes=2)
"""A larger disagreement is reported. A smaller one may be an answer that was slow to arrive."""

BELIEVED_WITHIN = timedelta(hours=1, minutes=1)
"""A larger disagreement ends the run: more than an hour, and a minute that an answer may take to arrive."""

_RECENT = 60.0


@dataclass(frozen=True, slots=True)
class Moment:
    """This machine's clocks, read together."""

    monotonic: float
    wall: datetime


@dataclass(frozen=True, slots=True)
class Sighting:
    """A time of the org's, the address that showed it, and the moment at which it was received."""

    date: datetime
    source: str
    received: Moment

    def time_at(self, moment: Moment) -> datetime:
        """The org's time at ``moment``, as this sighting has it."""
        return self.date + timedelta(seconds=max(0.0, moment.monotonic - self.received.monotonic))


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two answers whose clocks are ``gap`` apart; ``slow`` shows the earlier time."""

    slow: Sighting
    fast: Sighting
    gap: timedelta

    def __str__(self) -> str:
        seconds = round(self.gap.total_seconds())
        return f"{self.fast.source} is {seconds:,} seconds ahead of {self.slow.source}"


@dataclass(frozen=True, slots=True)
class OrgClock:
    """Everything that a run needs to remember of the dates it has seen; of bounded size.

    ``recent`` are sightings in the order in which they came, each later than those before it: the smallest date of any
    stretch of time that reaches up to the newest one is among them.
    """

    recent: tuple[Sighting, ...] = ()
    slowest: Sighting | None = None
    fastest: Sighting | None = None
    disagreement: Disagreement | None = None

    def seen(self, sighting: Sighting) -> OrgClock:
        """The clock after one more answer."""
        kept = tuple(known for known in self.recent if known.date < sighting.date and _is_recent(known, sighting))
        slowest = min(filter(None, (self.slowest, sighting)), key=_offset)
        fastest = max(filter(None, (self.fastest, sighting)), key=_offset)
        found = (_compare(known, sighting) for known in (self.slowest, self.fastest) if known is not None)
        known_gaps = [self.disagreement] if self.disagreement is not None else []
        widest = max((*known_gaps, *found), key=lambda gap: gap.gap, default=None)
        return OrgClock((*kept, sighting), slowest, fastest, widest)

    def time_at(self, moment: Moment) -> datetime | None:
        """The org's time at ``moment`` by its slowest clock; None before the first answer with a date."""
        return self.slowest.time_at(moment) if self.slowest is not None else None

    def upper_bound(self, moment: Moment, login: Sighting | None) -> datetime | None:
        """T at ``moment``, cut to the second; None where nothing has shown the org's time.

        ``login`` is the ``issued_at`` of the session's token reply. It is left aside where it lies more than an hour
        behind both the answers and this machine's clock: then it is not the time of the login.
        """
        dates = [self.recent[-1].date] if self.recent else []
        dates += [
            sighting.date for sighting in self.recent if moment.monotonic - sighting.received.monotonic <= _RECENT
        ]
        dates += [self.slowest.time_at(moment)] if self.slowest is not None else []
        if login is not None and not (dates and _is_stale(login.time_at(moment), min(dates), moment)):
            dates.append(login.time_at(moment))
        return min(dates).replace(microsecond=0) if dates else None


def _is_recent(known: Sighting, newest: Sighting) -> bool:
    return newest.received.monotonic - known.received.monotonic <= _RECENT


def _offset(sighting: Sighting) -> float:
    """How far the sighting is ahead of the monotonic clock, in seconds; only differences mean something."""
    return sighting.date.timestamp() - sighting.received.monotonic


def _compare(first: Sighting, other: Sighting) -> Disagreement:
    passed = other.date - first.date
    ahead = min(
        passed - timedelta(seconds=other.received.monotonic - first.received.monotonic),
        passed - (other.received.wall - first.received.wall),
        key=abs,
    )
    slow, fast = (first, other) if ahead > timedelta(0) else (other, first)
    return Disagreement(slow, fast, abs(ahead))


def _is_stale(issued: datetime, answered: datetime, moment: Moment) -> bool:
    return issued + BELIEVED_WITHIN < min(answered, moment.wall)
