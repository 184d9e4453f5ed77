"""Find the formula fields that depend on the clock, from their texts in describe. Pure.

A formula depends on the clock if it calls TODAY(), NOW() or TIMENOW(), or names another formula of the object that
does. Describe shows no text for roll-up summaries, and cuts a long text at 3,900 characters. A formula that names a
field of another object, such as ``Account__r.Age__c``, may depend on the clock through that field's formula, whose text
is not available. In these cases the answer is unknown, unless the available text already calls the clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from source_salesforce_bulk.salesforce.describe import Field

CUT_AT = 3_900
"""Characters of a formula's text that describe shows."""

_LITERAL_OR_COMMENT = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|/\*.*?\*/""", re.DOTALL)
_CLOCK = re.compile(r"\b(?:TODAY|NOW|TIMENOW)\s*\(", re.IGNORECASE)
_PATH = re.compile(r"\$?[A-Za-z]\w*(?:\.\w+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Formulas:
    """The names of an object's calculated fields. Those in ``clock`` depend on the clock; those in ``unsure`` may.

    ``unsure`` is a part of ``steady``.
    """

    steady: tuple[str, ...] = ()
    clock: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()


NO_FORMULAS = Formulas()


def sort_formulas(fields: Iterable[Field]) -> Formulas:
    """Sort the calculated fields among ``fields``, which are those of one object.

    >>> sort_formulas([Field("Age__c", "double", calculated=True, formula="TODAY() - Start__c")]).clock
    ('Age__c',)
    """
    calculated = {field.name: field for field in fields if field.calculated}
    texts = {name: _bare(field.formula) for name, field in calculated.items()}
    named = {name: {path.lower() for path in _PATH.findall(text)} for name, text in texts.items()}
    clock = _spread({name for name, text in texts.items() if _CLOCK.search(text)}, named)
    blind = {name for name, field in calculated.items() if _is_incomplete(field.formula, named[name])}
    unsure = _spread(blind, named) - clock
    return Formulas(
        steady=tuple(name for name in calculated if name not in clock),
        clock=tuple(name for name in calculated if name in clock),
        unsure=tuple(name for name in calculated if name in unsure),
    )


def _bare(text: str | None) -> str:
    """Return the text without literals and comments, which may contain any words."""
    return _LITERAL_OR_COMMENT.sub(" ", text or "")


def _is_incomplete(text: str | None, named: Iterable[str]) -> bool:
    return text is None or len(text) >= CUT_AT or any("." in path and not path.startswith("$") for path in named)


def _spread(names: set[str], named: Mapping[str, set[str]]) -> set[str]:
    """Return ``names`` and every formula that names one of them, directly or through others."""
    found = set(names)
    while True:
        lower = {name.lower() for name in found}
        further = {name for name, paths in named.items() if name not in found and paths & lower}
        if not further:
            return found
        found |= further
