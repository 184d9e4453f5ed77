"""The org's clock, derived from its responses.

An org has many servers, each with its own clock for the ``Date`` header. A cursor ahead of the org's clock skips rows
permanently; one that is behind reads some rows twice. So the slowest clock is used:

    upper bound T = the smallest Date among the responses of the last minute,
                    at most any earlier Date or the login's issued_at, each plus the time since then

Two responses are compared after subtracting the time that passed between them on this machine, by its monotonic or its
wall clock, whichever gives the smaller difference. The first stops while a machine sleeps, the second jumps when it is
set. Neither clock is used for T itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

AGREE_WITHIN = timedelta(minutes=2)
"""A larger disagreement is reported. A smaller one may be a response that arrived late."""

BELIEVED_WITHIN = timedelta(hours=1, minutes=1)
"""A larger disagreement ends the run: an hour, plus a minute for a late response."""

_RECENT = 60.0


@dataclass(frozen=True, slots=True)
class Moment:
    """This machine's clocks, read at the same time."""

    monotonic: float
    wall: datetime


@dataclass(frozen=True, slots=True)
class Sighting:
    """A time of the org, the address that it came from, and the moment at which it was received."""

    date: datetime
    source: str
    received: Moment

    def time_at(self, moment: Moment) -> datetime:
        """Return the org's time at ``moment`` according to this sighting."""
        return self.date + timedelta(seconds=max(0.0, moment.monotonic - self.received.monotonic))


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two responses whose clocks differ by ``gap``; ``slow`` shows the earlier time."""

    slow: Sighting
    fast: Sighting
    gap: timedelta

    def __str__(self) -> str:
        seconds = round(self.gap.total_seconds())
        return f"{self.fast.source} is {seconds:,} seconds ahead of {self.slow.source}"


@dataclass(frozen=True, slots=True)
class OrgClock:
    """All dates that a run has to remember, in bounded space.

    ``recent`` are sightings in order of arrival, each later than those before it: for any period that ends at the
    newest sighting, they include the period's smallest date.
    """

    recent: tuple[Sighting, ...] = ()
    slowest: Sighting | None = None
    fastest: Sighting | None = None
    disagreement: Disagreement | None = None

    def seen(self, sighting: Sighting) -> OrgClock:
        """Return the clock after one more response."""
        kept = tuple(known for known in self.recent if known.date < sighting.date and _is_recent(known, sighting))
        slowest = min(filter(None, (self.slowest, sighting)), key=_offset)
        fastest = max(filter(None, (self.fastest, sighting)), key=_offset)
        found = (_compare(known, sighting) for known in (self.slowest, self.fastest) if known is not None)
        known_gaps = [self.disagreement] if self.disagreement is not None else []
        widest = max((*known_gaps, *found), key=lambda gap: gap.gap, default=None)
        return OrgClock((*kept, sighting), slowest, fastest, widest)

    def time_at(self, moment: Moment) -> datetime | None:
        """Return the org's time at ``moment`` by its slowest clock; None before the first response with a date."""
        return self.slowest.time_at(moment) if self.slowest is not None else None

    def upper_bound(self, moment: Moment, login: Sighting | None) -> datetime | None:
        """Return T at ``moment``, truncated to seconds; None if the org's time is not known yet.

        ``login`` is the ``issued_at`` of the session's token reply. It is ignored if it is more than an hour behind
        both the responses and this machine's clock: then it is not the time of the login.
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
    """Return how far the sighting is ahead of the monotonic clock, in seconds; only differences are meaningful."""
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
