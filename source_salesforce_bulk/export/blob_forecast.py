"""The forecast of the files of an object: how many an export would list, their bytes, and the calls for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from source_salesforce_bulk.export.blob_entries import ROWS
from source_salesforce_bulk.export.blob_listing import BlobLister
from source_salesforce_bulk.export.blob_progress import BlobProgress
from source_salesforce_bulk.extraction.catalog import ReadableObject
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.salesforce.failures import Action, SalesforceError


@dataclass(frozen=True, slots=True)
class FilesForecast:
    """The files of one object; None if unknown. The numbers are upper bounds: files that are there are not fetched."""

    object: str
    files: int | None = None
    bytes: int | None = None

    @property
    def calls(self) -> int | None:
        """The API calls: one for each file, and one for each page of rows."""
        return None if self.files is None else self.files + self.files // ROWS + 1

    def __str__(self) -> str:
        """Return the forecast as a line.

        >>> str(FilesForecast("Attachment", 1200, 3_400_000))
        'Files of Attachment: 1,200, 3.4 MB, at most 1,207 API calls'
        """
        if self.files is None or self.bytes is None:
            return f"Files of {self.object}: unknown, because Salesforce did not count them; an API call for each"
        return f"Files of {self.object}: {self.files:,}, {self.bytes / 1e6:,.1f} MB, at most {self.calls:,} API calls"


def forecast_files(connection: Connection, readable: ReadableObject, state: Mapping[str, object]) -> FilesForecast:
    """Return the forecast from the stored progress of the object's files; one query. Raises ``UnreadableProgress``."""
    config, name = connection.config, readable.sobject.name
    progress = BlobProgress.from_json(state).begun(connection.upper_bound(), "plan")
    bounds = replace(progress, again=()).bounds(config.start_date, config.lookback_window)
    try:
        found = BlobLister(connection.org(), readable, config.api_version).size(bounds, progress.after)
    except SalesforceError as error:
        if error.failure.action is Action.STOP_RUN:
            raise
        found = None  # the sum of many rows may take Salesforce too long
    return FilesForecast(name) if found is None else FilesForecast(name, *found)


def with_files(calls: int | None, files: Sequence[FilesForecast]) -> int | None:
    """Return the API calls of an export with those for its files; None if either is unknown."""
    counts = [found.calls for found in files]
    if calls is None or None in counts:
        return None
    return calls + sum(count or 0 for count in counts)
