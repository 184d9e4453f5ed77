from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_salesforce_bulk.salesforce.blobs import BLOB_OBJECTS, Blob
from source_salesforce_bulk.salesforce.wire import UnreadableBody

VERSION, ATTACHMENT, DOCUMENT = (BLOB_OBJECTS[name] for name in ("ContentVersion", "Attachment", "Document"))
ID, STAMP, MD5 = "068000000000001AAA", "2026-11-24T08:00:00.000+0000", "5d41402abc4b2a76b9719d911017c592"
ROW = {"Id": ID, "SystemModstamp": STAMP, "ContentSize": "5", "Checksum": MD5, "Title": "Plan", "FileExtension": "PDF"}


def test_a_version_is_named_by_its_checksum():
    blob = Blob.from_row(VERSION, ROW)
    assert (blob.size, blob.checksum, blob.title) == (5, MD5, "Plan")
    assert blob.file_name == f"{ID}.{MD5}.pdf"


def test_a_file_without_a_checksum_is_named_by_its_last_change():
    row = {"Id": ID, "SystemModstamp": STAMP, "BodyLength": "5", "Name": "a b.Txt"}
    assert Blob.from_row(ATTACHMENT, row).file_name == f"{ID}.20261124T080000000Z.txt"
    later = {**row, "SystemModstamp": "2026-11-24T08:00:01.000Z"}
    assert Blob.from_row(ATTACHMENT, later).file_name != Blob.from_row(ATTACHMENT, row).file_name


@pytest.mark.parametrize("checksum", ["../" + MD5, MD5[:-1], MD5 + "\n", "", "ü" * 32])
def test_a_checksum_that_is_none_is_not_believed(checksum):
    assert Blob.from_row(VERSION, {**ROW, "Checksum": checksum}).checksum is None


def test_a_checksum_in_capitals_is_the_same():
    assert Blob.from_row(VERSION, {**ROW, "Checksum": MD5.upper()}).checksum == MD5


@given(st.text(), st.text(), st.text())
def test_no_text_of_the_org_leads_out_of_the_folder(checksum, extension, title):
    texts = {"Checksum": checksum, "FileExtension": extension, "Title": title, "Name": title, "Type": extension}
    row = {**ROW, "BodyLength": "5", **texts}
    for of in (VERSION, ATTACHMENT, DOCUMENT):
        assert re.fullmatch(r"[A-Za-z0-9]{18}\.[A-Za-z0-9]+(\.[a-z0-9]{1,16})?", Blob.from_row(of, row).file_name)


@pytest.mark.parametrize("missing", ["Id", "SystemModstamp"])
def test_a_row_that_cannot_be_named_is_refused(missing):
    with pytest.raises(UnreadableBody):
        Blob.from_row(VERSION, {name: value for name, value in ROW.items() if name != missing})


@pytest.mark.parametrize("size", [None, "0", 0])
def test_a_row_without_a_size_has_no_content(size):
    assert Blob.from_row(VERSION, {**ROW, "ContentSize": size}).size == 0


def test_a_size_that_is_no_number_is_refused():
    with pytest.raises(UnreadableBody):
        Blob.from_row(VERSION, {**ROW, "ContentSize": "many"})
