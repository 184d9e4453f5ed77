"""``make certify-glue``: test everything about backfills on AWS Glue that does not need an AWS account.

It sets up by itself what it needs: below ``build`` an environment for each Glue release with Glue's own versions, into
which the job's wheels are installed without a package index, in those of 5.1 and 6.0 with Spark; and Java, where this
is root.

Its arguments are legs to run, by name; all of them by default. Exit codes are ``certification``'s.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from integration_tests.certification import ROOT, CannotRun, Leg, certify, chosen, pytest_leg, report

BUILD = ROOT / "build"
GLUES_JAVA = 17
"""Spark 3.5 wants one up to it, Spark 4.1 one from it on."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release of Glue, as far as an environment can be like it."""

    lock: str
    python: str


RELEASES = {
    "5.0": Release("requirements/glue50.txt", "3.11"),
    "5.1": Release("requirements/glue.txt", "3.11"),
    "6.0": Release("requirements/glue60.txt", "3.13"),
}

ICEBERG_RUNTIMES = {"5.1": "org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:1.10.2"}

NOT_SHOWN = (
    "What only a real account shows: Spark's own writer on S3 and its committers, IAM as it is enforced, the network "
    "connection and the NAT gateway, executors on machines of their own and how they scale, CloudWatch reading logs "
    "and metrics, Glue's judgement of schemas, Glue's real Job class (a stub stood in for it)."
)


@cache
def wheels() -> Path:
    """The job's zip of wheels, unpacked; built anew."""
    folder = BUILD / "glue-wheels"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, ROOT / "deploy" / "glue" / "build_wheels.py", "--out", folder]
    subprocess.run(command, check=True)
    (archive,) = folder.glob("*.gluewheels.zip")
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    return folder / "wheels"


@cache
def environment(release: str) -> Path:
    """The interpreter of an environment like that Glue release's, with the job's wheels in it; raises CannotRun."""
    like = RELEASES[release]
    python = interpreter(like.python)
    folder, lock = BUILD / f"glue-{release}", ROOT / like.lock
    stamp = folder / ".lock"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        made = {**os.environ, "PYTHON": python, "VENV": str(folder), "LOCK": like.lock}
        subprocess.run([ROOT / ".ci" / "setup"], env=made, check=True)
        stamp.write_bytes(lock.read_bytes())
    pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index"]
    own = sorted(wheels().glob("source_salesforce_bulk*.whl"))
    listed = ["--find-links", wheels(), "-r", wheels() / "requirements.txt"]
    # As Glue installs the zip; and once more our own wheels, whose version stays while their code changes.
    subprocess.run([*pip, *listed], check=True)
    subprocess.run([*pip, "--force-reinstall", "--no-deps", *own], check=True)
    return folder / "bin" / "python"


def interpreter(version: str) -> str:
    """A Python of that version on this machine: Glue's own, and no other, because packages are made for it."""
    found = subprocess.run([ROOT / ".ci" / "python-at-hand", version], capture_output=True, text=True, check=False)
    if found.returncode:
        raise CannotRun(f"this release of Glue has Python {version}, and none was found on this machine")
    return found.stdout.strip()


def java() -> None:
    """See that there is a Java with a compiler, installing one where this is root; raises CannotRun."""
    if not shutil.which("javac") and shutil.which("apt-get") and os.geteuid() == 0:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "-qq", "update"], env=quiet, check=False)
        install = ["apt-get", "-qq", "install", "--no-install-recommends", f"openjdk-{GLUES_JAVA}-jdk-headless"]
        subprocess.run(install, env=quiet, check=False)
    if not shutil.which("javac"):
        raise CannotRun(f"Spark needs Java: install openjdk-{GLUES_JAVA}-jdk-headless, or run this as root")
    told = subprocess.run(["javac", "-version"], capture_output=True, text=True, check=False)
    version = re.search(r"javac (\d+)", told.stdout + told.stderr)
    if version is None or int(version[1]) != GLUES_JAVA:
        raise CannotRun(f"Glue has Java {GLUES_JAVA}, and this machine's is {version[1] if version else 'unknown'}")


@cache
def iceberg_runtime(release: str) -> Path:
    """The jar of Iceberg's own runtime for that release's Spark, from Maven Central; raises CannotRun."""
    artifact = ICEBERG_RUNTIMES[release]
    _, name, version = artifact.split(":")
    jar = BUILD / "jars" / f"{name}-{version}.jar"
    if not jar.exists():
        if not shutil.which("mvn"):
            raise CannotRun("Iceberg's runtime for Spark comes from Maven Central: install Maven")
        command = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={jar.parent}"]
        if subprocess.run(command, cwd=BUILD, check=False).returncode:
            raise CannotRun(f"Maven could not fetch {artifact}")
    return jar


def glue_leg(release: str, target: str, *, spark: bool = False, tables: bool = False) -> Callable[[], int]:
    """Tests that use an environment like a Glue release's, with Iceberg's runtime if they try ``tables``."""

    def run() -> int:
        if spark:
            java()
        os.environ |= _told(release)
        if tables:
            os.environ["ICEBERG_RUNTIME"] = str(iceberg_runtime(release))
        return pytest_leg(target)()

    return run


def _told(release: str) -> Mapping[str, str]:
    return {"GLUE_PYTHON": str(environment(release)), "GLUE_RELEASE": release}


LEGS = (
    Leg(
        "template",
        "the stack: job, connection, least rights, no secret in an argument (cfn-lint, assertions)",
        pytest_leg("unit_tests/test_glue_template.py", "unit_tests/test_glue_job.py"),
    ),
    Leg(
        "waves",
        "pages in waves: lost tasks and jobs, ended sessions, orgs without page lists; equal to Airbyte and export",
        pytest_leg("integration_tests/test_backfill.py"),
    ),
    Leg(
        "s3",
        "staged files become an export's on S3, the session reaches executors through a secret (moto, without Spark)",
        pytest_leg("integration_tests/test_staging_s3.py", "integration_tests/test_shared_session.py"),
    ),
    Leg(
        "wheels-5.0",
        "the zip installs without a package index beside Glue 5.0's versions, and an executor runs with them",
        glue_leg("5.0", "integration_tests/certify_glue_wheels.py"),
    ),
    Leg(
        "wheels-5.1",
        "the same beside Glue 5.1's versions",
        glue_leg("5.1", "integration_tests/certify_glue_wheels.py"),
    ),
    Leg(
        "wheels-6.0",
        "the same on Python 3.13, beside the versions that Glue 6.0 is assumed to have",
        glue_leg("6.0", "integration_tests/certify_glue_wheels.py"),
    ),
    Leg(
        "spark-5.1",
        "the job itself on Spark 3.5.6: rows, a killed worker, a failing page, drift, an ended session, walked pages",
        glue_leg("5.1", "integration_tests/certify_glue_spark.py", spark=True),
    ),
    Leg(
        "tables-5.1",
        "the job into Iceberg tables: rows, killed workers and drivers, Glue's catalog; read by Iceberg's own runtime",
        glue_leg("5.1", "integration_tests/certify_glue_tables.py", spark=True, tables=True),
    ),
    Leg(
        "spark-6.0",
        "the same on Spark 4.1.1 and Python 3.13",
        glue_leg("6.0", "integration_tests/certify_glue_spark.py", spark=True),
    ),
    Leg(
        "source-6.0",
        'format("salesforce_bulk") on Spark 4.1.1: rows, killed workers, pushed filters, increments, the notebook',
        glue_leg("6.0", "integration_tests/certify_spark_source.py", spark=True),
    ),
)


def main() -> int:
    """Run the legs that are asked for and say what was shown."""
    os.environ.pop("PYTEST_ADDOPTS", None)
    results = certify(chosen(LEGS, sys.argv[1:]))
    return report("Certification for Glue, without AWS", results, LEGS, NOT_SHOWN)


if __name__ == "__main__":
    sys.exit(main())
