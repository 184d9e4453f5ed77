from __future__ import annotations

from source_salesforce_bulk.export.overview import ObjectView, Overview, Standing


def view(name: str, standing: Standing, rows: int = 0, known: int | None = None, waiting: float = 0.0) -> ObjectView:
    return ObjectView(name, standing, rows, known, f"750{name}" if waiting else None, waiting)


def test_a_line_counts_objects_and_rows():
    objects = [
        view("Account", Standing.READ, 1200),
        view("Contact", Standing.DOWNLOADING, 500, 1000),
        view("Lead", Standing.FAILED),
        view("Case", Standing.QUEUED),
    ]
    assert str(Overview(objects, 95.0, 50.0)) == (
        "1 of 4 objects read, 1 failed, 1 running, 1 queued; 1,700 rows, 50 rows/s; 1 min 35 s elapsed"
    )


def test_one_row_is_no_plural():
    assert "; 1 row, 7 rows/s; " in str(Overview([view("Account", Standing.READ, 1)], 1.0, 7.0))


def test_an_estimate_needs_every_number_it_rests_on():
    known = [view("Account", Standing.DOWNLOADING, 500, 1000), view("Lead", Standing.QUEUED, 0, 100)]
    unknown = [*known, view("Case", Standing.QUEUED)]
    assert Overview(known, 120.0, 2.0).seconds_left == 300.0
    assert Overview(unknown, 120.0, 2.0).seconds_left is None
    assert Overview(known, 30.0, 2.0).seconds_left is None, "too early to tell the rate"
    assert Overview(known, 120.0, None).seconds_left is None
    assert "about 5 min 0 s left" in str(Overview(known, 120.0, 2.0))


def test_nothing_is_called_read_that_is_not():
    for standing in Standing:
        read = Overview([view("Account", standing)], 1.0).counts["read"]
        assert read == (standing is Standing.READ)


def test_numbers_are_fields_too():
    facts = Overview([view("Account", Standing.DOWNLOADING, 500, 1000)], 120.0, 2.0).facts
    assert facts == {
        "objects_read": 0,
        "objects_failed": 0,
        "objects_running": 1,
        "objects_queued": 0,
        "objects_of": 1,
        "rows": 500,
        "elapsed_seconds": 120.0,
        "rows_per_second": 2.0,
        "seconds_left": 250,
    }


def test_jobs_that_salesforce_works_on_for_long_are_named_longest_first():
    objects = [view(f"O{number}", Standing.WAITING, waiting=30.0 * number) for number in range(9)]
    lines = Overview(objects, 500.0).stuck()
    assert lines[0] == "O8: Salesforce has been working on query job 750O8 for 4 min 0 s"
    assert len(lines) == 6
    assert lines[-1] == "... and on 2 more query jobs"
    assert Overview([view("Account", Standing.WAITING, waiting=59.0)], 500.0).stuck() == []
