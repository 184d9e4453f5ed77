"""What a plan comes to: whether an export would finish, stop at the reserve of the org's limits, or cannot read. Pure.

The use of each limit is added up in the order in which objects begin. It is a lower bound where rows or polls are not
known, so "would stop" is certain, while "would finish" leaves out what other programs use meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from source_salesforce_bulk.export.outcomes import ExitCode
from source_salesforce_bulk.salesforce.rest_api import Limit


class Ending(Enum):
    """How the export of an object would end."""

    FINISH = "would finish"
    RESERVE = "would stop at the reserve"
    UNREADABLE = "cannot be read"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an export would end, and why where it would not finish."""

    ending: Ending
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.ending.value}: {self.reason}" if self.reason else self.ending.value


@dataclass(frozen=True, slots=True)
class Use:
    """What one object would use at least, by the names of the org's limits; ``refusal``: why it cannot be read."""

    object: str
    amounts: Mapping[str, float]
    refusal: str | None = None


def verdicts(uses: Sequence[Use], left: Mapping[str, Limit | None], reserve_percent: int) -> Iterator[Verdict]:
    """The verdict on each object, in order. ``left`` is what the org has left; None where it does not say."""
    spent: dict[str, float] = dict.fromkeys(left, 0.0)
    for use in uses:
        if use.refusal is not None:
            yield Verdict(Ending.UNREADABLE, use.refusal)
            continue
        for name, amount in use.amounts.items():
            spent[name] = spent.get(name, 0.0) + amount
        reasons = (_exceeded(name, limit, spent[name], reserve_percent) for name, limit in left.items())
        reason = next(filter(None, reasons), None)
        yield Verdict(Ending.RESERVE, reason) if reason else Verdict(Ending.FINISH)


def overall(found: Sequence[Verdict]) -> Verdict:
    """The verdict on the run: what running it again would mend comes before what the user has to."""
    for ending in (Ending.RESERVE, Ending.UNREADABLE):
        matching = [one for one in found if one.ending is ending]
        if matching:
            return matching[0]
    return Verdict(Ending.FINISH)


def plan_code(verdict: Verdict) -> ExitCode:
    """The exit code of a plan: that of the export it foresees."""
    match verdict.ending:
        case Ending.FINISH:
            return ExitCode.DONE
        case Ending.RESERVE:
            return ExitCode.RUN_AGAIN
        case Ending.UNREADABLE:
            return ExitCode.SOME_FAILED


def _exceeded(name: str, limit: Limit | None, spent: float, reserve_percent: int) -> str | None:
    """Why ``spent`` is more than a limit allows; None where it is not. A maximum of 0 is an org that does not count."""
    if limit is None or limit.maximum <= 0:
        return None
    reserve = -(-limit.maximum * max(reserve_percent, 0) // 100)
    if limit.remaining - spent >= reserve:
        return None
    kept = f"{reserve:,} of {limit.maximum:,} are kept back (daily_limit_reserve_percent {reserve_percent})"
    return f"{limit.remaining:,} {name} are left, {spent:,.0f} would be used, and {kept}"
