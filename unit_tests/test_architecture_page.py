"""The picture of the layers in ``docs/architecture.md`` shows modules that exist, each in the layer it is in."""

from __future__ import annotations

import re
from pathlib import Path

from unit_tests.test_layers import PACKAGE, layer_of, read_modules

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
LAYERS = re.findall(r'subgraph L(\d)\["[^"]*"\]\n(.*?)\n    end', PAGE, re.DOTALL)


def shown() -> list[tuple[int, str]]:
    """Layer and dotted name of every module in the picture; a label may begin with the package its modules are in."""
    found = []
    for layer, boxes in LAYERS:
        for label in re.findall(r'\w+\["([^"]*)"\]', boxes):
            package, _, names = label.rpartition(": ")
            words = re.findall(r"\w+", names.replace("<br/>", " "))
            found += [(int(layer), f"{package}.{name}" if package else name) for name in words]
    return found


def test_every_layer_is_shown():
    assert [layer for layer, _ in LAYERS] == ["4", "3", "2", "1"]


def test_every_module_in_the_picture_exists_in_its_layer():
    modules = read_modules(ROOT / PACKAGE)
    assert [name for _, name in shown() if name not in modules] == []
    assert [(layer, name) for layer, name in shown() if layer_of(name) != layer] == []


def test_every_file_that_is_named_exists():
    named = re.findall(r"`([\w/.-]+\.(?:py|md|yaml|json))`", PAGE)
    places = (ROOT, ROOT / PACKAGE)
    assert named
    assert [name for name in named if not any((place / name).exists() for place in places)] == []
