"""Read again the rows in which a new field has a value (the option ``backfill_new_fields``). Pure except for logging.

A row is delivered when it changes, so a field that was added later stays null in older rows of the destination. The
state remembers the names of the fields that all delivered rows have. A field without its name there is new:

    each run   windows of the cursor, with the new field | rows before the cursor with a value in a new field | remember

The memory gets the new field only at the end, so if a run is killed, its rows are at worst read again. A field that
vanishes leaves the memory at once, because rows that change in the meantime are delivered without it.

Whole rows are read, not only the Ids and the new fields, so that every destination treats them like any other rows.

``A != null`` does not select every row with a value if ``A`` is a boolean, which SOQL compares with null as with
false. For such a field, or one that cannot be filtered, the window has all rows.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from source_salesforce_bulk.extraction.stream_state import StreamState
from source_salesforce_bulk.extraction.windows import PlannedWindow
from source_salesforce_bulk.pages.records import Column, product_columns
from source_salesforce_bulk.salesforce.describe import SObject
from source_salesforce_bulk.salesforce.field_types import CellKind
from source_salesforce_bulk.salesforce.soql import Bounds

LOGGER = logging.getLogger("salesforce_bulk.new_fields")

NEW_FIELDS = "new_fields"
"""The name of the extra windows."""

MOST_CONDITIONS = 20
"""More new fields than this are read with all rows, so that the query stays within Salesforce's limits on length."""

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class BackfillPolicy:
    """The names of the delivered fields, sorted; and of those for which ``!= null`` selects every row with a value."""

    names: tuple[str, ...]
    comparable: frozenset[str]


def backfill_policy(sobject: SObject, columns: Sequence[Column]) -> BackfillPolicy:
    """Return the policy for the read ``columns`` of an object."""
    delivered = product_columns(columns)
    comparable = {
        column.name
        for column in delivered
        if not column.parts
        and column.kind is not CellKind.BOOLEAN
        and (field := sobject.field(column.name)) is not None
        and field.filterable
    }
    return BackfillPolicy(tuple(sorted(column.name for column in delivered)), frozenset(comparable))


class NewFieldsWatch:
    """One object's memory of delivered fields during a run that begins with ``state``."""

    name = NEW_FIELDS

    def __init__(self, object_name: str, policy: BackfillPolicy, state: StreamState, start: datetime | None) -> None:
        self._object_name = object_name
        self._policy = policy
        self._start = start
        self._new = new_fields(policy, state)

    @property
    def memory(self) -> tuple[str, ...]:
        """The names of the fields that all delivered rows have."""
        return tuple(name for name in self._policy.names if name not in self._new)

    def windows(self, cursor: datetime | None) -> tuple[PlannedWindow, ...]:
        """Return the window of the rows before ``cursor`` in which a new field has a value; none if no field is new."""
        if not self._new:
            return ()
        shown = ", ".join(self._new[:_SHOWN])
        more = f" and {len(self._new) - _SHOWN} more" if len(self._new) > _SHOWN else ""
        only = self._condition()
        rows = "all rows" if only is None else "rows in which they have a value"
        LOGGER.info("%s: new fields: %s%s; %s are read again", self._object_name, shown, more, rows)
        return (PlannedWindow(Bounds(self._start, cursor, None, None, only), extra=NEW_FIELDS),)

    def delivered(self, bounds: Bounds) -> None:
        """Note that a window was delivered; a part of one that was split does not count."""
        if bounds.start == self._start and bounds.id_from is None and bounds.id_to is None:
            self.settle()

    def settle(self) -> None:
        """Note that all windows, if any, were delivered."""
        self._new = ()

    def _condition(self) -> str | None:
        if len(self._new) > MOST_CONDITIONS or not self._policy.comparable.issuperset(self._new):
            return None
        return " OR ".join(f"{name} != null" for name in self._new)


def new_fields(policy: BackfillPolicy, state: StreamState) -> tuple[str, ...]:
    """Return the fields that the memory in a state lacks, ignoring case; none if there is no memory yet."""
    if state.fields is None:
        return ()
    known = {name.lower() for name in state.fields}
    return tuple(name for name in policy.names if name.lower() not in known)
