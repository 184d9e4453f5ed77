"""The programs that are measured, and the command line of each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

from benchmarks.bench_org import END, START, BenchOrg, write_json

HERE = Path(__file__).parent
CONNECTOR = Path(sys.executable).with_name("source-salesforce-bulk")
PEER = Path(os.environ.get("BENCH_PEER", "build/peer/bin/python"))
FIRST_RELEASE = Path("build/first-release/.venv/bin")
SF = Path("build/sf/node_modules/.bin/sf")


@dataclass(frozen=True, slots=True)
class Job:
    """The read that every program is given: all fields of one object, in one sync mode. ``soql`` is our query."""

    org: BenchOrg
    mode: str
    soql: str
    operation: str
    directory: Path


def connector(job: Job, **overlay: Any) -> list[str]:
    """This connector's console script."""
    return _protocol([str(CONNECTOR)], job, {**_config(job), **overlay})


def without_core(job: Job) -> list[str]:
    """This connector as it is where the native core is not installed."""
    return ["env", "SALESFORCE_BULK_CORE=off", *connector(job)]


def first_release(job: Job) -> list[str]:
    """This connector as its first release was."""
    return _protocol([str(FIRST_RELEASE / CONNECTOR.name)], job, _config(job))


def peer(job: Job) -> list[str]:
    """airbyte-source-salesforce, with its login sent to the simulated org."""
    config = {
        **{key: value for key, value in job.org.credentials.items() if key != "auth_type"},
        "auth_type": "Client",
        "start_date": START,
        "end_date": END,
        "force_use_bulk_api": True,
        "streams_criteria": [{"criteria": "exacts", "value": job.org.object_name}],
    }
    launcher = ["env", f"BENCH_LOGIN_URL={job.org.url}", str(PEER), str(HERE / "peer_launcher.py")]
    return _protocol(launcher, job, config)


def simple_salesforce(job: Job) -> list[str]:
    """simple-salesforce's bulk2 reader."""
    script = str(HERE / "simple_salesforce_reader.py")
    return [sys.executable, script, job.org.url, _form(job), job.soql, job.org.object_name, str(job.org.page_rows)]


def sf(job: Job) -> list[str]:
    """Salesforce's CLI."""
    return [sys.executable, str(HERE / "sf_export.py"), str(SF.absolute()), job.org.url, _form(job), job.soql]


def floor(job: Job) -> list[str]:
    """Curl and the csv module."""
    script = str(HERE / "floor.py")
    return [sys.executable, script, job.org.url, _form(job), job.soql, job.operation, str(job.org.page_rows)]


def _config(job: Job) -> dict[str, Any]:
    return {
        "credentials": job.org.credentials,
        "login_url": job.org.url,
        "objects": [job.org.object_name],
        "page_size": job.org.page_rows,
    }


def _form(job: Job) -> str:
    return json.dumps({key: value for key, value in job.org.credentials.items() if key != "auth_type"})


def _protocol(launcher: list[str], job: Job, config: Mapping[str, Any]) -> list[str]:
    """A ``read`` of everything that ``discover`` shows of the object, with an empty state."""
    name = f"{Path(launcher[-1]).stem}-{crc32(launcher[0].encode()):08x}-{job.mode}-{job.org.rows}"
    options = ["--config", str(write_json(job.directory / f"{name}-config.json", config))]
    stream = _discovered([*launcher, "discover", *options], job.org.object_name)
    configured = {"stream": stream, "sync_mode": job.mode, "destination_sync_mode": "append"}
    if job.mode == "incremental":
        configured["cursor_field"] = stream.get("default_cursor_field") or ["SystemModstamp"]
    catalog = write_json(job.directory / f"{name}-catalog.json", {"streams": [configured]})
    state = write_json(job.directory / f"{name}-state.json", [])
    return [*launcher, "read", *options, "--catalog", str(catalog), "--state", str(state)]


def _discovered(command: list[str], object_name: str) -> Mapping[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        for stream in message.get("catalog", {}).get("streams", []):
            if stream["name"] == object_name:
                found: Mapping[str, Any] = stream
                return found
    raise RuntimeError(f"{object_name} was not discovered by {command[0]}: {done.stdout[-2000:]} {done.stderr[-2000:]}")
