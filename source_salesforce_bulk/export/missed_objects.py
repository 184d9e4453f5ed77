"""What an export says of objects that the user has named and that cannot be had. Pure.

They are wanted no less than the others: each fails, so that neither exit code nor manifest passes over a name that was
misspelt, or an object that was removed from the org or hidden from the user.
"""

from __future__ import annotations

from collections.abc import Sequence

from source_salesforce_bulk.export.outcomes import ExportFailed, ObjectOutcome
from source_salesforce_bulk.extraction.catalog import Survey
from source_salesforce_bulk.salesforce.discovery import LeftOutObject
from source_salesforce_bulk.salesforce.failures import Consequence

_REMEDY = "Correct the name, give the user access to the object, or ask for it no longer."


def missed_outcomes(survey: Survey) -> list[ObjectOutcome]:
    """One failed outcome for each of them."""
    return [
        ObjectOutcome(one.name, ExportFailed(Consequence.CONFIG, f"{_said(one)} {_REMEDY}")) for one in survey.missed
    ]


def nothing_to_export(survey: Survey, entries: Sequence[str]) -> ExportFailed:
    """The failure of a run whose ``entries`` (names and patterns) show no object that can be exported."""
    said = [f"No object that can be exported matches {', '.join(entries)}.", *map(_said, survey.missed)]
    said.append(_REMEDY if survey.missed else "See why with `plan`.")
    return ExportFailed(Consequence.CONFIG, " ".join(said))


def _said(one: LeftOutObject) -> str:
    return f"{one.name} cannot be exported: {one.reason.rstrip('.')}."
