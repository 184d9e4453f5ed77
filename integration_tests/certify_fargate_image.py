"""The export in the container image, with the restrictions of the task definition in ``deploy/fargate``.

Run by ``make certify-fargate`` alone, because it needs the image and something that runs containers.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.aws import Aws
from integration_tests.exporter import wait_for
from integration_tests.ground_truth import GroundTruth
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from integration_tests.test_export_aws import Task

ROOT = Path(__file__).parents[1]
CONTAINER = str(ROOT / ".ci" / "container")
IMAGE = os.environ.get("IMAGE", "airbyte/source-salesforce-bulk:dev")


class ContainerTask(Task):
    """The task as Fargate starts it: entry point, user, read-only root, a scratch volume."""

    def command(self, *more: str) -> list[str]:
        script, *arguments = super().command(*more)
        environment = [part for name, value in self.aws.environment.items() for part in ("--env", f"{name}={value}")]
        confined = ["--rm", "--network=host", "--read-only", "--cap-drop=ALL", "--user=1000:1000", *environment]
        entry_point = f"/opt/connector/bin/{Path(script).name}"
        return [CONTAINER, "run", *confined, *self.named, "--entrypoint", entry_point, IMAGE, *arguments]

    named: tuple[str, ...] = ()


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    settings = OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z", rotate_refresh_tokens=True)
    with SimulatedOrg(settings) as simulated:
        yield simulated


@pytest.fixture
def task(aws: Aws, org: SimulatedOrg) -> ContainerTask:
    return ContainerTask(aws, org)


def test_the_image_exports(task: ContainerTask, org: SimulatedOrg) -> None:
    done = task.run()
    assert done.returncode == 0, done.stderr
    for name in ("Contact", "Account"):
        assert task.ids(name) == Counter(row["Id"] for row in GroundTruth(org).records(name, fields=["Id"]))


def test_the_image_keeps_exit_codes(task: ContainerTask) -> None:
    assert task.run("--run-id", "not a run id").returncode == 2


def test_a_stopped_task_ends_with_143_and_the_next_one_goes_on(
    task: ContainerTask, org: SimulatedOrg, aws: Aws
) -> None:
    org.control.configure(bandwidth=100_000)
    name = f"certify-{uuid.uuid4().hex[:8]}"
    task.named = ("--name", name)
    process = subprocess.Popen(task.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: bool(aws.all_keys()), process)
    subprocess.run([CONTAINER, "stop", "--time", "60", name], capture_output=True, timeout=120, check=False)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143, stderr
    assert task.manifests() == []
    task.named = ()
    org.control.configure(bandwidth=None)

    done = task.run()

    assert done.returncode == 0, done.stderr
    for name in ("Contact", "Account"):
        assert task.ids(name) == Counter(row["Id"] for row in GroundTruth(org).records(name, fields=["Id"]))
