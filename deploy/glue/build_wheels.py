"""``make glue-wheels``: everything that a Glue job has to install, as one zip that needs no package index.

The zip has the form that Glue 5.0 and later take for ``--additional-python-modules`` together with
``--python-modules-installer-option --no-index``: ``wheels/*.whl`` and ``wheels/requirements.txt``
(AWS Glue developer guide, "Using Python libraries with AWS Glue").

This project's own wheel is built for Glue: it asks for the packages of ``requirements.in`` in place of the Airbyte
connector's, because the CDK does not fit beside what Glue has installed. Its code is the same.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from poetry.core.masonry import api as poetry_core

ROOT = Path(__file__).parents[2]
WANTED = Path(__file__).with_name("requirements.in")
LOCK = Path(__file__).with_name("requirements.txt")
CORE = ROOT / ".ci" / "core"

PYTHONS = ("3.11", "3.13")
"""The Python versions of Glue 5.0 and 5.1, and of Glue 6.0. One zip serves all: pip chooses the matching wheels."""

# Amazon Linux 2023 (glibc 2.34).
PLATFORMS = [
    "--platform=manylinux_2_34_x86_64",
    "--platform=manylinux_2_28_x86_64",
    "--platform=manylinux_2_17_x86_64",
    "--platform=manylinux2014_x86_64",
]


def main() -> None:
    """Build the zip, remove older ones from its folder, and print its path."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="the folder that the zip is written to")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="glue-wheels-") as directory:
        wheels = Path(directory) / "wheels"
        wheels.mkdir()
        own = build_own_wheel(Path(directory) / "source", wheels)
        core = build_core_wheel(wheels)
        download_locked(wheels)
        write_requirements(wheels, own, *core)
        for earlier in out.glob("*.gluewheels.zip"):
            earlier.unlink()
        print(pack(wheels, out / archive_name(own)))


def archive_name(own: Path) -> str:
    """Return the zip's name, derived from our wheel's, without ``+``, which may be decoded as a blank in S3 URLs."""
    return f"{own.name.partition('+')[0]}.gluewheels.zip"


def build_own_wheel(source: Path, wheels: Path) -> Path:
    """Build this project's wheel with the dependencies in ``requirements.in`` and the local version ``+glue``."""
    source.mkdir()
    shutil.copytree(ROOT / "source_salesforce_bulk", source / "source_salesforce_bulk")
    shutil.copy(ROOT / "LICENSE", source / "LICENSE")
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (source / "pyproject.toml").write_text(glue_pyproject(text, wanted_packages()), encoding="utf-8")
    before = Path.cwd()
    os.chdir(source)
    try:
        return wheels / poetry_core.build_wheel(str(wheels))
    finally:
        os.chdir(before)


def build_core_wheel(wheels: Path) -> list[Path]:
    """Build the native page core's wheel for Glue's platform; if that fails, print a line to stderr."""
    environment = {**os.environ, "VENV": sys.prefix, "OUT": str(wheels), "TARGET": "x86_64-unknown-linux-gnu"}
    if shutil.which("cargo"):
        built = subprocess.run([CORE, "wheel"], env=environment, capture_output=True, text=True, check=False)
        if built.returncode == 0:
            return list(wheels.glob("source_salesforce_bulk_core-*.whl"))
        print(built.stderr[-2000:], file=sys.stderr)
    print("The zip goes without the native page core: pages are read in Python, which is slower.", file=sys.stderr)
    return []


def glue_pyproject(text: str, wanted: Sequence[str]) -> str:
    """Return ``pyproject.toml`` with the dependencies and the version of the Glue wheel."""
    listed = "".join(f'  "{requirement}",\n' for requirement in wanted)
    text, replaced = re.subn(r"(?ms)^dependencies = \[.*?^\]$", lambda _: f"dependencies = [\n{listed}]", text, count=1)
    text, versioned = re.subn(r'(?m)^version = "(.+)"$', r'version = "\1+glue"', text, count=1)
    if not (replaced and versioned):
        raise SystemExit("pyproject.toml has no dependencies or no version where they were expected")
    return text


def wanted_packages() -> list[str]:
    """Return the lines of ``requirements.in`` that name a package."""
    lines = WANTED.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def download_locked(wheels: Path) -> None:
    """Download the locked packages' wheels for Glue's platform and Python versions, on any machine."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--require-hashes"]
    for version in PYTHONS:
        compact = version.replace(".", "")
        python = [f"--python-version={version}", "--implementation=cp", f"--abi=cp{compact}", "--abi=abi3"]
        target = [*python, *PLATFORMS, "--no-deps", "--only-binary=:all:"]
        subprocess.run([*command, *target, "-d", wheels, "-r", LOCK], check=True)


def write_requirements(wheels: Path, *own: Path) -> None:
    """Return the requirements for pip: our wheels; their dependencies are in the zip or on the machine."""
    named = [wheel.name.split("-")[:2] for wheel in own]
    lines = [f"{name.replace('_', '-')}=={version}\n" for name, version in named]
    (wheels / "requirements.txt").write_text("".join(lines), encoding="utf-8")


def pack(wheels: Path, archive: Path) -> Path:
    """Zip the folder reproducibly: the same wheels give the same bytes."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(wheels.iterdir()):
            packed.writestr(zipfile.ZipInfo(f"wheels/{path.name}"), path.read_bytes())
    return archive


if __name__ == "__main__":
    main()
