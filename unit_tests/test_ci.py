"""Continuous integration runs what people run: make targets that exist, on every Python that is supported."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]


def test_every_command_is_a_make_target():
    commands = [step["run"].split() for step in STEPS if "run" in step]
    assert {command[0] for command in commands} == {"make"}
    assert {target for command in commands for target in command[1:] if "=" not in target} <= TARGETS


def test_nothing_of_what_people_are_told_to_run_is_left_out():
    run = {target for step in STEPS if "run" in step for target in step["run"].split()[1:]}
    assert {"check", "test", "demo", "image-test", "certify-fargate", "bench", "pyairbyte-test"} <= run


def test_every_supported_python_is_tested():
    supported = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert WORKFLOW["jobs"]["test"]["strategy"]["matrix"]["python"] == supported
    assert PROJECT["requires-python"] == f">={supported[0]}"


def test_it_may_only_read():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in WORKFLOW["jobs"].values())
    assert not any("secrets." in str(step) for step in STEPS)
