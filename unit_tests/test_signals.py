"""Signals, in a process for each test, because a signal ends it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from source_salesforce_bulk.signals import Stop

PATIENT = 60
"""Seconds: longer than any of these tests may take."""

SCRIPT = """
import os, signal, sys, threading
from source_salesforce_bulk.signals import Overdue, Stop

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored where the tests themselves run under nohup

def say(what):
    os.write(2, what.encode() + b"\\n")

def wait_for_ever():
    threading.Event().wait()

{body}
"""


def ended(body: str, number: int = signal.SIGTERM) -> tuple[int, bytes, list[str]]:
    """Run ``body``, send the signal when it says ready; its exit code, its stdout, and what it said afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(body=body)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline() == b"ready\n"
        process.send_signal(number)
        stdout, stderr = process.stdout.read(), process.stderr.read()
        return process.wait(PATIENT), stdout, stderr.decode().split("\n")[:-1]


CODES = [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 143)]


@pytest.mark.parametrize(("number", "code"), CODES)
def test_before_there_is_anything_to_save_the_process_ends_at_once(number, code):
    body = f"stop = Stop(patience={PATIENT}); stop.install(); say('ready'); wait_for_ever()"
    assert ended(body, number) == (code, b"", [])


@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_main_thread_that_heeds_the_flag_is_left_alone(number, code):
    body = f"""
stop = Stop(patience={PATIENT})
stop.install()
stop.allow_grace({PATIENT}, threading.Lock())
say("ready")
stop.event.wait()
say("heeded")
os._exit(stop.exit_code)
"""
    assert ended(body, number) == (code, b"", ["heeded"])


def test_a_main_thread_that_is_held_is_torn_out_and_stdout_takes_nothing_more():
    body = f"""
stop = Stop(patience={PATIENT})
stop.install()
stop.allow_grace(0.05, threading.Lock())
os.write(1, b"half a li")
say("ready")
try:
    wait_for_ever()
except Overdue:
    os.write(1, b"ne")
    print("more", flush=True)
    say("torn out")
stop.leaving()
os._exit(stop.exit_code)
"""
    assert ended(body) == (143, b"half a li", ["torn out"])


def test_a_write_that_is_never_read_is_interrupted():
    body = f"""
stop = Stop(patience={PATIENT})
stop.install()
stop.allow_grace(0.05, threading.Lock())
reader, writer = os.pipe()
say("ready")
try:
    while True:
        os.write(writer, b"x" * 65536)
except Overdue:
    say("torn out")
os._exit(stop.exit_code)
"""
    assert ended(body) == (143, b"", ["torn out"])


def test_a_main_thread_that_something_else_holds_then_is_torn_out_again():
    body = f"""
stop = Stop(patience={PATIENT}, again=0.05)
stop.install()
stop.allow_grace(0.05, threading.Lock())
say("ready")
for _ in range(3):
    try:
        wait_for_ever()
    except Overdue:
        say("torn out")
os._exit(stop.exit_code)
"""
    assert ended(body) == (143, b"", ["torn out"] * 3)


def test_clean_up_is_not_torn_out_and_ends_with_patience():
    body = """
stop = Stop(patience=0.5, again=0.01)
stop.install()
stop.allow_grace(0.25, threading.Lock())
say("ready")
stop.event.wait()
stop.leaving()
say("cleaning up")
wait_for_ever()
"""
    assert ended(body) == (143, b"", ["cleaning up"])


def test_patience_ends_between_two_lines_where_stdout_takes_any():
    """The writer holds the lock; the process ends when it is released."""
    body = """
lock = threading.Lock()
stop = Stop(patience=0.1, again=0.05)
stop.install()
stop.allow_grace(0.05, lock)

class Line:
    def acquire(self, timeout):
        os.write(1, b" whole\\n")
        return True

stop.allow_grace(0.05, Line())
stop.leaving()
os.write(1, b"a line that is")
say("ready")
wait_for_ever()
"""
    assert ended(body) == (143, b"a line that is whole\n", [])


def test_a_hangup_that_the_process_was_started_to_ignore_stays_ignored():
    """Start it like ``nohup`` does."""
    body = f"""
import signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
stop = Stop(patience={PATIENT})
stop.install()
stop.allow_grace({PATIENT}, threading.Lock())
os.kill(os.getpid(), signal.SIGHUP)
say("ready")
stop.event.wait()
os._exit(stop.exit_code)
"""
    assert ended(body, signal.SIGTERM) == (143, b"", [])
    assert ended(body, signal.SIGINT) == (130, b"", [])


def test_without_a_signal_the_exit_code_is_0():
    assert Stop().exit_code == 0
