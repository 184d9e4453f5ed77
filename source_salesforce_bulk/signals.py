"""SIGTERM, SIGINT and SIGHUP: a flag first, and then a patience that ends.

The times are those of docs/contracts.md, "What may never happen", 10.

    signal                 grace                          patience
      |--------------------->|------------------------------>|
      the flag is set; the   a main thread that has not      the process ends,
      run ends at its next   come that far is torn out of    wherever it is
      turn, states out       whatever holds it, to clean up

What can hold it is a stdout that nobody reads, or an answer that does not come. Before it is torn out, stdout is turned
away from its reader for good: a line that was cut there is followed by nothing. Until :meth:`Stop.allow_grace` there is
nothing to save, and the process ends at once.

No handler of these signals does anything. Python notes the signal's number in a pipe, and a thread reads it there:
code that ran between any two instructions of the main thread could meet a lock that the main thread holds.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Protocol

from source_salesforce_bulk.output import silence_stdout

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_TEAR_OUT = signal.SIGALRM
"""Sent by this process to its own main thread; nothing else in it uses alarms."""


class Overdue(BaseException):
    """The run was to end and its main thread did not come to it. Nothing may be written to stdout any more."""


class OutputLock(Protocol):
    """Held by whoever writes to stdout."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As of ``threading.Lock``."""
        ...


class Stop:
    """The flag that a signal sets, which signal it was, and what happens when the flag is not enough.

    Times are seconds: the main thread has ``grace`` from the signal on, then it is torn out, again and again in case
    something else holds it, until it says that it is :meth:`leaving`; the process has ``patience``.
    """

    def __init__(self, patience: float = 20.0, again: float = 2.0) -> None:
        self.event = threading.Event()
        self.signal: int | None = None
        self._patience = patience
        self._again = again
        self._grace: float | None = None
        self._output: OutputLock | None = None
        self._leaving = threading.Event()

    @property
    def exit_code(self) -> int:
        """128 and the signal's number, as a shell reports it, SIGHUP's as SIGTERM's; 0 without a signal."""
        number = signal.SIGTERM if self.signal == signal.SIGHUP else self.signal
        return 128 + number if number else 0

    def install(self) -> None:
        """Heed the signals from now on. Called once, by the main thread.

        A SIGHUP that was ignored when the process began stays ignored: ``nohup`` means it so.
        """
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in STOPPING:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _nothing)
        signal.signal(_TEAR_OUT, self._interrupt_main_thread)
        threading.Thread(target=self._watch, args=(read_end,), name="signals", daemon=True).start()

    def allow_grace(self, grace: float, output: OutputLock) -> None:
        """From now on there is something to save. ``output`` is what writers to stdout hold."""
        self._output = output
        self._grace = grace

    def leaving(self) -> None:
        """The last word is out and the main thread cleans up: it is left alone until patience ends."""
        self._leaving.set()

    def _watch(self, read_end: int) -> None:
        numbers: tuple[int, ...] = STOPPING
        while self.signal is None:
            self.signal = next((number for number in os.read(read_end, 64) if number in numbers), None)
        grace = self._grace
        if grace is None:
            os._exit(self.exit_code)
        self.event.set()
        left = self._patience
        pause = min(grace, left)
        while left > 0:
            if self._leaving.wait(pause):
                time.sleep(left)
                break
            left -= pause
            pause = min(self._again, left)
            signal.pthread_kill(threading.main_thread().ident or 0, _TEAR_OUT)
        self._end()

    def _end(self) -> None:
        """End the process, between two lines if stdout takes any."""
        if self._output is not None:
            self._output.acquire(timeout=2.0)
        os._exit(self.exit_code)

    def _interrupt_main_thread(self, *_: object) -> None:
        if not self._leaving.is_set():
            silence_stdout()
            raise Overdue


def _nothing(*_: object) -> None:
    """A handler must be there for the signal to be noted."""
