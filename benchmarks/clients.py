"""The connector and its peer as commands that are timed from their first message on, and the org that they talk to.

How long Python and the CDK take to start is left out: it is no matter of waiting, and `make bench` has it.
"""

from __future__ import annotations

import fcntl
import json
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from benchmarks.bench_org import END, START, org_process
from benchmarks.contenders import CONNECTOR, HERE, PEER

_BYTES = re.compile(rb"complete: .* bytes (\d+),")
_PIPE = 1 << 20


@dataclass
class Run:
    """One command: when each stream was complete and when it ended, in seconds from its first message on.

    ``received`` are the bytes of pages, as the connector counts them; ``streams`` what it discovered, by name.
    """

    seconds: float = 0.0
    complete: dict[str, float] = field(default_factory=dict)
    received: int = 0
    rows: int = 0
    streams: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.rows / self.seconds


Enough = Callable[[Run], bool]


class Org:
    """A simulated org in a process of its own."""

    def __init__(self, ready: Mapping[str, Any]) -> None:
        self.url: str = ready["url"]
        self.credentials: Mapping[str, Any] = ready["credentials"]["refresh_token"]
        self._control_url = ready["control_url"]
        self._directory = Path(tempfile.mkdtemp(prefix="bench-org-"))

    def config(self, **overlay: Any) -> dict[str, Any]:
        """The connector's configuration for this org."""
        return {"credentials": self.credentials, "login_url": self.url, **overlay}

    def control(self, method: str, **arguments: Any) -> Any:
        """Call the control API."""
        answer = requests.post(f"{self._control_url}/{method}", json=arguments, timeout=600)
        answer.raise_for_status()
        return answer.json()["result"]

    def file(self, name: str, content: object) -> Path:
        """Write a JSON file."""
        path = self._directory / name
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    def discover(self, objects: Sequence[str]) -> Run:
        """Let the connector discover what the patterns name."""
        config = self.file("config.json", self.config(objects=objects))
        return timed([str(CONNECTOR), "discover", "--config", str(config)])

    def read(self, names: Sequence[str], enough: Enough = lambda _: False) -> Run:
        """Let the connector read objects in full."""
        config = self.file("config.json", self.config())
        catalog = self.file("catalog.json", _catalog([{"name": name, "json_schema": {}} for name in names]))
        return timed([str(CONNECTOR), "read", "--config", str(config), "--catalog", str(catalog)], enough)

    def warm(self, names: Sequence[str]) -> None:
        """Let the org render what the connector will ask for, so that the connector is measured and not the org."""
        self.read(names)
        for name in names:
            job = self.control("jobs", object=name)[-1]
            self.control("warm", query=job["query"], operation=job["operation"])

    def peer_discover(self, prefix: str) -> Run:
        """Let the peer discover the objects whose names begin so."""
        return timed([*self._peer("discover"), "--config", str(self._peer_config(prefix))])

    def peer_read(
        self, prefix: str, names: Sequence[str], enough: Enough = lambda _: False, patience: float = 0
    ) -> Run:
        """Let the peer read some of those objects in full; where ``patience`` is given, for so many seconds at most."""
        streams = self.peer_discover(prefix).streams
        catalog = self.file("peer-catalog.json", _catalog([streams[name] for name in names]))
        options = ["--config", str(self._peer_config(prefix)), "--catalog", str(catalog)]
        return timed([*self._peer("read"), *options], enough, patience)

    def _peer(self, command: str) -> list[str]:
        return ["env", f"BENCH_LOGIN_URL={self.url}", str(PEER), str(HERE / "peer_launcher.py"), command]

    def _peer_config(self, prefix: str) -> Path:
        config = {
            **{key: value for key, value in self.credentials.items() if key != "auth_type"},
            "auth_type": "Client",
            "start_date": START,
            "end_date": END,
            "force_use_bulk_api": True,
            "streams_criteria": [{"criteria": "starts with", "value": prefix}],
        }
        return self.file("peer-config.json", config)


@contextmanager
def simulated_org(*options: str) -> Iterator[Org]:
    """An org on a free loopback port."""
    with org_process(*options) as ready:
        yield Org(ready)


def timed(command: Sequence[str], enough: Enough = lambda _: False, patience: float = 0) -> Run:
    """Run a protocol command to its end, until enough was seen, or for ``patience`` seconds where that is not 0.

    Ends the program where the command fails by itself.
    """
    run, began = Run(), 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        errors = threading.Thread(target=process.stderr.read)
        errors.start()
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE)
        given_up = threading.Timer(patience or 3600, process.kill)
        given_up.start()
        for line in process.stdout:
            began = began or time.monotonic()
            if line.startswith(b'{"type":"RECORD"'):
                run.rows += 1
                continue
            _note(run, line, time.monotonic() - began)
            if enough(run):
                process.kill()
                break
        process.stdout.close()
        process.wait()
        given_up.cancel()
        errors.join()
    run.seconds = time.monotonic() - began
    if process.returncode not in (0, -9):
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return run


def _note(run: Run, line: bytes, at: float) -> None:
    if b'"COMPLETE"' in line:
        status = json.loads(line)["trace"]["stream_status"]
        run.complete[status["stream_descriptor"]["name"]] = at
    elif line.startswith(b'{"type":"CATALOG"'):
        run.streams = {stream["name"]: stream for stream in json.loads(line)["catalog"]["streams"]}
    elif found := _BYTES.search(line):
        run.received += int(found[1])


def _catalog(streams: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    modes = {"supported_sync_modes": ["full_refresh"]}
    return {
        "streams": [
            {"stream": {**modes, **stream}, "sync_mode": "full_refresh", "destination_sync_mode": "append"}
            for stream in streams
        ]
    }
