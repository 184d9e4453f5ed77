"""Runs the targets under atheris, each in a process of its own; the corpus grows in a temporary directory only.

An input that breaks a target is written to ``fuzz-<target>-crash-<hash>`` in the working directory; mend the code, then
move the file to the corpus.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).with_name("corpus")


def fuzz(name: str, seconds: int, directory: str) -> None:
    """Feed one target for so many seconds; ends the process, with a code other than 0 where the target broke."""
    import atheris  # noqa: PLC0415 - installed by `make fuzz` alone

    with atheris.instrument_imports():
        from unit_tests.fuzz.targets import TARGETS  # noqa: PLC0415 - so that atheris sees what it covers

    limits = [f"-max_total_time={seconds}", "-timeout=10", "-print_final_stats=1", f"-artifact_prefix=fuzz-{name}-"]
    atheris.Setup(["fuzz", *limits, directory, str(CORPUS / name)], TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    """Every target one after another; 1 where one broke."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together")
    parser.add_argument("--target", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = sorted(path.name for path in CORPUS.iterdir())
    if arguments.target:
        with tempfile.TemporaryDirectory() as directory:
            fuzz(arguments.target, arguments.seconds, directory)
    broken = []
    for name in names:
        share = max(1, arguments.seconds // len(names))
        command = [sys.executable, "-m", "unit_tests.fuzz", "--target", name, "--seconds", str(share)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        ran = next((line for line in done.stderr.splitlines() if line.startswith("stat::number_of_executed")), "")
        word = "broken" if done.returncode else "kept"
        sys.stdout.write(f"{name}: {ran.rpartition(' ')[2] or 'no'} inputs in {share} s, {word}\n")
        if done.returncode:
            sys.stdout.write(done.stdout[-2000:] + done.stderr[-2000:])
            broken.append(name)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
