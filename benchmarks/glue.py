"""Measure the gain of reading pages in parallel on Spark: one large object, with a bandwidth for each connection.

    python -m benchmarks.glue [--rows N] [--rounds N] [--bandwidth BYTES_PER_SECOND]

The same backfill on one machine with one slot for tasks, with two, and with more than there are cores, in turn, in one
run of this program; medians are shown. The simulated org has rendered and compressed its pages before anything is
measured. Spark's start and that of its Python workers are left out: a Glue job pays them once, whatever it reads. The
ratios carry over to other machines, the seconds do not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.clients import Org, simulated_org
from integration_tests.aws import simulated_aws
from integration_tests.certify_glue import environment, java

OBJECT = "Bench__c"
SLOTS = (1, 2, 8, 16)
CLOCK = "2026-07-02T00:00:00Z"  # behind every row

# As deploy/glue/job.py does it, with folders for AWS's places, and a clock round it.
_BACKFILL = """
import json, sys, time
from pyspark.sql import SparkSession
from source_salesforce_bulk.export.export_command import ExportOptions
from source_salesforce_bulk.spark.glue import run_backfill

slots, config, folder, name = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
builder = SparkSession.builder.master(f"local[{slots},4]").config("spark.ui.enabled", "false")
builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
spark = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
spark.range(0, slots, 1, slots).mapInArrow(lambda batches: batches, "id long").count()
options = ExportOptions(config, [name], f"file://{folder}/out", "parquet", f"file://{folder}/state",
                        f"file://{folder}/schemas", "warn", None, "bench", "none")
began = time.monotonic()
code = run_backfill(spark, options, "bench/session")
seconds = time.monotonic() - began
with open(f"{folder}/out/_manifests/bench.json") as manifest:
    rows = json.load(manifest)["objects"][0]["rows"]
print(json.dumps({"code": code, "seconds": seconds, "rows": rows}))
"""


def main() -> int:
    """Measure and print the table; 0 when every run was whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--bandwidth", type=int, default=1_000_000, help="bytes a second of each connection; 0: any")
    parser.add_argument("--slots", type=int, nargs="+", default=SLOTS, help="tasks at once")
    options = parser.parse_args()
    java()
    python = environment("5.1")
    size = ("--bench-rows", str(options.rows), "--page-size", "50000")
    with simulated_org(*size, "--set", f'frozen_at="{CLOCK}"') as org, simulated_aws() as aws:
        # Executors read the session from a secret.
        aws.client("secretsmanager").create_secret(Name="bench/session")
        os.environ |= aws.environment
        # Under a frozen clock every backfill asks the same query: the first lets the org render its pages.
        backfill(python, org, options.slots[0], options.rows)
        job = org.control("jobs", object=OBJECT)[-1]
        org.control("warm", query=job["query"], operation=job["operation"])
        org.control("configure", bandwidth=options.bandwidth or None)
        runs: dict[int, list[float]] = {slots: [] for slots in options.slots}
        for _ in range(options.rounds):
            for slots in options.slots:
                runs[slots].append(backfill(python, org, slots, options.rows))
    print(heading(options))
    for line in table({slots: statistics.median(seconds) for slots, seconds in runs.items()}, options.rows):
        print(line)
    return 0


def backfill(python: Path, org: Org, slots: int, rows: int) -> float:
    """Seconds that one backfill took; ends the program where a row is missing."""
    folder = Path(tempfile.mkdtemp(prefix="bench-glue-"))
    config = org.file("glue.json", org.config())
    try:
        done = subprocess.run(
            [python, "-c", _BACKFILL, str(slots), str(config), str(folder), OBJECT],
            env={**os.environ, "PYSPARK_PYTHON": str(python)},
            capture_output=True,
            text=True,
            check=False,
        )
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
        if said.get("code") != 0 or said["rows"] != rows:
            raise SystemExit(f"a backfill with {slots} slots was not whole: {said}\n{done.stderr[-2000:]}")
        print(f"{slots} slots: {said['seconds']:.1f} s", file=sys.stderr)
        return float(said["seconds"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def heading(options: argparse.Namespace) -> str:
    """When, where, and the command that was run."""
    processors, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {processors} cores, load {load:.1f} at the end\n\n"
        f"`python -m benchmarks.glue --rows {options.rows} --rounds {options.rounds} --bandwidth {options.bandwidth}`\n"
    )


def table(seconds: dict[int, float], rows: int) -> Sequence[str]:
    """The results in Markdown; the others are compared with the first."""
    least, one = next(iter(seconds.items()))
    lines = [f"| Spark | seconds | rows/s | against local[{least}] |", "| --- | ---: | ---: | ---: |"]
    return lines + [
        f"| local[{slots}] | {taken:.1f} | {rows / taken:,.0f} | {one / taken:.2f} x |"
        for slots, taken in seconds.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
