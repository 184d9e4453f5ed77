"""Salesforce's own CLI: ``sf data export bulk`` to a CSV file, with the session of a refresh token.

A line like a RECORD's beginning stands for each row of the file, printed once the file is there.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import requests

csv.field_size_limit(1 << 24)


def main(program: str, url: str, credentials: str, soql: str) -> None:
    """Export one query."""
    form = {"grant_type": "refresh_token", **json.loads(credentials)}
    token = requests.post(f"{url}/services/oauth2/token", data=form, timeout=60).json()
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ,
            "HOME": home,
            "SF_ORG_INSTANCE_URL": token["instance_url"],
            "SF_AUTOUPDATE_DISABLE": "true",
            "SF_DISABLE_TELEMETRY": "true",
        }
        file = Path(home) / "rows.csv"
        command = [
            program,
            "data",
            "export",
            "bulk",
            "--target-org",
            token["access_token"],
            "--query",
            soql,
            "--all-rows",
        ]
        subprocess.run(
            [*command, "--output-file", file, "--wait", "60"], env=environment, stdout=sys.stderr, check=True
        )
        with file.open(encoding="utf-8", newline="") as rows:
            for _ in range(sum(1 for _ in csv.reader(rows)) - 1):
                sys.stdout.write('{"type":"RECORD"}\n')


if __name__ == "__main__":
    main(*sys.argv[1:])
