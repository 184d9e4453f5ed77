from __future__ import annotations

from pathlib import Path

import pytest

from unit_tests.fuzz.targets import TARGETS, answer

CORPUS = Path(__file__).with_name("fuzz") / "corpus"
INPUTS = [(path.parent.name, path) for path in sorted(CORPUS.glob("*/*"))]


def test_every_target_has_a_corpus():
    assert {name for name, _ in INPUTS} == set(TARGETS)


@pytest.mark.parametrize(("name", "path"), INPUTS, ids=[f"{name}/{path.name}" for name, path in INPUTS])
def test_what_was_tried_before_holds(name, path):
    TARGETS[name](path.read_bytes())


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff" * 40, b"0", b"1null", b"{}"])
@pytest.mark.parametrize("name", TARGETS)
def test_targets_take_any_bytes(name, data):
    TARGETS[name](data)


def test_a_target_can_break(monkeypatch):
    monkeypatch.setattr("unit_tests.fuzz.targets._masked", str)
    with pytest.raises(AssertionError):
        answer(b"\x00\x01\x2c[]")


@pytest.mark.parametrize(
    ("name", "rule", "sample"),
    [
        ("registry", "source_salesforce_bulk.registries.state._is_path", "state-path-leads-up"),
        ("registry", "source_salesforce_bulk.registries.state.is_run_name", "state-closing-leads-up"),
        ("state", "source_salesforce_bulk.extraction.stream_state.is_id", "id-quote"),
    ],
)
def test_a_rule_that_is_missing_breaks_its_target(monkeypatch, name, rule, sample):
    monkeypatch.setattr(rule, lambda _: True)
    with pytest.raises(AssertionError):
        TARGETS[name]((CORPUS / name / sample).read_bytes())
