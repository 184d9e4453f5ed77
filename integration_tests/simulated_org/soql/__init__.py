"""The SOQL subset: text -> tokens -> syntax tree -> SQLite SQL, with the API's own refusals on the way."""

from __future__ import annotations

from integration_tests.simulated_org.soql.compiler import CompiledQuery, compile_query
from integration_tests.simulated_org.soql.parser import parse_soql

__all__ = ["CompiledQuery", "compile_query", "parse_soql"]
