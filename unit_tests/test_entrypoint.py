from __future__ import annotations

from collections.abc import Iterator

import pytest

from source_salesforce_bulk import entrypoint
from source_salesforce_bulk.entrypoint import BROKEN_PIPE, FAILURE, Entrypoint
from source_salesforce_bulk.signals import Stop


class Lines:
    """A run that says ``lines``, then raises ``error`` if there is one, and knows whether it was closed."""

    def __init__(self, *lines: str, error: Exception | None = None) -> None:
        self.said = 0
        self.closed = False
        self._lines = lines
        self._error = error

    def run(self) -> Iterator[str]:
        try:
            for line in self._lines:
                self.said += 1
                yield line
            if self._error is not None:
                raise self._error
        finally:
            self.closed = True


@pytest.fixture(autouse=True)
def turned_away(monkeypatch) -> list[bool]:
    """Whether stdout was turned away from its reader; the test's own stdout stays."""
    turned: list[bool] = []
    monkeypatch.setattr(entrypoint, "turn_away_stdout", lambda: turned.append(True))
    return turned


def stopped_by(number: int | None) -> Stop:
    stop = Stop()
    if number is not None:
        stop.signal = number
        stop.event.set()
    return stop


def emit(lines: Lines, signal: int | None = None) -> int:
    return entrypoint._emit(lines.run(), stopped_by(signal))


def test_every_line_is_printed_and_the_code_is_0(capfd):
    assert emit(Lines('{"a": 1}', '{"b": 2}')) == 0
    assert capfd.readouterr().out == '{"a": 1}\n{"b": 2}\n'


def test_a_failed_run_ends_with_1_behind_what_it_has_said(capfd, monkeypatch):
    reported: list[object] = []
    monkeypatch.setattr("sys.excepthook", lambda kind, error, trace: reported.append(error))
    error = RuntimeError("failed")
    assert emit(Lines('{"a": 1}', error=error)) == FAILURE == 1
    assert reported == [error]
    assert capfd.readouterr().out == '{"a": 1}\n'


@pytest.mark.parametrize(("signal", "code"), [(15, 143), (2, 130)])
@pytest.mark.parametrize("error", [None, RuntimeError("failed")])
def test_a_signalled_run_ends_with_the_signals_code_whether_it_failed_or_not(signal, code, error, capfd):
    assert emit(Lines('{"a": 1}', error=error), signal) == code
    assert capfd.readouterr().out == '{"a": 1}\n'


class NoReader:
    """A stdout whose reader is gone."""

    def __init__(self) -> None:
        self.written = 0

    def write(self, text: str) -> int:
        self.written += 1
        raise BrokenPipeError

    def flush(self) -> None:
        pass


def test_a_reader_that_is_gone_ends_the_run_with_141_and_nothing_more_is_written(monkeypatch, turned_away):
    nobody, lines = NoReader(), Lines('{"a": 1}', '{"b": 2}')
    monkeypatch.setattr(entrypoint, "PRINT_BUFFER", _Unbuffered(nobody, monkeypatch))
    assert emit(lines) == BROKEN_PIPE == 141
    assert (lines.said, lines.closed, nobody.written) == (1, True, 1)
    assert turned_away == [True]


class _Unbuffered:
    """In place of the CDK's print buffer: straight to ``stdout``."""

    def __init__(self, stdout: NoReader, monkeypatch: pytest.MonkeyPatch) -> None:
        self._stdout, self._monkeypatch = stdout, monkeypatch

    def __enter__(self) -> None:
        self._monkeypatch.setattr("sys.stdout", self._stdout)

    def __exit__(self, *_: object) -> None:
        self._monkeypatch.undo()


@pytest.mark.parametrize("error", [None, RuntimeError("failed")])
def test_the_run_is_closed_so_that_it_can_clean_up_however_it_ended(error, monkeypatch):
    monkeypatch.setattr("sys.excepthook", lambda *_: None)
    lines = Lines('{"a": 1}', error=error)
    emit(lines)
    assert lines.closed


def test_the_cdks_schema_check_of_the_configuration_is_left_to_our_own_sentences():
    Entrypoint.validate_connection(object(), {"page_size": "no number"})
