"""``make mutants``: each important rule is broken once, and the test that guards it must fail.

A mutant is one entry of ``entries.MUTANTS``: the rule as a sentence, the file, the old text, the new text, and the
tests that must notice. The old text stands in its file exactly once. To add a mutant is to add an entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "source_salesforce_bulk"


class DoesNotApply(Exception):
    """The old text stands in the file another number of times than once: the entry must follow the code."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One broken rule. ``file`` is below the package, ``tests`` are pytest ids below ``unit_tests``."""

    rule: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def test_ids(self) -> list[str]:
        """The tests as pytest takes them."""
        return [f"unit_tests/{test}" for test in self.tests]

    def broken(self, text: str) -> str:
        """The file's text with the rule broken; raises :class:`DoesNotApply`."""
        found = text.count(self.old)
        if found != 1:
            raise DoesNotApply(f"{self.file}: stands there {found} times: {self.old.strip()!r}")
        return text.replace(self.old, self.new)
