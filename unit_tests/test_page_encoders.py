from __future__ import annotations

import errno
import gzip
import logging
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from source_salesforce_bulk.pages import encoding_worker, page_encoders
from source_salesforce_bulk.pages.csv_page import PageRejected
from source_salesforce_bulk.pages.encoding_worker import EncodingJob, WorkerDefect, answer_of, page_of
from source_salesforce_bulk.pages.page_encoders import PageEncoders, usable_cores, workers_for
from source_salesforce_bulk.pages.record_lines import LineEncoder
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.pages.spool import encode_file
from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.field_types import CellKind

COLUMNS = (Column("Id", CellKind.STRING), Column("Size", CellKind.INTEGER), Column("Name", CellKind.STRING))
ENCODER = LineEncoder("Account", COLUMNS)
PAGE = b'"Id","Size","Name"\n"1","47.0","Acme"\n"2","x","said ""no"""\n"3","","\xe6\x9d\xb1"\n'


@pytest.fixture
def page(tmp_path) -> Path:
    path = tmp_path / "page.csv"
    path.write_bytes(gzip.compress(PAGE))
    return path


def encoded(encoders: PageEncoders, page: Path) -> tuple[object, bytes]:
    lines = page.with_suffix(".jsonl")
    lines.touch()
    return encoders.encode(page, True, ENCODER, lines, 7), lines.read_bytes()


def here(page: Path) -> tuple[object, bytes]:
    lines = page.with_suffix(".here")
    return encode_file(page, True, ENCODER, lines, 7), lines.read_bytes()


def test_a_worker_makes_what_this_process_would_make(page):
    encoders = PageEncoders(workers=1, worth_a_worker=0)
    try:
        assert encoded(encoders, page) == here(page)
        assert encoded(encoders, page) == here(page)
    finally:
        encoders.close()


def test_many_threads_share_the_workers(page, tmp_path):
    pages = [tmp_path / f"page-{number}.csv" for number in range(6)]
    for path in pages:
        path.write_bytes(page.read_bytes())
    encoders = PageEncoders(workers=1, worth_a_worker=0)
    results: list[tuple[object, bytes]] = []
    threads = [threading.Thread(target=lambda path=path: results.append(encoded(encoders, path))) for path in pages]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        encoders.close()
    assert results == [here(page)] * 6


def test_whoever_asks_one_thread_encodes_here(page):
    """Each thread that ever encodes keeps the memory of its largest block."""
    encoded_on: list[int] = []

    class Noting(LineEncoder):
        def encode(self, source, lines, emitted_at):
            encoded_on.append(threading.get_ident())
            return super().encode(source, lines, emitted_at)

    encoders = PageEncoders(workers=0)
    noting = Noting("Account", ENCODER.columns)
    asked_on = [
        threading.Thread(target=encoders.encode, args=(page, True, noting, page.with_suffix(f".{number}"), 7))
        for number in range(3)
    ]
    for thread in asked_on:
        thread.start()
    for thread in asked_on:
        thread.join()
    encoders.close()
    assert len(encoded_on) == 3
    assert len(set(encoded_on)) == 1
    assert not set(encoded_on) & {thread.ident for thread in asked_on}


def test_a_small_page_starts_no_worker(page, monkeypatch):
    monkeypatch.setattr(page_encoders.subprocess, "Popen", None)
    assert encoded(PageEncoders(workers=2), page) == here(page)


def test_a_page_that_a_worker_rejects_is_rejected_here_in_the_same_words(page):
    page.write_bytes(gzip.compress(PAGE.replace(b',"Acme"', b"")))
    with pytest.raises(PageRejected) as exact:
        here(page)
    encoders = PageEncoders(workers=1, worth_a_worker=0)
    try:
        for _ in range(2):
            with pytest.raises(PageRejected) as rejected:
                encoded(encoders, page)
            assert str(rejected.value) == str(exact.value)
    finally:
        encoders.close()


def test_a_full_disk_in_a_worker_is_an_error_of_the_disk(page, caplog):
    encoders = PageEncoders(workers=1, worth_a_worker=0)
    try:
        with pytest.raises(OSError, match="No space left") as raised:
            encoders.encode(page, True, ENCODER, Path("/dev/full"), 7)
        assert raised.value.errno == errno.ENOSPC
        assert encoded(encoders, page) == here(page)
    finally:
        encoders.close()
    assert caplog.records == [], "the worker has not failed"


def test_of_a_defect_in_a_worker_only_its_name_is_told(page, monkeypatch):
    def fail(*_):
        raise KeyError("Mr. Doe")

    monkeypatch.setattr(encoding_worker, "encode_file", fail)
    answer = answer_of(EncodingJob(str(page), True, str(page.with_suffix(".jsonl")), 7, "Account", ()))
    assert answer == {"defect": "KeyError"}
    with pytest.raises(WorkerDefect, match=r"^KeyError$"):
        page_of(answer)


def test_a_page_on_which_a_worker_fails_is_encoded_here_and_the_worker_says_nothing(page, caplog, capfd):
    """A kind of column that only this process knows fails in the worker alone."""

    class Kind:
        value = "Mr. Doe"

    encoder = LineEncoder("Account", COLUMNS)
    encoder.columns = (Column("Id", Kind()), *COLUMNS[1:])
    encoders = PageEncoders(workers=1, worth_a_worker=0)
    lines = page.with_suffix(".jsonl")
    try:
        with caplog.at_level(logging.WARNING):
            made = encoders.encode(page, True, encoder, lines, 7)
    finally:
        encoders.close()
    assert (made, lines.read_bytes()) == here(page)
    assert [record.getMessage() for record in caplog.records] == [
        "A process that encodes pages failed (ValueError); pages are encoded in this process."
    ]
    assert capfd.readouterr().err == ""


def test_when_a_worker_fails_pages_are_encoded_here_and_a_warning_says_so(page, monkeypatch, caplog):
    monkeypatch.setattr(page_encoders.sys, "executable", shutil.which("false"))
    encoders = PageEncoders(workers=2, worth_a_worker=0)
    with caplog.at_level(logging.WARNING):
        assert encoded(encoders, page) == here(page)
        assert encoded(encoders, page) == here(page)
    encoders.close()
    assert [record.message for record in caplog.records if "encoded in this process" in record.message] != []


def test_nothing_is_encoded_once_it_is_closed(page):
    for workers in (0, 1):
        encoders = PageEncoders(workers, worth_a_worker=0)
        encoders.close()
        with pytest.raises(Stopped):
            encoded(encoders, page)


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("100000 100000\n", 1), ("50000 100000\n", 1), ("max 100000\n", None), ("nonsense", None), (None, None)],
)
def test_a_container_s_quota_bounds_the_cores(tmp_path, quota, cores):
    path = tmp_path / "cpu.max"
    if quota is not None:
        path.write_text(quota)
    without = usable_cores(tmp_path / "there is none")
    assert without >= 1
    assert usable_cores(path) == (without if cores is None else min(cores, without))


def test_one_core_is_left_to_this_process():
    assert [workers_for(cores) for cores in (1, 2, 3, 4, 64)] == [0, 1, 2, 3, 4]


def test_a_worker_whose_run_is_gone_ends_without_a_word(page):
    job = EncodingJob(str(page), True, str(page.with_suffix(".jsonl")), 7, "Account", (("Id", "string"),))
    command = [sys.executable, "-m", "source_salesforce_bulk.pages.encoding_worker"]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    worker.stdout.close()
    _, said = worker.communicate(job.to_line())
    assert (worker.returncode, said) == (0, b"")
