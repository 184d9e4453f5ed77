from __future__ import annotations

import pytest

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
