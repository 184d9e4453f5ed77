from __future__ import annotations

import pytest

from integration_tests import certify_fargate
from integration_tests.certification import ROOT, CannotRun, Leg, certify, chosen, report
from integration_tests.certify_fargate import LEGS


def not_here() -> int:
    raise CannotRun("no such thing here")


@pytest.mark.parametrize(
    ("runs", "code"),
    [([lambda: 0], 0), ([lambda: 0, not_here], 1), ([not_here, lambda: 1], 1), ([lambda: 0, lambda: 2], 1)],
)
def test_a_certification_passes_where_every_leg_ran_and_passed(runs, code):
    """Under make every failure is 2, so one code has to do."""
    legs = [Leg(f"leg {number}", "something", run) for number, run in enumerate(runs)]
    results = certify(legs)
    assert len(results) == len(runs)
    assert report("All of it", results, legs, "") == code


def test_a_leg_that_cannot_run_says_why(capsys):
    legs = [Leg("image", "something", not_here)]
    assert report("All of it", certify(legs), legs, "") == 1
    assert "NOT RUN  image       no such thing here" in capsys.readouterr().out


def test_legs_can_be_named_and_the_others_are_told(capsys):
    legs = [Leg("template", "x", lambda: 0), Leg("image", "x", not_here)]
    assert report("Some of it", certify(chosen(legs, ["template"])), legs, "") == 0
    assert "Not asked for: image." in capsys.readouterr().out


def test_a_leg_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(SystemExit, match=r"no leg spark\. The legs are: template registries"):
        chosen(LEGS, ["spark"])


@pytest.mark.parametrize(("user", "apt"), [(1000, "/usr/bin/apt-get"), (0, None)])
def test_the_image_leg_is_given_up_only_where_nothing_can_build_an_image(monkeypatch, user, apt):
    """From a bare clone, as root on Debian, `make image` installs what it needs."""
    monkeypatch.setenv("CONTAINER", "/bin/false")
    monkeypatch.setattr(certify_fargate.os, "geteuid", lambda: user)
    monkeypatch.setattr(certify_fargate.shutil, "which", lambda _: apt)
    with pytest.raises(CannotRun, match="only root on Debian"):
        certify_fargate.image_leg()


def test_every_leg_has_its_tests():
    assert [leg.name for leg in LEGS] == ["template", "registries", "task", "kills", "image"]
    for name in ("certify_fargate_image.py", "test_export_aws.py", "test_export_kills.py"):
        assert (ROOT / "integration_tests" / name).exists()
