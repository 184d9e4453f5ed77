"""The choice of API for each object: Bulk, or REST if Bulk refuses it. Pure.

The lane is chosen once for an object, before any of its rows is read, and has a reason in words. No object is read
partly with one and partly with the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from source_salesforce_bulk.salesforce.describe import IDENTIFIERS, PRIMARY_KEY, SObject
from source_salesforce_bulk.salesforce.object_hints import parent_field, why_not_bulk
from source_salesforce_bulk.salesforce.rest_query import Parents


class Api(Enum):
    """The user's choice of API for an object."""

    AUTO = "auto"
    BULK = "bulk"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class Lane:
    """The API for an object, and the reason. ``keyed``: its rows have Ids. ``parents``: its rows are found by these.

    ``chosen``: the user has chosen the API, so a refusal does not change it.
    """

    rest: bool
    reason: str
    keyed: bool = True
    parents: Parents | None = None
    chosen: bool = False

    def __str__(self) -> str:
        """Return the lane with its reason, for logs and reports."""
        return f"{'REST' if self.rest else 'Bulk'} ({self.reason})"


BULK = Lane(rest=False, reason="Bulk API 2.0 reads it")
_CHOSEN = "object_overrides chooses it"
_REFUSED = "Bulk API 2.0 refused it in an earlier run"


def choose_lane(sobject: SObject, api: Api = Api.AUTO, *, where: str | None = None, refused: bool = False) -> Lane:
    """Return the lane of an object. ``refused``: an earlier run has found that Bulk refuses it.

    ``where`` is the user's filter. An object that must be filtered is then read like any other.
    """
    parents = None if where else _parents(sobject)
    if api is Api.BULK:
        return Lane(False, _CHOSEN, _is_keyed(sobject), chosen=True)
    if api is Api.REST:
        return Lane(True, _by_parents(_CHOSEN, parents), _is_keyed(sobject), parents, chosen=True)
    if parents is not None:
        reason = _by_parents("Salesforce returns it with a filter on its parents only", parents)
        return Lane(True, reason, _is_keyed(sobject), parents)
    known = _REFUSED if refused else why_not_bulk(sobject.name, retrieveable=sobject.retrieveable)
    return Lane(known is not None, known or BULK.reason, _is_keyed(sobject))


def _by_parents(reason: str, parents: Parents | None) -> str:
    return f"{reason}; read by its {parents.field}, batch by batch" if parents else reason


def _is_keyed(sobject: SObject) -> bool:
    """Return whether Ids identify and order the rows, according to describe."""
    if any(sobject.field(name) is not None for name in IDENTIFIERS):
        return False
    key = sobject.field(PRIMARY_KEY)
    return key is not None and key.filterable


def _parents(sobject: SObject) -> Parents | None:
    """Return the parents of an object that is read by them; None for others, or if describe does not name them."""
    hint = parent_field(sobject.name)
    field = sobject.field(hint.field) if hint is not None else None
    if hint is None or field is None:
        return None
    if hint.object is not None:
        return Parents(field.name, (hint.object,), hint.key)
    return Parents(field.name, field.reference_to) if field.reference_to else None
