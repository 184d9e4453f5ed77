"""``check``: log in, verify that the API and Bulk API 2.0 can be used and that limits are left, and show the user.

One retry: a create whose response was lost is sent once more, as in a read.
"""

from __future__ import annotations

import logging

from source_salesforce_bulk.extraction.catalog import check_overrides
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.extraction.salesforce_org import SalesforceOrg
from source_salesforce_bulk.extraction.windows import WHOLE
from source_salesforce_bulk.salesforce.bulk_api import QUERY, JobInfo
from source_salesforce_bulk.salesforce.failures import Action, Kind, SalesforceError
from source_salesforce_bulk.salesforce.oauth import Session
from source_salesforce_bulk.salesforce.object_hints import names_in
from source_salesforce_bulk.salesforce.soql import ObjectQuery, build_soql

LOGGER = logging.getLogger("salesforce_bulk.check")

# Refusals of this query only: Bulk API 2.0 has compiled it, so it can be used.
_BULK_ANSWERED = frozenset(
    {Kind.INVALID_SOQL, Kind.OBJECT_NOT_SUPPORTED, Kind.OBJECT_GONE, Kind.FILTER_REQUIRED, Kind.QUERY_REFUSED}
)
_NOBODY = "005000000000000AAA"


def check_connection(connection: Connection) -> str:
    """Return a sentence with the user and the org of the connection; raises ``SalesforceError`` if a read would fail.

    Raises ValueError for an override of a misspelt object. Costs five calls in addition to the login: versions, limits,
    and a job for at most one row that is created, aborted and deleted. If the configuration names objects, the list of
    objects is one more.
    """
    session = connection.log_in()
    _check_version(connection)
    failure = connection.quota().failure
    if failure is not None:
        raise SalesforceError(failure)
    _try_bulk(connection, session)
    if names_in(connection.config.objects) or connection.config.overrides:
        _look_for_objects(connection)
    return (
        f"Connected to organization {session.organization_id or 'unknown'} as user {session.user_id or 'unknown'} "
        f"at {session.instance_url}."
    )


def _check_version(connection: Connection) -> None:
    try:
        failure = connection.discovery.version_failure()
    except SalesforceError as error:
        LOGGER.warning("The org's API versions cannot be read: %s", error.failure.summary)
        return
    if failure is not None:
        raise SalesforceError(failure)


def _look_for_objects(connection: Connection) -> None:
    config = connection.config
    try:
        overridden = [override.object for override in config.overrides.values()]
        listing = connection.discovery.list_objects(config.objects, config.exclude_objects, overridden)
    except SalesforceError as error:
        LOGGER.warning("The org's objects cannot be listed: %s", error.failure.summary)
        return
    missed = [skipped for skipped in listing.left_out if skipped.wanted]
    check_overrides(config, missed)
    for missing in missed:
        LOGGER.warning("%s will not be offered, though the configuration names it: %s", missing.name, missing.reason)


def _try_bulk(connection: Connection, session: Session) -> None:
    org, version = connection.org(), connection.config.api_version
    query = ObjectQuery("User", ("Id",), QUERY, where=f"Id = '{session.user_id or _NOBODY}'")
    try:
        job = _created(org, version, query)
    except SalesforceError as error:
        if error.failure.kind not in _BULK_ANSWERED:
            raise
        LOGGER.info("Bulk API 2.0 works, but refuses the object User: %s", error.failure.summary)
        return
    org.abort(version, job.id, "User")


def _created(org: SalesforceOrg, version: str, query: ObjectQuery) -> JobInfo:
    soql = build_soql(query, WHOLE)
    try:
        return org.create(version, soql, query)
    except SalesforceError as error:
        if error.failure.action is not Action.SEND_ONCE_MORE:
            raise
        LOGGER.warning("%s A job for at most one row may be left in the org; trying another.", error.failure.summary)
        return org.create(version, soql, query)
