"""A real sandbox org, which is only read. Run by ``make sandbox-test``; docs/sandbox.md says what it needs and shows.

``test_sandbox_suite`` runs these tests against a simulated org, so that they are known to work.
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
from integration_tests.exporter import SCRIPT as EXPORT_SCRIPT
from integration_tests.ground_truth import normal

ROOT = Path(__file__).resolve().parents[1]
SECRETS = Path(os.environ.get("SANDBOX_CONFIG", ROOT / "secrets" / "config.json"))
OBJECTS = os.environ.get("SANDBOX_OBJECTS", "Account,Contact,User").split(",")

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        not SECRETS.exists(),
        reason=f"there is no {SECRETS.name}: see docs/sandbox.md",
    ),
]


class Sandbox:
    """The console script with the sandbox's configuration; a rotated refresh token is written back at once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def run(self, command: str, *more: str, **overlay: Any) -> Output:
        config = SECRETS
        if overlay:
            config = self._directory / "config.json"
            config.write_text(json.dumps({**json.loads(SECRETS.read_text(encoding="utf-8")), **overlay}), "utf-8")
            config.chmod(0o600)
        done = subprocess.run([SCRIPT, command, "--config", config, *more], capture_output=True, check=False)
        output = Output(parse(done.stdout.decode().split("\n")[:-1]), done.returncode != 0, done.returncode)
        self.keep(output)
        return output

    def keep(self, output: Output) -> None:
        """The old refresh token is dead once a new one was given out."""
        for control in output.of_type("CONTROL"):
            kept = json.loads(SECRETS.read_text(encoding="utf-8"))
            kept["credentials"] = control["connectorConfig"]["config"]["credentials"]
            SECRETS.write_text(json.dumps(kept, indent=2), encoding="utf-8")

    def read(self, catalog: object, state: object = None, **overlay: Any) -> Output:
        return self.run("read", *self.arguments(catalog, state), **overlay)

    def command(self, command: str, *more: str) -> subprocess.CompletedProcess[str]:
        """A command of the program for exports; it writes a rotated refresh token back by itself."""
        named = [part for name in OBJECTS for part in ("--object", name)]
        arguments = [str(EXPORT_SCRIPT), command, "--config", str(SECRETS), *named, *more]
        return subprocess.run(arguments, capture_output=True, text=True, check=False)

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
    (body,) = sandbox.run("discover", objects=OBJECTS).of_type("CATALOG")
    streams = {stream["name"]: stream for stream in body["streams"]}
    assert set(OBJECTS) <= set(streams), f"the org does not offer {set(OBJECTS) - set(streams)}"
    return configure(streams, OBJECTS)


def keys(output: Output, name: str) -> list[str]:
    return sorted(row["Id"] for row in output.rows[name])


def test_check_says_who_is_connected(sandbox: Sandbox) -> None:
    (status,) = sandbox.run("check").of_type("CONNECTION_STATUS")

    assert status["status"] == "SUCCEEDED", status["message"]
    assert "Connected to organization 00D" in status["message"]


def test_the_whole_org_is_discovered(sandbox: Sandbox) -> None:
    discovered = sandbox.run("discover")

    assert discovered.exit_code == 0, discovered.errors
    (body,) = discovered.of_type("CATALOG")
    streams = {stream["name"]: stream for stream in body["streams"]}
    assert set(OBJECTS) <= set(streams)
    assert all(stream["json_schema"]["properties"] for stream in streams.values())


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


def test_both_apis_deliver_the_same_rows(sandbox: Sandbox, catalog: dict[str, Any]) -> None:
    bulk, rest = (
        sandbox.read(catalog, object_overrides=[{"object": name, "api": api} for name in OBJECTS])
        for api in ("bulk", "rest")
    )

    assert (bulk.exit_code, rest.exit_code) == (0, 0), [*bulk.errors, *rest.errors]
    for name in OBJECTS:
        # Rows that changed between the two reads are left out.
        ours, others = ({row["Id"]: row for row in output.rows[name]} for output in (bulk, rest))
        same = [key for key in ours if key in others and stamp(ours[key]) == stamp(others[key])]
        assert len(same) >= 0.9 * len(ours)
        assert [normal(ours[key]) for key in same] == [normal(others[key]) for key in same]


def test_an_export_equals_the_org(sandbox: Sandbox, tmp_path: Path) -> None:
    out = (tmp_path / "out").as_uri()
    places = ["--destination", out, "--state", (tmp_path / "state").as_uri()]

    exported = sandbox.command("export", *places, "--schemas", (tmp_path / "schemas").as_uri())
    verified = sandbox.command("verify", "--destination", out)

    assert exported.returncode == 0, exported.stderr[-2000:]
    assert verified.returncode == 0, verified.stdout + verified.stderr[-2000:]


def test_the_plan_has_every_object(sandbox: Sandbox) -> None:
    planned = sandbox.command("plan", "--json")

    assert planned.returncode in (0, 75), planned.stderr[-2000:]
    assert {entry["object"] for entry in json.loads(planned.stdout)["objects"]} == set(OBJECTS)


def stamp(row: dict[str, Any]) -> object:
    return row.get("SystemModstamp")
