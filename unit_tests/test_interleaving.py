from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.extraction.interleaving import TURN_OVER, interleave


def always(others: bool) -> bool:
    return True


def never_idle() -> None:
    raise AssertionError("no wait is expected")


def told(*streams: Iterator, may_begin=always, idle=never_idle) -> list:
    return list(interleave(streams, may_begin=may_begin, idle=idle))


def test_one_stream_is_told_from_start_to_end():
    assert told(iter(["a1", TURN_OVER, "a2", "a3", TURN_OVER])) == ["a1", "a2", "a3"]


def test_streams_take_turns_where_they_hand_over():
    one = iter(["a1", "a2", TURN_OVER, "a3"])
    other = iter(["b1", TURN_OVER, "b2", "b3"])
    assert told(one, other) == ["a1", "a2", "b1", "a3", "b2", "b3"]


def test_a_stream_without_a_message_does_not_hold_up_the_others():
    waiting = iter([TURN_OVER, TURN_OVER, TURN_OVER, "a1"])
    assert told(waiting, iter(["b1", TURN_OVER, "b2", TURN_OVER, "b3"])) == ["b1", "b2", "b3", "a1"]


def test_no_streams_have_no_messages():
    assert told() == []


def test_streams_that_end_at_once_are_borne():
    assert told(iter([]), iter(["b1"]), iter([])) == ["b1"]


def test_when_a_whole_round_was_silent_somebody_waits():
    waits = []
    streams = [iter([TURN_OVER, TURN_OVER, "a1"]), iter([TURN_OVER, TURN_OVER, TURN_OVER, "b1"])]
    assert told(*streams, idle=lambda: waits.append("wait")) == ["a1", "b1"]
    assert waits == ["wait", "wait"]


def test_a_stream_begins_only_when_it_may_and_in_the_order_given():
    begun, asked = [], []

    def stream(name):
        begun.append(name)
        yield name
        yield TURN_OVER
        yield name

    def one_at_a_time(others: bool) -> bool:
        asked.append(others)
        return not others

    streams = [stream("a"), stream("b"), stream("c")]
    assert told(*streams, may_begin=one_at_a_time) == ["a", "a", "b", "b", "c", "c"]
    assert begun == ["a", "b", "c"]
    assert set(asked) == {True, False}


def test_a_stream_has_had_the_word_before_it_is_asked_whether_the_next_may_begin():
    """Return whether a further stream may begin depends on what those before it have taken."""
    slots = ["free", "free"]

    def taking(name):
        slots.pop()
        yield name
        yield TURN_OVER
        yield name
        slots.append("free")

    streams = [taking(name) for name in "abc"]
    assert told(*streams, may_begin=lambda others: bool(slots)) == ["a", "b", "a", "b", "c", "c"]


def test_while_no_stream_may_begin_somebody_waits():
    waits = []
    messages = interleave(iter([iter(["a1"])]), may_begin=lambda others: len(waits) > 2, idle=lambda: waits.append(1))
    assert list(messages) == ["a1"]
    assert len(waits) == 3


def closing(name: str, closed: list[str]):
    try:
        yield name
        yield TURN_OVER
        yield name
    finally:
        closed.append(name)


def test_every_stream_under_way_is_closed_when_the_consumer_stops():
    closed: list[str] = []
    streams = [closing("a", closed), closing("b", closed)]  # held here, so that nothing else closes them
    messages = interleave(streams, may_begin=always, idle=never_idle)
    assert [next(messages), next(messages)] == ["a", "b"]
    messages.close()  # type: ignore[attr-defined]
    assert closed == ["a", "b"]


def test_every_stream_under_way_is_closed_when_one_breaks():
    closed: list[str] = []

    def broken():
        yield "x"
        yield TURN_OVER
        raise RuntimeError("broken")

    streams = [broken(), closing("b", closed)]
    messages = interleave(streams, may_begin=always, idle=never_idle)
    assert [next(messages), next(messages)] == ["x", "b"]
    with pytest.raises(RuntimeError, match="broken"):
        next(messages)
    assert closed == ["b"]


def test_nothing_is_taken_from_a_stream_before_it_is_asked_for():
    taken = []

    def stream():
        for number in range(3):
            taken.append(number)
            yield number

    messages = interleave([stream()], may_begin=always, idle=never_idle)
    assert next(messages) == 0
    assert taken == [0]


scripts = st.lists(st.lists(st.booleans(), max_size=8), max_size=5)


@given(scripts, st.lists(st.booleans(), max_size=30))
def test_every_message_is_told_once_and_each_streams_in_order(speaks, permits):
    streams = [
        iter([(name, number) if speak else TURN_OVER for number, speak in enumerate(script)])
        for name, script in enumerate(speaks)
    ]
    permitted = iter(permits)
    messages = told(*streams, may_begin=lambda others: next(permitted, True), idle=lambda: None)
    for name, script in enumerate(speaks):
        assert [number for told_by, number in messages if told_by == name] == [
            number for number, speak in enumerate(script) if speak
        ]
