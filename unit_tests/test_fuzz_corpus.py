from __future__ import annotations

from pathlib import Path

import pytest

from unit_tests.fuzz.targets import TARGETS, answer, page

CORPUS = Path(__file__).with_name("fuzz") / "corpus"
INPUTS = [(path.parent.name, path) for path in sorted(CORPUS.glob("*/*"))]


def test_every_target_has_a_corpus():
    assert {name for name, _ in INPUTS} == set(TARGETS)


@pytest.mark.parametrize(("name", "path"), INPUTS, ids=[f"{name}/{path.name}" for name, path in INPUTS])
def test_what_was_tried_before_holds(name, path):
    TARGETS[name](path.read_bytes())


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff" * 40])
def test_targets_take_any_bytes(data):
    page(data)
    answer(data)


def test_a_target_can_break(monkeypatch):
    monkeypatch.setattr("unit_tests.fuzz.targets._masked", str)
    with pytest.raises(AssertionError):
        answer(b"\x00\x01\x2c[]")
