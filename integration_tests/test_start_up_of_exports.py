"""The modules that an export loads. Pyarrow imports pandas wherever it is installed, unless that is prevented."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from integration_tests.exporter import Exporter
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

_PROGRAM = "from source_salesforce_bulk.export.main import run; run()"


def loaded_by_an_export(folder: Path) -> set[str]:
    """The modules that the program has imported, by Python's own account."""
    with SimulatedOrg(OrgSettings(polls_until_complete=1)) as org:
        exporter = Exporter(org, folder)
        program = [sys.executable, "-X", "importtime", "-c", _PROGRAM]
        options = exporter.arguments(["Awkward__c"])[1:]
        done = subprocess.run([*program, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [path for path in (exporter.destination / "Awkward__c").rglob("*") if path.is_file()]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def test_parquet_is_written_without_pandas(tmp_path: Path) -> None:
    assert importlib.util.find_spec("pandas") is not None
    loaded = loaded_by_an_export(tmp_path)
    assert "pyarrow.parquet" in loaded
    assert "pandas" not in loaded
