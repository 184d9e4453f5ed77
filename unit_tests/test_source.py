from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from airbyte_cdk.models import ConnectorSpecificationSerializer, Status, SyncMode
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

import source_salesforce_bulk
from source_salesforce_bulk.registries.kept_token import KeptTokens
from source_salesforce_bulk.salesforce.ids import id_18
from source_salesforce_bulk.salesforce.soql import format_instant
from unit_tests.source_rig import SourceRig, configured, errors_in, rows_of, states_in

ACCOUNT = [{"Id": id_18("001A00000000001"), "Name": "Acme", "SystemModstamp": "2026-11-20T00:00:00.000Z"}]
SETTING = [{"Id": id_18("0DSA00000000001"), "Name": "x"}]


@pytest.fixture
def rig(monkeypatch):
    rig = SourceRig({"Account": ACCOUNT, "Setting": SETTING, "User": ACCOUNT})
    yield rig
    rig.salesforce.close()


# spec


def test_the_specification_is_the_file_that_the_console_script_prints(rig):
    shipped = (Path(source_salesforce_bulk.__file__).parent / "airbyte" / "spec.json").read_text(encoding="utf-8")
    spec = ConnectorSpecificationSerializer.dump(rig.source.spec(rig.logger))
    assert {key: value for key, value in spec.items() if value is not None} == json.loads(shipped)


# check


def test_check_succeeds_and_says_as_whom(rig):
    status = rig.source.check(rig.logger, rig.config)
    assert status.status is Status.SUCCEEDED
    assert "00DA0000000001AAAA" in (status.message or "")
    assert rig.salesforce.left() == set()


def test_check_fails_with_what_to_do(rig):
    rig.salesforce.script("limits", "quota")
    status = rig.source.check(rig.logger, rig.config)
    assert status.status is Status.FAILED
    assert "it continues where it stopped" in (status.message or "")


def test_check_in_the_older_form_says_the_same(rig):
    assert rig.source.check_connection(rig.logger, rig.config)[0] is True
    rig.salesforce.script("limits", "quota")
    succeeded, message = rig.source.check_connection(rig.logger, rig.config)
    assert succeeded is False
    assert "it continues where it stopped" in message


def test_a_bad_configuration_is_a_config_error_that_names_the_key(rig):
    for call in (rig.source.check, lambda logger, config: rig.source.streams(config)):
        with pytest.raises(AirbyteTracedException) as raised:
            call(rig.logger, {**rig.config, "page_size": 0})
        assert raised.value.failure_type.value == "config_error"
        assert "page_size" in (raised.value.message or "")
    assert rig.salesforce.sent == []


def test_check_refuses_an_unknown_key_before_it_asks_the_org(rig):
    with pytest.raises(AirbyteTracedException) as raised:
        rig.source.check(rig.logger, {**rig.config, "start_dat": "2024-01-01"})
    assert raised.value.failure_type.value == "config_error"
    assert "Write start_date" in (raised.value.message or "")
    assert rig.salesforce.sent == []


def test_check_fails_for_an_override_of_a_misspelt_object(rig):
    status = rig.source.check(rig.logger, {**rig.config, "object_overrides": [{"object": "Acount"}]})
    assert status.status is Status.FAILED
    assert "did you mean Account?" in (status.message or "")


# discover


def test_discovery_warns_of_an_unknown_key(rig, caplog):
    assert rig.source.streams({**rig.config, "start_dat": "2024-01-01"})
    assert [record.levelname for record in caplog.records if "Write start_date" in record.getMessage()] == ["WARNING"]


@pytest.mark.parametrize(("streams", "fields"), [(2, 20_000), (1_000, 4), (2, 4)])
def test_more_than_a_connection_can_hold_is_a_warning(rig, monkeypatch, caplog, streams, fields):
    monkeypatch.setattr("source_salesforce_bulk.airbyte.source.MAX_STREAMS", streams)
    monkeypatch.setattr("source_salesforce_bulk.airbyte.source.MAX_FIELDS", fields)
    assert len(rig.source.streams(rig.config)) == 3
    (said,) = [record.getMessage() for record in caplog.records if "connection" in record.getMessage()]
    assert said.startswith("3 streams with ")
    assert "exclude_objects" in said


def test_what_a_connection_can_hold_is_no_warning(rig, caplog):
    rig.source.streams(rig.config)
    assert not [record for record in caplog.records if "connection" in record.getMessage()]


def test_discovery_offers_every_object_with_the_modes_it_has(rig):
    streams = {stream.name: stream.as_airbyte_stream() for stream in rig.source.streams(rig.config)}
    assert list(streams) == ["Account", "Setting", "User"]
    assert streams["Account"].supported_sync_modes == [SyncMode.full_refresh, SyncMode.incremental]
    assert streams["Account"].source_defined_cursor
    assert streams["Account"].default_cursor_field == ["SystemModstamp"]
    assert streams["Account"].source_defined_primary_key == [["Id"]]
    assert streams["Setting"].supported_sync_modes == [SyncMode.full_refresh]
    assert all(stream.is_resumable for stream in streams.values())


def test_discovery_shows_what_the_patterns_name(rig):
    rig.config["objects"] = ["s*"]
    assert [stream.name for stream in rig.source.streams(rig.config)] == ["Setting"]


def test_an_outage_during_discovery_is_transient(rig):
    rig.salesforce.script("sobjects", *["unavailable"] * 5)
    with pytest.raises(AirbyteTracedException) as raised:
        rig.source.streams(rig.config)
    assert raised.value.failure_type.value == "transient_error"


def test_an_impossible_override_is_a_config_error(rig):
    rig.config["object_overrides"] = [{"object": "Account", "cursor_field": "Name"}]
    with pytest.raises(AirbyteTracedException) as raised:
        rig.source.streams(rig.config)
    assert raised.value.failure_type.value == "config_error"
    assert "object_overrides" in (raised.value.message or "")


def test_a_stream_that_was_built_to_be_shown_refuses_to_be_read(rig):
    stream = rig.source.streams(rig.config)[0]
    with pytest.raises(RuntimeError, match="discovered"):
        list(stream.stream_slices(sync_mode=SyncMode.full_refresh))


# read


def test_the_window_ends_at_the_orgs_clock_whatever_this_machines_says(rig):
    rig.salesforce.ahead = timedelta(hours=-5)
    rig.read(configured("Account"))
    (job,) = rig.salesforce.jobs.values()
    assert "SystemModstamp < 2026-11-22T21:00:0" in job.soql


@pytest.mark.parametrize("operation", ["limits", "describe", "counts", "create", "info", "results"])
@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(minutes=59)], ids=str)
def test_rows_written_after_a_read_that_met_a_fast_clock_are_in_the_next(monkeypatch, operation, ahead):
    rig = SourceRig({"Account": list(ACCOUNT)}, lookback_window="PT0S")
    rig.salesforce.fast = {operation: ahead}
    (*_, state) = states_in(rig.read(configured("Account")), "Account")
    assert rig.raised is None
    rig.salesforce.fast = {}
    rig.clock.advance(5)
    late = {**ACCOUNT[0], "SystemModstamp": format_instant(rig.clock.now())}
    rig.salesforce.objects["Account"].append(late)
    rig.clock.advance(3600)
    assert late in rows_of(rig.read(configured("Account"), states={"Account": state}), "Account")


def test_a_run_whose_servers_are_more_than_an_hour_apart_fails_typed_and_saves_no_cursor(rig):
    rig.salesforce.fast = {"describe": timedelta(hours=2)}
    messages = rig.read(configured("Account"))
    assert errors_in(messages)["Account"]["failure_type"] == "transient_error"
    assert "disagree about the time" in errors_in(messages)["Account"]["message"]
    assert all("SystemModstamp" not in state for state in states_in(messages, "Account"))


def test_exactly_the_selected_fields_are_read_with_key_and_cursor(rig):
    messages = rig.read(configured("Account", properties=["Id"]))
    assert rows_of(messages, "Account") == [{"Id": ACCOUNT[0]["Id"], "SystemModstamp": ACCOUNT[0]["SystemModstamp"]}]


def test_a_session_that_ends_during_the_run_is_renewed_once_and_no_row_is_lost(rig):
    rig.salesforce.script("results", "expired")
    messages = rig.read(configured("Account"))
    assert rows_of(messages, "Account") == ACCOUNT
    assert rig.salesforce.count("token") == 2


def test_a_rotated_refresh_token_is_handed_to_the_platform_before_anything_else(rig, capsys):
    rig.salesforce.script("token", "rotated")
    rig.read(configured("Account"))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (control,) = [line["control"] for line in lines if line["type"] == "CONTROL"]
    config = control["connectorConfig"]["config"]
    assert config["credentials"] == {**rig.config["credentials"], "refresh_token": "grant-1"}
    assert rig.config["credentials"]["refresh_token"] == "grant-0", "the caller's configuration is left alone"


def test_no_copy_of_the_configuration_is_made(rig, tmp_path):
    """Neither where the CDK's own leaves one, nor anywhere below."""
    assert rig.source.configure(rig.config, str(tmp_path)) == rig.config
    assert list(tmp_path.iterdir()) == []


def test_a_token_that_an_earlier_run_kept_beside_the_configuration_is_used(rig, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(rig.config))
    KeptTokens([tmp_path]).keep("grant-0", "grant-1")
    rig.source.check(rig.logger, rig.source.read_config(str(path)))
    (login,) = [sent for sent in rig.salesforce.sent if sent.form]
    assert login.form["refresh_token"] == "grant-1"


def test_no_secret_is_in_any_message_or_log_line(rig, capsys, caplog):
    caplog.set_level("DEBUG")
    rig.salesforce.script("create", "refused")
    messages = rig.read(configured("Account"))
    said = json.dumps(messages) + capsys.readouterr().out + caplog.text
    assert "s3cret" not in said
    assert "grant-0" not in said
    assert "00D!session" not in said


def test_the_disk_is_given_back_however_the_run_ends(rig, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rig.salesforce.script("results", "", *["broken"] * 4)
    rig.read(configured("Account"), configured("User"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("now", ["AMOUNT__c", "amount__c", "Amount__C"])
@pytest.mark.parametrize("mode", ["incremental", "full_refresh"])
def test_a_field_whose_letter_case_has_changed_is_read_under_the_catalogs_name(monkeypatch, caplog, now, mode):
    rig = SourceRig({"Account": [{**ACCOUNT[0], now: "7"}]})
    messages = rig.read(configured("Account", mode, ["Id", "Amount__c"]))
    (row,) = rows_of(messages, "Account")
    assert row["Amount__c"] == "7"
    assert not [record for record in caplog.records if "no longer in the object" in record.getMessage()]


def test_key_and_cursor_are_read_under_the_catalogs_names(monkeypatch):
    account = {name.upper(): value for name, value in ACCOUNT[0].items()}
    rig = SourceRig({"Account": [account]})
    messages = rig.read(configured("Account", properties=["Id", "SystemModstamp"]))
    assert rows_of(messages, "Account") == [{name: ACCOUNT[0][name] for name in ("Id", "SystemModstamp")}]
    assert "SystemModstamp" in states_in(messages, "Account")[-1]


def test_a_key_of_the_users_is_offered_in_place_of_the_id(rig):
    rig.config["object_overrides"] = [{"object": "Account", "primary_key": ["Name"]}]
    assert {stream.name: stream.primary_key for stream in rig.source.streams(rig.config)}["Account"] == ["Name"]
