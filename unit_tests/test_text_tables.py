from __future__ import annotations

from source_salesforce_bulk.export.text_tables import table


def test_nothing_is_cut_however_long_it_is():
    long = "x" * 500
    assert table(["object", "why"], [["Account", long]]).splitlines()[1] == f"Account  {long}"


def test_a_cell_is_one_line():
    assert len(table(["why"], [["two\nlines"]]).splitlines()) == 2
