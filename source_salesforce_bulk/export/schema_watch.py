"""Register each object's schema before it is read, and send an alert if it has changed.

An alert is a structured log event, a count in the metrics, and an event on an EventBridge bus if one is configured.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from source_salesforce_bulk.export.outcomes import ExportFailed
from source_salesforce_bulk.registries.field_ids import numbered
from source_salesforce_bulk.registries.schemas import Registered, SchemaRefused, SchemaRegistry, UnreadableSchema
from source_salesforce_bulk.salesforce.describe import SObject
from source_salesforce_bulk.salesforce.drift import Change, ChangeKind, compare, object_schema
from source_salesforce_bulk.salesforce.failures import Consequence

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

LOGGER = logging.getLogger("salesforce_bulk.drift")

EVENT_SOURCE = "source-salesforce-bulk"
EVENT_TYPE = "Salesforce schema drift"
_CHANGES_IN_EVENT = 200  # an event may have 256 KB
_CHANGES_IN_SENTENCE = 20
# What a change means for the rows, and what the user can do.
_CONSEQUENCES: Mapping[ChangeKind, str] = {
    ChangeKind.ADDED: "%(object)s: rows that were read earlier have no value in %(fields)s until they change. "
    "backfill_new_fields reads those again that have a value; `export --full %(object)s` reads all rows",
    ChangeKind.REMOVED: "%(object)s: rows that are read from now on have no %(fields)s. If the field is hidden and not "
    "removed, give the integration user Read Access to it (Set Field-Level Security)",
}


@dataclass(frozen=True, slots=True)
class DriftAlert:
    """An object's schema differs from the registered one. ``version`` is the version it was compared with."""

    run_id: str
    organization_id: str
    object: str
    version: int
    changes: tuple[Change, ...]

    @property
    def breaking(self) -> bool:
        """True if any change is breaking."""
        return any(change.breaking for change in self.changes)

    def to_json(self) -> dict[str, Any]:
        """Return the form used in logs and events."""
        return {
            "run_id": self.run_id,
            "organization_id": self.organization_id,
            "object": self.object,
            "compared_with_version": self.version,
            "breaking": self.breaking,
            "changes": len(self.changes),
            "fields": [
                {
                    "field": change.field,
                    "change": change.kind.value,
                    "before": change.before,
                    "after": change.after,
                    "breaking": change.breaking,
                }
                for change in self.changes[:_CHANGES_IN_EVENT]
            ],
        }

    def __str__(self) -> str:
        shown = "; ".join(str(change) for change in self.changes[:_CHANGES_IN_SENTENCE])
        more = len(self.changes) - _CHANGES_IN_SENTENCE
        return f"schema of {self.object} changed since version {self.version}: {shown}" + (
            f"; and {more} more changes" if more > 0 else ""
        )


class EventBus:
    """Sends drift alerts as EventBridge events. A failure is logged and does not end the run."""

    def __init__(self, client: EventBridgeClient, bus: str) -> None:
        self._client = client
        self._bus = bus

    def __call__(self, alert: DriftAlert) -> None:
        """Send one alert."""
        try:
            answer = self._client.put_events(
                Entries=[
                    {
                        "Source": EVENT_SOURCE,
                        "DetailType": EVENT_TYPE,
                        "Detail": json.dumps(alert.to_json()),
                        "EventBusName": self._bus,
                    }
                ]
            )
        except (BotoCoreError, ClientError) as error:
            LOGGER.warning("The drift alert could not be sent to the event bus %s: %s", self._bus, error)
            return
        if answer["FailedEntryCount"]:
            LOGGER.warning("The event bus %s did not accept the drift alert: %s", self._bus, answer["Entries"])


class SchemaWatch:
    """The schemas of one run. The callbacks in ``listeners`` receive each alert, in addition to the log."""

    def __init__(
        self,
        registry: SchemaRegistry,
        run_id: str,
        on_drift: Literal["warn", "fail"],
        listeners: Sequence[Callable[[DriftAlert], None]] = (),
    ) -> None:
        self._registry = registry
        self._run_id = run_id
        self._on_drift = on_drift
        self._listeners = listeners
        self.drifted: Counter[str] = Counter()

    def check(self, organization_id: str, sobject: SObject) -> Registered:
        """Return the version of the object's schema, with its columns' ids; register it if it is new or has changed.

        Raises ``ExportFailed`` if a change has to stop the object. The changed schema is then not registered, so that
        the object stays stopped until a run with ``--on-drift warn``.
        """
        schema = object_schema(sobject)
        try:
            latest = self._registry.latest(organization_id, sobject.name)
            schema = numbered(schema, latest.schema if latest is not None else None)
            if latest is not None and latest.schema.same_as(schema):
                return Registered(latest.version, schema)
            if latest is not None:
                changes = compare(latest.schema, schema)
                self._alert(DriftAlert(self._run_id, organization_id, sobject.name, latest.version, changes))
            return self._registry.register(organization_id, schema, latest)
        except UnreadableSchema as error:
            text = f"{sobject.name}: {error} Remove it, or name another registry."
            raise ExportFailed(Consequence.CONFIG, text) from error
        except SchemaRefused as error:
            text = f"{sobject.name}: {error}. Run again, or change the registry's settings."
            raise ExportFailed(Consequence.CONFIG, text) from error

    def _alert(self, alert: DriftAlert) -> None:
        self.drifted[alert.object] += len(alert.changes)
        facts = {"run_id": alert.run_id, "object": alert.object, "event": "schema_drift", "drift": alert.to_json()}
        LOGGER.warning("The %s", alert, extra=facts)
        for kind, text in _CONSEQUENCES.items():
            fields = [change.field for change in alert.changes if change.kind is kind]
            if fields:
                some = {"object": alert.object, "fields": ", ".join(fields[:_CHANGES_IN_SENTENCE])}
                LOGGER.info(text, some, extra={"run_id": alert.run_id, "object": alert.object})
        for listener in self._listeners:
            listener(alert)
        if self._on_drift == "fail":
            raise ExportFailed(
                Consequence.CONFIG,
                f"{alert.object}: not exported, because the {alert}. Review the change, then accept it with one run "
                "with --on-drift warn.",
            )
