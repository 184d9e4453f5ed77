"""Many message streams through one output, in turns.

A message stream is a generator that yields its messages, and :data:`TURN_OVER` whenever another stream may continue. It
is begun only when ``may_begin`` allows it, in the order given. When a whole round brought no message, ``idle`` waits
for something to happen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Final, TypeVar

M = TypeVar("M")


class TurnOver:
    """The next stream continues; nothing is emitted for this."""


TURN_OVER: Final = TurnOver()


def interleave(
    streams: Iterable[Iterator[M | TurnOver]],
    *,
    may_begin: Callable[[bool], bool],
    idle: Callable[[], None],
) -> Iterator[M]:
    """The messages of all ``streams``; those of one stay in order.

    ``may_begin`` is called before each stream begins, after every earlier one has had a turn. Its argument says whether
    any other stream is under way. Every stream is closed, also when the consumer stops early.
    """
    coming = deque(streams)
    under_way: list[Iterator[M | TurnOver]] = []
    try:
        while coming or under_way:
            emitted = False
            for stream in under_way.copy():
                emitted |= yield from _turn(stream, under_way)
            while coming and may_begin(bool(under_way)):
                under_way.append(coming.popleft())
                emitted |= yield from _turn(under_way[-1], under_way)
            if not emitted:
                idle()
    finally:
        for stream in under_way:
            close = getattr(stream, "close", None)
            if close is not None:
                close()


def _turn(stream: Iterator[M | TurnOver], under_way: list[Iterator[M | TurnOver]]) -> Generator[M, None, bool]:
    """Yield the messages of one turn; return whether there were any, or the stream has ended."""
    emitted = False
    for message in stream:
        if isinstance(message, TurnOver):
            return emitted
        emitted = True
        yield message
    under_way.remove(stream)
    return True
