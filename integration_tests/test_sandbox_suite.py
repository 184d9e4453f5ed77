"""``make sandbox-test`` works: its tests pass against an org, and without a configuration it says what is missing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from integration_tests.documents import blocks
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from source_salesforce_bulk.config import parse_config

ROOT = Path(__file__).parents[1]


def test_the_tests_for_a_real_org_pass_against_a_simulated_one(tmp_path: Path) -> None:
    with SimulatedOrg(OrgSettings(rows=0.1, polls_until_complete=1)) as org:
        config = tmp_path / "sandbox.json"
        config.write_text(json.dumps({"credentials": org.credentials(), "login_url": org.url, "page_size": 50}))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-n", "0", "-q", "-m", "sandbox", "integration_tests/test_sandbox.py"],
            cwd=ROOT,
            env={**os.environ, "SANDBOX_CONFIG": str(config), "SANDBOX_OBJECTS": "Contact"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert re.search(r"\b7 passed", done.stdout), done.stdout[-4000:]
    assert "skipped" not in done.stdout


def test_the_configuration_on_the_page_is_one() -> None:
    (block,) = blocks("docs/sandbox.md")
    config = parse_config(json.loads(block.text))
    assert config.login_url == "https://test.salesforce.com"


def test_without_a_configuration_the_target_says_in_one_line_what_is_missing(tmp_path: Path) -> None:
    make = shutil.which("make")
    assert make
    done = subprocess.run(
        [make, "--no-print-directory", "sandbox-test", f"SANDBOX_CONFIG={tmp_path / 'none.json'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("sandbox-test: ")]
    assert "none.json" in line
    assert "docs/sandbox.md" in line
