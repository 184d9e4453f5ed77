"""The recipes of docs/scheduling.md are Python, and agree with the exit codes of the program."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from source_salesforce_bulk.export.cli import commands
from source_salesforce_bulk.export.export_command import _RUN_ID
from source_salesforce_bulk.export.outcomes import ExitCode

PAGE = (Path(__file__).parents[1] / "docs" / "scheduling.md").read_text(encoding="utf-8")
RECIPES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("recipe", RECIPES, ids=["airflow", "dagster", "prefect"])
def test_a_recipe_is_python_that_gives_up_on_what_retrying_does_not_mend(recipe: str) -> None:
    ast.parse(recipe)
    assert "code in (1, 2, 3)" in recipe or "code not in (1, 2, 3)" in recipe
    for option in re.findall(r'"(--[a-z-]+)"', recipe):
        assert option in {name for parameter in commands.commands["export"].params for name in parameter.opts}


def test_every_exit_code_is_in_the_table() -> None:
    told = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", PAGE, re.MULTILINE) for code in row.split(",")}
    assert set(ExitCode) <= told


@pytest.mark.parametrize("run_id", ["2026-11-25", "20261125T020500", "b4c8f1de-6f0d-4a4e-9c5c-2a9b6f6d7c11"])
def test_the_run_ids_of_the_recipes_are_taken(run_id: str) -> None:
    assert _RUN_ID.fullmatch(run_id)
