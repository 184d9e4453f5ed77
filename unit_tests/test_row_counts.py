from __future__ import annotations

import logging
import threading

import pytest

from source_salesforce_bulk.salesforce.clock import Stopped
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.row_counts import PATIENCE, RowCounts
from unit_tests.fakes import FakeClock

LONG = 30.0  # seconds until a test that hangs gives up; no test waits for it


def named_counts(ask, names=("Account", "Contact"), clock: FakeClock | None = None) -> RowCounts:
    """Row counts that are ready."""
    done = threading.Event()
    counts = RowCounts(ask, names, clock or FakeClock(), done.set)
    assert done.wait(LONG)
    return counts


def test_all_objects_are_asked_about_at_once():
    asked = []
    counts = named_counts(lambda names: asked.append(names) or {"Account": 47})
    assert counts.ready
    assert (counts.of("Account"), counts.of("Contact"), counts.of("Lead")) == (47, None, None)
    assert asked == [("Account", "Contact")]


def test_no_call_is_made_for_no_objects():
    counts = named_counts(pytest.fail, names=())
    assert counts.of("Account") is None


@pytest.mark.parametrize("error", [SalesforceError(Failure.of(Kind.UNAVAILABLE)), Stopped("the run is being stopped")])
def test_counts_that_cannot_be_had_are_done_without(error, caplog):
    caplog.set_level(logging.INFO, "salesforce_bulk.row_counts")

    def refuse(names):
        raise error

    counts = named_counts(refuse)
    assert counts.ready
    assert counts.of("Account") is None
    assert len(caplog.records) == isinstance(error, SalesforceError)


def test_counts_that_do_not_come_are_waited_for_no_longer_than_patience_lasts():
    clock, held, done = FakeClock(), threading.Event(), threading.Event()
    counts = RowCounts(lambda names: {"Account": 47} if held.wait(LONG) else {}, ["Account"], clock, done.set)
    assert not counts.ready
    clock.advance(PATIENCE)
    assert counts.ready
    assert counts.of("Account") is None
    held.set()
    assert done.wait(LONG)
    assert counts.of("Account") == 47
