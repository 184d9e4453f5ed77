"""A job file: the options of a scheduled command, as YAML.

    config: secretsmanager://prod/salesforce
    objects: [Account, Contact, "*__c"]
    destination: s3://lake/salesforce
    state: dynamodb://salesforce-state
    schemas: glue://salesforce

Its keys are the options' names. A single unknown key makes the file invalid, and the message gives its line: an ignored
misspelt key might be noticed only weeks later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

LARGEST = 1 << 20
"""Maximum size of a job file in bytes."""


class JobFileError(ValueError):
    """An invalid job file. The message names file, line and key, and says what to write."""


class Job(BaseModel):
    """The keys of a job file. Each corresponds to the command line option of the same name."""

    model_config = ConfigDict(title="salesforce-bulk job", strict=True, extra="forbid", frozen=True)

    config: Annotated[str | None, Field(description="A file, env:NAME or secretsmanager://NAME.")] = None
    objects: Annotated[list[str] | None, Field(min_length=1, description="Objects by name or pattern.")] = None
    destination: Annotated[str | None, Field(description="A folder, file:///DIR or s3://BUCKET/PREFIX.")] = None
    format: Annotated[Literal["jsonl", "jsonl.gz", "parquet"] | None, Field(description="The format of files.")] = None
    state: Annotated[str | None, Field(description="A folder, file:///DIR or dynamodb://TABLE.")] = None
    schemas: Annotated[str | None, Field(description="A folder, file:///DIR or glue://REGISTRY.")] = None
    tables: Annotated[Literal["log", "current", "both"] | None, Field(description="Which Iceberg tables to write.")] = (
        None
    )
    keep_deleted: Annotated[bool | None, Field(description="Keep deleted rows in the current table.")] = None
    history: Annotated[bool | None, Field(description="Also write a table of every version.")] = None
    files: Annotated[
        list[Literal["ContentVersion", "Attachment", "Document"]] | None,
        Field(min_length=1, description="The objects whose files are stored as well."),
    ] = None
    max_file_bytes: Annotated[int | None, Field(ge=1, description="Larger files are left out and counted.")] = None
    on_drift: Annotated[
        Literal["warn", "fail"] | None, Field(description="Read or fail an object whose schema has changed.")
    ] = None
    event_bus: Annotated[str | None, Field(description="The EventBridge bus for schema changes.")] = None
    metrics: Annotated[str | None, Field(description="none, emf or json:PATH.")] = None
    continue_here: Annotated[
        bool | None, Field(description="Continue although the object's files are not at the destination.")
    ] = None
    log_format: Annotated[Literal["text", "json"] | None, Field(description="The format of log lines.")] = None

    def defaults(self) -> dict[str, Any]:
        """Return the options in the file, by the names of the commands' parameters."""
        given = self.model_dump(exclude_none=True)
        if "format" in given:
            given["format_name"] = given.pop("format")
        return given


def read_job(path: Path) -> Job:
    """Read the job file at ``path``; raises :class:`JobFileError`."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise JobFileError(f"{path} cannot be read: {error.strerror or type(error).__name__}.") from error
    if len(content) > LARGEST:
        raise JobFileError(f"{path} has more than {LARGEST:,} bytes, which no job file needs.")
    return parse_job(content, str(path))


def parse_job(content: bytes, name: str) -> Job:
    """Parse a job file; ``name`` is its name in messages. Raises :class:`JobFileError`."""
    try:
        node = yaml.compose(content, Loader=yaml.SafeLoader)
        raw = yaml.safe_load(content)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise JobFileError(f"{name}{where}: this is not YAML: {error.problem or 'it cannot be parsed'}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise JobFileError(f"{name}: this is not YAML.") from error
    if not isinstance(node, yaml.MappingNode) or not isinstance(raw, Mapping):
        raise JobFileError(f"{name}: a job file has keys and values, such as `destination: s3://bucket/prefix`.")
    lines = _lines(node, name)
    try:
        return Job.model_validate(raw)
    except ValidationError as error:
        key, problem = _first_problem(error)
        raise JobFileError(f"{name}, line {lines.get(key, 1)}: {problem}") from error


def job_schema() -> dict[str, Any]:
    """Return the JSON Schema of a job file, for editors."""
    return Job.model_json_schema()


def _lines(node: yaml.MappingNode, name: str) -> dict[str, int]:
    """Return the line of each key; raises :class:`JobFileError` for a duplicate key."""
    lines: dict[str, int] = {}
    for key, line in _keys(node):
        if key in lines:
            raise JobFileError(f"{name}, line {line}: {key} was already given in line {lines[key]}.")
        lines[key] = line
    return lines


def _keys(node: yaml.MappingNode) -> Iterator[tuple[str, int]]:
    for key, _ in node.value:
        yield str(key.value), key.start_mark.line + 1


def _first_problem(error: ValidationError) -> tuple[str, str]:
    """Return the invalid key and a sentence about it. Values are not quoted."""
    details = error.errors(include_url=False, include_input=False)[0]
    key = str(details["loc"][0]) if details["loc"] else ""
    if details["type"] == "extra_forbidden":
        near = get_close_matches(key, Job.model_fields, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(Job.model_fields)}."
        return key, f"{key} is not a known key; {hint}"
    return key, f"{key}: {details['msg'][0].lower()}{details['msg'][1:]}."
