"""One result page: its rows, its headers, and the possible defects of its text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from integration_tests.simulated_org.csv_text import CsvForm, split_line
from integration_tests.simulated_org.faults import Fault
from integration_tests.simulated_org.jobs import QueryJob
from integration_tests.simulated_org.settings import OrgSettings
from integration_tests.simulated_org.snapshots import Snapshot
from integration_tests.simulated_org.wire import Answer

END_OF_LOCATORS = "null"
_ZERO_ROWS = {"empty": b"", "newline": b"\n", "text": b"Records not found for this query"}


@dataclass(slots=True)
class Page:
    """A page as text that a fault may still change."""

    job: QueryJob
    snapshot: Snapshot
    form: CsvForm
    start: int
    stop: int
    header: bytes
    rows: list[bytes]
    count: str | None
    locator: str | None
    content_type: str = "text/csv; charset=UTF-8"
    before: bytes = b""
    after: bytes = b""
    text: bytes | None = None  # instead of header and rows
    cut_at: int | None = None
    others: list[QueryJob] = field(default_factory=list)

    def body(self) -> bytes:
        """Return the page's bytes, uncompressed."""
        text = self.text if self.text is not None else self.before + self.header + b"".join(self.rows) + self.after
        if self.cut_at is not None:
            return text[: self.cut_at if self.cut_at >= 0 else len(text) // 2]
        return text

    def cells(self, line: bytes) -> list[str]:
        """Return the cells of a line."""
        return split_line(line.decode(), self.form.delimiter)


def next_locator(job: QueryJob, stop: int, rows: int, settings: OrgSettings) -> str | None:
    """Return the Sforce-Locator header's value after a page; None: no such header."""
    if stop < rows:
        return job.locator(stop)
    return {"null": END_OF_LOCATORS, "missing": None, "empty": ""}[settings.locator_end]


def sound_page(job: QueryJob, snapshot: Snapshot, start: int, stop: int, settings: OrgSettings) -> Answer:
    """Return a page as it should be, without touching its rows one by one."""
    instead = _ZERO_ROWS.get(settings.zero_rows) if snapshot.rows == 0 else None
    headers = _headers(
        str(stop - start) if settings.count_header else None, next_locator(job, stop, snapshot.rows, settings)
    )
    if instead is not None:
        return Answer(200, instead, headers)
    large = snapshot.is_large(start, stop)
    return Answer(
        200,
        b"" if large else snapshot.page(start, stop),
        headers,
        compressed=lambda: snapshot.gzip_page(start, stop),
        late_body=lambda: snapshot.page(start, stop),
    )


def faulty_page(page: Page, faults: list[Fault]) -> Answer:
    """Return a page that these faults have gone over, in their order."""
    for fault in faults:
        _FAULTS[fault.kind](page, fault)
    headers = _headers(page.count, page.locator) | {"Content-Type": page.content_type}
    return Answer(200, page.body(), headers)


def _headers(count: str | None, locator: str | None) -> dict[str, str]:
    headers = {"Content-Type": "text/csv; charset=UTF-8"}
    if locator is not None:
        headers["Sforce-Locator"] = locator
    if count is not None:
        headers["Sforce-NumberOfRecords"] = count
    return headers


# -- rows and count --------------------------------------------------------------------------------------------------


def _short(page: Page, fault: Fault) -> None:
    del page.rows[max(0, len(page.rows) - fault.rows) :]


def _long(page: Page, fault: Fault) -> None:
    page.rows += page.rows[-1:] * fault.rows


def _count(page: Page, fault: Fault) -> None:
    page.count = str(fault.value) if fault.value is not None else str(len(page.rows) + fault.delta)


def _no_count(page: Page, fault: Fault) -> None:
    page.count = None


def _short_and_count(page: Page, fault: Fault) -> None:
    _short(page, fault)
    page.count = str(len(page.rows))


def _small(page: Page, fault: Fault) -> None:
    page.stop = min(page.stop, page.start + fault.rows)
    page.rows = page.rows[: fault.rows]
    page.count = str(len(page.rows))
    if page.stop < page.snapshot.rows:
        page.locator = page.job.locator(page.stop)


def _empty(page: Page, fault: Fault) -> None:
    page.rows, page.count = [], "0"
    page.locator = page.job.locator(page.start)


# -- columns ---------------------------------------------------------------------------------------------------------


def _repeated_header(page: Page, fault: Fault) -> None:
    page.rows.insert(len(page.rows) // 2, page.header)


def _missing_header(page: Page, fault: Fault) -> None:
    page.header = b""


def _each_line(page: Page, change: Callable[[list[str]], list[str]]) -> None:
    page.header = page.form.line(change(page.cells(page.header)))
    page.rows = [page.form.line(change(page.cells(row))) for row in page.rows]


def _reordered(page: Page, fault: Fault) -> None:
    _each_line(page, lambda cells: cells[::-1])


def _lower_case(page: Page, fault: Fault) -> None:
    page.header = page.form.line([name.lower() for name in page.cells(page.header)])


def _missing_column(page: Page, fault: Fault) -> None:
    _each_line(page, lambda cells: cells[:-1])


def _extra_column(page: Page, fault: Fault) -> None:
    page.header = page.form.line([*page.cells(page.header), str(fault.value or "Surprise__c")])
    page.rows = [page.form.line([*page.cells(row), "surprise"]) for row in page.rows]


def _renamed_column(page: Page, fault: Fault) -> None:
    page.header = page.form.line([*page.cells(page.header)[:-1], str(fault.value or "Renamed__c")])


def _ragged(page: Page, fault: Fault) -> None:
    if page.rows:
        cells = page.cells(page.rows[-1])
        page.rows[-1] = page.form.line([*cells, "one more"] if fault.value == "more" else cells[:-1])


def _changed_cell(page: Page, fault: Fault) -> None:
    if page.rows:
        page.rows[-1] = page.form.line([*page.cells(page.rows[-1])[:-1], str(fault.value)])


# -- text ------------------------------------------------------------------------------------------------------------


def _open_quote(page: Page, fault: Fault) -> None:
    if page.rows:
        cells = page.cells(page.rows[-1])[:-1]
        whole = page.form.line(cells).removesuffix(page.form.line_ending.encode()) if cells else b""
        page.rows[-1] = whole + page.form.delimiter.encode() * bool(cells) + b'"never closed'


def _no_final_newline(page: Page, fault: Fault) -> None:
    lines = page.rows or [page.header]
    last = lines[-1].removesuffix(page.form.line_ending.encode())
    if page.rows:
        page.rows[-1] = last
    else:
        page.header = last


def _cut_clean(page: Page, fault: Fault) -> None:
    page.cut_at = fault.at if fault.at is not None else -1


def _html(page: Page, fault: Fault) -> None:
    page.text = b"<!DOCTYPE html><html><body><h1>Down for maintenance</h1></body></html>"
    page.content_type = "text/html; charset=UTF-8"


def _json_error(page: Page, fault: Fault) -> None:
    page.text = b'[{"errorCode":"UNKNOWN_EXCEPTION","message":"An unexpected error occurred"}]'


def _other_job(page: Page, fault: Fault) -> None:
    other = next((job.snapshot for job in page.others if job.snapshot is not None and job.id != page.job.id), None)
    if other is not None:
        page.header, page.rows = other.header, other.lines(0, min(other.rows, page.stop - page.start))


def _wrong_page(page: Page, fault: Fault) -> None:
    page.rows = page.snapshot.lines(0, min(page.snapshot.rows, page.stop - page.start))


def _bom(page: Page, fault: Fault) -> None:
    page.before = b"\xef\xbb\xbf"


def _invalid_utf8(page: Page, fault: Fault) -> None:
    if page.rows:
        ending = page.form.line_ending.encode()
        text = page.rows[-1].removesuffix(ending)
        page.rows[-1] = (text[:-1] + b'\xff"' if text.endswith(b'"') else text + b"\xff") + ending


def _blank_lines(page: Page, fault: Fault) -> None:
    page.after = page.form.line_ending.encode() * fault.rows


def _no_charset(page: Page, fault: Fault) -> None:
    page.content_type = "text/csv"


def _content_type(page: Page, fault: Fault) -> None:
    page.content_type = str(fault.value)


# -- locator ---------------------------------------------------------------------------------------------------------


def _stuck(page: Page, fault: Fault) -> None:
    page.locator = page.job.locator(page.start)


def _first(page: Page, fault: Fault) -> None:
    page.locator = page.job.locator(0)


def _locator_gone(value: str | None) -> Callable[[Page, Fault], None]:
    def strike(page: Page, fault: Fault) -> None:
        page.locator = value

    return strike


def _locator_after_end(page: Page, fault: Fault) -> None:
    if page.stop >= page.snapshot.rows:
        page.locator = page.job.locator(page.snapshot.rows)


_FAULTS: dict[str, Callable[[Page, Fault], None]] = {
    "short_page": _short,
    "long_page": _long,
    "count_wrong": _count,
    "count_missing": _no_count,
    "short_page_short_count": _short_and_count,
    "small_page": _small,
    "empty_page": _empty,
    "repeated_header": _repeated_header,
    "missing_header": _missing_header,
    "reordered_columns": _reordered,
    "other_case_columns": _lower_case,
    "missing_column": _missing_column,
    "extra_column": _extra_column,
    "renamed_column": _renamed_column,
    "ragged_row": _ragged,
    "changed_cell": _changed_cell,
    "open_quote": _open_quote,
    "no_final_newline": _no_final_newline,
    "cut_clean": _cut_clean,
    "html_page": _html,
    "json_error_page": _json_error,
    "other_job_page": _other_job,
    "wrong_page": _wrong_page,
    "bom": _bom,
    "invalid_utf8": _invalid_utf8,
    "blank_lines": _blank_lines,
    "no_charset": _no_charset,
    "content_type": _content_type,
    "stuck_locator": _stuck,
    "first_locator": _first,
    "locator_missing": _locator_gone(None),
    "locator_null": _locator_gone(END_OF_LOCATORS),
    "locator_empty": _locator_gone(""),
    "locator_after_end": _locator_after_end,
}
