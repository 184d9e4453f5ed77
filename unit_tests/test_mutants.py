"""The entries of ``make mutants`` follow the code; whether each is noticed is for ``make mutants`` to show."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from unit_tests.mutants import PACKAGE, ROOT, DoesNotApply, Mutant
from unit_tests.mutants.entries import MUTANTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.rule for mutant in MUTANTS])
def test_a_mutant_applies_to_the_code_as_it_is_and_names_tests_that_exist(mutant):
    text = (ROOT / PACKAGE / mutant.file).read_text(encoding="utf-8")
    try:
        broken = mutant.broken(text)
    except DoesNotApply as error:
        pytest.fail(f"unit_tests/mutants/entries.py must follow the code. {error}")
    ast.parse(broken)
    assert broken != text
    assert mutant.tests
    for test in mutant.tests:
        file, _, name = test.partition("::")
        tree = ast.parse((ROOT / "unit_tests" / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, test


def test_every_rule_is_broken_once():
    assert [rule for rule, times in Counter(mutant.rule for mutant in MUTANTS).items() if times > 1] == []


@pytest.mark.parametrize("text", ["", "old old"])
def test_an_entry_that_does_not_fit_exactly_once_does_not_apply(text):
    with pytest.raises(DoesNotApply, match="stands there"):
        Mutant("a rule", "broken.py", "old", "new", ("test_x.py::test_x",)).broken(text)
