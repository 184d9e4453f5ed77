from __future__ import annotations

from source_salesforce_bulk.export.blob_forecast import FilesForecast, with_files


def test_every_file_and_every_page_of_rows_is_a_call():
    assert [FilesForecast("Document", count, 0).calls for count in (0, 1, 199, 200)] == [1, 2, 200, 202]


def test_files_that_salesforce_did_not_count_are_unknown():
    forecast = FilesForecast("Document")
    assert forecast.calls is None
    assert str(forecast).startswith("Files of Document: unknown")


def test_the_calls_of_an_export_are_known_only_with_those_of_all_its_files():
    known, unknown = FilesForecast("Document", 10, 100), FilesForecast("Attachment")
    assert with_files(5, []) == 5
    assert with_files(5, [known, known]) == 5 + 11 + 11
    assert with_files(5, [known, unknown]) is None
    assert with_files(None, [known]) is None
