"""Runs that end before Salesforce is called. Later parts are in ``integration_tests``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from source_salesforce_bulk.export.export_command import ExportOptions, run_export
from source_salesforce_bulk.signals import Stop

Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command with changed options; return its exit code and metrics."""
    # It would take the whole process's logs, from the tests after these as well.
    monkeypatch.setattr("source_salesforce_bulk.export.command_run.set_up_logging", lambda *_: None)

    def run_it(**changes: Any) -> tuple[int, dict[str, Any]]:
        metrics = tmp_path / "metrics.json"
        options: dict[str, Any] = {
            "config": "env:NOT_SET",
            "objects": (),
            "destination": (tmp_path / "out").as_uri(),
            "format_name": "parquet",
            "state": (tmp_path / "state").as_uri(),
            "schemas": (tmp_path / "schemas").as_uri(),
            "on_drift": "warn",
            "event_bus": None,
            "run_id": "monday",
            "metrics": f"json:{metrics}",
        }
        code = run_export(ExportOptions(**{**options, **changes}), Stop())
        return code, json.loads(metrics.read_text()) if metrics.exists() else {}

    return run_it


@pytest.mark.parametrize(
    "changes",
    [
        {"config": "env:NOT_SET"},
        {"config": "/no/such/file.json"},
        {"destination": "ftp://nowhere"},
        {"state": "dynamodb://"},
        {"run_id": "a/b"},
    ],
)
def test_a_run_that_cannot_begin_has_failed_and_its_metrics_say_so(run: Run, changes: dict[str, Any]) -> None:
    code, told = run(**changes)
    assert code == 2
    assert (told["exit_code"], told["run"]["Failed"], told["run"]["Succeeded"]) == (2, 1, 0)
    assert told["run_id"] == changes.get("run_id", "monday")
    assert told["objects"] == {}


def test_a_configuration_that_is_none_has_failed_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOT_SET", "{}")
    code, told = run()
    assert (code, told["run"]["Failed"]) == (2, 1)


def test_without_a_region_the_metrics_go_to_the_log_all_the_same(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    code, _ = run(config="secretsmanager://prod/salesforce", metrics="emf")
    (document,) = [json.loads(line) for line in capsys.readouterr().err.splitlines() if '"_aws"' in line]
    assert (code, document["ExitCode"], document["Failed"]) == (2, 2, 1)


def test_metrics_without_a_place_are_a_wrong_command_line(run: Run) -> None:
    assert run(metrics="statsd") == (2, {})
