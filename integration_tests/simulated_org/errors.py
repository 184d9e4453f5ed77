"""The errors of the org, and the table of bodies seen in production (facts 1.5, 1.6 and 4.7)."""

from __future__ import annotations

from dataclasses import dataclass


class ApiError(Exception):
    """A data endpoint's refusal: an HTTP status and a JSON array of `{"message", "errorCode"}`."""

    def __init__(self, status: int, error_code: str, message: str) -> None:
        super().__init__(f"{status} {error_code}: {message}")
        self.status = status
        self.error_code = error_code
        self.message = message

    def body(self) -> list[dict[str, str]]:
        """Return the JSON body."""
        return [{"message": self.message, "errorCode": self.error_code}]


class OAuthError(Exception):
    """The token endpoint's refusal: an HTTP status and a JSON object of `{"error", "error_description"}`."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(f"{status} {error}: {description}")
        self.status = status
        self.error = error
        self.description = description

    def body(self) -> dict[str, str]:
        """Return the JSON body."""
        return {"error": self.error, "error_description": self.description}


@dataclass(frozen=True, slots=True)
class ErrorTemplate:
    """One row of a table of known errors; `{object}` in the message stands for the object at hand."""

    status: int
    code: str
    message: str

    def api_error(self, object_name: str | None) -> ApiError:
        """Return the data endpoint's error for an object."""
        return ApiError(self.status, self.code, self.message.replace("{object}", object_name or "Account"))

    def oauth_error(self) -> OAuthError:
        """Return the token endpoint's error."""
        return OAuthError(self.status, self.code, self.message)


NOT_FOUND = ErrorTemplate(404, "NOT_FOUND", "The requested resource does not exist")
INVALID_SESSION = ErrorTemplate(401, "INVALID_SESSION_ID", "Session expired or invalid")

API_ERRORS: dict[str, ErrorTemplate] = {
    "MALFORMED_QUERY": ErrorTemplate(
        400,
        "MALFORMED_QUERY",
        "\nSELECT Id FROM {object}\n          ^\nERROR at Row:1:Column:11\nunexpected token: FROM",
    ),
    "MALFORMED_QUERY/filter": ErrorTemplate(
        400,
        "MALFORMED_QUERY",
        "Implementation restriction: {object} requires a filter by a single Id, ChildRecordId or ParentId",
    ),
    "MALFORMED_QUERY/reified": ErrorTemplate(
        400, "MALFORMED_QUERY", "{object}: a filter on a reified column is required [DurableId]"
    ),
    "INVALID_FIELD": ErrorTemplate(
        400,
        "INVALID_FIELD",
        "\nSELECT Gone__c FROM\n       ^\nERROR at Row:1:Column:8\n"
        "No such column 'Gone__c' on entity '{object}'. If you are attempting to use a custom field, be sure to append "
        "the '__c' after the custom field name.",
    ),
    "INVALID_FIELD/filter": ErrorTemplate(
        400,
        "INVALID_FIELD",
        "\nWHERE SystemModstamp >= 2026-01-01T00:00:00Z\n      ^\nERROR at Row:1:Column:30\n"
        "field 'SystemModstamp' can not be filtered in a query call",
    ),
    "INVALID_FIELD/duplicate": ErrorTemplate(
        400,
        "INVALID_FIELD",
        "\nSELECT Id, Id FROM {object}\n       ^\nERROR at Row:1:Column:8\nduplicate field selected: Id",
    ),
    "INVALID_TYPE": ErrorTemplate(
        400,
        "INVALID_TYPE",
        "\nSELECT Id FROM {object}\n               ^\nERROR at Row:1:Column:16\n"
        "sObject type '{object}' is not supported. If you are attempting to use a custom object, be sure to append "
        "the '__c' after the entity name.",
    ),
    "INVALIDENTITY": ErrorTemplate(400, "INVALIDENTITY", "Entity '{object}' is not supported by the Bulk API."),
    "COMPOUND": ErrorTemplate(400, "API_ERROR", "Selecting compound data not supported in Bulk Query"),
    "BLOB": ErrorTemplate(400, "API_ERROR", "Blob field not supported in Bulk V2 Query with CSV content type"),
    "SUBQUERY": ErrorTemplate(400, "API_ERROR", "Aggregate Relationships not supported in Bulk Query"),
    "API_ERROR": ErrorTemplate(400, "API_ERROR", "Entity type {object} does not support query"),
    "API_ERROR/view_all": ErrorTemplate(
        400, "API_ERROR", "Implementation restriction: {object} query requires the View All Data permission"
    ),
    "INVALID_TYPE_FOR_OPERATION": ErrorTemplate(
        400, "INVALID_TYPE_FOR_OPERATION", "entity type {object} does not support query"
    ),
    "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION": ErrorTemplate(
        400, "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION", "Getting all {object} is unsupported"
    ),
    "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION/where": ErrorTemplate(
        400, "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION", "Where clauses should contain StatType"
    ),
    "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION/query": ErrorTemplate(
        400, "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION", "This query is not supported on the {object} object."
    ),
    "EXTERNAL_OBJECT_EXCEPTION": ErrorTemplate(
        400, "EXTERNAL_OBJECT_EXCEPTION", "SObject - {object} : Transient queries are not implemented"
    ),
    "DATACLOUD_API_DISABLED_EXCEPTION": ErrorTemplate(
        403, "DATACLOUD_API_DISABLED_EXCEPTION", "You do not have permission to use the Data.com API"
    ),
    "LIMIT_EXCEEDED": ErrorTemplate(
        400, "LIMIT_EXCEEDED", "Max bulk v2 query jobs (10000) per 24 hrs has been reached (10021)"
    ),
    "LIMIT_EXCEEDED/volume": ErrorTemplate(
        400, "LIMIT_EXCEEDED", "Max bulk v2 query result size stored (1000000000) kb per 24 hrs has been exceeded"
    ),
    "REQUEST_LIMIT_EXCEEDED": ErrorTemplate(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
    "REQUEST_LIMIT_EXCEEDED/long": ErrorTemplate(
        403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."
    ),
    "REQUEST_LIMIT_EXCEEDED/concurrent": ErrorTemplate(
        403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
    ),
    "API_DISABLED_FOR_ORG": ErrorTemplate(
        403, "API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner"
    ),
    "API_CURRENTLY_DISABLED": ErrorTemplate(403, "API_CURRENTLY_DISABLED", "API is currently disabled for this User"),
    "INVALID_OPERATION_WITH_EXPIRED_PASSWORD": ErrorTemplate(
        403, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "The user's password has expired"
    ),
    "INSUFFICIENT_ACCESS": ErrorTemplate(403, "INSUFFICIENT_ACCESS", "insufficient access rights on object {object}"),
    "FORBIDDEN": ErrorTemplate(403, "FORBIDDEN", "You don't have access to this resource."),
    "FUNCTIONALITY_NOT_ENABLED": ErrorTemplate(
        403, "FUNCTIONALITY_NOT_ENABLED", "This feature is not currently enabled for this user."
    ),
    "TXN_SECURITY_METERING_ERROR": ErrorTemplate(
        400,
        "TXN_SECURITY_METERING_ERROR",
        "We can't complete the action because enabled transaction security policies took too long to complete.",
    ),
    "QUERY_TIMEOUT": ErrorTemplate(400, "QUERY_TIMEOUT", "Your query request was running for too long."),
    "QUERY_TOO_COMPLICATED": ErrorTemplate(
        400,
        "QUERY_TOO_COMPLICATED",
        "Query is either selecting too many fields or the filter conditions are too complicated.",
    ),
    "OPERATION_TOO_LARGE": ErrorTemplate(400, "OPERATION_TOO_LARGE", "exceeded 100000 distinct who/what's"),
    "EXCEEDED_ID_LIMIT": ErrorTemplate(400, "EXCEEDED_ID_LIMIT", "Too many ids: the maximum is 600000"),
    "INVALID_QUERY_LOCATOR": ErrorTemplate(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
    "UNABLE_TO_LOCK_ROW": ErrorTemplate(400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record"),
    "SERVER_UNAVAILABLE": ErrorTemplate(503, "SERVER_UNAVAILABLE", "The server is temporarily unavailable."),
    "UNKNOWN_EXCEPTION": ErrorTemplate(
        500,
        "UNKNOWN_EXCEPTION",
        "An unexpected error occurred. Please include this ErrorId if you contact support: "
        "1234567890-12345 (1234567890)",
    ),
    "INVALIDJOBSTATE": ErrorTemplate(400, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed"),
    "JOB_NOT_COMPLETE": ErrorTemplate(
        412,
        "JOB_NOT_COMPLETE",
        "can only download query results of successfully completed bulk job with status: "
        "JOB_COMPLETE. Current status: IN_PROGRESS",
    ),
    "NOT_FOUND": NOT_FOUND,
    "INVALID_SESSION_ID": INVALID_SESSION,
    "INVALID_JWT_FORMAT": ErrorTemplate(401, "INVALID_JWT_FORMAT", "JWT token is invalid"),
    "INVALID_AUTH_HEADER": ErrorTemplate(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"),
    "POLICY/agent": ErrorTemplate(401, "INVALID_SESSION_ID", "Connected app is not attached to Agent"),
    "POLICY/rest": ErrorTemplate(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API"),
    "TOO_MANY_REQUESTS": ErrorTemplate(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests"),
}

OAUTH_ERRORS: dict[str, ErrorTemplate] = {
    "expired": ErrorTemplate(400, "invalid_grant", "expired access/refresh token"),
    "authentication_failure": ErrorTemplate(400, "invalid_grant", "authentication failure"),
    "invalid_password": ErrorTemplate(400, "invalid_grant", "authentication failure - Invalid Password"),
    "ip_restricted": ErrorTemplate(400, "invalid_grant", "ip restricted"),
    "ip_restricted_by_developer": ErrorTemplate(400, "invalid_grant", "ip restricted by app developer"),
    "inactive_user": ErrorTemplate(400, "invalid_grant", "inactive user"),
    "inactive_user_code": ErrorTemplate(400, "inactive_user", "user is inactive"),
    "inactive_organization": ErrorTemplate(400, "invalid_grant", "inactive organization"),
    "inactive_org_code": ErrorTemplate(400, "inactive_org", "organization is locked, closed, or suspended"),
    "audience": ErrorTemplate(400, "invalid_grant", "Audience validation failed"),
    "no_client_credentials_user": ErrorTemplate(400, "invalid_grant", "no client credentials user enabled"),
    "not_approved": ErrorTemplate(400, "invalid_grant", "user hasn't approved this consumer"),
    "invalid_assertion": ErrorTemplate(400, "invalid_grant", "invalid assertion"),
    "expired_assertion": ErrorTemplate(400, "invalid_grant", "expired authorization code"),
    "client_identifier_invalid": ErrorTemplate(400, "invalid_client_id", "client identifier invalid"),
    "invalid_client": ErrorTemplate(400, "invalid_client", "invalid client credentials"),
    "invalid_client_401": ErrorTemplate(401, "invalid_client", "invalid client credentials"),
    "not_installed": ErrorTemplate(400, "invalid_client", "app must be installed into org"),
    "unsupported_grant_type": ErrorTemplate(400, "unsupported_grant_type", "grant type not supported"),
    "not_admin_approved": ErrorTemplate(400, "invalid_app_access", "user is not admin approved to access this app"),
    "app_not_found": ErrorTemplate(400, "app_not_found", "External client app is not installed in this org"),
    "app_blocked": ErrorTemplate(400, "OAUTH_APP_BLOCKED", "this app is blocked by admin"),
    "login_rate": ErrorTemplate(400, "invalid_grant", "login rate exceeded"),
    "login_rate_403": ErrorTemplate(403, "invalid_grant", "login rate exceeded"),
    "already_processing": ErrorTemplate(400, "invalid_grant", "token request is already being processed"),
    "retry": ErrorTemplate(400, "unknown_error", "retry your request"),
    "not_on_login_host": ErrorTemplate(400, "invalid_grant", "request not supported on this domain"),
}

# How a job that was accepted ends Failed; in Bulk API 1.0's words, which reach these jobs too.
JOB_FAILURES: dict[str, str] = {
    "retried": "InternalServerError : Retried more than 15 times",
    "timeout": "InvalidBatch : Failed to process query: QUERY_TIMEOUT: Your query request was running for too long.",
    "client_input": "ClientInputError : Invalid query",
    "malformed": "InvalidBatch : Failed to process query: MALFORMED_QUERY: unexpected token: 'FROM'",
    "invalid_field": "InvalidBatch : Failed to process query: INVALID_FIELD: "
    "No such column 'Gone__c' on entity '{object}'.",
    "invalid_type": "InvalidBatch : Failed to process query: INVALID_TYPE: sObject type '{object}' is not supported.",
    "not_serializable": "FeatureNotEnabled : Cannot serialize value for 'Complex__c' in CSV format",
    "write": "InternalServerError : Failed to write query result",
    "unexpected": "Unexpected exception encountered in query processing. Please contact support with the following id: "
    "1234567890-12345 (1234567890)",
}
