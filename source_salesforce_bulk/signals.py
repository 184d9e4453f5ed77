"""Handle SIGTERM, SIGINT and SIGHUP: set a flag, then interrupt the main thread, then end the process.

The times are those of docs/contracts.md, "What may never happen", 10.

    signal                 grace                          patience
      |--------------------->|------------------------------>|
      the flag is set; the   a main thread that has not      the process ends
      run ends at its next   come that far is interrupted    unconditionally
      turn, states written   and cleans up

The main thread may be blocked by a stdout that is not read, or by a missing response. Before it is interrupted, stdout
is redirected to the null device, so that nothing follows a partial line. Before :meth:`Stop.allow_grace` there is
nothing to save, and the process ends at once.

The signal handlers do nothing. Python writes the signal's number to a pipe, and a thread reads it there. Code in a
handler could run between any two instructions of the main thread, and deadlock on a lock that the main thread holds.
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
"""The signal that this process sends to its own main thread; nothing else uses alarms."""


class Overdue(BaseException):
    """The main thread did not end the run in time. Nothing may be written to stdout any more."""


class OutputLock(Protocol):
    """The lock that is held during each write to stdout."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """See ``threading.Lock``."""
        ...


class Stop:
    """The flag that a signal sets, the signal, and the actions if the run does not end in time.

    Times are in seconds. The main thread has ``grace`` from the signal on, then it is interrupted every ``again``
    seconds until it calls :meth:`leaving`. The process ends after ``patience``.
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
        """128 plus the signal's number, as a shell reports it; for SIGHUP that of SIGTERM; 0 without a signal."""
        number = signal.SIGTERM if self.signal == signal.SIGHUP else self.signal
        return 128 + number if number else 0

    def install(self) -> None:
        """Handle the signals from now on. Called once, by the main thread.

        If SIGHUP was ignored when the process started, it stays ignored, as ``nohup`` intends.
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
        """Grant ``grace`` from now on, because there is something to save. ``output`` is the lock of stdout."""
        self._output = output
        self._grace = grace

    def leaving(self) -> None:
        """Stop interrupting the main thread, which has written its last output and cleans up until patience ends."""
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
        """End the process, after the current line if stdout can be written."""
        if self._output is not None:
            self._output.acquire(timeout=2.0)
        os._exit(self.exit_code)

    def _interrupt_main_thread(self, *_: object) -> None:
        if not self._leaving.is_set():
            silence_stdout()
            raise Overdue


def _nothing(*_: object) -> None:
    """Do nothing; Python reports a signal through the pipe only if it has a handler."""
