"""WHERE clauses as SQL: each comparison is true or false, never unknown, as SOQL has it.

`!=` and `NOT IN` are true for null, every other comparison with a value is false for null. Text compares without
regard to case, ids as 18-character text, instants as UTC text of fixed form.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import assert_never

from integration_tests.simulated_org.clock import csv_stamp, parse_stamp
from integration_tests.simulated_org.errors import ApiError
from integration_tests.simulated_org.fields import Field
from integration_tests.simulated_org.ids import to_18
from integration_tests.simulated_org.soql.resolve import Resolved, Scope
from integration_tests.simulated_org.soql.syntax import Both, Call, Comparison, Condition, Membership, Not, Path, Value
from integration_tests.simulated_org.soql.tokens import malformed, pointed

_EXPECTED = {
    "number": "double",
    "date": "date",
    "datetime": "dateTime",
    "boolean": "boolean",
    "time": "time",
    "text": "string",
}
_FUNCTIONS: dict[str, tuple[str, Field]] = {
    "CALENDAR_YEAR": ("CAST(substr({0},1,4) AS INTEGER)", Field("year", "int")),
    "CALENDAR_MONTH": ("CAST(substr({0},6,2) AS INTEGER)", Field("month", "int")),
    "DAY_IN_MONTH": ("CAST(substr({0},9,2) AS INTEGER)", Field("day", "int")),
    "HOUR_IN_DAY": ("CAST(substr({0},12,2) AS INTEGER)", Field("hour", "int")),
    "DAY_ONLY": ("substr({0},1,10)", Field("day", "date")),
}


class ConditionWriter:
    """Writes one WHERE clause; `parameters` fills in the order of the question marks."""

    def __init__(self, soql: str, scope: Scope, now: datetime) -> None:
        self._soql = soql
        self._scope = scope
        self._now = now
        self.parameters: list[object] = []

    def write(self, condition: Condition) -> str:
        """Return the SQL of a condition.

        :raises ApiError: the condition is not allowed on that field, or the literal is of another type.
        """
        match condition:
            case Both():
                return "(" + f" {condition.operator} ".join(self.write(part) for part in condition.parts) + ")"
            case Not():
                return f"NOT {self.write(condition.inner)}"
            case Membership():
                return self._membership(condition)
            case Comparison():
                return self._comparison(condition)
            case _:
                assert_never(condition)

    def _left(self, left: Path | Call) -> Resolved:
        if isinstance(left, Path):
            return self._scope.filterable(left)
        if left.name not in _FUNCTIONS or left.argument is None:
            raise malformed(self._soql, left.at, f"Invalid function: {left.name}")
        inner = self._scope.filterable(left.argument)
        template, field = _FUNCTIONS[left.name]
        return Resolved(field, inner.header, template.format(inner.sql))

    def _comparison(self, condition: Comparison) -> str:
        left, value, operator = self._left(condition.left), condition.value, condition.operator
        if value.kind == "null" or (value.kind == "string" and value.text == "" and left.field.kind == "text"):
            return self._null_test(left, operator, value)
        if value.kind == "relative":
            return self._relative(left, operator, value)
        if operator == "LIKE":
            return self._like(left, value)
        if left.field.kind == "boolean" and operator not in ("=", "!="):
            raise self._refused("INVALID_QUERY_FILTER_OPERATOR", value, "operator is not valid on a boolean field")
        sql = _comparable(left)
        self.parameters.append(self._literal(left.field, value))
        collate = " COLLATE NOCASE" if left.field.kind == "text" else ""
        if operator == "!=":
            return f"({sql} IS NULL OR {sql} <> ?{collate})"
        return f"({sql} IS NOT NULL AND {sql} {operator} ?{collate})"

    def _null_test(self, left: Resolved, operator: str, value: Value) -> str:
        if operator not in ("=", "!="):
            raise malformed(self._soql, value.at, "unexpected token: 'null'")
        null = f"({left.sql} IS NULL)"
        if left.field.kind == "boolean":  # SOQL reference, "Using null in WHERE": null is false
            null = f"({left.sql} IS NULL OR {left.sql} = 'false')"
        return null if operator == "=" else f"NOT {null}"

    def _like(self, left: Resolved, value: Value) -> str:
        if left.field.kind != "text" or value.kind != "string":
            raise self._refused("INVALID_QUERY_FILTER_OPERATOR", value, "invalid operator on this type: LIKE")
        self.parameters.append(re.sub(r"\\(?![_%])", r"\\\\", value.text))
        return f"({left.sql} IS NOT NULL AND {left.sql} LIKE ? ESCAPE '\\')"

    def _membership(self, condition: Membership) -> str:
        left = self._scope.filterable(condition.left)
        if condition.operator in ("INCLUDES", "EXCLUDES"):
            return self._includes(left, condition)
        values = [one for one in condition.values if one.kind != "null"]
        self.parameters += [self._literal(left.field, one) for one in values]
        sql = _comparable(left) + (" COLLATE NOCASE" if left.field.kind == "text" else "")
        listed = f"{sql} IN ({','.join('?' * len(values))})"
        with_null = len(values) < len(condition.values)
        found = f"({listed} OR {left.sql} IS NULL)" if with_null else f"({left.sql} IS NOT NULL AND {listed})"
        return found if condition.operator == "IN" else f"NOT {found}"

    def _includes(self, left: Resolved, condition: Membership) -> str:
        if left.field.type != "multipicklist":
            raise self._refused("INVALID_QUERY_FILTER_OPERATOR", condition.values[0], "not a multi-select picklist")
        groups = []
        for value in condition.values:
            choices = value.text.split(";")
            self.parameters += [f"%;{choice};%" for choice in choices]
            groups.append(" AND ".join([f"(';'||{left.sql}||';') LIKE ?"] * len(choices)))
        found = f"({left.sql} IS NOT NULL AND ({' OR '.join(groups)}))"
        return found if condition.operator == "INCLUDES" else f"NOT {found}"

    def _relative(self, left: Resolved, operator: str, value: Value) -> str:
        """Compare with a day range such as TODAY or LAST_N_DAYS:7, in UTC."""
        if left.field.kind not in ("date", "datetime"):
            raise self._mismatch(left.field, value)
        first, after = _day_range(value.text, self._now.date())
        ending = "T00:00:00.000Z" if left.field.kind == "datetime" else ""
        low, high = first.isoformat() + ending, after.isoformat() + ending
        forms: dict[str, tuple[str, list[str]]] = {
            "=": ("{0} >= ? AND {0} < ?", [low, high]),
            "!=": ("({0} < ? OR {0} >= ?)", [low, high]),
            "<": ("{0} < ?", [low]),
            "<=": ("{0} < ?", [high]),
            ">": ("{0} >= ?", [high]),
            ">=": ("{0} >= ?", [low]),
        }
        if operator not in forms:
            raise self._refused("INVALID_QUERY_FILTER_OPERATOR", value, "invalid operator")
        template, bounds = forms[operator]
        self.parameters += bounds
        return f"({left.sql} IS NOT NULL AND {template.format(left.sql)})"

    def _literal(self, field: Field, value: Value) -> object:
        match field.kind, value.kind:
            case "id", "string":
                return to_18(value.text) or self._raise(
                    self._refused("INVALID_QUERY_FILTER_OPERATOR", value, f"invalid ID field: {value.text}")
                )
            case (("text" | "complex" | "base64"), "string"):
                if len(value.text) > 4_000:
                    raise malformed(self._soql, value.at, "string literal is longer than 4000 characters")
                return value.text.replace("\\_", "_").replace("\\%", "%")
            case "number", "number":
                return float(value.text)
            case ("boolean", "boolean") | ("date", "date") | ("time", "time"):
                return value.text
            case "datetime", "datetime":
                return csv_stamp(parse_stamp(value.text))
            case _:
                raise self._mismatch(field, value)

    def _mismatch(self, field: Field, value: Value) -> ApiError:
        quotes = "should be enclosed in quotes" if field.kind in ("text", "id") else "should not be enclosed in quotes"
        expected = "ID" if field.kind == "id" else _EXPECTED.get(field.kind, "string")
        reason = f"value of filter criterion for field '{field.name}' must be of type {expected} and {quotes}"
        return self._refused("INVALID_FIELD", value, reason)

    def _refused(self, code: str, value: Value, reason: str) -> ApiError:
        return ApiError(400, code, pointed(self._soql, value.at, reason))

    def _raise(self, error: ApiError) -> object:
        raise error


def _comparable(left: Resolved) -> str:
    return (
        f"CAST({left.sql} AS REAL)"
        if left.field.kind == "number" and left.sql.startswith(("t", "COAL", "("))
        else left.sql
    )


def _day_range(text: str, today: date) -> tuple[date, date]:
    name, _, count = text.partition(":")
    days = timedelta(days=int(count or 1))
    one = timedelta(days=1)
    return {
        "TODAY": (today, today + one),
        "YESTERDAY": (today - one, today),
        "TOMORROW": (today + one, today + one * 2),
        "LAST_N_DAYS": (today - days, today + one),
        "NEXT_N_DAYS": (today + one, today + one + days),
    }[name]


def filtered_names(condition: Condition | None) -> list[str]:
    """Return every field name that stands in a condition, as written."""
    match condition:
        case None:
            return []
        case Both():
            return [name for part in condition.parts for name in filtered_names(part)]
        case Not():
            return filtered_names(condition.inner)
        case Comparison() | Membership():
            left = condition.left.argument if isinstance(condition.left, Call) else condition.left
            return [str(left)] if left else []
        case _:
            assert_never(condition)


def equal_names(condition: Condition | None) -> set[str]:
    """Give, in lower case, the fields that `=` restricts to one value whatever else the condition says."""
    match condition:
        case Both("AND", parts):
            return {name for part in parts for name in equal_names(part)}
        case Comparison(Path() as left, "="):
            return {str(left).lower()}
        case _:
            return set()


def pinned_names(condition: Condition | None) -> set[str]:
    """Give, in lower case, the fields that `=` or `IN` restricts whatever else the condition says."""
    match condition:
        case Both("AND", parts):
            return {name for part in parts for name in pinned_names(part)}
        case Comparison(Path() as left, "=") | Membership(Path() as left, "IN"):
            return {str(left).lower()}
        case _:
            return set()
