"""Runs the mutants: in a temporary copy of the tree, each against the tests that its entry names, two at a time."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from unit_tests.mutants import PACKAGE, ROOT, DoesNotApply, Mutant, ids_of_tests, sources
from unit_tests.mutants.entries import MUTANTS

COPIED = (PACKAGE, "unit_tests", "integration_tests", "pyproject.toml")
TESTS_FAILED = 1
"""pytest's exit code; any other one says that the tests did not run as they should."""
LONGEST = 120
"""Seconds for one mutant. A rule whose breach makes the tests go on for ever was noticed, too."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The fate of a mutant: ``killed``, or why not."""

    mutant: Mutant
    killed: bool
    word: str


class Tree:
    """A copy of the tree in which one mutant at a time lives."""

    def __init__(self, root: Path) -> None:
        self._root = root
        for name in COPIED:
            source, target = ROOT / name, root / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)

    def pytest(self, tests: Sequence[str]) -> int | None:
        """Run tests in the copy; pytest's exit code, or None where they did not end in time.

        No root conftest: it imports the CDK's test suite, which takes longer than the tests.
        """
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "--noconftest",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
        ]
        # A rule of Python's way through a page is not broken for tests that go the core's way.
        ours = {"PYTHONPATH": str(self._root), "PYTHONDONTWRITEBYTECODE": "1", "SALESFORCE_BULK_CORE": "off"}
        environment = {**os.environ, **ours}
        try:
            done = subprocess.run(
                [*command, *tests],
                cwd=self._root,
                env=environment,
                timeout=LONGEST,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
        return done.returncode

    @contextmanager
    def broken(self, mutant: Mutant) -> Iterator[None]:
        """The tree with one rule broken."""
        path = self._root / PACKAGE / mutant.place(sources(self._root / PACKAGE, ".py"))
        sound = path.read_text(encoding="utf-8")
        path.write_text(mutant.broken(sound), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(sound, encoding="utf-8")


def _ids_of(mutant: Mutant) -> list[str]:
    ids = ids_of_tests(ROOT)
    return [test for name in mutant.tests for test in ids[name]]


def judge(mutant: Mutant, trees: SimpleQueue[Tree]) -> Verdict:
    """Break one rule and check that each of its tests notices."""
    tree = trees.get()
    try:
        with tree.broken(mutant):
            for test in _ids_of(mutant):
                code = tree.pytest([test])
                if code not in (TESTS_FAILED, None):
                    word = "SURVIVED" if code == 0 else f"pytest ended with {code}"
                    return Verdict(mutant, killed=False, word=f"{word}: {test}")
    except DoesNotApply as error:
        return Verdict(mutant, killed=False, word=f"does not apply: {error}")
    finally:
        trees.put(tree)
    return Verdict(mutant, killed=True, word="noticed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the mutants whose rule or code contains a word, all without one; 0 where every one was noticed."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("word", nargs="?", default="", help="only mutants whose rule or code contains this")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time (default: 2)")
    options = parser.parse_args(arguments)
    chosen = [mutant for mutant in MUTANTS if options.word.lower() in f"{mutant.rule} {mutant.old}".lower()]
    if not chosen:
        print(f"no mutant's rule or code contains {options.word!r}")
        return 1
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        trees: SimpleQueue[Tree] = SimpleQueue()
        first = Tree(Path(directory) / "0")
        every_test = sorted({test for mutant in chosen for test in _ids_of(mutant)})
        if (code := first.pytest(every_test)) != 0:
            print(f"The tests do not pass on the sound tree (pytest ended with {code}); a mutant would prove nothing.")
            return 1
        trees.put(first)
        for number in range(1, max(1, options.jobs)):
            trees.put(Tree(Path(directory) / str(number)))
        with ThreadPoolExecutor(max(1, options.jobs)) as pool:
            verdicts = list(pool.map(lambda mutant: report(judge(mutant, trees)), chosen))
    bad = [verdict for verdict in verdicts if not verdict.killed]
    print(f"\n{len(verdicts) - len(bad)} of {len(verdicts)} broken rules were noticed by the tests named for them.")
    return 1 if bad else 0


def report(verdict: Verdict) -> Verdict:
    """Print a mutant's line of the table as soon as its fate is known."""
    mark = "ok" if verdict.killed else "NO"
    print(f"{mark}  {verdict.mutant.rule}", flush=True)
    if not verdict.killed:
        print(f"    {verdict.word}", flush=True)
    return verdict


if __name__ == "__main__":
    sys.exit(main())
