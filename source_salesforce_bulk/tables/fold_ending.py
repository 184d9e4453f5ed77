"""The end of an export into tables: each object's log is folded into its current table."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from source_salesforce_bulk.export.ending import RunEnd
from source_salesforce_bulk.export.object_export import ObjectExport
from source_salesforce_bulk.registries.state import LeaseLost
from source_salesforce_bulk.tables.commits import Stale
from source_salesforce_bulk.tables.current import Fold
from source_salesforce_bulk.tables.derived import Folded
from source_salesforce_bulk.tables.history import History, has_history
from source_salesforce_bulk.tables.iceberg_catalog import Tables, current_name, history_name, log_name

LOGGER = logging.getLogger("salesforce_bulk.tables")


@dataclass(frozen=True, slots=True)
class TablesEnding:
    """See ``Ending``. Data and state are already in the logs; ``fold`` updates current tables, ``history`` histories.

    ``keep_deleted`` keeps deleted rows in the current tables.
    """

    tables: Tables
    fold: bool
    keep_deleted: bool
    history: bool = False

    def conclude(self, end: RunEnd) -> None:
        """See ``Ending``. The next run repeats a fold that fails or is not reached."""
        for exported in end.objects:
            exported.count_files()
            if (self.fold or self.history) and exported.is_read and not end.stopped():
                self._conclude(exported, end.run_id)

    def _conclude(self, exported: ObjectExport, run_id: str) -> None:
        extra = {"run_id": run_id, "object": exported.name}
        try:
            for name, done in self._updated(exported.name):
                facts = {"table": name, "read": done.log_rows, "written": done.written}
                words = "%(table)s: %(read)d rows of the log were folded, %(written)d rows written"
                LOGGER.info(words, facts, extra=extra)
        except Stale as error:
            exported.end_failed(LeaseLost(str(error)))
        except Exception as error:  # noqa: BLE001 - it ends this object and not the others
            exported.end_failed(error)

    def _updated(self, object_name: str) -> Iterator[tuple[str, Folded]]:
        """Update the tables that are derived from an object's log; yields the name of each."""
        log = self.tables.load(log_name(object_name))
        if log is None:
            return
        if self.fold:
            yield current_name(object_name), Fold(self.tables, log, self.keep_deleted).run()
        if self.history and has_history(log):
            yield history_name(object_name), History(self.tables, log).run()
        elif self.history:
            LOGGER.info("%s has no history, because it has no key or no cursor", object_name)
