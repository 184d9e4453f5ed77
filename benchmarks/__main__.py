"""``make bench``: run every scenario, print its table, and keep the results in ``benchmarks/RESULTS.md``."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.scenario import Scale
from benchmarks.scenarios import all_scenarios

RESULTS = Path(__file__).with_name("RESULTS.md")
OUT = Path("build/bench")


def main() -> int:
    """Run the scenarios that were asked for; 0 when each run was whole and its records right."""
    scenarios = all_scenarios()
    options = _parser(list(scenarios)).parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    lines = [_heading(options)]
    print(lines[0])
    for name in options.scenario or scenarios:
        for line in scenarios[name].run(Scale(options.rows, options.peer_rows, options.rounds), OUT):
            print(line, flush=True)
            lines.append(line)
        lines.append("")
    if options.keep:
        _keep("\n".join(lines))
    return 0


def _parser(names: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the object")
    parser.add_argument("--peer-rows", type=int, default=200_000, help="rows for those that take minutes")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of everyone else; medians are shown")
    parser.add_argument("--scenario", action="append", choices=names, help="only this one; may be repeated")
    parser.add_argument("--keep", action="store_true", help=f"put the results into {RESULTS.name}")
    return parser


def _heading(options: argparse.Namespace) -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    load = os.getloadavg()[0]
    return (
        f"## {datetime.now(UTC):%Y-%m-%d}, {len(os.sched_getaffinity(0))} cores ({model}), Python "
        f"{platform.python_version()}, load {load:.1f} at the start\n\n"
        f"`make bench ROWS={options.rows} PEER_ROWS={options.peer_rows} ROUNDS={options.rounds}`\n"
    )


def _keep(text: str) -> None:
    """Put the results in the place of the last ones, below the file's introduction."""
    introduction, mark, _ = RESULTS.read_text().partition("<!-- results -->\n")
    RESULTS.write_text(f"{introduction}{mark}\n{text}")


if __name__ == "__main__":
    sys.exit(main())
