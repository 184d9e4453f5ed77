from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import timedelta

import pytest

from source_salesforce_bulk.extraction.plan import ObjectPlan
from source_salesforce_bulk.extraction.stream_state import Mode, StreamState
from source_salesforce_bulk.salesforce.soql import ObjectQuery

PLAN = ObjectPlan(
    query=ObjectQuery(
        "Account", ("Id",), "query", "SystemModstamp", cursor_nillable=False, where=None, exclude_deleted=False
    ),
    columns=(),
    mode=Mode.INCREMENTAL,
    state=StreamState(mode=Mode.INCREMENTAL),
    start=None,
    lookback=timedelta(minutes=10),
    api_version="v66.0",
    page_size=50000,
)


def test_a_plan_is_of_its_querys_object_along_its_querys_cursor():
    assert (PLAN.object_name, PLAN.cursor_field) == ("Account", "SystemModstamp")
    assert replace(PLAN, query=replace(PLAN.query, cursor_field=None)).cursor_field is None


def test_a_plan_does_not_change_while_its_object_is_read():
    with pytest.raises(FrozenInstanceError):
        PLAN.page_size = 1  # type: ignore[misc]
