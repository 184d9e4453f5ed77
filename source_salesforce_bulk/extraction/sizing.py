"""Where a large object is cut before its first job: asked of the org, once per object that is worth it.

By date two calls, for the oldest and the newest stamp. By Ids two, and two for each cut: Ids come from several
generators ("pods") with wide gaps between them, so that ranges of equal width would be mostly empty. Each cut is
therefore moved to an Id that exists, and what lies on either side of it is measured anew.

Retries here: none. An answer that does not come leaves the object in one piece; a job that is too large is split when
it fails (``splitting``).
"""

from __future__ import annotations

import logging

from source_salesforce_bulk.extraction.org import Org
from source_salesforce_bulk.extraction.plan import ObjectPlan
from source_salesforce_bulk.extraction.planner import Piece, cut_by_date, cut_by_id, ranges_of
from source_salesforce_bulk.extraction.stream_state import Mode
from source_salesforce_bulk.extraction.windows import WHOLE
from source_salesforce_bulk.salesforce.failures import Action, SalesforceError
from source_salesforce_bulk.salesforce.ids import id_range_width, split_id_range
from source_salesforce_bulk.salesforce.soql import Bounds

LOGGER = logging.getLogger("airbyte.salesforce.extraction")


def find_pieces(org: Org, plan: ObjectPlan, bounds: Bounds) -> tuple[Piece, ...]:
    """The pieces in which a window of a large object is read, in order; the window itself where it is not cut.

    Blocks for a few short queries. Raises ``SalesforceError`` only for what stops the whole run.
    """
    try:
        return _by_date(org, plan, bounds) if plan.mode is Mode.INCREMENTAL else _by_id(org, plan, bounds)
    except SalesforceError as error:
        if error.failure.action is Action.STOP_RUN:
            raise
        LOGGER.info("%s is not cut into windows: %s", plan.object_name, error.failure.summary)
        return (Piece(bounds),)


def _by_date(org: Org, plan: ObjectPlan, bounds: Bounds) -> tuple[Piece, ...]:
    stamps = org.instants(plan.query, WHOLE, plan.api_version)
    return cut_by_date(bounds, *stamps, plan.rows or 0) if stamps is not None else (Piece(bounds),)


def _by_id(org: Org, plan: ObjectPlan, bounds: Bounds) -> tuple[Piece, ...]:
    low = org.edge_id(plan.query, WHOLE, plan.api_version)
    high = org.edge_id(plan.query, WHOLE, plan.api_version, last=True)
    if low is None or high is None:
        return (Piece(bounds),)
    rows = plan.rows or 0
    return cut_by_id(bounds, _cuts(org, plan, low, high, ranges_of(rows)), rows)


def _cuts(org: Org, plan: ObjectPlan, low: str, high: str, parts: int) -> list[str]:
    """Ids that exist and cut ``low`` to ``high``, which exist too, into at most ``parts`` ranges of similar width."""
    middle = next(iter(split_id_range(low, high, 2)), None) if parts > 1 else None
    if middle is None:
        return []
    below = Bounds(start=None, end=None, id_from=None, id_to=middle)
    above = Bounds(start=None, end=None, id_from=middle, id_to=None)
    left_end = org.edge_id(plan.query, below, plan.api_version, last=True)
    right_end = org.edge_id(plan.query, above, plan.api_version)
    if left_end is None or right_end is None:
        return []
    left, right = id_range_width(low, left_end), id_range_width(right_end, high)
    left_parts = min(max(round(parts * left / (left + right)), 1), parts - 1)
    return [
        *_cuts(org, plan, low, left_end, left_parts),
        right_end,
        *_cuts(org, plan, right_end, high, parts - left_parts),
    ]
