from __future__ import annotations

import pytest

from integration_tests import certify_glue
from integration_tests.certification import ROOT, Skipped
from integration_tests.certify_glue import LEGS, LOCKS


def test_every_leg_has_its_tests():
    assert [leg.name for leg in LEGS] == ["template", "waves", "s3", "wheels-5.0", "wheels-5.1", "spark"]
    for name in ("test_backfill.py", "test_staging_s3.py", "certify_glue_wheels.py", "certify_glue_spark.py"):
        assert (ROOT / "integration_tests" / name).exists()


@pytest.mark.parametrize("release", ["5.0", "5.1"])
def test_the_environments_have_the_versions_of_their_release(release):
    lines = (ROOT / "deploy" / "glue" / f"constraints-{release}.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.lower().split("==") for line in lines if "==" in line)
    lock = (ROOT / LOCKS[release]).read_text(encoding="utf-8").splitlines()
    locked = dict(line.split(" ")[0].split("==") for line in lock if "==" in line and line[0].isalnum())
    assert {"pyarrow", "requests", "urllib3", "tenacity", "boto3"} <= locked.keys()
    assert {name: version for name, version in locked.items() if pins.get(name, version) != version} == {}


def test_without_java_the_leg_is_skipped_and_says_what_to_install(monkeypatch):
    monkeypatch.setattr(certify_glue.shutil, "which", lambda name: None)
    with pytest.raises(Skipped, match="openjdk-17-jdk-headless"):
        certify_glue.java()


def test_without_glues_python_the_leg_is_skipped(monkeypatch):
    monkeypatch.setattr(certify_glue.shutil, "which", lambda name: None)
    with pytest.raises(Skipped, match="no python3"):
        certify_glue._python_311()
