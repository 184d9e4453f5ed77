"""The command line: names, hints, and the sources of options. No command is run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from source_salesforce_bulk.export import export_command, plan_command
from source_salesforce_bulk.export.cli import commands
from source_salesforce_bulk.export.job_file import Job
from source_salesforce_bulk.signals import Stop

PLACES = ["--destination", "out", "--state", "state", "--schemas", "schemas"]


def call(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(commands, arguments, obj=Stop(), env=env or {})


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The options that commands were run with."""
    seen: list[Any] = []
    monkeypatch.setattr(export_command, "run_export", lambda options, _: seen.append(options))
    monkeypatch.setattr(plan_command, "run_plan", lambda options, _: seen.append(options))
    return seen


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["exprt"], "There is no command 'exprt'. Did you mean export?"),
        (["state", "shw"], "shw"),
        (["export", "--destinaton", "x"], "--destination"),
        (["export", "--format", "parket"], "Did you mean parquet?"),
        (["plan", "--log-format", "jsn"], "Did you mean json?"),
        (["export", "--object", "Account,Contact"], "Repeat the option: --object Account --object Contact"),
        (["export", "--files", "Document,Attachment"], "Repeat the option: --files Document --files Attachment"),
        (["plan", "--files", "ContentVersions"], "Did you mean ContentVersion?"),
        (["export", "--max-file-bytes", "0"], "--max-file-bytes"),
        (["plan", "--object", "Account Contact"], "--object Account --object Contact"),
        (["plan", "--object", ""], "An object's name is empty"),
        (["export"], "Missing option '--config'"),
        (["plan", "--job", "no-such-file.yaml"], "no-such-file.yaml cannot be read"),
    ],
)
def test_a_wrong_command_line_is_answered_with_the_nearest_right_one(arguments: list[str], says: str) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert says in result.output


def test_the_version_is_the_distributions() -> None:
    assert call("--version").output.startswith("salesforce-bulk, version ")


def test_options_come_from_the_command_line_then_the_environment_then_the_job(taken: list[Any], tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("config: from-job\nobjects: [FromJob]\nformat: jsonl\non_drift: fail\nstate: from-job\n")
    env = {"SALESFORCE_BULK_OBJECT": "FromEnv, Other", "SALESFORCE_BULK_STATE": "from-env"}
    result = call("export", "--job", str(job), "--state", "line", "--destination", "d", "--schemas", "s", env=env)
    assert result.exit_code == 0, result.output
    (options,) = taken
    assert (options.config, options.state, options.format_name, options.on_drift) == (
        "from-job",
        "line",
        "jsonl",
        "fail",
    )
    assert options.objects == ("FromEnv", "Other")
    call("plan", env={**env, "SALESFORCE_BULK_JOB": str(job)})
    assert (taken[1].config, taken[1].state, taken[1].objects) == ("from-job", "from-env", ("FromEnv", "Other"))


def test_files_come_from_the_environment_then_the_job_in_salesforces_spelling(taken: list[Any], tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("config: x\nfiles: [Document]\nmax_file_bytes: 5000\n")
    assert call("export", "--job", str(job), *PLACES).exit_code == 0
    assert (taken[0].files, taken[0].max_file_bytes) == (("Document",), 5000)
    env = {"SALESFORCE_BULK_FILES": "attachment, CONTENTVERSION", "SALESFORCE_BULK_JOB": str(job)}
    assert call("export", *PLACES, env=env).exit_code == 0
    assert taken[1].files == ("Attachment", "ContentVersion")


def test_a_job_file_with_a_typo_begins_nothing(taken: list[Any], tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("config: x\nstat: y\n")
    result = call("export", "--job", str(job), *PLACES)
    assert result.exit_code == 2
    assert "line 2: stat is not a known key; did you mean state?" in result.output
    assert taken == []


def test_a_job_file_may_hold_what_only_some_commands_take(taken: list[Any], tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("config: x\ndestination: out\n")
    assert call("plan", "--job", str(job)).exit_code == 0
    assert taken[0].config == "x"


def test_every_key_of_a_job_file_is_an_option_of_export() -> None:
    parameters = {parameter.name for parameter in commands.commands["export"].params}
    assert {"format_name" if name == "format" else name for name in Job.model_fields} <= parameters


def test_every_option_of_every_command_says_what_it_is_for() -> None:
    for name, command in commands.commands.items():
        assert command.help, name
        for parameter in command.params:
            assert not isinstance(parameter, click.Option) or parameter.help or parameter.name == "format_name", (
                parameter
            )


def test_the_schemas_are_printed_as_json() -> None:
    assert json.loads(call("spec", "--job").output)["title"] == "salesforce-bulk job"
    assert "credentials" in json.loads(call("spec").output)["properties"]


def test_help_loads_nothing_that_only_a_command_needs() -> None:
    script = (
        "import sys\nfrom source_salesforce_bulk.export.cli import commands\n"
        "try:\n    commands.main(['--help'], prog_name='x')\nexcept SystemExit:\n    pass\n"
        "print(sorted({'boto3', 'pyarrow', 'rich', 'jwt', 'requests', 'pydantic', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
