"""How many of its daily API calls the org has used, as far as its answers agree.

Each answer brings a count (``Sforce-Limit-Info``), some bring none, and the counts lag: of two answers, the later may
say less. One may be far off. So the count that is believed is not the last one, but the second largest of the recent
ones: a late small one does not lower it, and a wild large one does not raise it by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from source_salesforce_bulk.salesforce.wire import ApiUsage

RECENT = 20
"""Answers that count: with several calls at a time, as many seconds at most."""


@dataclass(frozen=True, slots=True)
class RecentUsage:
    """The counts of the last answers that had one, oldest first."""

    answers: tuple[ApiUsage, ...] = ()

    def seen(self, usage: ApiUsage | None) -> RecentUsage:
        """With one more answer."""
        return self if usage is None else replace(self, answers=(*self.answers, usage)[-RECENT:])

    @property
    def believed(self) -> ApiUsage | None:
        """The count to go by; None before the first. Of one or two answers it is the larger."""
        ordered = sorted(self.answers, key=lambda usage: usage.used, reverse=True)
        return ordered[1 if len(ordered) > 2 else 0] if ordered else None
