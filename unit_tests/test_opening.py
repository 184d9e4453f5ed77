"""The progress that an export finds in the registry, and its changes before the first page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from source_salesforce_bulk.export.begin import BeginOptions
from source_salesforce_bulk.export.destination import LocalDestination
from source_salesforce_bulk.export.opening import Opening
from source_salesforce_bulk.export.outcomes import ExportFailed
from source_salesforce_bulk.registries.local_state import LocalStates
from source_salesforce_bulk.registries.state import DataFile, Lease, Progress
from source_salesforce_bulk.salesforce.failures import Consequence

STATE = {"SystemModstamp": "2026-11-23T02:00:00.000Z", "scope": "sha256:x"}
PATH = "Account/run=r0/w00000-p000000.parquet"
FILE = DataFile(PATH, 10, 2000, "750A", None)


@pytest.fixture
def out(tmp_path: Path) -> LocalDestination:
    file = tmp_path / "out" / PATH
    file.parent.mkdir(parents=True)
    file.touch()
    return LocalDestination(tmp_path / "out")


@contextmanager
def leased(tmp_path: Path, progress: Progress) -> Iterator[Lease]:
    held = LocalStates(tmp_path / "state").acquire("00D", "Account", "r1")
    held.commit(progress)
    yield held
    held.release()


def kept(tmp_path: Path) -> Progress:
    return LocalStates(tmp_path / "state").progress("00D", "Account")


def opening(out: LocalDestination, run_id: str = "r1", **options: bool) -> Opening:
    return Opening(run_id, out, "parquet", BeginOptions(**options))


def test_a_manifest_that_was_never_written_is_declared_abandoned(tmp_path, out):
    with leased(tmp_path, Progress(STATE, (FILE,), (), out.url, "r0", "parquet")) as held:
        progress, _ = opening(out).open("Account", "SystemModstamp", held)
    assert (progress.closed, progress.closing, progress.named_rows) == ((FILE,), None, 0)
    assert out.manifest("r0") == {"run_id": "r0", "status": "abandoned", "objects": []}


def test_files_that_a_dead_runs_manifest_names_count_as_named(tmp_path, out):
    out.create_manifest("r0.2", {"run_id": "r0", "objects": [{"object": "Account", "files": [{"path": PATH}]}]})
    with leased(tmp_path, Progress(STATE, (FILE,), (), out.url, "r0.2", "parquet", 5)) as held:
        progress, _ = opening(out).open("Account", "SystemModstamp", held)
    assert (progress.closed, progress.closing, progress.named_rows) == ((), None, 15)
    assert kept(tmp_path) == progress


def test_starting_over_gives_the_old_state_up_and_happens_once_in_a_run(tmp_path, out):
    with leased(tmp_path, Progress(STATE, (FILE,), (), "file:///elsewhere", None, "jsonl", 5)) as held:
        progress, given_up = opening(out, start_over=True).open("Account", "SystemModstamp", held)
        assert given_up == STATE
        assert progress == kept(tmp_path) == Progress(destination=out.url, file_format="parquet", begun_by="r1")
        held.commit(Progress(STATE, (), (), out.url, None, "parquet", 5, "r1"))
        progress, given_up = opening(out, start_over=True).open("Account", "SystemModstamp", held)
        assert (progress.state, given_up) == (STATE, {}), "a second attempt of the run goes on"
        progress, given_up = opening(out, "r2", start_over=True).open("Account", "SystemModstamp", held)
        assert (progress.state, given_up) == ({}, STATE)


def test_another_destination_is_refused_before_anything_changes(tmp_path, out):
    before = Progress(STATE, (), (), "file:///elsewhere", None, "parquet", 5)
    with leased(tmp_path, before) as held, pytest.raises(ExportFailed, match="file:///elsewhere") as caught:
        opening(out).open("Account", "SystemModstamp", held)
    assert caught.value.consequence is Consequence.CONFIG
    assert kept(tmp_path) == before


def test_one_folder_spelled_differently_is_one_folder(tmp_path, out):
    (tmp_path / "link").symlink_to(tmp_path / "out")
    for spelled in (f"{out.url}/", (tmp_path / "link").as_uri(), (tmp_path / "x").as_uri() + "/../out"):
        with leased(tmp_path, Progress(STATE, (), (), spelled, None, "parquet", 5)) as held:
            progress, _ = opening(out).open("Account", "SystemModstamp", held)
        assert progress.destination == out.url
