"""The modules that starting a command loads. ``make bench`` measures how long it takes."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = ("pandas", "numpy", "pyarrow", "pyspark", "polars")


def modules_after(code: str, *hidden: str) -> set[str]:
    """The modules that are loaded when ``code`` has run, where those in ``hidden`` cannot be imported."""
    script = (
        "import json, sys\n"
        f"sys.modules.update(dict.fromkeys({hidden!r}))\n"
        f"{code}\n"
        "print(json.dumps([name for name, module in sys.modules.items() if module is not None]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_airbyte_path_needs_nothing_of_the_other_runners():
    """boto3 is hidden because requests-cache, a dependency of the CDK, loads it if it is installed."""
    loaded = modules_after("import source_salesforce_bulk.airbyte.entrypoint", "boto3", "botocore", "rich", *HEAVY)
    assert "airbyte_cdk" in loaded


def test_the_airbyte_path_loads_no_engine_for_tables():
    assert not modules_after("import source_salesforce_bulk.airbyte.entrypoint") & set(HEAVY)


def test_spec_starts_without_the_cdk():
    loaded = modules_after("import source_salesforce_bulk.run")
    assert not loaded & {"airbyte_cdk", "pydantic", "requests", "boto3", *HEAVY}
