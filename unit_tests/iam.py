"""Evaluate IAM policies as far as those of ``deploy`` need it: who may do what, where, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

Context = Mapping[str, str | list[str]]
"""The condition keys of a request."""


def allows(statements: Iterable[Mapping[str, Any]], action: str, resource: str, context: Context | None = None) -> bool:
    """Return whether the statements allow a request: one allows it and none denies it."""
    asked = [one for one in statements if _applies(one, action, resource, context or {})]
    return bool(asked) and all(one["Effect"] == "Allow" for one in asked)


def actions(statement: Mapping[str, Any]) -> list[str]:
    """The actions of a statement."""
    return _listed(statement["Action"])


def resources(statement: Mapping[str, Any]) -> list[str]:
    """The resources of a statement."""
    return _listed(statement["Resource"])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Context) -> bool:
    return (
        any(fnmatchcase(action.lower(), pattern.lower()) for pattern in actions(statement))
        and any(fnmatchcase(resource, pattern) for pattern in resources(statement))
        and all(
            _holds(operator, _listed(expected), context.get(key))
            for operator, keys in statement.get("Condition", {}).items()
            for key, expected in keys.items()
        )
    )


def _holds(operator: str, expected: list[str], actual: str | list[str] | None) -> bool:
    """One line of a condition. A key that the request lacks fulfils ``ForAllValues`` and nothing else."""
    if operator == "ForAllValues:StringEquals":
        return all(one in expected for one in _listed(actual or []))
    assert operator in ("StringEquals", "StringLike", "ArnEquals", "ArnLike", "Bool"), operator
    if actual is None:
        return False
    if operator == "StringEquals":
        return actual in expected
    return any(fnmatchcase(str(actual).lower(), str(one).lower()) for one in expected)
