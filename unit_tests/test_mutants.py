"""The entries of ``make mutants`` match the code; ``make mutants`` shows whether each is noticed."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from unit_tests.mutants import PACKAGE, ROOT, DoesNotApply, Mutant, ids_of_tests, sources
from unit_tests.mutants.entries import MUTANTS

CODE = sources(ROOT / PACKAGE, ".py")
TESTS = ids_of_tests(ROOT)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.rule for mutant in MUTANTS])
def test_a_mutant_applies_to_the_code_as_it_is_and_names_tests_that_exist(mutant):
    try:
        sound = CODE[mutant.place(CODE)]
    except DoesNotApply as error:
        pytest.fail(f"unit_tests/mutants/entries.py must follow the code. {error}")
    broken = mutant.broken(sound)
    ast.parse(broken)
    assert broken != sound
    assert mutant.tests
    assert {name: len(TESTS.get(name, [])) for name in mutant.tests} == dict.fromkeys(mutant.tests, 1)


def test_every_rule_is_broken_once():
    assert [rule for rule, times in Counter(mutant.rule for mutant in MUTANTS).items() if times > 1] == []


@pytest.mark.parametrize("texts", [[""], ["old old"], ["old", "old"]])
def test_an_entry_that_does_not_fit_exactly_once_does_not_apply(texts):
    code = {Path(f"{number}.py"): text for number, text in enumerate(texts)}
    with pytest.raises(DoesNotApply, match="not in one place"):
        Mutant("a rule", "old", "new", ("test_x",)).place(code)
