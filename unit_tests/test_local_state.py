from __future__ import annotations

import json
import os

import pytest

from source_salesforce_bulk.registries.durable_files import NotARegularFile
from source_salesforce_bulk.registries.local_state import LocalStates
from source_salesforce_bulk.registries.state import DataFile, LeaseHeld, LeaseLost, Progress, UnreadableProgress

FILE = DataFile("Account/run=r/w00000-p000000.parquet", 10, 2000, "750A", None)
PROGRESS = Progress({"scope": "x"}, (FILE,), (), "file:///out")


class TidyStates(LocalStates):
    """Releases every lease when the test is over."""

    def __init__(self, folder):
        super().__init__(folder)
        self.leases = []

    def acquire(self, *args):
        self.leases.append(super().acquire(*args))
        return self.leases[-1]


@pytest.fixture
def states(tmp_path):
    tidy = TidyStates(tmp_path / "states")
    yield tidy
    for lease in tidy.leases:
        lease.release()


def test_what_is_committed_is_there_for_the_next_lease(states):
    lease = states.acquire("00D", "Account", "one")
    assert lease.progress == Progress()
    lease.commit(PROGRESS)
    assert lease.progress == PROGRESS
    lease.release()
    lease.release()
    assert states.acquire("00D", "Account", "two").progress == PROGRESS


def test_objects_and_organizations_are_kept_apart(states):
    states.acquire("00D", "Account", "one").commit(PROGRESS)
    assert states.acquire("00D", "Contact", "one").progress == Progress()
    assert states.acquire("00E", "Account", "one").progress == Progress()


def test_a_held_lease_names_its_holder(states):
    held = states.acquire("00D", "Account", "the-first")
    with pytest.raises(LeaseHeld, match="Account is being exported by the run the-first"):
        states.acquire("00D", "Account", "the-second")
    held.release()
    states.acquire("00D", "Account", "the-third")
    with pytest.raises(LeaseHeld, match="the-third"):
        states.acquire("00D", "Account", "the-fourth")


def test_the_same_run_id_does_not_share_a_lease(states):
    states.acquire("00D", "Account", "same")
    with pytest.raises(LeaseHeld):
        states.acquire("00D", "Account", "same")


@pytest.mark.parametrize("lose", ["remove", "replace", "release"])
def test_a_lost_lease_commits_nothing(states, tmp_path, lose):
    lease = states.acquire("00D", "Account", "one")
    lock = tmp_path / "states" / "00D" / "Account.lock"
    match lose:
        case "remove":
            lock.unlink()
        case "replace":
            lock.rename(tmp_path / "elsewhere")
            lock.touch()
        case "release":
            lease.release()
    with pytest.raises(LeaseLost):
        lease.renew()
    with pytest.raises(LeaseLost):
        lease.commit(PROGRESS)
    assert not (tmp_path / "states" / "00D" / "Account.json").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": {}}'])
def test_a_damaged_file_is_named_and_its_lease_is_given_back(states, tmp_path, text):
    path = tmp_path / "states" / "00D" / "Account.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    for _ in range(2):
        with pytest.raises(UnreadableProgress, match=r"Account\.json cannot be read"):
            states.acquire("00D", "Account", "one")


def test_no_trace_of_half_a_write_is_left(states, tmp_path):
    states.acquire("00D", "Account", "one").commit(PROGRESS)
    assert {path.name for path in (tmp_path / "states" / "00D").iterdir()} == {"Account.json", "Account.lock"}


def test_a_folder_that_cannot_be_one_is_seen_before_any_object(states, tmp_path):
    states.check()
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        LocalStates(tmp_path / "file").check()


LOCK, STATE = "Account.lock", "Account.json"


def beside(tmp_path):
    """The folder of the object's files, and a file outside that nothing may change."""
    folder = tmp_path / "states" / "00D"
    folder.mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious \xff")
    return folder, outside


@pytest.mark.parametrize("lead", ["symlink_to", "hardlink_to"])
def test_a_lock_that_leads_elsewhere_is_refused_and_its_target_left_alone(states, tmp_path, lead):
    folder, outside = beside(tmp_path)
    getattr(folder / LOCK, lead)(outside)
    with pytest.raises(NotARegularFile, match=r"Account\.lock: it is a link"):
        states.acquire("00D", "Account", "one")
    assert outside.read_bytes() == b"precious \xff"


def test_a_lock_that_leads_to_nothing_makes_nothing(states, tmp_path):
    folder, _ = beside(tmp_path)
    (folder / LOCK).symlink_to(tmp_path / "new")
    with pytest.raises(NotARegularFile):
        states.acquire("00D", "Account", "one")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", [LOCK, STATE])
def test_a_pipe_or_a_folder_keeps_nothing_waiting(states, tmp_path, name):
    folder, _ = beside(tmp_path)
    os.mkfifo(folder / name)
    with pytest.raises((NotARegularFile, UnreadableProgress), match="not a regular file"):
        states.acquire("00D", "Account", "one")
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises((NotARegularFile, UnreadableProgress), match="not a regular file"):
        states.acquire("00D", "Account", "one")


def test_a_state_file_that_is_a_link_is_not_read(states, tmp_path):
    folder, outside = beside(tmp_path)
    outside.write_text(json.dumps(PROGRESS.to_json()))
    (folder / STATE).symlink_to(outside)
    with pytest.raises(UnreadableProgress, match=r"Account\.json cannot be read: .* is a link"):
        states.progress("00D", "Account")


@pytest.mark.parametrize("text", ["[" * 200_000, '{"state": ' + "[" * 200_000, "1" * 5_000, " " * 2_000])
def test_a_hostile_state_file_is_an_unreadable_one(states, tmp_path, monkeypatch, text):
    monkeypatch.setattr("source_salesforce_bulk.registries.local_state.LONGEST", 1_000_000)
    folder, _ = beside(tmp_path)
    (folder / STATE).write_text(text)
    with pytest.raises(UnreadableProgress, match=r"Account\.json cannot be read"):
        states.progress("00D", "Account")


def test_a_state_file_without_end_is_not_read_whole(states, tmp_path, monkeypatch):
    monkeypatch.setattr("source_salesforce_bulk.registries.local_state.LONGEST", 1000)
    folder, _ = beside(tmp_path)
    (folder / STATE).write_text(json.dumps(PROGRESS.to_json()) + " " * 1000)
    with pytest.raises(UnreadableProgress, match="larger than 1,000 bytes"):
        states.progress("00D", "Account")


@pytest.mark.parametrize("written", [b"\xff\xfe", b"\x1b[2J\x1b]0;owned", b"run\nINFO all is well", b""])
def test_what_a_lock_says_comes_to_no_terminal_unless_it_is_a_run(states, tmp_path, written):
    states.acquire("00D", "Account", "one")
    (tmp_path / "states" / "00D" / LOCK).write_bytes(written)
    with pytest.raises(LeaseHeld, match=r"by the run unknown \(lock"):
        states.acquire("00D", "Account", "two")


@pytest.mark.parametrize("name", ["../Account", "a/b", "..", "", "\x1b[2J", "x" * 300])
def test_a_name_that_is_no_objects_leads_nowhere(states, tmp_path, name):
    with pytest.raises(UnreadableProgress, match="is not the name of an object"):
        states.acquire("00D", name, "one")
    with pytest.raises(UnreadableProgress, match="is not the name of an object"):
        states.progress(name, "Account")
    assert not (tmp_path / "states").exists()


def test_files_of_other_names_are_no_entries(states, tmp_path):
    states.acquire("00D", "Account", "one").commit(PROGRESS)
    for name in ("\x1b[2J.json", "a b.json", ".hidden.json"):
        (tmp_path / "states" / "00D" / name).touch()
    (tmp_path / "states" / "00D\x1b").mkdir()
    (tmp_path / "states" / "00D\x1b" / "Account.json").touch()
    assert states.entries() == [("00D", "Account")]
