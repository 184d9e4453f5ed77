from __future__ import annotations

import gzip
import zlib

import pytest
import requests

from integration_tests.org_client import OrgClient, fired, strike, table
from integration_tests.simulated_org import OrgSettings, SimulatedOrg

ACCOUNTS = "SELECT Id, Name, Industry FROM Account"
HEADER = b'"Id","Name","Industry"\n'


@pytest.fixture
def job(client: OrgClient) -> str:
    """A finished job whose pages are asked for 100 rows at a time: 100, 100, 100."""
    return client.finished(ACCOUNTS)


def page(client: OrgClient, job: str, encoding: str = "gzip", **query: object) -> requests.Response:
    return client.page(job, headers={"Accept-Encoding": encoding}, maxRecords=100, **query)


def raw(client: OrgClient, job: str) -> requests.Response:
    return client.session.get(
        f"{client.jobs}/{job}/results?maxRecords=100", headers={"Accept": "text/csv"}, stream=True, timeout=20
    )


# -- the text of a page ------------------------------------------------------------------------------------------------


def lines(content: bytes) -> list[bytes]:
    return content.split(b"\n")[:-1]


@pytest.mark.parametrize(
    ("kind", "attributes", "rows", "count"),
    [
        ("short_page", {"rows": 3}, 97, "100"),
        ("long_page", {"rows": 2}, 102, "100"),
        ("count_wrong", {"delta": 5}, 100, "105"),
        ("count_wrong", {"value": "many"}, 100, "many"),
        ("count_missing", {}, 100, None),
        ("short_page_short_count", {"rows": 1}, 99, "99"),
        ("small_page", {"rows": 40}, 40, "40"),
        ("empty_page", {}, 0, "0"),
    ],
)
def test_rows_and_counts_disagree(
    org: SimulatedOrg,
    client: OrgClient,
    job: str,
    kind: str,
    attributes: dict[str, object],
    rows: int,
    count: str | None,
) -> None:
    strike(org, kind, **attributes)
    answer = page(client, job)
    assert len(table(answer.content)) == rows
    assert answer.headers.get("Sforce-NumberOfRecords") == count
    assert len(table(page(client, job).content)) == 100


def test_small_and_empty_pages_lose_nothing(org: SimulatedOrg, client: OrgClient, job: str) -> None:
    strike(org, "small_page", rows=40, page=1)
    strike(org, "empty_page", after=1)
    pages = client.pages(job, maxRecords=100)
    counts = [len(table(one.content)) for one in pages]
    assert counts[0] == 40
    assert 0 in counts
    assert sum(counts) == 300


@pytest.mark.parametrize(
    ("kind", "attributes", "check"),
    [
        ("repeated_header", {}, lambda text: text.count(HEADER) == 2),
        ("missing_header", {}, lambda text: HEADER not in text),
        ("reordered_columns", {}, lambda text: text.startswith(b'"Industry","Name","Id"\n')),
        ("other_case_columns", {}, lambda text: text.startswith(b'"id","name","industry"\n')),
        ("missing_column", {}, lambda text: text.startswith(b'"Id","Name"\n') and text.count(b",") == 101),
        ("extra_column", {}, lambda text: text.startswith(b'"Id","Name","Industry","Surprise__c"\n')),
        ("renamed_column", {"value": "X"}, lambda text: text.startswith(b'"Id","Name","X"\n')),
        ("ragged_row", {}, lambda text: lines(text)[-1].count(b'","') == 1),
        ("ragged_row", {"value": "more"}, lambda text: lines(text)[-1].count(b'","') == 3),
        ("changed_cell", {"value": "changed"}, lambda text: text.endswith(b',"changed"\n')),
        ("open_quote", {}, lambda text: text.count(b'"') % 2 == 1),
        ("no_final_newline", {}, lambda text: not text.endswith(b"\n")),
        ("cut_clean", {"at": 1_000}, lambda text: len(text) == 1_000),
        ("html_page", {}, lambda text: text.startswith(b"<!DOCTYPE html>")),
        ("json_error_page", {}, lambda text: text.startswith(b'[{"errorCode"')),
        ("bom", {}, lambda text: text.startswith(b"\xef\xbb\xbf" + HEADER)),
        ("invalid_utf8", {}, lambda text: b"\xff" in text),
        ("blank_lines", {"rows": 2}, lambda text: text.endswith(b"\n\n\n")),
    ],
)
def test_the_text_of_a_page_is_wrong(
    org: SimulatedOrg, client: OrgClient, job: str, kind: str, attributes: dict[str, object], check: object
) -> None:
    sound = page(client, job).content
    strike(org, kind, **attributes)
    answer = page(client, job)
    assert answer.status_code == 200
    assert answer.headers["Sforce-NumberOfRecords"] == "100"
    assert check(answer.content), answer.content[:300]  # type: ignore[operator]
    assert page(client, job).content == sound
    assert fired(org) == [1]


def test_a_page_of_another_job_or_place(org: SimulatedOrg, client: OrgClient, job: str) -> None:
    other = client.finished("SELECT Id, FirstName, LastName FROM Contact")
    strike(org, "other_job_page")
    assert b'"FirstName"' in page(client, job).content
    first = page(client, job)
    strike(org, "wrong_page")
    assert page(client, job, locator=first.headers["Sforce-Locator"]).content == first.content
    assert other != job


@pytest.mark.parametrize(
    ("kind", "expected"), [("locator_missing", None), ("locator_null", "null"), ("locator_empty", "")]
)
def test_the_locator_ends_too_early(
    org: SimulatedOrg, client: OrgClient, job: str, kind: str, expected: str | None
) -> None:
    strike(org, kind)
    assert page(client, job).headers.get("Sforce-Locator") == expected


def test_the_locator_leads_nowhere(org: SimulatedOrg, client: OrgClient, job: str) -> None:
    second = page(client, job).headers["Sforce-Locator"]
    strike(org, "stuck_locator", page=2)
    assert page(client, job, locator=second).headers["Sforce-Locator"] == second
    strike(org, "first_locator", page=2)
    first = page(client, job, locator=second).headers["Sforce-Locator"]
    assert page(client, job, locator=first).content == page(client, job).content
    strike(org, "locator_after_end", page=3)
    third = page(client, job, locator=second).headers["Sforce-Locator"]
    after = page(client, job, locator=third).headers["Sforce-Locator"]
    empty = page(client, job, locator=after)
    assert (empty.headers["Sforce-NumberOfRecords"], empty.headers["Sforce-Locator"]) == ("0", "null")


def test_content_types(org: SimulatedOrg, client: OrgClient, job: str) -> None:
    strike(org, "no_charset")
    assert page(client, job).headers["Content-Type"] == "text/csv"
    strike(org, "content_type", value="application/json")
    assert page(client, job).headers["Content-Type"] == "application/json"


def test_the_token_dies_between_pages(org: SimulatedOrg, client: OrgClient, job: str) -> None:
    strike(org, "session_ends", on="results", after=1)
    assert page(client, job).status_code == 200
    assert page(client, job).status_code == 401


# -- the bytes on the wire ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
@pytest.mark.parametrize("transfer", ["chunked", "content-length"])
@pytest.mark.parametrize("value", [None, "reset"])
def test_a_body_is_cut(
    org: SimulatedOrg, client: OrgClient, job: str, encoding: str, transfer: str, value: str | None
) -> None:
    org.control.configure(transfer=transfer)
    strike(org, "cut", value=value)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        page(client, job, encoding)
    assert page(client, job, encoding).status_code == 200


def test_a_close_delimited_body_is_cut_without_a_trace(org: SimulatedOrg, client: OrgClient, job: str) -> None:
    org.control.configure(transfer="close")
    strike(org, "cut", at=500)
    answer = page(client, job, "identity")
    assert len(answer.content) == 500
    assert answer.headers["Sforce-NumberOfRecords"] == "100"


def test_a_length_that_is_too_large(org: SimulatedOrg, client: OrgClient, job: str) -> None:
    strike(org, "wrong_length", delta=10)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        page(client, job, "identity")


def test_a_body_stalls_then_goes_on_or_ends(org: SimulatedOrg, client: OrgClient, job: str) -> None:
    sound = page(client, job, "identity").content
    strike(org, "stall", at=300, seconds=0.05)
    assert page(client, job, "identity").content == sound
    strike(org, "stall", at=300, seconds=0.01, value="close")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        page(client, job, "identity")
    strike(org, "stall", at=300, seconds=5.0)
    with pytest.raises((requests.ConnectionError, requests.Timeout)):
        client.session.get(f"{client.jobs}/{job}/results", headers={"Accept": "text/csv"}, timeout=0.2)


def test_slow_identity_and_transfer_are_faults_too(org: SimulatedOrg, client: OrgClient, job: str) -> None:
    strike(org, "slow", value=200_000)
    assert page(client, job).status_code == 200
    strike(org, "identity")
    assert "Content-Encoding" not in raw(client, job).headers
    strike(org, "transfer", value="content-length")
    assert "Content-Length" in raw(client, job).headers
    assert fired(org) == [1, 1, 1]


@pytest.mark.parametrize("kind", ["gzip_cut", "gzip_corrupt", "gzip_bad_crc", "gzip_no_trailer"])
def test_damaged_gzip_in_a_proper_transfer(org: SimulatedOrg, client: OrgClient, job: str, kind: str) -> None:
    strike(org, kind)
    answer = raw(client, job)
    assert answer.headers["Content-Encoding"] == "gzip"
    with pytest.raises((EOFError, zlib.error, gzip.BadGzipFile)):
        gzip.decompress(answer.raw.read(decode_content=False))


def test_gzip_that_is_none_and_legal_oddities(org: SimulatedOrg, client: OrgClient, job: str) -> None:
    sound = page(client, job, "identity").content
    strike(org, "gzip_claimed")
    answer = raw(client, job)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.raw.read(decode_content=False) == sound
    strike(org, "gzip_unclaimed")
    answer = raw(client, job)
    assert "Content-Encoding" not in answer.headers
    assert gzip.decompress(answer.raw.read(decode_content=False)) == sound
    strike(org, "gzip_two_members")
    assert gzip.decompress(raw(client, job).raw.read(decode_content=False)) == sound
    strike(org, "gzip_junk")
    assert raw(client, job).raw.read(decode_content=False).endswith(b"junk -->")


def test_bandwidth_is_bounded_but_does_not_hold_up_others() -> None:
    with SimulatedOrg(OrgSettings()) as org:
        client, other = OrgClient(org), OrgClient(org)
        job = client.finished("SELECT Id, Name FROM Contact")
        strike(org, "slow", value=20_000)
        with raw(client, job) as slow:
            assert [other.get("limits").status_code for _ in range(5)] == [200] * 5
            assert slow.headers["Sforce-NumberOfRecords"] == "100"
