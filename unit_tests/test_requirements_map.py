"""docs/requirements.md maps every line of the brief to what fulfils it, and everything it names exists."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from unit_tests.requirements_map import Named, Row, parse_rows, read_rows

ROOT = Path(__file__).parents[1]
LINES_OF_THE_BRIEF = range(1, 20)
SUBCOMMANDS = {"source-salesforce-bulk": {"spec", "check", "discover", "read"}}


def make_targets(root: Path) -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def exists(text: str, root: Path) -> bool:
    """Return whether a path, a test ``path::name`` or a command (`make x`, a console script) is there."""
    words = text.split()
    if words[0] == "make":
        return len(words) > 1 and words[1] in make_targets(root)
    if "/" not in text and len(words) > 1:
        scripts = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
        return words[0] in scripts and words[1] in SUBCOMMANDS.get(words[0], {words[1]})
    path, _, name = text.partition("::")
    if not name:
        return (root / path).exists()
    return (root / path).is_file() and name in {
        node.name
        for node in ast.walk(ast.parse((root / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def offences(row: Row, root: Path) -> Iterator[str]:
    """Yield a sentence for each problem of a row."""
    if not row.asked:
        yield f"line {row.number} does not say what was asked"
    for kind, named in (("module", row.modules), ("command", row.commands), ("test", row.tests)):
        if not named:
            yield f"line {row.number} names no {kind}"
    if row.status == "done" and any(named.later for named in row.named):
        yield f"line {row.number} is done, but something in it is marked later"
    if row.status in {"in part", "later"} and not any(named.later for named in row.named):
        yield f"line {row.number} is not done, but nothing in it is marked later"
    if row.status in {"in part", "later"} and not row.explanation.startswith("arrives with "):
        yield f"line {row.number} must say what it arrives with"
    if row.status == "being built":
        return
    for named in row.named:
        yield from missing_or_stale(row.number, named, root)


def missing_or_stale(number: int, named: Named, root: Path) -> Iterator[str]:
    there = exists(named.text, root)
    if not named.later and not there:
        yield f"line {number}: {named.text} does not exist"
    if named.later and there:
        yield f"line {number}: {named.text} exists by now; take its (later) away"


def test_every_line_of_the_brief_is_there_once():
    assert [row.number for row in read_rows()] == list(LINES_OF_THE_BRIEF)


@pytest.mark.parametrize("row", read_rows(), ids=lambda row: f"line-{row.number}")
def test_a_line_names_what_exists(row):
    assert list(offences(row, ROOT)) == []


@pytest.fixture
def root(tmp_path):
    (tmp_path / "Makefile").write_text("test: x ## Run\n\techo\n", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        '[project.scripts]\nsource-salesforce-bulk = "a:b"\nother = "a:c"\n', encoding="utf-8"
    )
    (tmp_path / "a.py").write_text("def test_it():\n    pass\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("a.py", True),
        ("b.py", False),
        ("a.py::test_it", True),
        ("a.py::test_other", False),
        ("b.py::test_it", False),
        ("make test", True),
        ("make tea", False),
        ("source-salesforce-bulk read", True),
        ("source-salesforce-bulk write", False),
        ("other anything", True),
        ("salesforce-bulk export", False),
    ],
)
def test_what_exists(text, there, root):
    assert exists(text, root) is there


@pytest.mark.parametrize(
    ("row", "complaints"),
    [
        ("| 1 | x | `a.py` | `make test` | `a.py::test_it` | done |", []),
        ("| 1 |  | `a.py` | `make test` | `a.py` | done |", ["line 1 does not say what was asked"]),
        ("| 1 | x | nothing | `make test` | `a.py` | done |", ["line 1 names no module"]),
        ("| 1 | x | `a.py` |  | `a.py` | done |", ["line 1 names no command"]),
        ("| 1 | x | `a.py` | `make test` |  | done |", ["line 1 names no test"]),
        ("| 1 | x | `b.py` | `make test` | `a.py` | done |", ["line 1: b.py does not exist"]),
        ("| 1 | x | `b.py` | `make tea` | `c.py` | being built |", []),
        ("| 1 | x | `a.py`, `b.py` (later) | `make test` | `a.py` | in part, arrives with tea |", []),
        (
            "| 1 | x | `b.py` (later) | `make test` | `a.py` | done |",
            ["line 1 is done, but something in it is marked later"],
        ),
        (
            "| 1 | x | `a.py` | `make test` | `a.py` | in part: arrives with tea |",
            ["line 1 is not done, but nothing in it is marked later"],
        ),
        (
            "| 1 | x | `a.py`, `b.py` (later) | `make test` | `a.py` | in part |",
            ["line 1 must say what it arrives with"],
        ),
        (
            "| 1 | x | `a.py` (later), `b.py` (later) | `make test` | `a.py` | later, arrives with tea |",
            ["line 1: a.py exists by now; take its (later) away"],
        ),
    ],
)
def test_a_wrong_row_is_seen(row, complaints, root):
    (parsed,) = parse_rows(row)
    assert list(offences(parsed, root)) == complaints


@pytest.mark.parametrize("row", ["| 1 | x | `a.py` | done |", "| 1 | x | `a.py` | `make test` | `a.py` | soon |"])
def test_a_row_of_another_shape_is_refused(row):
    with pytest.raises(ValueError, match=r"six cells|status"):
        parse_rows(row)
