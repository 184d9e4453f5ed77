"""The org's own clock: the source of every timestamp, `Date` header and session age."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import format_datetime


class OrgClock:
    """Real time plus an offset, or a frozen instant; both can be moved while the org runs."""

    def __init__(self, offset: float = 0.0, frozen_at: str | None = None) -> None:
        self._offset = offset
        self._frozen: float | None = parse_stamp(frozen_at).timestamp() if frozen_at else None

    def seconds(self) -> float:
        """Return the current instant as seconds since the epoch."""
        return self._frozen if self._frozen is not None else time.time() + self._offset

    def now(self) -> datetime:
        """Return the current instant, in UTC."""
        return datetime.fromtimestamp(self.seconds(), UTC)

    def freeze(self, at: str | None = None) -> None:
        """Stop the clock, at an instant or where it is."""
        self._frozen = parse_stamp(at).timestamp() if at else self.seconds()

    def set(self, at: str) -> None:
        """Move the clock to an instant; a frozen clock stays frozen, a running one runs on from there."""
        target = parse_stamp(at).timestamp()
        if self._frozen is not None:
            self._frozen = target
        else:
            self._offset = target - time.time()

    def advance(self, seconds: float) -> None:
        """Move the clock forward, or backward by a negative number."""
        if self._frozen is not None:
            self._frozen += seconds
        else:
            self._offset += seconds

    def run(self) -> None:
        """Let a frozen clock run on from where it stands."""
        if self._frozen is not None:
            self._offset = self._frozen - time.time()
            self._frozen = None


def parse_stamp(text: str) -> datetime:
    """Read an ISO 8601 instant; one without a zone is UTC.

    >>> parse_stamp("2026-01-02T03:04:05Z").isoformat()
    '2026-01-02T03:04:05+00:00'
    """
    moment = datetime.fromisoformat(text.strip())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def csv_stamp(moment: datetime) -> str:
    """Write an instant as Bulk CSV shows it.

    >>> csv_stamp(parse_stamp("2026-01-02T03:04:05.6+01:00"))
    '2026-01-02T02:04:05.600Z'
    """
    utc = moment.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03d}Z"


def record_stamp(moment: datetime) -> str:
    """Write an instant as audit fields carry it: CSV form, whole seconds."""
    return csv_stamp(moment.replace(microsecond=0))


def json_stamp(moment: datetime) -> str:
    """Write an instant as REST JSON shows it, with `+0000`."""
    return csv_stamp(moment)[:-1] + "+0000"


def http_date(moment: datetime) -> str:
    """Write an instant as the HTTP `Date` header."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)
