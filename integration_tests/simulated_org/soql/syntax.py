"""The syntax tree of a SOQL statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LiteralKind = Literal["string", "number", "boolean", "null", "date", "datetime", "time", "relative"]


@dataclass(frozen=True, slots=True)
class Path:
    """A field or a path through parents: `Name`, `Account.Owner.Name`."""

    parts: tuple[str, ...]
    at: int

    def __str__(self) -> str:
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Call:
    """A function in the field list or in the WHERE: `COUNT()`, `MAX(CreatedDate)`, `FIELDS(ALL)`, `DAY_ONLY(x)`."""

    name: str
    argument: Path | None
    alias: str | None
    at: int


@dataclass(frozen=True, slots=True)
class Construct:
    """A part of a field list that is recognised only to be refused: a subquery or TYPEOF."""

    kind: Literal["subquery", "typeof"]
    at: int


SelectItem = Path | Call | Construct


@dataclass(frozen=True, slots=True)
class Value:
    """A literal; strings are unescaped, all others as written."""

    kind: LiteralKind
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """`path op value`."""

    left: Path | Call
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class Membership:
    """`path IN (…)`, `NOT IN`, `INCLUDES`, `EXCLUDES`."""

    left: Path
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """`NOT condition`."""

    inner: Condition


@dataclass(frozen=True, slots=True)
class Both:
    """Conditions joined by one of AND, OR."""

    operator: Literal["AND", "OR"]
    parts: tuple[Condition, ...]


Condition = Comparison | Membership | Not | Both


@dataclass(frozen=True, slots=True)
class Order:
    """One ORDER BY key."""

    path: Path
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """One statement."""

    text: str
    select: tuple[SelectItem, ...]
    object_name: str
    object_at: int
    alias: str | None
    where: Condition | None
    order: tuple[Order, ...]
    limit: int | None
    offset: int | None
    group_by_at: int | None
