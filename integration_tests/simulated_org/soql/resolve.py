"""From field paths to columns: canonical names, joins to parents, what may be filtered and sorted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from integration_tests.simulated_org.errors import ApiError
from integration_tests.simulated_org.fields import Field
from integration_tests.simulated_org.objects import SObject
from integration_tests.simulated_org.soql.syntax import Path, Query
from integration_tests.simulated_org.soql.tokens import malformed, pointed

_NAME_OBJECT = Field("Type", "string", filterable=False, sortable=False)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A path that was found: the field, its name in canonical case and the SQL that reads it."""

    field: Field
    header: str
    sql: str

    @property
    def parent(self) -> str:
        """The path of the parent that the field is of, empty for the object's own."""
        return self.header.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class _Table:
    declared: SObject
    alias: str
    fields: dict[str, Field]


class Scope:
    """The tables of one query: the object itself and the parents that its paths walk to."""

    def __init__(self, query: Query, base: SObject, find: Callable[[str], SObject | None], now: datetime) -> None:
        self._query = query
        self._find = find
        self._now = now
        self._base = _table(base, "t0")
        self._parents: dict[tuple[str, ...], tuple[str, list[_Table]]] = {}
        self.joins: list[str] = []
        self.declared: list[SObject] = [base]

    def resolve(self, path: Path) -> Resolved:
        """Find the field of a path.

        :raises ApiError: INVALID_FIELD when the user sees no such field.
        """
        parts = list(path.parts)
        if len(parts) > 1 and parts[0].lower() in self._own_names():
            parts = parts[1:]
        tables, prefix = [self._base], ""
        if len(parts) > 6:
            raise malformed(self._query.text, path.at, "SOQL relationships may be at most five levels deep")
        for depth, step in enumerate(parts[:-1], start=1):
            name, tables = self._parent(tables, tuple(part.lower() for part in parts[:depth]), step, path)
            prefix += name + "."
        return self._leaf(tables, parts[-1], prefix, path)

    def parents(self) -> list[tuple[str, str, str]]:
        """Return the object itself, then every parent walked to: its path, its type, and the SQL of its Id."""
        found = [("", self._base.declared.name, 't0."Id"')]
        for key, (name, tables) in sorted(self._parents.items(), key=lambda item: len(item[0])):
            above = next(path for path, _, _ in found if path.lower() == ".".join(key[:-1]))
            ids = [f'{table.alias}."Id"' for table in tables]
            sql = ids[0] if len(ids) == 1 else f"COALESCE({','.join(ids)})"
            found.append((f"{above}.{name}".lstrip("."), tables[0].declared.name if len(tables) == 1 else "Name", sql))
        return found

    def part_names(self, parent: str, compound: str) -> list[str]:
        """Return the names of the fields that a compound field of a parent consists of."""
        key = tuple(parent.lower().split(".")) if parent else ()
        tables = self._parents[key][1] if key else [self._base]
        return [field.name for field in tables[0].declared.fields if field.compound == compound]

    def filterable(self, path: Path) -> Resolved:
        """Find the field of a path that stands in the WHERE.

        :raises ApiError: INVALID_FIELD when it is unknown or must not be filtered by.
        """
        found = self.resolve(path)
        if not found.field.filterable or found.field.filter_lies or found.field.kind == "compound":
            raise self.invalid_field(path, f"field '{found.field.name}' can not be filtered in a query call")
        return found

    def sortable(self, path: Path) -> Resolved:
        """Find the field of a path that stands in ORDER BY.

        :raises ApiError: INVALID_FIELD or MALFORMED_QUERY when it is unknown or must not be sorted by.
        """
        found = self.resolve(path)
        if not found.field.sortable or found.field.filter_lies:
            reason = f"field '{found.field.name}' can not be sorted in a query call"
            raise malformed(self._query.text, path.at, reason)
        return found

    def invalid_field(self, path: Path, reason: str) -> ApiError:
        """Return an INVALID_FIELD that points at the path."""
        return ApiError(400, "INVALID_FIELD", pointed(self._query.text, path.at, reason))

    def _own_names(self) -> set[str]:
        return {self._base.declared.name.lower(), (self._query.alias or self._query.object_name).lower()}

    def _parent(self, tables: list[_Table], key: tuple[str, ...], step: str, path: Path) -> tuple[str, list[_Table]]:
        if key in self._parents:
            return self._parents[key]
        for table in tables:
            for field in table.declared.fields:
                if field.relationship and field.relationship.lower() == step.lower():
                    self._parents[key] = (field.relationship, self._join(table, field))
                    return self._parents[key]
        raise self.invalid_field(
            path,
            f"Didn't understand relationship '{step}' in field path. If you are attempting to use a custom "
            "relationship, be sure to append the '__r' after the custom relationship name.",
        )

    def _join(self, table: _Table, field: Field) -> list[_Table]:
        joined = []
        for target in field.targets:
            declared = self._find(target)
            if declared is None:
                continue
            alias = f"t{len(self.declared)}"
            self.declared.append(declared)
            self.joins.append(f'LEFT JOIN "{declared.name}" AS {alias} ON {alias}."Id" = {table.alias}."{field.name}"')
            joined.append(_table(declared, alias))
        return joined

    def _cell(self, table: _Table, field: Field) -> str:
        if field.formula is None:
            return f'{table.alias}."{field.name}"'
        self.declared += [read for read in map(self._find, field.formula.reads) if read is not None]
        return field.formula.expression(table.alias, self._now)

    def _leaf(self, tables: list[_Table], name: str, prefix: str, path: Path) -> Resolved:
        if len(tables) > 1 and name.lower() == "type":
            cases = " ".join(f"WHEN {one.alias}.\"Id\" IS NOT NULL THEN '{one.declared.name}'" for one in tables)
            return Resolved(_NAME_OBJECT, prefix + "Type", f"(CASE {cases} END)")
        found = [(one, one.fields[name.lower()]) for one in tables if name.lower() in one.fields]
        if not found:
            entity = tables[0].declared.name if len(tables) == 1 else "Name"
            raise self.invalid_field(
                path,
                f"No such column '{name}' on entity '{entity}'. If you are attempting to use a custom field, be sure "
                "to append the '__c' after the custom field name. Please reference your WSDL or the describe call for "
                "the appropriate names.",
            )
        columns = [self._cell(one, field) for one, field in found if field.kind != "compound"]
        field = found[0][1]
        sql = columns[0] if len(columns) == 1 else f"COALESCE({','.join(columns)})" if columns else "NULL"
        return Resolved(field, prefix + field.name, sql)


def _table(declared: SObject, alias: str) -> _Table:
    return _Table(declared, alias, {field.name.lower(): field for field in declared.fields})
