"""The connector's entrypoint, which adds signals, a failing stdout and exit codes to the CDK's.

A signal only sets a flag. The run then ends at its next turn: it emits its states and aborts the jobs that no state
names. If the next turn does not come, ``signals`` ends the process. A stdout whose reader is gone or whose disk is full
ends the run in the same way. The files on the command line are read first, so that an invalid one leads to a clear
message: the CDK would end with a stack trace and "something went wrong".
"""

from __future__ import annotations

import json
import logging
import os
import sys
from argparse import Namespace
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn, TextIO, cast

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import PRINT_BUFFER
from airbyte_cdk.models import AirbyteMessage, ConnectorSpecification
from airbyte_cdk.sources.connector_state_manager import HashableStreamDescriptor
from airbyte_cdk.utils.memory_monitor import MemoryMonitor
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_salesforce_bulk.airbyte.errors import traced_config_error, traced_defect
from source_salesforce_bulk.airbyte.record_batch import RecordBatch
from source_salesforce_bulk.airbyte.source import SourceSalesforceBulk
from source_salesforce_bulk.config import ConfigError
from source_salesforce_bulk.extraction.temporary_folder import check_temporary_folder
from source_salesforce_bulk.output import OutputLost, report_lost, silence_stdout
from source_salesforce_bulk.signals import Overdue, Stop

FAILURE = 1

GRACE = 4.0
"""Seconds after a signal within which a read should have written its last output."""
GRACE_WITHOUT_STATE = 1.0
"""The same for commands that have nothing to save."""


BATCHES_PER_MEMORY_CHECK = 20
"""Messages between two memory checks. The CDK's 5,000 are for single records, but a batch has a megabyte."""


class Entrypoint(AirbyteEntrypoint):
    """The CDK's entrypoint with our own configuration errors and with batches of records.

    A batch is counted here and written unchanged, between the lines that the CDK prints.
    """

    def run(self, parsed_args: Namespace) -> Iterator[str]:
        """See the CDK's; an unreadable file or unusable folder is a config error."""
        problem = unreadable_file(parsed_args)
        if problem:
            raise traced_config_error(problem)
        try:
            check_temporary_folder(os.environ)
        except ConfigError as error:
            raise traced_config_error(str(error)) from error
        yield from super().run(parsed_args)

    def read(
        self, source_spec: ConnectorSpecification, config: Any, catalog: Any, state: list[Any]
    ) -> Iterator[AirbyteMessage]:
        """See the CDK's; batches are written here and not passed on."""
        self._memory_monitor = MemoryMonitor(BATCHES_PER_MEMORY_CHECK)
        for message in super().read(source_spec, config, catalog, state):
            if isinstance(message, RecordBatch):
                _write_block(message.lines)
            else:
                yield message

    @staticmethod
    def handle_record_counts(
        message: AirbyteMessage, stream_message_count: defaultdict[HashableStreamDescriptor, float]
    ) -> AirbyteMessage:
        """See the CDK's; a batch counts its rows."""
        if isinstance(message, RecordBatch):
            stream_message_count[HashableStreamDescriptor(name=message.stream)] += message.rows
            return message
        return AirbyteEntrypoint.handle_record_counts(message, stream_message_count)

    @staticmethod
    def validate_connection(source_spec: Any, config: Any) -> None:
        """Do nothing: the source checks its configuration itself, with clearer messages than a schema validator."""


def launch(args: Sequence[str], stop: Stop) -> NoReturn:
    """Run one protocol command and end the process with the exit code of docs/contracts.md, "Exit codes".

    The process ends without waiting for its threads, which may wait minutes for a response.
    """
    # A log line that cannot be written must not print a traceback; the next message ends the run.
    logging.raiseExceptions = False
    command = Entrypoint.parse_args(list(args) or ["--help"])
    entrypoint = Entrypoint(SourceSalesforceBulk(stop=stop.event, on_clean_up=stop.leaving, batches=True))
    if getattr(command, "debug", False):
        # With --debug alone, the CDK logs in a format of its own; with LOG_LEVEL, in the protocol's format.
        os.environ["LOG_LEVEL"] = "debug"
    stop.allow_grace(GRACE if command.command == "read" else GRACE_WITHOUT_STATE, PRINT_BUFFER.lock)
    try:
        code = _emit(entrypoint.run(command), stop)
    except Overdue:
        code = stop.exit_code
    os._exit(code)


def _write_block(lines: bytes | memoryview) -> None:
    """Write whole lines to stdout, behind everything printed so far. Nothing is written after a write that failed."""
    with PRINT_BUFFER.lock, _output_lost_if_refused():
        PRINT_BUFFER.flush()
        # Not with the buffered writer, which loses the rest of a large block if a signal interrupts its write.
        stdout, rest = cast(TextIO, sys.__stdout__).fileno(), memoryview(lines)
        while rest:
            rest = rest[os.write(stdout, rest) :]


def _emit(lines: Iterable[str], stop: Stop) -> int:
    """Print every line and return the exit code. Closing the lines lets the run clean up, however it ended."""
    try:
        with PRINT_BUFFER, closing(cast(Generator[str, None, None], lines)):
            _print(lines)
            stop.leaving()
    except OutputLost as lost:
        # After a hang-up stdout cannot be written either; the signal is the actual reason.
        return stop.exit_code or report_lost(lost)
    except Exception as error:  # noqa: BLE001 - reported in one message
        if not stop.event.is_set():
            return _report(error)
    return stop.exit_code


def _report(error: Exception) -> int:
    """Print only the trace of what ended the run, and return the exit code."""
    trace = error if isinstance(error, AirbyteTracedException) else traced_defect(error)
    message = Entrypoint.airbyte_message_to_string(trace.as_sanitized_airbyte_message())
    try:
        with _output_lost_if_refused():
            print(message, flush=True)  # noqa: T201 - the protocol's own channel
    except OutputLost as lost:
        return report_lost(lost)
    return FAILURE


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        with _output_lost_if_refused():
            print(f"{line}\n", end="")  # noqa: T201 - the protocol's own channel
    with _output_lost_if_refused():
        PRINT_BUFFER.flush()


@contextmanager
def _output_lost_if_refused() -> Iterator[None]:
    """If stdout cannot be written, discard further output and raise ``OutputLost``."""
    try:
        yield
    except OSError as error:
        silence_stdout()
        raise OutputLost(error) from error


# Each file and whether it must be a JSON object; the CDK checks the form of a state.
_FILES = {"config": True, "catalog": True, "state": False}


def unreadable_file(command: Namespace) -> str | None:
    """Return what is wrong with a file on the command line and what to do, or None. Does not quote its content."""
    for option, is_object in _FILES.items():
        name = getattr(command, option, None)
        if name:
            problem = _problem(Path(name), is_object)
            if problem:
                return f"The file {name} given as --{option} {problem}."
    return None


def _problem(path: Path, is_object: bool) -> str | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        return f"cannot be read: {error.strerror}. Check its name, and that this user may read it"
    except json.JSONDecodeError as error:
        return f"is not JSON: {error.msg} in line {error.lineno}, column {error.colno}. Correct it there"
    except UnicodeDecodeError:
        return "is not text in UTF-8. Save it as UTF-8"
    except RecursionError:
        return "is not JSON that can be read: it is nested too deeply"
    except ValueError:
        return "is not JSON that can be read: it holds a number of thousands of digits"
    if is_object and not isinstance(content, dict):
        return "is not a JSON object. It begins with { and ends with }"
    return None
