"""What every certification is made of: legs that run or are skipped with a reason, and a word on what they showed.

Exit codes: 0 all legs ran and passed, 1 one failed, 3 one was skipped.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Skipped(Exception):
    """The leg cannot be run here; the message says why."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One part of the certification."""

    name: str
    shows: str
    run: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Result:
    """How a leg went."""

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


def certify(legs: Sequence[Leg]) -> list[Result]:
    """Run the legs, one after the other."""
    results = []
    for leg in legs:
        print(f"\n== {leg.name}: {leg.shows}", flush=True)
        began = time.monotonic()
        try:
            code = leg.run()
        except Skipped as skipped:
            results.append(Result(leg, "skipped", str(skipped)))
        else:
            status = "passed" if code == 0 else "FAILED"
            results.append(Result(leg, status, f"{time.monotonic() - began:.0f} s"))
    return results


def exit_code(results: Sequence[Result]) -> int:
    """1 where a leg failed, else 3 where one was skipped, else 0."""
    statuses = {result.status for result in results}
    return 1 if "FAILED" in statuses else 3 if "skipped" in statuses else 0


def report(title: str, results: Sequence[Result], not_shown: str) -> None:
    """Print how each leg went, and what no leg can show."""
    print(f"\n{title}:\n")
    for result in results:
        print(f"  {result.status:<8} {result.leg.name:<11} {result.detail}")
    print(f"\n{not_shown}")
