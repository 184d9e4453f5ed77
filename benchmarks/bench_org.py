"""A simulated org in bench mode, as a process of its own, whose pages are rendered and compressed in advance."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

PAGE_ROWS = 50_000
START = "2020-01-01T00:00:00Z"  # before every row
END = "2026-07-02T00:00:00Z"  # behind every row; the org's clock stands there


@dataclass(frozen=True, slots=True)
class BenchOrg:
    """The org as its clients see it. ``rows`` are those of ``object_name``, to be read in pages of ``page_rows``."""

    url: str
    control_url: str
    credentials: Mapping[str, Any]
    object_name: str
    rows: int
    page_rows: int

    def control(self, method: str, **arguments: Any) -> Any:
        """Call the org's control API."""
        answer = requests.post(f"{self.control_url}/{method}", json=arguments, timeout=3600)
        answer.raise_for_status()
        return answer.json()["result"]

    def warm(self, queries: Sequence[tuple[str, str]]) -> None:
        """Render and compress the results of (SOQL, operation) pairs."""
        for query, operation in queries:
            self.control("warm", query=query, operation=operation, page_rows=self.page_rows)

    def queries_since(self, jobs: int) -> list[tuple[str, str]]:
        """The SOQL and operation of every job made after the first ``jobs`` ones."""
        return [(job["query"], job["operation"]) for job in self.control("jobs")[jobs:]]

    def jobs_made(self) -> int:
        """The number of jobs that were created so far."""
        return len(self.control("jobs"))


@contextmanager
def org_process(*options: str) -> Iterator[Mapping[str, Any]]:
    """A simulated org in a process of its own, on a free loopback port: where it is, and its credentials."""
    command = [sys.executable, "-m", "integration_tests.simulated_org", "--port", "0", "--exit-with-parent", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


@contextmanager
def bench_org(
    rows: int,
    object_name: str = "Bench__c",
    fields: str = "",
    page_rows: int = PAGE_ROWS,
    certificate: Path | None = None,
) -> Iterator[BenchOrg]:
    """An org that holds ``rows`` rows of an object: ``Bench__c``, or one that is made with ``fields``.

    With a ``certificate`` it speaks HTTPS, and REQUESTS_CA_BUNDLE has to name that file.
    """
    bench_rows = "0" if fields else str(rows)
    tls = () if certificate is None else ("--set", f"certificate={json.dumps(str(certificate))}")
    with org_process("--polls", "1", "--bench-rows", bench_rows, "--set", f'frozen_at="{END}"', *tls) as ready:
        credentials = ready["credentials"]["refresh_token"]
        org = BenchOrg(ready["url"], ready["control_url"], credentials, object_name, rows, page_rows)
        if fields:
            org.control("add_object", name=object_name, fields=fields, rows=rows)
        yield org


def write_json(path: Path, content: object) -> Path:
    """The path, with the content in its file."""
    path.write_text(json.dumps(content))
    return path
