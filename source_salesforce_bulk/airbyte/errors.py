"""Convert failures to Airbyte's traces. This is the only place where a consequence becomes a ``FailureType``.

A message says what happened, to which object and job, and what to do. Each cause is reported once, by the trace of the
stream that met it first. If it ends the whole run, the other streams' traces refer to that one, and the last trace of
the run only names the streams. No trace shows the text of another exception: a library's text may contain record values
or URLs, and ours is already in the message.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import assert_never

from airbyte_cdk.models import FailureType, StreamDescriptor
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_salesforce_bulk.salesforce.failures import Consequence, Failure, Kind
from source_salesforce_bulk.salesforce.programs import Program

# Failures that need the user come first, then our own defects, then temporary failures.
_DECISIVE = (FailureType.config_error, FailureType.system_error, FailureType.transient_error)
_NAMES_SHOWN = 10


def failure_type(failure: Failure) -> FailureType:
    """Return Airbyte's type of a failure."""
    match failure.consequence:
        case Consequence.TRANSIENT:
            return FailureType.transient_error
        case Consequence.CONFIG:
            return FailureType.config_error
        case Consequence.SYSTEM:
            return FailureType.system_error
        case _:
            assert_never(failure.consequence)


def traced(failure: Failure, object_name: str | None = None) -> AirbyteTracedException:
    """Return the trace of a failure, which names the object and the job."""
    about = ", ".join(filter(None, (object_name, f"job {failure.job_id}" if failure.job_id else "")))
    text = failure.message_for(Program.AIRBYTE)
    return AirbyteTracedException(
        message=f"{about}: {text}" if about else text,
        internal_message=_facts(failure),
        failure_type=failure_type(failure),
        exception=_Cause(failure.kind.value),
        stream_descriptor=_stream(object_name),
    )


def traced_as(first: str, failure: Failure, object_name: str) -> AirbyteTracedException:
    """Return the trace of a stream that was ended by a failure of the whole run, which ``first`` has reported."""
    return AirbyteTracedException(
        message=f"{object_name}: the run was stopped; the message about {first} says why and what to do.",
        internal_message=_facts(failure),
        failure_type=failure_type(failure),
        exception=_Cause(failure.kind.value),
        stream_descriptor=_stream(object_name),
    )


def traced_config_error(message: str, object_name: str | None = None) -> AirbyteTracedException:
    """Return the trace of a configuration error with this ``message``."""
    return AirbyteTracedException(
        message=message,
        internal_message=message,
        failure_type=FailureType.config_error,
        stream_descriptor=_stream(object_name),
    )


def traced_defect(error: BaseException, object_name: str | None = None) -> AirbyteTracedException:
    """Return the trace of our own defect, with its location but without the exception's text."""
    name = type(error).__name__
    trace = traced(Failure.of(Kind.UNEXPECTED, detail=name), object_name)
    return AirbyteTracedException(
        message=trace.message,
        internal_message=name,
        failure_type=trace.failure_type,
        exception=_Cause(name).with_traceback(error.__traceback__),
        stream_descriptor=_stream(object_name),
    )


def final_trace(failures: Mapping[str, AirbyteTracedException]) -> AirbyteTracedException:
    """Return the last trace of a run with failed streams: their names, and the decisive failure type.

    Config if any stream needs the user, else system, else transient; of several of one type, the first.
    """
    decisive = min(failures.values(), key=lambda trace: _DECISIVE.index(trace.failure_type))
    return AirbyteTracedException(
        message=f"{_named(failures)} failed; the messages about {'it' if len(failures) == 1 else 'them'} say why.",
        internal_message=decisive.internal_message,
        failure_type=decisive.failure_type,
        exception=_Cause("see the traces of the streams"),
    )


class _Cause(Exception):
    """Replaces an exception in a trace whose text must not be shown, or is already the trace's message."""


def _named(failures: Mapping[str, AirbyteTracedException]) -> str:
    names = list(failures)
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"{'Stream' if len(names) == 1 else f'{len(names)} streams:'} {shown}{more}"


def _facts(failure: Failure) -> str:
    facts: Mapping[str, object] = MappingProxyType(
        {
            "kind": failure.kind.value,
            "action": failure.action.value,
            "operation": failure.operation.value if failure.operation else None,
            "status": failure.status,
            "codes": ",".join(failure.error_codes) or None,
        }
    )
    return "; ".join(f"{name}: {value}" for name, value in facts.items() if value is not None)


def _stream(object_name: str | None) -> StreamDescriptor | None:
    return StreamDescriptor(name=object_name) if object_name else None
