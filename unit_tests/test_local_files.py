from __future__ import annotations

import os

import pytest

from source_salesforce_bulk.tables.iceberg_catalog import embedded
from source_salesforce_bulk.tables.local_files import SyncedFileIO, local_path


@pytest.fixture
def synced(monkeypatch):
    """The inodes that were synced, in order."""
    found: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: found.append(os.fstat(handle).st_ino))
    return found


def test_a_file_and_every_new_name_above_it_are_durable_once_it_is_closed(tmp_path, synced):
    target = tmp_path / "a" / "b" / "file"
    with SyncedFileIO().new_output(target.as_uri()).create() as stream:
        stream.write(b"rows")
        assert target.stat().st_ino not in synced
    wanted = [tmp_path, tmp_path / "a", target, tmp_path / "a" / "b"]
    assert {one.stat().st_ino for one in wanted} == set(synced)
    assert synced.index(target.stat().st_ino) < synced.index((tmp_path / "a" / "b").stat().st_ino)


def test_a_file_that_is_there_is_only_overwritten_on_purpose(tmp_path):
    files = SyncedFileIO()
    location = (tmp_path / "file").as_uri()
    with files.new_output(location).create() as stream:
        stream.write(b"one")
    with pytest.raises(FileExistsError):
        files.new_output(location).create()
    with files.new_output(location).create(overwrite=True) as stream:
        stream.write(b"second")
    assert len(files.new_output(location)) == 6
    with files.new_input(location).open() as stream:
        assert stream.read() == b"second"


def test_a_blank_in_a_folder_is_no_trouble(tmp_path):
    assert local_path((tmp_path / "a b").as_uri()) == tmp_path / "a b"


def test_embedded_tables_use_these_files(tmp_path):
    tables = embedded(tmp_path)
    assert tables.names() == []
    assert isinstance(tables.catalog._load_file_io(), SyncedFileIO)
