"""The report of real runs, as a file, and in a browser if one is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.aws import BUCKET, TABLE, Aws
from integration_tests.exporter import SCRIPT, Exporter
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from unit_tests.test_report_page import Page, report_page, story, style

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")) as simulated:
        yield simulated


def report(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPT), "report", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
        env={**os.environ, **(env or {})},
    )


def test_a_run_with_a_retry_and_a_job_that_failed_is_told_whole(org: SimulatedOrg, tmp_path: Path) -> None:
    org.control.fault("job_failed", object="Lead", message="TXN_SECURITY_METERING_ERROR : no", times=None)
    org.control.fault("http_error", on="results", object="Contact", status=503, times=1)
    exporter = Exporter(org, tmp_path, page_size=700)
    assert exporter.script(["Account", "Contact", "Lead"], "--run-id", "monday").returncode == 3

    done = report(tmp_path, "--state", "state", "--last")

    assert done.stdout == f"Report: {tmp_path / 'monday.html'}\n"
    text = (tmp_path / "monday.html").read_text()
    page = Page(text)
    assert page.classes.count("lane") == 3
    assert page.classes.count("mark") == 5
    assert "some objects failed permanently" in text
    assert "results is sent again" in text
    assert re.search(r'title="750[^"]*transaction security policies', text)
    assert text.count(">error</td>") == 1
    assert ">warning</td>" not in text
    assert "SELECT Id, " in text
    assert "API calls left" in text
    ledger = [json.loads(line) for line in (tmp_path / "state" / "ledger" / "monday.jsonl").read_text().splitlines()]
    assert {one["event"] for one in ledger} >= {"run_begun", "job_created", "job_polled", "page", "file", "run_ended"}
    secrets = [value for value in exporter.config["credentials"].values() if value != "refresh_token"]
    assert not any(secret in text for secret in secrets)


def test_a_run_that_is_not_there_is_answered_with_the_nearest(tmp_path: Path) -> None:
    nothing = report(tmp_path, "--state", "state", "--last")
    assert nothing.returncode == 2
    assert "contains no ledger" in nothing.stderr
    (tmp_path / "state" / "ledger").mkdir(parents=True)
    (tmp_path / "state" / "ledger" / "monday.jsonl").write_text("")
    wrong = report(tmp_path, "--state", "state", "--run", "munday")
    assert wrong.returncode == 2
    assert "Did you mean monday?" in wrong.stderr
    assert report(tmp_path, "--state", "state").returncode == 2
    assert report(tmp_path, "--last").returncode == 2
    assert report(tmp_path, "--state", "state", "--run", "monday").returncode == 0


def test_with_a_state_in_dynamodb_the_ledger_lies_at_the_destination(
    org: SimulatedOrg, tmp_path: Path, aws: Aws
) -> None:
    env = aws.environment
    exporter = Exporter(org, tmp_path)
    arguments = exporter.arguments(["Account"], "--run-id", "monday")
    arguments[arguments.index("--state") + 1] = f"dynamodb://{TABLE}"
    arguments[arguments.index("--destination") + 1] = f"s3://{BUCKET}/prod"
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **env}
    )
    assert done.returncode == 0, done.stderr
    assert "prod/_ledger/monday.jsonl" in aws.all_keys()
    told = report(tmp_path, "--destination", f"s3://{BUCKET}/prod", "--last", "--output", "r.html", env=env)
    assert told.returncode == 0, told.stderr
    assert 'class="lane"' in (tmp_path / "r.html").read_text()


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed; test_report_page tries the structure")
@pytest.mark.parametrize("objects", [1, 500])
@pytest.mark.parametrize("size", ["1200,900", "390,800"])
def test_a_browser_shows_it_without_an_error(tmp_path: Path, objects: int, size: str) -> None:
    (tmp_path / "r.html").write_text(report_page(story(objects), style()))
    shot = tmp_path / "shot.png"
    seen = subprocess.run(
        [
            *(BROWSER or "", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"),
            *(f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={size}", f"--screenshot={shot}"),
            (tmp_path / "r.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert shot.stat().st_size > 10_000, seen.stderr
    assert "CONSOLE" not in seen.stderr
