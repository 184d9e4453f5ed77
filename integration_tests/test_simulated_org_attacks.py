"""The attacks of the simulated org, observed through a raw socket or a stream that is closed early."""

from __future__ import annotations

import itertools
import socket
import zlib
from urllib.parse import urlsplit

import pytest

from integration_tests.org_client import OrgClient, fired
from integration_tests.simulated_org import SimulatedOrg

JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
ACCOUNTS = "SELECT Id, Name FROM Account"


def first_bytes(client: OrgClient, path: str, wanted: int) -> bytes:
    """Send a request by hand and give the first bytes that come back."""
    where = urlsplit(client.base)
    with socket.create_connection((str(where.hostname), int(where.port or 0)), timeout=20) as connection:
        head = f"GET {where.path}/{path} HTTP/1.1\r\nHost: {where.netloc}\r\n"
        authorization = client.session.headers["Authorization"]
        connection.sendall(f"{head}Authorization: {authorization!s}\r\n\r\n".encode())
        received = b""
        while len(received) < wanted:
            received += connection.recv(4_096)
        return received


@pytest.mark.parametrize(
    ("kind", "beginning", "then"),
    [
        ("drip_status_line", b"HTTP/1.1 200 ", b"OOOO"),
        ("drip_headers", JSON_HEAD + b"X-Slow: ", b"xxxx"),
        ("drip_continue", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (
            "drip_chunk_extension",
            JSON_HEAD + CHUNKED + b"5;name=",
            b"xxxx",
        ),
        (
            "drip_body",
            JSON_HEAD + CHUNKED,
            b"1\r\n \r\n1\r\n \r\n",
        ),
    ],
)
def test_bytes_that_drip(org: SimulatedOrg, client: OrgClient, kind: str, beginning: bytes, then: bytes) -> None:
    org.control.fault(kind, on="limits", seconds=0.01)
    assert first_bytes(client, "limits", len(beginning + then)).startswith(beginning + then)
    assert fired(org) == [1]
    assert client.get("limits").status_code == 200


def test_a_small_body_that_is_large_once_unpacked(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.fault("gzip_bomb", on="limits", value=50)
    with client.session.get(f"{client.base}/limits", stream=True, timeout=20) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        packed = answer.raw.read(decode_content=False)
    assert len(packed) < 500_000
    unpacked = zlib.decompress(packed, 31)
    assert len(unpacked) > 50_000_000
    assert unpacked[:1_000].isspace()
    assert b"DailyApiRequests" in unpacked[50_000_000:]


def test_a_page_with_one_endless_row(org: SimulatedOrg, client: OrgClient) -> None:
    job = client.finished(ACCOUNTS)
    org.control.fault("huge_line", value=30)
    packed = client.session.get(
        f"{client.jobs}/{job}/results", headers={"Accept": "text/csv"}, stream=True, timeout=20
    ).raw.read(decode_content=False)
    lines = zlib.decompress(packed, 31).split(b"\n")
    assert len(lines[1]) > 30_000_000
    assert lines[0] == b'"Id","Name"'
    assert lines[1].endswith(b'x"')


@pytest.mark.parametrize(("value", "pages"), [(None, 1), ("empty", 0)])
def test_lists_of_pages_without_an_end(org: SimulatedOrg, client: OrgClient, value: str | None, pages: int) -> None:
    job = client.finished(ACCOUNTS)
    org.control.fault("endless_result_pages", times=None, value=value)
    path = f"{urlsplit(client.base).path}/jobs/query/{job}/resultPages"
    seen = set()
    for _ in range(20):
        body = client.get(path).json()
        assert (body["done"], len(body["resultPages"])) == (False, pages)
        path = body["nextRecordsUrl"]
        seen.add(path)
    assert len(seen) == 20


def test_no_attack_outlives_its_client(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.fault("drip_body", on="limits", seconds=0.001)
    with client.session.get(f"{client.base}/limits", stream=True, timeout=20) as answer:
        assert next(itertools.islice(answer.iter_content(1), 1, None)) == b" "
    assert client.get("limits").status_code == 200
