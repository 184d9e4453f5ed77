"""The command ``salesforce-bulk spec``: print a JSON Schema, for editors and for checks before a deployment."""

from __future__ import annotations

import json

import click

from source_salesforce_bulk.export.job_file import job_schema
from source_salesforce_bulk.form import ConfigForm


def run_spec(*, job: bool) -> int:
    """Print the schema and return the exit code."""
    click.echo(json.dumps(job_schema() if job else ConfigForm.model_json_schema(), indent=2))
    return 0
