from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from source_salesforce_bulk.registries.kept_token import KeptTokens, configured_token, with_refresh_token


def test_a_kept_token_is_found_by_the_one_it_replaced_and_readable_by_its_owner_only(tmp_path):
    kept = KeptTokens([tmp_path])
    path = kept.keep("old", "new")
    assert path.parent == tmp_path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "old" not in path.name
    assert KeptTokens([tmp_path]).newest("old") == "new"
    assert kept.newest("another") is None


def test_of_several_replacements_the_last_counts(tmp_path):
    kept = KeptTokens([tmp_path])
    kept.keep("old", "new")
    kept.keep("old", "newer")
    assert kept.newest("old") == "newer"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_takes_nothing_is_passed_over(tmp_path):
    (tmp_path / "file").touch()
    kept = KeptTokens([tmp_path / "file", tmp_path])
    assert kept.keep("old", "new").parent == tmp_path
    assert kept.newest("old") == "new"


def test_the_latest_of_several_folders_counts(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    old = KeptTokens([first]).keep("old", "new")
    os.utime(old, ns=(1, 1))
    KeptTokens([second]).keep("old", "newer")
    assert KeptTokens([first, second]).newest("old") == "newer"


@pytest.mark.parametrize("folders", [[], ["/proc"], ["/proc", "/dev/null"]])
def test_where_no_folder_takes_it_the_caller_hears_why(folders):
    kept = KeptTokens([Path(folder) for folder in folders])
    with pytest.raises(OSError, match=r"folder|director|proc|exists"):
        kept.keep("old", "new")


def test_a_forgotten_token_is_gone(tmp_path):
    kept = KeptTokens([tmp_path])
    kept.keep("old", "new")
    kept.forget("old")
    kept.forget("old")
    assert list(tmp_path.iterdir()) == []


def test_a_link_a_folder_and_text_that_is_no_token_are_not_believed(tmp_path):
    kept = KeptTokens([tmp_path])
    path = kept.keep("old", "new")
    (tmp_path / "elsewhere").write_text("forged")
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    assert kept.newest("old") is None
    path.unlink()
    path.write_bytes(b"no\ntoken")
    assert kept.newest("old") is None
    path.write_bytes(b"\xff")
    assert kept.newest("old") is None
    path.unlink()
    path.mkdir()
    assert kept.newest("old") is None


def test_a_link_is_replaced_and_not_followed(tmp_path):
    kept = KeptTokens([tmp_path])
    path = kept.keep("old", "new")
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    path.unlink()
    path.symlink_to(victim)
    kept.keep("old", "newer")
    assert victim.read_text() == "untouched"
    assert kept.newest("old") == "newer"


def test_a_configuration_gets_the_token_that_was_kept_for_it(tmp_path):
    kept = KeptTokens([tmp_path])
    raw = {"credentials": {"client_id": "id", "refresh_token": " old "}, "page_size": 7}
    assert kept.current(raw) is raw
    kept.keep("old", "new")
    assert kept.current(raw) == {"credentials": {"client_id": "id", "refresh_token": "new"}, "page_size": 7}


@pytest.mark.parametrize("raw", [{}, {"credentials": 7}, {"credentials": {}}, {"credentials": {"refresh_token": " "}}])
def test_a_configuration_without_a_token_has_none(raw, tmp_path):
    assert configured_token(raw) is None
    assert KeptTokens([tmp_path]).current(raw) is raw


def test_beside_a_configuration_comes_before_the_users_folder_and_the_temporary_one(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "conf").mkdir()
    assert KeptTokens.beside(tmp_path / "conf").keep("old", "new").parent == tmp_path / "conf"
    assert KeptTokens.beside(None).keep("old", "new").parent == tmp_path


def test_replacing_a_token_changes_nothing_else():
    raw = {"credentials": {"a": 1, "refresh_token": "old"}, "b": 2}
    assert with_refresh_token(raw, "new") == {"credentials": {"a": 1, "refresh_token": "new"}, "b": 2}
    assert raw["credentials"]["refresh_token"] == "old"
