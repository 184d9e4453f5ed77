"""The schema registry of an export into tables: the columns of logs, with Salesforce's schemas in their properties.

Registering an object's schema creates the log, or adds missing columns to it.
"""

from __future__ import annotations

from pyiceberg.exceptions import CommitFailedException, TableAlreadyExistsError

from source_salesforce_bulk.registries.schemas import (
    Registered,
    SchemaRefused,
    UnreadableSchema,
    from_json_schema,
    to_json_schema,
)
from source_salesforce_bulk.salesforce.drift import ObjectSchema
from source_salesforce_bulk.tables.columns import first_columns, grown
from source_salesforce_bulk.tables.commits import PROPERTIES
from source_salesforce_bulk.tables.iceberg_catalog import Tables, log_name
from source_salesforce_bulk.tables.log import OBJECT, ORGANIZATION
from source_salesforce_bulk.tables.table_states import TableStates

SCHEMA = "salesforce-bulk.schema"
VERSION = "salesforce-bulk.schema-version"


class TableSchemas:
    """See ``SchemaRegistry``."""

    def __init__(self, tables: Tables, states: TableStates) -> None:
        self._tables = tables
        self._logs = states.logs

    def latest(self, organization_id: str, object_name: str) -> Registered | None:  # noqa: ARG002 - see the protocol
        """See ``SchemaRegistry``."""
        table = self._tables.load(log_name(object_name))
        if table is None:
            return None
        name = ".".join(table.name())
        try:
            return Registered(int(table.properties[VERSION]), from_json_schema(table.properties[SCHEMA]))
        except (KeyError, ValueError) as error:
            raise UnreadableSchema(f"The table {name} has no valid schema of its object in its properties.") from error

    def register(self, organization_id: str, schema: ObjectSchema, after: Registered | None) -> Registered:
        """See ``SchemaRegistry``."""
        try:
            made = self._grow(schema, after) if after is not None else self._make(organization_id, schema)
        except (CommitFailedException, TableAlreadyExistsError) as error:
            raise SchemaRefused(f"another run has just changed the table {log_name(schema.name)}") from error
        if after is None:
            self._logs[schema.name].look()
        else:
            self._logs[schema.name].refresh()
        return made

    def _make(self, organization_id: str, schema: ObjectSchema) -> Registered:
        columns, numbered = first_columns(schema)
        facts = {OBJECT: schema.name, ORGANIZATION: organization_id, SCHEMA: to_json_schema(numbered), VERSION: "1"}
        name = self._tables.identifier(log_name(schema.name))
        self._tables.catalog.create_table(name, columns, properties={**PROPERTIES, **facts})
        return Registered(1, numbered)

    def _grow(self, schema: ObjectSchema, after: Registered) -> Registered:
        table = self._logs[schema.name].table
        added, numbered = grown(table.schema(), table.metadata.last_column_id, after.schema, schema)
        facts = {SCHEMA: to_json_schema(numbered), VERSION: str(after.version + 1)}
        with table.transaction() as transaction:
            if added:
                with transaction.update_schema() as update:
                    for column in added:
                        update.add_column(column.name, column.type)
            transaction.set_properties(facts)
        return Registered(after.version + 1, numbered)
