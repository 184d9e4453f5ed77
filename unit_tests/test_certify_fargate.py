from __future__ import annotations

import pytest

from integration_tests.certification import ROOT, Leg, Skipped, certify, exit_code
from integration_tests.certify_fargate import LEGS


def skip() -> int:
    raise Skipped("no such thing here")


@pytest.mark.parametrize(
    ("runs", "code"),
    [([lambda: 0], 0), ([lambda: 0, skip], 3), ([skip, lambda: 1], 1), ([lambda: 0, lambda: 2], 1)],
)
def test_the_exit_code_says_what_was_shown(runs, code, capsys):
    results = certify([Leg(f"leg {number}", "something", run) for number, run in enumerate(runs)])
    assert exit_code(results) == code
    assert len(results) == len(runs)


def test_a_skipped_leg_says_why():
    (result,) = certify([Leg("image", "something", skip)])
    assert (result.status, result.detail) == ("skipped", "no such thing here")


def test_every_leg_has_its_tests():
    assert [leg.name for leg in LEGS] == ["template", "registries", "task", "kills", "image"]
    for name in ("certify_fargate_image.py", "test_export_aws.py", "test_export_kills.py"):
        assert (ROOT / "integration_tests" / name).exists()
