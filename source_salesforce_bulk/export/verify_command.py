"""The command ``salesforce-bulk verify``: compare the rows of an export or a table with the org, and repair them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson

from source_salesforce_bulk.export import places
from source_salesforce_bulk.export.command_run import CommandRun, new_run_id
from source_salesforce_bulk.export.comparison import Differences
from source_salesforce_bulk.export.logs import LogOptions
from source_salesforce_bulk.export.outcomes import ExitCode, ExportFailed, nothing_to_export
from source_salesforce_bulk.export.schema_watch import SchemaWatch
from source_salesforce_bulk.export.text_tables import number, table
from source_salesforce_bulk.export.verify import Repair, Verified, Verifier
from source_salesforce_bulk.extraction.catalog import survey_objects
from source_salesforce_bulk.extraction.connection import Connection
from source_salesforce_bulk.salesforce.failures import Consequence, SalesforceError
from source_salesforce_bulk.signals import Stop

_SHOWN = 5
_KINDS = ("missing", "extra", "stale")


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """The command line, as it was written."""

    config: str
    objects: Sequence[str]
    destination: str | None
    schemas: str | None
    against: str | None
    repair: bool
    as_json: bool
    logs: LogOptions = field(default_factory=LogOptions)


def run_verify(options: VerifyOptions, stop: Stop) -> int:
    """Run the command and return its exit code: 0 equal, 3 different, 75 unknown."""
    command_run = CommandRun(stop, new_run_id(datetime.now(UTC)), options.logs)
    command_run.begin()
    return command_run.ended(lambda: _verify(options, command_run))


def _verify(options: VerifyOptions, command_run: CommandRun) -> int:
    _check(options)
    started = command_run.clock.now()
    with command_run.connect(options.config, options.objects) as connection:
        results = verified(connection, options, started)
    if options.as_json:
        document = {"objects": [as_json(result) for result in results]}
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        click.echo(as_text(results))
    return exit_code(results)


def verified(connection: Connection, options: VerifyOptions, started: datetime) -> list[Verified]:
    """Compare every object of the configuration; raises an error that affects all of them."""
    survey = survey_objects(connection.discovery, connection.config)
    if not survey.objects:
        raise nothing_to_export(survey, connection.config.objects)
    if options.against is not None and len(survey.objects) > 1:
        raise ExportFailed(Consequence.CONFIG, "--against has the rows of one object: name it with --object.")
    here = options.destination if options.against is None else None
    destination = places.destination(here) if here is not None else None
    repair = None
    if options.destination is not None and options.against is None and places.is_tables(options.destination):
        said = "Tables are compared by --against: give the result of a query for Id, SystemModstamp and IsDeleted."
        raise ExportFailed(Consequence.CONFIG, said)
    if options.repair and options.schemas is not None:
        registry = places.schema_registry(options.schemas, connection.clock)
        repair = Repair(SchemaWatch(registry, connection.run_id, "warn"))
    against = Path(options.against) if options.against is not None else None
    verifier = Verifier(connection, destination, against)
    results = [Verified(missing.name, problem=missing.reason.rstrip("."), believed=False) for missing in survey.missed]
    try:
        for readable in survey.objects:
            try:
                results.append(verifier.verify(readable, repair))
            except SalesforceError as error:
                said = error.failure.message_for(connection.program).rstrip(".")
                results.append(Verified(readable.sobject.name, problem=said, believed=False))
    finally:
        verifier.conclude(started)
    return results


def exit_code(results: Sequence[Verified]) -> int:
    """Return the code of a command with these results."""
    compared = [result for result in results if result.left is not None]
    if not compared or not all(result.believed for result in results):
        return ExitCode.RUN_AGAIN
    return ExitCode.DONE if all(result.equal for result in compared) else ExitCode.SOME_FAILED


def as_json(result: Verified) -> dict[str, Any]:
    """Return the result for one object as JSON, with the Ids of the differences that were found."""
    if result.found is None:
        return {"object": result.name, "status": _status(result), "reason": result.problem}
    ids = {kind: list(getattr(result.found, kind)) for kind in _KINDS}
    return {
        "object": result.name,
        "status": _status(result),
        **({"reason": result.problem} if result.problem else {}),
        **ids,
        "counts": {kind: len(found) for kind, found in ids.items()},
        "rows_in_org": result.found.in_org,
        "rows_kept": result.found.kept,
    }


def as_text(results: Sequence[Verified]) -> str:
    """Return the results as a table, and the first Ids of each difference."""
    headings = ["object", ">in org", ">kept", ">missing", ">extra", ">stale", "result"]
    rows, lines = [], []
    for result in results:
        found = result.found or Differences((), (), (), 0, 0)
        counts = [found.in_org, found.kept, len(found.missing), len(found.extra), len(found.stale)]
        rows.append([result.name, *(number(count) if result.found else "" for count in counts), _status(result)])
        for kind in _KINDS:
            ids = getattr(found, kind)
            more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
            lines += [f"{result.name}, {kind}: {', '.join(ids[:_SHOWN])}{more}"] if ids else []
        lines += [f"{result.name}: {result.problem}."] if result.problem else []
    return "\n".join([table(headings, rows), *lines])


def _status(result: Verified) -> str:
    if not result.believed:
        return "cannot tell"
    if result.found is None:
        return "not compared"
    if result.found.equal:
        return "equal"
    return "repaired" if result.equal else "different"


def _check(options: VerifyOptions) -> None:
    if options.destination is None and options.against is None:
        raise ExportFailed(Consequence.CONFIG, "Give --destination, or --against with the rows of one object.")
    if options.repair and (options.against is not None or options.schemas is None):
        raise ExportFailed(Consequence.CONFIG, "--repair needs --destination and --schemas, as the export has them.")
