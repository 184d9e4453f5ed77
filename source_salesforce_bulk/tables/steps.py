"""The commits to an object's log, decided from how far its export is. Pure.

    rows of windows read to their end   ->  main, the branch that readers see
    pages of the window under way       ->  the branch `salesforce_bulk_open`, which holds nothing else

The state goes with them, in the summary of the snapshot that is made: of the open branch where there is one, else of
main. So a window is published in one commit, together with the state that says so, and a killed run leaves main whole.

A window that begins without a cursor holds all of the object's rows. Publishing it replaces what main holds, so that
readers of a full refresh see the old rows or the new ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER
from source_salesforce_bulk.registries.state import DataFile, Progress

OPEN = "salesforce_bulk_open"

PAGES_A_COMMIT = 20
SECONDS_A_COMMIT = 60.0
"""Pages of an open window, or seconds with some, after which they are committed. Each commit writes new metadata."""
SECONDS_OF_A_JOB = 5.0
"""Seconds after which a state is committed that names new jobs and covers no new page. Most jobs are done before."""

_NOT_CURSORS = frozenset({"mode", "scope", "resume", *COMPLETE_MARKER})


@dataclass(frozen=True, slots=True)
class Step:
    """One commit. ``published``: files for main; None where main only gets the state, or nothing.

    ``held``: what the open branch is to hold afterwards. ``added``: the last of them, to be appended to what it holds;
    None where the branch is to be made anew.
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
    """Return the commit that turns ``kept``, which the log has, into ``now``.

    ``published`` are the paths that this run has published. ``replaces`` as :func:`begins_anew` says, until a window
    has been published.
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


def begins_anew(before: Mapping[str, object], now: Mapping[str, object]) -> bool:
    """Return whether a window that is read from the state ``before`` holds all rows of the object."""
    scopes = before.get("scope"), now.get("scope")
    return not has_cursor(before) or (None not in scopes and scopes[0] != scopes[1])


def is_whole(state: Mapping[str, object]) -> bool:
    """Return whether ``state`` says that all rows up to some point have been read."""
    return state == COMPLETE_MARKER or has_cursor(state)


def has_cursor(state: Mapping[str, object]) -> bool:
    """Return whether ``state`` has a cursor, under whichever field's name."""
    return bool(state.keys() - _NOT_CURSORS)


def is_due(kept: Progress, now: Progress, published: frozenset[str], waiting: float) -> bool:
    """Return whether ``now`` is to be committed, ``waiting`` seconds after the first change that is not.

    What is read to its end is committed at once. What is under way may be read again.
    """
    if "resume" not in now.state or any(file.path not in published for file in now.closed):
        return True
    if now.open[: len(kept.open)] != kept.open:
        return True
    pages = len(now.open) - len(kept.open)
    return pages >= PAGES_A_COMMIT or waiting >= (SECONDS_A_COMMIT if pages else SECONDS_OF_A_JOB)
