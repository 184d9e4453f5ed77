from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs, parquet

from source_salesforce_bulk.pages.fetch import PageAddress
from source_salesforce_bulk.pages.page_task import PageOutcome, PageTask
from source_salesforce_bulk.salesforce.failures import Failure, Kind
from source_salesforce_bulk.salesforce.oauth import Session
from source_salesforce_bulk.spark.table_pages import DataFolder, PageWriter, WrittenPage

SESSION = Session("T0", "https://acme.my.salesforce.com")
TASKS = tuple(PageTask(number, PageAddress("Account", "750x", None, "v66.0", 50_000)) for number in range(3))


def page_file(folder: Path, rows: int) -> Path:
    path = folder / "page.parquet"
    parquet.write_table(pa.table({"Id": pa.array([str(row) for row in range(rows)], pa.string())}), path)
    return path


def test_a_file_is_copied_whole_under_a_name_of_its_own_each_time(tmp_path):
    page = page_file(tmp_path, rows=2)
    folder = DataFolder(fs.LocalFileSystem(), str(tmp_path / "data" / "run=monday"))

    (first,), (second,) = list(folder.copy(page)), list(folder.copy(page))

    assert first.name != second.name
    for file in (first, second):
        written = tmp_path / "data" / "run=monday" / file.name
        assert written.read_bytes() == page.read_bytes()
        assert (file.footer.num_rows, file.size) == (2, page.stat().st_size)


def test_a_page_without_rows_becomes_no_file(tmp_path):
    folder = DataFolder(fs.LocalFileSystem(), str(tmp_path / "data"))
    assert list(folder.copy(page_file(tmp_path, rows=0))) == []
    assert not (tmp_path / "data").exists()


@dataclass
class Given:
    """A broadcast, and the source of a session."""

    value: Any = None

    def session(self) -> Session:
        return SESSION


class Runner:
    """Reads the second page, and no other."""

    def __init__(self, page: Path) -> None:
        self._page = page

    def run(self, task: PageTask, report: Callable[[PageOutcome], None], use: Callable[[Path], Any]) -> Iterator[Any]:
        if task.number != 1:
            report(PageOutcome(task.number, failure=Failure.of(Kind.SESSION_EXPIRED)))
            return
        yield from use(self._page)
        report(PageOutcome(task.number, rows=2))


def test_each_task_gives_one_row_with_its_outcome_and_its_file(tmp_path):
    runner: Any = Runner(page_file(tmp_path, rows=2))
    folder = DataFolder(fs.LocalFileSystem(), str(tmp_path / "data"))
    writer = PageWriter(Given((Given(), "encoder", TASKS, folder)), lambda *_: runner)

    rows = list(writer(iter([pa.RecordBatch.from_pydict({"id": [0, 1]})])))

    failed, written = (pickle.loads(batch.column("page")[0].as_py()) for batch in rows)
    assert isinstance(failed, WrittenPage)
    assert (failed.outcome.number, failed.file) == (0, None)
    assert failed.outcome.failure is not None
    assert (written.outcome.number, written.outcome.rows, written.file.footer.num_rows) == (1, 2, 2)
    assert [path.name for path in (tmp_path / "data").iterdir()] == [written.file.name]
