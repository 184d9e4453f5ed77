from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from pyarrow import parquet

from source_salesforce_bulk.export.layout import Layout
from source_salesforce_bulk.export.options import FORMAT_NAMES
from source_salesforce_bulk.export.page_files import FORMATS, ObjectFiles
from source_salesforce_bulk.pages.page_encoder import Arrival
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.pages.workspace import Workspace
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.soql import parse_instant
from unit_tests.test_layout import LAYOUT

COLUMNS = (Column("Id", CellKind.STRING),)


def file_of(format_name: str, folder: Path, layout: Layout = LAYOUT) -> bytes:
    encoding = FORMATS[format_name].encoder(layout, COLUMNS).begin(Arrival(False, 0, Workspace(folder)))
    encoding.feed(b"Id\n1\n")
    product = encoding.finish(1).product
    encoding.close()
    content = product.take()
    data = content.path.read_bytes()
    assert content.size == len(data)
    product.discard()
    assert list(folder.iterdir()) == []
    return data


def test_json_lines_are_the_objects_alone(tmp_path):
    assert file_of("jsonl", tmp_path) == b'{"Id":"1"}\n'
    assert gzip.decompress(file_of("jsonl.gz", tmp_path)) == b'{"Id":"1"}\n'


def test_a_parquet_file_has_the_schema_of_the_objects_layout(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(file_of("parquet", tmp_path))
    assert parquet.read_schema(path).equals(LAYOUT.schema(COLUMNS), check_metadata=True)


def test_every_format_can_be_named_and_names_its_files():
    assert sorted(FORMATS) == sorted(FORMAT_NAMES)
    assert all(maker.extension == name for name, maker in FORMATS.items())


@pytest.mark.parametrize("maker", FORMATS.values())
def test_files_are_made_in_this_process(maker):
    assert maker.elsewhere(None) is None


@pytest.mark.parametrize("name", FORMATS)
def test_rows_of_our_own_are_files_like_the_others_and_can_be_read_again(tmp_path, name):
    files = ObjectFiles(FORMATS[name], LAYOUT)
    moment = "2026-11-23T02:00:00.000Z"
    content = files.write_rows([{"Id": "1", "SystemModstamp": moment}, {"Id": "2"}], tmp_path)
    (one, stamp), (two, nothing) = files.cells(content.path, ["Id", "SystemModstamp"])
    assert (one, two, nothing) == ("1", "2", None)
    assert parse_instant(stamp) == parse_instant(moment)
    assert [path for path in tmp_path.iterdir() if path != content.path] == []
