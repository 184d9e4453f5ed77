"""The closed set of fault kinds: where each strikes and which request it waits for unless told otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stage = Literal["before", "after", "job", "page", "delivery", "attack"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault; `before` a request is processed, `after` it, on a `job` when it is made, on a result `page`'s
    text, on the `delivery` of bytes, or an `attack` in its place."""

    stage: Stage
    on: str
    meaning: str


KINDS: dict[str, Kind] = {
    # The request is answered without being processed.
    "http_error": Kind("before", "*", "`status` with a `body` style: json, object, html, empty, [{}] or literal text"),
    "api_error": Kind("before", "createJob", "`error`: a name of the table of production errors (errors.API_ERRORS)"),
    "oauth_error": Kind("before", "token", "`error`: a name of the table of token errors (errors.OAUTH_ERRORS)"),
    "maintenance_html": Kind("before", "token", "an HTML maintenance page, `status` 503 or another"),
    "maintenance_redirect": Kind("before", "token", "302 to a maintenance page in HTML"),
    "echo_secret": Kind("before", "*", "an error that repeats the Authorization header and the posted body"),
    "session_ends": Kind(
        "before", "*", "the request's session dies; `error`: the 401 it is answered with from then on"
    ),
    "close_before": Kind("before", "*", "the connection is closed, nothing was processed"),
    "hang": Kind("before", "*", "no answer until the client leaves or `seconds` passed; then closed"),
    "delay": Kind("before", "*", "`seconds` of waiting, then the request goes on"),
    # The request is processed, its answer is changed.
    "answer_lost": Kind("after", "createJob", "processed, then the connection is closed without an answer"),
    "error_after": Kind("after", "createJob", "processed, but answered like http_error"),
    "late_answer": Kind("after", "*", "processed, answered after `seconds`"),
    "unparsable_json": Kind("after", "*", "200 with JSON cut in the middle, or with `body`"),
    "html_200": Kind("after", "*", "200 with an HTML page"),
    "empty_object_array": Kind("after", "*", "`status` 400 or another with `[{}]`"),
    "drop_header": Kind("after", "*", "the answer lacks header `name`"),
    "set_header": Kind("after", "*", "the answer's header `name` is `value`"),
    "json_without": Kind("after", "jobInfo", "the JSON answer lacks key `name`"),
    "json_set": Kind("after", "jobInfo", "key `name` of the JSON answer is `value`"),
    "query_done_early": Kind("after", "query", "REST query says done although rows are left"),
    "query_short": Kind("after", "query", "the last `rows` records of the batch are missing"),
    "query_repeats": Kind("after", "query", "the last `rows` records of the batch come twice"),
    "query_total_wrong": Kind("after", "query", "totalSize is off by `delta`"),
    "query_endless": Kind("after", "query", "never done: the next batch is the first one again"),
    "date_skew": Kind("after", "*", "the answer's `Date` is `seconds` ahead of the org's clock"),
    "endless_result_pages": Kind(
        "after", "resultPages", "the list of pages is never done: the same pages again, or none if `value` is 'empty'"
    ),
    # The job goes another way; decided when it is made.
    "job_failed": Kind(
        "job",
        "createJob",
        "ends Failed, with `message` or without, or as `error` names (errors.JOB_FAILURES); only above `rows` rows if "
        "`value` is 'above'",
    ),
    "job_aborted": Kind("job", "createJob", "an administrator aborts it"),
    "job_stuck": Kind("job", "createJob", "stays InProgress for ever"),
    "job_state": Kind("job", "createJob", "reports state `value`, such as NotProcessed, for ever"),
    "job_slow": Kind("job", "createJob", "takes `polls` polls or `seconds` seconds"),
    "job_expires": Kind("job", "createJob", "404 on everything after `polls` polls"),
    "job_vanishes": Kind("job", "createJob", "404 on everything after `at` result pages were served"),
    "total_missing": Kind("job", "createJob", "numberRecordsProcessed is never reported"),
    "total_wrong": Kind("job", "createJob", "numberRecordsProcessed is off by `delta`"),
    # The text of a result page.
    "short_page": Kind("page", "results", "the last `rows` rows are missing, the count header is right"),
    "long_page": Kind("page", "results", "the last row comes `rows` times more, the count header is right"),
    "count_wrong": Kind("page", "results", "Sforce-NumberOfRecords is off by `delta`, or is `value`"),
    "count_missing": Kind("page", "results", "no Sforce-NumberOfRecords"),
    "short_page_short_count": Kind("page", "results", "the last `rows` rows are missing and the count header agrees"),
    "repeated_header": Kind("page", "results", "the header line comes again in the middle"),
    "missing_header": Kind("page", "results", "no header line"),
    "reordered_columns": Kind("page", "results", "columns in reverse order, header and rows alike"),
    "other_case_columns": Kind("page", "results", "header names in lower case"),
    "missing_column": Kind("page", "results", "the last column is missing, header and rows alike"),
    "extra_column": Kind("page", "results", "a column at the end that the query did not select"),
    "renamed_column": Kind("page", "results", "the last header name is `value`"),
    "ragged_row": Kind("page", "results", "the last row lacks its last cell, or has one more if `delta` > 0"),
    "open_quote": Kind("page", "results", "the last row ends inside a quoted cell"),
    "no_final_newline": Kind("page", "results", "no line ending after the last row"),
    "cut_clean": Kind(
        "page", "results", "the text ends at byte `at` (half of it), properly encoded; the headers do not show it"
    ),
    "empty_page": Kind("page", "results", "no rows, count 0, but a locator to what should have been here"),
    "stuck_locator": Kind("page", "results", "Sforce-Locator points at this very page"),
    "first_locator": Kind("page", "results", "Sforce-Locator points at the first page"),
    "locator_missing": Kind("page", "results", "no Sforce-Locator although there is more"),
    "locator_null": Kind("page", "results", "Sforce-Locator says null although there is more"),
    "locator_empty": Kind("page", "results", "Sforce-Locator is empty although there is more"),
    "locator_after_end": Kind("page", "results", "the last page has a locator, which leads to an empty page"),
    "html_page": Kind("page", "results", "200 with HTML instead of CSV"),
    "json_error_page": Kind("page", "results", "200 text/csv whose text is a JSON error"),
    "other_job_page": Kind("page", "results", "the rows of another job's page under this one's headers"),
    "wrong_page": Kind("page", "results", "the first page again, whatever the locator"),
    "bom": Kind("page", "results", "a byte order mark in front"),
    "invalid_utf8": Kind("page", "results", "a byte that is not UTF-8 in the last row"),
    "small_page": Kind("page", "results", "at most `rows` rows although maxRecords allows more"),
    "changed_cell": Kind("page", "results", "the last cell of the last row is `value`"),
    "blank_lines": Kind("page", "results", "blank lines after the last row"),
    "no_charset": Kind("page", "results", "Content-Type without charset"),
    "content_type": Kind("page", "results", "Content-Type is `value`"),
    # The bytes on the wire.
    "cut": Kind(
        "delivery", "results", "the connection ends after `at` bytes of the body (half), `value`='reset' for RST"
    ),
    "stall": Kind(
        "delivery", "results", "`seconds` of silence after `at` bytes, then on; `value`='close' ends it instead"
    ),
    "slow": Kind("delivery", "results", "`value` bytes per second"),
    "other_byte": Kind("delivery", "blob", "byte `at` of the uncompressed body (the middle) is another"),
    "identity": Kind("delivery", "results", "not compressed although gzip was asked for"),
    "transfer": Kind("delivery", "results", "`value`: chunked, content-length or close"),
    "wrong_length": Kind("delivery", "results", "Content-Length is `delta` too large, then the connection is closed"),
    "gzip_cut": Kind("delivery", "results", "the gzip stream ends at byte `at` (half), the transfer properly"),
    "gzip_corrupt": Kind("delivery", "results", "a byte in the middle of the gzip stream is another"),
    "gzip_bad_crc": Kind("delivery", "results", "the gzip trailer's checksum is wrong"),
    "gzip_claimed": Kind("delivery", "results", "Content-Encoding says gzip, the body is not"),
    "gzip_unclaimed": Kind("delivery", "results", "the body is gzip, no Content-Encoding says so"),
    "gzip_two_members": Kind("delivery", "results", "the body is two gzip members, which is legal"),
    "gzip_junk": Kind("delivery", "results", "bytes after the end of the gzip stream"),
    "gzip_no_trailer": Kind("delivery", "results", "the gzip stream lacks its last eight bytes"),
    # An answer that hurts; it takes the place of the delivery.
    "gzip_bomb": Kind("attack", "*", "gzip of `value` megabytes of blanks (1,000) and then the right JSON body"),
    "huge_line": Kind("attack", "results", "gzip of a page whose first row is `value` megabytes long (1,000)"),
    "drip_status_line": Kind("attack", "*", "the status line never ends: a byte every `seconds` (0.2)"),
    "drip_headers": Kind("attack", "*", "a header never ends: a byte every `seconds` (0.2)"),
    "drip_continue": Kind("attack", "*", "`100 Continue` every `seconds` (0.2) and nothing else"),
    "drip_chunk_extension": Kind("attack", "*", "a chunk's extension never ends: a byte every `seconds` (0.2)"),
    "drip_body": Kind("attack", "*", "a body of blanks that never ends: a byte every `seconds` (0.2)"),
}
