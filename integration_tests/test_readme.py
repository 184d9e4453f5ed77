"""The README and the pages it leads to are correct: their commands work, and their links exist."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_tests.documents import runnable
from integration_tests.simulated_org import SimulatedOrg

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BY_HAND = ("README.md", "docs/first-export.md", "docs/airbyte-protocol.md")
HAND_RUN = [text for page in BY_HAND for text in runnable(page, "sh") if "docker run" not in text]


@pytest.fixture
def script(org: SimulatedOrg) -> str:
    """Every command of "By hand", told where this test's org and this test's interpreter are."""
    bin_directory = Path(sys.executable).parent
    return "\n".join(HAND_RUN).replace("http://localhost:8080", org.url).replace(".venv/bin/", f"{bin_directory}/")


def test_the_commands_by_hand_do_what_the_page_says(script: str, org: SimulatedOrg, tmp_path: Path) -> None:
    # However fast the machine is, each change lies a second behind the login of the next command.
    for login in range(3, 9):
        org.control.when("token", "advance_clock", {"seconds": 2}, nth=login)

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert '{"type": "SPEC"' in done.stdout
    assert "300" in printed
    assert '"type":"CATALOG"' in done.stdout
    assert re.search(r'"CONNECTION_STATUS","connectionStatus":\{"status":"SUCCEEDED"', done.stdout)
    assert re.search(r"^Account +1 +1 .*\nContact +0 +0 ", done.stdout, re.MULTILINE)
    assert re.search(r"Account 000007 .* 1000\.0 ", done.stdout)
    assert sum(map(int, re.findall(r"^│ \w+ +│ +(\d+) │$", done.stdout, re.MULTILINE))) == 292
    (changed,) = [json.loads(line) for line in printed if line.startswith('{"type":"RECORD"')]
    assert changed["record"]["data"].items() >= {"Name": "Account 000007", "AnnualRevenue": 1000.0}.items()
    manifests = sorted((tmp_path / "out" / "export" / "_manifests").iterdir())
    first, second = (json.loads(manifest.read_text(encoding="utf-8"))["objects"] for manifest in manifests)
    assert {one["object"]: one["rows"] for one in first} == {"Account": 300, "Contact": 2500}
    assert {one["object"]: one["rows"] for one in second} == {"Account": 1, "Contact": 0}
    assert (tmp_path / "out" / "report.html").exists()


def test_it_says_how_to_start_the_simulated_org() -> None:
    assert "\n.venv/bin/python -m integration_tests.simulated_org --port 8080\n" in README


def test_every_make_target_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE))
    assert {"demo", "test", "setup"} <= named <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def links() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                yield str(page.relative_to(ROOT)), target


@pytest.mark.parametrize(("page", "target"), list(links()))
def test_a_link_leads_somewhere(page: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    file = (ROOT / page).parent / path if path else ROOT / page
    assert file.exists()
    if anchor:
        headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
