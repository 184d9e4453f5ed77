"""A stdout that takes nothing more: its disk is full, or its reader is gone.

Whatever is written then is lost, so the process says once on stderr what happened and ends with a code of its own. From
the failed write on stdout leads nowhere: half a line is followed by nothing, and no later flush fails again.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, TextIO

BROKEN_PIPE = 141
"""What a shell reports of a program that SIGPIPE ended."""

OUTPUT_LOST = 74
"""``EX_IOERR`` of sysexits.h: stdout took nothing more, for another reason than a reader that went away."""

_STDOUT = 1


class OutputLost(Exception):
    """stdout took nothing more; ``exit_code`` is what the process ends with."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or type(error).__name__)
        self.exit_code = BROKEN_PIPE if isinstance(error, BrokenPipeError) else OUTPUT_LOST


def silence_stdout() -> None:
    """Let everything written to stdout from now on go nowhere."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDOUT)
        os.close(nowhere)


def report_lost(lost: OutputLost) -> int:
    """Say on stderr that stdout takes nothing more, where a person may read it; the exit code."""
    if lost.exit_code == OUTPUT_LOST:
        with suppress(OSError, ValueError, AttributeError):
            text = f"stdout takes nothing more ({lost}), so what was to be written there is lost."
            print(f"{text} Give it room or another place, then run again.", file=sys.__stderr__, flush=True)
    return lost.exit_code


class GuardedStdout:
    """A stdout that no write to it can fail: what it tells is beside the point of the program. See ``lost``."""

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
