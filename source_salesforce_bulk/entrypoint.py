"""The connector's own entrypoint: signals, broken pipes and exit codes round the CDK's.

A signal only sets a flag. The run then ends at its next turn: states out, jobs that no state names aborted. What
happens when no turn comes is ``signals``' matter (design section 3.10). A stdout whose reader is gone ends the run the
same way.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from typing import Any, NoReturn, cast

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import PRINT_BUFFER

from source_salesforce_bulk.signals import Overdue, Stop, turn_away_stdout
from source_salesforce_bulk.source import SourceSalesforceBulk

FAILURE = 1

BROKEN_PIPE = 141
"""What a shell reports of a program that SIGPIPE ended."""

GRACE = 4.0
"""Seconds after a signal in which a read is expected to have said its last word."""
GRACE_WITHOUT_STATE = 1.0
"""The same for commands that have nothing to save."""


class Entrypoint(AirbyteEntrypoint):
    """The CDK's entrypoint with this connector's own sentences about a configuration."""

    @staticmethod
    def validate_connection(source_spec: Any, config: Any) -> None:
        """Nothing: the source checks its configuration itself, with clearer sentences than a schema validator's."""


def launch(args: Sequence[str], stop: Stop) -> NoReturn:
    """Run one protocol command and end the process with the exit code of design section 1.3.

    The process ends without waiting for its threads: one of them may hang on an answer for minutes.
    """
    entrypoint = Entrypoint(SourceSalesforceBulk(stop=stop.event, on_clean_up=stop.leaving))
    command = entrypoint.parse_args(list(args))
    if getattr(command, "debug", False):
        # What --debug shows has a form of the CDK's own, unless the platform asks for it: then it is the protocol's.
        os.environ["LOG_LEVEL"] = "debug"
    stop.be_patient(GRACE if command.command == "read" else GRACE_WITHOUT_STATE, PRINT_BUFFER.lock)
    try:
        code = _emit(entrypoint.run(command), stop)
    except Overdue:
        code = stop.exit_code
    os._exit(code)


def _emit(lines: Iterable[str], stop: Stop) -> int:
    """Print every line; the exit code. Closing the lines lets the run clean up, however it ended."""
    try:
        with PRINT_BUFFER, closing(cast(Generator[str, None, None], lines)):
            _print(lines)
            stop.leaving()
    except BrokenPipeError:
        return BROKEN_PIPE
    except Exception:  # noqa: BLE001 - reported by the excepthook
        if not stop.event.is_set():
            sys.excepthook(*sys.exc_info())
            sys.stdout.flush()
            return FAILURE
    return stop.exit_code


def _print(lines: Iterable[str]) -> None:
    try:
        for line in lines:
            print(f"{line}\n", end="")  # noqa: T201 - the protocol's own channel
    except BrokenPipeError:
        turn_away_stdout()
        raise
