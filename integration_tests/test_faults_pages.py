"""Damaged, misled and odd result pages: readable rows are read exactly once; anything else is a typed failure."""

from __future__ import annotations

from integration_tests.fault_trial import Complete, Fails, Trial, on_account, trials, try_fault, with_settings
from integration_tests.org_client import OrgClient
from integration_tests.simulated_org import Fault, SimulatedOrg


def once(kind: str, page: int = 2, **attributes: object) -> Trial:
    """A page is damaged once: the same locator gives it whole the next time."""
    return Trial([on_account(kind, page=page, **attributes)], Complete(warning="t is fetched again"))


def always(kind: str, page: int | None = None, **attributes: object) -> list[Fault]:
    """Every page is like this, or every one of a number."""
    return [on_account(kind, page=page, times=None, **attributes)]


def campaign_job_before(org: SimulatedOrg) -> None:
    """Another job's result, which the org may mistake for this one's."""
    client = OrgClient(org)
    job = client.finished("SELECT Id, Name FROM Campaign")
    client.session.delete(f"{client.jobs}/{job}", timeout=20)


LOST = Fails("transient_error", "A result page is not valid")
WRONG_TOTAL = Fails("transient_error", "The number of rows received differs from the query job's total")

BODIES = {
    "cut_chunked": once("cut"),
    "cut_reset": once("cut", value="reset"),
    "cut_first_page": once("cut", page=1, at=0),
    "cut_content_length": Trial(
        [on_account("cut", page=2)], Complete(warning="t is fetched again"), with_settings(transfer="content-length")
    ),
    "cut_close_delimited": Trial(
        [on_account("cut_clean", page=2)],
        Complete(warning="t is fetched again"),
        with_settings(transfer="close", gzip_results=False),
    ),
    "cut_clean": once("cut_clean"),
    "cut_clean_in_the_header": once("cut_clean", at=3),
    "wrong_length": once("wrong_length"),
    "stall_close": once("stall", value="close", at=50),
    "stall_then_on": Trial([on_account("stall", page=2, at=50, seconds=0.05)]),
    "slow": Trial([on_account("slow", page=2, value=200_000)]),
    "cut_always": Trial(always("cut", page=1), LOST, requests={"results": 150}),
    "gzip_cut": once("gzip_cut"),
    "gzip_corrupt": once("gzip_corrupt"),
    "gzip_bad_crc": once("gzip_bad_crc"),
    "gzip_claimed": once("gzip_claimed"),
    "gzip_unclaimed": once("gzip_unclaimed"),
    "gzip_no_trailer": once("gzip_no_trailer"),
    "gzip_junk": once("gzip_junk"),
    "gzip_two_members": Trial(always("gzip_two_members")),
    "identity": Trial(always("identity")),
    "transfer_content_length": Trial(always("transfer", value="content-length")),
    "transfer_close": Trial(always("transfer", value="close")),
}

TEXTS = {
    "short_page": once("short_page"),
    "long_page": once("long_page"),
    "short_page_always": Trial(always("short_page", page=1), LOST, requests={"results": 150}),
    "short_page_short_count_last": Trial([on_account("short_page_short_count", page=3)]),
    "short_page_short_count": Trial([on_account("short_page_short_count", page=2)], WRONG_TOTAL),
    "count_wrong": once("count_wrong"),
    "count_wrong_always": Trial(always("count_wrong", page=1), LOST, requests={"results": 150}),
    "count_missing": once("count_missing"),
    "count_missing_always": Trial([on_account("count_missing", times=None)]),
    "count_unreadable": once("count_wrong", value="many"),
    "repeated_header": once("repeated_header"),
    "missing_header": once("missing_header"),
    "missing_header_later_pages": Trial(
        always("missing_header", page=2), Complete(repeats=True), requests={"results": 150}
    ),
    "reordered_columns": Trial(always("reordered_columns")),
    "other_case_columns": Trial(always("other_case_columns")),
    "missing_column": once("missing_column"),
    "extra_column": once("extra_column"),
    "renamed_column": once("renamed_column"),
    "ragged_row_short": once("ragged_row"),
    "ragged_row_long": once("ragged_row", value="more"),
    "open_quote": once("open_quote"),
    "no_final_newline": once("no_final_newline"),
    "no_final_newline_always": Trial(always("no_final_newline")),
    "blank_lines": once("blank_lines"),
    "bom": Trial(always("bom")),
    "invalid_utf8": once("invalid_utf8"),
    "html_page": once("html_page"),
    "json_error_page": once("json_error_page"),
    "no_charset": Trial(always("no_charset")),
    "content_type": Trial(always("content_type", value="application/octet-stream")),
    "other_job_page": Trial(
        [on_account("other_job_page", page=2)],
        Complete(warning="t is fetched again"),
        prepare=campaign_job_before,
    ),
    "wrong_page": once("wrong_page", page=3),
    "wrong_page_always": Trial(always("wrong_page", page=2), Complete(repeats=True), requests={"results": 150}),
    "empty_page": Trial([on_account("empty_page", page=2)]),
    "small_page": Trial([on_account("small_page", page=1, rows=30)]),
    "page_rows_cap": Trial([], settings=with_settings(page_rows_cap=47)),
    "page_bytes_cap": Trial([], settings=with_settings(page_bytes_cap=6_000)),
    "minimal_quoting": Trial([], settings=with_settings(quoting="minimal")),
    "shuffled_rows": Trial([], settings=with_settings(row_order="shuffled")),
}

LOCATORS = {
    "stuck_locator": once("stuck_locator"),
    "stuck_locator_always": Trial(always("stuck_locator", page=1), Complete(repeats=True), requests={"results": 150}),
    "first_locator": Trial([on_account("first_locator", page=2)], Complete(repeats=True)),
    "first_locator_always": Trial(always("first_locator", page=2), Complete(repeats=True), requests={"results": 150}),
    "locator_missing": once("locator_missing", page=1),
    "locator_empty": once("locator_empty", page=1),
    "locator_null": once("locator_null", page=1),
    "locator_missing_always": Trial(always("locator_missing", page=1), requests={"results": 150}),
    "locator_null_always": Trial(always("locator_null", page=1), WRONG_TOTAL),
    "locator_after_end": Trial(always("locator_after_end")),
    "locator_end_missing": Trial([], settings=with_settings(locator_end="missing")),
    "locator_end_empty": Trial([], settings=with_settings(locator_end="empty")),
}


@trials(BODIES)
def test_body(trial: Trial, jobs: int) -> None:
    """Bytes that break off, stall or are not what their headers say."""
    try_fault(trial, jobs)


@trials(TEXTS)
def test_text(trial: Trial, jobs: int) -> None:
    """Pages whose text is short, long, damaged, somebody else's, or merely unusual."""
    try_fault(trial, jobs)


@trials(LOCATORS)
def test_locator(trial: Trial, jobs: int) -> None:
    """Pages that name no next page, or the wrong one."""
    try_fault(trial, jobs)
