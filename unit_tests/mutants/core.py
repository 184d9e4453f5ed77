"""Runs the mutants of the native page core: ``make core-mutants``. Each is compiled in a copy of the crate."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from unit_tests.mutants import ROOT, DoesNotApply, Mutant, sources
from unit_tests.mutants.core_entries import CORE_MUTANTS

SOURCES = Path("core/src")
CORPUS = Path("unit_tests/fuzz/corpus")
TESTS_FAILED = 101
"""The exit code of a test binary whose tests failed, which cargo passes on; its own failures have the same one."""
LONGEST = 300
"""Seconds for a test. A rule whose breach makes a test go on for ever was noticed, too."""


class Crate:
    """A copy of the crate. What it depends on is compiled once, below ``build``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        for folder in ("core", str(CORPUS)):
            shutil.copytree(ROOT / folder, root / folder)

    def passes(self, tests: Sequence[str]) -> bool | None:
        """Return whether tests pass; None where they do not compile or do not exist."""
        if self._cargo_test("--no-run", timeout=None).returncode:
            return None
        try:
            done = self._cargo_test("--", "--exact", *tests)
        except subprocess.TimeoutExpired:
            return False
        ran = f"running {len(tests)} test" in done.stdout
        return done.returncode == 0 if ran and done.returncode in (0, TESTS_FAILED) else None

    def _cargo_test(self, *options: str, timeout: float | None = LONGEST) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["cargo", "test", "--quiet", "--locked", "--lib", *options],
            cwd=self._root / "core",
            env={**os.environ, "CARGO_TARGET_DIR": str(ROOT / "build" / "cargo-mutants")},
            timeout=timeout,
            capture_output=True,
            text=True,
            check=False,
        )

    def judge(self, mutant: Mutant) -> str:
        """Break one rule: ``noticed`` where each of its tests fails, else what happened."""
        try:
            path = self._root / SOURCES / mutant.place(sources(self._root / SOURCES, ".rs"))
        except DoesNotApply as error:
            return f"does not apply: {error}"
        sound = path.read_text(encoding="utf-8")
        try:
            path.write_text(mutant.broken(sound), encoding="utf-8")
            verdicts = {test: self.passes([test]) for test in mutant.tests}
        finally:
            path.write_text(sound, encoding="utf-8")
        survived = [test for test, passed in verdicts.items() if passed]
        unusable = [test for test, passed in verdicts.items() if passed is None]
        return f"SURVIVED: {survived}" if survived else f"did not run: {unusable}" if unusable else "noticed"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the mutants whose rule or code contains a word, all without one; 0 where every one was noticed."""
    parser = argparse.ArgumentParser(prog="make core-mutants", description=__doc__)
    parser.add_argument("word", nargs="?", default="", help="only mutants whose rule or code contains this")
    word = parser.parse_args(arguments).word.lower()
    chosen = [mutant for mutant in CORE_MUTANTS if word in f"{mutant.rule} {mutant.old}".lower()]
    bad = 0
    with tempfile.TemporaryDirectory(prefix="core-mutants-") as directory:
        crate = Crate(Path(directory))
        tests = sorted({test for mutant in chosen for test in mutant.tests})
        if not tests or not crate.passes(tests):
            print(f"The tests do not pass on the sound crate, or no mutant's rule or code contains {word!r}.")
            return 1
        for mutant in chosen:
            verdict = crate.judge(mutant)
            bad += verdict != "noticed"
            print(f"{'ok' if verdict == 'noticed' else 'NO'}  {mutant.rule} ({verdict})", flush=True)
    print(f"\n{len(chosen) - bad} of {len(chosen)} broken rules were noticed by the tests named for them.")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
