"""The destination of an export into tables, which puts pages into the data of their objects' logs.

There are no manifests: the tables' own metadata names the valid files.
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
        """See ``Destination``. True, because rows and state are in one table."""
        return True

    def read(self, path: str) -> bytes | None:  # noqa: ARG002
        """See ``Destination``."""
        return None

    def size(self, path: str) -> int | None:  # noqa: ARG002
        """See ``Destination``."""
        return None

    def newest(self, folder: str) -> str | None:  # noqa: ARG002
        """See ``Destination``."""
        return None

    def put(self, file: Path, path: str) -> str:
        """See ``Destination``. The next commit adds the page to the table.

        A relative path is that of a file which executors have written to the table's data (``Log.register``).
        """
        if not file.is_absolute():
            return file.as_posix()
        self._states.logs[path.partition("/")[0]].put(file, path)
        return path

    def create_manifest(self, name: str, manifest: Mapping[str, Any]) -> str:
        """Raise NotImplementedError; never called."""
        raise NotImplementedError(f"{name}: tables have no manifests ({len(manifest)} facts)")

    def manifest(self, name: str) -> Mapping[str, Any] | None:  # noqa: ARG002
        """See ``Destination``."""
        return None

    def manifests(self) -> list[Mapping[str, Any]]:
        """See ``Destination``."""
        return []
