"""What the entries of ``objects``, ``exclude_objects`` and ``--object`` name. Pure.

An entry is an object's API name or a pattern of fnmatch's; upper and lower case are alike in both. Names have none of
fnmatch's characters, so the two cannot be confused. Who writes a name wants that object, and must hear where it is not
to be had; who writes a pattern takes what there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

_WILDCARDS = frozenset("*?[")
_NEAR = 0.75
"""How like a name must be to be suggested: ``Order`` is to ``Order__c`` (0.77), and ``Lead`` to ``Load`` (0.75)."""


def is_pattern(entry: str) -> bool:
    """Whether an entry stands for any number of objects.

    >>> is_pattern("*__c"), is_pattern("Account")
    (True, False)
    """
    return not _WILDCARDS.isdisjoint(entry)


def matches(name: str, entries: Iterable[str]) -> bool:
    """Whether any entry names the object or has a pattern that fits it."""
    return any(fnmatchcase(name.lower(), entry.lower()) for entry in entries)


def is_named(name: str, entries: Iterable[str]) -> bool:
    """Whether an entry is the object's own name.

    >>> is_named("Account", ["account", "*__c"]), is_named("Order__c", ["account", "*__c"])
    (True, False)
    """
    return any(entry.lower() == name.lower() for entry in entries)


def names_in(entries: Iterable[str]) -> tuple[str, ...]:
    """The entries that are names, each once, as first written.

    >>> names_in(["*__c", "Account", "ACCOUNT"])
    ('Account',)
    """
    first: dict[str, str] = {}
    for entry in entries:
        if not is_pattern(entry):
            first.setdefault(entry.lower(), entry)
    return tuple(first.values())


def patterns_without_match(entries: Iterable[str], names: Sequence[str]) -> tuple[str, ...]:
    """The patterns that fit none of ``names``, in their order.

    >>> patterns_without_match(["*__c", "Acc*", "Lead"], ["Account"])
    ('*__c',)
    """
    return tuple(entry for entry in entries if is_pattern(entry) and not any(matches(name, [entry]) for name in names))


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of ``names`` that somebody who wrote ``name`` may have meant; None where none is near.

    >>> nearest("Oportunity", ["Account", "Opportunity"])
    'Opportunity'
    """
    known = {one.lower(): one for one in names}
    found = get_close_matches(name.lower(), known, n=1, cutoff=_NEAR)
    return known[found[0]] if found else None
