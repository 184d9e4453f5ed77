"""Every setting of the simulated org in one frozen value; the control API replaces it while the org runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Transfer = Literal["chunked", "content-length", "close"]


def limits_of(api_requests: int) -> dict[str, tuple[int, int]]:
    """Return the daily limits of an org with so many API calls a day: 5,000,000 in a full sandbox, 15,000 in a
    Developer Edition."""
    return {
        "DailyApiRequests": (api_requests, api_requests),
        "DailyBulkApiBatches": (15_000, 15_000),
        "DailyBulkV2QueryFileStorageMB": (976_562, 976_562),
        "DailyBulkV2QueryJobs": (10_000, 10_000),
        "DailyAsyncApexExecutions": (250_000, 250_000),
        "DataStorageMB": (10_240, 9_000),
        "FileStorageMB": (10_240, 10_000),
    }


@dataclass(frozen=True, slots=True)
class OrgSettings:
    """The content and behaviour of the org; where the facts are uncertain, there is a setting for each variant."""

    # What the org holds.
    seed: int = 1
    rows: float = 1.0  # scale of the row counts in the catalog
    ties: int = 3_000  # rows of Ties__c, all with one SystemModstamp
    uneven_rows: int = 2_086  # rows of Uneven__c, whose Ids lie as recorded: 13 in one half of their range
    wide_fields: int = 520  # fields of Wide__c
    planned_rows: Mapping[str, int] = field(default_factory=dict)  # object -> rows that are counted, not held
    object_list: Literal["small", "real"] = "small"  # "real": 1,294 entries, 1,060 of them queryable
    formula_objects: bool = False  # Project__c and ProjectJob__c, whose formulas change without any stamp
    keyless_objects: bool = True  # event stores and virtual objects, whose rows all have the empty Id
    extra_objects: int = 0  # small generated custom objects: Extra0001__c …
    bench_rows: int = 0  # rows of Bench__c; the object exists only above zero
    data_until: str = "2026-06-30T00:00:00Z"  # the newest stamp of generated rows

    # Time.
    clock_offset: float = 0.0
    frozen_at: str | None = None
    request_seconds: float = 0.0  # added to every answer
    describe_seconds: float = 0.0  # added to every describe
    bandwidth: float | None = None  # bytes per second of one answer

    # Hosts and versions.
    split_hosts: bool = True  # instance_url is http://localhost:port, login is http://127.0.0.1:port
    certificate: str | None = None  # a PEM file with key and certificate: the org speaks HTTPS
    versions: tuple[str, ...] = tuple(f"{number}.0" for number in range(31, 68))
    min_version: str = "31.0"  # below: 410

    moved: bool = False  # the org lives on another instance: its old host answers `moved_status`, logins name the new
    moved_status: int = 302
    login_date_skew: float = 0.0  # seconds that the `Date` of the login host is ahead of the org's clock
    instance_date_skew: float = 0.0
    language: Literal["en", "de", "ja"] = "en"  # of the login user: messages of data endpoints

    # OAuth and sessions.
    rotate_refresh_tokens: bool = False
    concurrent_refresh: Literal["allow", "fail"] = "allow"
    token_seconds: float = 0.0  # how long the token endpoint holds a request; the overlap that `fail` looks for
    old_token_dies_on_refresh: bool = False
    session_max_requests: int | None = None
    session_max_age: float | None = None  # seconds of the org's clock without use
    login_refuses_client_credentials: bool = False
    client_credentials_user: bool = True
    jwt_user_approved: bool = True
    own_users: bool = False  # each of the three flows logs in as its own user
    jwt_exp_by_org_clock: bool = False  # else exp is compared with real time
    jwt_audiences: Literal["any", "login", "test", "own"] = "any"  # "test" as in sandboxes and scratch orgs
    token_keys_left_out: tuple[str, ...] = ()  # such as scope, id, issued_at, signature
    token_api_instance_url: bool = False  # the token answer has api_instance_url too

    # Limits.
    limits: Mapping[str, tuple[int, int]] = field(default_factory=lambda: limits_of(5_000_000))  # (Max, Remaining)
    enforce_limits: bool = True
    limit_info_header: bool = True
    limit_info_lag: tuple[int, ...] = (0, 2, 1, 3)  # calls that the header of the n-th answer is behind, in turn
    record_count_bias: float = 1.0  # recordCount is an estimate in real orgs

    # Query jobs.
    polls_until_complete: int = 2  # job info requests until JobComplete; 0: complete at once
    latency: float | None = None  # seconds in InProgress; given, it replaces the counting of polls
    queue_seconds: float = 0.0  # seconds in UploadComplete, with latency
    max_running_jobs: int | None = None  # further jobs wait in UploadComplete
    snapshot_at: Literal["processing", "creation"] = "processing"
    count_while_running: Literal["zero", "missing", "total"] = "zero"  # numberRecordsProcessed before completion
    pk_chunking_key_since: float = 58.0  # the first API version whose job info has isPkChunkingSupported
    version_mismatch_code: str = "API_VERSION_MISMATCH"
    compound_error_code: str = "API_ERROR"  # recorded; Bulk 1.0 says FUNCTIONALITY_NOT_ENABLED
    complexvalue_in_bulk: Literal["refused", "text", "fails"] = "refused"
    list_page_size: int = 1_000
    list_next_url: Literal["ingest", "query"] = "ingest"  # the documented oddity, or what one would expect

    # Results.
    page_size: int = 248_654  # without maxRecords, and on resultPages; a recorded locator stood at this row
    page_rows_cap: int | None = None  # pages stay smaller than maxRecords
    page_bytes_cap: int | None = None
    quoting: Literal["all", "minimal"] = "all"
    zero_rows: Literal["header", "empty", "newline", "text"] = "header"  # "text": Bulk 1.0's sentence
    locator_end: Literal["null", "missing", "empty"] = "null"
    count_header: bool = True
    gzip_results: bool = True  # False: identity although gzip was asked for
    gzip_json: bool = True
    transfer: Transfer = "chunked"
    not_ready: Literal[412, 204] = 412
    bad_locator_status: Literal[400, 404] = 400
    row_order: Literal["id", "shuffled"] = "id"
    result_pages_per_answer: int = 5
    case_of_result_pages_url: Literal["resultpages", "resultPages"] = "resultpages"
    result_pages_next_key: Literal["nextRecordsUrl", "nextRecordUrl"] = "nextRecordsUrl"
    result_pages_url_key: Literal["resultUrl", "resultLink"] = "resultUrl"

    # Replication: getDeleted and getUpdated.
    delete_log_rows: int | None = None  # the size above which an object's delete log is trimmed to its last two hours
    unlogged_deletes: tuple[str, ...] = ("CampaignMember",)  # objects whose deletions the log never sees
    replication_ids: int = 600_000  # more: EXCEEDED_ID_LIMIT
    replication_lag: float = 0.0  # seconds that latestDateCovered stays behind

    # REST query.
    rest_batch: int = 2_000
