"""The two paths through a page encoder give the same rows, bytes, counts and rejections."""

from __future__ import annotations

import contextlib
import gzip
import io
import pickle
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import AirbyteMessage, AirbyteRecordMessage, Type
from airbyte_cdk.models.airbyte_protocol import (
    AirbyteRecordMessageMeta,
    AirbyteRecordMessageMetaChange,
    Change,
    Reason,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from source_salesforce_bulk.airbyte.streams import record_messages
from source_salesforce_bulk.pages.arrays import arrow_schema
from source_salesforce_bulk.pages.core import HAS_CORE
from source_salesforce_bulk.pages.csv_page import LONGEST_CELL, PageRejected, PageTooLarge, read_rows
from source_salesforce_bulk.pages.encoders import (
    FormEncoder,
    batch_file,
    hashed,
    json_lines,
    parquet_file,
    record_lines,
    uses_core,
)
from source_salesforce_bulk.pages.hashing import Hashing
from source_salesforce_bulk.pages.json_text import json_value
from source_salesforce_bulk.pages.line_sinks import FileLines, MemoryLines
from source_salesforce_bulk.pages.lines import LineForm
from source_salesforce_bulk.pages.page_encoder import Arrival
from source_salesforce_bulk.pages.parquet_sinks import ROW_GROUP
from source_salesforce_bulk.pages.records import Column, Record, RecordReader, product_columns
from source_salesforce_bulk.pages.row_form import Block
from source_salesforce_bulk.pages.workspace import MemoryBudget, Workspace
from source_salesforce_bulk.salesforce.field_types import CellKind
from unit_tests.any_pages import AWKWARD, DOUBTFUL, compounds, compressed, csv_of, damaged_pages, pages, splits
from unit_tests.encoding_rig import NOW, PIECE, Encoded, encoded

EXAMPLES = 200
FUZZ = Path(__file__).with_name("fuzz") / "corpus"
TEXT = (Column("Id", CellKind.STRING), Column("Name", CellKind.STRING))
WAYS = [pytest.param(True, marks=pytest.mark.skipif(not HAS_CORE, reason="the core is not built here")), False]
both_ways = pytest.mark.parametrize("native", WAYS, ids=["core", "python"])
against_each_other = pytest.mark.skipif(not HAS_CORE, reason="the page core is not built here (make core)")


def assert_alike(page: bytes, columns: Sequence[Column], **how) -> Encoded:
    """Lines, values, counts and shape are the same on both paths."""
    for encoder in (record_lines("Account", columns), json_lines(columns)):
        native, exact = encoded(encoder, page, native=True, **how), encoded(encoder, page, native=False, **how)
        assert native.lines == exact.lines
        assert native.said == exact.said
    return native


def table(made: Encoded) -> pa.Table:
    return parquet.read_table(io.BytesIO(made.file))


def assert_same_values(page: bytes, columns: Sequence[Column], **how) -> None:
    native, exact = (encoded(batch_file(columns), page, native=native, **how) for native in (True, False))
    assert native.said == exact.said
    one, other = (pa.ipc.open_stream(made.file).read_all() for made in (native, exact))
    one.validate(full=True)
    other.validate(full=True)
    assert one.schema == other.schema == arrow_schema(product_columns(columns))
    for column in product_columns(columns):  # to the bit: -0.0 is another value than 0.0
        left, right = (read.column(column.name).combine_chunks() for read in (one, other))
        if pa.types.is_floating(left.type):
            left, right = (values.view(pa.int64()) for values in (left, right))
        assert left.equals(right)


def reason(page: bytes, columns: Sequence[Column], *, native: bool, **how) -> str | None:
    """Return why a page is rejected; None if it is not."""
    try:
        encoded(record_lines("Account", columns), page, native=native, **how)
    except PageRejected as rejected:
        return str(rejected).partition(" - do you need")[0]  # Python 3.13 goes on otherwise than 3.11
    return None


def message_of(record: Record) -> AirbyteMessage:
    """A RECORD message, as a connector of the CDK would make it."""
    data = {name: json_value(value) for name, value in record.data.items()}
    message = AirbyteRecordMessage(stream="Account", data=data, emitted_at=NOW)
    if record.unreadable:
        change, reason = Change.NULLED, Reason.SOURCE_SERIALIZATION_ERROR
        changes = [
            AirbyteRecordMessageMetaChange(field=name, change=change, reason=reason) for name in record.unreadable
        ]
        message.meta = AirbyteRecordMessageMeta(changes=changes)
    return AirbyteMessage(type=Type.RECORD, record=message)


def printed(message: AirbyteMessage) -> bytes:
    return AirbyteEntrypoint.airbyte_message_to_string(message).encode()


def is_utf8(page: bytes) -> bool:
    try:
        page.decode()
    except UnicodeDecodeError:
        return False
    return True


def assert_same_verdict(page: bytes, columns: Sequence[Column], sizes: Sequence[int] = (PIECE,)) -> None:
    """Both accept the page, or both reject it for the same reason.

    Where it is damaged twice, once in its encoding, either may name the other damage.
    """
    exact, found = reason(page, columns, native=False), reason(page, columns, native=True, sizes=sizes)
    assert (exact is None) == (found is None), (exact, found)
    if is_utf8(page):
        assert found == exact


# Any table, any damage, any split of the bytes


@against_each_other
@given(pages(), splits())
@settings(max_examples=EXAMPLES)
def test_any_page_becomes_the_same_lines_on_both_ways(made, sizes):
    columns, page = made
    assert_alike(page, columns, sizes=sizes)


@against_each_other
@given(pages(), splits())
@settings(max_examples=EXAMPLES)
def test_any_page_becomes_the_same_arrays_on_both_ways(made, sizes):
    columns, page = made
    assert_same_values(page, columns, sizes=sizes)


@against_each_other
@given(pages(), splits(), st.data())
@settings(max_examples=EXAMPLES)
def test_compound_fields_are_the_same_on_both_ways(made, sizes, data):
    columns, page = made
    fields = data.draw(compounds(columns))
    assert_alike(page, fields, sizes=sizes)
    assert_same_values(page, fields, sizes=sizes)


@both_ways
def test_a_compound_field_has_every_key_and_is_null_without_a_value(native):
    parts = (("city", "City"), ("country", None), ("latitude", "Latitude"))
    fields = (
        Column("Id", CellKind.STRING),
        Column("City", CellKind.STRING, shown=False),
        Column("Latitude", CellKind.NUMBER, shown=False),
        Column("Address", CellKind.STRING, parts),
    )
    page = csv_of([["Id", "City", "Latitude"], ["1", 'B"n', "46.50"], ["2", "", ""], ["3", "", "north"]])
    made = encoded(json_lines(fields), page, native=native)
    assert made.lines == [
        rb'{"Id":"1","Address":{"city":"B\"n","country":null,"latitude":46.5}}',
        b'{"Id":"2"}',
        b'{"Id":"3"}',
    ]
    assert made.page.unreadable == {"Latitude": 1}
    made = encoded(parquet_file(fields, arrow_schema(product_columns(fields))), page, native=native)
    assert made.page.unreadable == {"Latitude": 1}
    assert table(made).to_pylist()[0] == {"Id": "1", "Address": '{"city":"B\\"n","country":null,"latitude":46.5}'}
    assert table(made)["Address"].to_pylist()[1:] == [None, None]


@against_each_other
@given(damaged_pages(), splits())
@settings(max_examples=2 * EXAMPLES)
def test_any_damage_is_seen_on_both_ways_or_on_neither(made, sizes):
    columns, page = made
    assert_same_verdict(page, columns, sizes)
    if reason(page, columns, native=False) is None:
        assert_alike(page, columns, sizes=sizes)
        assert_same_values(page, columns, sizes=sizes)


@given(pages())
@settings(max_examples=EXAMPLES // 2)
def test_a_record_line_is_what_a_stock_entrypoint_of_the_cdk_prints(made):
    columns, page = made
    rows = read_rows(io.BytesIO(page), [column.name for column in columns])
    expected = [printed(message_of(record)) for record in RecordReader(columns).records(rows)]
    lines = encoded(record_lines("Account", columns), page, native=False).lines
    assert lines == expected
    assert [printed(message) for line in lines for message in record_messages(line + b"\n")] == expected


@against_each_other
@pytest.mark.parametrize("target", ["page", "blocks"])
def test_the_inputs_of_the_fuzzer_get_the_same_verdict(target):
    for path in sorted((FUZZ / target).iterdir()):
        data = path.read_bytes()
        for width in (1, 2, 3):
            columns = [Column(name, CellKind.STRING) for name in ("Id", "Name", "Note")[:width]]
            for skipped in (0, 1, 2):
                assert_same_verdict(data[skipped:], columns)


# Cells


@against_each_other
@pytest.mark.parametrize("kind", CellKind)
def test_a_cell_of_doubt_is_the_same_on_both_ways(kind):
    columns = [TEXT[0], Column("Value", kind), Column("After", CellKind.STRING)]
    rows = [[str(number), cell, "z"] for number, cell in enumerate(DOUBTFUL[kind])]
    for quoting in ("all", "minimal"):
        page = csv_of([[column.name for column in columns], *rows], quoting)
        assert_alike(page, columns)
        assert_same_values(page, columns)


@against_each_other
@pytest.mark.parametrize("quoting", ["all", "minimal"])
def test_awkward_text_comes_through_wherever_it_stands_in_a_block(quoting):
    for filler in range(64):
        rows = [["x" * filler, text] for text in AWKWARD]
        assert_alike(csv_of([["Id", "Name"], *rows], quoting), TEXT)


@against_each_other
def test_names_are_written_as_json_and_found_in_any_case():
    columns = [Column("Größe", CellKind.INTEGER), Column('A"b', CellKind.STRING)]
    assert_alike('"a""B",GRÖSSE\nx,1\n'.replace("GRÖSSE", "GRÖßE").encode(), columns)


@against_each_other
def test_wide_rows_and_rows_longer_than_a_piece_come_whole():
    wide = [Column(f"F{number}__c", CellKind.STRING) for number in range(500)]
    row = [("x" * number if number % 2 else "") for number in range(500)]
    assert_alike(csv_of([[column.name for column in wide], row, row, row]), wide)
    long = ["1", '"quoted"\n' * 100_000]
    assert_alike(csv_of([["Id", "Name"], ["0", "a"], long, ["2", "b"], long]), TEXT)


@both_ways
def test_a_text_of_many_pieces_is_cut_into_blocks_of_whole_lines(native):
    page = csv_of([["Id", "Name"], *[[str(number), f'say "{number}"'] for number in range(60_000)]])
    made = encoded(record_lines("Account", TEXT), page, native=native)
    assert len(made.blocks) > 1
    assert all(block.lines.endswith(b"\n") for block in made.blocks)
    assert [block.rows for block in made.blocks] == [block.lines.count(b"\n") for block in made.blocks]
    assert made.page.rows == 60_000


# What a page is


@both_ways
@pytest.mark.parametrize(
    ("page", "rows", "ended", "first"),
    [
        (b"", 0, True, None),
        (b"\xef\xbb\xbf", 0, False, None),
        (b'"Id","Name"\n', 0, True, None),
        (b"Id,Name", 0, False, None),
        (b'"Id","Name"\r\n"1","a\r\nb"\r\n', 1, True, "1"),
        (b"Id,Name\n1,a", 1, False, "1"),
        (b"Id,Name\n\r1,a\r\n", 1, True, "\r1"),
        (b'Id,Name\n1,a"b\n2,c""d\n', 2, True, "1"),
        (b'name,id\na,"x""y"\n', 1, True, 'x"y'),
        (b"Id,Name\n,a\n", 1, True, ""),
        (b"Records not found for this query", 0, False, None),
        (b'"Records not found for this query"\r\n\n', 0, True, None),
    ],
)
def test_an_odd_page_is_described_as_it_is(native, page, rows, ended, first):
    made = encoded(record_lines("Account", TEXT), page, native=native).page
    assert (made.rows, made.size, made.ended, made.first_key) == (rows, len(page), ended, first)


@against_each_other
@pytest.mark.parametrize(
    "page",
    [
        b"\n",
        b"Id\n1\n",
        b"<html><body>Down for maintenance</body></html>\n",
        b'"Id","Name"\n"1","a"\n"2"\n',
        b'"Id","Name"\n"1","a"\n"2","b","c"\n',
        b'"Id","Name"\n"1","a"\n"Id","Name"\n',
        b'"Id","Name"\n"1","a"\n"2","open\n"3","c"\n',
        b'"Id","Name"\n"1","a"b"\n',
        b'"Id","Name"\r\n"1","a"\rx\r\n',
        b'"Id","Name"\n"1","\xff"\n',
        b'"Id","Name\n"1","a"\n',
        b"Id,Name\n1,a\n\n",
        b"Records not found for this query\n1,a\n",
        b"Records not found for this query" + b" " * 1024,
    ],
)
def test_a_damaged_page_is_rejected_for_the_same_reason(page):
    assert reason(page, TEXT, native=False) is not None
    assert_same_verdict(page, TEXT)
    assert_same_verdict(page, TEXT, [1])


@against_each_other
def test_the_longest_cell_is_read_and_a_longer_one_is_not():
    for size in (LONGEST_CELL, LONGEST_CELL + 1):
        assert_same_verdict(b'Id,Name\n1,"' + b"x" * size + b'"\n', TEXT)
        assert_same_verdict(b"Id,Name\n1," + "é".encode() * size + b"\n", TEXT)


@both_ways
def test_a_key_is_known_in_any_letter_case_and_missing_where_there_is_none(native):
    page = b"ID,Name\n1,a\n"
    columns = [Column("id", CellKind.STRING), TEXT[1]]
    assert encoded(record_lines("Account", columns), page, native=native).page.first_key == "1"
    assert encoded(record_lines("Account", TEXT[1:]), b"Name\na\n", native=native).page.first_key is None


@both_ways
def test_the_count_of_the_response_header_has_to_be_met(native):
    assert reason(b"Id,Name\n1,a\n", TEXT, native=native, expected=1) is None
    told = reason(b"Id,Name\n1,a\n", TEXT, native=native, expected=2)
    assert told == "it holds 1 rows where its header says 2"


@both_ways
def test_a_page_has_a_largest_size(native, tmp_path):
    encoder = FormEncoder(LineForm(TEXT), MemoryLines, streams=True, native=native)
    for size, fits in ((12, True), (11, False)):
        encoding = encoder.begin(Arrival(False, NOW, Workspace(tmp_path, largest_page=size)))
        with contextlib.nullcontext() if fits else pytest.raises(PageTooLarge, match="it is longer than 11 bytes"):
            encoding.feed(b"Id,Name\n1,a\n")
            assert encoding.finish(None).rows == 1
        encoding.close()


@both_ways
def test_pages_have_the_same_digest_exactly_when_their_bytes_are_the_same(native):
    def digest(page: bytes, **how) -> str:
        return encoded(json_lines(TEXT), page, native=native, **how).page.digest

    page = b"Id,Name\n1,a\n"
    assert digest(page) == digest(compressed(page), gzipped=True, sizes=[1])
    assert digest(page) != digest(b"Id,Name\n1,b\n")


# gzip


@against_each_other
@given(pages(), splits())
@settings(max_examples=EXAMPLES // 4)
def test_a_compressed_page_is_the_same_page(made, sizes):
    columns, page = made
    encoder = record_lines("Account", columns)
    lines = encoded(encoder, page, native=False).lines
    for native in (True, False):
        assert encoded(encoder, compressed(page), native=native, gzipped=True, sizes=sizes).lines == lines
        padded = compressed(page, members=3) + bytes(5)
        assert encoded(encoder, padded, native=native, gzipped=True, sizes=sizes).lines == lines


@against_each_other
def test_a_compressed_page_that_is_cut_or_changed_anywhere_is_rejected_on_both_ways_or_on_neither():
    stream = compressed(csv_of([["Id", "Name"], *[[str(number), "word"] for number in range(50)]]))
    changed = [stream[:at] + bytes([stream[at] ^ 16]) + stream[at + 1 :] for at in range(len(stream))]
    cut = [stream[:at] for at in range(len(stream))]
    padded = [stream + behind for behind in (b"\0\0", b"\0x", b"x", stream, b"\0" + stream, stream[:-1])]
    for damaged in [*changed, *cut, *padded]:
        found = [reason(damaged, TEXT, native=native, gzipped=True) for native in (True, False)]
        assert (found[0] is None) == (found[1] is None), damaged


@both_ways
def test_a_page_that_is_not_gzip_is_rejected_as_such(native):
    assert reason(b"Id,Name\n", TEXT, native=native, gzipped=True) == "its gzip encoding is damaged or cut"


# What a page becomes


@both_ways
def test_lines_beyond_the_memory_that_is_left_come_from_disk_in_their_order(native):
    page = csv_of([["Id", "Name"], *[[str(number), "x" * 50] for number in range(60_000)]])
    whole = encoded(record_lines("Account", TEXT), page, native=native)
    for memory in (0, 2 << 20):
        made = encoded(record_lines("Account", TEXT), page, native=native, memory=memory)
        assert made.lines == whole.lines
        assert [block.rows for block in made.blocks] == [block.rows for block in whole.blocks]
        assert made.left == []


def test_a_block_that_fits_again_stays_behind_those_on_disk(tmp_path):
    lines = MemoryLines(Workspace(tmp_path, MemoryBudget(5)))
    for number, size in enumerate((4, 4, 1)):
        lines.write(Block(b"%d" % number * size, 1))
    assert [block.lines for block in lines.finish().take().blocks] == [b"0000", b"1111", b"2"]
    lines.discard()
    assert list(tmp_path.iterdir()) == []


@both_ways
def test_json_lines_may_be_compressed(native):
    page = csv_of([["Id", "Name"], ["1", "a"], ["2", ""]])
    plain = encoded(json_lines(TEXT), page, native=native)
    assert plain.file == b'{"Id":"1","Name":"a"}\n{"Id":"2"}\n'
    assert gzip.decompress(encoded(json_lines(TEXT, compressed=True), page, native=native).file) == plain.file


@both_ways
def test_a_parquet_file_has_row_groups_of_bounded_bytes_and_the_schema_it_was_given(native):
    schema = arrow_schema(TEXT).with_metadata({"salesforce.object": "Account"})
    page = csv_of([["Id", "Name"], *[[str(number), "x" * 1000] for number in range(40_000)]])
    made = encoded(parquet_file(TEXT, schema), page, native=native)
    file = parquet.ParquetFile(io.BytesIO(made.file))
    assert file.num_row_groups == 3
    assert max(file.metadata.row_group(group).total_byte_size for group in range(3)) <= ROW_GROUP == 16 << 20
    assert file.schema_arrow.equals(schema, check_metadata=True)
    assert table(made).column("Id").to_pylist() == [str(number) for number in range(40_000)]


@both_ways
def test_a_page_without_rows_is_a_file_all_the_same(native):
    for page in (b"", b"Id,Name\n"):
        assert table(encoded(parquet_file(TEXT, arrow_schema(TEXT)), page, native=native)).num_rows == 0
        assert encoded(json_lines(TEXT), page, native=native).file == b""


@both_ways
@pytest.mark.parametrize("damage", ["", "2,b,c\n"])
def test_nothing_is_left_of_a_page_that_was_rejected(native, damage):
    page = csv_of([["Id", "Name"], *[[str(number), "x" * 99] for number in range(60_000)]]) + damage.encode()
    makers = (record_lines("A", TEXT), json_lines(TEXT), parquet_file(TEXT, arrow_schema(TEXT)), batch_file(TEXT))
    for encoder in makers:
        with pytest.raises(PageRejected):  # the rig looks at what is left
            encoded(encoder, page, native=native, expected=7, memory=1 << 20)


@both_ways
def test_hashed_cells_are_digests_and_the_page_is_described_as_it_came(native, tmp_path):
    hashing = Hashing(("name",), "key")
    inner = FormEncoder(LineForm(TEXT), FileLines, streams=True, native=native)
    page = b"Id,Name\n1,a\n2,"
    encoding = hashed(inner, hashing).begin(Arrival(True, NOW, Workspace(tmp_path)))
    encoding.feed(compressed(page))
    made = encoding.finish(2)
    encoding.close()
    assert (made.size, made.ended, made.rows, made.first_key) == (len(page), False, 2, "1")
    content = made.product.take()
    assert content.path.read_bytes() == b'{"Id":"1","Name":"%b"}\n{"Id":"2"}\n' % hashing.digest("a").encode()
    assert [path for path in tmp_path.iterdir() if path != content.path] == []
    assert hashed(inner, None) is inner


def test_an_encoder_can_be_sent_to_another_machine():
    for encoder in (record_lines("A", TEXT), parquet_file(TEXT, arrow_schema(TEXT)), batch_file(TEXT)):
        assert pickle.loads(pickle.dumps(encoder)).columns == TEXT


def test_the_core_can_be_kept_out(monkeypatch):
    monkeypatch.delenv("SALESFORCE_BULK_CORE", raising=False)
    assert uses_core() == HAS_CORE
    monkeypatch.setenv("SALESFORCE_BULK_CORE", "off")
    assert not uses_core()
