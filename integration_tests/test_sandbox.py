"""A real sandbox org: check, discover, two reads and a resume. Run by ``make sandbox-test``, never by ``make test``.

It needs ``secrets/config.json``, the connector's configuration for a sandbox, and reads only. ``SANDBOX_OBJECTS`` names
the objects to read, separated by commas (Account, Contact, User if it is not set).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from integration_tests.connector import SCRIPT, Output, configure, parse

ROOT = Path(__file__).resolve().parents[1]
SECRETS = ROOT / "secrets" / "config.json"
OBJECTS = os.environ.get("SANDBOX_OBJECTS", "Account,Contact,User").split(",")

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        not SECRETS.exists(),
        reason="there is no secrets/config.json: put the connector's configuration for a sandbox org there",
    ),
]


class Sandbox:
    """The console script with the sandbox's configuration; a rotated refresh token is written back at once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def run(self, command: str, *more: str) -> Output:
        done = subprocess.run([SCRIPT, command, "--config", SECRETS, *more], capture_output=True, check=False)
        output = Output(parse(done.stdout.decode().split("\n")[:-1]), done.returncode != 0, done.returncode)
        self.keep(output)
        return output

    def keep(self, output: Output) -> None:
        """The old refresh token is dead once a new one was given out."""
        for control in output.of_type("CONTROL"):
            SECRETS.write_text(json.dumps(control["connectorConfig"]["config"], indent=2), encoding="utf-8")

    def read(self, catalog: object, state: object = None) -> Output:
        return self.run("read", *self.arguments(catalog, state))

    def arguments(self, catalog: object, state: object) -> list[str]:
        arguments = []
        for name, content in (("catalog", catalog), ("state", state)):
            if content is not None:
                path = self._directory / f"{name}.json"
                path.write_text(json.dumps(content), encoding="utf-8")
                arguments += [f"--{name}", str(path)]
        return arguments

    def read_until_state(self, catalog: object) -> Output:
        """Read, and end it with SIGTERM when the first state that names a job has come."""
        command = [SCRIPT, "read", "--config", SECRETS, *self.arguments(catalog, None)]
        lines: list[str] = []
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.decode().rstrip("\n"))
                if '"type":"STATE"' in lines[-1].replace(" ", "") and '"resume"' in lines[-1]:
                    process.send_signal(signal.SIGTERM)
        output = Output(parse(lines), process.returncode != 0, process.returncode)
        self.keep(output)
        return output


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


@pytest.fixture
def catalog(sandbox: Sandbox) -> dict[str, Any]:
    (body,) = sandbox.run("discover").of_type("CATALOG")
    streams = {stream["name"]: stream for stream in body["streams"]}
    assert set(OBJECTS) <= set(streams), f"the org does not offer {set(OBJECTS) - set(streams)}"
    return configure(streams, OBJECTS)


def keys(output: Output, name: str) -> list[str]:
    return sorted(row["Id"] for row in output.rows[name])


def test_check_says_who_is_connected(sandbox: Sandbox) -> None:
    (status,) = sandbox.run("check").of_type("CONNECTION_STATUS")

    assert status["status"] == "SUCCEEDED", status["message"]
    assert "Connected to organization 00D" in status["message"]


def test_a_second_read_brings_what_changed_and_no_more_than_the_look_back(
    sandbox: Sandbox, catalog: dict[str, Any]
) -> None:
    first = sandbox.read(catalog)
    second = sandbox.read(catalog, first.final_states())

    assert (first.exit_code, second.exit_code) == (0, 0), [*first.errors, *second.errors]
    for name in OBJECTS:
        assert len(keys(first, name)) == len(set(keys(first, name)))
        cursors = [state["SystemModstamp"] for output in (first, second) for state in output.states[name][-1:]]
        assert cursors == sorted(cursors)
        assert len(second.rows[name]) <= len(first.rows[name])


def test_a_run_that_was_stopped_is_continued(sandbox: Sandbox, catalog: dict[str, Any]) -> None:
    whole = sandbox.read(catalog)
    stopped = sandbox.read_until_state(catalog)
    rest = sandbox.read(catalog, stopped.final_states())

    assert stopped.exit_code == 128 + signal.SIGTERM
    assert rest.exit_code == 0, rest.errors
    for name in OBJECTS:
        assert set(keys(whole, name)) <= {*keys(stopped, name), *keys(rest, name)}
