from __future__ import annotations

import base64
import gzip

import pytest
import requests

from integration_tests.org_client import OrgClient, table
from integration_tests.simulated_org import SimulatedOrg

ACCOUNTS = "SELECT Id, Name, AnnualRevenue FROM Account"


def raw(client: OrgClient, job: str, encoding: str, **query: object) -> requests.Response:
    return client.session.get(
        f"{client.jobs}/{job}/results", params=query, stream=True, timeout=20,  # type: ignore[arg-type]
        headers={"Accept": "text/csv", "Accept-Encoding": encoding},
    )  # fmt: skip


@pytest.mark.parametrize(
    "name", ["Awkward__c", "Contact", "Wide__c", "Task", "AccountHistory", "LoginHistory", "NullCursor__c", "Case"]
)
def test_rows_arrive_exactly_as_the_ground_truth(org: SimulatedOrg, client: OrgClient, name: str) -> None:
    truth = org.control.rows(name)
    assert truth
    soql = f"SELECT {','.join(truth[0])} FROM {name} ORDER BY Id"
    assert client.read(soql, maxRecords=97) == truth


@pytest.mark.parametrize("quoting", ["all", "minimal"])
@pytest.mark.parametrize(("ending", "delimiter", "character"), [("LF", "COMMA", ","), ("CRLF", "PIPE", "|")])
def test_awkward_rows_survive_every_form(
    org: SimulatedOrg, client: OrgClient, quoting: str, ending: str, delimiter: str, character: str
) -> None:
    org.control.configure(quoting=quoting)
    truth = org.control.rows("Awkward__c")
    soql = f"SELECT {','.join(truth[0])} FROM Awkward__c ORDER BY Id"
    job = client.finished(soql, lineEnding=ending, columnDelimiter=delimiter)
    content = client.page(job).content
    assert content.endswith(b"\r\n") is (ending == "CRLF")
    assert table(content, character) == truth


def test_awkward_values_are_there(org: SimulatedOrg) -> None:
    rows = org.control.rows("Awkward__c")
    texts = {row["Text__c"] for row in rows}
    assert {
        "NA",
        "N/A",
        "null",
        "NaN",
        "None",
        "   ",
        " leading",
        "trailing ",
        "nul\x00inside",
        "line\u2028separator",
    } <= texts
    assert {"47.0", "0.0"} <= {row["Int__c"] for row in rows}
    assert {"1.39E8", "12345678901234567.89"} <= {row["Double__c"] for row in rows}
    assert "9007199254740993" in {row["Long__c"] for row in rows}
    assert {"02134", "00501"} <= {row["PostalCode__c"] for row in rows}
    assert max(len(row["LongText__c"] or "") for row in rows) == 131_072
    assert all(any(row[field] is None for row in rows) for field in ("Text__c", "Int__c", "Date__c", "Time__c"))


def test_every_page_repeats_the_header_and_says_its_count(org: SimulatedOrg, client: OrgClient) -> None:
    pages = client.pages(client.finished(ACCOUNTS), maxRecords=120)
    assert [page.headers["Sforce-NumberOfRecords"] for page in pages] == ["120", "120", "60"]
    assert all(page.text.startswith('"Id","Name","AnnualRevenue"\n') for page in pages)
    assert pages[-1].headers["Sforce-Locator"] == "null"
    assert pages[0].headers["Content-Type"] == "text/csv; charset=UTF-8"


def test_locators_are_opaque_stable_and_rereadable(client: OrgClient) -> None:
    job = client.finished(ACCOUNTS)
    first, again = client.page(job, maxRecords=50), client.page(job, maxRecords=50)
    locator = first.headers["Sforce-Locator"]
    assert locator == again.headers["Sforce-Locator"]
    assert "=" not in locator
    parts = base64.b64decode(locator + "=" * (-len(locator) % 4)).decode().split(":")
    assert len(parts) == 3
    assert parts[1].startswith("0Ga")
    assert (
        client.page(job, locator=locator, maxRecords=50).content
        == client.page(job, locator=locator, maxRecords=50).content
    )
    refused = client.page(job, locator="nonsense")
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")


def test_the_server_picks_a_page_size_and_may_give_less(org: SimulatedOrg, client: OrgClient) -> None:
    job = client.finished(ACCOUNTS)
    org.control.configure(page_size=70)
    assert client.page(job).headers["Sforce-NumberOfRecords"] == "70"
    org.control.configure(page_rows_cap=30)
    assert client.page(job, maxRecords=1_000).headers["Sforce-NumberOfRecords"] == "30"
    org.control.configure(page_rows_cap=None, page_bytes_cap=2_000)
    pages = client.pages(job, maxRecords=1_000)
    assert len(pages) > 5
    assert all(len(page.content) < 2_100 for page in pages)
    assert sum(len(table(page.content)) for page in pages) == len(org.control.rows("Account"))


def test_gzip_only_when_asked_for(org: SimulatedOrg, client: OrgClient) -> None:
    job = client.finished(ACCOUNTS)
    packed, plain = raw(client, job, "gzip"), raw(client, job, "identity")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in packed.headers
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.raw.read()) == plain.raw.read()
    assert "Content-Encoding" not in raw(client, job, "deflate, br").headers
    org.control.configure(gzip_results=False)
    assert "Content-Encoding" not in raw(client, job, "gzip").headers


@pytest.mark.parametrize("transfer", ["chunked", "content-length", "close"])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_transfers_carry_the_same_bytes(org: SimulatedOrg, client: OrgClient, transfer: str, encoding: str) -> None:
    job = client.finished(ACCOUNTS)
    expected = client.page(job).content
    org.control.configure(transfer=transfer)
    answer = client.page(job, headers={"Accept-Encoding": encoding})
    assert answer.content == expected
    assert ("Content-Length" in answer.headers) is (transfer == "content-length")
    assert (answer.headers.get("Transfer-Encoding") == "chunked") is (transfer == "chunked")


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("header", b'"Id","Name"\n'),
        ("empty", b""),
        ("newline", b"\n"),
        ("text", b"Records not found for this query"),
    ],
)
def test_zero_rows(org: SimulatedOrg, client: OrgClient, form: str, content: bytes) -> None:
    org.control.configure(zero_rows=form)
    job = client.finished("SELECT Id, Name FROM Empty__c")
    assert client.info(job).json()["numberRecordsProcessed"] == 0
    page = client.page(job)
    assert page.content == content
    assert page.headers["Sforce-NumberOfRecords"] == "0"
    assert page.headers["Sforce-Locator"] == "null"


@pytest.mark.parametrize(("form", "value"), [("null", "null"), ("missing", None), ("empty", "")])
def test_the_end_of_locators(org: SimulatedOrg, client: OrgClient, form: str, value: str | None) -> None:
    org.control.configure(locator_end=form)
    assert client.page(client.finished(ACCOUNTS)).headers.get("Sforce-Locator") == value


def test_the_count_header_may_be_missing(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.configure(count_header=False)
    assert "Sforce-NumberOfRecords" not in client.page(client.finished(ACCOUNTS)).headers


def test_results_before_completion(org: SimulatedOrg, client: OrgClient) -> None:
    job = client.create(ACCOUNTS).json()["id"]
    refused = client.page(job)
    assert refused.status_code == 412
    assert refused.json()[0]["errorCode"] == "JOB_NOT_COMPLETE"
    org.control.configure(not_ready=204)
    assert (client.page(job).status_code, client.page(job).content) == (204, b"")


def test_another_version_conflicts(org: SimulatedOrg, client: OrgClient) -> None:
    job = client.finished(ACCOUNTS)
    other = client.base.replace("v66.0", "v65.0")
    for resource in ("results", "resultPages"):
        assert client.session.get(f"{other}/jobs/query/{job}/{resource}", timeout=20).status_code == 409


def test_accept_must_fit_and_paths_must_be_exact(client: OrgClient) -> None:
    job = client.finished(ACCOUNTS)
    refused = client.page(job, headers={"Accept": "application/json"})
    assert (refused.status_code, refused.content) == (406, b"")
    assert client.page(job, headers={"Accept": "*/*"}).status_code == 200
    assert client.session.get(f"{client.base}/jobs/query//{job}/results", timeout=20).status_code == 404


def test_result_pages_lead_to_every_row(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.configure(page_size=25)
    job = client.finished(ACCOUNTS)
    body = client.get(f"jobs/query/{job}/resultPages").json()
    addresses = [one["resultUrl"] for one in body["resultPages"]]
    assert len(addresses) == 5
    while not body["done"]:
        assert "/resultpages?locator=" in body["nextRecordsUrl"]
        body = client.get(body["nextRecordsUrl"]).json()
        addresses += [one["resultUrl"] for one in body["resultPages"]]
    rows = [row for address in addresses for row in table(client.get(address).content)]
    assert {row["Id"] for row in rows} == {row["Id"] for row in org.control.rows("Account")}
    assert len(rows) == len(org.control.rows("Account"))


def test_unordered_results_hold_the_same_rows(org: SimulatedOrg, client: OrgClient) -> None:
    org.control.configure(row_order="shuffled")
    ids = [str(row["Id"]) for row in client.read("SELECT Id FROM Contact", maxRecords=400)]
    assert ids != sorted(ids)
    assert sorted(ids) == [row["Id"] for row in org.control.rows("Contact", fields=["Id"])]


def test_old_versions_give_alphabetical_columns(org: SimulatedOrg) -> None:
    client = OrgClient(org, "49.0")
    page = client.page(client.finished("SELECT Name, AnnualRevenue, Id FROM Account"))
    assert page.text.startswith('"AnnualRevenue","Id","Name"\n')


def test_ties_share_one_stamp(org: SimulatedOrg) -> None:
    rows = org.control.rows("Ties__c")
    assert len(rows) == 3_000
    assert len({row["SystemModstamp"] for row in rows}) == 1
