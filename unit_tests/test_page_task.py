from __future__ import annotations

import gzip
import pickle
import subprocess
import sys

import pyarrow as pa
import pytest

from source_salesforce_bulk.pages.encoders import batch_file
from source_salesforce_bulk.pages.fetch import PageAddress
from source_salesforce_bulk.pages.page_task import (
    GivenSession,
    PageCost,
    PageOutcome,
    PageTask,
    PageTaskRunner,
    SessionEnded,
)
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.failures import Action, Failure, Kind
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.http_client import HttpRequest
from source_salesforce_bulk.salesforce.oauth import Session
from source_salesforce_bulk.salesforce.wire import ApiUsage
from unit_tests.fakes import Answer, FakeClock, ScriptedHttp

SESSION = Session("T0K3N-of-the-driver", "https://acme.my.salesforce.com")
COLUMNS = (Column("Id", CellKind.STRING), Column("Amount", CellKind.NUMBER))
TASK = PageTask(7, PageAddress("Opportunity", "750x", "MDox", "v66.0", None))
TEXT = b'"Id","Amount"\n"a","1.5"\n"b",""\n"c","much"\n'
EXPIRED = Answer(401, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}])


def page(text: bytes = TEXT, rows: int = 3) -> Answer:
    headers = {"Sforce-NumberOfRecords": str(rows), "Sforce-Locator": "null", "Content-Encoding": "gzip"}
    headers["Sforce-Limit-Info"] = "api-usage=18/5000"
    return Answer(200, gzip.compress(text), headers)


def run(*answers: Answer, check=None) -> tuple[list[pa.RecordBatch], list[PageOutcome]]:
    outcomes: list[PageOutcome] = []
    http = ScriptedHttp()
    for answer in answers:
        http.expect("GET", "/services/data/v66.0/jobs/query/750x/results", answer, check)
    with http:
        runner = PageTaskRunner(SESSION, batch_file(COLUMNS), http, FakeClock(), lambda: 0.0)
        return list(runner.run(TASK, outcomes.append)), outcomes


def test_a_page_becomes_batches_and_then_its_outcome():
    batches, outcomes = run(page())
    assert pa.Table.from_batches(batches).to_pydict() == {"Id": ["a", "b", "c"], "Amount": [1.5, None, None]}
    (outcome,) = outcomes
    assert (outcome.number, outcome.rows, outcome.cost.calls, outcome.failure) == (7, 3, 1, None)
    assert outcome.unreadable == {"Amount": 1}
    assert outcome.cost.usage == ApiUsage(18, 5000)


def test_the_page_is_asked_for_by_its_locator_with_the_session_it_was_given():
    def check(sent: HttpRequest) -> None:
        assert sent.params == {"locator": "MDox"}
        assert sent.headers["Authorization"] == "Bearer T0K3N-of-the-driver"

    run(page(), check=check)


def test_a_broken_page_is_fetched_again_and_nothing_of_it_is_given():
    batches, (outcome,) = run(page(rows=4), page())
    assert sum(batch.num_rows for batch in batches) == 3
    assert (outcome.cost.calls, outcome.cost.retries) == (2, 1)
    assert outcome.cost.received > outcome.size > 0


def test_an_ended_session_leaves_the_page_undone_at_once():
    batches, (outcome,) = run(EXPIRED)
    assert batches == []
    assert outcome.failure is not None
    assert (outcome.rows, outcome.failure.kind, outcome.failure.action) == (
        0,
        Kind.SESSION_EXPIRED,
        Action.REFRESH_TOKEN,
    )


def test_a_job_that_is_gone_is_reported_and_not_retried():
    gone = Answer(404, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}])
    batches, (outcome,) = run(gone)
    assert batches == []
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.action) == (Kind.JOB_GONE, Action.NEW_JOB)


def test_a_page_without_rows_gives_no_row():
    batches, (outcome,) = run(page(b'"Id","Amount"\n', 0))
    assert sum(batch.num_rows for batch in batches) == 0
    assert (outcome.rows, outcome.failure) == (0, None)


def test_a_given_session_is_never_renewed_and_its_token_never_shown():
    tokens = GivenSession(SESSION)
    with pytest.raises(SessionEnded):
        tokens.refresh(SESSION.access_token)
    assert tokens.redact("Bearer T0K3N-of-the-driver") == "Bearer ****"
    quoted = GivenSession(Session("00D!to/ken", SESSION.instance_url))
    assert quoted.redact('{"sent": "00D!to\\/ken"} 00D%21to%2Fken') == '{"sent": "****"} ****'


def test_tasks_and_outcomes_travel_between_machines():
    outcome = PageOutcome(1, cost=PageCost(2, 1, 70, ApiUsage(18, 5000)), failure=Failure.of(Kind.JOB_GONE))
    assert pickle.loads(pickle.dumps(TASK)) == TASK
    assert pickle.loads(pickle.dumps(outcome)) == outcome


def test_an_executor_needs_neither_the_cdk_nor_pydantic_nor_boto3():
    script = (
        "import sys; import source_salesforce_bulk.pages.page_task;"
        "print(sorted({'airbyte_cdk', 'pydantic', 'boto3', 'pendulum'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
