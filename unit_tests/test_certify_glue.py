from __future__ import annotations

import subprocess
import sys

import pytest

from integration_tests import certify_glue
from integration_tests.certification import ROOT, CannotRun
from integration_tests.certify_glue import LEGS, RELEASES
from unit_tests.cloudformation import DEPLOY, read_template


def test_every_leg_has_its_tests():
    of_releases = ["wheels-5.0", "wheels-5.1", "wheels-6.0", "spark-5.1", "tables-5.1", "spark-6.0", "source-6.0"]
    assert [leg.name for leg in LEGS] == ["template", "waves", "s3", *of_releases]
    of_spark = ("certify_glue_wheels.py", "certify_glue_spark.py", "certify_spark_source.py")
    for name in ("test_backfill.py", "test_staging_s3.py", *of_spark):
        assert (ROOT / "integration_tests" / name).exists()


def test_every_release_that_the_template_allows_is_certified():
    assert read_template(DEPLOY / "glue" / "template.yaml")["Parameters"]["GlueVersion"]["AllowedValues"] == list(
        RELEASES
    )


@pytest.mark.parametrize("release", RELEASES)
def test_the_environments_have_the_versions_of_their_release(release):
    lines = (ROOT / "deploy" / "glue" / f"constraints-{release}.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.lower().split("==") for line in lines if "==" in line)
    lock = (ROOT / RELEASES[release].lock).read_text(encoding="utf-8").splitlines()
    locked = dict(line.split(" ")[0].split("==") for line in lock if "==" in line and line[0].isalnum())
    assert {"pyarrow", "requests", "urllib3", "tenacity", "boto3"} <= locked.keys()
    assert {name: version for name, version in locked.items() if pins.get(name, version) != version} == {}


def test_without_java_the_leg_is_skipped_and_says_what_to_install(monkeypatch):
    monkeypatch.setattr(certify_glue.shutil, "which", lambda name: None)
    with pytest.raises(CannotRun, match="openjdk-17-jdk-headless"):
        certify_glue.java()


def test_without_glues_python_the_leg_cannot_run():
    with pytest.raises(CannotRun, match=r"Python 3\.99"):
        certify_glue.interpreter("3.99")


def test_glues_python_is_of_the_version_that_was_asked_for():
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = subprocess.run([certify_glue.interpreter(here), "--version"], capture_output=True, text=True, check=True)
    assert found.stdout.startswith(f"Python {here}.")


def test_a_java_that_glue_has_not_is_refused(monkeypatch, tmp_path):
    (tmp_path / "javac").write_text("#!/bin/sh\necho javac 21.0.2\n", encoding="utf-8")
    (tmp_path / "javac").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(CannotRun, match="this machine's is 21"):
        certify_glue.java()
