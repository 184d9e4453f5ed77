"""The console script ``salesforce-bulk``: plan and export without Airbyte. Exit codes are in design section 1.3."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click

from source_salesforce_bulk.export.export_command import ExportOptions, run_export
from source_salesforce_bulk.export.outcomes import ExitCode
from source_salesforce_bulk.export.page_files import FORMATS
from source_salesforce_bulk.export.plan_command import PlanOptions, run_plan
from source_salesforce_bulk.signals import Overdue, Stop

F = TypeVar("F", bound=Callable[..., Any])


def main() -> NoReturn:
    """Run the command that the command line names, and end the process with its exit code.

    The process ends without waiting for its threads: one of them may hang on an answer for minutes.
    """
    stop = Stop()
    stop.install()
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
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(stop.exit_code or code)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def commands() -> None:
    """Export Salesforce objects with Bulk API 2.0, without Airbyte.

    \b
    Exit codes:
      0        done
      1        a defect of this program
      2        usage or configuration
      3        some objects failed for good, or were stopped by --on-drift fail
      75       run again: a lost lease, a quota, trouble that passes
      130/143  stopped by a signal; the next run continues
    """  # noqa: D301 - click wants the character, to keep the lines


def _config_options(command: F) -> F:
    config = click.option(
        "--config",
        required=True,
        metavar="FILE|env:NAME|secretsmanager://NAME",
        help="The connector's configuration.",
    )
    objects = click.option(
        "--object",
        "objects",
        multiple=True,
        metavar="PATTERN",
        help="Objects to take, by name or pattern; may be repeated. Default: as the configuration says.",
    )
    return config(objects(command))


@commands.command()
@_config_options
@click.option("--destination", required=True, metavar="file:///DIR|s3://BUCKET/PREFIX", help="Where the files go.")
@click.option("--format", "format_name", type=click.Choice(sorted(FORMATS)), default="parquet", show_default=True)
@click.option("--state", required=True, metavar="file:///DIR|dynamodb://TABLE", help="Where progress is kept.")
@click.option("--schemas", required=True, metavar="file:///DIR|glue://REGISTRY", help="Where schemas are kept.")
@click.option("--on-drift", type=click.Choice(["warn", "fail"]), default="warn", show_default=True)
@click.option("--event-bus", metavar="NAME|ARN", help="The EventBridge bus that hears of schema changes.")
@click.option(
    "--run-id",
    envvar="SALESFORCE_BULK_RUN_ID",
    metavar="ID",
    help="Default: the UTC time and six characters.",
)
@click.option("--start-over", is_flag=True, help="Read everything again, whatever the state says.")
@click.option("--continue-here", is_flag=True, help="Go on although the files were moved to this --destination.")
@click.option("--metrics", default="none", show_default=True, metavar="none|emf|json:PATH", help="Where metrics go.")
@click.pass_obj
def export(stop: Stop, /, **options: Any) -> int:
    """Export objects to Parquet or JSON lines, and continue where the last run stopped."""
    return run_export(ExportOptions(**options), stop)


@commands.command()
@_config_options
@click.option("--state", metavar="file:///DIR|dynamodb://TABLE", help="Plan from where the objects stand there.")
@click.option("--confirm", is_flag=True, help="Ask the org whether Bulk takes each object: one tiny job each.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
@click.pass_obj
def plan(stop: Stop, /, **options: Any) -> int:
    """Say what an export would do, and what the org has left for it. Reads no row."""
    return run_plan(PlanOptions(**options), stop)
