"""Continuous integration runs what people run: make targets that exist, on every Python that is supported."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
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
    certified = {f"certify-{name}" for name in ("fargate", "glue", "tables")}
    assert {"check", "test", "demo", "image-test", "bench", "pyairbyte-test"} | certified <= run


def test_every_supported_python_is_tested():
    supported = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert WORKFLOW["jobs"]["test"]["strategy"]["matrix"]["python"] == supported
    assert PROJECT["requires-python"] == f">={supported[0]}"


def test_a_release_publishes_what_was_checked_and_nothing_before():
    release = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))
    jobs = release["jobs"]
    commands = [step for step in jobs["check"]["steps"] if "run" in step]
    assert [step["run"] for step in commands] == ["make test check", "make release-check"]
    assert commands[1]["env"] == {"TAG": "${{ github.ref_name }}"}
    publishing = {name for name in jobs if name not in ("check", "core-wheels")}
    for name in publishing:
        assert publishing | {"check"} >= set(jobs[name]["needs"]) - {"core-wheels"}
        assert "check" in jobs[name]["needs"] or {"pypi", "image"} <= set(jobs[name]["needs"])
        built = [step for step in jobs[name]["steps"] if str(step.get("run", "")).startswith("make")]
        assert built == []
    assert release["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_and_say_their_version(workflow):
    uses = re.findall(r"uses: *(.+)$", workflow.read_text(encoding="utf-8"), re.MULTILINE)
    assert uses
    for use in uses:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d[\w.]*", use), use


PYTHON_AT_HAND = ROOT / ".ci" / "python-at-hand"


def at_hand(version: str, *folders: Path) -> subprocess.CompletedProcess[str]:
    path = ":".join([*map(str, folders), "/usr/bin", "/bin"])
    environment = {"PATH": path, "PYENV_ROOT": "/nonexistent"}
    return subprocess.run([PYTHON_AT_HAND, version], env=environment, capture_output=True, text=True, check=False)


def test_a_python_is_found_by_starting_it_and_not_by_its_name(tmp_path):
    """A shim of pyenv has the name of every version, and an interpreter behind one of them."""
    shims, real = tmp_path / "shims", tmp_path / "real"
    for folder, script in ((shims, "exit 127"), (real, "echo 3.99")):
        folder.mkdir()
        (folder / "python3.99").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (folder / "python3.99").chmod(0o755)
    assert at_hand("3.99", shims).returncode == 1
    assert at_hand("3.99", real).stdout.strip() == str(real / "python3.99")


def run_test_pythons(folder: Path, makes: str, *versions: str) -> subprocess.CompletedProcess[str]:
    """``.ci/test-pythons`` with a ``make`` that notes what it was asked for."""
    (folder / "make").write_text(f'#!/bin/sh\necho "make $@"\n{makes}\n', encoding="utf-8")
    (folder / "make").chmod(0o755)
    script = ROOT / ".ci" / "test-pythons"
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.run([script, *versions], env=environment, capture_output=True, text=True, check=False)


def test_each_python_that_is_there_runs_the_tests_in_an_environment_of_its_own(tmp_path):
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    done = run_test_pythons(tmp_path, "", here, "3.99")
    assert done.returncode == 0, done.stderr
    assert f"test VENV=.venv-{here} PYTHON=" in done.stdout
    assert f"Python {here}: passed" in done.stdout
    assert "Python 3.99: not on this machine" in done.stdout


@pytest.mark.parametrize(("makes", "version"), [("exit 2", f"3.{sys.version_info[1]}"), ("", "3.99")])
def test_a_python_that_fails_and_no_python_at_all_are_failures(tmp_path, makes, version):
    assert run_test_pythons(tmp_path, makes, version).returncode == 1


def test_it_may_only_read():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in WORKFLOW["jobs"].values())
    assert not any("secrets." in str(step) for step in STEPS)
