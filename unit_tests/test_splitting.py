from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from source_salesforce_bulk.extraction.plan import ObjectPlan
from source_salesforce_bulk.extraction.splitting import DATE_HALVINGS, find_halves
from source_salesforce_bulk.extraction.stream_state import Mode, StreamState
from source_salesforce_bulk.extraction.windows import WHOLE, halve_by_date, halve_by_id
from source_salesforce_bulk.salesforce.failures import Failure, Kind, SalesforceError
from source_salesforce_bulk.salesforce.soql import Bounds, ObjectQuery

UPPER = datetime(2026, 11, 23, 2, tzinfo=UTC)
WINDOW = Bounds(start=None, end=UPPER, id_from=None, id_to=None)
MIDDLE = "001A0000006Vm9rIAC"
SLOW = SalesforceError(Failure.of(Kind.QUERY_TIMEOUT))
QUOTA = SalesforceError(Failure.of(Kind.API_CALLS_EXHAUSTED))


class AnsweringOrg:
    """Where rows lie, or why that cannot be said; it keeps the questions."""

    def __init__(self, instants: object = None, middles: tuple[object, ...] = (MIDDLE,)) -> None:
        self._instants = instants
        self._middles = list(middles)
        self.asked: list[tuple[str, Bounds]] = []

    def instants(self, query: ObjectQuery, bounds: Bounds, version: str) -> object:
        self.asked.append(("instants", bounds))
        return self._given(self._instants)

    def middle_id(self, query: ObjectQuery, bounds: Bounds, version: str) -> object:
        self.asked.append(("middle", bounds))
        return self._given(self._middles.pop(0))

    @staticmethod
    def _given(answer: object) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer


def plan(mode: Mode = Mode.INCREMENTAL, fields: tuple[str, ...] = ("Id", "SystemModstamp")) -> ObjectPlan:
    return ObjectPlan(
        query=ObjectQuery("Account", fields, "queryAll", "SystemModstamp", False, None, False),
        columns=(),
        mode=mode,
        state=StreamState(mode=mode),
        start=None,
        lookback=timedelta(minutes=10),
        api_version="v66.0",
        page_size=50000,
    )


def test_an_incremental_window_is_cut_by_date_between_its_rows():
    first, last = UPPER - timedelta(hours=4), UPPER - timedelta(hours=2)
    org = AnsweringOrg((first, last))
    assert find_halves(org, plan(), WINDOW, 0) == halve_by_date(WINDOW, first, last)
    assert org.asked == [("instants", WINDOW)]


def test_where_nobody_says_how_the_rows_lie_the_window_is_cut_in_its_middle():
    for answer in (SLOW, None):
        assert find_halves(AnsweringOrg(answer), plan(), WINDOW, 0) == halve_by_date(WINDOW)


def test_rows_of_one_instant_are_cut_by_id_among_themselves():
    instant = UPPER - timedelta(hours=4)
    org = AnsweringOrg((instant, instant))
    assert find_halves(org, plan(), WINDOW, 0) == halve_by_id(WINDOW, MIDDLE)
    assert org.asked == [("instants", WINDOW), ("middle", WINDOW)]


def test_after_some_halvings_by_date_ids_are_tried_first():
    org = AnsweringOrg()
    assert find_halves(org, plan(), WINDOW, DATE_HALVINGS) == halve_by_id(WINDOW, MIDDLE)
    assert org.asked == [("middle", WINDOW)]


def test_where_ids_cannot_be_cut_dates_are_cut_further():
    first, last = UPPER - timedelta(hours=4), UPPER - timedelta(hours=2)
    org = AnsweringOrg((first, last), (None,))
    assert find_halves(org, plan(), WINDOW, DATE_HALVINGS) == halve_by_date(WINDOW, first, last)


def test_a_range_of_ids_is_never_cut_by_date():
    _, upper = halve_by_id(WINDOW, "0010000006Vm9rAAAA")
    org = AnsweringOrg()
    assert find_halves(org, plan(), upper, 0) == halve_by_id(upper, MIDDLE)
    assert org.asked == [("middle", upper)]


def test_a_full_refresh_is_cut_by_id_alone():
    org = AnsweringOrg()
    assert find_halves(org, plan(Mode.FULL_REFRESH), WHOLE, 0) == halve_by_id(WHOLE, MIDDLE)
    assert org.asked == [("middle", WHOLE)]


def test_a_middle_that_takes_too_long_to_find_is_asked_for_without_dates():
    org = AnsweringOrg(middles=(SLOW, MIDDLE))
    assert find_halves(org, plan(), WINDOW, DATE_HALVINGS) == halve_by_id(WINDOW, MIDDLE)
    assert org.asked == [("middle", WINDOW), ("middle", WHOLE)]


def test_no_split_asks_more_than_three_questions_of_two_queries_each():
    instant = UPPER - timedelta(hours=4)
    org = AnsweringOrg((instant, instant), middles=(SLOW, SLOW))
    assert find_halves(org, plan(), WINDOW, 0) is None
    assert org.asked == [("instants", WINDOW), ("middle", WINDOW), ("middle", WHOLE)]


@pytest.mark.parametrize("middles", [(None,), (SLOW,)])
def test_a_full_refresh_whose_ids_cannot_be_cut_has_no_halves(middles):
    org = AnsweringOrg(middles=middles)
    assert find_halves(org, plan(Mode.FULL_REFRESH), WHOLE, 0) is None
    assert len(org.asked) == 1


def test_an_object_without_an_id_is_not_asked_for_one():
    org = AnsweringOrg()
    assert find_halves(org, plan(Mode.FULL_REFRESH, ("DurableId",)), WHOLE, 0) is None
    assert org.asked == []


@pytest.mark.parametrize("halvings", [0, DATE_HALVINGS])
def test_what_stops_the_run_is_not_taken_for_a_missing_answer(halvings):
    with pytest.raises(SalesforceError) as raised:
        find_halves(AnsweringOrg(QUOTA, (QUOTA,)), plan(), WINDOW, halvings)
    assert raised.value is QUOTA
