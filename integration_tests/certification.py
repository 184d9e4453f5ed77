"""The legs of a certification, which run or cannot be run here, and the summary of their results.

The exit code is 0 if every requested leg ran and passed, otherwise 1: what could not be tried is not certified. To run
less, name the legs; the summary then lists those left out.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


class CannotRun(Exception):
    """The leg cannot be run on this machine; the message says why, and what would help."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One part of the certification."""

    name: str
    shows: str
    run: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a leg."""

    leg: Leg
    status: str
    detail: str


def pytest_leg(*targets: str) -> Callable[[], int]:
    """A leg that is a few of the project's own tests."""
    return lambda: (
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *targets], cwd=ROOT, check=False
        ).returncode
    )


def chosen(legs: Sequence[Leg], names: Sequence[str]) -> Sequence[Leg]:
    """The legs of these names, all where none is given; raises SystemExit for a name that no leg has."""
    unknown = set(names) - {leg.name for leg in legs}
    if unknown:
        raise SystemExit(
            f"There is no leg {', '.join(sorted(unknown))}. The legs are: {' '.join(leg.name for leg in legs)}"
        )
    return [leg for leg in legs if not names or leg.name in names]


def certify(legs: Sequence[Leg]) -> list[Result]:
    """Run the legs, one after the other."""
    results = []
    for leg in legs:
        print(f"\n== {leg.name}: {leg.shows}", flush=True)
        began = time.monotonic()
        try:
            code = leg.run()
        except CannotRun as reason:
            results.append(Result(leg, "NOT RUN", str(reason)))
        else:
            status = "passed" if code == 0 else "FAILED"
            results.append(Result(leg, status, f"{time.monotonic() - began:.0f} s"))
    return results


def report(title: str, results: Sequence[Result], legs: Sequence[Leg], not_shown: str) -> int:
    """Print how each leg went and what no leg can show; the exit code of the certification."""
    print(f"\n{title}:\n")
    for result in results:
        print(f"  {result.status:<8} {result.leg.name:<11} {result.detail}")
    left_out = [leg.name for leg in legs if leg not in {result.leg for result in results}]
    if left_out:
        print(f"\nNot asked for: {', '.join(left_out)}.")
    print(f"\n{not_shown}")
    return 0 if all(result.status == "passed" for result in results) else 1
