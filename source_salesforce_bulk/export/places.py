"""Parse the locations on the command line. boto3 clients are created only when needed.

--destination dir | file:///dir | s3://bucket/prefix | iceberg://catalog/namespace | iceberg+file:///dir
--state       dir | file:///dir | dynamodb://table
--schemas     dir | file:///dir | glue://registry
--metrics     none | emf | json:PATH

A folder may be written as a path, relative or not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from source_salesforce_bulk.export.aws_clients import aws_client
from source_salesforce_bulk.export.destination import Destination, LocalDestination, S3Destination
from source_salesforce_bulk.export.metrics_sink import EmbeddedMetrics, MetricsFile, MetricsSink, NoMetrics
from source_salesforce_bulk.registries.durable_files import check_replaceable
from source_salesforce_bulk.registries.dynamodb_state import DynamoDbStates
from source_salesforce_bulk.registries.glue_schemas import GlueSchemas
from source_salesforce_bulk.registries.local_state import LocalStates
from source_salesforce_bulk.registries.schemas import LocalSchemas, SchemaRegistry
from source_salesforce_bulk.registries.state import StateRegistry
from source_salesforce_bulk.salesforce.clock import Clock

if TYPE_CHECKING:
    from source_salesforce_bulk.tables.iceberg_catalog import Tables

_NO_PARTS = ("", "", "")
_CATALOG, _EMBEDDED = "iceberg://", "iceberg+file:"
_LEAST_PYARROW = 18  # pyiceberg's
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class UnknownPlace(ValueError):
    """An option's location is invalid. The message says what to write."""


def destination(url: str) -> Destination:
    """Return the destination of ``--destination``; raises :class:`UnknownPlace`."""
    scheme, name, path = _parts(url)
    if scheme == "file":
        return LocalDestination(Path(path))
    if scheme == "s3" and name:
        return S3Destination(aws_client("s3", f"the bucket {name}"), name, path)
    raise _unknown(url, "destination", "s3://bucket/prefix")


def is_tables(url: str) -> bool:
    """Return whether a destination contains tables, not files."""
    return url.startswith((_CATALOG, _EMBEDDED))


def tables(url: str) -> Tables:
    """The tables that a destination names; raises :class:`UnknownPlace`, also where pyiceberg is not installed."""
    pyarrow = version("pyarrow")
    if int(pyarrow.partition(".")[0]) < _LEAST_PYARROW:
        raise UnknownPlace(
            f"{url} needs pyarrow {_LEAST_PYARROW}; {pyarrow} is installed here. Glue 5.1 and later have it."
        )
    try:
        from source_salesforce_bulk.tables import iceberg_catalog as catalog  # noqa: PLC0415 - half a second, and an extra
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("source_salesforce_bulk"):
            raise
        text = f"{url} needs pyiceberg, which is not installed: pip install 'source-salesforce-bulk[export,tables]'"
        raise UnknownPlace(text) from error
    if url.startswith(_EMBEDDED):
        path = folder(url.removeprefix("iceberg+"))
        if path is None:
            raise UnknownPlace(f"{url!r} is not a valid folder of tables. Write iceberg+file:///DIR.")
        return catalog.embedded(path)
    name, _, namespace = url.removeprefix(_CATALOG).rstrip("/").partition("/")
    if not name or not namespace or "/" in namespace:
        raise UnknownPlace(f"{url!r} is not a valid destination. Write iceberg://CATALOG/NAMESPACE.")
    try:
        return catalog.configured(name, namespace)
    except ValueError as error:
        text = (
            f"{url}: pyiceberg has no catalog {name} that it can use ({error}). Describe it in ~/.pyiceberg.yaml, or "
            f"in PYICEBERG_CATALOG__{name.upper()}__TYPE and the like."
        )
        raise UnknownPlace(text) from error


def state_registry(url: str, clock: Clock) -> StateRegistry:
    """Return the state registry of ``--state``, which may be tables; raises :class:`UnknownPlace`."""
    if is_tables(url):
        found = tables(url)
        from source_salesforce_bulk.tables.table_states import TableStates  # noqa: PLC0415

        return TableStates(found, clock.monotonic)
    scheme, name, path = _parts(url)
    if scheme == "file":
        return LocalStates(Path(path))
    if scheme == "dynamodb" and name and path in ("", "/"):
        return DynamoDbStates(aws_client("dynamodb", f"the table {name}"), name, clock)
    raise _unknown(url, "state registry", "dynamodb://table")


def folder(url: str) -> Path | None:
    """Return the local folder of a location; None if it is not local."""
    scheme, _, path = _parts(url)
    return Path(path) if scheme == "file" else None


def schema_registry(url: str, clock: Clock) -> SchemaRegistry:
    """Return the schema registry of ``--schemas``; raises :class:`UnknownPlace`."""
    scheme, name, path = _parts(url)
    if scheme == "file":
        return LocalSchemas(Path(path))
    if scheme == "glue" and name and path in ("", "/"):
        return GlueSchemas(aws_client("glue", f"the schema registry {name}"), name, clock)
    raise _unknown(url, "schema registry", "glue://registry")


def metrics_sink(text: str, write_line: Callable[[str], object]) -> MetricsSink:
    """Return the sink of ``--metrics``; ``write_line`` is called with lines for CloudWatch.

    Raises :class:`UnknownPlace`, also if the file cannot be written, so that this is known before the run.
    """
    if text == "none":
        return NoMetrics()
    if text == "emf":
        return EmbeddedMetrics(write_line)
    if text.startswith("json:") and text != "json:":
        return _metrics_file(Path(text.removeprefix("json:")).absolute())
    raise UnknownPlace(f"{text!r} is not a valid value of --metrics. Write none, emf or json:PATH.")


def _metrics_file(path: Path) -> MetricsFile:
    try:
        check_replaceable(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        text = f"The metrics cannot be written to {path}: {reason}. Name a file in a writable folder."
        raise UnknownPlace(text) from error
    return MetricsFile(path)


def _unknown(url: str, what: str, other: str) -> UnknownPlace:
    text = f"{url!r} is not a valid {what}. Write a folder, such as data or file:///data, or {other}."
    near = get_close_matches(url.partition(":")[0].lower(), ["file", other.partition(":")[0]], n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]}://{'/' if near[0] == 'file' else ''}...?" if near and ":" in url else ""
    return UnknownPlace(text + hint)


def _parts(url: str) -> tuple[str, str, str]:
    """Return scheme, name and path of a URL, empty if it has none. The name is not changed.

    A ``?`` or ``#`` would end the path, so that files would be written to another folder. Escaped as ``%3F`` and
    ``%23`` they are part of a folder's name.
    """
    if url.strip() and not _SCHEME.match(url) and not url.startswith("//"):
        folder = Path(url).expanduser().absolute()
        return ("file", "", str(folder)) if folder.name else _NO_PARTS
    try:
        parts = urlsplit(url)
    except ValueError:
        return _NO_PARTS
    if "?" in url or "#" in url:
        return _NO_PARTS
    if parts.scheme != "file":
        return parts.scheme, parts.netloc, parts.path
    if parts.netloc in ("", "localhost") and parts.path.strip("/"):
        return "file", "", unquote(parts.path)
    return _NO_PARTS
