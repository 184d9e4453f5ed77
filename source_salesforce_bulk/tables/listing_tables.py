"""List the tables of this program in a namespace, from their metadata."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from source_salesforce_bulk.tables.iceberg_catalog import Tables
from source_salesforce_bulk.tables.log import OBJECT


@dataclass(frozen=True, slots=True)
class ListedTable:
    """A table. ``committed`` is the time of its newest snapshot, or empty."""

    name: str
    object_name: str
    location: str
    rows: int
    files: int
    bytes: int
    committed: str

    def to_json(self) -> dict[str, object]:
        """Return the table as JSON."""
        return asdict(self)


def list_tables(tables: Tables) -> list[ListedTable]:
    """Return the tables by name."""
    found = []
    for name in tables.names():
        table = tables.load(name)
        if table is None or OBJECT not in table.properties:
            continue
        snapshot = table.current_snapshot()
        facts = snapshot.summary.additional_properties if snapshot is not None and snapshot.summary else {}
        rows, files, size = (
            int(facts.get(key, "0")) for key in ("total-records", "total-data-files", "total-files-size")
        )
        at = "" if snapshot is None else datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC).isoformat(" ")[:19]
        found.append(ListedTable(name, table.properties[OBJECT], table.location(), rows, files, size, at))
    return found
