"""simple-salesforce's bulk2 reader as a script would use it: every page parsed into dicts, a JSON line for each row."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce, bulk2


class _PlainLoopback(HTTPAdapter):
    """simple-salesforce builds https addresses; the simulated org speaks http on loopback."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = str(request.url).replace("https://", "http://", 1)  # ignore-https-check
        return super().send(request, *args, **kwargs)


def main(url: str, credentials: str, soql: str, object_name: str, page_rows: str) -> None:
    """Read one object and write its rows as RECORD lines."""
    bulk2.sleep = lambda _: None
    session = requests.Session()
    session.mount("https://", _PlainLoopback())
    form = {"grant_type": "refresh_token", **json.loads(credentials)}
    token = requests.post(f"{url}/services/oauth2/token", data=form, timeout=60).json()
    salesforce = Salesforce(
        session_id=token["access_token"], instance_url=token["instance_url"], version="66.0", session=session
    )
    for page in getattr(salesforce.bulk2, object_name).query_all(soql, max_records=int(page_rows)):
        for row in csv.DictReader(io.StringIO(page, newline="")):
            sys.stdout.write('{"type":"RECORD","data":' + json.dumps(row) + "}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
