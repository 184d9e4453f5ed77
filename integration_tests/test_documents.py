"""Every command in the documentation is run by a test, or is listed with the reason why not."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from integration_tests.documents import NOT_RUN, ROOT, RUN_BY_OTHERS, TRIED, blocks, pages, runnable
from integration_tests.exporter import SCRIPT, Exporter
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from source_salesforce_bulk.export.cli import commands

ALL = [block for page in pages() for block in blocks(page)]
# It answers like a stack whose outputs are their own names. What the others would do is not these pages' matter.
AWS = """#!/bin/sh
case "$*" in
    *describe-stacks*) printf '%s' "$*" | sed "s/.*OutputKey=='\\([A-Za-z]*\\)'.*/\\1/" ;;
    *describe-task-definition*|*describe-addresses*) echo '{}' ;;
    *get-caller-identity*) echo 123456789012 ;;
    *get-login-password*) echo password ;;
esac
"""


def test_every_block_is_run_or_has_a_reason() -> None:
    for block in ALL:
        assert block.language, f"{block.page}: a block without a language: {block.first_line}"
        known = block.language in RUN_BY_OTHERS or block.first_line in NOT_RUN or (block.page, block.language) in TRIED
        assert known, f"{block.page}: no test runs {block.first_line!r}"


def test_the_lists_name_blocks_that_are_there_and_tests_that_read_them() -> None:
    assert set(NOT_RUN) <= {block.first_line for block in ALL}
    left = {(block.page, block.language) for block in ALL if block.first_line not in NOT_RUN}
    assert set(TRIED) <= left
    for (page, _), module in TRIED.items():
        assert Path(page).name in (ROOT / module).read_text(encoding="utf-8")


@pytest.mark.parametrize("block", [one for one in ALL if one.language == "sh"], ids=lambda one: one.first_line[:40])
def test_a_block_for_a_shell_is_one(block: object) -> None:
    text = getattr(block, "text", "")
    done = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("text", [one.text for one in ALL if one.language == "python"])
def test_a_block_in_python_is_python(text: str) -> None:
    ast.parse(text)


def command_lines() -> Iterator[tuple[str, str]]:
    """Every command line of ``salesforce-bulk`` on any page, in a block or in a sentence."""
    for page in pages():
        text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(
            r"(?:^|[ /`])salesforce-bulk ((?:[a-z-]+ )*--?[^`\n]*|[a-z]+(?: [a-z]+)?)(?=[`\n])", text
        ):
            yield page, line


@pytest.mark.parametrize(("page", "line"), [one for one in command_lines() if one[0] != "CHANGELOG.md"])
def test_a_command_line_has_a_command_and_options_that_exist(page: str, line: str) -> None:
    words = shlex.split(line.partition("; ")[0].replace("'", "").replace('"', ""), comments=True)
    command: click.Command = commands
    while words and isinstance(command, click.Group) and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    assert command is not commands or words[0].startswith("--"), line
    known = {name for parameter in command.params for name in parameter.opts} | {"--help", "-h", "--version"}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    with SimulatedOrg(OrgSettings(polls_until_complete=1, frozen_at="2026-11-24T08:00:00Z")) as simulated:
        yield simulated


def pasted(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run commands in ``folder``, where ``aws``, ``make`` and the container's program are stand-ins."""
    stand_ins = folder / "stand-ins"
    (folder / ".ci").mkdir(exist_ok=True)
    stand_ins.mkdir(exist_ok=True)
    for path in (stand_ins / "aws", stand_ins / "make", stand_ins / "docker", folder / ".ci" / "container"):
        path.write_text(AWS if path.name == "aws" else "#!/bin/sh\ncat\n", encoding="utf-8")
        path.chmod(0o755)
    bash = shutil.which("bash")
    assert bash
    return subprocess.run(
        [bash, "-euo", "pipefail", "-c", text],
        cwd=folder,
        env={"PATH": f"{stand_ins}:{SCRIPT.parent}:/usr/bin:/bin", "HOME": str(folder), "image": "registry/x:1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


@pytest.mark.parametrize("page", ["docs/export.md", "docs/glue.md", "docs/nat-allowlist.md", "docs/salesforce-bulk.md"])
def test_commands_for_aws_and_containers_run_with_stand_ins(page: str, tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "x-1.gluewheels.zip").touch()
    texts = [text for text in runnable(page, "sh") if re.search(r"\b(aws|make|docker|openssl|start)\b", text)]
    assert texts

    done = pasted("\n".join(texts), tmp_path)

    assert done.returncode == 0, done.stderr
    if "openssl" in "\n".join(texts):
        assert (tmp_path / "private.pem").read_text().startswith("-----BEGIN PRIVATE KEY-----")


def test_an_export_goes_as_its_page_says(org: SimulatedOrg, tmp_path: Path) -> None:
    """docs/export.md: an export, its plan, its verification, its report, and the same by a job file."""
    lines = [f"{row['Id']},{row['SystemModstamp']}\n" for row in org.control.rows("Account")]
    (tmp_path / "account.csv").write_text("".join(["Id,SystemModstamp\n", *lines]))
    Exporter(org, tmp_path).arguments([])  # writes config.json
    (job,) = runnable("docs/export.md", "yaml")
    (tmp_path / "nightly.yaml").write_text(job, encoding="utf-8")
    (by_job,) = re.findall(r"^# nightly\.yaml: (salesforce-bulk .*)$", job, re.MULTILINE)
    own = [text for text in runnable("docs/export.md", "sh") if re.match(r"(\.venv/bin/)?salesforce-bulk", text)]
    assert [re.findall(r"salesforce-bulk (\w+)", text)[0] for text in own] == ["export", "plan", "verify", "report"]
    text = "\n".join([*own, by_job]).replace(".venv/bin/", "").replace("/data", f"{tmp_path}/data")

    done = pasted(text, tmp_path)

    assert done.returncode == 0, done.stderr
    assert "This export would finish." in done.stdout
    assert re.search(r"^Account +300 ", done.stdout, re.MULTILINE)
    assert list(tmp_path.glob("*.html"))
    assert list((tmp_path / "out" / "_manifests").glob("*.json"))


def test_a_table_is_written_and_read_as_its_page_says(org: SimulatedOrg, tmp_path: Path) -> None:
    """docs/iceberg.md: an export to a catalog of its own, its maintenance, and a query in DuckDB."""
    Exporter(org, tmp_path).arguments([])  # writes config.json
    texts = runnable("docs/iceberg.md", "sh")
    assert any("tables clean" in text for text in texts)
    (query,) = runnable("docs/iceberg.md", "python")

    done = pasted("\n".join(texts).replace("/data", f"{tmp_path}/data"), tmp_path)

    assert done.returncode == 0, done.stderr
    names: dict[str, Any] = {}
    exec(query.replace("/data", f"{tmp_path}/data"), names)
    assert names["account"].num_rows == 292


def test_the_simulated_orgs_readme_shows_how_a_test_uses_it() -> None:
    """integration_tests/simulated_org/README.md."""
    (text,) = runnable("integration_tests/simulated_org/README.md", "python")
    names = {"SimulatedOrg": SimulatedOrg, "OrgSettings": OrgSettings}
    exec(compile(text, "README.md", "exec"), names)
    assert len(names["truth"]) == 300  # type: ignore[arg-type]


def test_these_tests_run_the_interpreters_own_script() -> None:
    assert SCRIPT.parent == Path(sys.executable).parent
