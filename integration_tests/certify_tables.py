"""``make certify-tables``: Iceberg tables in catalogs, stores and readers of others, without an AWS account.

It sets up by itself what it needs, below ``build``: SeaweedFS, and a DuckDB with its extension for Iceberg. Its
arguments are legs to run, by name; all of them by default. Exit codes are ``certification``'s.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from integration_tests.certification import ROOT, CannotRun, Leg, certify, chosen, pytest_leg, report

_LOCK = "requirements/tables.txt"

NOT_SHOWN = (
    "What only a real account shows: Glue's own limits and rights, S3 as AWS runs it, Lake Formation, and Athena, "
    "Snowflake and Databricks as readers."
)


@cache
def environment() -> Path:
    """The folder of programs of an environment with what the legs use; raises CannotRun."""
    folder = ROOT / "build" / "tables"
    stamp = folder / ".lock"
    if not stamp.exists() or stamp.read_bytes() != (ROOT / _LOCK).read_bytes():
        environment = {**os.environ, "VENV": str(folder), "LOCK": _LOCK}
        made = subprocess.run([ROOT / ".ci" / "setup"], env=environment, capture_output=True, text=True, check=False)
        if made.returncode:
            again = f"VENV=build/{folder.name} LOCK={_LOCK} .ci/setup"
            raise CannotRun(f"SeaweedFS and DuckDB could not be installed from the package index; `{again}` says why")
        stamp.write_bytes((ROOT / _LOCK).read_bytes())
    return folder / "bin"


def with_programs(*targets: str) -> Callable[[], int]:
    """A leg whose tests find SeaweedFS and DuckDB."""

    def run() -> int:
        os.environ |= {"WEED": str(environment() / "weed"), "TABLES_PYTHON": str(environment() / "python")}
        return pytest_leg("-n", "0", *targets)()

    return run


LEGS = (
    Leg(
        "glue",
        "a Glue catalog and S3 (moto, with Glue's check of versions): changes, full refresh, clean-up, two writers",
        pytest_leg("-n", "0", "integration_tests/test_table_catalogs.py", "-k", "glue"),
    ),
    Leg(
        "seaweed",
        "the same in SeaweedFS's S3 and REST catalog, read by DuckDB's extension too; the catalog goes away",
        with_programs("integration_tests/test_table_catalogs.py", "-k", "seaweed or goes_away"),
    ),
    Leg(
        "duckdb",
        "every object of the simulated org in embedded tables, read by DuckDB's extension for Iceberg",
        with_programs("integration_tests/test_table_values.py"),
    ),
)


def main() -> int:
    """Run the legs that are asked for and say what was shown."""
    os.environ.pop("PYTEST_ADDOPTS", None)
    results = certify(chosen(LEGS, sys.argv[1:]))
    return report("Certification of tables, without AWS", results, LEGS, NOT_SHOWN)


if __name__ == "__main__":
    sys.exit(main())
