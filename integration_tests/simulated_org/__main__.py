"""`python -m integration_tests.simulated_org`: the org as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from integration_tests.simulated_org.credentials import all_credentials
from integration_tests.simulated_org.org import Org
from integration_tests.simulated_org.server import OrgServer
from integration_tests.simulated_org.settings import OrgSettings, limits_of

_API_REQUESTS = {"sandbox": 5_000_000, "enterprise": 110_000, "developer": 15_000}


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT, or until stdin ends where that was asked for; always 0."""
    options = _parser().parse_args(arguments)
    asyncio.run(_serve(options, _settings(options)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulated_org", description="A simulated Salesforce org on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seed", type=int, default=1, help="of the generated rows")
    parser.add_argument("--rows", type=float, default=1.0, metavar="SCALE", help="scale of the row counts")
    parser.add_argument("--ties", type=int, default=3_000, help="rows of Ties__c, all with one SystemModstamp")
    parser.add_argument("--objects", type=int, default=0, metavar="N", help="generate N further custom objects")
    parser.add_argument("--bench-rows", type=int, default=0, metavar="N", help="add Bench__c with N rows")
    parser.add_argument("--latency", type=float, metavar="SECONDS", help="time of a job; without it jobs count polls")
    parser.add_argument("--polls", type=int, default=2, help="polls until a job is complete, without --latency")
    parser.add_argument("--request-seconds", type=float, default=0.0, help="time added to every answer")
    parser.add_argument("--describe-seconds", type=float, default=0.0, help="time added to every describe")
    parser.add_argument("--bandwidth", type=float, metavar="BYTES_PER_S", help="of one answer")
    parser.add_argument("--page-size", type=int, default=248_654, help="rows of a page without maxRecords")
    parser.add_argument("--edition", choices=list(_API_REQUESTS), default="sandbox", help="sets the daily limits")
    parser.add_argument("--data-until", default="2026-06-30T00:00:00Z", help="the newest stamp of generated rows")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=JSON", help="any other setting")
    parser.add_argument(
        "--ready-file", type=Path, metavar="PATH", help="write a ready line with every credential there"
    )
    parser.add_argument("--exit-with-parent", action="store_true", help="end when stdin is closed")
    return parser


def _settings(options: argparse.Namespace) -> OrgSettings:
    further = dict(one.split("=", 1) for one in options.set)
    return OrgSettings(
        seed=options.seed,
        rows=options.rows,
        ties=options.ties,
        extra_objects=options.objects,
        bench_rows=options.bench_rows,
        latency=options.latency,
        polls_until_complete=options.polls,
        request_seconds=options.request_seconds,
        describe_seconds=options.describe_seconds,
        bandwidth=options.bandwidth,
        page_size=options.page_size,
        data_until=options.data_until,
        limits=limits_of(_API_REQUESTS[options.edition]),
        **{name: json.loads(value) for name, value in further.items()},
    )


async def _serve(options: argparse.Namespace, settings: OrgSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.exit_with_parent:
        await _watch_stdin(stop)
    org = Org(settings)
    server = OrgServer(org)
    try:
        await server.start(options.port)
        _announce(org, server, options.ready_file)
        await stop.wait()
    finally:
        await server.stop()
        org.close()


def _announce(org: Org, server: OrgServer, ready_file: Path | None) -> None:
    """Say where the org listens: a sentence on a terminal, a JSON line to a program. The key goes into a file."""
    ready = {"url": server.url, "instance_url": server.instance_url, "control_url": server.url + "/__control"}
    if ready_file is not None:
        partial = ready_file.with_suffix(ready_file.suffix + ".partial")
        _write_private(partial, json.dumps(ready | {"credentials": all_credentials(org)}) + "\n")
        partial.rename(ready_file)
    if sys.stdout.isatty():
        print(f"Listening on {server.url} (control API: {ready['control_url']}/). Ctrl-C ends it.", flush=True)
        return
    credentials = all_credentials(org)
    key_file = org.directory / "private_key.pem"
    _write_private(key_file, credentials["jwt_bearer"].pop("private_key"))
    credentials["jwt_bearer"]["private_key_file"] = str(key_file)
    print(json.dumps(ready | {"credentials": credentials}), flush=True)


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


async def _watch_stdin(stop: asyncio.Event) -> None:
    """Set the event when stdin ends: the parent is gone."""
    loop = asyncio.get_running_loop()

    class Watcher(asyncio.Protocol):
        def eof_received(self) -> bool:
            stop.set()
            return False

        def connection_lost(self, exc: Exception | None) -> None:
            stop.set()

    with contextlib.suppress(ValueError, PermissionError):  # a regular file as stdin cannot be watched
        await loop.connect_read_pipe(Watcher, sys.stdin)


if __name__ == "__main__":
    sys.exit(main())
