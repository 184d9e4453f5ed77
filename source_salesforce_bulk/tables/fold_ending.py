"""The end of an export into tables: each object's log is folded into its current table."""

from __future__ import annotations

import logging

from source_salesforce_bulk.export.ending import RunEnd
from source_salesforce_bulk.export.object_export import ObjectExport
from source_salesforce_bulk.registries.state import LeaseLost
from source_salesforce_bulk.tables.commits import Stale
from source_salesforce_bulk.tables.current import Fold, Folded
from source_salesforce_bulk.tables.iceberg_catalog import Tables, log_name

LOGGER = logging.getLogger("salesforce_bulk.tables")


class TablesEnding:
    """See ``Ending``. Data and state are already in the logs; without ``fold`` there is nothing to do."""

    def __init__(self, tables: Tables, *, fold: bool, keep_deleted: bool) -> None:
        self._tables = tables
        self._fold = fold
        self._keep_deleted = keep_deleted

    def conclude(self, end: RunEnd) -> None:
        """See ``Ending``. The next run repeats a fold that fails or is not reached."""
        for exported in end.objects:
            exported.count_files()
            if self._fold and exported.is_read and not end.stopped():
                self._conclude(exported, end.run_id)

    def _conclude(self, exported: ObjectExport, run_id: str) -> None:
        try:
            done = self._folded(exported.name)
        except Stale as error:
            exported.end_failed(LeaseLost(str(error)))
        except Exception as error:  # noqa: BLE001 - it ends this object and not the others
            exported.end_failed(error)
        else:
            extra = {"run_id": run_id, "object": exported.name}
            LOGGER.info(
                "%s: %d rows of its log were folded, %d rows written",
                exported.name,
                done.looked_at,
                done.written,
                extra=extra,
            )

    def _folded(self, name: str) -> Folded:
        log = self._tables.load(log_name(name))
        return Folded() if log is None else Fold(self._tables, log, self._keep_deleted).run()
