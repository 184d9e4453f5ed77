"""Which files an object's state covers, so that no row is in two of them and none in no one. Pure.

    files of windows read to their end   |  files of the window under way
    [ closed ............................]  [ open ....... ranges read | front: the range being read ]

A window may be cut into ranges of Ids, which are read one after the other. What its end makes true, the state says; a
job that is lost makes the range being read begin again, in new files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from source_salesforce_bulk.extraction.stream_state import StreamState
from source_salesforce_bulk.registries.state import DataFile, Progress


@dataclass(frozen=True, slots=True)
class Coverage:
    """One object's files that no manifest names yet; the last ``front`` of ``open`` are of the range being read."""

    closed: tuple[DataFile, ...] = ()
    open: tuple[DataFile, ...] = ()
    front: int = 0

    @classmethod
    def of(cls, progress: Progress, state: StreamState) -> Self:
        """What an earlier run left, under the state that this run continues from.

        Where the state names no job, the window under way is read again from its start.
        """
        started = next((point for point in state.resume if point.page), None)
        if not state.resume:
            return cls(progress.closed)
        if started is None:
            return cls(progress.closed, progress.open)
        others = len(progress.open)
        while others and progress.open[others - 1].job == started.job:
            others -= 1
        return cls(progress.closed, progress.open, len(progress.open) - others)

    def with_page(self, file: DataFile | None) -> Self:
        """One more page of the range being read; None where it held no row."""
        return self if file is None else replace(self, open=(*self.open, file), front=self.front + 1)

    def with_tombstones(self, file: DataFile) -> Self:
        """One more file, of rows that have vanished; it belongs to no window."""
        return replace(self, closed=(*self.closed, file))

    def started_over(self) -> Self:
        """The range being read begins again: what was read of it comes once more, in other files."""
        return replace(self, open=self.open[: len(self.open) - self.front], front=0)

    def range_read(self, *, window_read: bool) -> Self:
        """The range was read to its end; ``window_read``: it was the last of its window."""
        if window_read:
            return replace(self, closed=self.closed + self.open, open=(), front=0)
        return replace(self, front=0)

    def under(self, state: StreamState) -> Self:
        """What counts under a state that is about to be kept: where it names no job, nothing of an open window does."""
        return self if state.resume else replace(self, open=(), front=0)
