"""The entries of ``make core-mutants`` match the crate; ``make core-mutants`` shows whether each is noticed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from unit_tests.mutants import ROOT, DoesNotApply, sources
from unit_tests.mutants.core import SOURCES
from unit_tests.mutants.core_entries import CORE_MUTANTS


@pytest.mark.parametrize("mutant", CORE_MUTANTS, ids=[mutant.rule for mutant in CORE_MUTANTS])
def test_a_mutant_applies_to_the_crate_as_it_is_and_names_tests_that_exist(mutant):
    code = sources(ROOT / SOURCES, ".rs")
    try:
        assert mutant.place(code)
    except DoesNotApply as error:
        pytest.fail(f"unit_tests/mutants/core_entries.py must follow the crate. {error}")
    assert mutant.tests
    for test in mutant.tests:
        module, _, name = test.rpartition("::tests::")
        assert f"#[test]\n    fn {name}()" in code[Path(f"{module}.rs")], test


def test_every_rule_is_broken_once():
    assert [rule for rule, times in Counter(mutant.rule for mutant in CORE_MUTANTS).items() if times > 1] == []
