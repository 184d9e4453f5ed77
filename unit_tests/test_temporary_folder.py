from __future__ import annotations

import errno
import re
import tempfile

import pytest

from source_salesforce_bulk.config import ConfigError
from source_salesforce_bulk.extraction.temporary_folder import check_temporary_folder, new_folder_for_pages
from source_salesforce_bulk.salesforce.failures import Kind, SalesforceError


@pytest.mark.parametrize("variable", ["TMPDIR", "TEMP", "TMP"])
def test_a_folder_that_can_be_used_is_fine(tmp_path, variable):
    check_temporary_folder({variable: str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("environment", [{}, {"TMPDIR": ""}])
def test_without_a_name_the_systems_own_folder_is_used(environment):
    check_temporary_folder(environment)


@pytest.mark.parametrize("variable", ["TMPDIR", "TEMP", "TMP"])
@pytest.mark.parametrize("folder", ["/nonexistent", "/proc", "/dev/null", "/nonexistent\x1b[2J"])
def test_a_folder_that_cannot_be_used_is_refused_by_name(variable, folder):
    with pytest.raises(ConfigError, match=f"^{variable}, which is /") as raised:
        check_temporary_folder({variable: folder})
    assert str(raised.value).isprintable()


def test_the_first_variable_counts_even_where_another_would_do(tmp_path):
    with pytest.raises(ConfigError, match="/nonexistent"):
        check_temporary_folder({"TMPDIR": "/nonexistent", "TMP": str(tmp_path)})


def test_pages_get_a_folder_of_their_own_where_the_environment_says(tmp_path):
    folder = new_folder_for_pages({"TMPDIR": str(tmp_path)})
    assert folder.parent == tmp_path
    folder.rmdir()
    new_folder_for_pages({}).rmdir()


def test_a_full_disk_is_named_and_no_other_is_taken(tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    with pytest.raises(SalesforceError, match=re.escape(str(tmp_path))) as raised:
        new_folder_for_pages({"TMPDIR": str(tmp_path)})
    assert raised.value.failure.kind is Kind.NO_DISK_SPACE


def test_no_folder_at_all_is_the_users_to_correct(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    with pytest.raises(ConfigError, match="Let TMPDIR name a folder"):
        check_temporary_folder({})
