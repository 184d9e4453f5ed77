from __future__ import annotations

import pytest

from source_salesforce_bulk.export.outcomes import ExitCode
from source_salesforce_bulk.export.verdict import Ending, Use, Verdict, overall, plan_code, verdicts
from source_salesforce_bulk.salesforce.rest_api import Limit

CALLS, JOBS = "DailyApiRequests", "DailyBulkV2QueryJobs"


def use(name: str, calls: float = 10, jobs: float = 1, refusal: str | None = None) -> Use:
    return Use(name, {CALLS: calls, JOBS: jobs}, refusal)


def endings(uses: list[Use], calls: Limit | None, jobs: Limit | None = None) -> list[Ending]:
    return [one.ending for one in verdicts(uses, {CALLS: calls, JOBS: jobs}, 5)]


def test_an_org_with_enough_left_would_finish():
    assert endings([use("Account"), use("Contact")], Limit(15_000, 14_000)) == [Ending.FINISH] * 2


def test_an_org_below_its_reserve_stops_every_object():
    (verdict,) = verdicts([use("Account")], {CALLS: Limit(15_000, 97), JOBS: None}, 5)
    assert verdict.ending is Ending.RESERVE
    assert str(verdict) == (
        "would stop at the reserve: 97 DailyApiRequests are left, 10 would be used, and 750 of 15,000 are kept back "
        "(daily_limit_reserve_percent 5)"
    )


def test_what_earlier_objects_use_is_missing_for_later_ones():
    objects = [use("Account", 100), use("Contact", 100), use("Lead", 100)]
    assert endings(objects, Limit(1000, 250)) == [Ending.FINISH, Ending.FINISH, Ending.RESERVE]
    assert endings(objects, None, Limit(100, 7)) == [Ending.FINISH, Ending.FINISH, Ending.RESERVE]


def test_an_object_that_is_refused_uses_nothing():
    objects = [use("Account", 240, refusal="no"), use("Contact", 100)]
    assert endings(objects, Limit(1000, 250)) == [Ending.UNREADABLE, Ending.FINISH]


def test_an_org_that_does_not_count_stops_nothing():
    assert endings([use("Account", 10**6)], Limit(0, 0)) == [Ending.FINISH]
    assert endings([use("Account", 10**6)], None) == [Ending.FINISH]


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([], ExitCode.DONE),
        ([Ending.FINISH, Ending.UNREADABLE], ExitCode.SOME_FAILED),
        ([Ending.UNREADABLE, Ending.RESERVE, Ending.FINISH], ExitCode.RUN_AGAIN),
    ],
)
def test_the_run_ends_as_the_export_would(found, code):
    assert plan_code(overall([Verdict(one) for one in found])) is code
