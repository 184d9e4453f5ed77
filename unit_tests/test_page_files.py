from __future__ import annotations

import gc
from pathlib import Path
from types import SimpleNamespace

import pytest

from source_salesforce_bulk.export.page_files import PageFile, PageFiles
from source_salesforce_bulk.pages.fetch import Page, PageAddress
from source_salesforce_bulk.salesforce.bulk_api import PageHeaders


class OneLine:
    """A format whose files hold one line; or one that fails when half of it is written."""

    extension = "txt"

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def write(self, page: Page, sobject: object, path: Path) -> PageFile:
        path.write_bytes(b"a line\n")
        if self.error is not None:
            raise self.error
        return PageFile(path, page.rows, 7)


def made(folder: Path, error: Exception | None = None) -> tuple[PageFiles, Page]:
    files = PageFiles(OneLine(error))
    files.expect(SimpleNamespace(name="Account"))  # type: ignore[arg-type]
    spooled = folder / "page.csv"
    spooled.write_bytes(b"")
    address = PageAddress("Account", "750A", None, "v66.0", 50_000, ("Id",))
    headers = PageHeaders(rows=1, locator=None, last=True)
    return files, files.make(Page(address, headers, 1, None, 0, 0, spooled, _gzipped=False))


def in_memory(folder: Path) -> list[PageFile]:
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, PageFile) and one.path.parent == folder]


def test_a_pages_file_goes_with_the_page(tmp_path):
    files, page = made(tmp_path)
    file = files.take(page)
    assert (file.rows, file.path.read_bytes()) == (1, b"a line\n")
    page.discard()
    assert not list(tmp_path.iterdir())


def test_a_page_that_is_dropped_leaves_nothing_on_disk_or_in_memory(tmp_path):
    files, page = made(tmp_path)
    assert len(in_memory(tmp_path)) == 1
    page.discard()
    del page
    assert not in_memory(tmp_path)
    assert not list(tmp_path.iterdir())
    assert files.extension == "txt"  # whoever made the file is still there


def test_a_page_whose_file_cannot_be_made_says_so_when_it_is_taken(tmp_path):
    files, page = made(tmp_path, ValueError("no such cell"))
    with pytest.raises(ValueError, match="no such cell"):
        files.take(page)
    page.discard()
    assert not list(tmp_path.iterdir())


def test_a_page_from_elsewhere_has_no_file_here(tmp_path):
    _, page = made(tmp_path)
    bare = Page(page.address, page.headers, 1, None, 0, 0, tmp_path / "page.csv", _gzipped=False)
    with pytest.raises(TypeError):
        PageFiles(OneLine()).take(bare)
