"""This connector with its records and states on Unix sockets, as Airbyte's platform asks sources for in socket mode.

    DATA_CHANNEL_SOCKET_PATHS=/a.sock,/b.sock python -m benchmarks.socket_source read --config … --catalog …

It exists for the trial of ``benchmarks.sockets`` and is not part of the connector. The source listens on every path and
the destination connects. All records between two states form a partition; a state names its partition, and has a number
that grows by one. States and stream statuses go to stdout and to the sockets, logs to stdout alone.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle
from queue import SimpleQueue
from threading import Thread

from source_salesforce_bulk.allocation import prepare_this_process
from source_salesforce_bulk.signals import Stop

_RECORD = b'{"type":"RECORD","record":{'
_WAITING = 2
"""Blocks that may wait at one socket."""


class Line:
    """One socket with a thread that writes to it. ``send`` blocks while too much is waiting."""

    def __init__(self, path: str) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(1)
        self._blocks: SimpleQueue[bytes | None] = SimpleQueue()
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(_WAITING):
            self._free.put(None)
        self._thread = Thread(target=self._run)
        self._thread.start()

    def send(self, block: bytes) -> None:
        """Write ``block`` after everything that was sent before."""
        self._free.get()
        self._blocks.put(block)

    def drain(self) -> None:
        """Come back when everything is written."""
        for _ in range(_WAITING):
            self._free.get()
        for _ in range(_WAITING):
            self._free.put(None)

    def close(self) -> None:
        """Write everything and close the socket."""
        self._blocks.put(None)
        self._thread.join()

    def _run(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while (block := self._blocks.get()) is not None:
                connection.sendall(block)
                self._free.put(None)


class Channel:
    """The sockets: blocks of records go to them in turn."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._lines = [Line(path) for path in paths]
        self._turns = cycle(self._lines)
        self._partition = 1

    def records(self, lines: bytes | memoryview) -> None:
        """Send a block of RECORD lines, each with its partition. Quotes inside of values are escaped."""
        marked = _RECORD + b'"partition_id":"p%d",' % self._partition
        next(self._turns).send(bytes(lines).replace(_RECORD, marked))

    def watched(self, messages: Iterable[str]) -> Iterator[str]:
        """Yield everything that stdout gets, and send what the destination needs."""
        try:
            for text in messages:
                shown = text
                if '"STATE"' in text or '"STREAM_STATUS"' in text:
                    shown = self._numbered(json.loads(text))
                    next(self._turns).send(f"{shown}\n".encode())
                yield shown
        finally:
            for line in self._lines:
                line.close()

    def _numbered(self, message: dict[str, dict[str, object]]) -> str:
        if "state" in message:
            message["state"] |= {"partition_id": f"p{self._partition}", "id": self._partition}
            self._partition += 1
        else:  # a status says that everything before it was sent
            for line in self._lines:
                line.drain()
        return json.dumps(message)


def main() -> None:
    """Run one command of the connector as its console script does; ends the process."""
    prepare_this_process()
    stop = Stop()
    stop.install()
    from source_salesforce_bulk.airbyte.lean_imports import import_entrypoint  # noqa: PLC0415 - as in run.py

    import_entrypoint()
    from source_salesforce_bulk.airbyte import entrypoint  # noqa: PLC0415

    channel = Channel(os.environ["DATA_CHANNEL_SOCKET_PATHS"].split(","))
    # The two places where the connector writes to stdout.
    show = entrypoint._print  # noqa: SLF001
    entrypoint._write_block = channel.records  # noqa: SLF001
    entrypoint._print = lambda lines: show(channel.watched(lines))  # noqa: SLF001
    entrypoint.launch(sys.argv[1:], stop)


if __name__ == "__main__":
    main()
