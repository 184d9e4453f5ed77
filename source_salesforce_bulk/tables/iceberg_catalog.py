"""The catalog of an export's tables, which ``--destination`` names.

iceberg://CATALOG/NAMESPACE   a catalog of pyiceberg's own configuration: ``.pyiceberg.yaml``, ``PYICEBERG_CATALOG__…``
iceberg+file:///DIR           a catalog (SQLite) and files in one folder of this machine

Everything in this folder needs pyiceberg, an optional dependency, so only a run with such a destination imports it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchTableError
from pyiceberg.table import Table

EMBEDDED_NAMESPACE = "salesforce"
CATALOG_FILE = "catalog.db"
# It logs every FileIO that it loads, one line per table.
logging.getLogger("pyiceberg").setLevel(logging.WARNING)

_FILES = "source_salesforce_bulk.tables.local_files.SyncedFileIO"


@dataclass(frozen=True, slots=True)
class Tables:
    """A namespace of a catalog. ``url`` is the destination's; ``folder`` is that of embedded tables."""

    url: str
    catalog: Catalog
    namespace: tuple[str, ...]
    folder: Path | None = None

    def load(self, name: str) -> Table | None:
        """Return the current table; None if it does not exist."""
        try:
            return self.catalog.load_table((*self.namespace, name))
        except NoSuchTableError:
            return None

    def identifier(self, name: str) -> tuple[str, ...]:
        """Return the full name of a table."""
        return (*self.namespace, name)

    def names(self) -> list[str]:
        """Return the names of all tables of the namespace, which is created if it is missing."""
        self.make_namespace()
        return sorted(found[-1] for found in self.catalog.list_tables(self.namespace))

    def make_namespace(self) -> None:
        """Create the namespace if it is missing."""
        try:
            self.catalog.create_namespace(self.namespace)
        except NamespaceAlreadyExistsError:
            return


def embedded(folder: Path) -> Tables:
    """Return the tables in a folder of this machine, which is created if it is missing."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    catalog = SqlCatalog(
        "embedded",
        **{
            "uri": f"sqlite:///{folder / CATALOG_FILE}",
            "warehouse": folder.as_uri(),
            "py-io-impl": _FILES,
        },
    )
    return Tables(f"iceberg+{folder.as_uri()}", catalog, (EMBEDDED_NAMESPACE,), folder)


def configured(name: str, namespace: str) -> Tables:
    """Return a namespace of the catalog ``name`` in pyiceberg's configuration; raises pyiceberg's exceptions."""
    return Tables(f"iceberg://{name}/{namespace}", load_catalog(name), tuple(namespace.split(".")))


def log_name(object_name: str) -> str:
    """Return the name of the table with all versions of an object's rows.

    >>> log_name("Account")
    'account_log'
    """
    return f"{object_name.lower()}_log"


def current_name(object_name: str) -> str:
    """Return the name of the table with an object's current rows."""
    return object_name.lower()


def history_name(object_name: str) -> str:
    """Return the name of the table with the times at which an object's versions were valid."""
    return f"{object_name.lower()}_history"
