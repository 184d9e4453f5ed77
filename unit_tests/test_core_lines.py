"""The native core against the exact path: the same rows, lines, counts and rejections, whatever the page."""

from __future__ import annotations

import io
import os
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from hypothesis import given, settings

from source_salesforce_bulk.airbyte.streams import record_message
from source_salesforce_bulk.pages.core import ExactCells
from source_salesforce_bulk.pages.csv_page import LONGEST_CELL, PageRejected, inspect_page, read_rows
from source_salesforce_bulk.pages.json_cells import json_value
from source_salesforce_bulk.pages.records import Column, Record, RecordReader
from source_salesforce_bulk.pages.spool import first_id_in_file, inspect_file
from source_salesforce_bulk.salesforce.field_types import CellKind
from unit_tests.any_pages import (
    AWKWARD,
    DOUBTFUL,
    compressed,
    csv_of,
    damaged_pages,
    pages,
    pieces,
    splits,
)

core = pytest.importorskip("salesforce_bulk_core", reason="the page core is not built here (make core)")

NOW = 1_795_600_000_000
EXAMPLES = 200
FUZZ = Path(__file__).with_name("fuzz") / "corpus"
PIECE = 256 * 1024  # the core looks at so many bytes together
TEXT = (Column("Id", CellKind.STRING), Column("Name", CellKind.STRING))


# Both ways


def exact_records(page: bytes, columns: Sequence[Column]) -> list[Record]:
    names = [column.name for column in columns]
    return list(RecordReader(columns).records(read_rows(io.BytesIO(page), names)))


def exact_lines(page: bytes, columns: Sequence[Column]) -> list[bytes]:
    """The lines that a stock entrypoint of the CDK prints."""
    messages = (record_message("Account", record, NOW) for record in exact_records(page, columns))
    return [AirbyteEntrypoint.airbyte_message_to_string(message).encode() for message in messages]


def exact_objects(page: bytes, columns: Sequence[Column]) -> list[bytes]:
    records = exact_records(page, columns)
    return [orjson.dumps({name: json_value(value) for name, value in record.data.items()}) for record in records]


class Decoded:
    """A page that the core has decoded."""

    def __init__(self, page: bytes, columns: Sequence[Column], *, stream: str | None = "Account", **how) -> None:
        sizes = how.pop("sizes", [PIECE])
        gzipped = how.pop("gzipped", False)
        size = how.pop("size", 1 << 20)
        expected = how.pop("expected", None)
        decoder = core.PageDecoder([column.name for column in columns], gzipped=gzipped, keep=1 << 40, **how)
        for piece in pieces(page, sizes):
            decoder.feed(piece)
        self.proof = decoder.finish(expected)
        self.blocks = blocks_of(decoder, columns, stream, size)
        self.lines = b"".join(map(bytes, self.blocks)).split(b"\n")[:-1]
        self.unreadable = sum((Counter(block.unreadable) for block in self.blocks), Counter())


def blocks_of(decoder, columns: Sequence[Column], stream: str | None, size: int = 1 << 20) -> list:
    form = core.LineFormat([(column.name, column.kind.value) for column in columns], stream)
    blocks = []
    while (block := decoder.lines(form, ExactCells(columns), emitted_at=NOW, size=size)) is not None:
        blocks.append(block)
    return blocks


def assert_alike(page: bytes, columns: Sequence[Column], **how) -> Decoded:
    """Rows, lines, counts and shape are the same on both ways."""
    decoded = Decoded(page, columns, **how)
    assert decoded.lines == exact_lines(page, columns)
    shape = inspect_page(io.BytesIO(page), [column.name for column in columns])
    assert (decoded.proof.rows, decoded.proof.ended, decoded.proof.size) == (shape.rows, shape.ended, len(page))
    unreadable = Counter(name for record in exact_records(page, columns) for name in record.unreadable)
    assert decoded.unreadable == unreadable
    assert Decoded(page, columns, stream=None).lines == exact_objects(page, columns)
    return decoded


def exact_reason(page: bytes, columns: Sequence[Column]) -> str | None:
    """Why the exact path rejects a page; None where it does not."""
    try:
        inspect_page(io.BytesIO(page), [column.name for column in columns])
    except PageRejected as rejected:
        return str(rejected).partition(" - do you need")[0]  # Python 3.13 goes on otherwise than 3.11
    return None


def core_reason(page: bytes, columns: Sequence[Column], **how) -> str | None:
    try:
        Decoded(page, columns, **how)
    except core.PageRejected as rejected:
        return str(rejected)
    return None


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
    exact, found = exact_reason(page, columns), core_reason(page, columns, sizes=sizes)
    assert (exact is None) == (found is None), (exact, found)
    if is_utf8(page):
        assert found == exact


# Any table, any damage, any split of the bytes


@given(pages(), splits())
@settings(max_examples=EXAMPLES)
def test_any_page_becomes_the_lines_of_the_exact_path(made, sizes):
    columns, page = made
    assert_alike(page, columns, sizes=sizes)


@given(damaged_pages(), splits())
@settings(max_examples=2 * EXAMPLES)
def test_any_damage_is_seen_exactly_when_the_exact_path_sees_it(made, sizes):
    columns, page = made
    assert_same_verdict(page, columns, sizes)
    if exact_reason(page, columns) is None:
        assert_alike(page, columns, sizes=sizes)


@pytest.mark.parametrize("target", ["page", "blocks"])
def test_the_inputs_of_the_fuzzer_get_the_same_verdict(target):
    for path in sorted((FUZZ / target).iterdir()):
        data = path.read_bytes()
        for width in (1, 2, 3):
            columns = [Column(name, CellKind.STRING) for name in ("Id", "Name", "Note")[:width]]
            for skipped in (0, 1, 2):
                assert_same_verdict(data[skipped:], columns)


# Cells


@pytest.mark.parametrize("kind", CellKind)
def test_a_cell_of_doubt_is_what_its_reader_says(kind):
    columns = [TEXT[0], Column("Value", kind), Column("After", CellKind.STRING)]
    rows = [[str(number), cell, "z"] for number, cell in enumerate(DOUBTFUL[kind])]
    for quoting in ("all", "minimal"):
        assert_alike(csv_of([[column.name for column in columns], *rows], quoting), columns)


@pytest.mark.parametrize("quoting", ["all", "minimal"])
def test_awkward_text_comes_through_wherever_it_stands_in_a_block(quoting):
    for filler in range(64):
        rows = [["x" * filler, text] for text in AWKWARD]
        assert_alike(csv_of([["Id", "Name"], *rows], quoting), TEXT)


def test_names_are_written_as_json_and_found_in_any_case():
    columns = [Column("Größe", CellKind.INTEGER), Column('A"b', CellKind.STRING)]
    assert_alike('"a""B",GRÖSSE\nx,1\n'.replace("GRÖSSE", "GRÖßE").encode(), columns, stream="Account")


def test_wide_rows_and_rows_longer_than_a_piece_come_whole():
    wide = [Column(f"F{number}__c", CellKind.STRING) for number in range(500)]
    row = [("x" * number if number % 2 else "") for number in range(500)]
    assert_alike(csv_of([[column.name for column in wide], row, row, row]), wide)
    long = ["1", '"quoted"\n' * 100_000]
    assert_alike(csv_of([["Id", "Name"], ["0", "a"], long, ["2", "b"], long]), TEXT)


def test_a_text_of_many_pieces_is_cut_into_blocks_of_whole_lines():
    page = csv_of([["Id", "Name"], *[[str(number), f'say "{number}"'] for number in range(60_000)]])
    decoded = assert_alike(page, TEXT, size=100_000)
    assert len(decoded.blocks) > 3
    assert all(bytes(block).endswith(b"\n") for block in decoded.blocks)
    assert [block.rows for block in decoded.blocks] == [bytes(block).count(b"\n") for block in decoded.blocks]


# What a page is


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"\xef\xbb\xbf",
        b'"Id","Name"\n',
        b"Id,Name",
        b'"Id","Name"\r\n"1","a\r\nb"\r\n',
        b"Id,Name\n1,a",
        b"Id,Name\n\r1,a\r\n",
        b'Id,Name\n1,a"b\n2,c""d\n',
    ],
)
def test_odd_pages_are_what_the_exact_path_says(page):
    assert_alike(page, TEXT)


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
    ],
)
def test_a_damaged_page_is_rejected_for_the_reason_of_the_exact_path(page):
    assert exact_reason(page, TEXT) is not None
    assert_same_verdict(page, TEXT)
    assert_same_verdict(page, TEXT, [1])


def test_the_longest_cell_is_read_and_a_longer_one_is_not():
    for size in (LONGEST_CELL, LONGEST_CELL + 1):
        assert_same_verdict(b'Id,Name\n1,"' + b"x" * size + b'"\n', TEXT)
        assert_same_verdict(b"Id,Name\n1," + "é".encode() * size + b"\n", TEXT)


def test_the_count_of_the_response_header_has_to_be_met():
    assert core_reason(b"Id,Name\n1,a\n", TEXT, expected=1) is None
    assert core_reason(b"Id,Name\n1,a\n", TEXT, expected=2) == "it holds 1 rows where its header says 2"


def test_a_text_has_a_largest_size():
    assert core_reason(b"Id,Name\n1,a\n", TEXT, most=12) is None
    assert core_reason(b"Id,Name\n1,a\n", TEXT, most=11) == "its text is larger than 11 bytes"


def test_the_first_key_is_that_of_the_first_row(tmp_path):
    for page in (b"Id,Name\n1,a\n2,b\n", b'name,id\na,"x""y"\n', b"Id,Name\n", b"", b"Id,Name\n,a\n"):
        path = tmp_path / "page.csv"
        path.write_bytes(page)
        assert Decoded(page, TEXT, key=0).proof.first_key == first_id_in_file(path, False, ["Id", "Name"])
    assert Decoded(b"Id,Name\n1,a\n", TEXT).proof.first_key is None


def test_pages_have_the_same_digest_exactly_when_their_bytes_are_the_same():
    page = b"Id,Name\n1,a\n"
    assert Decoded(page, TEXT).proof.digest == Decoded(compressed(page), TEXT, gzipped=True, sizes=[1]).proof.digest
    assert Decoded(page, TEXT).proof.digest != Decoded(b"Id,Name\n1,b\n", TEXT).proof.digest


# gzip


@given(pages(), splits())
@settings(max_examples=EXAMPLES // 4)
def test_a_compressed_page_is_the_same_page(made, sizes):
    columns, page = made
    lines = Decoded(page, columns).lines
    assert Decoded(compressed(page), columns, gzipped=True, sizes=sizes).lines == lines
    assert Decoded(compressed(page, members=3) + bytes(5), columns, gzipped=True, sizes=sizes).lines == lines


def python_accepts(stream: bytes) -> bool:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "page.csv.gz"
        path.write_bytes(stream)
        try:
            inspect_file(path, True, ["Id", "Name"])
        except PageRejected:
            return False
    return True


def test_a_compressed_page_that_is_cut_or_changed_anywhere_is_rejected_where_python_rejects_it():
    stream = compressed(csv_of([["Id", "Name"], *[[str(number), "word"] for number in range(50)]]))
    changed = [stream[:at] + bytes([stream[at] ^ 16]) + stream[at + 1 :] for at in range(len(stream))]
    cut = [stream[:at] for at in range(len(stream))]
    padded = [stream + behind for behind in (b"\0\0", b"\0x", b"x", stream, b"\0" + stream, stream[:-1])]
    for given_stream in [*changed, *cut, *padded]:
        rejected = core_reason(given_stream, TEXT, gzipped=True) is not None
        assert rejected != python_accepts(given_stream), given_stream


def test_a_page_that_is_not_gzip_is_rejected_as_such():
    assert core_reason(b"Id,Name\n", TEXT, gzipped=True) == "its gzip encoding is damaged or cut"


# In turn


def decoder_of(page: bytes, **how):
    decoder = core.PageDecoder(["Id", "Name"], gzipped=False, **how)
    decoder.feed(page)
    return decoder


def test_nothing_is_given_out_before_the_page_is_proven():
    decoder = decoder_of(b"Id,Name\n" + b"1,a\n" * PIECE, keep=1 << 30)
    assert decoder.kept_size > 0
    with pytest.raises(RuntimeError, match="before finish"):
        blocks_of(decoder, TEXT, None)
    assert decoder.finish().rows == PIECE
    with pytest.raises(RuntimeError, match="before finish"):
        decoder.feed(b"x")


def test_a_page_that_was_rejected_stays_so():
    decoder = core.PageDecoder(["Id", "Name"], gzipped=False)
    with pytest.raises(core.PageRejected):
        decoder.feed(b"Id,Nom\n" * PIECE)
    with pytest.raises(RuntimeError, match="failed"):
        decoder.finish()


def test_a_page_with_too_few_rows_gives_none_out():
    decoder = decoder_of(b"Id,Name\n1,a\n", keep=100)
    with pytest.raises(core.PageRejected):
        decoder.finish(2)
    with pytest.raises(RuntimeError, match="failed"):
        blocks_of(decoder, TEXT, None)


def test_a_page_larger_than_may_be_kept_is_read_again_with_its_proof():
    page = b"Id,Name\n" + b"1,a\n" * PIECE
    first = decoder_of(page, keep=PIECE)
    proof = first.finish()
    assert (proof.rows, first.is_kept, first.kept_size) == (PIECE, False, 0)
    with pytest.raises(RuntimeError, match="not kept"):
        blocks_of(first, TEXT, None)
    again = core.PageDecoder(["Id", "Name"], gzipped=False, keep=2 * PIECE, proof=proof)
    rows = 0
    for piece in pieces(page, [PIECE]):
        again.feed(piece)
        rows += sum(block.rows for block in blocks_of(again, TEXT, None))
    again.finish()
    assert rows + sum(block.rows for block in blocks_of(again, TEXT, None)) == PIECE


def test_a_second_reading_of_other_bytes_is_noticed():
    proof = decoder_of(b"Id,Name\n1,a\n").finish()
    again = decoder_of(b"Id,Name\n1,b\n", proof=proof)
    with pytest.raises(core.PageChanged):
        again.finish()


def test_what_is_taken_or_forgotten_takes_no_memory():
    decoder = decoder_of(b"Id,Name\n1,a\n", keep=100)
    decoder.finish()
    assert decoder.kept_size == 4
    assert len(blocks_of(decoder, TEXT, None)) == 1
    assert (decoder.kept_size, decoder.is_kept) == (0, True)
    other = decoder_of(b"Id,Name\n1,a\n", keep=100)
    other.forget()
    other.finish()
    assert (other.kept_size, other.is_kept) == (0, False)


def test_an_error_of_the_exact_path_reaches_the_caller():
    class Broken:
        def json(self, column, cell):
            raise KeyError(column, cell)

    decoder = decoder_of(b"Id,Name\n1,1e20\n", keep=100)
    decoder.finish()
    form = core.LineFormat([("Id", "string"), ("Name", "number")])
    with pytest.raises(KeyError, match="1e20"):
        decoder.lines(form, Broken())


def test_lines_are_a_buffer_that_cannot_be_written():
    decoder = decoder_of(b"Id,Name\n1,a\n", keep=100)
    decoder.finish()
    (block,) = blocks_of(decoder, TEXT, None)
    view = memoryview(block)
    del block
    assert bytes(view) == b'{"Id":"1","Name":"a"}\n'
    assert view.readonly
    with tempfile.TemporaryFile() as file:
        assert os.write(file.fileno(), view) == len(view)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="kind of cell"):
        core.LineFormat([("Id", "blob")])
    with pytest.raises(ValueError, match="column"):
        core.PageDecoder([], gzipped=False)
    with pytest.raises(ValueError, match="key"):
        core.PageDecoder(["Id"], gzipped=False, key=1)
    decoder = decoder_of(b"Id,Name\n1,a\n", keep=100)
    decoder.finish()
    with pytest.raises(RuntimeError, match="number of columns"):
        blocks_of(decoder, TEXT[:1], None)


def test_threads_decode_pages_at_the_same_time():
    page = csv_of([["Id", "Name"], *[[str(number), "word"] for number in range(20_000)]])
    expected = Decoded(page, TEXT).lines
    found: list[bool] = []
    threads = [threading.Thread(target=lambda: found.append(Decoded(page, TEXT).lines == expected)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 4
