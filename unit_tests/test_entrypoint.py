from __future__ import annotations

import errno
import json
import os
import sys
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import suppress

import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import AirbyteMessage, AirbyteRecordMessage, ConnectorSpecification, Type
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_salesforce_bulk.airbyte import entrypoint
from source_salesforce_bulk.airbyte.entrypoint import FAILURE, Entrypoint, unreadable_file
from source_salesforce_bulk.airbyte.errors import traced_config_error
from source_salesforce_bulk.airbyte.record_batch import RecordBatch
from source_salesforce_bulk.airbyte.source import SourceSalesforceBulk
from source_salesforce_bulk.airbyte.streams import state_message
from source_salesforce_bulk.output import BROKEN_PIPE, OUTPUT_LOST
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
    """Return whether stdout was turned away from its reader; the test's own stdout stays."""
    turned: list[bool] = []
    monkeypatch.setattr(entrypoint, "silence_stdout", lambda: turned.append(True))
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


@pytest.mark.parametrize(
    ("error", "said"),
    [(traced_config_error("Mend it."), "Mend it."), (RuntimeError("Jane Doe"), "An unexpected error occurred")],
)
def test_a_failed_run_ends_with_1_and_one_trace_behind_what_it_has_said(error, said, capfd):
    assert emit(Lines('{"a": 1}', error=error)) == FAILURE == 1
    first, trace = capfd.readouterr().out.splitlines()
    assert first == '{"a": 1}'
    assert json.loads(trace)["trace"]["error"]["message"].startswith(said)
    assert "Jane" not in trace


@pytest.mark.parametrize(("signal", "code"), [(15, 143), (2, 130)])
@pytest.mark.parametrize("error", [None, RuntimeError("failed")])
def test_a_signalled_run_ends_with_the_signals_code_whether_it_failed_or_not(signal, code, error, capfd):
    assert emit(Lines('{"a": 1}', error=error), signal) == code
    assert capfd.readouterr().out == '{"a": 1}\n'


class NoReader:
    """A stdout whose reader is gone, or that fails otherwise."""

    def __init__(self, error: OSError | None = None) -> None:
        self.written = 0
        self._error = error or BrokenPipeError()

    def write(self, text: str) -> int:
        self.written += 1
        raise self._error

    def flush(self) -> None:
        pass


def test_a_reader_that_is_gone_ends_the_run_with_141_and_nothing_more_is_written(monkeypatch, turned_away):
    nobody, lines = NoReader(), Lines('{"a": 1}', '{"b": 2}')
    monkeypatch.setattr(entrypoint, "PRINT_BUFFER", _Unbuffered(nobody, monkeypatch))
    assert emit(lines) == BROKEN_PIPE == 141
    assert (lines.said, lines.closed, nobody.written) == (1, True, 1)
    assert turned_away == [True]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_stdout_that_takes_nothing_more_ends_the_run_with_74_and_one_sentence(
    number, monkeypatch, turned_away, capsys
):
    monkeypatch.setattr("sys.__stderr__", sys.stderr)
    full, lines = NoReader(OSError(number, os.strerror(number))), Lines('{"a": 1}', '{"b": 2}')
    monkeypatch.setattr(entrypoint, "PRINT_BUFFER", _Unbuffered(full, monkeypatch))
    assert emit(lines) == OUTPUT_LOST == 74
    assert (lines.said, lines.closed, full.written) == (1, True, 1)
    assert turned_away == [True]


def test_a_terminal_that_hung_up_takes_nothing_more_and_the_signal_decides_the_code(monkeypatch):
    gone = NoReader(OSError(errno.EIO, os.strerror(errno.EIO)))
    monkeypatch.setattr(entrypoint, "PRINT_BUFFER", _Unbuffered(gone, monkeypatch))
    assert emit(Lines('{"a": 1}'), signal=1) == 143


def test_a_trace_that_stdout_does_not_take_ends_the_run_with_74_too(monkeypatch, turned_away):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("builtins.print", full)
    assert emit(Lines(error=RuntimeError("failed"))) == OUTPUT_LOST
    assert turned_away == [True]


class _Unbuffered:
    """Replaces the CDK's print buffer and writes directly to ``stdout``."""

    def __init__(self, stdout: NoReader, monkeypatch: pytest.MonkeyPatch) -> None:
        self._stdout, self._monkeypatch = stdout, monkeypatch

        self.lock = threading.Lock()

    def flush(self) -> None:
        pass

    def __enter__(self) -> None:
        self._monkeypatch.setattr("sys.stdout", self._stdout)

    def __exit__(self, *_: object) -> None:
        self._monkeypatch.undo()


@pytest.mark.parametrize("error", [None, RuntimeError("failed")])
def test_the_run_is_closed_so_that_it_can_clean_up_however_it_ended(error):
    lines = Lines('{"a": 1}', error=error)
    emit(lines)
    assert lines.closed


def test_the_cdks_schema_check_of_the_configuration_is_left_to_our_own_sentences():
    Entrypoint.validate_connection(object(), {"page_size": "no number"})


# Batches


def test_a_temporary_folder_that_cannot_be_used_is_a_config_error(monkeypatch):
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    lines = Entrypoint(SourceSalesforceBulk()).run(Namespace(command="spec"))
    with pytest.raises(AirbyteTracedException, match="TMPDIR, which is /nonexistent") as raised:
        next(iter(lines))
    assert raised.value.failure_type.value == "config_error"


class Source(SourceSalesforceBulk):
    """A source whose read is ``messages``."""

    def __init__(self, *messages: AirbyteMessage) -> None:
        super().__init__()
        self._messages = messages

    def read(self, *_: object) -> Iterator[AirbyteMessage]:
        yield from self._messages


def record(stream: str) -> AirbyteMessage:
    return AirbyteMessage(type=Type.RECORD, record=AirbyteRecordMessage(stream=stream, data={"Id": 1}, emitted_at=7))


def read_by(source: Source) -> Iterator[str]:
    """Handle the messages of ``read`` as the CDK's ``run`` does."""
    reading = Entrypoint(source)
    specification = ConnectorSpecification(connectionSpecification={})
    yield from map(AirbyteEntrypoint.airbyte_message_to_string, reading.read(specification, {}, None, []))


def test_batches_are_written_between_the_lines_in_order_and_counted_exactly(capfd):
    batch = RecordBatch("A", b'{"row":1}\n{"row":2}\n', 2)
    source = Source(record("A"), batch, state_message("B", {}), state_message("A", {"x": 1}), batch, record("A"))
    assert entrypoint._emit(read_by(source), Stop()) == 0
    lines = capfd.readouterr().out.splitlines()
    kinds = [line if '"row"' in line else json.loads(line)["type"] for line in lines]
    kinds = [kind for kind in kinds if kind != "LOG"]
    two = ['{"row":1}', '{"row":2}']
    assert kinds == ["RECORD", *two, "STATE", "STATE", *two, "RECORD"]
    states = [json.loads(line)["state"] for line in lines if '"STATE"' in line]
    assert [state["sourceStats"]["recordCount"] for state in states] == [0.0, 3.0]
    assert '"recordCount":3.0' in "".join(lines)


def test_a_reader_that_is_gone_while_a_block_is_written_ends_the_run_the_same_way(monkeypatch, turned_away):
    reader, writer = os.pipe()
    os.close(reader)
    nobody = os.fdopen(writer, "w")
    monkeypatch.setattr(entrypoint, "PRINT_BUFFER", _Unbuffered(NoReader(), monkeypatch))
    monkeypatch.setattr("sys.__stdout__", nobody)
    source = Source(RecordBatch("A", b"{}\n", 1), record("A"))
    assert entrypoint._emit(read_by(source), Stop()) == BROKEN_PIPE
    with suppress(BrokenPipeError):
        nobody.close()
    assert turned_away[0]


def problem_with(tmp_path, content: bytes, option: str = "config") -> str | None:
    file = tmp_path / "file.json"
    file.write_bytes(content)
    said = unreadable_file(Namespace(command="read", **{option: str(file)}))
    return said and said.replace(f"{file} ", "")


@pytest.mark.parametrize("option", ["config", "catalog", "state"])
@pytest.mark.parametrize("content", [b"{}", "{'ä': 1}".replace("'", '"').encode(), b' {"a": [1]} '])
def test_an_object_is_not_judged_further(tmp_path, content, option):
    assert problem_with(tmp_path, content, option) is None


@pytest.mark.parametrize("content", [b"[]", b" 1 ", b"null", b'"text"', b"true", b"NaN"])
def test_a_configuration_and_a_catalog_are_objects(tmp_path, content):
    for option in ("config", "catalog"):
        said = problem_with(tmp_path, content, option)
        assert said == f"The file given as --{option} is not a JSON object. It begins with {{ and ends with }}."
    assert problem_with(tmp_path, content, "state") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file given as --config is not JSON: Expecting value in line 1, column 1. Correct it there."),
        (b'{"a": 1\n"b"}', "The file given as --config is not JSON: Expecting ',' delimiter in line 2, column 1."),
        (b"\xff\xfe{}", "The file given as --config is not text in UTF-8. Save it as UTF-8."),
        (
            b"1" * 5000,
            "The file given as --config is not JSON that can be read: it holds a number of thousands of digits.",
        ),
        (
            b'{"page_size": -' + b"9" * 5000 + b"}",
            "The file given as --config is not JSON that can be read: it holds a number of thousands of digits.",
        ),
        (b"[" * 200_000, "The file given as --config is not JSON that can be read: it is nested too deeply."),
    ],
)
def test_a_file_that_is_not_json_is_refused_with_where_and_what(tmp_path, content, said):
    assert (problem_with(tmp_path, content) or "").startswith(said)


def test_nothing_of_the_file_is_quoted(tmp_path):
    assert "hunter2" not in (problem_with(tmp_path, b'{"client_secret": "hunter2" oops}') or "")


@pytest.mark.parametrize("option", ["config", "catalog", "state"])
def test_each_file_is_looked_at(tmp_path, option):
    said = unreadable_file(Namespace(command="read", **{option: str(tmp_path / "none.json")}))
    assert said == (
        f"The file {tmp_path / 'none.json'} given as --{option} cannot be read: No such file or directory. "
        "Check its name, and that this user may read it."
    )


def test_a_directory_is_no_file(tmp_path):
    assert "cannot be read: Is a directory" in (unreadable_file(Namespace(command="check", config=str(tmp_path))) or "")


def test_what_was_not_given_is_not_missed():
    assert unreadable_file(Namespace(command="spec")) is None
    assert unreadable_file(Namespace(command="read", state=None)) is None
