"""Interleave many message streams into one output.

A message stream is a generator that yields its messages, and :data:`TURN_OVER` when another stream may continue.
Streams begin in the given order, as soon as ``may_begin`` allows it. After a whole round without a message, ``idle``
waits for an event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Final, TypeVar

M = TypeVar("M")


class TurnOver:
    """Yields control to the next stream; nothing is emitted for it."""


TURN_OVER: Final = TurnOver()


def interleave(
    streams: Iterable[Iterator[M | TurnOver]],
    *,
    may_begin: Callable[[bool], bool],
    idle: Callable[[], None],
) -> Iterator[M]:
    """Yield the messages of all ``streams``; those of one stream stay in order.

    ``may_begin`` is called before each stream begins, after every earlier one has had a turn. Its argument is true if
    any other stream is running. Every stream is closed, even if the consumer stops early.
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
    """Yield the messages of one turn; return True if there were any, or if the stream has ended."""
    emitted = False
    for message in stream:
        if isinstance(message, TurnOver):
            return emitted
        emitted = True
        yield message
    under_way.remove(stream)
    return True
