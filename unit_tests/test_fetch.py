from __future__ import annotations

import errno
import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest
import requests

from source_salesforce_bulk.extraction.metrics import RunMetrics
from source_salesforce_bulk.pages.core import HAS_CORE
from source_salesforce_bulk.pages.encoders import record_lines
from source_salesforce_bulk.pages.fetch import Page, PageAddress, PageFetcher
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.pages.spool import SpooledEncoding
from source_salesforce_bulk.pages.workspace import MemoryBudget, Workspace
from source_salesforce_bulk.salesforce.attempts import Caller
from source_salesforce_bulk.salesforce.bulk_api import PageHeaders
from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.failures import Action, Consequence, Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.retry import PAGE_RETRIES
from source_salesforce_bulk.salesforce.transport import Transport
from unit_tests.fakes import Answer, FakeClock, FakeTokens, ScriptedHttp

ADDRESS = PageAddress(
    object_name="Account",
    job_id="750A",
    locator=None,
    version="v66.0",
    page_size=50000,
)
WHOLE = b'"Id","Name"\n"001A","Acme"\n"001B","NA"\n'
ROWS = [["001A", "Acme"], ["001B", "NA"]]


def answer(body: object = WHOLE, rows: int | None = 2, locator: str = "null", **headers: str) -> Answer:
    counted = {} if rows is None else {"Sforce-NumberOfRecords": str(rows)}
    return Answer(200, body, {"Content-Type": "text/csv", "Sforce-Locator": locator, **counted, **headers})


def broken(after: bytes = WHOLE[:20]) -> Answer:
    return answer([after, requests.exceptions.ChunkedEncodingError("connection broken")])


@pytest.fixture(autouse=True, params=["core", "python"])
def way(request, monkeypatch) -> None:
    """Every page is read by the native core, and by Python."""
    if request.param == "core" and not HAS_CORE:
        pytest.skip("the page core is not built here (make core)")
    monkeypatch.setenv("SALESFORCE_BULK_CORE", "on" if request.param == "core" else "off")


def lines_of(page: Page) -> list[dict]:
    """The records of a page, whose product is used up by it."""
    lines = b"".join(bytes(block.lines) for block in page.encoded.product.take().blocks)
    return [json.loads(line)["record"] for line in lines.split(b"\n")[:-1]]


def rows_of(page: Page) -> list[list[str]]:
    return [list(record["data"].values()) for record in lines_of(page)]


class Rig:
    """A page fetcher over scripted HTTP, in a directory of its own, without memory for lines."""

    def __init__(self, directory, largest_page: int = 1 << 30) -> None:
        self.directory = directory
        self.workspace = Workspace(directory, MemoryBudget(0), largest_page)
        self.http, self.clock, self.announced = ScriptedHttp(), FakeClock(), []
        self.metrics = RunMetrics()
        self.tokens = FakeTokens()
        transport = Transport(Caller(self.http, self.clock, lambda: 0.0), self.tokens, self.metrics)
        self.fetcher = PageFetcher(transport, self.workspace, self.clock, lambda: 0.0)

    def answers(self, *answers: Answer) -> Rig:
        for one in answers:
            self.http.expect("GET", "/services/data/v66.0/jobs/query/750A/results", one)
        return self

    def fetch(self, address: PageAddress = ADDRESS, names: Sequence[str] = ("Id", "Name")) -> Page:
        encoder = record_lines("Account", [Column(name, CellKind.STRING) for name in names])
        return self.fetcher.fetch(address, self.announced.append, encoder)

    def fails(self, address: PageAddress = ADDRESS) -> Failure:
        with pytest.raises(SalesforceError) as raised:
            self.fetch(address)
        return raised.value.failure

    def files(self) -> list[str]:
        return [path.name for path in self.directory.iterdir()]


@pytest.fixture
def rig(tmp_path) -> Iterable[Rig]:
    rig = Rig(tmp_path)
    with rig.http:
        yield rig


# What an accepted page is


def test_a_page_that_proves_itself_is_handed_on_with_its_rows_and_headers(rig):
    page = rig.answers(answer(locator="MTAw")).fetch()
    assert (page.address, page.rows, page.retries) == (ADDRESS, 2, 0)
    assert page.headers == PageHeaders(rows=2, locator="MTAw", last=False)
    assert rows_of(page) == ROWS


def test_a_page_gives_its_disk_back_once_discarded(rig):
    page = rig.answers(answer()).fetch()
    assert rows_of(page) == ROWS
    page.discard()
    page.discard()
    assert rig.files() == []


def test_the_request_names_the_locator_and_the_page_size(rig):
    address = replace(ADDRESS, locator="MTAw", page_size=7)
    rig.answers(answer()).fetch(address)
    assert rig.http.sent[0].params == {"maxRecords": "7", "locator": "MTAw"}
    assert rig.http.sent[0].headers["Accept-Encoding"] == "gzip"


def test_the_headers_are_announced_before_the_body_is_read(rig):
    seen: list[int] = []
    body = [WHOLE[:5], lambda: seen.append(len(rig.announced)), WHOLE[5:]]
    rig.answers(answer(body)).fetch()
    assert seen == [1]
    assert rig.announced == [PageHeaders(rows=2, locator=None, last=True)]


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
def test_a_page_that_came_as_gzip_is_the_same_page_and_counts_the_bytes_as_received(rig, encoding):
    packed = gzip.compress(WHOLE, mtime=0)
    page = rig.answers(answer(packed, **{"Content-Encoding": encoding})).fetch()
    assert rows_of(page) == ROWS
    assert page.size == len(packed)


def test_columns_come_in_the_order_of_the_select_whatever_the_header_says(rig):
    page = rig.answers(answer(b'"NAME","Id"\n"Acme","001A"\n', rows=1)).fetch()
    assert rows_of(page) == [["001A", "Acme"]]


@pytest.mark.parametrize("body", [b'"Id","Name"\n', b""])
def test_an_empty_result_is_a_page_without_rows(rig, body):
    page = rig.answers(answer(body, rows=0)).fetch()
    assert (page.rows, rows_of(page)) == (0, [])


# What is not accepted is fetched again


BAD = {
    "fewer rows than announced": answer(WHOLE, rows=3),
    "more rows than announced": answer(WHOLE, rows=1),
    "a header of other columns": answer(b'"Id","Phone"\n"001A","1"\n"001B","2"\n'),
    "a header with a column too few": answer(b'"Id"\n"001A"\n"001B"\n'),
    "a row with a cell too few": answer(b'"Id","Name"\n"001A","Acme"\n"001B"\n'),
    "a row with a cell too many": answer(b'"Id","Name"\n"001A","Acme"\n"001B","a","b"\n'),
    "an open quote": answer(b'"Id","Name"\n"001A","Acme"\n"001B","b\n'),
    "no header where rows were announced": answer(b"", rows=2),
    "bytes that are no UTF-8": answer(b'"Id","Name"\n"001A","\xff"\n"001B","b"\n'),
    "a cut gzip": answer(gzip.compress(WHOLE)[:-4], **{"Content-Encoding": "gzip"}),
    "a damaged gzip": answer(b"\x1f\x8b\x08\x00" + b"\x07" * 40, **{"Content-Encoding": "gzip"}),
    "not gzip": answer(WHOLE, **{"Content-Encoding": "gzip"}),
    "a broken connection": broken(),
    "fewer bytes than announced": answer(WHOLE, **{"Content-Length": str(len(WHOLE) + 1)}),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_damaged_page_is_fetched_again_with_the_same_locator(rig, bad):
    page = rig.answers(bad, answer()).fetch(replace(ADDRESS, locator="MTAw"))
    assert page.retries == 1
    assert rows_of(page) == ROWS
    assert [sent.params["locator"] for sent in rig.http.sent] == ["MTAw", "MTAw"]
    assert rig.clock.sleeps == [PAGE_RETRIES.backoff.delay(0, 0.0)]


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_page_that_stays_damaged_asks_for_a_new_job_and_leaves_nothing_on_disk(rig, bad):
    failure = rig.answers(*[bad] * PAGE_RETRIES.attempts).fails()
    assert (failure.kind, failure.action) == (Kind.PAGE_REJECTED, Action.NEW_JOB)
    assert rig.files() == []
    assert len(rig.clock.sleeps) == PAGE_RETRIES.attempts - 1


def test_a_rejection_quotes_no_cell(rig, caplog):
    bad = answer(b'"Id","Name"\n"001A","Acme"\n"001B","SECRET-CELL","b"\n')
    failure = rig.answers(*[bad] * PAGE_RETRIES.attempts).fails()
    assert "SECRET-CELL" not in str(SalesforceError(failure))
    assert "SECRET-CELL" not in caplog.text


def test_every_attempt_is_logged_with_its_object_job_and_page(rig, caplog):
    rig.answers(answer(rows=3), answer()).fetch(replace(ADDRESS, locator="MTAw"))
    (line,) = [record.getMessage() for record in caplog.records if record.name == "salesforce_bulk.pages"]
    for word in ("Account", "750A", "MTAw", "2 rows", "3"):
        assert word in line


# A page that does not prove its own end


UNPROVEN = {
    "no final line end": answer(WHOLE[:-1]),
    "no row count": answer(rows=None),
    "neither": answer(WHOLE[:-1], rows=None),
}


@pytest.mark.parametrize("unproven", UNPROVEN.values(), ids=UNPROVEN)
def test_a_page_that_does_not_prove_its_end_is_accepted_when_it_comes_twice_alike(rig, unproven):
    page = rig.answers(unproven, unproven).fetch()
    assert rows_of(page) == ROWS
    assert len(rig.files()) == 1


def test_two_unproven_pages_that_differ_prove_nothing(rig):
    longer = answer(WHOLE + b'"001C","third"', rows=None)
    page = rig.answers(UNPROVEN["neither"], longer, longer).fetch()
    assert page.rows == 3


def test_an_unproven_page_gives_way_to_one_that_proves_itself(rig):
    page = rig.answers(UNPROVEN["no final line end"], answer()).fetch()
    assert rows_of(page) == ROWS


def test_a_page_whose_end_never_comes_twice_alike_is_no_page(rig):
    cut = [answer(WHOLE + b'"001C","' + b"x" * length + b'"', rows=3) for length in range(PAGE_RETRIES.attempts)]
    assert rig.answers(*cut).fails().action is Action.NEW_JOB
    assert rig.files() == []


# What is not this module's to retry


@pytest.mark.parametrize(
    ("status", "code", "action"),
    [
        (404, "NOT_FOUND", Action.NEW_JOB),
        (400, "INVALIDJOBSTATE", Action.NOT_READY),
        (403, "API_DISABLED_FOR_ORG", Action.STOP_RUN),
    ],
)
def test_what_a_second_fetch_cannot_cure_is_raised_at_once(rig, status, code, action):
    failure = rig.answers(Answer(status, [{"errorCode": code, "message": "m"}])).fails()
    assert failure.action is action
    assert rig.clock.sleeps == []
    assert rig.files() == []


def test_a_result_of_no_content_is_a_job_that_is_not_ready(rig):
    assert rig.answers(Answer(204)).fails().action is Action.NOT_READY


def test_a_run_that_is_being_stopped_leaves_the_body_and_nothing_on_disk(rig):
    def stop() -> None:
        rig.clock.stopped = True

    rig.answers(answer([WHOLE[:5], stop, WHOLE[5:10], WHOLE[10:]]))
    with pytest.raises(Stopped):
        rig.fetch()
    assert rig.files() == []


def test_an_owner_who_cannot_take_the_headers_leaves_nothing_on_disk(rig):
    def refuse(headers: PageHeaders) -> None:
        raise RuntimeError("no")

    rig.answers(answer())
    with pytest.raises(RuntimeError):
        rig.fetcher.fetch(ADDRESS, refuse, record_lines("Account", ()))
    assert rig.files() == []


# What a page becomes


def test_lines_say_when_their_page_was_read(rig):
    records = lines_of(rig.answers(answer()).fetch())
    assert {record["emitted_at"] for record in records} == {int(rig.clock.now().timestamp() * 1000)}


def test_a_page_with_many_lines_comes_in_several_blocks(rig):
    rows = [f'"{number:018d}","{"x" * 1000}"' for number in range(3000)]
    body = "\n".join(['"Id","Name"', *rows, ""]).encode()
    page = rig.answers(answer(body, rows=3000)).fetch()
    blocks = list(page.encoded.product.take().blocks)
    assert len(blocks) > 2
    assert [bytes(block.lines).count(b"\n") for block in blocks] == [block.rows for block in blocks]
    ids = [json.loads(line)["record"]["data"]["Id"] for block in blocks for line in bytes(block.lines).splitlines()]
    assert ids == [f"{number:018d}" for number in range(3000)]


def test_a_page_takes_as_much_space_as_its_lines(rig):
    body = gzip.compress(WHOLE)
    page = rig.answers(answer(body, **{"Content-Encoding": "gzip"})).fetch()
    (name,) = rig.files()
    assert page.stored == (rig.directory / name).stat().st_size > page.size == len(body)


# The disk


def test_a_page_that_cannot_be_written_says_so_and_stops_the_run(tmp_path):
    failure = Rig(tmp_path / "gone").answers(answer()).fails()
    assert (failure.kind, failure.action) == (Kind.DISK_ERROR, Action.STOP_RUN)
    assert "No such file or directory" in failure.summary
    assert "TMPDIR" in failure.guidance


def test_a_full_disk_is_named_and_nothing_of_the_page_stays_there(rig):
    class Full(SpooledEncoding):
        def feed(self, data):
            super().feed(data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")

    full = SimpleNamespace(begin=lambda arrival: Full(arrival, lambda path, expected: None))
    rig.answers(answer())
    with pytest.raises(SalesforceError) as raised:
        rig.fetcher.fetch(ADDRESS, rig.announced.append, full)
    failure = raised.value.failure
    assert (failure.kind, failure.consequence) == (Kind.NO_DISK_SPACE, Consequence.TRANSIENT)
    assert rig.files() == []


# How pages are told apart


@pytest.mark.parametrize(
    ("body", "rows", "first"),
    [(WHOLE, 2, "001A"), (b'"Name","Id"\n"Acme","001C"\n', 1, "001C"), (b'"Id","Name"\n', 0, None)],
)
def test_a_page_knows_the_id_in_its_first_row(rig, body, rows, first):
    page = rig.answers(answer(body, rows)).fetch()
    assert page.first_id == first
    page.discard()


def test_the_id_of_the_first_row_is_found_however_its_column_is_spelled(rig):
    page = rig.answers(answer(b'"Name","ID"\n"Acme","001A"\n', 1)).fetch(names=("id", "Name"))
    assert page.first_id == "001A"
    page.discard()


def test_a_page_without_an_id_is_like_any_other(rig):
    page = rig.answers(answer(b'"Name"\n"Acme"\n', 1)).fetch(names=("Name",))
    assert page.first_id is None
    page.discard()


# Bounds


@pytest.mark.parametrize("encoding", [{}, {"Content-Encoding": "gzip"}], ids=["plain", "gzip"])
def test_a_page_larger_than_any_of_salesforces_is_not_read_to_its_end_and_not_asked_for_again(tmp_path, encoding):
    rig = Rig(tmp_path, largest_page=1 << 20)
    page = b'"Id","Name"\n' + b'"001A","Acme"\n' * 100_000
    failure = rig.answers(answer(gzip.compress(page) if encoding else page, 100_000, **encoding)).fails()
    assert (failure.kind, failure.action, failure.consequence) == (
        Kind.PAGE_REJECTED,
        Action.FAIL_STREAM,
        Consequence.TRANSIENT,
    )
    assert "longer than 1048576 bytes" in failure.summary
    assert rig.files() == []
