"""Classify the failures of a table catalog, and describe each in a sentence. Pure, and without pyiceberg itself."""

from __future__ import annotations

from source_salesforce_bulk.salesforce.failures import Consequence

_PASSING = frozenset({"CommitStateUnknownException", "ServiceUnavailableError", "ServerError", "OperationalError"})
_LIBRARIES = ("pyiceberg.", "sqlalchemy.")
_AGAIN = "Nothing is lost; run again later."
_CHECK = "Check the catalog's configuration and the rights of this process."


class UnusableTable(Exception):
    """This program cannot write to the table. The message is a sentence."""


def table_failure(error: BaseException) -> tuple[Consequence, str] | None:
    """Return the consequence and message of an exception of the tables' libraries; None for any other."""
    kind = type(error)
    if isinstance(error, UnusableTable):
        return Consequence.CONFIG, str(error)
    if not kind.__module__.startswith(_LIBRARIES):
        return None
    words = " ".join(str(error).split("\n", 1)[0].split()).rstrip(".")
    passing = kind.__name__ in _PASSING
    said = f"the catalog of the tables refused: {kind.__name__}{f': {words}' if words else ''}."
    return (Consequence.TRANSIENT if passing else Consequence.CONFIG), f"{said} {_AGAIN if passing else _CHECK}"
