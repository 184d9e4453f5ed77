"""Every regular expression of the package takes time in proportion to the length of the text.

Answers, cells, files and configurations come from outside: a pattern that tries the same characters again and again
keeps the process busy for minutes, and no signal ends a match.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

import source_salesforce_bulk
from source_salesforce_bulk.airbyte.spec import connection_specification
from unit_tests.pattern_steps import growth

PACKAGE = Path(source_salesforce_bulk.__file__).parent
LINEAR = 2.6
"""Twice the text may take this many times the steps: what a short text costs at least is in both."""
METHODS = ("match", "fullmatch", "search", "sub", "subn", "findall", "finditer", "split")


def compiled() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Yield every pattern of a module, also inside its tables."""
    for info in pkgutil.walk_packages([str(PACKAGE)], "source_salesforce_bulk."):
        if info.name.endswith(("__main__", "spark.glue", "spark.data_source", "spark.spark_types")):
            continue  # they run, or need Spark
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            for pattern in within(value, 0):
                yield f"{info.name.removeprefix('source_salesforce_bulk.')}.{name}", pattern


def within(value: object, depth: int) -> Iterator[re.Pattern[Any]]:
    """The patterns in a value of a module."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, (tuple, list, frozenset)) and depth < 4:
        for item in value:
            yield from within(item, depth + 1)
    elif is_dataclass(value) and not isinstance(value, type) and depth < 4:
        for field in fields(value):
            yield from within(getattr(value, field.name, None), depth + 1)
    elif isinstance(value, dict) and depth < 4:
        for item in value.values():
            yield from within(item, depth + 1)


def used() -> dict[str, set[str]]:
    """By module and name of a constant, the methods that its module calls on it."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Attribute(value=ast.Name(id=name), attr=method) if method in METHODS:
                    found.setdefault(f"{module}.{name}", set()).add(method)
    return found


def inline() -> Iterator[tuple[str, re.Pattern[Any], str]]:
    """Every pattern that stands in a call such as ``re.search``."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="re"), attr=method),
                    args=[ast.Constant(value=(str() | bytes()) as text), *_],
                ) if method in METHODS:
                    yield f"{path.stem}:{text!r}", re.compile(text), method


def in_the_specification(schema: Any) -> Iterator[re.Pattern[str]]:
    """The patterns that a platform's validator searches for."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield re.compile(schema["pattern"])
        for inner in schema.values():
            yield from in_the_specification(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from in_the_specification(inner)


def cases() -> Iterator[tuple[str, re.Pattern[Any], str]]:
    """Name, pattern and the method by which it is used; ``search`` where that is not plain to see."""
    methods = used()
    seen = set()
    for name, pattern in compiled():
        for method in sorted(methods.get(name, {"search"})):
            if (pattern.pattern, pattern.flags, method) not in seen:
                seen.add((pattern.pattern, pattern.flags, method))
                yield f"{name}.{method} {str(pattern.pattern)[:40]}", pattern, method
    yield from inline()
    for pattern in in_the_specification(connection_specification()):
        yield f"spec {pattern.pattern[:40]}", pattern, "search"


CASES = list(cases())


@pytest.mark.parametrize(("pattern", "method"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_pattern_takes_twice_the_steps_for_twice_the_text(pattern, method):
    factor, text = growth(pattern, method)
    assert factor <= LINEAR, f"{pattern.pattern} grows {factor:.1f}-fold on {text}"


def test_the_patterns_are_found():
    names = " ".join(case[0] for case in CASES)
    for known in ("cells._NUMBER", "soql._LITERAL", "failure_table", "error_bodies", "config_values"):
        assert known in names


# Each was in the package once, or is of a form that is known for it.
@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", "fullmatch"),
        (r"[0-9.,]+[YM]", "search"),
        (r"'(?:[^'\\]|\\.)*'", "sub"),
        (r"\s+$", "search"),
        (r"<[^>]*>", "sub"),
        (r"(a|a)*b", "match"),
        (r"(\w+\s?)*:", "match"),
        (r"\w+@\w+", "search"),
    ],
)
def test_a_pattern_that_is_not_linear_is_noticed(pattern, method):
    assert growth(re.compile(pattern), method)[0] > LINEAR


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"\d+(?:\.\d*)?", "fullmatch"),
        (r"\w+", "findall"),
        (r"^\s*x", "search"),
        (r"a{1,5}b", "match"),
        (r"\bA+\b", "search"),
    ],
)
def test_a_linear_pattern_is_let_be(pattern, method):
    assert growth(re.compile(pattern), method)[0] <= LINEAR
