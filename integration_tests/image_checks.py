"""Every protocol command through the container image, as Airbyte, Kubernetes and Fargate run it. ``make image-test``.

Not collected by ``make test``, because it needs the image and something that runs containers. Each container has a
read-only root, no capability, and the files it is given mounted read-only; the simulated org is reached on loopback.
"""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_tests.connector import Connector, Output, configure, parse
from integration_tests.ground_truth import GroundTruth, assert_same_rows
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

ROOT = Path(__file__).parents[1]
CONTAINER = str(ROOT / ".ci" / "container")
IMAGE = os.environ.get("IMAGE", "airbyte/source-salesforce-bulk:dev")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SPEC = json.loads((ROOT / "source_salesforce_bulk" / "airbyte" / "spec.json").read_text(encoding="utf-8"))
CONFINED = ["--rm", "--network=host", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
OBJECTS = ["Account", "Contact", "Awkward__c", "AppDefinition"]

both = pytest.mark.parametrize("jobs", [1, 4])


class ContainerConnector(Connector):
    """The connector in its image. Its files lie in one directory, mounted under the same path."""

    def run_script(self, *arguments: str, timeout: float = 300) -> Output:
        process = self.start_script(*arguments)
        stdout, stderr = process.communicate(timeout=timeout)
        assert not stderr, stderr.decode()[:2000]
        return Output(parse(stdout.decode().split("\n")[:-1]), process.returncode != 0, process.returncode)

    def start_script(self, *arguments: str, name: str = "") -> subprocess.Popen[bytes]:
        for path in [Path(self._directory), *Path(self._directory).iterdir()]:
            path.chmod(0o755)  # the container's user is another one
        named = ["--name", name] if name else []
        mounted = ["--volume", f"{self._directory}:{self._directory}:ro"]
        command = [CONTAINER, "run", *CONFINED, *named, *mounted, IMAGE, *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1)) as simulated:
        yield simulated


def in_image(*command: str) -> str:
    """Return the output of a program other than the entry point."""
    run = [CONTAINER, "run", *CONFINED, "--entrypoint", command[0], IMAGE, *command[1:]]
    return subprocess.run(run, capture_output=True, text=True, timeout=300, check=True).stdout


def inspected() -> dict[str, Any]:
    done = subprocess.run([CONTAINER, "image", "inspect", IMAGE], capture_output=True, timeout=60, check=True)
    (image,) = json.loads(done.stdout)
    return image


def test_spec(org: SimulatedOrg) -> None:
    output = ContainerConnector(org).run_script("spec")

    assert output.exit_code == 0
    assert [message["spec"] for message in output.messages] == [SPEC]


def test_check(org: SimulatedOrg) -> None:
    connector = ContainerConnector(org)

    output = connector.run_script("check", "--config", connector._file(connector.config()))

    assert output.exit_code == 0
    (status,) = output.of_type("CONNECTION_STATUS")
    assert status["status"] == "SUCCEEDED", status


def test_check_with_a_wrong_secret(org: SimulatedOrg) -> None:
    connector = ContainerConnector(org)
    wrong = {**org.credentials(), "client_secret": "not-the-secret"}

    output = connector.run_script("check", "--config", connector._file(connector.config(credentials=wrong)))

    assert output.exit_code == 0
    (status,) = output.of_type("CONNECTION_STATUS")
    assert status["status"] == "FAILED"
    assert "client_secret" in status["message"]


def test_discover(org: SimulatedOrg) -> None:
    connector = ContainerConnector(org)

    output = connector.run_script("discover", "--config", connector._file(connector.config()))

    assert output.exit_code == 0
    (catalog,) = output.of_type("CATALOG")
    assert {stream["name"] for stream in catalog["streams"]} >= set(OBJECTS)


@both
def test_two_reads(org: SimulatedOrg, jobs: int) -> None:
    """Everything, then from the saved state what changed."""
    connector = ContainerConnector(org, max_concurrent_jobs=jobs, page_size=500, lookback_window="PT0S")
    catalog = configure(connector.streams(), OBJECTS)

    first = connector.read_by_script(catalog)

    assert first.exit_code == 0
    assert {name: statuses[-1] for name, statuses in first.statuses.items()} == dict.fromkeys(OBJECTS, "COMPLETE")
    truth = GroundTruth(org)
    for name in OBJECTS:
        assert_same_rows(first.rows[name], truth.records(name))

    org.control.advance_clock(60)
    changed = [row["Id"] for row in org.control.rows("Account")[:3]]
    org.control.update("Account", {"Name": "Changed"}, ids=changed)
    org.control.advance_clock(60)
    second = connector.read_by_script(catalog, first.final_states())

    assert second.exit_code == 0
    assert {row["Id"] for row in second.rows["Account"]} == set(changed)
    assert second.rows["Contact"] == []


@both
def test_a_read_that_fails_says_why(org: SimulatedOrg, jobs: int) -> None:
    connector = ContainerConnector(org, max_concurrent_jobs=jobs)
    catalog = configure(connector.streams(), ["Account"])
    catalog["streams"][0]["stream"]["name"] = "NoSuchObject__c"

    output = connector.read_by_script(catalog)

    assert output.exit_code == 1
    assert any("NoSuchObject__c" in error["message"] for error in output.errors)


@both
def test_a_stop_in_the_middle_of_a_read_keeps_what_was_read(org: SimulatedOrg, jobs: int) -> None:
    """As ``docker stop -t 30`` and a Fargate task's end do it: SIGTERM, state out, 143, and the next run goes on."""
    connector = ContainerConnector(org, max_concurrent_jobs=jobs, page_size=500)
    catalog = configure(connector.streams(), ["Contact"])
    org.control.fault("stall", object="Contact", page=3, seconds=120)
    name = f"stopped-{uuid.uuid4().hex}"
    arguments = connector._read_arguments(catalog, None, {})
    lines = []
    with connector.start_script(*arguments, name=name) as process:
        assert process.stdout is not None
        while sum(b'"type":"RECORD"' in line for line in lines) < 1000:
            line = process.stdout.readline()
            assert line, b"".join(lines)[-2000:]
            lines.append(line)
        subprocess.run([CONTAINER, "stop", "-t", "30", name], capture_output=True, timeout=120, check=True)
        rest = process.stdout.read()

    assert process.returncode == 143
    stopped = Output(parse(b"".join([*lines, rest]).decode().split("\n")[:-1]))
    assert rest.endswith(b"\n")
    (entry,) = [one for one in stopped.final_states()[0]["stream"]["stream_state"]["resume"] if one["rows"]]
    assert (entry["page"], entry["rows"]) == (2, 1000)

    org.control.clear_faults()
    resumed = connector.read_by_script(catalog, stopped.final_states())

    assert resumed.exit_code == 0
    assert_same_rows(stopped.rows["Contact"] + resumed.rows["Contact"], GroundTruth(org).records("Contact"))
    asked_for_everything = [job for job in org.control.jobs() if "SystemModstamp >=" not in job["query"]]
    assert len(asked_for_everything) == 1


def test_the_image_says_what_it_is() -> None:
    config = inspected()["Config"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.version"] == labels["io.airbyte.version"] == PROJECT["version"]
    assert config["Entrypoint"] == ["/opt/connector/bin/source-salesforce-bulk"]
    assert f"AIRBYTE_ENTRYPOINT={config['Entrypoint'][0]}" in config["Env"]
    assert config["User"] == "1000:1000"
    assert list(config["Volumes"]) == ["/scratch"]
    assert not [setting for setting in config["Env"] if "CERT" in setting or "INDEX" in setting or "PROXY" in setting]


def test_it_runs_as_a_user_who_can_write_to_scratch_alone() -> None:
    assert in_image("id", "-u").strip() == "1000"
    tried = "for at in / /opt/connector /scratch; do touch $at/x 2>/dev/null && echo $at; done; true"
    assert in_image("sh", "-c", tried).split() == ["/scratch"]


def test_it_holds_every_console_script_and_no_tools_to_build_with() -> None:
    held = in_image("ls", "/opt/connector/bin").split()
    assert set(PROJECT["scripts"]) <= set(held)
    assert not {"pip", "uv", "pytest", "ruff"} & set(held)
    left = "command -v gcc cc make uv; ls -d /build ~/.cache /var/cache/apt/archives/*.deb 2>/dev/null; true"
    found = in_image("sh", "-c", left)
    assert found.split() == []


def test_everything_is_compiled() -> None:
    """Else every start pays for it again: the root file system is read-only."""
    uncompiled = (
        "import pathlib, sysconfig; packages = pathlib.Path(sysconfig.get_path('purelib'));"
        "print([str(path) for name in ('source_salesforce_bulk', 'airbyte_cdk')"
        " for path in (packages / name).rglob('*.py')"
        " if not list((path.parent / '__pycache__').glob(f'{path.stem}.*.pyc'))])"
    )
    assert in_image("/opt/connector/bin/python", "-c", uncompiled).strip() == "[]"


def test_what_an_export_needs_is_complete() -> None:
    """Parts of pyarrow were left out of the image: not these."""
    needed = "boto3, rich, pyarrow.csv, pyarrow.dataset, pyarrow.fs, pyarrow.json, pyarrow.parquet"
    in_image("/opt/connector/bin/python", "-c", f"import {needed}")


def test_it_holds_neither_tests_nor_the_simulated_org() -> None:
    listing = in_image(
        "/opt/connector/bin/python", "-c", "import sys, pkgutil; print([m.name for m in pkgutil.iter_modules()])"
    )
    assert "source_salesforce_bulk" in listing
    assert not [name for name in ("integration_tests", "unit_tests", "pytest") if f"'{name}'" in listing]
