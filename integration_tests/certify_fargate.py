"""``make certify-fargate``: test everything about Fargate that does not need an AWS account.

Its arguments are legs to run, by name; all of them by default. Exit codes are ``certification``'s.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from integration_tests.certification import ROOT, CannotRun, Leg, certify, chosen, pytest_leg, report

NOT_SHOWN = (
    "What only a real account shows: IAM as it is enforced, the NAT gateway and Salesforce's allow list, Spot's own "
    "signals, CloudWatch reading the metrics, Glue's judgement of schemas."
)


def image_leg() -> int:
    """Build the image, as ``make image`` does, and export through it, confined as the task definition confines it."""
    works = subprocess.run([ROOT / ".ci" / "container", "image", "ls"], capture_output=True, check=False)
    if works.returncode and not (os.geteuid() == 0 and shutil.which("apt-get")):
        raise CannotRun("no docker daemon and no podman works here, and only root on Debian or Ubuntu can install one")
    built = subprocess.run([ROOT / ".ci" / "image"], cwd=ROOT, check=False)
    if built.returncode:
        return built.returncode
    return pytest_leg("integration_tests/certify_fargate_image.py")()


LEGS = (
    Leg(
        "template",
        "the stack: one way out and one address, least rights, the task as the image wants it (cfn-lint, assertions), "
        "retries under the same run id, and the commands of docs/export.md",
        pytest_leg(
            "unit_tests/test_fargate_template.py",
            "unit_tests/test_export_machine.py",
            "unit_tests/test_deploy_documentation.py",
        ),
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


def main() -> int:
    """Run the legs that are asked for and say what was shown."""
    os.environ.pop("PYTEST_ADDOPTS", None)
    results = certify(chosen(LEGS, sys.argv[1:]))
    return report("Certification for Fargate, without AWS", results, LEGS, NOT_SHOWN)


if __name__ == "__main__":
    sys.exit(main())
