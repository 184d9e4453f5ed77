"""The pages about AWS agree with the templates, and their commands can be pasted into a shell."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jmespath
import pytest
from click.testing import CliRunner

from source_salesforce_bulk.export import cli, plan_command
from source_salesforce_bulk.salesforce.failure_meanings import MEANINGS
from source_salesforce_bulk.salesforce.failures import Kind
from source_salesforce_bulk.signals import Stop
from unit_tests.cloudformation import DEPLOY, read_template

DOCS = DEPLOY.parent / "docs"
SCHEDULES = ("nightly", "weekdays", "six-hourly", "hourly")
PAGES = {name: (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in ("export", "glue", "nat-allowlist")}
FARGATE = read_template(DEPLOY / "fargate" / "template.yaml")
GLUE = read_template(DEPLOY / "glue" / "template.yaml")
STACKS = {"deploy/fargate/template.yaml": FARGATE, "deploy/glue/template.yaml": GLUE}

# An `aws` that answers like a stack whose outputs are their own names, and notes each call with one argument a line.
AWS = """#!/bin/sh
case "$*" in
    *describe-stacks*) printf '%s' "$*" | sed "s/.*OutputKey=='\\([A-Za-z]*\\)'.*/\\1/"; exit ;;
    *describe-task-definition*) echo '{}'; exit ;;
esac
{ echo "call"; printf '%s\\n' "$@"; } >> "$AWS_CALLS"
"""


def blocks(page: str) -> list[str]:
    """The commands of a page, without the indentation that lists give them."""
    found = re.findall(r"^( *)```\w*\n(.*?)^ *```$", PAGES[page], re.DOTALL | re.MULTILINE)
    return [re.sub(f"^{indentation}", "", text, flags=re.MULTILINE) for indentation, text in found]


def commands(page: str, word: str) -> str:
    """The blocks that have ``word``, and before them those that define what they use."""
    wanted = [block for block in blocks(page) if word in block]
    assert wanted, word
    return "\n".join([block for block in blocks(page) if "out() {" in block and block not in wanted] + wanted)


def pasted(text: str, folder: Path) -> list[list[str]]:
    """The arguments of every call of ``aws`` that changes something."""
    (folder / "aws").write_text(AWS, encoding="utf-8")
    (folder / "aws").chmod(0o755)
    calls = folder / "calls"
    calls.touch()
    (folder / "dist").mkdir()
    (folder / "dist" / "x-1.gluewheels.zip").touch()
    bash = shutil.which("bash")
    assert bash
    done = subprocess.run(
        [bash, "-eu", "-c", text],
        cwd=folder,
        env={"PATH": f"{folder}:/usr/bin:/bin", "AWS_CALLS": str(calls), "image": "registry/x:1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [call.splitlines() for call in calls.read_text(encoding="utf-8").split("call\n")[1:]]


@pytest.mark.parametrize("page", PAGES)
def test_every_output_that_a_page_asks_for_is_told_by_the_stack(page: str) -> None:
    asked = set(re.findall(r"\bout (\w+)", "\n".join(blocks(page))))
    assert asked <= set(FARGATE["Outputs"])


@pytest.mark.parametrize("page", PAGES)
def test_every_parameter_in_a_command_is_the_templates(page: str) -> None:
    deployed = [
        (file, block.partition(file)[2].partition("\naws ")[0])
        for block in blocks(page)
        for file in re.findall(r"--template-file (\S+)", block)
    ]
    assert deployed
    for file, command in deployed:
        given = re.findall(r"\b([A-Z][A-Za-z]+)=", command.partition("--parameter-overrides")[2])
        assert given
        assert set(given) <= set(STACKS[file]["Parameters"]), file


def test_the_first_command_leaves_the_schedule_off_and_has_alarms_mailed() -> None:
    (first,) = [block for block in blocks("export") if "ImageUri=" in block]
    assert "AlarmEmail=" in first
    assert "ScheduleState" not in first
    assert FARGATE["Parameters"]["ScheduleState"]["Default"] == "DISABLED"
    assert any("ScheduleState=ENABLED" in block for block in blocks("export"))


def test_the_glue_stack_gets_each_parameter_that_has_no_default_as_an_argument_of_its_own(tmp_path: Path) -> None:
    """zsh does not split a variable into words, so no command relies on it."""
    *copies, deploy = pasted("\n".join(blocks("glue")[:2]), tmp_path)
    assert [call[:2] for call in copies] == [["s3", "cp"]] * 2
    given = dict(part.split("=", 1) for part in deploy[deploy.index("--parameter-overrides") + 1 :])
    required = {name for name, one in GLUE["Parameters"].items() if "Default" not in one}
    assert required <= set(given) <= set(GLUE["Parameters"])
    assert given["ConfigSecret"] == "ConfigSecret"
    assert re.fullmatch(GLUE["Parameters"]["WheelsLocation"]["AllowedPattern"], given["WheelsLocation"])
    assert re.fullmatch(GLUE["Parameters"]["ScriptLocation"]["AllowedPattern"], given["ScriptLocation"])


def test_the_plan_in_the_network_is_one_that_the_console_script_takes(tmp_path: Path, monkeypatch: Any) -> None:
    taken: list[Any] = []
    monkeypatch.setattr(plan_command, "run_plan", lambda options, stop: taken.append(options) or 0)
    run, logs = pasted(commands("export", '"plan"'), tmp_path)[-2:]
    assert run[:2] == ["ecs", "run-task"]
    network = run[run.index("--network-configuration") + 1]
    assert network == (
        "awsvpcConfiguration={subnets=[Subnets],securityGroups=[TaskSecurityGroup],assignPublicIp=DISABLED}"
    )
    (override,) = json.loads(run[run.index("--overrides") + 1])["containerOverrides"]
    assert override["name"] == FARGATE["Resources"]["Task"]["Properties"]["ContainerDefinitions"][0]["Name"]
    assert CliRunner().invoke(cli.commands, override["command"], obj=Stop()).exit_code == 0
    assert [(one.config, one.state) for one in taken] == [("secretsmanager://ConfigSecret", "dynamodb://StateTable")]
    assert logs == ["logs", "tail", "LogGroup", "--follow"]


def test_the_query_that_accepts_a_change_appends_to_the_stacks_own_command() -> None:
    (block,) = [block for block in blocks("export") if "--on-drift" in block and "describe-task-definition" in block]
    (query,) = re.findall(r'--query \\\n\s+"(.+)"\)"', block)
    described = {"taskDefinition": {"containerDefinitions": [{"command": ["export", "--on-drift", "fail"]}]}}
    assert jmespath.search(query, described) == {
        "containerOverrides": [{"name": "export", "command": ["export", "--on-drift", "fail", "--on-drift", "warn"]}]
    }


def test_the_refusal_that_the_allow_list_page_quotes_is_the_connectors() -> None:
    assert MEANINGS[Kind.IP_RESTRICTED].what in " ".join(PAGES["nat-allowlist"].split())


def test_links_between_the_pages_lead_somewhere() -> None:
    for page, text in PAGES.items():
        for file, anchor in re.findall(r"\]\(([\w-]+\.md)?(?:#([\w-]+))?\)", text):
            there = (DOCS / file).read_text(encoding="utf-8") if file else text
            headings = re.findall(r"^#+ (.+)$", there, re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert not anchor or anchor in anchors, (page, file, anchor)


def test_the_months_cost_is_the_sum_of_its_parts() -> None:
    table = re.search(r"(?ms)^\| NAT gateway \|.*?^\| \*\*sum\*\*.*?$", PAGES["export"])
    assert table
    rows = [[cell.strip(" *") for cell in line.strip("|").split("|")[2:]] for line in table[0].splitlines()]
    *parts, sums = [[float(cell) for cell in row] for row in rows]
    assert len(parts) == 6
    assert [round(sum(column), 2) for column in zip(*parts, strict=True)] == sums


def test_the_first_export_is_started_as_the_schedule_starts_the_others(tmp_path: Path) -> None:
    start, logs = pasted(commands("export", "start-execution"), tmp_path)[-2:]
    assert start == ["stepfunctions", "start-execution", "--state-machine-arn", "ExportMachine"]
    assert logs == ["logs", "tail", "LogGroup", "--follow"]


def test_the_page_gives_the_templates_hours_without_success() -> None:
    hours = {name: row["WithoutSuccess"] for name, row in FARGATE["Mappings"]["Schedules"].items()}
    named = [f"{hours[name]}{' hours' if name == 'nightly' else ''} for `{name}`" for name in SCHEDULES]
    assert ", ".join(named) in " ".join(PAGES["export"].split())
