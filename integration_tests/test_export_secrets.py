"""``salesforce-bulk`` shows no secret and no row value: not in logs, tables, manifests, states or metrics.

The commands run in this process, as the console script runs them. ``test_secrets`` tests the layers below, such as
retries.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_tests.exporter import Exporter
from integration_tests.fault_trial import FIELDS, PAGE_SIZE, with_settings
from integration_tests.simulated_org import Fault, SimulatedOrg
from integration_tests.test_secrets import FLOWS, hidden
from source_salesforce_bulk.export.cli import commands
from source_salesforce_bulk.signals import Stop


def echo(on: str, **options: Any) -> Fault:
    """Every request of this kind is answered with an error that says what it was sent."""
    return Fault(kind="echo_secret", on=on, **{"status": 400, "error": "UNKNOWN_CODE", "times": None} | options)


SURVIVED: dict[str, list[Fault]] = {
    "good": [],
    "echo_on_limits": [echo("limits")],
    "echo_on_delete": [echo("delete")],
    "session_expires": [Fault(kind="session_ends", on="results")],
}
FAILED: dict[str, list[Fault]] = {
    **{f"echo_on_{on}": [echo(on)] for on in ("token", "describe", "createJob", "jobInfo")},
    "echo_on_the_second_login": [Fault(kind="session_ends", on="jobInfo"), echo("token", after=1)],
}


class Trial:
    """One org with faults, and commands against it whose every word is looked at."""

    def __init__(self, org: SimulatedOrg, exporter: Exporter, capfd: pytest.CaptureFixture[str]) -> None:
        self.org = org
        self.exporter = exporter
        self._capfd = capfd

    def export(self, faults: list[Fault]) -> tuple[int, str]:
        """An export through the faults; its exit code, and what it printed and logged."""
        arguments = self.exporter.arguments(list(FIELDS), "--metrics", f"json:{self.exporter.folder / 'metrics.json'}")
        return self._run(arguments[1:], faults)

    def plan(self, faults: list[Fault]) -> tuple[int, str]:
        """A plan that the org is asked to confirm."""
        config = self.exporter.arguments([])[2:4]
        objects = (part for name in FIELDS for part in ("--object", name))
        return self._run(["plan", *config, *objects, "--confirm", "--json"], faults)

    def _run(self, arguments: list[str], faults: list[Fault]) -> tuple[int, str]:
        for fault in faults:
            self.org.control.add_fault(fault)
        self._capfd.readouterr()
        code = commands.main(arguments, standalone_mode=False, obj=Stop())
        printed = self._capfd.readouterr()
        assert all(one["fired"] for one in self.org.control.fault_log())
        self.assert_hidden(printed.out + printed.err)
        return code, printed.out + printed.err

    def assert_hidden(self, printed: str) -> None:
        """The output, and every file without rows: people may read them who may not read the rows."""
        kept = [path for path in self.exporter.folder.rglob("*.json") if path.name != "config.json"]
        words = hidden(self.org, self.exporter.config["credentials"])
        for text in [printed, *(path.read_text(encoding="utf-8") for path in kept)]:
            for line in text.splitlines():
                shown = [word for word in words if word in line]
                assert not shown, f"{shown} in {line[:3000]}"


@pytest.fixture
def trial(tmp_path: Path, capfd: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Iterator[Trial]:
    flow, jobs = getattr(request, "param", ("refresh_token", 4))
    with SimulatedOrg(with_settings()) as org:
        credentials = org.credentials(flow)
        exporter = Exporter(org, tmp_path, credentials=credentials, max_concurrent_jobs=jobs, page_size=PAGE_SIZE)
        yield Trial(org, exporter, capfd)


one_and_four = pytest.mark.parametrize("trial", [("refresh_token", 1), ("refresh_token", 4)], indirect=True)
every_flow = pytest.mark.parametrize("trial", [(flow, 4) for flow in FLOWS], indirect=True)


@one_and_four
@pytest.mark.parametrize("name", SURVIVED)
def test_an_export_shows_no_secret_and_no_value(trial: Trial, name: str) -> None:
    code, printed = trial.export(SURVIVED[name])
    assert code == 0, printed
    assert all(trial.exporter.rows(name) for name in FIELDS)


@one_and_four
@pytest.mark.parametrize("name", FAILED)
def test_an_export_that_fails_shows_no_secret_and_no_value(trial: Trial, name: str) -> None:
    code, printed = trial.export(FAILED[name])
    assert code != 0
    assert '"level": "ERROR"' in printed


@every_flow
@pytest.mark.parametrize("on", ["token", "createJob"])
def test_no_flow_shows_its_secrets(trial: Trial, on: str) -> None:
    code, printed = trial.export([echo(on)])
    assert code != 0
    assert "****" in printed, "the echo was not quoted at all, so nothing was tried here"


@pytest.mark.parametrize("on", ["token", "createJob", "describe"])
def test_a_plan_shows_no_secret(trial: Trial, on: str) -> None:
    _, printed = trial.plan([echo(on)])
    assert "****" in printed, "the echo was not quoted at all, so nothing was tried here"


def test_these_tests_can_fail(trial: Trial) -> None:
    """A secret in a line, or in a file beside the rows, would be seen."""
    secret = trial.exporter.config["credentials"]["client_secret"]
    with pytest.raises(AssertionError, match=secret):
        trial.assert_hidden(f"a line\nand {secret} in the next one")
    (trial.exporter.folder / "metrics.json").write_text(secret, encoding="utf-8")
    with pytest.raises(AssertionError, match=secret):
        trial.assert_hidden("")
