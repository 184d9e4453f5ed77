"""The image, as far as it can be tested without building it; ``make image-test`` tests the real one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
METADATA = yaml.safe_load((ROOT / "metadata.yaml").read_text(encoding="utf-8"))["data"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FINAL_STAGE = DOCKERFILE.rpartition("\nFROM ")[2]
SCRIPTS = sorted((ROOT / ".ci").iterdir())


def test_hadolint_finds_nothing():
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_find_something(tmp_path):
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM debian\nENTRYPOINT source-salesforce-bulk\n", encoding="utf-8")
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), bad], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "DL3006" in done.stdout  # no version
    assert "DL3025" in done.stdout  # a shell round the program


def test_the_base_is_pinned_and_the_one_the_metadata_names():
    (base,) = re.findall(r"^ARG BASE_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert base == METADATA["connectorBuildOptions"]["baseImage"]
    assert re.fullmatch(r"docker\.io/airbyte/python-connector-base:[0-9.]+@sha256:[0-9a-f]{64}", base)
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${BASE_IMAGE}", "${BASE_IMAGE}"]


def test_the_labels_are_those_of_the_project():
    labels = dict(
        re.findall(r'([\w.]+)="([^"]*)"', re.search(r"^LABEL (.*?)\n\n", FINAL_STAGE, re.MULTILINE | re.DOTALL)[1])
    )
    assert labels["org.opencontainers.image.version"] == labels["io.airbyte.version"] == PROJECT["version"]
    assert labels["org.opencontainers.image.title"] == PROJECT["name"]
    assert labels["org.opencontainers.image.licenses"] == PROJECT["license"]
    assert labels["io.airbyte.name"] == METADATA["dockerRepository"]


def test_the_program_is_started_without_a_shell_and_by_a_number():
    """A shell as process 1 swallows SIGTERM; Kubernetes' runAsNonRoot cannot judge a user's name."""
    (entry_point,) = re.findall(r'^ENTRYPOINT \["(\S+)"\]$', FINAL_STAGE, re.MULTILINE)
    assert Path(entry_point).name in PROJECT["scripts"]
    assert f'AIRBYTE_ENTRYPOINT="{entry_point}"' in FINAL_STAGE
    assert re.findall(r"^USER (\S+)$", FINAL_STAGE, re.MULTILINE)[-1] == "1000:1000"


def test_only_hash_locked_packages_are_installed():
    installs = re.findall(r"(?:pip sync|pip install) [^&\n]*(?:\n[^&\n]*)?", DOCKERFILE)
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or "--no-deps dist/*.whl" in install


def test_the_build_sees_what_it_copies_and_no_more():
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    assert "*" in rules
    copied = {
        name for names in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for name in names.split()
    }
    assert allowed == copied
    assert all((ROOT / name).exists() for name in copied)
    assert not any(fnmatch(name, "*secrets*") for name in allowed)


FAKE_CONTAINER = """#!/bin/sh
echo "$@" >> "$0.calls"
case "$1 $2" in
    "image inspect") [ "$3" = --format ] && echo 1000000 ;;
    pull*) [ -e "$0.pulls" ] || { echo "denied: too many pulls today" >&2; exit 1; } ;;
esac
"""


def build_image(container: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    container.write_text(FAKE_CONTAINER, encoding="utf-8")
    container.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name not in ("IMAGE", "BASE_IMAGE", "PLATFORM")}
    return subprocess.run(
        [ROOT / ".ci" / "image"],
        # Without a virtual environment the native core is not built, which would take minutes.
        env={**kept, "CONTAINER": str(container), "VENV": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("chosen", [{"PLATFORM": "linux/amd64"}, {"BASE_IMAGE": "example.com/base:1"}])
def test_an_image_to_hand_on_is_not_built_on_a_stand_in(tmp_path, chosen):
    done = build_image(tmp_path / "container", **chosen)
    assert done.returncode == 1
    assert "denied: too many pulls today" in done.stderr
    assert "build " not in (tmp_path / "container.calls").read_text(encoding="utf-8")


def test_an_image_is_built_for_the_platform_that_is_asked_for(tmp_path):
    (tmp_path / "container.pulls").touch()
    done = build_image(tmp_path / "container", PLATFORM="linux/amd64", IMAGE="example.com/x:1")
    assert done.returncode == 0, done.stderr
    pull, build = [line for line in _calls(tmp_path) if line.startswith(("pull", "build"))]
    assert "--platform linux/amd64" in pull
    assert "--platform linux/amd64" in build
    assert "--tag example.com/x:1" in build
    assert "stand-in" not in done.stdout


def test_without_the_native_core_the_image_is_built_and_that_is_told(tmp_path):
    (tmp_path / "container.pulls").touch()
    done = build_image(tmp_path / "container")
    assert done.returncode == 0
    assert "without the native page core" in done.stderr


def test_without_a_platform_it_is_built_for_this_machine(tmp_path):
    (tmp_path / "container.pulls").touch()
    assert build_image(tmp_path / "container").returncode == 0
    assert not any("--platform" in line for line in _calls(tmp_path))


def _calls(folder: Path) -> list[str]:
    return (folder / "container.calls").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_run_and_parsed(script):
    assert os.access(script, os.X_OK)
    subprocess.run([shutil.which("bash"), "-n", script], check=True)
