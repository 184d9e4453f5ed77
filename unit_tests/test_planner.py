from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from source_salesforce_bulk.extraction.planner import PROBE_SPAN, probe_pays
from source_salesforce_bulk.extraction.stream_state import Mode, StreamState
from source_salesforce_bulk.salesforce.soql import Bounds

T = datetime(2026, 11, 23, 2, tzinfo=UTC)
READ_BEFORE = StreamState(mode=Mode.INCREMENTAL, cursor=T - timedelta(days=1))


def window(span: timedelta | None, **ids: str) -> Bounds:
    start = T - span if span is not None else None
    return Bounds(start=start, end=T, id_from=ids.get("id_from"), id_to=ids.get("id_to"))


# Probes


@pytest.mark.parametrize("span", [timedelta(minutes=10), timedelta(days=1), PROBE_SPAN])
def test_a_short_window_behind_what_an_earlier_run_has_read_is_probed(span):
    assert probe_pays(READ_BEFORE, window(span))


def test_a_long_window_is_not():
    assert not probe_pays(READ_BEFORE, window(PROBE_SPAN + timedelta(seconds=1)))


def test_a_first_load_is_not_probed_however_short_its_window():
    assert not probe_pays(StreamState(mode=Mode.INCREMENTAL), window(timedelta(days=1)))


def test_a_window_that_is_open_or_a_range_of_ids_is_not_probed():
    assert not probe_pays(READ_BEFORE, window(None))
    assert not probe_pays(READ_BEFORE, Bounds(start=T, end=None, id_from=None, id_to=None))
    assert not probe_pays(READ_BEFORE, window(timedelta(days=1), id_from="001A0000006Vm9r"))
    assert not probe_pays(READ_BEFORE, window(timedelta(days=1), id_to="001A0000006Vm9r"))
