"""What an export says of objects that the user has named and that cannot be had. Pure.

They are wanted no less than the others: each fails, so that neither exit code nor manifest passes over a name that was
misspelt, or an object that was removed from the org or hidden from the user.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from source_salesforce_bulk.export.outcomes import ExportFailed, ObjectOutcome
from source_salesforce_bulk.extraction.catalog import Survey
from source_salesforce_bulk.salesforce.discovery import LeftOutObject
from source_salesforce_bulk.salesforce.failures import Consequence
from source_salesforce_bulk.salesforce.object_hints import is_pattern, matches, nearest

_REMEDY = "Correct the name, give the user access to the object, or ask for it no longer."
_SHOWN = 3


def missed_outcomes(survey: Survey) -> list[ObjectOutcome]:
    """One failed outcome for each of them."""
    return [
        ObjectOutcome(one.name, ExportFailed(Consequence.CONFIG, f"{_said(one)} {_REMEDY}")) for one in survey.missed
    ]


def nothing_to_export(survey: Survey, entries: Sequence[str]) -> ExportFailed:
    """The failure of a run whose ``entries`` (names and patterns) show no object that can be exported."""
    patterns = [entry for entry in entries if is_pattern(entry)]
    said = [_about_pattern(pattern, survey) for pattern in patterns]
    said += [*map(_said, survey.missed), *([_REMEDY] if survey.missed else [])]
    return ExportFailed(Consequence.CONFIG, " ".join(said))


def misspelt(survey: Survey, is_kept: Callable[[str], bool]) -> ExportFailed | None:
    """The failure of a run that names objects which the org does not show and never was asked for; None without any.

    ``is_kept`` tells whether the registry knows an object: one that was exported before is gone, not misspelt.
    """
    names = [one for one in survey.missed if one.unknown and not is_kept(one.name)]
    if not names:
        return None
    return ExportFailed(Consequence.CONFIG, " ".join([*map(_said, names), _REMEDY, "Nothing was begun."]))


def _about_pattern(pattern: str, survey: Survey) -> str:
    """Why a pattern brings no object."""
    fitting = [one for one in survey.left_out if not one.wanted and matches(one.name, [pattern])]
    if fitting:
        return f"No object that can be exported matches {pattern}: {_some(fitting)}."
    near = nearest(pattern.strip("*?"), survey.known)
    hint = f"; did you mean {near}?" if near else ". `discover` lists the objects that can be exported."
    return f"The org shows this user no object that matches {pattern}{hint}"


def _some(left_out: Sequence[LeftOutObject]) -> str:
    more = f", and {len(left_out) - _SHOWN} more" if len(left_out) > _SHOWN else ""
    return "; ".join(f"{one.name}: {one.reason.rstrip('.')}" for one in left_out[:_SHOWN]) + more


def _said(one: LeftOutObject) -> str:
    return f"{one.name} cannot be exported: {one.reason.rstrip('.')}."
