"""Write result pages as data files of a table. Runs on executors, which do not load the table.

The driver loads the table, and passes a pyarrow file system and a folder. A file gets a name that no other attempt
uses, and is part of the table only when the driver has committed it. So a task may run any number of times; the files
of lost attempts are removed by ``salesforce-bulk tables clean``.

Does not retry: ``fetch`` retries incomplete bodies, ``transport`` single calls, and Spark whole tasks.
"""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj
from typing import Any, Protocol

import pyarrow as pa
from pyarrow import fs, parquet

from source_salesforce_bulk.pages.page_encoder import PageEncoder
from source_salesforce_bulk.pages.page_task import PageOutcome, PageTask, PageTaskRunner, SessionSource
from source_salesforce_bulk.registries.durable_files import sync_file, sync_folder
from source_salesforce_bulk.salesforce.oauth import Session

WRITTEN = "page binary"
"""The schema of the rows that :class:`PageWriter` yields, in Spark's notation."""

_COPIED_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class TableFile:
    """A data file: its name in the folder, its Parquet metadata, and its size in bytes."""

    name: str
    footer: Any
    size: int


@dataclass(frozen=True, slots=True)
class WrittenPage:
    """The outcome of a page, and its file; None if the page has no rows or has failed."""

    outcome: PageOutcome
    file: TableFile | None


@dataclass(frozen=True, slots=True)
class DataFolder:
    """A folder of a table's data: the path ``root`` in a pyarrow file system."""

    system: Any
    root: str

    def copy(self, file: Path) -> Iterator[TableFile]:
        """Copy a Parquet file durably under a new name and yield it; yields nothing if it has no rows."""
        footer = parquet.read_metadata(file)
        if not footer.num_rows:
            return
        name = f"{uuid.uuid4()}.parquet"
        path, local = f"{self.root}/{name}", isinstance(self.system, fs.LocalFileSystem)
        if local:
            self.system.create_dir(self.root, recursive=True)
        with file.open("rb") as source, self.system.open_output_stream(path, compression=None) as target:
            copyfileobj(source, target, _COPIED_AT_ONCE)
        if local:
            sync_file(Path(path))
            sync_folder(Path(self.root))
            sync_folder(Path(self.root).parent)
        yield TableFile(name, footer, file.stat().st_size)


class Given(Protocol):
    """The data that every partition of a wave receives, such as a Spark broadcast."""

    @property
    def value(self) -> tuple[SessionSource, PageEncoder, tuple[PageTask, ...], DataFolder]:
        """The source of the session, the encoder of files, the tasks of all partitions, and where files go."""
        ...


class PageWriter:
    """The function for Spark's ``mapInArrow``, whose input is one task number in each partition.

    It yields one row for each task: a pickled :class:`WrittenPage`. Spark takes the row of one attempt only.
    """

    def __init__(
        self, given: Given, make_runner: Callable[[Session, PageEncoder], PageTaskRunner] = PageTaskRunner
    ) -> None:
        self._given = given
        self._make_runner = make_runner

    def __call__(self, numbers: Iterator[Any]) -> Iterator[Any]:
        """See the class."""
        source, encoder, tasks, folder = self._given.value
        runner = self._make_runner(source.session(), encoder)
        for batch in numbers:
            for number in batch.column(0).to_pylist():
                page = pickle.dumps(_written(runner, tasks[number], folder))
                yield pa.RecordBatch.from_arrays([pa.array([page], pa.binary())], ["page"])


def _written(runner: PageTaskRunner, task: PageTask, folder: DataFolder) -> WrittenPage:
    outcomes: list[PageOutcome] = []
    files = list(runner.run(task, outcomes.append, folder.copy))
    return WrittenPage(outcomes[-1], files[0] if files else None)
