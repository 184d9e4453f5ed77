"""The recipes of docs/scheduling.md are valid Python and agree with the program's exit codes."""

from __future__ import annotations

import ast
import re
import subprocess
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


@pytest.mark.parametrize(("codes", "tries"), [([0], 1), ([2], 1), ([75, 0], 2), ([75, 3], 2), ([75, 75, 75], 3)])
def test_the_line_for_cron_tries_again_after_75_alone_under_the_same_run_id(
    tmp_path: Path, codes: list[int], tries: int
) -> None:
    (line,) = re.findall(r"^```crontab\n(.*)\n```$", PAGE, re.MULTILINE)
    *times, command = line.split(maxsplit=5)
    assert times == ["5", "2", "*", "*", "*"]
    assert not re.search(r"(?<!\\)%", command)
    program = tmp_path / "salesforce" / ".venv" / "bin" / "salesforce-bulk"
    program.parent.mkdir(parents=True)
    (tmp_path / "codes").write_text("".join(f"{code}\n" for code in codes))
    program.write_text(
        '#!/bin/sh\necho "$@" >> "$HOME/calls"\n'
        'code=$(head -n 1 "$HOME/codes"); sed -i 1d "$HOME/codes"; exit "$code"\n'
    )
    (tmp_path / "sleep").write_text("#!/bin/sh\n")
    for made in (program, tmp_path / "sleep"):
        made.chmod(0o755)

    env = {"HOME": str(tmp_path), "PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run(["/bin/sh", "-c", command.replace("\\%", "%")], env=env, check=False, timeout=30)

    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == tries
    assert len(set(calls)) == 1
    assert re.fullmatch(r"export --job nightly\.yaml --run-id \d{4}-\d\d-\d\d", calls[0])


@pytest.mark.parametrize(
    "run_id", ["2026-11-25", "scheduled__2026-11-25T01_05_00_00_00", "b4c8f1de-6f0d-4a4e-9c5c-2a9b6f6d7c11"]
)
def test_the_run_ids_of_the_recipes_are_taken(run_id: str) -> None:
    assert _RUN_ID.fullmatch(run_id)
