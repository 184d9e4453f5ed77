"""The native core by itself: its steps and its outputs. ``test_encoders`` tests its results."""

from __future__ import annotations

import gc
import io
import os
import tempfile
import threading
from collections.abc import Sequence

import pyarrow as pa
import pytest

from source_salesforce_bulk.pages.core import HAS_CORE
from source_salesforce_bulk.pages.csv_page import PageRejected, read_rows
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.field_types import CellKind
from unit_tests.any_pages import csv_of, pieces

core = pytest.importorskip("salesforce_bulk_core", reason="the page core is not built here (make core)")

PIECE = 256 * 1024  # the core looks at so many bytes together
TEXT = (Column("Id", CellKind.STRING), Column("Name", CellKind.STRING))


class NoDoubt:
    """An exact path that is never asked."""

    def json(self, column, cell):
        raise KeyError(column, cell)

    scalar = json


def decoder_of(page: bytes, **how):
    decoder = core.PageDecoder(["Id", "Name"], gzipped=False, **how)
    decoder.feed(page)
    return decoder


def blocks_of(decoder, columns: Sequence[Column] = TEXT, stream: str | None = None) -> list:
    form = core.LineFormat([(column.name, column.kind.value) for column in columns], stream)
    return list(iter(lambda: decoder.lines(form, NoDoubt(), emitted_at=1), None))


def batches_of(page: bytes, **how) -> list:
    decoder = core.PageDecoder(["Id"], gzipped=False)
    for piece in pieces(page, [PIECE]):
        decoder.feed(piece)
    decoder.finish()
    form = core.ArrayFormat([("Id", "string")])
    return list(iter(lambda: decoder.batch(form, NoDoubt(), **how), None))


def test_the_core_that_is_installed_is_the_one_that_is_used():
    assert HAS_CORE


# In turn


def test_nothing_is_given_out_before_the_page_is_proven():
    decoder = decoder_of(b"Id,Name\n" + b"1,a\n" * PIECE)
    assert decoder.kept_size > 0
    with pytest.raises(RuntimeError, match="before finish"):
        blocks_of(decoder)
    assert decoder.finish().rows == PIECE
    with pytest.raises(RuntimeError, match="before finish"):
        decoder.feed(b"x")


def test_rows_are_given_out_early_to_a_caller_that_asked_for_it():
    decoder = core.PageDecoder(["Id", "Name"], gzipped=False, early=True)
    rows = 0
    for piece in pieces(b"Id,Name\n" + b"1,a\n" * PIECE, [PIECE]):
        decoder.feed(piece)
        rows += sum(block.rows for block in blocks_of(decoder))
        assert decoder.kept_size == 0
    assert rows > 0
    assert decoder.finish().rows == PIECE
    assert rows + sum(block.rows for block in blocks_of(decoder)) == PIECE


def test_a_page_that_was_rejected_stays_so():
    decoder = core.PageDecoder(["Id", "Name"], gzipped=False)
    with pytest.raises(core.PageRejected):
        decoder.feed(b"Id,Nom\n" * PIECE)
    with pytest.raises(RuntimeError, match="failed"):
        decoder.finish()


def test_a_page_with_too_few_rows_gives_none_out():
    decoder = decoder_of(b"Id,Name\n1,a\n")
    with pytest.raises(core.PageRejected):
        decoder.finish(2)
    with pytest.raises(RuntimeError, match="failed"):
        blocks_of(decoder)


def test_what_is_taken_takes_no_memory():
    decoder = decoder_of(b"Id,Name\n1,a\n")
    decoder.finish()
    assert decoder.kept_size == 4
    assert len(blocks_of(decoder)) == 1
    assert decoder.kept_size == 0


# Bounds


def verdicts(page: bytes, longest: int) -> list[str | None]:
    """Return why the core and Python reject a page whose rows have at most ``longest`` bytes; None if they do not."""

    def by_core() -> None:
        decoder_of(page, longest_row=longest).finish()

    found = []
    for read in (by_core, lambda: list(read_rows(io.BytesIO(page), ["Id", "Name"], longest))):
        try:
            read()
            found.append(None)
        except (core.PageRejected, PageRejected) as rejected:
            found.append(str(rejected))
    return found


@pytest.mark.parametrize("cell", ["x" * 20, "é" * 10, '"' + "x\n" * 9 + '"', '"x"' * 7])
@pytest.mark.parametrize(("end", "size"), [("\n", 23), ("\n2,b\n", 23), ("", 22)])
@pytest.mark.parametrize("header", ["Id,Name\n", "Id,Name\r\n"])
def test_a_row_may_have_so_many_bytes_with_its_line_end_and_no_more(cell, end, size, header):
    size += len(cell.encode()) - 20
    if header.endswith("\r\n"):
        end, size = end.replace("\n", "\r\n"), size + ("\n" in end)
    page = f"{header}0,a{end or chr(10)}1,{cell}{end}".replace("\r\n\r\n", "\r\n").encode()
    assert verdicts(page, size) == [None, None]
    assert verdicts(page, size - 1) == [f"a row is longer than {size - 1} bytes"] * 2


def test_a_text_has_a_largest_size():
    assert decoder_of(b"Id,Name\n1,a\n", most=12).finish().size == 12
    with pytest.raises(core.PageTooLarge, match="it is longer than 11 bytes"):
        decoder_of(b"Id,Name\n1,a\n", most=11)


# What is given out


def test_an_error_of_the_exact_path_reaches_the_caller():
    decoder = decoder_of(b"Id,Name\n1,1e20\n")
    decoder.finish()
    with pytest.raises(KeyError, match="1e20"):
        decoder.lines(core.LineFormat([("Id", "string"), ("Name", "number")]), NoDoubt())


def test_a_column_of_another_type_from_the_exact_path_is_unreadable():
    class Wrong:
        def scalar(self, column, cell):
            return 0.5, False

    decoder = core.PageDecoder(["Id"], gzipped=False)
    decoder.feed(b"Id\n1e18\n")
    decoder.finish()
    batch = decoder.batch(core.ArrayFormat([("Id", "integer")]), Wrong())
    assert (pa.record_batch(batch).column(0).to_pylist(), batch.unreadable) == ([None], {"Id": 1})


def test_lines_are_a_buffer_that_cannot_be_written():
    decoder = decoder_of(b"Id,Name\n1,a\n")
    decoder.finish()
    (block,) = blocks_of(decoder)
    view = memoryview(block)
    del block
    assert bytes(view) == b'{"Id":"1","Name":"a"}\n'
    assert view.readonly
    with tempfile.TemporaryFile() as file:
        assert os.write(file.fileno(), view) == len(view)


def test_batches_hold_about_as_many_bytes_as_were_asked_for():
    page = csv_of([["Id"], *[[f"{number} {'x' * 50}"] for number in range(40_000)]])
    small, large = batches_of(page, size=PIECE), batches_of(page, size=1 << 30)
    assert (len(large), large[0].rows) == (1, 40_000)
    assert len(small) > 3
    assert sum(batch.rows for batch in small) == 40_000
    assert large[0].size >= 40_000 * 50


def test_a_batch_lives_as_long_as_what_was_made_of_it():
    (taken,) = batches_of(b"Id\na\nb\n")
    first, second = pa.record_batch(taken), pa.record_batch(taken)
    taken.__arrow_c_array__()  # capsules that nothing takes give their memory back
    del taken
    gc.collect()
    assert first.equals(second)
    assert first.column(0).to_pylist() == ["a", "b"]


def test_lines_and_batches_may_be_taken_in_turn():
    decoder = core.PageDecoder(["Id"], gzipped=False)
    decoder.feed(b"Id\n" + b"a\n" * PIECE)
    decoder.finish()
    batch = decoder.batch(core.ArrayFormat([("Id", "string")]), NoDoubt(), size=1)
    lines = decoder.lines(core.LineFormat([("Id", "string")]), NoDoubt(), size=1 << 30)
    assert batch.rows + lines.rows == PIECE


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="kind of cell"):
        core.LineFormat([("Id", "blob")])
    with pytest.raises(ValueError, match="column"):
        core.PageDecoder([], gzipped=False)
    with pytest.raises(ValueError, match="key"):
        core.PageDecoder(["Id"], gzipped=False, key=1)
    decoder = decoder_of(b"Id,Name\n1,a\n")
    decoder.finish()
    with pytest.raises(RuntimeError, match="number of columns"):
        blocks_of(decoder, TEXT[:1])


def test_threads_decode_pages_at_the_same_time():
    page = csv_of([["Id", "Name"], *[[str(number), "word"] for number in range(20_000)]])

    def lines() -> bytes:
        decoder = decoder_of(page)
        decoder.finish()
        return b"".join(map(bytes, blocks_of(decoder)))

    expected, found = lines(), []
    threads = [threading.Thread(target=lambda: found.append(lines() == expected)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 4
