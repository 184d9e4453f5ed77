"""Tests mirror modules: each module has a test module of its name, is imported by a test module, or stands here."""

from __future__ import annotations

from pathlib import Path

import pytest

from unit_tests.test_layers import PACKAGE, imports_of, read_modules

ROOT = Path(__file__).parents[1]

# Modules that no test imports, because they are tried through a program, a form or a run.
TRIED_BY = {
    "credentials_form": "unit_tests/test_spec",
    "export.blob_export": "integration_tests/test_export_files",
    "export.blob_listing": "integration_tests/test_export_files",
    "export.check_command": "integration_tests/test_commands",
    "export.discover_command": "integration_tests/test_commands",
    "export.export_context": "integration_tests/test_export",
    "export.ending": "integration_tests/test_export",
    "export.tables_command": "unit_tests/test_cli",
    "export.main": "unit_tests/test_packaging",
    "export.object_deletions": "integration_tests/test_deletions",
    "export.object_view": "integration_tests/test_export",
    "export.sample": "integration_tests/test_commands",
    "export.spec_command": "unit_tests/test_cli",
    "export.state_command": "integration_tests/test_commands",
    "export.verify": "integration_tests/test_verify",
    "export.verify_command": "integration_tests/test_verify",
    "extraction.side_read": "integration_tests/test_refresh",
    "formulas.value_rows": "integration_tests/test_refresh",
    "export.stores": "integration_tests/test_iceberg",
    "extraction.window_log": "integration_tests/test_logs",
    "extraction.run_context": "unit_tests/test_scheduler",
    "form": "unit_tests/test_spec",
    "salesforce.login_failures": "unit_tests/test_failures",
    "spark.data_source": "integration_tests/certify_spark_source",
    "spark.glue": "unit_tests/test_glue_job",
    "spark.planned_windows": "integration_tests/test_spark_reads",
    "spark.read_ending": "integration_tests/test_spark_reads",
    "spark.read_notes": "integration_tests/test_spark_reads",
    "spark.read_plan": "integration_tests/test_spark_reads",
    "spark.read_planning": "integration_tests/certify_spark_source",
    "spark.spark_types": "integration_tests/certify_spark_source",
    "spark.table_waves": "integration_tests/test_table_backfill",
    "tables.data_files": "integration_tests/test_iceberg",
    "tables.history": "integration_tests/test_table_history",
    "tables.fold_ending": "integration_tests/test_iceberg",
    "tables.log_files": "integration_tests/test_iceberg",
    "tables.parquet_rows": "integration_tests/test_iceberg",
    "tables.table_destination": "integration_tests/test_iceberg",
    "tables.table_schemas": "integration_tests/test_iceberg",
}
PACKAGE_MODULES = read_modules(ROOT / PACKAGE)
MODULES = [name for name, module in PACKAGE_MODULES.items() if module.path.stem not in ("__init__", "__main__")]
IMPORTED = {
    name
    for folder in ("unit_tests", "integration_tests")
    for test in read_modules(ROOT / folder).values()
    if test.path.stem.startswith("test_")
    for name in imports_of(test, PACKAGE_MODULES)
}


def has_its_tests(module: str) -> bool:
    return f"{PACKAGE}.{module}" in IMPORTED or (ROOT / f"unit_tests/test_{module.rpartition('.')[2]}.py").is_file()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_imported_by_a_test_module_or_has_a_row_here(module):
    assert has_its_tests(module) or (ROOT / f"{TRIED_BY[module]}.py").is_file()


def test_every_row_here_is_about_a_module_that_needs_one():
    assert [module for module in TRIED_BY if module not in MODULES or has_its_tests(module)] == []
