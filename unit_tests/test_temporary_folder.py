from __future__ import annotations

import tempfile

import pytest

from source_salesforce_bulk.config import ConfigError
from source_salesforce_bulk.extraction.temporary_folder import check_temporary_folder


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


def test_no_folder_at_all_is_the_users_to_correct(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    with pytest.raises(ConfigError, match="Let TMPDIR name a folder"):
        check_temporary_folder({})
