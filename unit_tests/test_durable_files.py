from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from source_salesforce_bulk.registries import durable_files
from source_salesforce_bulk.registries.durable_files import check_replaceable, create_file, replace_file

WRITERS = pytest.mark.parametrize("write", [create_file, replace_file])


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file can grow beyond a thousand bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@WRITERS
def test_a_file_stands_alone_in_folders_made_for_it(tmp_path, write):
    write(tmp_path / "00D" / "Account.json", b"content")
    assert files_in(tmp_path) == ["00D/Account.json"]
    assert (tmp_path / "00D" / "Account.json").read_bytes() == b"content"


def test_a_file_is_replaced_whole_and_others_may_read_it(tmp_path):
    path = tmp_path / "state"
    replace_file(path, b"a long content of old")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    replace_file(path, b"secret", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_stands_there_is_never_created_over(tmp_path):
    path = tmp_path / "1.json"
    create_file(path, b"first")
    with pytest.raises(FileExistsError):
        create_file(path, b"second")
    assert path.read_bytes() == b"first"
    assert files_in(tmp_path) == ["1.json"]


@WRITERS
def test_a_full_disk_leaves_what_stood_there_and_no_half_of_a_file(tmp_path, write, small_disk):
    path = tmp_path / "state"
    if write is replace_file:
        write(path, b"old")
    with pytest.raises(OSError, match="File too large"):
        write(path, b"x" * 100_000)
    assert files_in(tmp_path) == (["state"] if write is replace_file else [])
    assert write is create_file or path.read_bytes() == b"old"


def test_a_name_that_cannot_be_had_leaves_nothing_beside_it(tmp_path):
    (tmp_path / "state").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(tmp_path / "state", b"new")
    assert files_in(tmp_path) == []


def test_that_a_file_can_be_replaced_is_found_out_without_touching_it(tmp_path):
    path = tmp_path / "folder" / "metrics.json"
    check_replaceable(path)
    assert files_in(tmp_path) == []
    replace_file(path, b"old")
    check_replaceable(path)
    assert path.read_bytes() == b"old"
    assert files_in(tmp_path) == ["folder/metrics.json"]
    for in_the_way in (path.parent, path / "below a file"):
        with pytest.raises(OSError, match=r"directory|File exists"):
            check_replaceable(in_the_way)


@WRITERS
def test_the_content_is_durable_before_it_has_its_name_and_then_the_name_is(tmp_path, write, monkeypatch):
    path, synced = tmp_path / "state", []

    def note(handle: int) -> None:
        is_folder = os.path.samestat(os.fstat(handle), tmp_path.stat())
        synced.append(("folder" if is_folder else os.fstat(handle).st_size, path.exists()))

    monkeypatch.setattr(durable_files.os, "fsync", note)
    write(path, b"content")
    assert synced == [(7, False), ("folder", True)]
