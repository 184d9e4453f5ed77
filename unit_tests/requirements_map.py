"""Read docs/requirements.md: the table that maps each line of the brief to what fulfils it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "requirements.md"

# `name`, with "(later)" behind it where it does not exist yet.
NAMED = re.compile(r"`([^`]+)`(\s*\(later\))?")
STATUSES = ("done", "being built", "in part", "later")


@dataclass(frozen=True)
class Named:
    """An entry of the table: a path, a test (``path::name``) or a command."""

    text: str
    later: bool


@dataclass(frozen=True)
class Row:
    """One line of the brief."""

    number: int
    asked: str
    modules: tuple[Named, ...]
    commands: tuple[Named, ...]
    tests: tuple[Named, ...]
    status: str
    explanation: str

    @property
    def named(self) -> tuple[Named, ...]:
        return self.modules + self.commands + self.tests


def names_in(cell: str) -> tuple[Named, ...]:
    return tuple(Named(text, bool(later)) for text, later in NAMED.findall(cell))


def parse_rows(text: str) -> list[Row]:
    """The table's rows. Raises ValueError for a row of another shape or with an unknown status."""
    rows = []
    for line in text.splitlines():
        if not re.match(r"\|\s*\d+\s*\|", line):
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) != 6:
            raise ValueError(f"a row has six cells: {line}")
        number, asked, modules, commands, tests, state = cells
        status = next((known for known in STATUSES if re.match(rf"{known}\b", state)), None)
        if status is None:
            raise ValueError(f"line {number}: status {state!r} does not begin with one of {STATUSES}")
        explanation = state.removeprefix(status).strip(" :,")
        rows.append(
            Row(int(number), asked, names_in(modules), names_in(commands), names_in(tests), status, explanation)
        )
    return rows


def read_rows() -> list[Row]:
    return parse_rows(DOCUMENT.read_text(encoding="utf-8"))
