from __future__ import annotations

import importlib.util
import tomllib
import zipfile
from pathlib import Path

import pytest

from integration_tests.certify_glue import RELEASES

ROOT = Path(__file__).parents[1]
GLUE = ROOT / "deploy" / "glue"
SPEC = importlib.util.spec_from_file_location("build_wheels", GLUE / "build_wheels.py")
assert SPEC is not None
assert SPEC.loader is not None
build_wheels = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(build_wheels)


def test_the_glue_wheel_asks_for_what_glue_can_give_and_is_told_apart_by_its_version():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    here = tomllib.loads(text)["project"]
    there = tomllib.loads(build_wheels.glue_pyproject(text, build_wheels.wanted_packages()))["project"]
    assert there["version"] == f"{here['version']}+glue"
    assert not any(requirement.startswith(("airbyte-cdk", "pyspark")) for requirement in there["dependencies"])
    assert any(requirement.startswith("PyJWT") for requirement in there["dependencies"])


def test_a_project_file_of_another_shape_is_refused_rather_than_shipped():
    with pytest.raises(SystemExit):
        build_wheels.glue_pyproject("[project]\nname = 'x'\n", ["requests"])


def test_the_wheel_holds_the_package_as_it_is_here(tmp_path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    own = build_wheels.build_own_wheel(tmp_path / "source", wheels)
    with zipfile.ZipFile(own) as wheel:
        code = {name for name in wheel.namelist() if name.endswith(".py")}
    assert code == {path.relative_to(ROOT).as_posix() for path in (ROOT / "source_salesforce_bulk").rglob("*.py")}


def test_the_zip_has_the_form_that_glue_takes_and_is_the_same_for_the_same_wheels(tmp_path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    own = wheels / "source_salesforce_bulk-1.2.3+glue-py3-none-any.whl"
    own.write_bytes(b"wheel")
    build_wheels.write_requirements(wheels, own)
    archive = build_wheels.pack(wheels, tmp_path / "one.zip")
    with zipfile.ZipFile(archive) as packed:
        assert packed.read("wheels/requirements.txt") == b"source-salesforce-bulk==1.2.3+glue\n"
        assert f"wheels/{own.name}" in packed.namelist()
    assert build_wheels.pack(wheels, tmp_path / "two.zip").read_bytes() == archive.read_bytes()


def test_a_zip_can_be_named_in_an_s3_address_and_is_the_only_one_in_its_folder(tmp_path, monkeypatch):
    """docs/glue.md copies dist/*.gluewheels.zip, so an earlier release's file must not be left there."""
    (tmp_path / "source_salesforce_bulk-0.0.9.gluewheels.zip").touch()
    own = Path("source_salesforce_bulk-1.2.3+glue-py3-none-any.whl")

    def build(_source, wheels):
        (wheels / own).touch()
        return wheels / own

    monkeypatch.setattr(build_wheels, "build_own_wheel", build)
    monkeypatch.setattr(build_wheels, "download_locked", lambda wheels: None)
    monkeypatch.setattr(build_wheels, "build_core_wheel", lambda wheels: [])
    monkeypatch.setattr("sys.argv", ["build_wheels.py", "--out", str(tmp_path)])
    build_wheels.main()
    assert [path.name for path in tmp_path.iterdir()] == ["source_salesforce_bulk-1.2.3.gluewheels.zip"]


@pytest.mark.parametrize("release", ["5.0", "5.1", "6.0"])
def test_what_glue_has_is_not_shipped_a_second_time(release):
    """Glue chooses its versions; some are missing only in 5.0."""
    pins = dict(line.split("==") for line in (GLUE / f"constraints-{release}.txt").read_text().split() if "==" in line)
    lock = (GLUE / "requirements.txt").read_text(encoding="utf-8")
    shipped = {line.split("==")[0] for line in lock.splitlines() if "==" in line and not line.startswith((" ", "#"))}
    assert shipped
    assert not shipped & {name.replace("_", "-") for name in pins} - {"orjson", "typing-extensions"}


def test_the_zip_has_wheels_for_every_python_that_glue_has():
    assert {release.python for release in RELEASES.values()} == set(build_wheels.PYTHONS)


FAKE_CORE = """#!/bin/sh
[ "$1 $TARGET" = "wheel x86_64-unknown-linux-gnu" ] || exit 1
touch "$OUT/source_salesforce_bulk_core-1.2.3-cp311-abi3-manylinux_2_17_x86_64.whl"
"""


def test_the_native_core_is_in_the_zip_and_is_installed(tmp_path, monkeypatch):
    script = tmp_path / "core"
    script.write_text(FAKE_CORE, encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setattr(build_wheels, "CORE", script)
    monkeypatch.setattr(build_wheels.shutil, "which", lambda name: f"/usr/bin/{name}")
    own = tmp_path / "source_salesforce_bulk-1.2.3+glue-py3-none-any.whl"
    build_wheels.write_requirements(tmp_path, own, *build_wheels.build_core_wheel(tmp_path))
    wanted = (tmp_path / "requirements.txt").read_text(encoding="utf-8")
    assert wanted == "source-salesforce-bulk==1.2.3+glue\nsource-salesforce-bulk-core==1.2.3\n"


@pytest.mark.parametrize(("cargo", "ends"), [(None, 0), ("/usr/bin/cargo", 1)])
def test_without_the_native_core_the_zip_is_made_and_that_is_told(tmp_path, monkeypatch, capsys, cargo, ends):
    script = tmp_path / "core"
    script.write_text(f"#!/bin/sh\nexit {ends}\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setattr(build_wheels, "CORE", script)
    monkeypatch.setattr(build_wheels.shutil, "which", lambda _: cargo)
    assert build_wheels.build_core_wheel(tmp_path) == []
    assert "without the native page core" in capsys.readouterr().err
