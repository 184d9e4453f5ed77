"""The meaning of each kind of failure: the action and the consequence, and the sentences a user reads.

The guidance is a remedy as ``programs`` describes them. It may hold ``{field}``, the field that Salesforce's answer
names, and never Salesforce's own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from source_salesforce_bulk.salesforce.failure_kinds import Action, Consequence, Kind


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of a kind. ``what`` begins the summary (no full stop); ``guidance`` says what the user should do."""

    action: Action
    consequence: Consequence
    what: str
    guidance: str


_AGAIN = "Nothing is lost: {again} later and it continues where it stopped."
_REPORT = "Please report this with the log of the run; the next run starts from the last saved state."
_UNSELECT = "{Leave_out}."
_REAUTHENTICATE = (
    "Check client_id, client_secret and the other credentials of the configuration, and see Setup > Users > Login "
    "History for Salesforce's own reason."
)
_QUOTA = (
    "Nothing is lost. The limit is for the whole org over a rolling 24 hours, so a part of it is free again each hour. "
    "{Again} in an hour or two; it continues where it stopped. If this happens often, "
)

_T, _C, _S = Consequence.TRANSIENT, Consequence.CONFIG, Consequence.SYSTEM

MEANINGS: Mapping[Kind, Meaning] = MappingProxyType(
    {
        Kind.INVALID_SOQL: Meaning(
            Action.FAIL_STREAM,
            _C,
            "Salesforce cannot read the query",
            "If object_overrides gives this object a `where`, correct it; if not, {look_again}, "
            "and report the error if it remains.",
        ),
        Kind.FIELD_GONE: Meaning(
            Action.FAIL_STREAM,
            _C,
            "A selected field does not exist or is hidden from the integration user",
            "If {field} was removed or renamed, {gone_field}; if not, grant the integration user Read Access to it "
            "under Setup > Object Manager > the object > Fields & Relationships > Set Field-Level Security.",
        ),
        Kind.FIELD_TWICE: Meaning(
            Action.FAIL_STREAM,
            _C,
            "Salesforce treats two of the selected fields as the same field",
            "Of {field} and the field of the same name, with another namespace or letter case, keep one: find the "
            "other and {drop}.",
        ),
        Kind.CURSOR_NOT_FILTERABLE: Meaning(
            Action.FAIL_STREAM,
            _C,
            "Salesforce does not allow this object to be filtered by its cursor",
            "Give the object another cursor_field than {field} in object_overrides, or read it in full refresh without "
            "a start_date.",
        ),
        Kind.FIELD_NOT_SUPPORTED: Meaning(
            Action.FAIL_STREAM,
            _C,
            "Bulk API 2.0 cannot return one of the selected fields",
            "Find {field} and {drop}: compound fields (addresses, locations; their components can be read), binary "
            "fields and subqueries cannot be read. If the message speaks of a permission, grant that.",
        ),
        Kind.OBJECT_NOT_SUPPORTED: Meaning(
            Action.FAIL_STREAM, _C, "Bulk API 2.0 does not support querying this object", _UNSELECT
        ),
        Kind.OBJECT_GONE: Meaning(
            Action.FAIL_STREAM,
            _C,
            "The object does not exist or is hidden from the integration user",
            "If it was removed or renamed, {leave_out}; if not, give the integration user Read on it under Object "
            "Settings of a profile or permission set.",
        ),
        Kind.FILTER_REQUIRED: Meaning(
            Action.FAIL_STREAM,
            _C,
            "Salesforce returns this object only with a filter on particular fields",
            "Give the object a `where` in object_overrides that filters on the fields which Salesforce's message "
            "names, or {leave_out}.",
        ),
        Kind.QUERY_REFUSED: Meaning(
            Action.FAIL_STREAM,
            _C,
            "Salesforce refused the query of this object",
            "Do what Salesforce's message says, or {leave_out}.",
        ),
        Kind.MISSING_PERMISSION: Meaning(
            Action.FAIL_STREAM,
            _C,
            "The integration user lacks a permission",
            "Give the integration user what the message names, in a profile or permission set (Setup > Permission "
            "Sets): Read on the object, View All Data where Salesforce demands it; or {leave_out}.",
        ),
        Kind.TRANSACTION_SECURITY: Meaning(
            Action.FAIL_STREAM,
            _C,
            "The org's transaction security policies stopped the query",
            "Give the integration user the permission Exempt from Transaction Security in a permission set, or change "
            "the policy under Setup > Transaction Security Policies.",
        ),
        Kind.API_DISABLED: Meaning(
            Action.STOP_RUN,
            _C,
            "The integration user may not use the API",
            "Make sure that the org's edition includes the API (Enterprise, Performance, Unlimited, Developer, or "
            "Professional with API access), and tick API Enabled under System Permissions of the user's profile or "
            "permission set.",
        ),
        Kind.SESSION_EXPIRED: Meaning(
            Action.REFRESH_TOKEN,
            _T,
            "The session has ended",
            "{Again}; it logs in again.",
        ),
        Kind.SESSION_REFUSED: Meaning(
            Action.STOP_RUN,
            _C,
            "Salesforce refuses the session right after a new login",
            "Look at Setup > Session Settings (Lock sessions to the IP address from which they originated) and at the "
            "app's OAuth policies (IP Relaxation), and make sure that no other system logs this user out.",
        ),
        Kind.POLICY_REFUSED: Meaning(
            Action.STOP_RUN,
            _C,
            "A policy of the org refuses this app's sessions",
            "Have an administrator look at Setup > Connected Apps OAuth Usage and the OAuth policies of the app "
            "(Permitted Users, IP Relaxation, api scope); a new login does not help.",
        ),
        Kind.CREDENTIALS_REFUSED: Meaning(Action.STOP_RUN, _C, "Salesforce refused the credentials", _REAUTHENTICATE),
        Kind.APP_UNKNOWN: Meaning(
            Action.STOP_RUN,
            _C,
            "The org at login_url does not have the app that client_id names",
            "Have an administrator install the app in this org (Setup > Connected Apps OAuth Usage > Install): orgs "
            "refuse apps that are not installed. If it is installed, check client_id (Consumer Key) and login_url: a "
            "sandbox logs in at https://test.salesforce.com or its My Domain URL.",
        ),
        Kind.USER_INACTIVE: Meaning(
            Action.STOP_RUN,
            _C,
            "The integration user is inactive, locked or frozen",
            "Activate, unlock or unfreeze the integration user (Setup > Users), then authenticate again if the flow "
            "uses a refresh token. Salesforce freezes users whose logins come from anonymous or high-risk addresses: "
            "give this program one fixed outgoing address.",
        ),
        Kind.ORG_INACTIVE: Meaning(
            Action.STOP_RUN,
            _C,
            "The org is inactive: locked, suspended or closed",
            "Ask the org's administrator or Salesforce's support to open the org again, or log in to another one with "
            "login_url. The user itself is not the cause.",
        ),
        Kind.CLOCK_WRONG: Meaning(
            Action.STOP_RUN,
            _C,
            "This machine's clock is wrong, so the login's signed assertion has expired for Salesforce",
            "Set the clock of the machine (NTP, or the time of its container's host), then {again}.",
        ),
        Kind.WRONG_LOGIN_HOST: Meaning(
            Action.STOP_RUN,
            _C,
            "login_url is not the host that logs this user in",
            "Use https://login.salesforce.com for production, https://test.salesforce.com for a sandbox, or the org's "
            "My Domain URL (Setup > My Domain); client credentials need the My Domain URL.",
        ),
        Kind.IP_RESTRICTED: Meaning(
            Action.STOP_RUN,
            _C,
            "Salesforce does not accept logins of this user from this IP address",
            "Add the addresses this connector runs from to Setup > Network Access or to the profile's Login IP Ranges, "
            "or set the app's IP Relaxation to Relax IP restrictions.",
        ),
        Kind.LOGIN_RATE_LIMITED: Meaning(
            Action.STOP_RUN,
            _T,
            "This user has logged in too often within the last hour",
            "{Again} in an hour, and give this connector a user of its own.",
        ),
        Kind.LOGIN_COLLISION: Meaning(
            Action.RETRY,
            _T,
            "Another login with the same credentials is being processed",
            "{Again}; if it happens often, do not share these credentials between connections.",
        ),
        Kind.API_CALLS_EXHAUSTED: Meaning(
            Action.STOP_RUN,
            _T,
            "The org's daily API calls are used up",
            _QUOTA + "let other integrations make fewer calls, or buy more (Setup > Company Information shows how many "
            "are used).",
        ),
        Kind.QUERY_JOBS_EXHAUSTED: Meaning(
            Action.STOP_RUN,
            _T,
            "The org's daily Bulk query jobs are used up",
            _QUOTA + "let other integrations create fewer jobs (Setup > Bulk Data Load Jobs shows whose they are), or "
            "run less often.",
        ),
        Kind.RESULT_VOLUME_EXHAUSTED: Meaning(
            Action.STOP_RUN,
            _T,
            "The org's daily volume of Bulk query results is used up",
            _QUOTA + "{fewer_fields}, or let other integrations read less.",
        ),
        Kind.LIMIT_EXHAUSTED: Meaning(
            Action.STOP_RUN, _T, "A limit of the org is used up", _QUOTA + "let other integrations use less of it."
        ),
        Kind.CONCURRENT_LIMIT: Meaning(
            Action.RETRY,
            _T,
            "The org is handling too many requests at the same time",
            _AGAIN + " If it happens often, lower max_concurrent_jobs or run other integrations at other times.",
        ),
        Kind.VERSION_MISMATCH: Meaning(
            Action.NEW_JOB, _T, "The job was created with another version of the API", _AGAIN
        ),
        Kind.VERSION_UNKNOWN: Meaning(
            Action.STOP_RUN,
            _C,
            "The org does not know the requested resource in this version of the API",
            "Set api_version to one that the org offers (v58.0 or later), and check that its edition has Bulk API 2.0.",
        ),
        Kind.QUERY_TIMEOUT: Meaning(
            Action.SPLIT,
            _T,
            "The query took Salesforce too long",
            _AGAIN + " If this keeps happening, give the object a selective `where` in object_overrides, or "
            "{fewer_fields}.",
        ),
        Kind.QUERY_TOO_LARGE: Meaning(
            Action.SPLIT,
            _C,
            "The query is too large or too complicated for Salesforce",
            "{Fewer_fields}, formula fields above all, or give the object a selective `where` in object_overrides.",
        ),
        Kind.JOB_GONE: Meaning(Action.NEW_JOB, _T, "The query job no longer exists", _AGAIN),
        Kind.JOB_FAILED: Meaning(Action.NEW_JOB, _T, "Salesforce reports the query job as failed", _AGAIN),
        Kind.JOB_ABORTED: Meaning(
            Action.NEW_JOB,
            _T,
            "The query job was aborted",
            _AGAIN + " Setup > Bulk Data Load Jobs shows the job.",
        ),
        Kind.JOB_TIMED_OUT: Meaning(
            Action.NEW_JOB,
            _T,
            "The query job was not complete within job_timeout",
            _AGAIN + " If it happens often, raise job_timeout or filter the object with object_overrides.",
        ),
        Kind.JOB_NOT_COMPLETE: Meaning(Action.NOT_READY, _T, "The query job has not ended yet", _AGAIN),
        Kind.JOB_ALREADY_ENDED: Meaning(
            Action.IGNORE, _T, "The query job has already ended", "There is nothing to do."
        ),
        Kind.LOCATOR_REFUSED: Meaning(Action.NEW_JOB, _T, "Salesforce does not accept the page's locator", _AGAIN),
        Kind.PAGE_REJECTED: Meaning(Action.FETCH_PAGE_AGAIN, _T, "A result page is not valid", _AGAIN),
        Kind.BODY_BROKEN: Meaning(Action.FETCH_PAGE_AGAIN, _T, "A result page broke off while it was read", _AGAIN),
        Kind.FILE_GONE: Meaning(Action.IGNORE, _T, "The file's row has been deleted", "There is nothing to do."),
        Kind.FILE_BROKEN: Meaning(Action.FETCH_PAGE_AGAIN, _T, "A file broke off while it was read", _AGAIN),
        Kind.FILE_REJECTED: Meaning(Action.FETCH_PAGE_AGAIN, _T, "A file lacks its reported size or checksum", _AGAIN),
        Kind.TOTAL_MISMATCH: Meaning(
            Action.FAIL_STREAM,
            _T,
            "The number of rows received differs from the query job's total",
            "{Again}; it reads these rows again with a new query job.",
        ),
        Kind.ANSWER_LOST: Meaning(
            Action.SEND_ONCE_MORE,
            _T,
            "The answer to the creation of a query job was lost",
            _AGAIN + " An unused job may remain under Setup > Bulk Data Load Jobs.",
        ),
        Kind.UNAVAILABLE: Meaning(
            Action.RETRY,
            _T,
            "Salesforce is not available at the moment",
            _AGAIN + " https://status.salesforce.com shows outages and maintenance of the org's instance.",
        ),
        Kind.CONNECTION: Meaning(
            Action.RETRY,
            _T,
            "The connection to Salesforce failed",
            _AGAIN + " If this keeps happening, check the network and its firewall.",
        ),
        Kind.HOST_NOT_FOUND: Meaning(
            Action.RETRY,
            _C,
            "The host of login_url cannot be found",
            "Check login_url for typing errors, and that the network's DNS knows Salesforce's hosts.",
        ),
        Kind.CERTIFICATE_REFUSED: Meaning(
            Action.STOP_RUN,
            _C,
            "The server's TLS certificate cannot be trusted",
            "If a proxy inspects TLS, set REQUESTS_CA_BUNDLE or SSL_CERT_FILE to its certificate authority; else check "
            "login_url.",
        ),
        Kind.NETWORK_SETTING: Meaning(
            Action.STOP_RUN,
            _C,
            "A network setting of the environment cannot be used",
            "Correct it where this program is started, or remove it.",
        ),
        Kind.PROXY_UNREACHABLE: Meaning(
            Action.RETRY,
            _T,
            "The proxy cannot be reached",
            _AGAIN + " If this keeps happening, check that the proxy runs and that HTTPS_PROXY has its address.",
        ),
        Kind.PROXY_REFUSED: Meaning(
            Action.STOP_RUN,
            _C,
            "The proxy refuses connections to Salesforce",
            "Have the proxy allow the host, put a user and a password that it accepts into HTTPS_PROXY "
            "(http://user:password@host:port), or name the host in NO_PROXY.",  # ignore-https-check: a proxy's address
        ),
        Kind.REDIRECTED: Meaning(
            Action.RETRY,
            _T,
            "Salesforce answered with a redirect, as it does in maintenance and when an org has moved",
            _AGAIN + " If My Domain was renamed, set login_url to its new URL.",
        ),
        Kind.REQUEST_TOO_LARGE: Meaning(
            Action.FAIL_STREAM, _C, "Salesforce refused the request as too large", "{Fewer_fields}."
        ),
        Kind.TOO_MANY_DELETIONS: Meaning(
            Action.FAIL_STREAM,
            _C,
            "So many rows have vanished at once that the user of the login may see fewer than before; none was "
            "reported as deleted",
            "Check whether this user can still see all rows (sharing rules, View All on the object, the profile or "
            "permission set). If the rows were really deleted, raise max_deletes for one run, or set it to 100.",
        ),
        Kind.DELETIONS_UNKNOWN: Meaning(
            Action.FAIL_STREAM,
            _C,
            "More rows have vanished, or were delivered without a creation date, than can be remembered, so it is "
            "unknown which are deleted; none was reported as deleted",
            "{Start_over}, and make full_audit_every shorter.",
        ),
        Kind.CLOCKS_DISAGREE: Meaning(
            Action.STOP_RUN,
            _T,
            "Salesforce's servers disagree about the time by more than an hour, so no sync can say how far it has read",
            "Nothing is lost: no saved cursor is ahead of the earlier clock. {Again} later. If this keeps happening, "
            "see whether a proxy answers in Salesforce's place; if not, give Salesforce support both addresses.",
        ),
        Kind.UNREADABLE_ANSWER: Meaning(
            Action.RETRY,
            _T,
            "Salesforce sent an answer that cannot be read",
            _AGAIN + " If this keeps happening, check that login_url is a Salesforce login host and that no proxy "
            "answers for it.",
        ),
        Kind.TOKEN_NOT_KEPT: Meaning(
            Action.STOP_RUN,
            _C,
            "Salesforce has replaced the refresh token, and the new one could not be saved",
            "The old one no longer works: authenticate again to get a new refresh token, and see that the "
            "configuration can be written by this user before the next run.",
        ),
        Kind.TOO_MANY_FILES: Meaning(
            Action.STOP_RUN,
            _C,
            "This process cannot open any more files or connections",
            "Nothing is lost. Raise the limit of open files (`ulimit -n`, of a container --ulimit nofile) to 1,024 or "
            "more, or lower max_concurrent_jobs. Then {again}.",
        ),
        # Transient, because other programs may have filled the disk, and the next run may be on another machine.
        Kind.NO_DISK_SPACE: Meaning(
            Action.STOP_RUN,
            _T,
            "No space is left for result pages on the disk of this machine",
            "Nothing is lost. Give the directory in TMPDIR (else /tmp) more space, or lower page_size: a few pages "
            "are kept there at a time. Then {again}.",
        ),
        Kind.DISK_ERROR: Meaning(
            Action.STOP_RUN,
            _C,
            "A result page could not be saved to the disk of this machine",
            "Nothing is lost. Make sure that the directory in TMPDIR (else /tmp) exists and that this user may write "
            "to it. Then {again}.",
        ),
        Kind.INTERRUPTED: Meaning(Action.STOP_RUN, _T, "The run was stopped by a signal", _AGAIN),
        Kind.UNEXPECTED: Meaning(Action.FAIL_STREAM, _S, "An unexpected error occurred", _REPORT),
    }
)
