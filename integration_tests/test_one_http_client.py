"""Every request of the Airbyte path goes through one CDK ``HttpClient``, and there is no other way to Salesforce.

No server here: requests-mock answers in place of every connection that ``requests`` would make, and counts them all.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests_mock
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.sources.streams.http import HttpClient

from integration_tests.connector import ImpatientClock, cdk_caller, parse
from source_salesforce_bulk.airbyte.source import SourceSalesforceBulk

ORG = "https://acme.my.salesforce.com"
DATA = f"{ORG}/services/data/v66.0"
JOB = "750000000000001AAA"
DATE = {"Date": "Tue, 24 Nov 2026 12:00:00 GMT"}
CONFIG = {
    "credentials": {"auth_type": "client_credentials", "client_id": "key", "client_secret": "made-up-secret"},
    "login_url": ORG,
}
FIELDS = [
    {"name": "Id", "type": "id", "filterable": True, "nillable": False},
    {"name": "Name", "type": "string", "filterable": True, "nillable": True},
    {"name": "SystemModstamp", "type": "datetime", "filterable": True, "nillable": False},
]
PAGES = {
    None: '"Id","Name","SystemModstamp"\n"001000000000001AAA","One","2026-01-01T00:00:00.000Z"\n',
    "second": '"Id","Name","SystemModstamp"\n"001000000000002AAA","Two","2026-01-01T00:00:00.000Z"\n',
}


def page(request: Any, context: Any) -> str:
    locator = request.qs.get("locator", [None])[0]
    context.headers |= {"Sforce-Locator": "null" if locator else "second", "Sforce-NumberOfRecords": "1"}
    return PAGES[locator]


@pytest.fixture
def salesforce() -> Iterator[requests_mock.Mocker]:
    job = {"id": JOB, "state": "JobComplete", "object": "Account", "operation": "queryAll", "numberRecordsProcessed": 2}
    with requests_mock.Mocker() as mocker:
        mocker.post(
            f"{ORG}/services/oauth2/token",
            json={
                "access_token": "made-up-token",
                "instance_url": ORG,
                "id": f"{ORG}/id/00D000000000001AAA/005000000000001AAA",
                "issued_at": "1764000000000",
            },
        )
        mocker.get(f"{ORG}/services/data", json=[{"version": "66.0", "url": "/services/data/v66.0", "label": "x"}])
        mocker.get(f"{DATA}/limits", json={"DailyApiRequests": {"Max": 100, "Remaining": 90}}, headers=DATE)
        mocker.get(f"{DATA}/limits/recordCount", json={"sObjects": [{"name": "Account", "count": 2}]}, headers=DATE)
        mocker.get(f"{DATA}/sobjects", json={"sobjects": [{"name": "Account", "queryable": True, "label": "Account"}]})
        mocker.get(f"{DATA}/sobjects/Account/describe", json={"name": "Account", "fields": FIELDS, "queryable": True})
        mocker.post(f"{DATA}/jobs/query", json={**job, "state": "UploadComplete"})
        mocker.get(f"{DATA}/jobs/query/{JOB}", json=job)
        mocker.get(f"{DATA}/jobs/query/{JOB}/results", text=page)
        mocker.patch(f"{DATA}/jobs/query/{JOB}", json={**job, "state": "Aborted"})
        mocker.delete(f"{DATA}/jobs/query/{JOB}", status_code=204)
        yield mocker


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str, str]]:
    """Return which client sent what, in order."""
    asked: list[tuple[int, str, str]] = []
    send_request = HttpClient.send_request

    def note(self: HttpClient, http_method: str, url: str, *more: Any, **keywords: Any) -> Any:
        asked.append((id(self), http_method, url))
        return send_request(self, http_method, url, *more, **keywords)

    monkeypatch.setattr(HttpClient, "send_request", note)
    return asked


def run(tmp_path: Path, command: str, catalog: object = None) -> list[dict[str, Any]]:
    arguments = [command]
    for name, content in (("config", CONFIG), ("catalog", catalog)):
        if content is not None:
            (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
            arguments += [f"--{name}", str(tmp_path / name)]
    entrypoint = AirbyteEntrypoint(SourceSalesforceBulk(threading.Event(), cdk_caller(ImpatientClock())))
    return parse(entrypoint.run(entrypoint.parse_args(arguments)))


CATALOG = {
    "streams": [
        {
            "stream": {
                "name": "Account",
                "json_schema": {"properties": {field["name"]: {} for field in FIELDS}},
                "supported_sync_modes": ["full_refresh", "incremental"],
            },
            "sync_mode": "incremental",
            "destination_sync_mode": "append",
        }
    ]
}


@pytest.mark.parametrize(
    ("command", "catalog", "kinds"),
    [
        ("check", None, {"CONNECTION_STATUS"}),
        ("discover", None, {"CATALOG"}),
        ("read", CATALOG, {"RECORD", "STATE", "TRACE"}),
    ],
)
def test_every_request_of_a_command_goes_through_one_client(
    command: str,
    catalog: object,
    kinds: set[str],
    salesforce: requests_mock.Mocker,
    sent: list[tuple[int, str, str]],
    tmp_path: Path,
) -> None:
    messages = run(tmp_path, command, catalog)

    assert kinds <= {message["type"] for message in messages}
    assert len({client for client, _, _ in sent}) == 1
    arrived = sorted((request.method, request.url.partition("?")[0]) for request in salesforce.request_history)
    assert sorted((method, url) for _, method, url in sent) == arrived


def test_a_read_costs_these_requests_and_no_more(
    salesforce: requests_mock.Mocker, sent: list[tuple[int, str, str]], tmp_path: Path
) -> None:
    messages = run(tmp_path, "read", CATALOG)

    rows = [message["record"]["data"]["Name"] for message in messages if message["type"] == "RECORD"]
    assert rows == ["One", "Two"]
    paths = [(request.method, request.path.removeprefix("/services/")) for request in salesforce.request_history]
    job = f"data/v66.0/jobs/query/{JOB.lower()}"
    assert sorted(paths) == sorted(
        [
            ("POST", "oauth2/token"),
            ("GET", "data/v66.0/limits"),
            ("GET", "data/v66.0/limits/recordcount"),
            ("GET", "data/v66.0/sobjects/account/describe"),
            ("POST", "data/v66.0/jobs/query"),
            ("GET", job),
            ("GET", f"{job}/results"),
            ("GET", f"{job}/results"),
            ("DELETE", job),
        ]
    )
    assert len(sent) == len(paths)
