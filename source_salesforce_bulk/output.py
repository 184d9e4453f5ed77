"""Handle a stdout that can no longer be written, because its disk is full or its reader has closed the pipe.

Further output is lost, so the process reports this once on stderr and ends with a special exit code. After the failed
write, stdout is redirected to the null device: nothing follows a partial line, and no later flush fails again.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, TextIO

BROKEN_PIPE = 141
"""The exit code that a shell reports for a program that was ended by SIGPIPE."""

OUTPUT_LOST = 74
"""``EX_IOERR`` of sysexits.h: stdout cannot be written for a reason other than a closed pipe."""

_STDOUT = 1


class OutputLost(Exception):
    """stdout cannot be written; the process ends with ``exit_code``."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or type(error).__name__)
        self.exit_code = BROKEN_PIPE if isinstance(error, BrokenPipeError) else OUTPUT_LOST


def silence_stdout() -> None:
    """Discard everything written to stdout from now on."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDOUT)
        os.close(nowhere)


def report_lost(lost: OutputLost) -> int:
    """Report on stderr that stdout cannot be written, and return the exit code."""
    if lost.exit_code == OUTPUT_LOST:
        with suppress(OSError, ValueError, AttributeError):
            text = f"stdout cannot be written ({lost}), so the remaining output is lost."
            print(f"{text} Free some space or write to another place, then run again.", file=sys.__stderr__, flush=True)
    return lost.exit_code


class GuardedStdout:
    """A stdout whose writes never fail, for output that is not the program's result. See ``lost``."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost: OutputLost | None = None

    def write(self, text: str) -> int:
        """See ``io.TextIOBase``."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """See ``io.IOBase``."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _give_up(self, error: OSError) -> None:
        self.lost = self.lost or OutputLost(error)
        silence_stdout()
