from __future__ import annotations

import threading
from datetime import UTC

import pytest

from source_salesforce_bulk.salesforce.clock import Stopped, SystemClock


def test_a_sleep_without_an_interrupt_ends():
    clock = SystemClock(threading.Event())
    for seconds in (0.0, -1.0, 0.001):
        clock.sleep(seconds)


@pytest.mark.parametrize("seconds", [0.0, 3600.0, float("inf")])
def test_once_the_run_is_being_stopped_no_sleep_begins(seconds):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        SystemClock(stop).sleep(seconds)


def test_stopping_wakes_who_sleeps():
    stop = threading.Event()
    woken = threading.Event()

    def sleep() -> None:
        with pytest.raises(Stopped):
            SystemClock(stop).sleep(3600)
        woken.set()

    thread = threading.Thread(target=sleep)
    thread.start()
    stop.set()
    thread.join(10)
    assert woken.is_set()


def test_time_is_utc_and_does_not_go_back():
    clock = SystemClock(threading.Event())
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()
