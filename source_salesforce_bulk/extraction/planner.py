"""What a window is worth: whether to ask first if it holds anything.

Pure: what the org was asked comes in as arguments.
"""

from __future__ import annotations

from datetime import timedelta

from source_salesforce_bulk.extraction.stream_state import StreamState
from source_salesforce_bulk.salesforce.soql import Bounds

PROBE_SPAN = timedelta(days=7)
"""The longest window that is probed.

A probe costs one call, and spares a create, some polls, a page and a delete where the window is empty: it pays where at
least one window in four is. Most objects of an org do not change within a few days; the longer the window, the fewer.
"""


def probe_pays(state: StreamState, bounds: Bounds) -> bool:
    """Whether to ask, before a job is created, if a window without one holds any row (design section 3.12).

    Only where an earlier run has read up to the window: a first load is not likely to be empty.
    """
    if state.cursor is None or bounds.start is None or bounds.end is None or bounds.id_from or bounds.id_to:
        return False
    return bounds.end - bounds.start <= PROBE_SPAN
