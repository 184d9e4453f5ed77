"""The connector's own entrypoint: signals, broken pipes and exit codes round the CDK's.

A signal only sets a flag. The run then ends at its next turn: states out, jobs that no state names aborted. Should
stdout be blocked, so that no turn comes, a watchdog ends the process without writing anything more (design section
3.10).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from types import FrameType
from typing import Any, NoReturn, cast

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import PRINT_BUFFER

from source_salesforce_bulk.source import SourceSalesforceBulk

FAILURE = 1

BROKEN_PIPE = 141
"""What a shell reports of a program that SIGPIPE ended."""

PATIENCE = 20.0
"""Seconds a signalled run has to end by itself."""


class Stop:
    """The flag that a signal sets, and which signal it was."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.signal: int | None = None

    @property
    def exit_code(self) -> int:
        """128 and the signal's number, as a shell reports it."""
        return 128 + (self.signal or 0)

    def install(self) -> None:
        """Handle SIGTERM and SIGINT from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.signal = self.signal or number
        self.event.set()

    def _watch(self) -> None:
        self.event.wait()
        threading.Event().wait(PATIENCE)
        os._exit(self.exit_code)


class Entrypoint(AirbyteEntrypoint):
    """The CDK's entrypoint with this connector's own sentences about a configuration."""

    @staticmethod
    def validate_connection(source_spec: Any, config: Any) -> None:
        """Nothing: the source checks its configuration itself, with clearer sentences than a schema validator's."""


def launch(args: Sequence[str]) -> NoReturn:
    """Run one protocol command and end the process with the exit code of design section 1.3.

    The process ends without waiting for its threads: one of them may hang on an answer for minutes.
    """
    stop = Stop()
    stop.install()
    entrypoint = Entrypoint(SourceSalesforceBulk(stop=stop.event))
    lines = entrypoint.run(entrypoint.parse_args(list(args)))
    os._exit(_emit(lines, stop))


def _emit(lines: Iterable[str], stop: Stop) -> int:
    """Print every line; the exit code. Closing the lines lets the run clean up, however it ended."""
    try:
        with PRINT_BUFFER, closing(cast(Generator[str, None, None], lines)):
            for line in lines:
                print(f"{line}\n", end="")  # noqa: T201 - the protocol's own channel
    except BrokenPipeError:
        return BROKEN_PIPE
    except Exception:  # noqa: BLE001 - reported by the excepthook
        if not stop.event.is_set():
            sys.excepthook(*sys.exc_info())
            sys.stdout.flush()
            return FAILURE
    return stop.exit_code if stop.event.is_set() else 0
