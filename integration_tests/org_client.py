"""A plain client for tests of the simulated org, made of requests and the csv module."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import requests

from integration_tests.simulated_org import Fault, SimulatedOrg


class OrgClient:
    """Logs in by refresh token at once and keeps the access token."""

    def __init__(self, org: SimulatedOrg, version: str = "66.0") -> None:
        self.org = org
        self.session = requests.Session()
        self.token_answer = self.login().json()
        self.session.headers["Authorization"] = f"Bearer {self.token_answer['access_token']}"
        self.base = f"{self.token_answer['instance_url']}/services/data/v{version}"
        self.jobs = f"{self.base}/jobs/query"

    def login(self, **changes: str) -> requests.Response:
        """Ask for a token by refresh token."""
        credentials = {key: value for key, value in self.org.credentials().items() if key != "auth_type"}
        form = {"grant_type": "refresh_token", **credentials, **changes}
        return requests.post(f"{self.org.url}/services/oauth2/token", data=form, timeout=20)

    def get(self, path: str, headers: Mapping[str, str] | None = None, **query: Any) -> requests.Response:
        """GET below the version's root, or an address that begins with a slash."""
        root = self.token_answer["instance_url"] if path.startswith("/") else self.base + "/"
        return self.session.get(root + path, params=query, headers=headers, timeout=20)

    def create(self, soql: str, operation: str = "queryAll", **more: str) -> requests.Response:
        """Create a query job."""
        return self.session.post(self.jobs, json={"operation": operation, "query": soql, **more}, timeout=20)

    def info(self, job: str) -> requests.Response:
        """Ask for a job."""
        return self.session.get(f"{self.jobs}/{job}", timeout=20)

    def finished(self, soql: str, operation: str = "queryAll", **more: str) -> str:
        """Create a job and poll until it ends; gives its id."""
        created = self.create(soql, operation, **more)
        assert created.status_code == 200, created.text
        job = str(created.json()["id"])
        for _ in range(20):
            if self.info(job).json()["state"] in ("JobComplete", "Failed", "Aborted"):
                return job
        raise AssertionError("the job does not end")

    def page(self, job: str, headers: Mapping[str, str] | None = None, **query: Any) -> requests.Response:
        """Fetch one result page."""
        return self.session.get(
            f"{self.jobs}/{job}/results", params=query, headers={"Accept": "text/csv", **(headers or {})}, timeout=20
        )

    def pages(self, job: str, **query: Any) -> list[requests.Response]:
        """Fetch every result page by its locators."""
        pages = [self.page(job, **query)]
        while pages[-1].headers.get("Sforce-Locator", "null") not in ("null", ""):
            pages.append(self.page(job, locator=pages[-1].headers["Sforce-Locator"], **query))
        return pages

    def read(self, soql: str, operation: str = "queryAll", **query: Any) -> list[dict[str, str | None]]:
        """Run a query job and give its rows, empty cells as None."""
        rows: list[dict[str, str | None]] = []
        for page in self.pages(self.finished(soql, operation), **query):
            rows += table(page.content)
        return rows


def strike(org: SimulatedOrg, kind: str, **attributes: Any) -> None:
    """Arm a fault."""
    org.control.add_fault(Fault(kind=kind, **attributes))


def fired(org: SimulatedOrg) -> list[int]:
    """Give how often each armed fault struck."""
    return [one["fired"] for one in org.control.fault_log()]


def table(content: bytes, delimiter: str = ",") -> list[dict[str, str | None]]:
    """Read a CSV page, empty cells as None."""
    limit = csv.field_size_limit(10_000_000)
    try:
        lines = list(csv.reader(io.StringIO(content.decode(), newline=""), delimiter=delimiter))
    finally:
        csv.field_size_limit(limit)
    return [{name: cell or None for name, cell in zip(lines[0], line, strict=True)} for line in lines[1:]]
