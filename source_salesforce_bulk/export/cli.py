"""The console script ``salesforce-bulk``: its commands and options. The code of a command is imported when it runs.

Exit codes are in docs/contracts.md.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib.metadata import version
from typing import Any, NoReturn, TypeVar

import click

from source_salesforce_bulk.export import options as shared
from source_salesforce_bulk.export.logs import LogOptions
from source_salesforce_bulk.export.options import Word, option
from source_salesforce_bulk.export.outcomes import ExitCode
from source_salesforce_bulk.output import GuardedStdout, report_lost
from source_salesforce_bulk.signals import Overdue, Stop

F = TypeVar("F", bound=Callable[..., Any])


def main() -> NoReturn:
    """Run the command that the command line names, and end the process with its exit code.

    The process ends without waiting for its threads, which may wait minutes for a response. Output on stdout is not
    the result of a run, so if stdout cannot be written, only the exit code shows it.
    """
    stop = Stop()
    stop.install()
    sys.stdout = stdout = GuardedStdout(sys.stdout)
    code: int = ExitCode.OUR_FAULT
    try:
        code = commands.main(prog_name="salesforce-bulk", standalone_mode=False, obj=stop) or 0
    except click.exceptions.Exit as exit_:
        code = exit_.exit_code
    except click.ClickException as error:
        error.show()
        code = ExitCode.USAGE
    except (Overdue, click.Abort):
        code = stop.exit_code
    stdout.flush()
    code = report_lost(stdout.lost) if stdout.lost is not None and not code else code
    os._exit(stop.exit_code or code)


class Commands(click.Group):
    """A group that suggests the closest command for an unknown one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """See ``click.Group.resolve_command``."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            near = get_close_matches(args[0], self.list_commands(ctx), n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]}?" if near else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version("source-salesforce-bulk"), prog_name="salesforce-bulk")
def commands() -> None:
    """Export Salesforce objects with Bulk API 2.0, without Airbyte.

    \b
    A first export:
      salesforce-bulk check    --config config.json
      salesforce-bulk plan     --config config.json --object Account
      salesforce-bulk export   --config config.json --object Account \\
          --destination out --state state --schemas schemas
      salesforce-bulk report   --state state --last

    \b
    Options are taken from the command line, then the environment (SALESFORCE_BULK_CONFIG for --config),
    then a YAML file (--job), then their defaults.

    \b
    Exit codes:
      0        done
      1        a defect of this program
      2        usage or configuration; nothing was started
      3        some objects failed permanently, or were stopped by --on-drift fail
      75       run again: a lost lease, a quota, a temporary failure
      130/143  stopped by a signal; the next run continues
    """  # noqa: D301 - click needs the character, to keep the line breaks


def _command(*of: Callable[[Any], Any]) -> Callable[[F], Any]:
    """Return a decorator for a command with these options, a job file and the log options."""
    decorators: tuple[Callable[[Any], Any], ...] = (shared.job_option, *of, shared.log_options)

    def decorate(function: F) -> Any:
        decorated: Any = click.pass_obj(function)
        for decorator in reversed(decorators):
            decorated = decorator(decorated)
        return commands.command()(decorated)

    return decorate


def _logs(options: dict[str, Any]) -> LogOptions:
    """Remove the log options from ``options`` and return them."""
    return LogOptions(options.pop("log_format"), verbose=options.pop("verbose"), quiet=options.pop("quiet"))


@_command(shared.config_option, shared.object_option, shared.json_option)
def check(stop: Stop, /, **options: Any) -> int:
    """Log in, try Bulk API 2.0, and show the user and the org."""
    from source_salesforce_bulk.export.check_command import CheckOptions, run_check  # noqa: PLC0415

    return run_check(CheckOptions(logs=_logs(options), **options), stop)


@_command(
    shared.config_option,
    shared.object_option,
    shared.json_option,
    click.option("--catalog", metavar="FILE", help="Write a configured catalog for `source-salesforce-bulk read`."),
)
def discover(stop: Stop, /, **options: Any) -> int:
    """List the objects that can be exported, with key, cursor and number of fields."""
    from source_salesforce_bulk.export.discover_command import DiscoverOptions, run_discover  # noqa: PLC0415

    return run_discover(DiscoverOptions(logs=_logs(options), **options), stop)


@_command(
    shared.config_option,
    shared.object_option,
    shared.state_option(required=False),
    shared.files_option,
    click.option(
        "--sample",
        type=click.IntRange(1, 1000),  # they fit into one page
        metavar="N",
        help="Show N rows of each object.",
    ),
    click.option(
        "--confirm", is_flag=True, help="Confirm that the org accepts each object, by creating a tiny job for it."
    ),
    shared.json_option,
)
def plan(stop: Stop, /, **options: Any) -> int:
    """Show what an export would do, and what is left of the org's limits. Reads no row."""
    from source_salesforce_bulk.export.plan_command import PlanOptions, run_plan  # noqa: PLC0415

    return run_plan(PlanOptions(logs=_logs(options), **options), stop)


@_command(
    shared.config_option,
    shared.object_option,
    shared.destination_option,
    option("--format", "format_name", type=Word(shared.FORMAT_NAMES), default="parquet", show_default=True),
    shared.export_state_option,
    shared.schemas_option,
    option(
        "--tables",
        type=Word(shared.TABLES),
        default="both",
        show_default=True,
        help="Which Iceberg tables to write: every version of each row, the current rows, or both.",
    ),
    option("--keep-deleted", is_flag=True, help="Keep deleted rows in the current table, with IsDeleted."),
    option("--history", is_flag=True, help="Also write a table of every version with valid_from and valid_to."),
    option(
        "--on-drift",
        type=Word(shared.DRIFT_POLICIES),
        default="warn",
        show_default=True,
        help="Read or fail an object whose schema has changed.",
    ),
    option("--event-bus", metavar="NAME|ARN", help="The EventBridge bus to which schema changes are sent."),
    option("--run-id", metavar="ID", help="A run with the same id is continued. Default: UTC time and six characters."),
    option("--metrics", default="none", show_default=True, metavar="none|emf|json:PATH", help="Where metrics go."),
    click.option("--start-over", is_flag=True, help="Ignore the state and read every row again."),
    click.option(
        "--full",
        multiple=True,
        type=shared.ObjectPattern(),
        metavar="OBJECT",
        help="Read this object again from its beginning.",
    ),
    click.option("--since", metavar="DATETIME", help="Also read again the rows that have changed since this time."),
    shared.files_option,
    shared.largest_file_option,
    option(
        "--continue-here",
        is_flag=True,
        help="Continue from the state, because its files were moved to this --destination.",
    ),
    shared.json_option,
)
def export(stop: Stop, /, **options: Any) -> int:
    """Export objects to files or Iceberg tables, and continue where the last run stopped."""
    from source_salesforce_bulk.export.export_command import ExportOptions, run_export  # noqa: PLC0415

    return run_export(ExportOptions(logs=_logs(options), **options), stop)


@_command(
    shared.config_option,
    shared.object_option,
    option("--destination", metavar="DIR|s3://BUCKET/PREFIX", help="Where the export's files are."),
    option("--schemas", metavar="DIR|glue://REGISTRY", help="The export's schemas, for --repair."),
    click.option(
        "--against",
        metavar="FILE",
        help="Compare with a query's result instead: Parquet, CSV or JSON lines with Id and SystemModstamp.",
    ),
    click.option("--repair", is_flag=True, help="Read missing and stale rows again, and mark extra rows as deleted."),
    shared.json_option,
)
def verify(stop: Stop, /, **options: Any) -> int:
    """Compare every Id and timestamp of the org with an export's files. Exit code: 0 equal, 3 different."""
    from source_salesforce_bulk.export.verify_command import VerifyOptions, run_verify  # noqa: PLC0415

    return run_verify(VerifyOptions(logs=_logs(options), **options), stop)


@commands.group()
def tables() -> None:
    """List or clean the Iceberg tables of exports."""


@tables.command("list")
@shared.job_option
@shared.destination_option
@shared.json_option
@click.pass_obj
def list_tables(stop: Stop, /, **options: Any) -> int:
    """List every table with its rows, files and last commit."""
    from source_salesforce_bulk.export.tables_command import run_list_tables  # noqa: PLC0415

    return run_list_tables(stop, **options)


@tables.command("clean")
@shared.job_option
@shared.destination_option
@click.option("--older-than", default="P1D", show_default=True, metavar="DURATION", help="Keep younger files.")
@click.pass_obj
def clean_tables(stop: Stop, /, **options: Any) -> int:
    """Remove snapshots beyond the newest 50, and files that no table names."""
    from source_salesforce_bulk.export.tables_command import run_clean_tables  # noqa: PLC0415

    return run_clean_tables(stop, **options)


@commands.group()
def state() -> None:
    """Show how far each object has been read, or reset objects."""


_organization = click.option("--organization", metavar="ID", help="Needed if the registry has several organizations.")


@state.command("list")
@shared.job_option
@shared.state_option(required=True)
@shared.json_option
@click.pass_obj
def list_states(stop: Stop, /, **options: Any) -> int:
    """List every object with how far it has been read."""
    from source_salesforce_bulk.export.state_command import run_list  # noqa: PLC0415

    return run_list(stop, **options)


@state.command("show")
@click.argument("name", metavar="OBJECT")
@shared.job_option
@shared.state_option(required=True)
@_organization
@click.pass_obj
def show_state(stop: Stop, /, **options: Any) -> int:
    """Show the stored progress of one object, as JSON."""
    from source_salesforce_bulk.export.state_command import run_show  # noqa: PLC0415

    return run_show(stop, **options)


@state.command("reset")
@click.argument("names", metavar="OBJECT...", nargs=-1, required=True)
@shared.job_option
@shared.state_option(required=True)
@_organization
@click.pass_obj
def reset_state(stop: Stop, /, **options: Any) -> int:
    """Reset objects: the next export reads them from their beginning."""
    from source_salesforce_bulk.export.state_command import run_reset  # noqa: PLC0415

    return run_reset(stop, **options)


@commands.command()
@shared.job_option
@option("--state", metavar="DIR|file:///DIR", help="The state folder, which contains the run's ledger.")
@option("--destination", metavar="DIR|s3://BUCKET/PREFIX", help="Where the ledger is if the state is in DynamoDB.")
@click.option("--run", "run_id", metavar="RUN_ID", help="The run to report.")
@click.option("--last", is_flag=True, help="The last run.")
@click.option("--output", metavar="FILE", help="The file to write. Default: RUN_ID.html in the current folder.")
@click.pass_obj
def report(stop: Stop, /, **options: Any) -> int:
    """Write a run's report: one HTML page with its timeline, objects, jobs, errors and files."""
    from source_salesforce_bulk.export.report_command import ReportOptions, run_report  # noqa: PLC0415

    return run_report(ReportOptions(**options), stop)


@commands.command()
@click.option("--job", is_flag=True, help="Print the schema of a job file.")
def spec(job: bool) -> int:
    """Print the JSON Schema of the configuration, or of a job file."""
    from source_salesforce_bulk.export.spec_command import run_spec  # noqa: PLC0415

    return run_spec(job=job)
