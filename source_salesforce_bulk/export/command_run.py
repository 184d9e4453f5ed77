"""The common frame of the ``salesforce-bulk`` commands: logs, signals, the connection, and the final message."""

from __future__ import annotations

import logging
import os
import random
import secrets
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from source_salesforce_bulk.config import Config, ConfigError
from source_salesforce_bulk.export.aws_clients import secrets_manager
from source_salesforce_bulk.export.config_source import config_source
from source_salesforce_bulk.export.logs import JsonLog, LogOptions, Sentences, StderrHandler, set_up_logging
from source_salesforce_bulk.export.outcomes import ExportFailed, failure_code
from source_salesforce_bulk.export.places import UnknownPlace
from source_salesforce_bulk.export.storage_failures import defect, storage_failure
from source_salesforce_bulk.export.writable_config import WritableConfig
from source_salesforce_bulk.extraction.connection import CONNECTIONS, Connection, Environment
from source_salesforce_bulk.extraction.temporary_folder import check_temporary_folder
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.clock import Clock, Stopped, SystemClock
from source_salesforce_bulk.salesforce.failures import Consequence, SalesforceError
from source_salesforce_bulk.salesforce.http_client import RequestsHttp
from source_salesforce_bulk.salesforce.oauth import list_secrets
from source_salesforce_bulk.salesforce.programs import Program
from source_salesforce_bulk.salesforce.secret_mask import SecretMask
from source_salesforce_bulk.salesforce.token import SecretHooks
from source_salesforce_bulk.signals import Stop

LOGGER = logging.getLogger("salesforce_bulk")

GRACE = 8.0
"""Seconds after a signal within which a run should reach the end of its current page."""


def new_run_id(now: datetime) -> str:
    """Return a run id that sorts by time: ``20261125T080000Z-3f9a1c``."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


@dataclass(slots=True)
class CommandRun:
    """One run of a command. ``mask`` is applied to its logs, which are written to stderr."""

    stop: Stop
    run_id: str
    logs: LogOptions = field(default_factory=LogOptions)
    program: Program = Program.EXPORT
    mask: SecretMask = field(default_factory=SecretMask)
    stderr: StderrHandler = field(default_factory=StderrHandler)

    @property
    def clock(self) -> Clock:
        """The machine's clock, whose pauses end when a signal arrives."""
        return SystemClock(self.stop.event)

    @property
    def live(self) -> bool:
        """True if stderr is a terminal."""
        return sys.stderr.isatty()

    def begin(self) -> None:
        """Set up logs (text on a terminal, JSON lines elsewhere, or the user's choice) and handle signals."""
        as_text = self.logs.log_format == "text" or (self.logs.log_format is None and self.live)
        formatter = Sentences(self.mask.redact) if as_text else JsonLog(self.run_id, self.mask.redact)
        set_up_logging(self.stderr, formatter, self.logs.level)
        self.stop.allow_grace(GRACE, threading.Lock())

    def connect(
        self,
        config: str,
        objects: Sequence[str],
        *,
        refuse_unknown_keys: bool = True,
        adjust: Callable[[Config], Config] = lambda config: config,
    ) -> Connection:
        """Return a connection for the configuration that ``config`` names, limited to ``objects`` if any are given.

        ``adjust`` changes the configuration for this connection. Raises ``ConfigError``, and the source's errors.
        Unknown keys that are not refused are warnings.
        """
        check_temporary_folder(os.environ)
        kept = WritableConfig(config_source(config, secrets_manager))
        loaded = kept.load(refuse_unknown_keys=refuse_unknown_keys)
        self.mask.learn(*list_secrets(loaded.credentials))
        if loaded.hash_key is not None:
            self.mask.learn(loaded.hash_key)
        environment = Environment(
            Caller(RequestsHttp(CONNECTIONS), self.clock, random.random),
            SecretHooks(kept.keep_refresh_token, self.mask.learn, kept.newer_credentials),
            run_id=self.run_id,
            program=self.program,
        )
        return Connection(adjust(replace(loaded, objects=tuple(objects)) if objects else loaded), environment)

    def ended(self, work: Callable[[], int], on_failure: Callable[[str], object] = lambda _: None) -> int:
        """Run ``work`` and return its exit code; any exception is logged as one message and passed to the hook."""
        try:
            return self.stop.exit_code or work()
        except Stopped:
            return self.stop.exit_code
        except Exception as error:  # noqa: BLE001 - every failure of a command ends here, with a message
            failed = as_failed(error, self.program)
            on_failure(failed.message)
            if self.stop.signal is None:
                LOGGER.error("%s", failed.message)  # noqa: TRY400 - a traceback does not help the user
            return self.stop.exit_code or failure_code(failed)


def as_failed(error: Exception, program: Program) -> ExportFailed:
    """Return any exception as a failure of the program, whose message is safe to display."""
    match error:
        case ExportFailed():
            return error
        case ConfigError() | UnknownPlace():
            return ExportFailed(Consequence.CONFIG, str(error))
        case SalesforceError(failure=failure):
            return ExportFailed(failure.consequence, failure.message_for(program))
        case _:
            return storage_failure(error, "salesforce-bulk") or defect(error, "salesforce-bulk")
