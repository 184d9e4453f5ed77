"""Where the pages of an export into tables go: among the data of their objects' logs.

There are no manifests, and nothing to look for: which files count, the tables' own metadata says.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from source_salesforce_bulk.tables.iceberg_catalog import Tables
from source_salesforce_bulk.tables.table_states import TableStates


class TableDestination:
    """See ``Destination``."""

    def __init__(self, tables: Tables, states: TableStates) -> None:
        self._states = states
        self.url = tables.url

    def holds_files(self, object_name: str) -> bool:  # noqa: ARG002 - a Destination's signature, here and below
        """See ``Destination``: rows and state cannot be apart here."""
        return True

    def read(self, path: str) -> bytes | None:  # noqa: ARG002
        """See ``Destination``."""
        return None

    def newest(self, folder: str) -> str | None:  # noqa: ARG002
        """See ``Destination``."""
        return None

    def put(self, file: Path, path: str) -> None:
        """See ``Destination``; the page is part of the table with the next commit."""
        self._states.logs[path.partition("/")[0]].put(file, path)

    def create_manifest(self, name: str, manifest: Mapping[str, Any]) -> str:
        """Raise: nothing asks for one."""
        raise NotImplementedError(f"{name}: tables have no manifests ({len(manifest)} facts)")

    def manifest(self, name: str) -> Mapping[str, Any] | None:  # noqa: ARG002
        """See ``Destination``."""
        return None

    def manifests(self) -> list[Mapping[str, Any]]:
        """See ``Destination``."""
        return []
