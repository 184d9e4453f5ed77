"""Track the files that an object's state covers, so that every row is in exactly one of them. Pure.

    files of windows read to their end   |  files of the current window
    [ closed ............................]  [ open ....... ranges read | front: the range being read ]

A window may be split into ranges of Ids, which are read one after the other. If a job is lost, the current range is
read again from its start, into new files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from source_salesforce_bulk.extraction.stream_state import StreamState
from source_salesforce_bulk.registries.state import DataFile, Progress


@dataclass(frozen=True, slots=True)
class Coverage:
    """One object's files that no manifest names yet; the last ``front`` of ``open`` belong to the current range."""

    closed: tuple[DataFile, ...] = ()
    open: tuple[DataFile, ...] = ()
    front: int = 0

    @classmethod
    def of(cls, progress: Progress, state: StreamState) -> Self:
        """Return the files of an earlier run that are valid under the state from which this run continues.

        If the state names no job, the current window is read again from its start.
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
        """Add a page of the current range; None if it had no row."""
        return self if file is None else replace(self, open=(*self.open, file), front=self.front + 1)

    def with_tombstones(self, file: DataFile) -> Self:
        """Add a file of deleted rows, which belongs to no window."""
        return replace(self, closed=(*self.closed, file))

    def started_over(self) -> Self:
        """Drop the files of the current range, which is read again from its start."""
        return replace(self, open=self.open[: len(self.open) - self.front], front=0)

    def range_read(self, *, window_read: bool) -> Self:
        """Close the current range, which was read to its end; ``window_read``: it was the last of its window."""
        if window_read:
            return replace(self, closed=self.closed + self.open, open=(), front=0)
        return replace(self, front=0)

    def under(self, state: StreamState) -> Self:
        """Return the files that are valid under a new state: if it names no job, those of an open window are not."""
        return self if state.resume else replace(self, open=(), front=0)
