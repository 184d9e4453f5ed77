"""The options that commands share.

The option ``--on-drift`` is also the environment variable ``SALESFORCE_BULK_ON_DRIFT``, and ``on_drift`` in a job file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import click

from source_salesforce_bulk.salesforce.blobs import BLOB_OBJECTS, LARGEST

F = TypeVar("F", bound=Callable[..., Any])

PREFIX = "SALESFORCE_BULK_"
FORMAT_NAMES = ("jsonl", "jsonl.gz", "parquet")
LOG_FORMATS = ("text", "json")
DRIFT_POLICIES = ("warn", "fail")

_FOLDER = "DIR|file:///DIR"
_DESTINATIONS = f"{_FOLDER}|s3://BUCKET/PREFIX|iceberg://CATALOG/NAMESPACE|iceberg+file:///DIR"
TABLES = ("log", "current", "both")


class Word(click.Choice):  # type: ignore[type-arg]  # generic from click 8.2 on
    """A choice that suggests the closest value for an invalid one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See ``click.ParamType.convert``."""
        try:
            return str(super().convert(value, param, ctx))
        except click.BadParameter as error:
            near = get_close_matches(str(value).lower(), [str(choice) for choice in self.choices], n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise click.BadParameter(f"{error.message}{hint}", ctx, param) from error


class WordOrWords(Word):
    """A choice that may be repeated; its variable may have several values, between commas or blanks."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See ``click.ParamType.convert``."""
        words = _names(str(value))
        if len(words) > 1 and param is not None:
            repeated = " ".join(f"{param.opts[0]} {word}" for word in words)
            self.fail(f"{value} is more than one value. Repeat the option: {repeated}", param, ctx)
        return super().convert(value, param, ctx)

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """See ``click.ParamType.split_envvar_value``."""
        return _names(rv)


class ObjectPattern(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.2 on
    """An object's API name or a pattern of names."""

    name = "pattern"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See ``click.ParamType.convert``."""
        text = str(value).strip()
        if "," in text or " " in text:
            names = " ".join(f"--object {name}" for name in re.split(r"[,\s]+", text) if name)
            self.fail(f"{text} is more than one object. Repeat the option: {names}", param, ctx)
        if not text:
            self.fail(
                "An object's name is empty. Write a name such as Account, or a pattern such as '*__c'.", param, ctx
            )
        return text

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """Split a variable with several names at commas or blanks."""
        return _names(rv)


def _names(text: str) -> list[str]:
    return [name for name in re.split(r"[,\s]+", text) if name]


def option(name: str, *declarations: str, **attributes: Any) -> Callable[[F], F]:
    """Return a click option with its environment variable."""
    variable = PREFIX + name.removeprefix("--").replace("-", "_").upper()
    return click.option(name, *declarations, envvar=variable, **attributes)


def config_option(command: F) -> F:
    """Add ``--config``."""
    return option(
        "--config",
        required=True,
        metavar="FILE|env:NAME|secretsmanager://NAME",
        help="The connector's configuration.",
    )(command)


def object_option(command: F) -> F:
    """Add ``--object``."""
    return option(
        "--object",
        "objects",
        multiple=True,
        type=ObjectPattern(),
        metavar="PATTERN",
        help="An object by name or pattern; may be repeated. Default: the configuration's objects.",
    )(command)


def files_option(command: F) -> F:
    """Add ``--files``."""
    return option(
        "--files",
        multiple=True,
        type=WordOrWords(tuple(BLOB_OBJECTS), case_sensitive=False),
        help="Also store the files of this object: the binary content of its rows. May be repeated.",
    )(command)


def largest_file_option(command: F) -> F:
    """Add ``--max-file-bytes``."""
    return option(
        "--max-file-bytes",
        type=click.IntRange(1),
        default=LARGEST,
        show_default=True,
        metavar="N",
        help="Larger files are left out and counted.",
    )(command)


def state_option(*, required: bool) -> Callable[[F], F]:
    """Add ``--state``."""
    text = "Where progress is stored." if required else "Plan from the progress stored there."
    return option("--state", required=required, metavar=f"{_FOLDER}|dynamodb://TABLE", help=text)


def export_state_option(command: F) -> F:
    """Add ``--state`` of an export, which tables do not need."""
    text = "Where progress is kept. Tables keep their own."
    return option("--state", metavar=f"{_FOLDER}|dynamodb://TABLE", help=text)(command)


def destination_option(command: F) -> F:
    """Add ``--destination``."""
    return option("--destination", required=True, metavar=_DESTINATIONS, help="Where the files or tables go.")(command)


def schemas_option(command: F) -> F:
    """Add ``--schemas``."""
    return option(
        "--schemas",
        metavar=f"{_FOLDER}|glue://REGISTRY",
        help="Where schema versions are kept. Tables keep their own.",
    )(command)


def json_option(command: F) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(command)


def log_options(command: F) -> F:
    """Add ``--log-format``, ``-v`` and ``-q``."""
    log_format = option(
        "--log-format",
        type=Word(LOG_FORMATS),
        help="Log lines on stderr as text or as JSON. Default: text on a terminal, else JSON.",
    )
    verbose = click.option("-v", "--verbose", is_flag=True, help="Log more: each poll and each retry.")
    quiet = click.option("-q", "--quiet", is_flag=True, help="Log warnings and errors only.")
    return log_format(verbose(quiet(command)))


def job_option(command: F) -> F:
    """Add ``--job``, whose keys are defaults for the command's other options."""
    return option(
        "--job",
        is_eager=True,
        expose_value=False,
        callback=_take_defaults,
        metavar="FILE",
        help="A YAML file with any of these options. See `salesforce-bulk spec --job`.",
    )(command)


def _take_defaults(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    from source_salesforce_bulk.export.job_file import JobFileError, read_job  # noqa: PLC0415 - only with --job

    try:
        context.default_map = {**(context.default_map or {}), **read_job(Path(value)).defaults()}
    except JobFileError as error:
        raise click.BadParameter(str(error), context, parameter) from error
