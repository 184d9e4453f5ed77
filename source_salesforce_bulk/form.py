"""The configuration form: pydantic models with the texts that Airbyte shows.

The models check types, ranges and keys; ``config`` checks the values, and ``spec`` derives the Airbyte specification
from the models.

A pattern here never refuses a value that ``parse_config`` accepts, and secrets have no pattern, because JSON Schema
validators quote a value that does not match.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from source_salesforce_bulk.credentials_form import (
    HELP,
    CredentialsForm,
    form_field,
    form_settings,
    secret_field,
)

_BULK_GUIDE = "https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/"
_SOQL_GUIDE = "https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/"

# Shared with ``config``: pendulum also accepts other texts ("now", a time of day, an interval).
DATE_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2}))?$"
)
DURATION_PATTERN = r"^P([0-9]+W|([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+([.][0-9]+)?S)?)?)$"
_DURATION_WORDS = "PT10M (10 minutes), PT4H (4 hours), P1D (1 day)"
_NAME_PATTERN = "^[A-Za-z][A-Za-z0-9_]*$"
_CompoundFields = Literal["parts", "object", "both"]


class OverrideForm(BaseModel):
    """Key, cursor, filter and fields of one object, to replace the defaults."""

    model_config = form_settings("Object override", "Key, cursor and filter of one object.")

    object: Annotated[
        str,
        form_field(
            "Object",
            "The API name of the object.",
            examples=["Opportunity", "Invoice__c"],
            pattern=_NAME_PATTERN,
            pattern_descriptor="Opportunity",
        ),
    ]
    primary_key: Annotated[
        list[str] | None,
        form_field(
            "Primary key",
            "The fields that identify a row, if not Id.",
            examples=[["Id"], ["DurableId"]],
        ),
    ] = None
    cursor_field: Annotated[
        str | None,
        form_field(
            "Cursor field",
            "A filterable date/time field that changes whenever a row changes.",
            examples=["LastModifiedDate", "CreatedDate"],
            pattern=_NAME_PATTERN,
            pattern_descriptor="LastModifiedDate",
        ),
    ] = None
    where: Annotated[
        str | None,
        form_field(
            "Filter",
            "A SOQL condition; only rows that meet it are read. Write the condition alone, without WHERE, ORDER BY, "
            f'GROUP BY or LIMIT: <a href="{_SOQL_GUIDE}sforce_api_calls_soql_select_conditionexpression.htm">condition '
            "expressions</a>.",
            examples=["StageName = 'Closed Won'"],
        ),
    ] = None
    fields: Annotated[
        list[str] | None,
        form_field(
            "Fields",
            "Read only these fields, plus the key and the cursor. Leave it out to read all fields.",
            examples=[["Name", "Amount"]],
        ),
    ] = None
    exclude_fields: Annotated[
        list[str] | None,
        form_field("Excluded fields", "Fields that are never read.", examples=[["Description"]]),
    ] = None
    hash_fields: Annotated[
        list[str] | None,
        form_field(
            "Hashed fields",
            "Fields whose values are replaced by their HMAC-SHA-256 with the hash key, in hexadecimal. Empty values "
            "stay empty.",
            examples=[["Email", "Phone"]],
        ),
    ] = None
    api: Annotated[
        Literal["auto", "bulk", "rest"] | None,
        form_field(
            "API",
            "Which API reads the object. auto: Bulk, and REST for what Bulk is known to refuse or has refused in an "
            "earlier run.",
            examples=["rest"],
        ),
    ] = None
    compound_fields: Annotated[_CompoundFields | None, form_field("Compound fields", "Those of this object.")] = None


class ConfigForm(BaseModel):
    """The whole configuration, as a user fills it in."""

    model_config = form_settings(
        "Salesforce Bulk API source",
        "Reads large volumes of Salesforce data with Bulk API 2.0 query jobs.",
    )

    credentials: Annotated[
        CredentialsForm,
        Field(
            title="Authentication",
            description="How the connector logs in to Salesforce.",
            discriminator="auth_type",
        ),
    ]
    login_url: Annotated[
        str,
        form_field(
            "Login URL",
            "https://login.salesforce.com for production, https://test.salesforce.com for sandboxes, or the My Domain "
            f'URL of your org (<a href="{HELP}sf.domain_name_overview.htm">what is My Domain?</a>). '
            "Client credentials need the My Domain URL.",
            examples=[
                "https://login.salesforce.com",
                "https://test.salesforce.com",
                "https://acme.my.salesforce.com",
                "https://acme--dev.sandbox.my.salesforce.com",
            ],
            pattern=r"^\s*[Hh][Tt][Tt][Pp][Ss]?://\S+\s*$",
            pattern_descriptor="https://acme.my.salesforce.com",
        ),
    ] = "https://login.salesforce.com"
    start_date: Annotated[
        str | None,
        form_field(
            "Start date",
            "Rows whose cursor (for most objects, the time of the last change) is older are not read, in full refresh "
            "too. Leave it out to read all history. A date begins at 00:00:00 UTC; a date-time needs a time zone.",
            examples=["2024-01-01", "2024-01-01T00:00:00Z"],
            format="date-time",
            pattern=DATE_PATTERN,
            pattern_descriptor="YYYY-MM-DD or YYYY-MM-DDTHH:mm:ssZ",
        ),
    ] = None
    objects: Annotated[
        list[str],
        form_field(
            "Objects",
            "Which objects are offered as streams: API names, in which * matches any text and ? one character. "
            "Case does not matter.",
            examples=[["Account", "Contact"], ["*__c"]],
        ),
    ] = ["*"]
    exclude_objects: Annotated[
        list[str],
        form_field(
            "Excluded objects",
            "Which objects are not offered, even if the list above includes them.",
            examples=[["*History", "*Feed"]],
        ),
    ] = []
    include_deleted: Annotated[
        bool,
        form_field(
            "Include deleted rows",
            "Also read archived rows and rows in the recycle bin (queryAll); the latter have IsDeleted true. "
            f'See <a href="{_BULK_GUIDE}query_create_job.htm">Create a Query Job</a>.',
        ),
    ] = True
    detect_deletes: Annotated[
        Literal["none", "recycle_bin", "all"],
        form_field(
            "Detected deletions",
            "none: deletions are not reported. recycle_bin: rows in the recycle bin are read with IsDeleted, where "
            "deleted rows are included. all: rows that were purged, deleted for good or merged are found as well, by "
            "Salesforce's log of deletions in each sync, and by comparing the Ids of the org with those delivered; "
            "each comes as a row of its key with IsDeleted and _ab_cdc_deleted_at. For each object, that costs at most "
            "two calls in each sync, and a query job of all Ids now and then.",
            examples=["recycle_bin", "all"],
        ),
    ] = "recycle_bin"
    full_audit_every: Annotated[
        str,
        form_field(
            "Time between two audits",
            "How often all Ids of an object are compared, where all deletions are detected: an ISO 8601 duration by "
            "the clock of the org. If Salesforce's log of deletions does not suffice, they are compared once a day.",
            examples=["P7D", "P1D", "PT12H"],
            pattern=DURATION_PATTERN,
            pattern_descriptor=_DURATION_WORDS,
        ),
    ] = "P7D"
    max_deletes: Annotated[
        int,
        Field(
            ge=0,
            le=100,
            title="Most deletions at once (percent)",
            description="Where more than this share of an object's rows, and more than 100 of them, vanish between two "
            "audits, none is reported and the object fails: the user of the connection may see fewer rows than "
            "before. 100 turns that off.",
            examples=[20],
        ),
    ] = 20
    compound_fields: Annotated[
        _CompoundFields,
        form_field(
            "Compound fields",
            "How addresses and locations come. parts: as fields (BillingCity). object: as an object (BillingAddress).",
            examples=["object", "both"],
        ),
    ] = "parts"
    formula_fields: Annotated[
        Literal["read", "refresh", "leave_out"],
        form_field(
            "Formula fields",
            "Formulas and roll-up summaries change without a change of their row. read: their values are those of the "
            "moment at which the row last changed. refresh: after each sync, one more query job for each object reads "
            "the Ids and formulas of all rows, and rows near changed values are read again. leave_out: they are not "
            "read.",
            examples=["read", "refresh", "leave_out"],
        ),
    ] = "read"
    clock_formulas: Annotated[
        Literal["leave_out", "daily"],
        form_field(
            "Formulas that follow the clock",
            "Where formulas are refreshed, those with TODAY() or NOW() are left out of that, or refreshed once a day; "
            "daily may read all rows of an object again each day.",
            examples=["leave_out", "daily"],
        ),
    ] = "leave_out"
    backfill_new_fields: Annotated[
        bool,
        form_field(
            "Fill new fields of old rows",
            "Where an object gets a field, or you select one more, rows that were synced earlier have no value in it "
            "until they change. With this option, the next sync reads the rows again in which the new field has a "
            "value: one more query job, once.",
            examples=[True],
        ),
    ] = False
    lookback_window: Annotated[
        str,
        form_field(
            "Look-back window",
            "How far before the saved cursor an incremental sync begins, as an ISO 8601 duration, to find rows that "
            "become visible later than their timestamp. Rows that are read twice are deduplicated by their key.",
            examples=["PT10M", "PT1H", "P1D"],
            pattern=DURATION_PATTERN,
            pattern_descriptor=_DURATION_WORDS,
        ),
    ] = "PT10M"
    api_version: Annotated[
        str,
        form_field(
            "API version",
            "The Salesforce API version, v58.0 or later. "
            f'See <a href="{HELP}000389618">which versions are supported</a>.',
            examples=["v66.0"],
            pattern=r"^[vV]?[0-9]{2,3}([.]0)?$",
            pattern_descriptor="v66.0",
        ),
    ] = "v66.0"
    max_concurrent_jobs: Annotated[
        int,
        Field(
            ge=1,
            title="Concurrent query jobs",
            description="How many query jobs may be unfinished in the org at once.",
            examples=[10],
        ),
    ] = 10
    page_size: Annotated[
        int,
        Field(
            ge=1,
            title="Page size",
            description="Rows per result page (maxRecords). Smaller pages mean more API calls and more checkpoints: "
            f'<a href="{_BULK_GUIDE}query_get_job_results.htm">Get Results for a Query Job</a>.',
            examples=[50000],
        ),
    ] = 50000
    job_timeout: Annotated[
        str,
        form_field(
            "Job timeout",
            "A query job that is not complete after this ISO 8601 duration is aborted and tried again, then split.",
            examples=["PT4H", "PT30M"],
            pattern=DURATION_PATTERN,
            pattern_descriptor=_DURATION_WORDS,
        ),
    ] = "PT4H"
    daily_limit_reserve_percent: Annotated[
        int,
        Field(
            ge=0,
            le=99,
            title="Reserve of the daily limits (percent)",
            description="The sync stops, and can be resumed, when less than this is left of the org's daily API calls, "
            "query jobs or result volume.",
            examples=[5],
        ),
    ] = 5
    hash_key: Annotated[
        str | None,
        secret_field(
            "Hash key",
            "The secret key for hashed fields (see the object overrides): a long random text. A new key changes "
            "every hash.",
        ),
    ] = None
    object_overrides: Annotated[
        list[OverrideForm],
        form_field("Object overrides", "Key, cursor, filter and fields of single objects, to replace the defaults."),
    ] = []
