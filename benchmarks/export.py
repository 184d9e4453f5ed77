"""Measure an export of rows to Parquet, against the Airbyte path and pyarrow, which reads the same CSV from disk.

    python -m benchmarks.export [--rows N] [--rounds N]

The simulated org has rendered and compressed its pages before anything is measured. All take turns in one run of this
program, and medians are shown: the ratios carry over to other machines, the seconds do not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from pyarrow import parquet

from benchmarks.bench_org import org_process
from benchmarks.contenders import FIRST_RELEASE
from benchmarks.measure import Family
from source_salesforce_bulk.config import parse_config
from source_salesforce_bulk.extraction.connection import Connection, Environment
from source_salesforce_bulk.pages.fetch import PageAddress
from source_salesforce_bulk.pages.line_sinks import FileProduct
from source_salesforce_bulk.pages.page_encoder import Arrival, EncodedPage
from source_salesforce_bulk.pages.spool import SpooledEncoding, page_text
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.clock import SystemClock
from source_salesforce_bulk.salesforce.http_client import RequestsHttp
from source_salesforce_bulk.salesforce.soql import ObjectQuery
from source_salesforce_bulk.salesforce.token import SecretHooks

SCRIPTS = Path(sys.executable).parent
PAGE_ROWS = 50_000
OBJECT = "Bench__c"
CLOCK = "2026-07-02T00:00:00Z"  # behind every row
# One process, reading every page's CSV from disk: what parsing alone costs.
_LIMIT = """
import sys
from pyarrow import csv
options = csv.ParseOptions(newlines_in_values=True)
print(sum(csv.read_csv(path, parse_options=options).num_rows for path in sys.argv[1:]))
"""


@dataclass(frozen=True)
class Cost:
    """One run of one contender; CPU seconds of its whole process tree."""

    seconds: float
    cpu: float
    peak_mib: float


def main() -> int:
    """Measure and print the table; 0 when every run was whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-export-") as directory, bench_org(options.rows) as org:
        for line in bench(Path(directory), org, options.rows, options.rounds):
            print(line, flush=True)
    return 0


def bench(folder: Path, org: Mapping[str, Any], rows: int, rounds: int) -> Iterator[str]:
    """The lines of the report."""
    config = {"credentials": org["credentials"]["refresh_token"], "login_url": org["url"], "page_size": PAGE_ROWS}
    (folder / "config.json").write_text(json.dumps(config))
    stream = discovered(folder)
    write_catalog(folder, stream)
    names = list(stream["json_schema"]["properties"])
    # What an export asks: all fields, up to the org's clock.
    before = CLOCK.replace("Z", ".000Z")
    soql = f"SELECT {', '.join(names)} FROM {OBJECT} WHERE SystemModstamp < {before}"  # noqa: S608
    warm(org["control_url"], soql)
    pages = list(pages_on_disk(folder, config, soql))
    contenders: dict[str, Callable[[], Cost]] = {
        "`salesforce-bulk export`, Parquet": lambda: export(folder, "parquet", rows),
        "`salesforce-bulk export`, JSON lines": lambda: export(folder, "jsonl", rows),
        "`source-salesforce-bulk read`, to /dev/null": lambda: read(folder),
    }
    if FIRST_RELEASE.exists():
        contenders |= {
            "first release, Parquet": lambda: export(folder, "parquet", rows, FIRST_RELEASE),
            "first release, JSON lines": lambda: export(folder, "jsonl", rows, FIRST_RELEASE),
        }
    contenders["limit: pyarrow reads the CSV from disk"] = lambda: limit(pages)
    costs: dict[str, list[Cost]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            costs[name].append(run())
    size = sum(path.stat().st_size for path in pages) / 1e6
    yield f"{rows:,} rows x 25 fields, {size:,.0f} MB of CSV in {len(pages)} pages; {describe_machine()}"
    yield ""
    yield "| who | rows/s | of the limit | seconds | CPU seconds | peak MiB |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    best = statistics.median(cost.seconds for cost in costs["limit: pyarrow reads the CSV from disk"])
    for name, own in costs.items():
        seconds = statistics.median(cost.seconds for cost in own)
        cpu = statistics.median(cost.cpu for cost in own)
        peak = max(cost.peak_mib for cost in own)
        yield f"| {name} | {rows / seconds:,.0f} | {best / seconds:.2f} | {seconds:.1f} | {cpu:.1f} | {peak:,.0f} |"


def export(folder: Path, format_name: str, rows: int, scripts: Path = SCRIPTS) -> Cost:
    """The console script, into an empty folder."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    places = [f"--{name}={(out / name).as_uri()}" for name in ("destination", "state", "schemas")]
    command = [scripts / "salesforce-bulk", "export", "--config", folder / "config.json", "--object", OBJECT]
    cost = measured([*command, *places, "--format", format_name])
    (manifest,) = (out / "destination" / "_manifests").glob("*.json")
    files = [file for entry in json.loads(manifest.read_bytes())["objects"] for file in entry["files"]]
    if format_name == "parquet":
        found = sum(parquet.read_metadata(out / "destination" / file["path"]).num_rows for file in files)
    else:
        found = sum(file["rows"] for file in files)
    if found != rows:
        raise RuntimeError(f"{found} of {rows} rows were exported")
    return cost


def read(folder: Path) -> Cost:
    """The Airbyte path; its records go nowhere."""
    arguments = ["read", "--config", folder / "config.json", "--catalog", folder / "catalog.json"]
    return measured([SCRIPTS / "source-salesforce-bulk", *arguments])


def limit(pages: Sequence[Path]) -> Cost:
    """Pyarrow and nothing else."""
    return measured([sys.executable, "-c", _LIMIT, *pages])


def measured(command: Sequence[str | Path]) -> Cost:
    """Run a command to its end; raises RuntimeError where it fails."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=errors)
        family = Family(process.pid)  # wait4 would count the memory of this program, from before the other one began
        _, status, usage = os.wait4(process.pid, 0)
        family.finish()
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{command[0]} ended with {process.returncode}: {errors.read()[-2000:].decode()}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, family.peak_rss / 2**20)


def discovered(folder: Path) -> Mapping[str, Any]:
    """The object's stream, as it is discovered."""
    command = [SCRIPTS / "source-salesforce-bulk", "discover", "--config", folder / "config.json"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    messages = [json.loads(line) for line in lines]
    streams = next(message["catalog"]["streams"] for message in messages if message["type"] == "CATALOG")
    return next(stream for stream in streams if stream["name"] == OBJECT)


def write_catalog(folder: Path, stream: Mapping[str, Any]) -> None:
    """The catalog that reads the object incrementally."""
    configured = {"stream": stream, "sync_mode": "incremental", "destination_sync_mode": "append_dedup"}
    (folder / "catalog.json").write_text(json.dumps({"streams": [configured]}))


def warm(control_url: str, soql: str) -> None:
    """Let the org render and compress the pages."""
    arguments = {"query": soql, "operation": "queryAll", "page_rows": PAGE_ROWS}
    requests.post(f"{control_url}/warm", json=arguments, timeout=3600).raise_for_status()


class AsItCame:
    """A ``PageEncoder`` whose files are the pages, decompressed and not looked at."""

    columns = ()

    @property
    def remote(self) -> AsItCame:
        """See ``PageEncoder``."""
        return self

    def begin(self, arrival: Arrival) -> SpooledEncoding:
        """See ``PageEncoder``."""

        def read(path: Path, expected: int | None) -> EncodedPage:
            with page_text(path, arrival) as text, arrival.workspace.new_file(".csv") as file:
                shutil.copyfileobj(text, file)
            product = FileProduct(Path(file.name), text.size)
            return EncodedPage(expected or 0, text.size, text.ended, text.digest, None, {}, {}, product)

        return SpooledEncoding(arrival, read)


def pages_on_disk(folder: Path, config: Mapping[str, Any], soql: str) -> Iterator[Path]:
    """The pages that an export reads, decompressed, as files."""
    caller = Caller(RequestsHttp(4), SystemClock(threading.Event()), random.random)
    environment = Environment(caller, SecretHooks(lambda _: None, lambda _: None))
    with Connection(parse_config(config), environment) as connection:
        version, org = connection.config.api_version, connection.org()
        job = org.create(version, soql, ObjectQuery(OBJECT, (), "queryAll"))
        while not org.info(version, job.id, OBJECT).state.finished:
            time.sleep(0.1)
        locator, number, more = None, 0, True
        while more:
            address = PageAddress(OBJECT, job.id, locator, version, PAGE_ROWS)
            page = org.fetch(address, lambda _: None, AsItCame())
            path = folder / f"page-{number:04d}.csv"
            shutil.move(page.encoded.product.take().path, path)
            yield path
            locator, number, more = page.headers.locator, number + 1, page.headers.locator is not None
            page.discard()
        org.delete(version, job.id, OBJECT)


def describe_machine() -> str:
    """The machine on which the table was made."""
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, load {load:.1f}"


def bench_org(rows: int) -> AbstractContextManager[Mapping[str, Any]]:
    """A simulated org whose clock stands still, so that every run asks the same."""
    return org_process(*("--polls", "1", "--bench-rows", str(rows), "--rows", "0.01", "--set", f'frozen_at="{CLOCK}"'))


if __name__ == "__main__":
    sys.exit(main())
