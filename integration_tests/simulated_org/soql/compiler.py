"""From the syntax tree to SQL, refusing what Bulk 2.0 or the query resource would refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from integration_tests.simulated_org.clock import csv_stamp
from integration_tests.simulated_org.errors import API_ERRORS, ApiError
from integration_tests.simulated_org.fields import Field
from integration_tests.simulated_org.objects import SObject
from integration_tests.simulated_org.settings import OrgSettings
from integration_tests.simulated_org.soql.conditions import (
    ConditionWriter,
    equal_names,
    filtered_names,
    pinned_names,
)
from integration_tests.simulated_org.soql.resolve import Resolved, Scope
from integration_tests.simulated_org.soql.syntax import Call, Construct, Path, Query, SelectItem
from integration_tests.simulated_org.soql.tokens import malformed, pointed

Dialect = Literal["bulk", "rest"]
_MAX_STATEMENT = 100_000
_ORDERS = {"id": 't0."Id"', "shuffled": "(t0.rowid * 7919) % 10007, t0.rowid"}
_AGGREGATES = {
    "COUNT": "COUNT({0})",
    "COUNT_DISTINCT": "COUNT(DISTINCT {0})",
    "MIN": "MIN({0})",
    "MAX": "MAX({0})",
    "SUM": "SUM(CAST({0} AS REAL))",
    "AVG": "AVG(CAST({0} AS REAL))",
}


@dataclass(frozen=True, slots=True)
class CompiledQuery:
    """A statement ready to run: the SQL gives one text cell per column, in order.

    `count_only` marks `SELECT COUNT()`; `tables` are the objects whose tables the SQL reads.
    """

    declared: SObject
    columns: tuple[Resolved, ...]
    sql: str
    parameters: tuple[object, ...]
    tables: tuple[SObject, ...]
    count_only: bool
    aggregate: bool
    pk_chunking: bool
    limit: int | None
    query: Query
    parents: tuple[tuple[str, str], ...] = ()  # with extras: paths and types, whose Ids follow the columns in the SQL
    parts: tuple[Resolved, ...] = ()  # with extras: parts of selected compounds, which follow the Ids


@dataclass(frozen=True, slots=True)
class QueryContext:
    """The schema, operation, resource and moment that a statement is compiled against."""

    find: Callable[[str], SObject | None]
    settings: OrgSettings
    now: datetime
    dialect: Dialect = "bulk"
    all_rows: bool = False  # queryAll
    late: frozenset[str] = frozenset()  # objects with rows that become visible later
    alphabetical: bool = False  # API versions below 50 sort the columns
    with_extras: bool = False
    sharing: Mapping[str, str] = field(default_factory=dict)  # objects with hidden rows: the SQL of those that are seen


def compile_query(query: Query, context: QueryContext) -> CompiledQuery:
    """Compile a statement.

    :raises ApiError: with the code and message that the resource answers for this statement.
    """
    if len(query.text) > _MAX_STATEMENT:
        raise ApiError(400, "MALFORMED_QUERY", f"SOQL statements cannot be longer than {_MAX_STATEMENT} characters.")
    declared = _object(query, context)
    _refuse_clauses(query, context)
    scope = Scope(query, declared, context.find, context.now)
    columns, count_only, aggregate = _columns(query, declared, scope, context)
    writer = ConditionWriter(query.text, scope, context.now)
    where = _where(query, declared, context, writer)
    order = _order(query, scope, context)
    chunking = (
        declared.chunkable
        and not (query.order or query.limit)
        and not any("id" in name.lower() for name in filtered_names(query.where))
    )
    extras = context.with_extras and not (count_only or aggregate)
    parts = _parts(columns, scope) if extras else ()
    shown = [column.parent + "." for column in columns]
    parents = [one for one in scope.parents() if any(path.startswith(one[0]) for path in shown)] if extras else []
    selected = ", ".join(
        [*(column.sql for column in columns), *(sql for _, _, sql in parents), *(part.sql for part in parts)]
    )
    selected = selected or "COUNT(*)"
    sql = f'SELECT {selected} FROM "{declared.name}" AS t0 {" ".join(scope.joins)} WHERE {where}'
    if not (count_only or aggregate):
        sql += f" ORDER BY {order} LIMIT {-1 if query.limit is None else query.limit} OFFSET {query.offset or 0}"
    return CompiledQuery(
        declared,
        columns,
        sql,
        tuple(writer.parameters),
        tuple(scope.declared),
        count_only,
        aggregate,
        chunking,
        query.limit,
        query,
        tuple((path, type_name) for path, type_name, _ in parents),
        parts,
    )


def _object(query: Query, context: QueryContext) -> SObject:
    declared = context.find(query.object_name)
    if declared is None:
        raise ApiError(
            400,
            "INVALID_TYPE",
            pointed(
                query.text,
                query.object_at,
                f"sObject type '{query.object_name}' is not supported. If you are attempting to use a "
                "custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the "
                "describe call for the appropriate names.",
            ),
        )
    refusal = declared.bulk_refusal if context.dialect == "bulk" else declared.rest_refusal
    if refusal is not None:
        raise refusal.api_error(declared.name)
    _require_filter(query, declared)
    return declared


def _require_filter(query: Query, declared: SObject) -> None:
    wanted = {name.lower() for name in declared.filter_required}
    if not wanted or declared.filter_refusal is None:
        return
    if not wanted & pinned_names(query.where):
        raise declared.filter_refusal.api_error(declared.name)
    others = declared.filter_with_others is not None and len(filtered_names(query.where)) > 1
    admitting = {name.lower() for name in declared.filter_with_others or ()}
    if others and not admitting & equal_names(query.where):
        raise declared.filter_refusal.api_error(declared.name)


def _refuse_clauses(query: Query, context: QueryContext) -> None:
    bulk = context.dialect == "bulk"
    if query.group_by_at is not None:
        if bulk:
            raise _unsupported(context, "Aggregate Relationships not supported in Bulk Query")
        raise malformed(query.text, query.group_by_at, "GROUP BY is not part of this simulator")
    if bulk and query.offset is not None:
        raise _unsupported(context, "OFFSET not supported in Bulk Query")
    if query.offset is not None and query.offset > 2_000:
        raise ApiError(400, "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
    for item in query.select:
        if isinstance(item, Construct):
            _refuse_construct(item, query, context)


def _refuse_construct(item: Construct, query: Query, context: QueryContext) -> None:
    if context.dialect == "rest":
        raise malformed(query.text, item.at, f"{item.kind} is not part of this simulator")
    if item.kind == "subquery":
        raise _unsupported(context, "Aggregate Relationships not supported in Bulk Query")
    raise _unsupported(context, "TYPEOF not supported in Bulk Query")


def _unsupported(context: QueryContext, message: str) -> ApiError:
    return ApiError(400, context.settings.compound_error_code, message)


def _columns(
    query: Query, declared: SObject, scope: Scope, context: QueryContext
) -> tuple[tuple[Resolved, ...], bool, bool]:
    calls = [item for item in query.select if isinstance(item, Call) and item.name != "FIELDS"]
    if calls:
        if context.dialect == "bulk":
            raise _unsupported(context, "Aggregate Relationships not supported in Bulk Query")
        if len(query.select) == 1 and calls[0].name == "COUNT" and calls[0].argument is None:
            return (), True, False
        return tuple(_aggregate(item, at, query, scope) for at, item in enumerate(query.select)), False, True
    columns: list[Resolved] = []
    for item in query.select:
        columns += _selected(item, query, declared, scope, context)
    _refuse_duplicates(columns, query)
    if context.alphabetical:
        columns.sort(key=lambda column: column.header.lower())
    return tuple(columns), False, False


def _selected(item: SelectItem, query: Query, declared: SObject, scope: Scope, context: QueryContext) -> list[Resolved]:
    if isinstance(item, Path):
        found = scope.resolve(item)
        if context.dialect == "bulk":
            _refuse_field(found.field, context)
        return [found]
    if context.dialect == "bulk":
        raise _unsupported(context, "Selecting compound data not supported in Bulk Query")
    group = str(item.argument).upper() if isinstance(item, Call) and item.argument else ""
    if group != "STANDARD" and (query.limit is None or query.limit > 200):
        raise malformed(query.text, item.at, "The SOQL FIELDS function must have a LIMIT of at most 200")
    return [
        scope.resolve(Path((field.name,), item.at))
        for field in declared.fields
        if group == "ALL" or field.custom == (group == "CUSTOM")
    ]


def _parts(columns: tuple[Resolved, ...], scope: Scope) -> tuple[Resolved, ...]:
    """Return the parts of the compound fields among the columns."""
    found = []
    for column in columns:
        if column.field.kind == "compound":
            above = column.parent.split(".") if column.parent else []
            names = scope.part_names(column.parent, column.field.name)
            found += [scope.resolve(Path((*above, name), 0)) for name in names]
    return tuple(found)


def _refuse_field(field: Field, context: QueryContext) -> None:
    if field.kind == "compound" or field.type == "JunctionIdList":
        raise ApiError(400, context.settings.compound_error_code, API_ERRORS["COMPOUND"].message)
    if field.kind == "base64":
        raise _unsupported(context, "Blob field not supported in Bulk V2 Query with CSV content type")
    if field.kind == "complex" and context.settings.complexvalue_in_bulk == "refused":
        raise _unsupported(context, f"Cannot serialize value for '{field.name}' in CSV format")


def _aggregate(item: SelectItem, at: int, query: Query, scope: Scope) -> Resolved:
    if not isinstance(item, Call) or item.name not in _AGGREGATES or item.argument is None:
        place = item.at
        raise malformed(query.text, place, "Field must be grouped or aggregated")
    inner = scope.resolve(item.argument)
    field = Field("count", "int") if item.name.startswith("COUNT") else inner.field
    if item.name in ("MIN", "MAX") and inner.field.kind == "number":
        inner = replace(inner, sql=f"CAST({inner.sql} AS REAL)")
    return Resolved(field, item.alias or f"expr{at}", _AGGREGATES[item.name].format(inner.sql))


def _refuse_duplicates(columns: list[Resolved], query: Query) -> None:
    seen: set[str] = set()
    for column in columns:
        if column.header in seen:
            raise ApiError(400, "INVALID_FIELD", pointed(query.text, 7, f"duplicate field selected: {column.header}"))
        seen.add(column.header)


def _where(query: Query, declared: SObject, context: QueryContext, writer: ConditionWriter) -> str:
    parts = [] if context.all_rows else ["t0.\"IsDeleted\" = 'false'"]
    if not context.all_rows and declared.name in ("Task", "Event"):
        parts.append("t0.\"IsArchived\" = 'false'")
    if declared.name in context.sharing:
        parts.append(context.sharing[declared.name])
    if declared.name in context.late:
        parts.append(f'(t0."_visible_from" IS NULL OR t0."_visible_from" <= \'{csv_stamp(context.now)}\')')
    if query.where is not None:
        parts.append(writer.write(query.where))
    return " AND ".join(parts) or "1"


def _order(query: Query, scope: Scope, context: QueryContext) -> str:
    keys = []
    for order in query.order:
        found = scope.sortable(order.path)
        sql = f"CAST({found.sql} AS REAL)" if found.field.kind == "number" else found.sql
        collate = " COLLATE NOCASE" if found.field.kind == "text" else ""
        keys.append(
            f"{sql}{collate} {'DESC' if order.descending else 'ASC'} NULLS {'LAST' if order.nulls_last else 'FIRST'}"
        )
    default = _ORDERS["id" if query.order else context.settings.row_order]
    return ", ".join([*keys, default])
