"""Tests mirror modules: each has a test module of its name, or stands here with the tests that try it."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "source_salesforce_bulk"

# Tables and values are tried where they are used, and what is nothing without AWS or a whole run is tried with them.
TRIED_BY = {
    "pages/core": "unit_tests/test_core_lines",
    "pages/encoded_page": "unit_tests/test_record_lines",
    "export/main": "unit_tests/test_packaging",
    "extraction/job_lines": "integration_tests/test_logs",
    "extraction/org": "unit_tests/test_extraction",
    "form": "unit_tests/test_spec",
    "config_values": "unit_tests/test_config",
    "pages/spool": "unit_tests/test_page_encoders",
    "airbyte/record_batch": "unit_tests/test_streams",
    "registries/dynamodb_state": "integration_tests/test_dynamodb_state",
    "registries/glue_schemas": "integration_tests/test_glue_schemas",
    "export/cli": "integration_tests/test_export",
    "export/report_command": "integration_tests/test_report",
    "export/sample": "integration_tests/test_commands",
    "export/check_command": "integration_tests/test_commands",
    "export/discover_command": "integration_tests/test_commands",
    "export/options": "unit_tests/test_cli",
    "export/spec_command": "unit_tests/test_cli",
    "export/state_command": "integration_tests/test_commands",
    "export/destination": "integration_tests/test_destination",
    "export/run": "integration_tests/test_export",
    "export/export_command": "integration_tests/test_export",
    "spark/glue": "unit_tests/test_glue_job",
    "spark/shared_session": "integration_tests/test_shared_session",
    "export/logs": "unit_tests/test_export_logs",
    "export/object_export": "integration_tests/test_export_kills",
    "pages/encoding_worker": "unit_tests/test_page_encoders",
    "salesforce/failure_kinds": "unit_tests/test_failures",
    "salesforce/asked": "unit_tests/test_failures",
    "salesforce/failure_evidence": "unit_tests/test_failures",
    "salesforce/failure_meanings": "unit_tests/test_failures",
    "salesforce/failure_table": "unit_tests/test_failures",
    "extraction/job_events": "unit_tests/test_query_job",
    "salesforce/login_failures": "unit_tests/test_failures",
}
MODULES = [
    str(path.relative_to(PACKAGE).with_suffix(""))
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.stem not in ("__init__", "__main__")
]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_tests_of_its_name_or_a_row_here(module):
    by_name = f"unit_tests/test_{module.rsplit('/', 1)[-1]}"
    assert (ROOT / f"{TRIED_BY.get(module, by_name)}.py").is_file()


def test_every_row_here_is_about_a_module():
    assert set(TRIED_BY) <= set(MODULES)
