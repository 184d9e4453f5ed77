from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from source_salesforce_bulk.export.run_story import RunStory, read_story

BEGAN = datetime(2026, 11, 25, 2, tzinfo=UTC)


def line(second: float, event: str, **facts: Any) -> str:
    return json.dumps({"at": (BEGAN + timedelta(seconds=second)).isoformat(), "event": event, **facts})


def job(second: float, event: str, **facts: Any) -> str:
    return line(second, event, object="Account", job="750A", window="all rows", **facts)


WHOLE = [
    line(0, "run_begun", destination="s3://lake", objects=["Account", "Lead"]),
    line(0, "quota", remaining=1000, maximum=15000),
    job(1, "job_created", soql="SELECT Id FROM Account"),
    job(2, "job_polled"),
    line(3, "retry", object="Account", why="jobInfo is sent again in 1.0 s: not available"),
    job(4, "job_complete", rows=12),
    job(5, "page", rows=7),
    job(6, "page", rows=5),
    line(6, "file", object="Account", path="Account/run=r/w0-p0.parquet", rows=12, bytes=100),
    job(7, "window_complete", rows=12),
    line(8, "schema_drift", object="Account", message="changed", drift={"object": "Account", "fields": []}),
    line(9, "error", object="Lead", message="Lead cannot be read"),
    line(10, "quota", remaining=990, maximum=15000),
    line(
        11,
        "run_ended",
        code=3,
        manifest="s3://lake/_manifests/r.json",
        objects=[
            {
                "object": "Account",
                "status": "complete",
                "rows": 12,
                "files": 1,
                "jobs": 1,
                "api_calls": 9,
                "retries": 1,
                "stored_files": {"stored": 3, "bytes": 1200},
            },
            {"object": "Lead", "status": "failed", "error": "Lead cannot be read", "rows": 0, "files": 0},
        ],
    ),
]


def test_a_whole_ledger_is_a_whole_story():
    story = read_story("r", WHOLE)
    assert (story.code, story.seconds, story.rows, story.attempts) == (3, 11.0, 12, 1)
    (span,) = story.jobs.values()
    assert (span.rows, span.soql, len(span.polls), [rows for _, rows in span.pages]) == (
        12,
        "SELECT Id FROM Account",
        1,
        [7, 5],
    )
    assert (span.complete, span.ended) == (BEGAN + timedelta(seconds=4), BEGAN + timedelta(seconds=7))
    assert [(one.kind, one.object) for one in story.incidents] == [("retry", "Account"), ("error", "Lead")]
    account = story.objects["Account"]
    assert (account.stored_files, account.stored_bytes) == (3, 1200)
    assert story.objects["Lead"].error == "Lead cannot be read"
    assert [quota["remaining"] for quota in story.quotas] == [1000, 990]
    assert len(story.drifts) == len(story.files) == len(story.manifests) == 1


def test_a_job_that_ends_its_object_has_the_sentence_and_the_object_tells_it_once():
    gone = {"why": "The object is gone.", "ends": True}
    story = read_story("r", [WHOLE[0], WHOLE[2], job(2, "job_failed", **gone), line(3, "error", message="Gone")])
    (span,) = story.jobs.values()
    assert (span.failure, span.ended) == ("The object is gone.", BEGAN + timedelta(seconds=2))
    assert [one.text for one in story.incidents] == ["Gone"]


def test_a_job_that_is_created_again_is_named_with_its_reason_and_without_the_rest_of_the_log_line():
    failed = job(2, "job_failed", why="It failed.", ends=False, message="It failed.; run id r, jobId 750A, rows -")
    (incident,) = read_story("r", [WHOLE[0], WHOLE[2], failed]).incidents
    assert (incident.kind, incident.text) == ("warning", "Job 750A: It failed.")


def test_a_killed_run_has_a_story_up_to_its_last_whole_line():
    story = read_story("r", [*WHOLE[:5], WHOLE[5][:20]])
    assert story.code is None
    assert story.objects["Account"].status == "not finished"
    assert story.jobs["750A"].last == BEGAN + timedelta(seconds=2)


def test_several_attempts_add_up():
    story = read_story("r", [*WHOLE, *WHOLE])
    assert (story.attempts, story.rows, len(story.manifests)) == (2, 24, 2)


def test_lines_of_another_kind_are_left_out():
    junk = [
        "",
        "{",
        "[]",
        "{}",
        '{"at": 3}',
        '{"at": "never", "event": "page"}',
        b"\xff",
        json.dumps({"at": "2026-01-01"}),
    ]
    story = read_story("r", junk)
    assert isinstance(story, RunStory)
    assert story.jobs == story.objects == {}


def test_facts_of_the_wrong_type_break_nothing():
    story = read_story(
        "r", [job(1, "page", rows="many"), line(1, "run_begun", objects="none"), line(1, "schema_drift")]
    )
    assert story.jobs["750A"].pages[0][1] == 0
