"""Many message streams through one output: whoever has something ready speaks, one page at a time.

A message stream is a generator that yields its messages and, whenever another may have the word, :data:`TURN_OVER`. It
is begun only when ``may_begin`` says so, in the order given. When a whole round brought no message, ``idle`` waits for
something to happen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Final, TypeVar

M = TypeVar("M")


class TurnOver:
    """The word goes to the next stream; nothing is emitted for it."""


TURN_OVER: Final = TurnOver()


def interleave(
    streams: Iterable[Iterator[M | TurnOver]],
    *,
    may_begin: Callable[[bool], bool],
    idle: Callable[[], None],
) -> Iterator[M]:
    """The messages of all ``streams``; those of one stay in order.

    ``may_begin`` is asked before each stream begins, when every earlier one has had the word at least once, and told
    whether any other is under way. Every stream is closed, also when the consumer stops early.
    """
    coming = deque(streams)
    under_way: list[Iterator[M | TurnOver]] = []
    try:
        while coming or under_way:
            spoke = False
            for stream in under_way.copy():
                spoke |= yield from _turn(stream, under_way)
            while coming and may_begin(bool(under_way)):
                under_way.append(coming.popleft())
                spoke |= yield from _turn(under_way[-1], under_way)
            if not spoke:
                idle()
    finally:
        for stream in under_way:
            close = getattr(stream, "close", None)
            if close is not None:
                close()


def _turn(stream: Iterator[M | TurnOver], under_way: list[Iterator[M | TurnOver]]) -> Generator[M, None, bool]:
    """What ``stream`` says until it hands over or ends, and whether anything came of it."""
    spoke = False
    for message in stream:
        if isinstance(message, TurnOver):
            return spoke
        spoke = True
        yield message
    under_way.remove(stream)
    return True
