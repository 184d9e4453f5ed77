from __future__ import annotations

import json

import pytest
from airbyte_cdk.models import AirbyteMessageSerializer, FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_salesforce_bulk.airbyte.errors import (
    failure_type,
    final_trace,
    traced,
    traced_as,
    traced_config_error,
    traced_defect,
)
from source_salesforce_bulk.salesforce.failure_meanings import MEANINGS
from source_salesforce_bulk.salesforce.failures import Answer, Consequence, Failure, Kind
from source_salesforce_bulk.salesforce.programs import Program
from source_salesforce_bulk.salesforce.wire import Operation

TYPES = {
    Consequence.TRANSIENT: FailureType.transient_error,
    Consequence.CONFIG: FailureType.config_error,
    Consequence.SYSTEM: FailureType.system_error,
}


def shown(trace: AirbyteTracedException) -> str:
    return json.dumps(AirbyteMessageSerializer.dump(trace.as_airbyte_message()))


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_airbytes_type_and_tells_the_user_what_to_do(kind):
    trace = traced(Failure.of(kind), "Account")
    assert trace.failure_type is TYPES[MEANINGS[kind].consequence]
    assert trace.message is not None
    assert trace.message == f"Account: {Failure.of(kind).message_for(Program.AIRBYTE)}"
    assert "{" not in trace.message


def test_a_message_names_object_and_job():
    failure = Failure.of(Kind.JOB_FAILED, Operation.JOB_INFO, "Retried more than 15 times", job_id="750x")
    trace = traced(failure, "Account")
    assert trace.message == (
        "Account, job 750x: Salesforce reports the query job as failed (job info): Retried more than 15 times. "
        "Nothing is lost: run the sync again later and it continues where it stopped."
    )
    error = trace.as_airbyte_message().trace.error
    assert error.stream_descriptor.name == "Account"
    assert trace.internal_message == "kind: job failed; action: new job; operation: job info"


def test_without_an_object_the_message_is_the_failures_own():
    failure = Failure.of(Kind.CREDENTIALS_REFUSED, Operation.TOKEN, answer=Answer(400, ("invalid_grant",)))
    trace = traced(failure)
    assert trace.message == failure.message_for(Program.AIRBYTE)
    assert "status: 400; codes: invalid_grant" in trace.internal_message
    assert trace.as_airbyte_message().trace.error.stream_descriptor is None


def test_a_trace_shows_no_text_of_what_caused_it():
    trace = traced(Failure.of(Kind.BODY_BROKEN), "Account")
    trace.__cause__ = ValueError("Jane Doe")
    assert "Jane" not in shown(trace)


def test_a_defect_shows_where_it_happened_and_not_what_it_read():
    try:
        int("Jane Doe")
    except ValueError as error:
        trace = traced_defect(error, "Account")
    assert trace.failure_type is FailureType.system_error
    assert trace.message is not None
    assert trace.message.startswith("Account: ")
    assert "ValueError" in trace.message
    assert "test_errors.py" in shown(trace)
    assert "Doe'" not in shown(trace)


def test_a_trace_says_its_sentence_once_and_shows_no_traceback_but_a_defects():
    failure = Failure.of(Kind.CREDENTIALS_REFUSED, Operation.TOKEN)
    told = shown(traced(failure, "Account"))
    assert told.count(MEANINGS[failure.kind].what) == 1
    assert "Traceback" not in told
    with pytest.raises(KeyError) as raised:
        raise KeyError("Jane Doe")
    assert shown(traced_defect(raised.value)).count("Traceback") == 1


def test_a_stream_that_another_ones_failure_stopped_refers_to_it():
    failure = Failure.of(Kind.CREDENTIALS_REFUSED)
    trace = traced_as("Account", failure, "Contact")
    assert trace.message == "Contact: the run was stopped; the message about Account says why and what to do."
    assert trace.failure_type is FailureType.config_error


def test_a_config_error_says_what_it_was_told_to():
    trace = traced_config_error("start_date: write 2024-01-31.")
    assert (trace.message, trace.failure_type) == ("start_date: write 2024-01-31.", FailureType.config_error)


CONFIG, SYSTEM, TRANSIENT = (Failure.of(kind) for kind in (Kind.OBJECT_GONE, Kind.UNEXPECTED, Kind.JOB_FAILED))


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        ([TRANSIENT, SYSTEM, CONFIG], FailureType.config_error),
        ([TRANSIENT, SYSTEM], FailureType.system_error),
        ([TRANSIENT, TRANSIENT], FailureType.transient_error),
    ],
)
def test_config_outweighs_system_and_system_transient(failures, expected):
    assert final_trace({str(n): traced(one) for n, one in enumerate(failures)}).failure_type is expected


def test_each_consequence_has_its_type():
    assert [failure_type(failure) for failure in (CONFIG, SYSTEM, TRANSIENT)] == [
        FailureType.config_error,
        FailureType.system_error,
        FailureType.transient_error,
    ]


def test_the_last_word_names_the_streams_and_repeats_no_cause():
    traces = {"Case": traced(TRANSIENT, "Case"), "Gone__c": traced(CONFIG, "Gone__c")}
    trace = final_trace(traces)
    assert trace.failure_type is FailureType.config_error
    assert trace.message == "2 streams: Case, Gone__c failed; the messages about them say why."
    assert MEANINGS[Kind.OBJECT_GONE].what not in shown(trace)


def test_the_last_word_stays_short_when_everything_failed():
    traces = {f"Object{number}": traced(TRANSIENT, f"Object{number}") for number in range(30)}
    message = final_trace(traces).message
    assert message is not None
    assert message.startswith("30 streams: Object0, ")
    assert "Object9 and 20 more failed; " in message


def test_one_failed_stream_is_named_as_one():
    message = final_trace({"Case": traced(TRANSIENT, "Case")}).message
    assert message is not None
    assert message == "Stream Case failed; the messages about it say why."
