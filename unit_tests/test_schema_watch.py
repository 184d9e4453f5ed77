from __future__ import annotations

import logging

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from source_salesforce_bulk.export.outcomes import ExportFailed
from source_salesforce_bulk.export.schema_watch import DriftAlert, EventBus, SchemaWatch
from source_salesforce_bulk.registries.schemas import LocalSchemas, SchemaRefused
from source_salesforce_bulk.salesforce.describe import Field, SObject
from source_salesforce_bulk.salesforce.drift import ChangeKind
from source_salesforce_bulk.salesforce.failures import Consequence


def sobject(*names: str) -> SObject:
    fields = tuple(Field(name, "string", length=80) for name in names)
    return SObject("Account", "Account", custom=False, fields=fields)


@pytest.fixture
def registry(tmp_path):
    return LocalSchemas(tmp_path)


def test_a_first_schema_is_registered_without_a_word(registry):
    alerts: list[DriftAlert] = []
    watch = SchemaWatch(registry, "run", "fail", [alerts.append])
    assert watch.check("00D", sobject("Name")).version == 1
    assert watch.check("00D", sobject("Name")).version == 1
    assert alerts == []
    assert not watch.drifted


def test_a_change_is_told_everywhere_and_registered(registry, caplog):
    alerts: list[DriftAlert] = []
    SchemaWatch(registry, "one", "warn").check("00D", sobject("Name"))
    watch = SchemaWatch(registry, "two", "warn", [alerts.append])

    with caplog.at_level(logging.WARNING, logger="salesforce_bulk.drift"):
        assert watch.check("00D", sobject("Name", "New__c")).version == 2

    (alert,) = alerts
    assert [change.kind for change in alert.changes] == [ChangeKind.ADDED]
    assert (alert.run_id, alert.version, alert.breaking) == ("two", 1, False)
    assert watch.drifted == {"Account": 1}
    (record,) = caplog.records
    assert record.getMessage() == "The schema of Account changed since version 1: New__c added (string)"
    assert (record.event, record.object, record.run_id) == ("schema_drift", "Account", "two")
    assert record.drift["fields"][0]["field"] == "New__c"


def test_a_new_field_is_told_with_what_old_rows_have_and_how_to_fill_them(registry, caplog):
    SchemaWatch(registry, "one", "warn").check("00D", sobject("Name"))
    with caplog.at_level(logging.INFO, logger="salesforce_bulk.drift"):
        SchemaWatch(registry, "two", "warn").check("00D", sobject("Name", "New__c"))
    assert caplog.records[-1].getMessage() == (
        "Account: rows that were read earlier have no value in New__c until they change. backfill_new_fields reads "
        "those again that have a value; `export --full Account` reads all rows"
    )


def test_fail_stops_the_object_until_the_change_is_accepted(registry):
    SchemaWatch(registry, "one", "warn").check("00D", sobject("Name", "Old__c"))
    strict = SchemaWatch(registry, "two", "fail")
    for _ in range(2):
        with pytest.raises(ExportFailed, match="Old__c removed") as caught:
            strict.check("00D", sobject("Name"))
        assert caught.value.consequence is Consequence.CONFIG
    SchemaWatch(registry, "three", "warn").check("00D", sobject("Name"))
    assert strict.check("00D", sobject("Name")).version == 2


def test_a_registry_that_refuses_is_the_objects_failure(registry):
    class Refuses(LocalSchemas):
        def register(self, *_):
            raise SchemaRefused("not today")

    with pytest.raises(ExportFailed, match=r"Account: not today\."):
        SchemaWatch(Refuses(registry._folder), "run", "warn").check("00D", sobject("Name"))


def test_many_changes_are_counted_and_the_first_are_named(registry):
    alert = DriftAlert("r", "00D", "Account", 1, ())
    SchemaWatch(registry, "one", "warn").check("00D", sobject("Name"))
    found: list[DriftAlert] = []
    wide = sobject("Name", *(f"F{n:03d}__c" for n in range(300)))
    SchemaWatch(registry, "two", "warn", [found.append]).check("00D", wide)
    alert = found[0]
    assert str(alert).endswith("and 280 more changes")
    assert (alert.to_json()["changes"], len(alert.to_json()["fields"])) == (300, 200)


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://events"),
        ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutEvents"),
    ],
    ids=["not reached", "refused"],
)
def test_an_event_bus_that_takes_no_alert_ends_nothing(caplog, error):
    class Bus:
        def put_events(self, **_):
            raise error

    EventBus(Bus(), "alerts")(DriftAlert("run-1", "00D", "Account", 3, ()))
    assert "could not be sent to the event bus alerts" in caplog.text
