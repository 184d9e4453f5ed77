"""Failures of a catalog of tables: who has to act, and a sentence. Pure, and without pyiceberg itself."""

from __future__ import annotations

from source_salesforce_bulk.salesforce.failures import Consequence

_PASSING = frozenset({"CommitStateUnknownException", "ServiceUnavailableError", "ServerError", "OperationalError"})
_LIBRARIES = ("pyiceberg.", "sqlalchemy.")
_AGAIN = "Nothing is lost; run again later."
_CHECK = "Check the catalog's configuration and the rights of this process."


class UnusableTable(Exception):
    """The table is not one that this program may write to. The message is a sentence."""


def table_failure(error: BaseException) -> tuple[Consequence, str] | None:
    """Return what an exception of the tables' libraries means; None for any other."""
    kind = type(error)
    if isinstance(error, UnusableTable):
        return Consequence.CONFIG, str(error)
    if not kind.__module__.startswith(_LIBRARIES):
        return None
    words = " ".join(str(error).split("\n", 1)[0].split()).rstrip(".")
    passing = kind.__name__ in _PASSING
    said = f"the catalog of the tables refused: {kind.__name__}{f': {words}' if words else ''}."
    return (Consequence.TRANSIENT if passing else Consequence.CONFIG), f"{said} {_AGAIN if passing else _CHECK}"
