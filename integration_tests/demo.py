"""``make demo``: the main job on real protocol traffic, against a simulated org, as a user would run it.

    check -> discover -> read (everything) -> somebody changes rows in the org -> read again, from the saved state
    export: the same rows without Airbyte, as Parquet files, and the run's report as a page to look at
    export into Iceberg tables, twice, with changes and a delete in between; a query over the current table

Every command is the console script in a process of its own, with files for configuration, catalog and state, exactly as
Airbyte runs it. What it wrote is left in ``build/demo`` to be looked at.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import requests
from pyiceberg.catalog.sql import SqlCatalog

OUT = Path("build/demo")
CONNECTOR = Path(sys.executable).with_name("source-salesforce-bulk")
EXPORT = CONNECTOR.with_name("salesforce-bulk")
OBJECTS = ("Account", "Contact", "Opportunity", "OpportunityLineItem", "Case", "Task")
PAGE_SIZE = 1000
# The line that closes a stream's log (see the README): the demo reads it as a person would.
_SUMMARY = re.compile(r"(\w+) complete: .*batches completed (\d+),.* jobs (\d+), polls (\d+), API calls (\d+),")


class DemoFailed(Exception):
    """A step did not do what it should; the message says which."""


@dataclass(slots=True)
class StreamResult:
    """The output of one stream of a run."""

    rows: int = 0
    pages: int = 0
    jobs: int = 0
    calls: int = 0
    state: Mapping[str, Any] = field(default_factory=dict)
    status: str = ""
    began: float = 0.0
    seconds: float = 0.0


def main() -> int:
    """Run the demo; 0 when every step did what it should."""
    OUT.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    try:
        with simulated_org() as org:
            play(org)
    except DemoFailed as failure:
        print(f"\nThe demo failed: {failure}", file=sys.stderr)
        return 1
    took = time.monotonic() - began
    print(f"\nDone in {took:.0f} s. Everything the connector said is in {OUT}/, one JSON message a line.")
    return 0


def play(org: Mapping[str, Any]) -> None:
    """The steps, each printed before it begins."""
    config = write("config.json", {
        "credentials": org["credentials"]["refresh_token"],
        "login_url": org["url"],
        "page_size": PAGE_SIZE,
    })  # fmt: skip
    step("check: can the org be read, and as whom?")
    status = only(run("check", "--config", config), "CONNECTION_STATUS")["connectionStatus"]
    require(status["status"] == "SUCCEEDED", status.get("message", "check failed"))
    print(f"   {status['status']}: {status.get('message', '')}")

    step("discover: which objects and fields?")
    streams = only(run("discover", "--config", config), "CATALOG")["catalog"]["streams"]
    incremental = [stream for stream in streams if "incremental" in stream["supported_sync_modes"]]
    print(f"   {len(streams)} objects, {len(incremental)} of them with a cursor; reading {', '.join(OBJECTS)}")
    catalog = write("catalog.json", configured([stream for stream in streams if stream["name"] in OBJECTS]))

    step("read: everything there is")
    first = read("first", config, catalog, None)
    show(first)

    step("somebody works in the org: 3 accounts change, 2 contacts are new, 1 opportunity goes to the recycle bin")
    work_in(org["control_url"])

    step("read again, from the saved state: only what changed")
    print("   (Look-back: rows changed in the 10 minutes before the first read would come again; these are older.)")
    second = read("second", config, catalog, write("state.json", list(states(first))))
    show(second)
    changed = {"Account": 3, "Contact": 2, "Opportunity": 1}
    for name, result in second.items():
        require(result.rows == changed.get(name, 0), f"{name}: {result.rows} rows, {changed.get(name, 0)} changed")
    print("   Exactly the changed rows came: " + ", ".join(f"{rows} {name}" for name, rows in changed.items()) + ".")

    step("export: the same rows without Airbyte, as Parquet files and a manifest")
    export(config, {name: result.rows + (2 if name == "Contact" else 0) for name, result in first.items()})

    step("export into Iceberg tables; more changes and a delete in the org; export again; then ask DuckDB")
    options = ["--config", str(config), "--object", "Account", "--object", "Opportunity"]
    lake = OUT / "lake"
    shutil.rmtree(lake, ignore_errors=True)
    options += ["--destination", f"iceberg+{lake.absolute().as_uri()}"]
    run_export(options)
    work_in(org["control_url"])
    run_export(options)
    for name in ("Account", "Opportunity"):
        ask(lake, name, control(org["control_url"], "rows", object=name, operation="query"))


def ask(lake: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Query a current table, and see that it holds exactly the ``rows`` that the org has now."""
    catalog = SqlCatalog("embedded", uri=f"sqlite:///{lake / 'catalog.db'}")
    table = catalog.load_table(f"salesforce.{name.lower()}").scan().to_arrow()
    query = f"SELECT count(*), min(Name), max(SystemModstamp) FROM {name.lower()}"
    with duckdb.connect() as connection:
        count, least, newest = connection.register(name.lower(), table).execute(query).fetchall()[0]
    print(f"   {query}\n   -> {count:,}, {least}, {newest:%Y-%m-%dT%H:%M:%SZ}")
    wanted = sorted((row["Id"], row["Name"]) for row in rows)
    found = sorted((row["Id"], row["Name"]) for row in table.select(["Id", "Name"]).to_pylist())
    require(found == wanted, f"the table {name.lower()} is not what the org holds")
    print(f"   The table {name.lower()} equals the org: {len(wanted):,} rows, none deleted, none twice.")


def run_export(options: Sequence[str]) -> None:
    """Run ``salesforce-bulk export``; raises :class:`DemoFailed` where it ends with another code than 0."""
    print(f"   $ {as_typed(EXPORT)} export {' '.join(options)}", flush=True)
    # On a terminal stderr shows the progress live; elsewhere it is a log in JSON, which is kept.
    log = None if sys.stderr.isatty() else (OUT / "export-log.jsonl").open("ab")
    code = subprocess.run([EXPORT, "export", *options], stderr=log, check=False).returncode
    require(code == 0, f"the export ended with {code}")


def export(config: Path, expected: Mapping[str, int]) -> None:
    """Run ``salesforce-bulk export`` and see that its manifest names every row."""
    folder = OUT / "export"
    shutil.rmtree(folder, ignore_errors=True)
    places = {
        "--destination": (folder / "data").absolute().as_uri(),
        "--state": (folder / "state").absolute().as_uri(),
        "--schemas": (folder / "schemas").absolute().as_uri(),
    }
    options = ["--config", str(config), *(part for name in OBJECTS for part in ("--object", name))]
    options += [part for option in places.items() for part in option]
    (OUT / "export-log.jsonl").unlink(missing_ok=True)
    run_export(options)
    (manifest,) = sorted((folder / "data" / "_manifests").glob("*.json"))
    entries = json.loads(manifest.read_bytes())["objects"]
    rows = {entry["object"]: entry["rows"] for entry in entries}
    require(rows == expected, f"the manifest names {rows}, the org has {expected}")
    files = [file for entry in entries for file in entry["files"]]
    size = sum(file["bytes"] for file in files) / 1e6
    print(f"   {sum(rows.values()):,} rows in {len(files)} Parquet files, {size:.1f} MB. The first of them:")
    print(f"   {json.dumps(files[0])}")
    report = OUT / "export" / "report.html"
    command = ["report", "--state", str(folder / "state"), "--last", "--output", str(report)]
    print(f"   $ {as_typed(EXPORT)} {' '.join(command)}", flush=True)
    require(subprocess.run([EXPORT, *command], check=False).returncode == 0, "no report was written")


def read(name: str, config: Path, catalog: Path, state: Path | None) -> dict[str, StreamResult]:
    """Run ``read`` and take its output apart, by stream."""
    began = time.monotonic()
    arguments = ["--config", config, "--catalog", catalog, *(["--state", state] if state else [])]
    results = {stream: StreamResult() for stream in OBJECTS}
    with (OUT / f"{name}-read.jsonl").open("w", encoding="utf-8") as kept:
        for message in run("read", *arguments):
            kept.write(json.dumps(message) + "\n")
            take(message, results)
    require(all(result.status == "COMPLETE" for result in results.values()), f"the {name} read is not complete")
    print(f"   {sum(result.rows for result in results.values()):,} rows in {time.monotonic() - began:.1f} s")
    return results


def take(message: Mapping[str, Any], results: Mapping[str, StreamResult]) -> None:
    """Count one message of a read."""
    if message["type"] == "RECORD":
        results[message["record"]["stream"]].rows += 1
    elif message["type"] == "STATE":
        stream = message["state"]["stream"]
        results[stream["stream_descriptor"]["name"]].state = stream["stream_state"]
    elif message["type"] == "TRACE" and "stream_status" in message["trace"]:
        status = message["trace"]["stream_status"]
        result = results[status["stream_descriptor"]["name"]]
        result.status, at = status["status"], message["trace"]["emitted_at"] / 1000
        result.began = result.began or at
        result.seconds = at - result.began
    elif message["type"] == "LOG" and (found := _SUMMARY.search(message["log"]["message"])):
        result = results[found[1]]
        result.pages, result.jobs, result.calls = int(found[2]), int(found[3]), int(found[5])


def work_in(control_url: str) -> None:
    """Change rows through the org's control API, as its users would in Salesforce."""
    accounts = [row["Id"] for row in control(control_url, "rows", object="Account")[:3]]
    opportunity = control(control_url, "rows", object="Opportunity")[0]["Id"]
    control(control_url, "update", object="Account", ids=accounts, values={"Name": "Renamed by the demo"})
    control(control_url, "insert", object="Contact", rows=[{"LastName": "Newcomer"}, {"LastName": "Latecomer"}])
    control(control_url, "soft_delete", object="Opportunity", ids=[opportunity])


def show(results: Mapping[str, StreamResult]) -> None:
    """Print the table."""
    width = max(len(name) for name in results)
    head = f"{'rows':>7}  {'pages':>5}  {'jobs':>4}  {'calls':>5}  {'seconds':>7}  state: SystemModstamp read up to"
    print(f"\n   {'object':<{width}}  {head}")
    for name, result in results.items():
        cursor = result.state.get("SystemModstamp", "-")
        print(
            f"   {name:<{width}}  {result.rows:>7,}  {result.pages:>5}  {result.jobs:>4}  {result.calls:>5}  "
            f"{result.seconds:>7.1f}  {cursor}"
        )
    print()


def states(results: Mapping[str, StreamResult]) -> Iterator[Mapping[str, Any]]:
    """The last states in the form that ``read --state`` takes."""
    for name, result in results.items():
        yield {"type": "STREAM", "stream": {"stream_descriptor": {"name": name}, "stream_state": result.state}}


def configured(streams: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """A configured catalog that reads ``streams`` incrementally."""
    return {
        "streams": [
            {"stream": stream, "sync_mode": "incremental", "destination_sync_mode": "append_dedup"}
            for stream in streams
        ]
    }


def as_typed(program: Path) -> str:
    """Return the path of a program in the virtual environment, which is not on PATH."""
    here = Path.cwd()
    return str(program.relative_to(here) if program.is_relative_to(here) else program)


def run(command: str, *arguments: str | Path) -> Iterator[Mapping[str, Any]]:
    """Every message of one protocol command; raises :class:`DemoFailed` where it ends with another code than 0."""
    shown = " ".join([as_typed(CONNECTOR), command, *map(str, arguments)])
    print(f"   $ {shown}")
    process = subprocess.Popen([CONNECTOR, command, *arguments], stdout=subprocess.PIPE, text=True, encoding="utf-8")
    errors: Counter[str] = Counter()
    with process:
        for line in process.stdout or ():
            message = json.loads(line)
            if message["type"] == "TRACE" and "error" in message["trace"]:
                errors[message["trace"]["error"]["message"]] += 1
            yield message
    require(process.returncode == 0, f"`{shown}` ended with {process.returncode}. {'; '.join(errors)}")


@contextmanager
def simulated_org() -> Iterator[Mapping[str, Any]]:
    """A simulated org on a free loopback port; it ends with this process, whatever happens."""
    step("a simulated Salesforce org starts on a free port of this machine")
    command = [sys.executable, "-m", "integration_tests.simulated_org", "--port", "0", "--exit-with-parent"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    ) as process:
        try:
            ready = json.loads((process.stdout.readline() if process.stdout else "") or "{}")
            require("url" in ready, "the simulated org did not start")
            print(f"   {ready['url']}")
            yield ready
        finally:
            process.terminate()


def control(url: str, method: str, **arguments: Any) -> Any:
    """Call the org's control API."""
    response = requests.post(f"{url}/{method}", json=arguments, timeout=30)
    require(response.ok, f"the simulated org refused {method}: {response.text}")
    return response.json()["result"]


def only(messages: Iterator[Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    """The one message of a kind."""
    found = [message for message in messages if message["type"] == kind]
    require(len(found) == 1, f"{len(found)} messages of the type {kind}")
    return found[0]


def write(name: str, content: object) -> Path:
    """Keep a JSON file with the demo's output."""
    path = OUT / name
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")
    return path


def step(what: str) -> None:
    """Say what comes."""
    print(f"\n-- {what}", flush=True)


def require(condition: bool, otherwise: str) -> None:
    """Go on only if ``condition`` holds."""
    if not condition:
        raise DemoFailed(otherwise)


if __name__ == "__main__":
    sys.exit(main())
