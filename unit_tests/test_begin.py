from __future__ import annotations

from datetime import UTC, datetime

import pytest

from source_salesforce_bulk.export.begin import (
    BeginOptions,
    Target,
    adopted,
    all_objections,
    objection,
    set_back,
    unknown_full,
)
from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER, StateError
from source_salesforce_bulk.registries.state import DataFile, Progress

HERE = Target("s3://lake/salesforce", "parquet")
STATE = {"SystemModstamp": "2026-11-23T02:00:00.000Z", "scope": "sha256:x"}
FILE = DataFile("Account/run=r/w00000-p000000.parquet", 10, 2000, "750A", None)


def progress(**changes) -> Progress:
    facts = {"state": STATE, "destination": HERE.url, "file_format": "parquet", "named_rows": 7, **changes}
    return Progress(**facts)


def problem(kept: Progress, options: BeginOptions | None = None, *, holds_files: bool = True) -> str | None:
    return objection("Account", kept, HERE, options or BeginOptions(), holds_files=holds_files)


def test_the_destination_that_the_state_knows_is_taken():
    assert problem(progress()) is None


@pytest.mark.parametrize("url", ["s3://lake/other", "s3://other/salesforce", "file:///data/salesforce"])
def test_another_destination_is_refused_with_both_ways(url):
    text = problem(progress(destination=url))
    assert text is not None
    assert f"--destination {url}" in text
    assert "--start-over" in text


def test_another_format_is_refused_with_both_ways():
    text = problem(progress(file_format="jsonl"))
    assert text is not None
    assert "--format jsonl" in text
    assert "--start-over" in text


def test_a_destination_that_was_emptied_is_refused_where_rows_were_written():
    text = problem(progress(), holds_files=False)
    assert text is not None
    assert "7 rows" in text
    assert "--start-over" in text
    assert problem(progress(named_rows=0), holds_files=False) is None
    assert problem(progress(named_rows=0, open=(FILE,)), holds_files=False) is not None


@pytest.mark.parametrize("changes", [{"destination": "s3://old"}, {"file_format": "jsonl"}])
def test_starting_over_may_go_anywhere(changes):
    assert problem(progress(**changes), BeginOptions(start_over=True), holds_files=False) is None


def test_files_that_the_user_has_moved_are_gone_on_from():
    options = BeginOptions(continue_here=True)
    assert problem(progress(destination="s3://old"), options) is None
    assert problem(progress(), options, holds_files=False) is None
    assert problem(progress(file_format="jsonl"), options) is not None, "one table has one format"
    assert problem(progress(destination="s3://old", closed=(FILE,)), options) is not None, "files await their manifest"


def test_an_object_that_is_read_whole_misses_nothing_elsewhere():
    assert problem(progress(state=COMPLETE_MARKER, destination="s3://old")) is None
    assert problem(progress(state=COMPLETE_MARKER, destination="s3://old", closed=(FILE,))) is not None


def test_what_was_never_read_belongs_nowhere():
    assert problem(Progress()) is None
    assert problem(Progress(destination="s3://old", begun_by="r1")) is None


def test_a_state_of_an_earlier_version_is_adopted_with_a_line():
    kept, news = adopted("Account", Progress(STATE), HERE)
    assert (kept.destination, kept.file_format) == (HERE.url, "parquet")
    assert news is not None
    assert "does not name a destination" in news
    kept, news = adopted("Account", progress(file_format=""), HERE)
    assert kept == progress()
    assert news is not None
    assert "does not name a format" in news
    assert adopted("Account", progress(), HERE) == (progress(), None)
    assert adopted("Account", Progress(), HERE) == (Progress({}, (), (), HERE.url, file_format="parquet"), None)


def test_several_objects_are_one_sentence_and_a_list():
    assert all_objections({"Account": "Account: no."}) == "Account: no."
    many = {f"Object{number:02}__c": f"Object{number:02}__c: no." for number in range(14)}
    assert all_objections(many).startswith("Object00__c: no. The same applies to Object01__c, Object02__c")
    assert all_objections(many).endswith("Object10__c and 3 more.")


@pytest.mark.parametrize(
    ("since", "reached"),
    [(1, "2026-11-01T00:00:00.000Z"), (23, "2026-11-23T00:00:00.000Z"), (29, STATE["SystemModstamp"])],
)
def test_since_sets_a_state_back_and_never_ahead(since, reached):
    state = {**STATE, "resume": [{"job": "750A"}]}
    assert set_back(state, "SystemModstamp", datetime(2026, 11, since, tzinfo=UTC)) == {
        "SystemModstamp": reached,
        "scope": "sha256:x",
    }


def test_since_is_the_beginning_where_nothing_was_read():
    assert set_back({}, "SystemModstamp", datetime(2026, 11, 1, tzinfo=UTC)) == {
        "SystemModstamp": "2026-11-01T00:00:00.000Z"
    }


def test_since_does_not_guess_what_a_damaged_state_means():
    with pytest.raises(StateError, match="SystemModstamp is not an instant"):
        set_back({"SystemModstamp": "yesterday"}, "SystemModstamp", datetime(2026, 11, 1, tzinfo=UTC))


def test_an_object_to_be_started_over_is_one_of_the_run():
    options = BeginOptions(full=frozenset({"account", "contcat"}))
    assert options.starts_over("Account")
    assert not options.starts_over("Lead")
    assert unknown_full(options, ["Account", "Contcat"]) is None
    said = unknown_full(options, ["Account", "Contact"])
    assert said == "--full contcat: the run has no such object. Did you mean Contact? Nothing was started."
