"""Decide on the commits to an object's log from the progress of its export. Pure.

    rows of complete windows      ->  main, the branch that readers see
    pages of the current window   ->  the branch `salesforce_bulk_open`, which has nothing else

The state is in the summary of the new snapshot: of the open branch if there is one, else of main. So a window is
published in one commit together with its state, and a killed run leaves main intact.

A window that begins without a cursor has all of the object's rows. Publishing it replaces the rows of main, so that
readers of a full refresh see either the old rows or the new ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER
from source_salesforce_bulk.registries.state import DataFile, Progress

OPEN = "salesforce_bulk_open"

PAGES_A_COMMIT = 20
SECONDS_A_COMMIT = 60.0
"""The pages of an open window are committed after this many pages or seconds. Each commit writes new metadata."""
SECONDS_OF_A_JOB = 5.0
"""Seconds after which a state with new jobs but no new page is committed. Most jobs end earlier."""

_NOT_CURSORS = frozenset({"mode", "scope", "resume", *COMPLETE_MARKER})


@dataclass(frozen=True, slots=True)
class Step:
    """One commit. ``published``: files for main; None if main gets only the state, or nothing.

    ``held``: the files of the open branch afterwards. ``added``: those that are appended to it; None if the branch is
    created again.
    """

    published: tuple[DataFile, ...] | None
    replaces: bool
    held: tuple[DataFile, ...]
    added: tuple[DataFile, ...] | None

    @property
    def state_on_main(self) -> bool:
        """True if the state belongs to main, because nothing is open."""
        return not self.held


def next_step(kept: Progress, now: Progress, published: frozenset[str], *, replaces: bool) -> Step:
    """Return the commit that changes the log's progress from ``kept`` to ``now``.

    ``published`` are the paths that this run has published. Until then, ``replaces`` is the result of
    :func:`reads_everything`.
    """
    ready = tuple(file for file in now.closed if file.path not in published)
    publishes = bool(ready) or (replaces and is_whole(now.state))
    held = now.open
    continues = held[: len(kept.open)] == kept.open and bool(held)
    return Step(
        published=ready if publishes else None,
        replaces=publishes and replaces,
        held=held,
        added=held[len(kept.open) :] if continues else None,
    )


def reads_everything(before: Mapping[str, object], now: Mapping[str, object]) -> bool:
    """Return whether a window that is read from the state ``before`` has all rows of the object."""
    scopes = before.get("scope"), now.get("scope")
    return not has_cursor(before) or (None not in scopes and scopes[0] != scopes[1])


def is_whole(state: Mapping[str, object]) -> bool:
    """Return whether ``state`` says that all rows up to some point have been read."""
    return state == COMPLETE_MARKER or has_cursor(state)


def has_cursor(state: Mapping[str, object]) -> bool:
    """Return whether ``state`` has a cursor, whatever its field's name."""
    return bool(state.keys() - _NOT_CURSORS)


def is_due(kept: Progress, now: Progress, published: frozenset[str], waiting: float) -> bool:
    """Return whether to commit ``now``, ``waiting`` seconds after the first uncommitted change.

    A complete window is committed at once. The pages of the current window may be read again.
    """
    if "resume" not in now.state or any(file.path not in published for file in now.closed):
        return True
    if now.open[: len(kept.open)] != kept.open:
        return True
    pages = len(now.open) - len(kept.open)
    return pages >= PAGES_A_COMMIT or waiting >= (SECONDS_A_COMMIT if pages else SECONDS_OF_A_JOB)
