"""Discovery: the objects it offers, those it leaves out and why, and its cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from jsonschema import Draft7Validator

from integration_tests.connection import Connection
from integration_tests.connector import Connector, Output, configure
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import OrgSettings, SimulatedOrg


@pytest.fixture(scope="module")
def shared_org() -> Iterator[SimulatedOrg]:
    """An org that no test changes."""
    with SimulatedOrg(OrgSettings(polls_until_complete=1)) as simulated:
        yield simulated


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1)) as simulated:
        yield simulated


def catalog(output: Output) -> dict[str, dict[str, Any]]:
    (body,) = output.of_type("CATALOG")
    return {stream["name"]: stream for stream in body["streams"]}


def reason(output: Output, name: str) -> str:
    """Why an object is not offered, from the one log line that says so."""
    (line,) = [line for line in output.logs if line.startswith(f"Not offered: {name}:")]
    return line.partition(f"{name}: ")[2]


# -- a stream ----------------------------------------------------------------------------------------------------------


def test_a_stream_has_schema_key_cursor_and_can_be_resumed(shared_org: SimulatedOrg) -> None:
    output = Connector(shared_org).discover(objects=["Opportunity", "AppDefinition"])

    streams = catalog(output)
    opportunity, application = streams["Opportunity"], streams["AppDefinition"]
    assert opportunity["supported_sync_modes"] == ["full_refresh", "incremental"]
    assert opportunity["source_defined_primary_key"] == [["Id"]]
    assert opportunity["source_defined_cursor"] is True
    assert opportunity["default_cursor_field"] == ["SystemModstamp"]
    assert opportunity["is_resumable"] is True
    assert application["supported_sync_modes"] == ["full_refresh"]
    assert application["source_defined_primary_key"] == [["DurableId"]]
    assert "default_cursor_field" not in application
    assert application["is_resumable"] is True


def test_schemas_are_valid_and_describe_every_field(shared_org: SimulatedOrg) -> None:
    """Types from describe, every property nullable, labels and help texts as descriptions."""
    streams = catalog(Connector(shared_org).discover(objects=["Account", "Awkward__c", "Opportunity"]))

    for name, stream in streams.items():
        schema = stream["json_schema"]
        Draft7Validator.check_schema(schema)
        assert set(schema["properties"]) == set(GroundTruth(shared_org).types(name))
        for field in schema["properties"].values():
            assert field["type"][0] == "null"
            assert field["description"].endswith((".", "!", "?"))
        assert schema["description"]
    properties = streams["Awkward__c"]["json_schema"]["properties"]
    assert {
        name: properties[name]["type"][1] for name in ("Text__c", "Flag__c", "Int__c", "Long__c", "Currency__c")
    } == {
        "Text__c": "string",
        "Flag__c": "boolean",
        "Int__c": "integer",
        "Long__c": "integer",
        "Currency__c": "number",
    }
    assert properties["DateTime__c"]["format"] == "date-time"
    assert properties["DateTime__c"]["airbyte_type"] == "timestamp_with_timezone"
    assert properties["Date__c"]["format"] == "date"
    assert "Calculated by Salesforce" in properties["Formula__c"]["description"]


def test_records_fit_the_schema_that_discovery_shows(shared_org: SimulatedOrg) -> None:
    connection = Connection(shared_org, ["Account", "Awkward__c", "LoginHistory"], max_concurrent_jobs=4)

    rows = connection.sync().rows

    for name, stream in connection.streams.items():
        validator = Draft7Validator(stream["json_schema"])
        assert rows[name]
        for row in rows[name]:
            assert not [error.message for error in validator.iter_errors(_as_json(row))]
            assert set(row) <= set(stream["json_schema"]["properties"])


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return {name: float(value) if type(value).__name__ == "Decimal" else value for name, value in row.items()}


@pytest.mark.parametrize(
    ("name", "cursor", "words"),
    [
        ("Account", "SystemModstamp", "Incremental by SystemModstamp."),
        ("AccountShare", "LastModifiedDate", "Incremental by LastModifiedDate."),
        ("AccountHistory", "CreatedDate", "sees new rows only"),
        ("SetupAuditTrail", "CreatedDate", "sees new rows only"),
        ("LoginHistory", "LoginTime", "sees new rows only"),
        ("NullCursor__c", "LastModifiedDate", "Incremental by LastModifiedDate."),
        ("AppDefinition", None, "Full refresh only"),
        ("LoginEvent", None, "Full refresh only"),
        ("ApiEvent", None, "Full refresh only"),
    ],
)
def test_the_cursor_is_the_best_stamp_that_can_be_filtered_on(
    shared_org: SimulatedOrg, name: str, cursor: str | None, words: str
) -> None:
    stream = catalog(Connector(shared_org).discover(objects=[name]))[name]

    assert stream.get("default_cursor_field") == ([cursor] if cursor else None)
    assert words in stream["json_schema"]["description"]


def test_overrides_choose_key_and_cursor(shared_org: SimulatedOrg) -> None:
    overrides = [
        {"object": "appdefinition", "primary_key": ["DurableId"]},
        {"object": "Opportunity", "cursor_field": "CreatedDate", "primary_key": ["Name"]},
    ]
    streams = catalog(Connector(shared_org, object_overrides=overrides).discover(objects=["AppDefinition", "Opp*ity"]))

    assert streams["AppDefinition"]["source_defined_primary_key"] == [["DurableId"]]
    assert streams["Opportunity"]["source_defined_primary_key"] == [["Name"]]
    assert streams["Opportunity"]["default_cursor_field"] == ["CreatedDate"]
    assert "read only where CreatedDate moved" in streams["Opportunity"]["json_schema"]["description"] or (
        "sees new rows only" in streams["Opportunity"]["json_schema"]["description"]
    )


# -- fields ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "gone", "kept"),
    [
        ("Account", {"BillingAddress", "ShippingAddress"}, {"BillingStreet", "BillingCity", "ShippingLatitude"}),
        ("Contact", {"MailingAddress"}, {"MailingStreet", "Name", "FirstName", "LastName"}),
        ("Lead", {"Address"}, {"Street", "City", "PostalCode", "Name"}),
        ("User", {"Address"}, {"Street", "City", "Username"}),
        (
            "Awkward__c",
            {"Place__c", "Address__c", "Body__c", "Json__c", "Complex__c"},
            {"Place__Latitude__s", "City__c"},
        ),
        ("ContentVersion", {"VersionData"}, {"Title", "Id"}),
    ],
)
def test_what_bulk_cannot_return_is_left_out_and_its_parts_are_kept(
    shared_org: SimulatedOrg, name: str, gone: set[str], kept: set[str]
) -> None:
    schema = catalog(Connector(shared_org).discover(objects=[name]))[name]["json_schema"]

    assert not gone & set(schema["properties"])
    assert kept <= set(schema["properties"])
    for field in gone:
        assert field in schema["description"], "the description says what is not read"


def test_an_unknown_field_type_is_text_with_one_log_line(shared_org: SimulatedOrg) -> None:
    output = Connector(shared_org).discover(objects=["Awkward__c"])

    assert catalog(output)["Awkward__c"]["json_schema"]["properties"]["Hologram__c"]["type"] == ["null", "string"]
    assert [line for line in output.logs if "hologram" in line] == [
        "Awkward__c has fields of the unknown type hologram; they are read as text"
    ]


# -- objects -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("AccountChangeEvent", "queried"),
        ("OldWidget__c", "deprecated and hidden"),
        ("FieldDefinition", "only queries that filter"),
        ("PlatformAction", "outside the org's tables"),
    ],
)
def test_what_is_left_out_is_logged_with_its_reason(shared_org: SimulatedOrg, name: str, words: str) -> None:
    output = Connector(shared_org).discover()

    assert name not in catalog(output)
    assert words in reason(output, name)


def test_every_object_is_offered_or_left_out_with_one_reason(shared_org: SimulatedOrg) -> None:
    output = Connector(shared_org).discover()

    offered = set(catalog(output))
    said = [line.split(":")[1].strip() for line in output.logs if line.startswith("Not offered: ")]
    assert len(said) == len(set(said))
    assert offered | set(said) == {one["name"] for one in shared_org.control.objects()}
    assert not offered & set(said)


def test_an_object_that_is_named_is_offered_whatever_the_hints_say(shared_org: SimulatedOrg) -> None:
    """At read time the server's answer decides."""
    streams = catalog(Connector(shared_org).discover(objects=["CaseStatus", "ContentDocumentLink"]))

    assert set(streams) == {"CaseStatus", "ContentDocumentLink"}


def test_patterns_filter_before_anything_is_described(org: SimulatedOrg) -> None:
    connector = Connector(org, objects=["account*", "LEAD"], exclude_objects=["*History", "*ChangeEvent"])

    output = connector.discover()

    assert set(catalog(output)) == {"Account", "AccountFeed", "AccountShare", "Lead"}
    assert org.control.requests() == {"token": 1, "sobjects": 1, "describe": 4}


@pytest.mark.parametrize("status", [500, 503])
def test_an_object_that_alone_is_not_described_is_left_out_with_a_warning(org: SimulatedOrg, status: int) -> None:
    org.control.fault("http_error", on="describe", object="Lead", status=status, times=None)

    output = Connector(org, objects=["Account", "Contact", "Lea*"]).discover()

    assert set(catalog(output)) == {"Account", "Contact"}
    assert "exclude_objects" in reason(output, "Lead")


def test_an_outage_is_no_smaller_org(org: SimulatedOrg) -> None:
    """An outage of all describes fails discovery: a missing stream would be dropped downstream."""
    org.control.fault("http_error", on="describe", status=500, times=None)

    output = Connector(org, objects=["Account", "Lead"]).discover()

    assert output.failed
    assert not list(output.of_type("CATALOG"))
    assert isinstance(output.ending, AirbyteTracedException)
    assert output.ending.failure_type is FailureType.transient_error
    assert "not available at the moment" in str(output.ending.message)


def test_an_object_whose_describe_is_refused_is_left_out_with_a_warning(org: SimulatedOrg) -> None:
    org.control.fault("api_error", on="describe", object="Lead", error="INSUFFICIENT_ACCESS", times=None)

    output = Connector(org, objects=["Account", "Lead"]).discover()

    assert set(catalog(output)) == {"Account"}
    assert "lacks a permission" in reason(output, "Lead")


# -- at read time ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_field_that_vanished_since_discovery_is_dropped_with_a_warning(org: SimulatedOrg, jobs: int) -> None:
    connection = Connection(org, ["Account", "Contact"], max_concurrent_jobs=jobs)
    org.control.remove_field("Account", "Score__c")
    org.control.hide_field("Account", "Website")

    output = connection.sync()

    # The CDK has a line of its own about fields that are selected and not in the schema.
    warnings = [text for text in output.warnings if "deprecated and cannot be synced" not in text]
    assert len(warnings) == 1
    assert warnings[0].startswith("Account: ")
    assert "Score__c" in warnings[0]
    assert "Website" in warnings[0]
    for name in ("Account", "Contact"):
        assert_same_rows(output.rows[name], GroundTruth(org).records(name))


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_field_that_came_since_discovery_waits_to_be_selected(org: SimulatedOrg, jobs: int) -> None:
    connection = Connection(org, ["Account"], max_concurrent_jobs=jobs)
    org.control.add_field("Account", "New__c string(20)")

    rows = connection.sync().rows["Account"]

    assert rows
    assert not any("New__c" in row for row in rows)
    assert "New__c" in Connector(org).streams(objects=["Account"])["Account"]["json_schema"]["properties"]


@pytest.mark.parametrize("jobs", [1, 4])
def test_read_describes_the_configured_streams_and_no_other(org: SimulatedOrg, jobs: int) -> None:
    connection = Connection(org, ["Account", "Lead"], max_concurrent_jobs=jobs)
    org.control.reset_requests()

    connection.sync()

    requests = org.control.requests()
    assert requests["describe"] == 2
    assert "sobjects" not in requests


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_configured_stream_is_read_even_if_no_pattern_shows_it(org: SimulatedOrg, jobs: int) -> None:
    connector = Connector(org, max_concurrent_jobs=jobs)
    configured = configure(connector.streams(objects=["Account"]), ["Account"])

    output = connector.read(configured, objects=["Lead"], exclude_objects=["Acc*"])

    assert_same_rows(output.rows["Account"], GroundTruth(org).records("Account"))
