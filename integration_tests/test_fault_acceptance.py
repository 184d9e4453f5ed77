"""The acceptance list names every fault test and only existing tests, with the outcomes of the tests."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from integration_tests.fault_trial import Complete, Trial

HERE = Path(__file__).parent
LIST = HERE / "ACCEPTANCE.md"
COMPLETE, SAFE = "complete and exact", "typed failure, state safe"
STORIES = range(1, 29)
KNOBS = ("token", "create", "poll", "results", "data", "accounting")
_LINE = re.compile(r"\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| `([^`|]+)` \|")


@dataclass(frozen=True)
class Line:
    """One line of the list. ``test`` is ``module.py::function`` with ``[case]`` where the function has cases."""

    number: int
    fault: str
    sources: frozenset[str]
    outcome: str
    test: str


def lines() -> list[Line]:
    """The list."""
    found = _LINE.findall(LIST.read_text(encoding="utf-8"))
    return [
        Line(int(number), fault, frozenset(source.strip() for source in sources.split(",")), outcome, test)
        for number, fault, sources, outcome, test in found
    ]


def modules() -> Iterator[ModuleType]:
    """Every module of fault tests."""
    for path in sorted(HERE.glob("test_faults_*.py")):
        yield importlib.import_module(f"integration_tests.{path.stem}")


def fault_tests(module: ModuleType) -> Iterator[tuple[str, Trial | None]]:
    """The tests of a module as the list names them, with their trials where they are made of some."""
    for name, function in vars(module).items():
        if name.startswith("test_"):
            label = f"{Path(str(module.__file__)).name}::{name}"
            cases = [mark.args[1] for mark in getattr(function, "pytestmark", []) if mark.args[0] == ("trial", "jobs")]
            if cases:
                yield from {f"{label}[{str(case.id).rpartition('-')[0]}]": case.values[0] for case in cases[0]}.items()
            else:
                yield label, None


@pytest.fixture(scope="module")
def tests() -> dict[str, Trial | None]:
    return {label: trial for module in modules() for label, trial in fault_tests(module)}


def test_there_are_as_many_lines_as_faults_were_asked_for() -> None:
    numbers = [line.number for line in lines()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 60


def test_every_fault_test_has_its_line(tests: dict[str, Any]) -> None:
    assert set(tests) <= {line.test for line in lines()}


def test_every_line_names_a_test_that_exists(tests: dict[str, Any]) -> None:
    for line in lines():
        if line.test not in tests:
            module, _, function = line.test.partition("::")
            assert not module.startswith("test_faults_"), line
            assert f"def {function}(" in (HERE / module).read_text(encoding="utf-8"), line


def test_the_outcome_of_a_line_is_what_its_test_demands(tests: dict[str, Trial | None]) -> None:
    for line in lines():
        trial = tests.get(line.test)
        if trial is not None:
            assert line.outcome == (COMPLETE if isinstance(trial.outcome, Complete) else SAFE), line
        assert line.outcome in (COMPLETE, SAFE), line


def test_every_story_and_every_knob_of_the_facts_sheet_has_a_line() -> None:
    sources = frozenset[str]().union(*(line.sources for line in lines()))
    assert {f"10.{number}" for number in STORIES} <= sources
    assert {f"11 {knob}" for knob in KNOBS} <= sources
    allowed = {f"10.{number}" for number in STORIES} | {f"11 {knob}" for knob in KNOBS}
    assert sources <= allowed
