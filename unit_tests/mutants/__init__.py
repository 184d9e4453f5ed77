"""``make mutants``: each important rule is broken once, and the test that guards it must fail.

A mutant is one entry of ``entries.MUTANTS``: the rule as a sentence, the old text, the new text, and the tests that
must notice. The old text stands once in all of the package, and a test's name is found wherever it stands, so an entry
does not change when code or tests move. To add a mutant is to add an entry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "source_salesforce_bulk"
FOLDERS = ("unit_tests", "integration_tests")
"""Where tests stand. Those that need a fixture of a conftest.py cannot be named: mutants are run without it."""


class DoesNotApply(Exception):
    """The old text stands in the code another number of times than once: the entry must follow the code."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One broken rule, with the names of the tests that must notice."""

    rule: str
    old: str
    new: str
    tests: tuple[str, ...]

    def place(self, sources: Mapping[Path, str]) -> Path:
        """The file that holds the rule; raises :class:`DoesNotApply`."""
        places = [path for path, text in sources.items() for _ in range(text.count(self.old))]
        if len(places) != 1:
            there = ", ".join(path.name for path in places) or "nowhere"
            raise DoesNotApply(f"{self.old.strip()!r} stands {there}, not in one place")
        return places[0]

    def broken(self, text: str) -> str:
        """The text of the file that holds the rule, with the rule broken."""
        return text.replace(self.old, self.new)


def sources(folder: Path, ending: str) -> dict[Path, str]:
    """The text of every file below a folder, by its path from there."""
    return {path.relative_to(folder): path.read_text(encoding="utf-8") for path in sorted(folder.rglob(f"*{ending}"))}


def ids_of_tests(root: Path) -> dict[str, list[str]]:
    """The pytest ids of every test, by its name: one id for each module that has a test of that name."""
    found: dict[str, list[str]] = {}
    for path in sorted(path for folder in FOLDERS for path in (root / folder).glob("test_*.py")):
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            found.setdefault(name, []).append(f"{path.parent.name}/{path.name}::{name}")
    return found
