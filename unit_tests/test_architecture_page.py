"""The picture in ``docs/architecture.md`` shows folders and modules that exist, and arrows that go down."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path

from unit_tests.test_layers import FLOORS, PACKAGE, floor_of, read_modules

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PICTURE = re.search(r"```mermaid\nflowchart TD\n(.*?)```", PAGE, re.DOTALL)[1]
ROOMS = dict(re.findall(r'(\w+)\["([^"]*)"\]', PICTURE))
ARROWS = [
    (start, end)
    for start, ends in re.findall(r'(\w+)(?:\["[^"]*"\])? --> ([\w &]+)', PICTURE)
    for end in ends.split(" & ")
]


def modules_of(room: str) -> list[str]:
    """The dotted names of the modules in a room; a label may begin with the folder its modules are in."""
    folder, _, names = ROOMS[room].rpartition(": ")
    return [f"{folder}.{name}" if folder else name for name in re.findall(r"\w+", names)]


def test_every_folder_is_shown():
    folders = {module.split(".")[0] for module in read_modules(ROOT / PACKAGE) if module}
    assert folders == {module.split(".")[0] for room in ROOMS for module in modules_of(room)}


def test_every_module_in_the_picture_exists_on_the_floor_of_its_room():
    modules = read_modules(ROOT / PACKAGE)
    for room in ROOMS:
        assert [name for name in modules_of(room) if name not in modules] == []
        assert len({floor_of(name) for name in modules_of(room)}) == 1


def test_every_arrow_goes_down():
    floors = {room: floor_of(modules_of(room)[0]) for room in ROOMS}
    assert len(ARROWS) > len(FLOORS)
    assert [(start, end) for start, end in ARROWS if floors[start] <= floors[end]] == []


def test_every_file_that_is_named_exists():
    named = re.findall(r"`([\w/.-]+\.(?:py|md|yaml|json))`", PAGE)
    places = (ROOT, ROOT / PACKAGE)
    assert named
    assert [name for name in named if not any((place / name).exists() for place in places)] == []


CALLS = re.findall(r"^\| (?:console script|\d) \| `([\w/.]+)`: `(\w+)` \| `([\w/.]+)`: `(\w+)` \|$", PAGE, re.MULTILINE)


def names_in(path: str) -> set[str]:
    """Every name that a module uses or defines."""
    tree = ast.parse((ROOT / PACKAGE / path).read_text(encoding="utf-8"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return used | {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_both_programs_reach_the_loop_in_four_calls_each_made_where_the_page_says():
    assert len(CALLS) == 1 + 4
    for way in ([row[:2] for row in CALLS], [row[2:] for row in CALLS]):
        assert way[-1] == ("extraction/run_loop.py", "messages")
        for (caller, _), (callee, name) in pairwise(way):
            assert name in names_in(caller), f"{caller} does not call {name}"
            assert f"def {name}(" in (ROOT / PACKAGE / callee).read_text(encoding="utf-8")
