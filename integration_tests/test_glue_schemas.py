from __future__ import annotations

from dataclasses import replace

import pytest

from integration_tests.aws import REGISTRY, Aws
from source_salesforce_bulk.registries.glue_schemas import GlueSchemas
from source_salesforce_bulk.registries.schemas import SchemaRefused, UnreadableSchema
from source_salesforce_bulk.salesforce.drift import FieldSchema, ObjectSchema
from unit_tests.fakes import FakeClock

NAME = FieldSchema("Name", "string", length=80, nillable=False)
SCHEMA = ObjectSchema("Account", (NAME,))
LONGER = ObjectSchema("Account", (replace(NAME, length=255),))


@pytest.fixture
def registry(aws: Aws) -> GlueSchemas:
    return GlueSchemas(aws.client("glue"), REGISTRY, FakeClock())


def test_versions_are_kept_per_organization_and_object(registry):
    assert registry.latest("00D", "Account") is None
    first = registry.register("00D", SCHEMA, None)
    second = registry.register("00D", LONGER, first)
    assert (first.version, second.version) == (1, 2)
    latest = registry.latest("00D", "Account")
    assert (latest.version, latest.schema) == (2, LONGER)
    assert registry.latest("00E", "Account") is None
    other = registry.register("00D", replace(SCHEMA, name="Contact"), None)
    assert other.version == 1


def test_it_is_a_json_schema_that_any_client_of_the_registry_can_read(registry, aws):
    registry.register("00D", SCHEMA, None)
    schema = aws.client("glue").get_schema(SchemaId={"RegistryName": REGISTRY, "SchemaName": "00D-Account"})
    assert (schema["DataFormat"], schema["Compatibility"]) == ("JSON", "NONE")


def test_a_schema_of_somebody_else_is_refused(registry, aws):
    registry.register("00D", SCHEMA, None)
    aws.client("glue").register_schema_version(
        SchemaId={"RegistryName": REGISTRY, "SchemaName": "00D-Account"},
        SchemaDefinition='{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}',
    )
    with pytest.raises(UnreadableSchema, match="00D-Account"):
        registry.latest("00D", "Account")


class JudgingGlue:
    """Glue with a compatibility set: it takes a while to judge a version (moto judges nothing)."""

    def __init__(self, *statuses: str) -> None:
        self._statuses = list(statuses)

    def register_schema_version(self, **_):
        return {"SchemaVersionId": "id", "VersionNumber": 2, "Status": self._statuses.pop(0)}

    def get_schema_version(self, **asked):
        """Takes no ``SchemaVersionId``: IAM would have to allow it for every schema of the account."""
        assert asked == {
            "SchemaId": {"RegistryName": REGISTRY, "SchemaName": "00D-Account"},
            "SchemaVersionNumber": {"VersionNumber": 2},
        }
        return {"Status": self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]}


def test_a_version_under_judgement_is_waited_for():
    clock = FakeClock()
    glue = GlueSchemas(JudgingGlue("PENDING", "PENDING", "PENDING", "AVAILABLE"), REGISTRY, clock)
    before = clock.monotonic()
    assert glue.register("00D", LONGER, glue_version()).version == 2
    assert clock.monotonic() > before


@pytest.mark.parametrize("statuses", [("PENDING", "FAILURE"), ("FAILURE", "FAILURE"), ("PENDING", "PENDING")])
def test_a_version_that_is_not_taken_is_told(statuses):
    glue = GlueSchemas(JudgingGlue(*statuses), REGISTRY, FakeClock())
    with pytest.raises(SchemaRefused, match="does not take the new version of 00D-Account"):
        glue.register("00D", LONGER, glue_version())


def glue_version():
    from source_salesforce_bulk.registries.schemas import Registered  # noqa: PLC0415

    return Registered(1, SCHEMA)
