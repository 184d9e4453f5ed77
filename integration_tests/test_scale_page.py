"""docs/scale.md: what it says of a billion rows is what ``plan`` prints, and its arithmetic is right."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from source_salesforce_bulk.spark.waves import SESSION_LIFE

PAGE = (Path(__file__).parents[1] / "docs" / "scale.md").read_text(encoding="utf-8")
ROWS = 1_000_000_000
COMPRESSED = 0.39  # of the CSV's size, as in the benchmark's pages
GLUE_WORKER, FARGATE_TASK, NAT_GB = 0.44, 0.20, 0.045  # dollars: an hour, an hour, a GB


def table(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    text = re.split(r"^## ", PAGE.split(f"## {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def number(cell: str) -> float:
    return float(cell.replace(",", ""))


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the output of ``plan --json`` for the object."""
    folder = tmp_path_factory.mktemp("plan")
    with SimulatedOrg(OrgSettings(planned_rows={"Account": ROWS}, object_list="real")) as org:
        config = {"credentials": org.credentials("refresh_token"), "login_url": org.url, "objects": ["Account"]}
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        script = Path(sys.executable).with_name("salesforce-bulk")
        command = [script, "plan", "--config", folder / "config.json", "--state", (folder / "state").as_uri(), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    plan: dict[str, Any] = json.loads(done.stdout)
    return plan


def test_the_first_table_is_what_plan_prints(planned: dict[str, Any]) -> None:
    (each,) = planned["objects"]
    limits = planned["limits"]
    expected = {
        "rows": (each["rows"], None),
        "query jobs": (each["jobs"], limits["DailyBulkV2QueryJobs"]["maximum"]),
        "result pages of 50,000 rows": (each["pages"], None),
        "API calls": (planned["totals"]["api_calls"], limits["DailyApiRequests"]["maximum"]),
        "MB of results": (each["megabytes"], limits["DailyBulkV2QueryFileStorageMB"]["maximum"]),
    }
    written = {
        what: (number(amount), None if most == "-" else number(most))
        for what, amount, most in table("What `plan` says")
    }
    assert written == expected
    assert planned["verdict"] == "would finish"


def test_hours_and_dollars_are_calculated_from_it(planned: dict[str, Any]) -> None:
    gigabytes = planned["totals"]["megabytes"] / 1000 * COMPRESSED
    assert f"{gigabytes:.0f} GB through that many" in PAGE
    assert f"{gigabytes * NAT_GB:.2f} for {gigabytes:.0f} GB" in PAGE
    rows = table("How long it takes, and what it costs")
    assert len(rows) == 4
    for machine, slots, *cells in rows:
        workers = re.search(r"(\d+) workers", machine)
        assert int(slots) == (8 if workers is None else 4 * (int(workers[1]) - 1))
        price = FARGATE_TASK if workers is None else GLUE_WORKER * int(workers[1])
        hours = [gigabytes * 1000 / (speed * int(slots)) / 3600 for speed in (1, 5)]
        dollars = [each * price + gigabytes * NAT_GB for each in hours]
        assert cells == [f"{each:.1f}" for each in hours] + [f"{each:.0f}" for each in dollars], machine


def test_the_waves_are_those_of_glue(planned: dict[str, Any]) -> None:
    page_seconds = planned["totals"]["megabytes"] * COMPRESSED / planned["objects"][0]["pages"]  # at 1 MB/s
    of_slot = int(SESSION_LIFE / 2 / page_seconds)
    waves = -(-planned["objects"][0]["pages"] // (36 * of_slot))
    assert f"a wave has {of_slot} pages for each slot" in PAGE
    assert f"the billion rows are {waves} waves" in PAGE
