"""The Glue job as `make certify-glue` runs it: deploy/glue/job.py through spark-submit, as Glue does, on one machine.

Fakes replace what only Glue has: a stub that records its calls replaces the JVM class behind `awsglue.job.Job`, moto
replaces AWS, and a folder replaces S3 as destination.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from integration_tests.aws import REGION, REGISTRY, SECRET, TABLE, Aws
from integration_tests.exporter import Exporter
from integration_tests.simulated_org import SimulatedOrg

ROOT = Path(__file__).parents[1]
SESSION_SECRET = "prod/session"
PYTHON = os.environ.get("GLUE_PYTHON", "")
"""The interpreter of an environment with Spark, awsglue and the job's wheels; `make certify-glue` makes it."""

_JOB_CLASS = """
package com.amazonaws.services.glue.util;

import java.util.Map;

/** Stands in for the class of the Glue ETL library, which only Glue has. */
public final class Job {
    private static boolean initialized = false;

    public static void init(String name, Object session, Map<String, ?> arguments) {
        initialized = true;
        System.err.println("STUB init " + name);
    }

    public static boolean isInitialized() { return initialized; }

    public static void commit() { System.err.println("STUB commit"); }
}
"""


def build_stub(folder: Path) -> Path:
    """The jar with the stub."""
    source = folder / "com" / "amazonaws" / "services" / "glue" / "util" / "Job.java"
    source.parent.mkdir(parents=True)
    source.write_text(_JOB_CLASS, encoding="utf-8")
    subprocess.run(["javac", "-Xlint:-options", "--release", "8", source], check=True, cwd=folder)
    jar = folder / "glue-stub.jar"
    subprocess.run(["jar", "cf", jar, "com"], check=True, cwd=folder)
    return jar


class SparkJob(Exporter):
    """Runs the job against one org; reads what it brought from manifests, as every export is read."""

    def __init__(self, org: SimulatedOrg, folder: Path, aws: Aws, stub: Path, **config: Any) -> None:
        super().__init__(org, folder, **config)
        self.aws = aws
        self.stub = stub
        self.cores = 2
        folder.mkdir(parents=True, exist_ok=True)
        secrets = aws.client("secretsmanager")
        secrets.create_secret(Name=SECRET, SecretString=json.dumps(self.config))
        secrets.create_secret(Name=SESSION_SECRET)

    @property
    def places(self) -> list[str]:
        """The arguments that name where rows, state and schemas go."""
        places = ["--destination", self.destination.as_uri()]
        return [*places, "--state", f"dynamodb://{TABLE}", "--schemas", f"glue://{REGISTRY}"]

    def command(self, objects: Sequence[str], *more: str) -> list[str]:
        """As Glue calls the script: its own arguments before and behind the user's."""
        self.runs += 1
        # A job that runs on one machine gives up at the first failed task, unless it is told that it may have four.
        spark = [
            *("--master", f"local[{self.cores},4]", "--jars", str(self.stub), "--driver-class-path", str(self.stub)),
            *("--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1"),
            *("--conf", "spark.driver.bindAddress=127.0.0.1", "--conf", "spark.driver.memory=1g"),
            *("--conf", "spark.io.encryption.enabled=true"),  # as deploy/glue/template.yaml has it
        ]
        glues = [
            *("--JOB_ID", "j_0123456789", "--JOB_RUN_ID", f"jr_{self.runs:04d}", "--JOB_NAME", "backfill"),
            *("--job-bookmark-option", "job-bookmark-disable", "--TempDir", self.folder.as_uri()),
            *("--enable-metrics", "true", "--custom-logGroup-prefix", "/aws-glue/backfill"),
        ]
        ours = [
            *("--secret-id", SECRET, "--session-secret", SESSION_SECRET),
            *("--objects", ",".join(objects), *self.places, *more),
        ]
        submit = Path(PYTHON).with_name("spark-submit")
        return [str(submit), *spark, str(ROOT / "deploy" / "glue" / "job.py"), *glues, *ours]

    @property
    def environment(self) -> dict[str, str]:
        """Return the address of AWS, and the Python that executors start."""
        return {**os.environ, **self.aws.environment, "PYSPARK_PYTHON": PYTHON, "PYSPARK_DRIVER_PYTHON": PYTHON}

    def submit(self, objects: Sequence[str], *more: str) -> subprocess.CompletedProcess[str]:
        """The job to its end."""
        process = self.submitted(objects, *more)
        stdout, _ = process.communicate(timeout=500)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout)

    def submitted(self, objects: Sequence[str], *more: str) -> subprocess.Popen[str]:
        """The job under way; the caller ends it. spark-submit mixes what the script says on stdout and stderr."""
        return subprocess.Popen(
            self.command(objects, *more),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


class TableJob(SparkJob):
    """Runs the job with tables as its destination."""

    def __init__(self, org: SimulatedOrg, folder: Path, aws: Aws, stub: Path, destination: Sequence[str]) -> None:
        super().__init__(org, folder, aws, stub)
        self._places = list(destination)

    @property
    def places(self) -> list[str]:
        """See :class:`SparkJob`."""
        return self._places

    @property
    def environment(self) -> dict[str, str]:
        """See :class:`SparkJob`. pyiceberg does not look for S3 where boto3 does."""
        s3 = {"ENDPOINT": self.aws.url, "REGION": REGION}
        named = {f"PYICEBERG_CATALOG__LAKE__S3__{name}": value for name, value in s3.items()}
        return {**super().environment, **named}


def kill_workers(ancestor: int) -> int:
    """SIGKILL for every Python worker of Spark's below the process; how many there were."""
    parents = _parents()
    workers = [pid for pid, parent in parents.items() if _is_daemon(pid) and _is_daemon(parent)]
    ours = [pid for pid in workers if _descends(pid, ancestor, parents)]
    for pid in ours:
        os.kill(pid, signal.SIGKILL)
    return len(ours)


def _parents() -> dict[int, int]:
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                status = (folder / "stat").read_text()
            except OSError:
                continue
            found[int(folder.name)] = int(status.rpartition(")")[2].split()[1])
    return found


def _is_daemon(pid: int) -> bool:
    """A worker is forked from Spark's daemon and has its command line."""
    try:
        return b"pyspark.daemon" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _descends(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid in parents and pid != ancestor:
        pid = parents[pid]
    return pid == ancestor
