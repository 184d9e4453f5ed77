"""The Glue job's script, with fakes for what only Glue has. `make certify-glue` runs it on Spark."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "deploy" / "glue" / "job.py"
ARGUMENTS = [
    *("job.py", "--JOB_NAME", "backfill", "--JOB_RUN_ID", "jr_0123", "--secret-id", "prod/salesforce"),
    *("--session-secret", "prod/session"),
    *("--destination", "s3://data/salesforce", "--state", "dynamodb://state", "--schemas", "glue://salesforce"),
]


def resolved(argv: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """Read arguments like awsglue 5.1: with argparse, including abbreviations."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--JOB_RUN_ID")
    for name in names:
        parser.add_argument(f"--{name}", required=True)
    return vars(parser.parse_known_args(argv[1:])[0])


class Glue:
    """The environment of the script in a job run, and a record of its actions."""

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.did: list[str] = []
        self.options: Any = None

    def modules(self) -> dict[str, ModuleType]:
        def module(name: str, **names: Any) -> ModuleType:
            made = ModuleType(name)
            vars(made).update(names)
            return made

        did = self.did

        class Job:
            def __init__(self, spark: object) -> None:
                assert spark == "spark"

            def init(self, name: str, arguments: object) -> None:
                did.append(f"init {name}")

            def commit(self) -> None:
                did.append("commit")

        class Builder:
            def getOrCreate(self) -> str:  # noqa: N802 - Spark's name
                return "spark"

        def run_backfill(spark: object, options: Any, session_secret: str) -> int:
            assert (spark, session_secret) == ("spark", "prod/session")
            did.append("backfill")
            self.options = options
            return self.code

        return {
            "awsglue": module("awsglue"),
            "awsglue.job": module("awsglue.job", Job=Job),
            "awsglue.utils": module("awsglue.utils", getResolvedOptions=resolved),
            "pyspark": module("pyspark"),
            "pyspark.sql": module("pyspark.sql", SparkSession=type("SparkSession", (), {"builder": Builder()})),
            "source_salesforce_bulk.spark.glue": module("glue", run_backfill=run_backfill),
        }


def run(monkeypatch: pytest.MonkeyPatch, glue: Glue, *more: str) -> Any:
    for name, module in glue.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(sys, "argv", [*ARGUMENTS, *more])
    spec = importlib.util.spec_from_file_location("glue_job", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main()
    return glue.options


def test_a_run_is_committed_after_the_backfill(monkeypatch):
    glue = Glue()
    options = run(monkeypatch, glue)
    assert glue.did == ["init backfill", "backfill", "commit"]
    assert options.config == "secretsmanager://prod/salesforce"
    assert (options.destination, options.state, options.schemas) == (
        "s3://data/salesforce",
        "dynamodb://state",
        "glue://salesforce",
    )
    assert (options.objects, options.on_drift, options.event_bus, options.metrics) == ((), "warn", None, "none")


def test_manifests_and_logs_carry_glues_own_run_id(monkeypatch):
    assert run(monkeypatch, Glue()).run_id == "jr_0123"


def test_what_may_be_left_out_is_taken_where_it_is_given(monkeypatch):
    more = ["--objects", "Account, Opportunity*", "--on-drift", "fail", "--event-bus", "drift", "--metrics", "emf"]
    options = run(monkeypatch, Glue(), *more)
    assert options.objects == ("Account", "Opportunity*")
    assert (options.on_drift, options.event_bus, options.metrics) == ("fail", "drift", "emf")


def test_tables_need_neither_state_nor_schemas_and_the_warehouse_names_glues_catalog(monkeypatch):
    more = [
        "--destination",
        "iceberg://lake/crm",
        "--warehouse",
        "s3://data/tables",
        "--tables",
        "log",
        "--history",
        "true",
    ]
    given = [*ARGUMENTS[: ARGUMENTS.index("--destination")], *more]
    monkeypatch.setattr(f"{__name__}.ARGUMENTS", given)
    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__TYPE", "before")  # so that it is restored
    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__WAREHOUSE", "before")

    options = run(monkeypatch, Glue())

    assert (options.destination, options.state, options.schemas, options.tables) == (
        "iceberg://lake/crm",
        None,
        None,
        "log",
    )
    assert (options.history, options.keep_deleted) == (True, False)
    assert os.environ["PYICEBERG_CATALOG__LAKE__TYPE"] == "glue"
    assert os.environ["PYICEBERG_CATALOG__LAKE__WAREHOUSE"] == "s3://data/tables"


def test_glues_own_arguments_are_not_taken_for_ours(monkeypatch):
    theirs = ["--conf", "spark.x=y", "--enable-metrics", "true", "--TempDir", "s3://t", "--extra-py-files", "x"]
    options = run(monkeypatch, Glue(), *theirs)
    assert options.config == "secretsmanager://prod/salesforce"
    assert (options.metrics, options.objects) == ("none", ())


@pytest.mark.parametrize(
    ("code", "says"),
    [(1, "defect"), (2, "corrected"), (3, "Some objects failed"), (75, "run the job again"), (143, "143")],
)
def test_another_exit_code_fails_the_run_with_a_sentence_and_commits_nothing(monkeypatch, code, says):
    glue = Glue(code)
    with pytest.raises(Exception, match=says) as raised:
        run(monkeypatch, glue)
    assert type(raised.value).__name__ == "BackfillFailed"
    assert "commit" not in glue.did


def test_an_unknown_answer_to_drift_is_refused_before_spark_starts(monkeypatch):
    glue = Glue()
    with pytest.raises(Exception, match="--on-drift takes warn or fail, and not maybe"):
        run(monkeypatch, glue, "--on-drift", "maybe")
    assert glue.did == []


def test_an_unknown_choice_of_tables_is_refused_before_spark_starts(monkeypatch):
    glue = Glue()
    with pytest.raises(Exception, match="--tables takes both, log or current, and not all"):
        run(monkeypatch, glue, "--tables", "all")
    assert glue.did == []
