from __future__ import annotations

import logging
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest

from source_salesforce_bulk.airbyte import source as source_module
from source_salesforce_bulk.airbyte.read import LOG_AGAIN, STATE_AGAIN
from source_salesforce_bulk.extraction.extraction import Extraction
from source_salesforce_bulk.extraction.stream_state import COMPLETE_MARKER
from source_salesforce_bulk.salesforce.ids import id_18
from unit_tests.fakes import HeldCalls
from unit_tests.source_rig import (
    SourceRig,
    catalog_of,
    configured,
    errors_in,
    of_type,
    parsed,
    rows_of,
    states_in,
    statuses_of,
)

COMPLETE = ["STARTED", "RUNNING", "COMPLETE"]
CURSOR = {"SystemModstamp": "2026-11-01T00:00:00.000Z"}


def rows(count: int) -> list[dict[str, str]]:
    return [
        {"Id": id_18(f"001A{number:011d}"), "Name": f"{number}", "SystemModstamp": "2026-11-20T00:00:00.000Z"}
        for number in range(count)
    ]


@pytest.fixture
def rig(monkeypatch):
    rig = SourceRig({"Account": rows(5), "Contact": rows(5), "Lead": rows(1)}, page_size=2)
    yield rig
    rig.salesforce.close()


def without_cursor(monkeypatch) -> SourceRig:
    return SourceRig({"Setting": [{"Id": id_18("0DSA00000000001"), "Name": "x"}], "Account": rows(1)})


# A sound run


@pytest.mark.parametrize("jobs", [1, 4])
def test_every_stream_is_read_whole_and_is_complete(monkeypatch, jobs):
    objects = {"Account": rows(5), "Contact": rows(4), "Lead": rows(0)}
    rig = SourceRig(objects, page_size=2, max_concurrent_jobs=jobs)
    messages = rig.read(*[configured(name) for name in objects])
    assert rig.raised is None
    for name, wanted in objects.items():
        assert rows_of(messages, name) == wanted
        assert statuses_of(messages, name)[0] == "STARTED"
        assert statuses_of(messages, name)[-1] == "COMPLETE"
    assert rig.salesforce.left() == set()


def test_a_streams_statuses_stand_round_its_records(rig):
    messages = rig.read(configured("Account"))
    kinds = [message["type"] if message["type"] != "TRACE" else message["trace"]["type"] for message in messages]
    assert statuses_of(messages, "Account") == COMPLETE
    assert (kinds[0], kinds[-1]) == ("STREAM_STATUS", "STREAM_STATUS")
    assert kinds.index("RECORD") > kinds.index("STREAM_STATUS")


def test_every_state_stands_behind_the_rows_it_covers(rig):
    messages = rig.read(configured("Account"))
    rows_before, seen = [], 0
    for message in messages:
        seen += message["type"] == "RECORD"
        if message["type"] == "STATE":
            resume = message["state"]["stream"]["stream_state"].get("resume", [{"rows": 5}])
            rows_before.append((seen, resume[0]["rows"]))
    assert rows_before[0] == (0, 0), "a first time as soon as a job exists"
    assert rows_before[-1] == (5, 5)
    assert all(covered <= emitted for emitted, covered in rows_before)


def test_streams_take_turns_one_page_at_a_time(monkeypatch):
    rig = SourceRig({"Account": rows(40), "Contact": rows(2)}, page_size=2)
    rig.salesforce.chance = lambda operation: rig.clock.advance(1.0) or ""  # else no poll comes due
    messages = rig.read(configured("Account"), configured("Contact"))
    speakers = [record["stream"] for record in of_type(messages, "RECORD")]
    at = speakers.index("Contact")
    assert speakers[at : at + 3] == ["Contact", "Contact", "Account"]
    assert speakers[-1] == "Account", "no stream waits for another's end"


def test_finished_jobs_are_deleted_after_the_last_message_and_not_before(rig):
    deletes_seen = []
    rig.salesforce.chance = lambda operation: (operation == "delete" and deletes_seen.append(len(rig.messages))) or ""
    messages = rig.read(configured("Account"), configured("Contact"))
    assert deletes_seen == [len(messages)] * 2
    assert rig.cleaning_up == [len(messages)]


# Failures


def test_a_stream_that_fails_is_incomplete_with_a_typed_trace_and_the_others_are_read(rig):
    rig.salesforce.script("create", "refused")
    messages = rig.read(configured("Account"), configured("Contact"))
    assert statuses_of(messages, "Account") == ["STARTED", "INCOMPLETE"]
    assert statuses_of(messages, "Contact") == COMPLETE
    error = errors_in(messages)["Account"]
    assert error["failure_type"] == "config_error"
    assert "Account" in error["message"]
    assert len(rows_of(messages, "Contact")) == 5


def test_a_run_with_a_failed_stream_ends_with_an_exception_that_names_it(rig):
    rig.salesforce.script("create", "refused")
    rig.read(configured("Account"), configured("Contact"))
    assert rig.raised is not None
    assert "Account" in rig.raised.message
    assert rig.raised.failure_type.value == "config_error"


def test_an_object_that_the_org_does_not_have_fails_alone(rig):
    messages = rig.read(configured("Nothing"), configured("Account"))
    assert statuses_of(messages, "Nothing") == ["INCOMPLETE"]
    assert errors_in(messages)["Nothing"]["failure_type"] == "config_error"
    assert statuses_of(messages, "Account") == COMPLETE


def test_an_object_that_has_none_of_its_selected_fields_any_more_fails_alone_and_says_what_to_do(monkeypatch):
    rig = SourceRig({"Account": rows(1), "Definition": [{"Label": "d"}]})
    messages = rig.read(configured("Definition", "full_refresh", ["Old__c"]), configured("Account"))
    error = errors_in(messages)["Definition"]
    assert error["failure_type"] == "config_error"
    assert "Old__c" in error["message"]
    assert "Refresh the source's schema" in error["message"]
    assert statuses_of(messages, "Account") == COMPLETE
    assert [job.object_name for job in rig.salesforce.jobs.values()] == ["Account"]


def test_a_stream_without_a_cursor_is_read_in_full_every_time(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "salesforce_bulk.read")
    rig = without_cursor(monkeypatch)
    states: dict[str, Any] = {}
    for _ in range(3):
        messages = rig.read(configured("Setting", "incremental"), configured("Account"), states=states)
        assert [row["Name"] for row in rows_of(messages, "Setting")] == ["x"]
        assert statuses_of(messages, "Setting") == statuses_of(messages, "Account") == COMPLETE
        states = {"Setting": states_in(messages, "Setting")[-1]}
        assert states == {"Setting": COMPLETE_MARKER}
    lines = [record.getMessage() for record in caplog.records if "no cursor field" in record.getMessage()]
    assert lines == ["Setting has no cursor field, so every sync reads it in full"] * 3


def test_a_full_refresh_that_is_asked_for_as_such_ends_for_good(monkeypatch):
    rig = without_cursor(monkeypatch)
    messages = rig.read(configured("Setting", "full_refresh"), states={"Setting": COMPLETE_MARKER})
    assert rows_of(messages, "Setting") == []
    assert states_in(messages, "Setting")[-1] == COMPLETE_MARKER


def test_an_interrupted_read_in_full_is_gone_on_with_where_it_was_asked_for_incrementally(monkeypatch):
    rig = SourceRig({"Setting": [{"Id": row["Id"], "Name": row["Name"]} for row in rows(5)]}, page_size=2)
    rig.salesforce.script("results", "", "forbidden")
    first = rig.read(configured("Setting", "incremental"))
    state = states_in(first, "Setting")[-1]
    assert len(rows_of(first, "Setting")) == 2
    second = rig.read(configured("Setting", "incremental"), states={"Setting": state})
    assert len(rows_of(first, "Setting") + rows_of(second, "Setting")) == 5
    assert len(rig.salesforce.jobs) == 1


@pytest.mark.parametrize("blob", [{"SystemModstamp": 7}, {"resume": "x", **CURSOR}, {"LastModifiedDate": "2026"}])
def test_a_state_that_cannot_be_read_is_a_config_error_of_its_stream_alone(rig, blob):
    messages = rig.read(configured("Account"), configured("Contact"), states={"Account": blob})
    error = errors_in(messages)["Account"]
    assert error["failure_type"] == "config_error"
    assert "state of Account" in error["message"]
    assert statuses_of(messages, "Contact") == COMPLETE


def test_what_is_refused_at_the_login_fails_every_stream_and_hands_their_states_back(rig):
    rig.salesforce.script("limits", "quota")
    messages = rig.read(configured("Account"), configured("Contact"), states={"Account": CURSOR})
    assert statuses_of(messages, "Account") == statuses_of(messages, "Contact") == ["INCOMPLETE"]
    assert states_in(messages, "Account") == [CURSOR]
    assert states_in(messages, "Contact") == []
    assert {error["failure_type"] for error in errors_in(messages).values()} == {"transient_error"}
    assert rig.salesforce.jobs == {}


def test_a_stream_whose_total_is_wrong_ends_with_a_state_that_names_no_job(rig):
    rig.salesforce.script("info", "too many")
    messages = rig.read(configured("Account"))
    assert statuses_of(messages, "Account")[-1] == "INCOMPLETE"
    last = messages.index(next(message for message in reversed(messages) if message["type"] == "STATE"))
    assert "resume" not in states_in(messages, "Account")[-1]
    assert last < max(index for index, message in enumerate(messages) if message["type"] == "TRACE")


# States from run to run


def test_a_namespace_in_the_catalog_changes_nothing_about_states(rig):
    account = configured("Account")
    account["stream"]["namespace"] = "crm"
    rig.salesforce.script("limits", "quota")
    messages = rig.read(account, states={"Account": CURSOR})
    assert states_in(messages, "Account") == [CURSOR]


def test_the_next_run_reads_nothing_again_but_the_look_back(rig):
    first = rig.read(configured("Account"))
    rig.clock.advance(3600)
    rig.salesforce.objects["Account"].append(
        {"Id": id_18("001A00000099999"), "Name": "new", "SystemModstamp": "2026-11-23T02:30:00.000Z"}
    )
    second = rig.read(configured("Account"), states={"Account": states_in(first, "Account")[-1]})
    assert [row["Name"] for row in rows_of(second, "Account")] == ["new"]


def test_a_cursor_in_the_future_reads_nothing_keeps_the_state_and_is_complete(rig, caplog):
    future = {"SystemModstamp": "2030-01-01T00:00:00.000Z"}
    messages = rig.read(configured("Account"), states={"Account": future})
    assert rows_of(messages, "Account") == []
    assert states_in(messages, "Account")[-1]["SystemModstamp"] == future["SystemModstamp"]
    assert statuses_of(messages, "Account")[-1] == "COMPLETE"
    assert any("later than the org's clock" in record.getMessage() for record in caplog.records)
    assert rig.salesforce.jobs == {}


def test_a_full_refresh_ends_with_the_marker_and_with_it_emits_nothing(rig):
    marker = {"__ab_full_refresh_sync_complete": True}
    first = rig.read(configured("Account", "full_refresh"))
    assert states_in(first, "Account")[-1] == marker
    again = rig.read(configured("Account", "full_refresh"), states={"Account": marker})
    assert (rows_of(again, "Account"), states_in(again, "Account")) == ([], [marker])


def test_an_object_without_a_cursor_ends_with_exactly_the_marker(monkeypatch):
    rig = without_cursor(monkeypatch)
    messages = rig.read(configured("Setting", "full_refresh"))
    assert len(rows_of(messages, "Setting")) == 1
    assert states_in(messages, "Setting")[-1] == {"__ab_full_refresh_sync_complete": True}


# A run that is stopped


def stop_after(rig: SourceRig, pages: int) -> None:
    served = 0

    def chance(operation: str) -> str:
        nonlocal served
        served += operation == "results"
        if served > pages:
            rig.stop.set()
        return ""

    rig.salesforce.chance = chance


def test_a_stopped_run_ends_at_its_next_turn_with_its_state_out_and_the_named_jobs_alive(rig):
    stop_after(rig, 1)
    messages = rig.read(configured("Account"))
    state = states_in(messages, "Account")[-1]
    assert rig.raised is None, "the exit code is the signal's"
    assert state["resume"][0]["rows"] == len(rows_of(messages, "Account")) < 5
    assert rig.salesforce.left() == {state["resume"][0]["job"]}


def test_the_run_after_a_stop_reads_what_is_left_with_the_same_job(rig):
    stop_after(rig, 1)
    first = rig.read(configured("Account"))
    rig.stop.clear()
    rig.salesforce.chance = lambda operation: ""
    second = rig.read(configured("Account"), states={"Account": states_in(first, "Account")[-1]})
    names = [row["Name"] for messages in (first, second) for row in rows_of(messages, "Account")]
    assert names == ["0", "1", "2", "3", "4"]
    queries = [job.soql for job in rig.salesforce.jobs.values()]
    assert len(queries) == len(set(queries)), "no window is asked for twice"
    assert rig.salesforce.left() == set()


def test_a_run_that_is_stopped_early_keeps_the_job_of_the_state_it_was_given(monkeypatch):
    rig = SourceRig({"Account": rows(5)}, page_size=2, max_concurrent_jobs=1)
    first = rig.read(configured("Account"))
    soql = next(iter(rig.salesforce.jobs.values())).soql
    blob = next(state for state in states_in(first, "Account") if "resume" in state)
    job = rig.salesforce.add_job("750old000000000AAA", soql, "queryAll")
    blob["resume"][0]["job"] = job.id
    rig.salesforce.chance = lambda operation: (operation == "info" and rig.stop.set()) or ""
    messages = rig.read(configured("Account"), states={"Account": blob})
    assert states_in(messages, "Account") == []
    assert rig.salesforce.left() == {job.id}


@pytest.mark.parametrize("cut", range(1, 30, 2))
def test_wherever_a_reader_goes_away_the_jobs_that_its_state_may_name_stay(monkeypatch, cut):
    """Rows and states are buffered: it may have read any of the states since the last flush."""
    rig = SourceRig({"Account": rows(5), "Contact": rows(3)}, page_size=2)
    unflushed: set[str] = set()
    newest: dict[str, set[str]] = {}
    monkeypatch.setattr(source_module, "PRINT_BUFFER", SimpleNamespace(flush=unflushed.clear))
    messages = rig.source.read(rig.logger, rig.config, catalog_of(configured("Account"), configured("Contact")), [])
    for message in islice(messages, cut):
        line = parsed(message)
        if line["type"] == "STATE":
            stream = line["state"]["stream"]
            named = {entry["job"] for entry in stream["stream_state"].get("resume", ())}
            newest[stream["stream_descriptor"]["name"]] = named
            unflushed |= named
    messages.close()
    assert rig.salesforce.left() == unflushed.union(*newest.values())


# Silence


def test_buffers_are_flushed_before_every_wait(rig, monkeypatch):
    """A state that stays in a buffer while a job runs for hours is lost with the process."""
    said, flushed, waits = [0], [0], []
    monkeypatch.setattr(source_module, "PRINT_BUFFER", SimpleNamespace(flush=lambda: flushed.append(said[0])))
    wait = Extraction.wait

    def noted(extraction: Extraction, seconds: float) -> None:
        waits.append((said[0], flushed[-1]))
        wait(extraction, seconds)

    monkeypatch.setattr(Extraction, "wait", noted)
    for _ in rig.source.read(rig.logger, rig.config, catalog_of(configured("Account"), configured("Contact")), []):
        said[0] += 1
    assert waits
    assert [flushed_at for _, flushed_at in waits] == [said_then for said_then, _ in waits]
    assert flushed[-1] == said[0], "and before the clean-up"


class SlowCalls(HeldCalls):
    """Calls that are not answered before ``until``."""

    until = 0.0

    def drain(self, timeout: float) -> bool:
        self.stuck = self._clock.monotonic() < self.until
        return super().drain(timeout)


def test_a_stream_that_waits_for_its_first_state_repeats_the_one_it_was_given(rig, monkeypatch):
    monkeypatch.setattr(SlowCalls, "until", rig.clock.monotonic() + 3 * STATE_AGAIN)
    rig.calls = SlowCalls
    messages = rig.read(configured("Account"), states={"Account": CURSOR})
    assert states_in(messages, "Account")[:2] == [CURSOR, CURSOR]


def test_a_waiting_streams_last_state_is_emitted_again_and_a_line_is_logged(rig, caplog):
    caplog.set_level(logging.INFO, "salesforce_bulk.read")
    until = rig.clock.monotonic() + 4 * STATE_AGAIN
    rig.salesforce.chance = lambda operation: "running" if operation == "info" and rig.clock.monotonic() < until else ""
    messages = rig.read(configured("Lead"))
    before_rows = messages[: [message["type"] for message in messages].index("RECORD")]
    states = of_type(before_rows, "STATE")
    assert len(states) >= 4
    assert len({state["stream"]["stream_state"]["resume"][0]["job"] for state in states}) == 1
    lines = [record.getMessage() for record in caplog.records if "Still reading" in record.getMessage()]
    assert len(lines) >= 4 * STATE_AGAIN / LOG_AGAIN - 2
    assert "Lead" in lines[0]
    assert STATE_AGAIN <= 600, "docs/contracts.md promises ten minutes"


def test_the_last_line_of_a_stream_says_what_it_cost(rig, caplog):
    caplog.set_level(logging.INFO, "salesforce_bulk.read")
    rig.read(configured("Account"))
    (line,) = [record.getMessage() for record in caplog.records if "complete:" in record.getMessage()]
    for word in ("records processed 5", "batches completed 3", "jobs 1", "errors 0"):
        assert word in line


# A cursor that Salesforce does not filter by


@pytest.mark.parametrize("states", [{}, {"Account": CURSOR}], ids=["first", "later"])
def test_a_stream_whose_cursor_cannot_be_filtered_goes_on_in_full_with_a_warning(rig, caplog, states):
    rig.salesforce.unfilterable = "SystemModstamp"
    for _ in range(2):
        messages = rig.read(configured("Account"), configured("Contact", "full_refresh"), states=states)
        assert [row["Name"] for row in rows_of(messages, "Account")] == [row["Name"] for row in rows(5)]
        assert statuses_of(messages, "Account") == statuses_of(messages, "Contact") == COMPLETE
        states = {"Account": states_in(messages, "Account")[-1]}
        assert states == {"Account": COMPLETE_MARKER}
    warnings = {record.getMessage() for record in caplog.records if "reads it in full" in record.getMessage()}
    assert len(warnings) == 1
    assert "cursor_field in object_overrides" in warnings.pop()


@pytest.mark.parametrize(
    "config",
    [{"object_overrides": [{"object": "Account", "cursor_field": "SystemModstamp"}]}, {"start_date": "2026-01-01"}],
    ids=["the user's cursor", "a start date"],
)
def test_a_cursor_that_the_user_needs_and_salesforce_refuses_is_a_config_error_that_names_it(monkeypatch, config):
    rig = SourceRig({"Account": rows(5)}, **config)
    rig.salesforce.unfilterable = "SystemModstamp"
    error = errors_in(rig.read(configured("Account")))["Account"]
    assert error["failure_type"] == "config_error"
    assert "cursor_field" in error["message"]


def test_a_read_in_full_for_want_of_a_filter_keeps_the_selected_fields_and_the_cursor(rig):
    rig.salesforce.unfilterable = "SystemModstamp"
    messages = rig.read(configured("Account", properties=["Id"]))
    assert {tuple(row) for row in rows_of(messages, "Account")} == {("Id", "SystemModstamp")}
