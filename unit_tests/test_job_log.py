from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from source_salesforce_bulk.salesforce.job_log import FIRST_PAGE, JobFacts, log_job

FACTS = JobFacts(run_id="4711-0", object_name="Account", job_id="750A", batch_id="loc")


def test_a_line_ends_with_all_that_finds_the_job_and_the_run():
    assert FACTS.line("page emitted", rows=300, seconds=12.44) == (
        "page emitted; run id 4711-0, object Account, jobId 750A, batchId loc, rows 300, seconds 12.4"
    )


@pytest.mark.parametrize(
    ("fact", "shown"),
    [("run_id", "run id -"), ("object_name", "object -"), ("job_id", "jobId -"), ("batch_id", "batchId -")],
)
def test_what_does_not_apply_is_a_dash(fact, shown):
    line = replace(FACTS, **{fact: None}).line("x")
    assert f"{shown}," in line
    assert line.count(" -") == 3, "this one, rows and seconds"


@pytest.mark.parametrize("fact", ["run_id", "object_name", "job_id", "batch_id"])
@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\ud800", "\x9b31m"])
def test_no_fact_breaks_a_line_or_reaches_a_terminal(fact, text):
    facts = replace(FACTS, **{fact: text})
    assert facts.line("x").isprintable()
    assert all(value.isprintable() for value in facts.attributes.values() if value)


def test_nothing_is_not_the_same_as_zero():
    assert FACTS.line("x", rows=0, seconds=0.0).endswith("rows 0, seconds 0.0")
    assert FACTS.line("x").endswith("rows -, seconds -")


def test_a_record_carries_the_same_facts_under_the_names_of_the_logs(caplog):
    log_job(logging.getLogger("x"), FACTS, "query job created", level=logging.WARNING)
    (record,) = caplog.records
    assert record.getMessage() == FACTS.line("query job created")
    assert (record.run_id, record.object, record.job_id, record.batch_id) == ("4711-0", "Account", "750A", "loc")


def test_the_page_without_a_locator_has_a_name():
    assert "batchId first," in replace(FACTS, batch_id=FIRST_PAGE).line("x")
