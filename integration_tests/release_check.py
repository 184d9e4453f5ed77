"""``make release-check``: build everything that a release publishes, install it as a user would, and use it.

It publishes nothing. The release workflow runs the same legs on the tag and publishes exactly the files in ``dist/``.
``TAG=v1.2.3`` also compares the tag with the version. Exit codes are ``certification``'s.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from functools import cache
from pathlib import Path

import yaml
from poetry.core.masonry import api as poetry_core

from integration_tests.certification import ROOT, CannotRun, Leg, certify, chosen, report
from integration_tests.certify_fargate import image_leg
from integration_tests.exporter import Exporter, assert_every_row_once
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

DIST = ROOT / "dist"
BUILD = ROOT / "build" / "release"
OBJECTS = ("Account", "Contact", "Awkward__c")

NOT_SHOWN = (
    "Only a release itself shows that PyPI and the image registry accept the files, the signature of the image, "
    "and the wheel for aarch64, which needs a machine of that kind to run."
)


def version() -> str:
    """The version of this checkout."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def versions_leg() -> int:
    """Compare every place that names the version."""
    expected = version()
    metadata = yaml.safe_load((ROOT / "metadata.yaml").read_text(encoding="utf-8"))["data"]
    core = tomllib.loads((ROOT / "core" / "Cargo.toml").read_text(encoding="utf-8"))["package"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d[^]]*)\] - \d{4}-\d{2}-\d{2}$", changelog, re.MULTILINE)
    found = {
        "metadata.yaml": metadata["dockerImageTag"],
        "core/Cargo.toml": core["version"],
        "the newest dated section of CHANGELOG.md": released[0] if released else "none",
    }
    if "TAG" in os.environ:
        found["the tag"] = os.environ["TAG"].removeprefix("v")
    wrong = [f"{place} says {said}, pyproject.toml {expected}" for place, said in found.items() if said != expected]
    print("\n".join(wrong) or f"All say {expected}.")
    return 1 if wrong else 0


def build_leg() -> int:
    """Build the sdist, the wheel from the unpacked sdist, and the core's wheel where cargo is at hand."""
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    DIST.mkdir(exist_ok=True)
    for earlier in DIST.glob("source_salesforce_bulk-*"):
        earlier.unlink()
    os.chdir(ROOT)
    sdist = DIST / poetry_core.build_sdist(str(DIST))
    with tarfile.open(sdist) as archive:
        archive.extractall(BUILD, filter="data")
    os.chdir(BUILD / sdist.name.removesuffix(".tar.gz"))
    try:
        poetry_core.build_wheel(str(DIST))
    finally:
        os.chdir(ROOT)
    if shutil.which("cargo"):
        for earlier in DIST.glob("source_salesforce_bulk_core-*"):
            earlier.unlink()
        run(ROOT / ".ci" / "core", "wheel")
    else:
        print("cargo is not installed: the wheel of the native page core is not built here.")
    write_sums()
    return 0


def write_sums() -> None:
    """Write dist/SHA256SUMS in the form that ``sha256sum --check`` reads."""
    files = sorted(path for path in DIST.iterdir() if path.suffix in (".whl", ".gz", ".zip"))
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (DIST / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    print("".join(lines), end="")


def install_leg() -> int:
    """Install the wheels beside the locked packages; run every command that needs no org, then a whole export."""
    wheels = [built("source_salesforce_bulk-*.whl"), *DIST.glob("source_salesforce_bulk_core-*manylinux*x86_64*.whl")]
    python = environment("wheel", *wheels)
    run(python, "-m", "pip", "check")
    commands = Commands(python)
    commands.try_without_org()
    core = run(python, "-c", "from source_salesforce_bulk.pages.core import HAS_CORE; print(HAS_CORE)").strip()
    if core != str(len(wheels) > 1):
        raise AssertionError(f"the native page core is in use: {core}; its wheel was installed: {len(wheels) > 1}")
    commands.try_export(BUILD / "export")
    return 0


def sdist_leg() -> int:
    """Install the sdist, without the native page core."""
    Commands(environment("sdist", built("source_salesforce_bulk-*.tar.gz"))).try_without_org()
    return 0


def glue_leg() -> int:
    """Build the zip for Glue jobs; it holds this version."""
    run(sys.executable, ROOT / "deploy" / "glue" / "build_wheels.py")
    archive = built(f"*{version()}*.gluewheels.zip")
    names = run(sys.executable, "-m", "zipfile", "--list", archive)
    if f"source_salesforce_bulk-{version()}" not in names:
        raise AssertionError(f"{archive.name} does not hold the wheel of {version()}")
    write_sums()
    return 0


class Commands:
    """The console scripts of an environment."""

    def __init__(self, python: Path) -> None:
        self._scripts = python.parent

    def try_without_org(self) -> None:
        """Versions and the specification; raises AssertionError where they are not those of this checkout."""
        shown = self._run("salesforce-bulk", "--version")
        if version() not in shown:
            raise AssertionError(f"salesforce-bulk --version says {shown!r}")
        self._run("salesforce-bulk", "spec", "--job")
        (message,) = [json.loads(line) for line in self._run("source-salesforce-bulk", "spec").splitlines()]
        spec = json.loads((ROOT / "source_salesforce_bulk" / "airbyte" / "spec.json").read_text(encoding="utf-8"))
        if message["spec"]["connectionSpecification"] != spec["connectionSpecification"]:
            raise AssertionError("source-salesforce-bulk spec shows another specification than this checkout")

    def try_export(self, folder: Path) -> None:
        """Export from a simulated org, and compare every row."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with SimulatedOrg(OrgSettings(rows=0.3, polls_until_complete=1)) as org:
            exporter = Exporter(org, folder, page_size=500)
            self._run(*exporter.arguments(OBJECTS))
            assert_every_row_once(exporter.rows, org, *OBJECTS)

    def _run(self, script: str, *arguments: str) -> str:
        return run(self._scripts / Path(script).name, *arguments)


@cache
def environment(name: str, *packages: Path) -> Path:
    """Make a virtual environment of the locked packages of an export and ``packages``; return its interpreter."""
    folder = BUILD / name
    run(sys.executable, "-m", "venv", "--clear", folder)
    python = folder / "bin" / "python"
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run(*pip, "--require-hashes", "--requirement", ROOT / "requirements" / "export.txt")
    run(*pip, "--no-deps", *packages)
    return python


def built(pattern: str) -> Path:
    """The one file in dist/ of this pattern; raises ``CannotRun`` where the build leg has not made it."""
    found = sorted(DIST.glob(pattern))
    if len(found) != 1:
        raise CannotRun(f"dist/ holds {len(found)} files {pattern}; run the leg build first")
    return found[0]


def run(*command: str | Path) -> str:
    """Return the output of a command; raises ``subprocess.CalledProcessError`` if it fails. Its errors are shown."""
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


LEGS = (
    Leg("versions", "every place that names the version names the same", versions_leg),
    Leg("build", "sdist, wheel from the sdist, wheel of the native page core, SHA256SUMS", build_leg),
    Leg("install", "the wheels beside the locked packages: commands, and an export equal to the org", install_leg),
    Leg("sdist", "the sdist alone, without a compiler", sdist_leg),
    Leg("glue", "the zip for Glue jobs", glue_leg),
    Leg("image", "the container image: every protocol command, user 1000, read-only root", image_leg),
)


def main() -> int:
    """Run the legs that are asked for and say what was shown."""
    results = certify(chosen(LEGS, sys.argv[1:]))
    return report("Release check", results, LEGS, NOT_SHOWN)


if __name__ == "__main__":
    sys.exit(main())
