"""The policies for audits and refreshed formulas, which make the delivered rows equal the org. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from source_salesforce_bulk.extraction.stream_state import StateError, StreamState
from source_salesforce_bulk.formulas.value_ranges import KnownValues
from source_salesforce_bulk.pages.records import Column
from source_salesforce_bulk.salesforce.formulas import Formulas

VALUES, CLOCK = "values", "clock"
"""The names of two groups: formulas that every run refreshes, and those that depend on the clock, once a day."""


@dataclass(frozen=True, slots=True)
class AuditPolicy:
    """The detection of deleted rows: the columns (the Id first), the interval, and the maximum number at once.

    ``logged``: Salesforce logs deletions of the object.
    """

    columns: tuple[Column, ...]
    every: timedelta
    most_percent: int
    logged: bool


@dataclass(frozen=True, slots=True)
class RefreshPolicy:
    """Formulas that are refreshed together: the columns, the Id first. ``daily``: only on the first run of each day.

    ``name`` identifies their memory in the state, and the windows in which rows are read again for them.
    """

    name: str
    columns: tuple[Column, ...]
    daily: bool

    @property
    def fields(self) -> str:
        """Return a digest of the columns; digests of other columns cannot be compared."""
        names = "\n".join(column.name.lower() for column in self.columns)
        return hashlib.sha256(names.encode()).hexdigest()[:16]


def refresh_policies(formulas: Formulas, key: Column, columns: Sequence[Column]) -> tuple[RefreshPolicy, ...]:
    """Return the policies for the ``formulas`` among the read ``columns``, with a separate one for the clock's."""
    groups = ((VALUES, formulas.steady, False), (CLOCK, formulas.clock, True))
    chosen = [
        (name, tuple(column for column in columns if column.name in names), daily) for name, names, daily in groups
    ]
    return tuple(RefreshPolicy(name, (key, *among), daily) for name, among, daily in chosen if among)


def remembered_values(state: StreamState, policy: RefreshPolicy) -> KnownValues | None:
    """Return the memory of the same formulas; None if there is only one of others, or none. Raises ``StateError``."""
    blob = (state.formulas or {}).get(policy.name)
    if blob is None:
        return None
    try:
        known = KnownValues.from_json(blob)
    except (ValueError, TypeError) as error:
        raise StateError("its formulas is not a memory of formulas") from error
    return known if known.fields == policy.fields else None


def values_are_due(known: KnownValues | None, policy: RefreshPolicy, now: datetime) -> bool:
    """Return whether to compare values after the rows of a run; never if the object has too many rows."""
    if known is None or known.pending:
        return True
    return known.ranges is not None and (not policy.daily or now.date() > known.read.date())
