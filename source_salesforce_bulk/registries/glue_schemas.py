"""A schema registry in the AWS Glue Schema Registry: one schema per org and object, in the JSON Schema format.

Compatibility is ``NONE``, because Glue's check does not cover lengths and formulas, and a change in the org cannot be
refused anyway. An operator may set another mode; a schema that Glue then refuses raises ``SchemaRefused``.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from source_salesforce_bulk.registries.schemas import (
    Registered,
    SchemaRefused,
    UnreadableSchema,
    from_json_schema,
    to_json_schema,
)
from source_salesforce_bulk.salesforce.clock import Clock
from source_salesforce_bulk.salesforce.drift import ObjectSchema

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import SchemaIdTypeDef

_CHECKS = 30  # Glue checks a version within seconds
_BETWEEN_CHECKS = 1.0


class GlueSchemas:
    """See ``SchemaRegistry``. The registry is created if it does not exist."""

    def __init__(self, client: GlueClient, registry: str, clock: Clock) -> None:
        self._client = client
        self._registry = registry
        self._clock = clock

    def latest(self, organization_id: str, object_name: str) -> Registered | None:
        """See ``SchemaRegistry.latest``."""
        name = _name(organization_id, object_name)
        try:
            answer = self._client.get_schema_version(
                SchemaId=self._schema_id(name), SchemaVersionNumber={"LatestVersion": True}
            )
        except self._client.exceptions.EntityNotFoundException:
            return None
        try:
            return Registered(answer["VersionNumber"], from_json_schema(answer["SchemaDefinition"]))
        except UnreadableSchema as error:
            raise UnreadableSchema(f"The schema {name} in the Glue registry {self._registry} is not ours.") from error

    def register(self, organization_id: str, schema: ObjectSchema, after: Registered | None) -> Registered:
        """See ``SchemaRegistry.register``."""
        name = _name(organization_id, schema.name)
        definition = to_json_schema(schema)
        if after is None:
            return self._create(name, definition, schema)
        answer = self._client.register_schema_version(SchemaId=self._schema_id(name), SchemaDefinition=definition)
        if answer["Status"] != "AVAILABLE":
            self._await_judgement(name, answer["VersionNumber"])
        return Registered(answer["VersionNumber"], schema)

    def _create(self, name: str, definition: str, schema: ObjectSchema) -> Registered:
        self._make_registry()
        answer = self._client.create_schema(
            RegistryId={"RegistryName": self._registry},
            SchemaName=name,
            DataFormat="JSON",
            Compatibility="NONE",
            SchemaDefinition=definition,
        )
        return Registered(answer["LatestSchemaVersion"], schema)

    def _make_registry(self) -> None:
        with suppress(self._client.exceptions.AlreadyExistsException):
            self._client.create_registry(RegistryName=self._registry)

    def _await_judgement(self, name: str, version: int) -> None:
        # By name and number: reading a version by its id needs access to every schema of the account
        # (awslabs/aws-glue-schema-registry#68).
        for _ in range(_CHECKS):
            status = self._client.get_schema_version(
                SchemaId=self._schema_id(name), SchemaVersionNumber={"VersionNumber": version}
            )["Status"]
            if status == "AVAILABLE":
                return
            if status == "FAILURE":
                break
            self._clock.sleep(_BETWEEN_CHECKS)
        raise SchemaRefused(
            f"the Glue registry {self._registry} does not take the new version of {name}: it breaks the compatibility "
            "that is set for this schema there"
        )

    def _schema_id(self, name: str) -> SchemaIdTypeDef:
        return {"RegistryName": self._registry, "SchemaName": name}


def _name(organization_id: str, object_name: str) -> str:
    return f"{organization_id}-{object_name}"
