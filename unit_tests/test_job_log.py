from __future__ import annotations

import pytest

from source_salesforce_bulk.salesforce.job_log import FIRST_PAGE, job_facts, job_line

FACTS = {"run_id": "4711-0", "object_name": "Account", "job_id": "750A", "batch_id": "loc"}


def test_a_line_ends_with_all_that_finds_the_job_and_the_run():
    assert job_line("page emitted", **FACTS, rows=300, seconds=12.44) == (
        "page emitted; run id 4711-0, object Account, jobId 750A, batchId loc, rows 300, seconds 12.4"
    )


@pytest.mark.parametrize(
    ("fact", "shown"),
    [("run_id", "run id -"), ("object_name", "object -"), ("job_id", "jobId -"), ("batch_id", "batchId -")],
)
def test_what_does_not_apply_is_a_dash(fact, shown):
    line = job_line("x", **(FACTS | {fact: None}))
    assert f"{shown}," in line
    assert line.count(" -") == 3, "this one, rows and seconds"


def test_nothing_is_not_the_same_as_zero():
    assert job_line("x", **FACTS, rows=0, seconds=0.0).endswith("rows 0, seconds 0.0")
    assert job_line("x", **FACTS).endswith("rows -, seconds -")


def test_a_record_carries_the_same_facts_under_the_names_of_the_logs():
    assert job_facts(**FACTS) == {"run_id": "4711-0", "object": "Account", "job_id": "750A", "batch_id": "loc"}
    assert job_facts(run_id=None, object_name=None, job_id=None)["batch_id"] is None


def test_the_page_without_a_locator_has_a_name():
    assert "batchId first," in job_line("x", **(FACTS | {"batch_id": FIRST_PAGE}))
