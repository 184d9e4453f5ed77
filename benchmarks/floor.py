"""The floor: curl downloads and inflates the pages, and C code finds the rows in them. Nothing is made of the rows."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import requests

csv.field_size_limit(1 << 24)


def main(url: str, credentials: str, soql: str, operation: str, page_rows: str) -> None:
    """Read one query's pages; a line like a RECORD's beginning stands for each row, so that it can be counted."""
    form = {"grant_type": "refresh_token", **json.loads(credentials)}
    token = requests.post(f"{url}/services/oauth2/token", data=form, timeout=60).json()
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token['access_token']}"
    jobs = f"{token['instance_url']}/services/data/v66.0/jobs/query"
    job = session.post(jobs, json={"operation": operation, "query": soql}, timeout=3600).json()["id"]
    while session.get(f"{jobs}/{job}", timeout=3600).json()["state"] != "JobComplete":
        pass
    locator: str | None = ""
    while locator is not None:
        address = f"{jobs}/{job}/results?maxRecords={page_rows}" + (f"&locator={locator}" if locator else "")
        locator = _page(address, token["access_token"])


def _page(address: str, token: str) -> str | None:
    with tempfile.NamedTemporaryFile("r") as headers:
        command = ["curl", "--silent", "--fail", "--compressed", "-H", f"Authorization: Bearer {token}"]
        with subprocess.Popen([*command, "-D", headers.name, address], stdout=subprocess.PIPE) as curl:
            assert curl.stdout is not None
            rows = sum(1 for _ in csv.reader(io.TextIOWrapper(curl.stdout, encoding="utf-8", newline="\n"))) - 1
        assert curl.returncode == 0
        sys.stdout.write('{"type":"RECORD"}\n' * rows)
        sys.stdout.flush()
        lines = Path(headers.name).read_text().splitlines()
    named = next((line.partition(":")[2].strip() for line in lines if line.lower().startswith("sforce-locator:")), "")
    return named if named and named != "null" else None


if __name__ == "__main__":
    main(*sys.argv[1:])
