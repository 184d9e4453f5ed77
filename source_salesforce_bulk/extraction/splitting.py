"""Where a window that Salesforce cannot answer whole is cut in two.

By date while that is possible, because a window of dates moves the cursor when it closes; by Ids in a full refresh, and
where rows of one instant are too many. Rows seldom lie evenly in their window, so the org is asked where they do: a cut
beside them all would cost a job and help nothing.

Retries here: none. An answer that does not come makes the cut worse, not impossible.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from source_salesforce_bulk.extraction.org import Org
from source_salesforce_bulk.extraction.plan import ObjectPlan
from source_salesforce_bulk.extraction.stream_state import Mode
from source_salesforce_bulk.extraction.windows import Halves, halve_by_date, halve_by_id
from source_salesforce_bulk.salesforce.failures import Action, SalesforceError
from source_salesforce_bulk.salesforce.soql import Bounds

LOGGER = logging.getLogger("airbyte.salesforce.extraction")

DATE_HALVINGS = 3
"""Halvings by date before Ids are tried first: of six in all, enough are left for rows that share an instant."""


def find_halves(org: Org, plan: ObjectPlan, bounds: Bounds, halvings: int) -> Halves | None:
    """The two halves of a window that was halved ``halvings`` times before; None where nothing is left to cut.

    Blocks for two short queries, and where the answers do not help for six at most. Raises ``SalesforceError`` only for
    what stops the whole run.
    """
    ways: list[Callable[[Org, ObjectPlan, Bounds], Halves | None]] = [_by_id]
    if plan.mode is Mode.INCREMENTAL:
        ways.insert(0 if halvings < DATE_HALVINGS else 1, _by_date)
    return next((halves for way in ways if (halves := way(org, plan, bounds)) is not None), None)


def _by_date(org: Org, plan: ObjectPlan, bounds: Bounds) -> Halves | None:
    if halve_by_date(bounds) is None:
        return None
    try:
        rows = org.instants(plan.query, bounds, plan.api_version)
    except SalesforceError as error:
        _raise_if_it_stops_the_run(error)
        return halve_by_date(bounds)
    return halve_by_date(bounds, *rows) if rows is not None else halve_by_date(bounds)


def _by_id(org: Org, plan: ObjectPlan, bounds: Bounds) -> Halves | None:
    if "id" not in {name.lower() for name in plan.query.fields}:
        return None
    for asked in dict.fromkeys((bounds, replace(bounds, start=None, end=None))):
        try:
            middle = org.middle_id(plan.query, asked, plan.api_version)
        except SalesforceError as error:
            _raise_if_it_stops_the_run(error)
        else:
            return halve_by_id(bounds, middle) if middle is not None else None
    return None


def _raise_if_it_stops_the_run(error: SalesforceError) -> None:
    if error.failure.action is Action.STOP_RUN:
        raise error
    LOGGER.info("Where to cut the window could not be asked: %s", error.failure.summary)
