"""Many message streams through one output: whoever has something ready speaks, one page at a time.

A message stream is a generator that yields its messages and, whenever another may have the word, :data:`TURN_OVER`. It
is begun only when ``may_begin`` says so, in the order given. When a whole round brought no message, ``idle`` waits for
something to happen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
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

    ``may_begin`` is asked before each stream begins, and told whether any other is under way. Every stream is closed,
    also when the consumer stops early.
    """
    coming = deque(streams)
    under_way: list[Iterator[M | TurnOver]] = []
    try:
        while coming or under_way:
            while coming and may_begin(bool(under_way)):
                under_way.append(coming.popleft())
            spoke = False
            for stream in list(under_way):
                ended = True
                for message in stream:
                    if isinstance(message, TurnOver):
                        ended = False
                        break
                    spoke = True
                    yield message
                if ended:
                    under_way.remove(stream)
                    spoke = True
            if not spoke:
                idle()
    finally:
        for stream in under_way:
            close = getattr(stream, "close", None)
            if close is not None:
                close()
