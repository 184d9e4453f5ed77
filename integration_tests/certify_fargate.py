"""``make certify-fargate``: everything about running on Fargate that can be shown without an AWS account.

Each leg is run or skipped with a reason, and the last lines say which. Exit codes: 0 all legs ran and passed, 1 one
failed, 3 one was skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOT_SHOWN = (
    "What only a real account shows: IAM as it is enforced, the NAT gateway and Salesforce's allow list, Spot's own "
    "signals, CloudWatch reading the metrics, Glue's judgement of schemas."
)


class Skipped(Exception):
    """The leg cannot be run here; the message says why."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One part of the certification."""

    name: str
    shows: str
    run: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Result:
    """How a leg went."""

    leg: Leg
    status: str
    detail: str


def pytest_leg(*targets: str) -> Callable[[], int]:
    """A leg that is a few of the project's own tests."""
    return lambda: (
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *targets], cwd=ROOT, check=False
        ).returncode
    )


def image_leg() -> int:
    """Build the image and export through it, confined as the task definition confines it."""
    container = ROOT / ".ci" / "container"
    if not container.exists() or not (ROOT / "Dockerfile").exists():
        raise Skipped("this checkout has no Dockerfile")
    if not (shutil.which("podman") or shutil.which("docker")):
        raise Skipped("neither podman nor docker is installed")
    works = subprocess.run([container, "image", "ls"], capture_output=True, check=False)
    if works.returncode:
        raise Skipped("podman or docker is installed, but cannot run containers here")
    built = subprocess.run([ROOT / ".ci" / "image"], cwd=ROOT, check=False)
    if built.returncode:
        return built.returncode
    return pytest_leg("integration_tests/certify_fargate_image.py")()


LEGS = (
    Leg(
        "template",
        "the stack: one way out and one address, least rights, the task as the image wants it (cfn-lint, assertions)",
        pytest_leg("unit_tests/test_fargate_template.py"),
    ),
    Leg(
        "registries",
        "leases, fencing and conditional writes in DynamoDB, schema versions in Glue, files on S3 (moto)",
        pytest_leg(
            "integration_tests/test_dynamodb_state.py",
            "integration_tests/test_glue_schemas.py",
            "integration_tests/test_destination.py",
        ),
    ),
    Leg(
        "task",
        "the console script with secret, bucket, table, registry and bus; rotation, drift, busy leases (moto)",
        pytest_leg("integration_tests/test_export_aws.py"),
    ),
    Leg(
        "kills",
        "SIGKILL and SIGTERM at many moments: every row once in the files that manifests name",
        pytest_leg("integration_tests/test_export_kills.py"),
    ),
    Leg("image", "the same in the container image: user 1000, read-only root, exit codes, SIGTERM", image_leg),
)


def certify(legs: Sequence[Leg]) -> list[Result]:
    """Run the legs, one after the other."""
    results = []
    for leg in legs:
        print(f"\n== {leg.name}: {leg.shows}", flush=True)
        began = time.monotonic()
        try:
            code = leg.run()
        except Skipped as skipped:
            results.append(Result(leg, "skipped", str(skipped)))
        else:
            status = "passed" if code == 0 else "FAILED"
            results.append(Result(leg, status, f"{time.monotonic() - began:.0f} s"))
    return results


def exit_code(results: Sequence[Result]) -> int:
    """1 where a leg failed, else 3 where one was skipped, else 0."""
    statuses = {result.status for result in results}
    return 1 if "FAILED" in statuses else 3 if "skipped" in statuses else 0


def main() -> int:
    """Run everything and say what was shown."""
    os.environ.pop("PYTEST_ADDOPTS", None)
    results = certify(LEGS)
    print("\nCertification for Fargate, without AWS:\n")
    for result in results:
        print(f"  {result.status:<8} {result.leg.name:<11} {result.detail}")
    print(f"\n{NOT_SHOWN}")
    return exit_code(results)


if __name__ == "__main__":
    sys.exit(main())
