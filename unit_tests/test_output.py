from __future__ import annotations

import errno
import io
import os
import subprocess
import sys

import pytest

from source_salesforce_bulk import output
from source_salesforce_bulk.output import BROKEN_PIPE, OUTPUT_LOST, GuardedStdout, OutputLost, report_lost


class Full(io.StringIO):
    """A stream that fails in ``step``."""

    def __init__(self, step: str, number: int = errno.ENOSPC) -> None:
        super().__init__()
        self.step, self.error = step, OSError(number, os.strerror(number))

    def write(self, text: str) -> int:
        if self.step == "write":
            raise self.error
        return super().write(text)

    def flush(self) -> None:
        if self.step == "flush":
            raise self.error


@pytest.fixture(autouse=True)
def turned_away(monkeypatch) -> list[bool]:
    turned: list[bool] = []
    monkeypatch.setattr(output, "silence_stdout", lambda: turned.append(True))
    return turned


@pytest.mark.parametrize("step", ["write", "flush"])
def test_a_guarded_stdout_never_fails_and_knows_what_was_lost(step, turned_away):
    stdout = GuardedStdout(Full(step))
    print("one line", file=stdout, flush=True)
    assert stdout.lost is not None
    assert stdout.lost.exit_code == OUTPUT_LOST
    assert turned_away


def test_a_guarded_stdout_that_works_is_the_stream_itself(turned_away):
    stream = io.StringIO()
    stdout = GuardedStdout(stream)
    print("one line", file=stdout, flush=True)
    assert (stream.getvalue(), stdout.lost, turned_away) == ("one line\n", None, [])
    assert stdout.isatty() is False


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, 74), (errno.EDQUOT, 74), (errno.EIO, 74), (errno.EPIPE, 141)]
)
def test_the_exit_code_tells_a_reader_that_left_from_everything_else(number, code):
    assert OutputLost(OSError(number, os.strerror(number))).exit_code == code


def test_a_lost_output_is_one_sentence_on_stderr_and_a_reader_that_left_is_none(monkeypatch, capsys):
    monkeypatch.setattr(sys, "__stderr__", sys.stderr)
    assert report_lost(OutputLost(OSError(errno.ENOSPC, "No space left on device"))) == OUTPUT_LOST
    assert report_lost(OutputLost(BrokenPipeError(errno.EPIPE, "Broken pipe"))) == BROKEN_PIPE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("stdout cannot be written (No space left on device)")


CONFIG = '{"credentials": {"auth_type": "nonsense"}}'


@pytest.mark.parametrize(
    "command",
    [
        ("run", ["spec"]),
        ("run", ["check", "--config", "CONFIG"]),
        ("run", ["discover", "--config", "CONFIG"]),
        ("export.main", ["spec"]),
        ("export.main", ["--help"]),
    ],
    ids=lambda command: " ".join((command[0], command[1][0])),
)
def test_each_program_ends_with_its_own_code_and_one_sentence_on_a_full_disk(command, tmp_path):
    module, arguments = command
    (tmp_path / "config.json").write_text(CONFIG, encoding="utf-8")
    arguments = [str(tmp_path / "config.json") if argument == "CONFIG" else argument for argument in arguments]
    script = f"import sys; sys.argv[1:] = {arguments!r}; from source_salesforce_bulk.{module} import run; run()"
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run([sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == OUTPUT_LOST
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("stdout cannot be written (No space left on device)")
