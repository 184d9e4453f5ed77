"""The script of the AWS Glue job: a backfill from Salesforce to files or tables, with the state of an export.

Job arguments, as ``salesforce-bulk export`` has them (docs/glue.md):

    --secret-id       name or ARN of the secret with the connector's configuration; the secret itself never stands here
    --session-secret  name or ARN of a secret through which executors are handed the Salesforce session
    --objects         objects to take, by name or pattern, separated by commas
    --destination     s3://BUCKET/PREFIX for files, iceberg://CATALOG/NAMESPACE for tables
    --state           dynamodb://TABLE; tables need none
    --schemas         glue://REGISTRY; tables need none
    --warehouse       s3://BUCKET/PREFIX: CATALOG is the Glue Data Catalog, and new tables are made there
    --tables          both (where it is not given), log or current
    --history         true: also a table of every version
    --keep-deleted    true: deleted rows stay in the current tables
    --on-drift        warn (where it is not given) or fail
    --event-bus       the EventBridge bus that schema changes are sent to; may be left out
    --metrics         none (where it is not given) or emf

No name begins with ``conf``: Glue's own ``--conf`` would be taken for its abbreviation.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, Sequence

from awsglue.job import Job
from awsglue.utils import getResolvedOptions
from pyspark.sql import SparkSession

from source_salesforce_bulk.export.export_command import ExportOptions
from source_salesforce_bulk.spark.glue import run_backfill

REQUIRED = ("JOB_NAME", "secret-id", "session-secret", "destination")
OPTIONAL = ("state", "schemas", "objects", "event-bus", "metrics", "warehouse")

# The arguments with a few values; the first one holds where the argument is not given.
CHOICES: Mapping[str, Sequence[str]] = {
    "on-drift": ("warn", "fail"),
    "tables": ("both", "log", "current"),
    "history": ("false", "true"),
    "keep-deleted": ("false", "true"),
}

# The error message of a failed run, by the export's exit code.
ENDINGS: Mapping[int, str] = {
    1: "A defect of salesforce-bulk: please report the log. Everything exported so far is kept.",
    2: "The configuration, the job's arguments or the org's permissions have to be corrected first.",
    3: "Some objects failed permanently, the others are complete.",
    75: "A temporary failure. Nothing is lost: run the job again, and it continues where it stopped.",
}


class BackfillFailed(Exception):
    """The job run has failed; Glue shows this text as its error message."""


def read_options(argv: Sequence[str]) -> tuple[Mapping[str, str], ExportOptions]:
    """Return the job's arguments and the export's options; raises the errors of ``getResolvedOptions``."""
    given = [name for name in (*OPTIONAL, *CHOICES) if f"--{name}" in argv]
    arguments = getResolvedOptions(list(argv), [*REQUIRED, *given])
    return arguments, ExportOptions(
        config=f"secretsmanager://{arguments['secret_id']}",
        objects=tuple(name.strip() for name in arguments.get("objects", "").split(",") if name.strip()),
        destination=arguments["destination"],
        format_name="parquet",
        state=arguments.get("state"),
        schemas=arguments.get("schemas"),
        on_drift=_chosen(arguments, "on-drift"),
        event_bus=arguments.get("event_bus"),
        # Manifests and logs then carry the id that Glue's console shows.
        run_id=arguments.get("JOB_RUN_ID"),
        metrics=arguments.get("metrics", "none"),
        tables=_chosen(arguments, "tables"),
        history=_chosen(arguments, "history") == "true",
        keep_deleted=_chosen(arguments, "keep-deleted") == "true",
    )


def _chosen(arguments: Mapping[str, str], name: str) -> str:
    """Return the value of an argument of ``CHOICES``; raises :class:`BackfillFailed`."""
    *others, last = CHOICES[name]
    value = arguments.get(name.replace("-", "_"), CHOICES[name][0])
    if value not in CHOICES[name]:
        raise BackfillFailed(f"--{name} takes {', '.join(others)} or {last}, and not {value}.")
    return value


def catalog_settings(destination: str, warehouse: str) -> Mapping[str, str]:
    """Return pyiceberg's settings for the catalog that ``destination`` names, as environment variables."""
    name = destination.removeprefix("iceberg://").partition("/")[0].upper()
    return {f"PYICEBERG_CATALOG__{name}__TYPE": "glue", f"PYICEBERG_CATALOG__{name}__WAREHOUSE": warehouse}


def main() -> None:
    """Run the job; raises :class:`BackfillFailed` where the export's exit code is not 0."""
    # Before Spark logs anything: one line for each call into the JVM helps no one.
    logging.getLogger("py4j").setLevel(logging.WARNING)
    arguments, options = read_options(sys.argv)
    if "warehouse" in arguments:
        os.environ |= catalog_settings(options.destination, arguments["warehouse"])
    spark = SparkSession.builder.getOrCreate()
    job = Job(spark)
    job.init(arguments["JOB_NAME"], arguments)
    code = run_backfill(spark, options, arguments["session_secret"])
    if code:
        ending = ENDINGS.get(code, "The run was stopped. Run the job again, and it continues where it stopped.")
        raise BackfillFailed(f"{ending} The log says which object, why, and what to do (exit code {code}).")
    job.commit()


if __name__ == "__main__":
    main()
