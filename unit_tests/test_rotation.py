from __future__ import annotations

import errno
import json

import pytest

from source_salesforce_bulk.airbyte import rotation as rotation_module
from source_salesforce_bulk.airbyte.rotation import Rotation
from source_salesforce_bulk.output import OutputLost
from source_salesforce_bulk.registries.kept_token import KeptTokens

CONFIG = {"credentials": {"client_id": "id", "refresh_token": "grant-0"}, "page_size": 7}


class Stdout:
    """A stdout that takes nothing."""

    def __init__(self, number: int) -> None:
        self._number = number

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        raise OSError(self._number, "it takes nothing")


def test_the_new_token_goes_out_with_the_whole_configuration(tmp_path, capsys):
    Rotation(CONFIG, KeptTokens([tmp_path]))("grant-1")
    message = json.loads(capsys.readouterr().out)
    assert message["control"]["connectorConfig"]["config"] == {
        "credentials": {"client_id": "id", "refresh_token": "grant-1"},
        "page_size": 7,
    }
    assert CONFIG["credentials"]["refresh_token"] == "grant-0"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO])
def test_a_token_that_stdout_does_not_take_is_kept_and_stderr_says_where(number, tmp_path, monkeypatch, capsys):
    kept = KeptTokens([tmp_path])
    monkeypatch.setattr(rotation_module.sys, "stdout", Stdout(number))
    monkeypatch.setattr(rotation_module.sys, "__stderr__", rotation_module.sys.stderr)
    with pytest.raises(OutputLost, match="it takes nothing"):
        Rotation(CONFIG, kept)("grant-1")
    monkeypatch.undo()
    assert kept.newest("grant-0") == "grant-1"
    said = capsys.readouterr().err
    assert str(tmp_path) in said
    assert "grant-1" not in said


def test_a_token_that_nothing_takes_is_said_to_be_lost(monkeypatch, capsys):
    monkeypatch.setattr(rotation_module.sys, "stdout", Stdout(errno.EPIPE))
    monkeypatch.setattr(rotation_module.sys, "__stderr__", rotation_module.sys.stderr)
    with pytest.raises(OutputLost):
        Rotation(CONFIG, KeptTokens([]))("grant-1")
    monkeypatch.undo()
    assert "Authenticate again." in capsys.readouterr().err
