"""The console script as a Fargate task runs it: secret, bucket, table, registry and bus of an AWS account (moto)."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from integration_tests.aws import BUCKET, BUS, REGION, REGISTRY, SECRET, TABLE, Aws, lose_first_answers
from integration_tests.exporter import SCRIPT, Exporter
from integration_tests.ground_truth import GroundTruth
from integration_tests.simulated_org import OrgSettings, SimulatedOrg
from source_salesforce_bulk.export.destination import S3Destination
from source_salesforce_bulk.registries.dynamodb_state import DynamoDbStates
from source_salesforce_bulk.salesforce.clock import SystemClock


@pytest.fixture
def org() -> Iterator[SimulatedOrg]:
    settings = OrgSettings(
        polls_until_complete=1,
        frozen_at="2026-11-24T08:00:00Z",
        rotate_refresh_tokens=True,
        old_token_dies_on_refresh=True,
    )
    with SimulatedOrg(settings) as simulated:
        yield simulated


class Task:
    """A task definition: one command, one secret, one account."""

    def __init__(self, aws: Aws, org: SimulatedOrg) -> None:
        self.aws = aws
        self.org = org
        secret = {"credentials": org.credentials("refresh_token"), "login_url": org.url, "page_size": 1000}
        aws.client("secretsmanager").create_secret(Name=SECRET, SecretString=json.dumps(secret))

    def command(self, *more: str) -> list[str]:
        return [
            *(str(SCRIPT), "export", "--config", f"secretsmanager://{SECRET}"),
            *("--object", "Contact", "--object", "Account"),
            *("--destination", f"s3://{BUCKET}/salesforce/prod"),
            *("--state", f"dynamodb://{TABLE}", "--schemas", f"glue://{REGISTRY}"),
            *("--event-bus", BUS, "--metrics", "emf", *more),
        ]

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **self.aws.environment}
        return subprocess.run(
            self.command(*more), capture_output=True, text=True, timeout=120, check=False, env=environment
        )

    def secret(self) -> dict[str, Any]:
        return json.loads(self.aws.client("secretsmanager").get_secret_value(SecretId=SECRET)["SecretString"])

    def manifests(self) -> list[dict[str, Any]]:
        keys = sorted(key for key in self.aws.all_keys() if "/_manifests/" in key)
        return [json.loads(self.object(key)) for key in keys]

    def object(self, key: str) -> bytes:
        return self.aws.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def ids(self, name: str) -> Counter[str]:
        paths = [
            file["path"]
            for manifest in self.manifests()
            for entry in manifest["objects"]
            if entry["object"] == name
            for file in entry["files"]
        ]
        tables = [parquet.read_table(pa.BufferReader(self.object(f"salesforce/prod/{path}"))) for path in paths]
        return Counter(value for table in tables for value in table["Id"].to_pylist())


@pytest.fixture
def task(aws: Aws, org: SimulatedOrg) -> Task:
    return Task(aws, org)


def test_a_task_exports_to_s3_and_the_next_one_goes_on(task: Task, org: SimulatedOrg) -> None:
    old = task.secret()["credentials"]["refresh_token"]

    first = task.run()

    assert first.returncode == 0, first.stderr
    for name in ("Contact", "Account"):
        assert task.ids(name) == Counter(row["Id"] for row in org.control.rows(name, fields=["Id"]))
    assert {manifest["status"] for manifest in task.manifests()} == {"complete"}

    # Salesforce rotated the refresh token at the login, and the old one is dead.
    assert task.secret()["credentials"]["refresh_token"] != old
    second = task.run()
    assert second.returncode == 0, second.stderr
    assert [entry["rows"] for entry in task.manifests()[-1]["objects"]] == [0, 0]


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_run_goes_through_though_every_first_answer_of_aws_is_lost(
    aws: Aws, org: SimulatedOrg, tmp_path: Path, jobs: int
) -> None:
    s3, dynamodb = aws.client("s3"), aws.client("dynamodb")
    lose_first_answers(s3, "PutObject")
    for operation in ("UpdateItem", "TransactWriteItems"):
        lose_first_answers(dynamodb, operation)
    states = DynamoDbStates(dynamodb, TABLE, SystemClock(threading.Event()))
    names = ["Account", "Contact"]

    exporter = Exporter(org, tmp_path, max_concurrent_jobs=jobs)
    result = exporter.run(names, destination=S3Destination(s3, BUCKET, "prod"), states=states)

    assert (result.code, result.manifest) == (0, f"s3://{BUCKET}/prod/_manifests/run-1.json")
    rows = [outcome.rows for outcome in result.outcomes]
    assert rows == [len(org.control.rows(name, fields=["Id"])) for name in names]
    kept = dynamodb.scan(TableName=TABLE)["Items"]
    assert [(item["sk"]["S"], item["closing"]["S"], "expires" in item) for item in kept] == [
        ("progress", "", False)
    ] * 2


def test_logs_and_metrics_are_lines_of_json_on_stderr(task: Task) -> None:
    done = task.run("--run-id", "monday")

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    documents = [line for line in lines if "_aws" in line]
    events = [line for line in lines if "_aws" not in line]
    assert {document.get("Object") for document in documents} == {None, "Contact", "Account"}
    assert next(document for document in documents if "Object" not in document)["RecordsProcessed"] == 2800
    pages = [event for event in events if "batchId" in event]
    assert {event["object"] for event in pages} == {"Contact", "Account"}
    assert all(event["run_id"] == "monday" and event["jobId"].startswith("750") for event in pages)
    assert "Contact" in done.stdout
    assert "Manifest: s3://" in done.stdout
    secret = task.secret()["credentials"]
    assert secret["client_secret"] not in done.stderr + done.stdout
    assert secret["refresh_token"] not in done.stderr + done.stdout


def test_a_changed_schema_reaches_the_event_bus(task: Task, org: SimulatedOrg, aws: Aws) -> None:
    task.run()
    org.control.hide_field("Account", "Industry")
    queue = aws.hear_events()

    done = task.run("--on-drift", "fail")

    assert done.returncode == 3, done.stderr
    (message,) = aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    event = json.loads(message["Body"])
    assert (event["source"], event["detail-type"]) == ("source-salesforce-bulk", "Salesforce schema drift")
    detail = event["detail"]
    assert (detail["object"], detail["breaking"], detail["compared_with_version"]) == ("Account", True, 1)
    assert detail["fields"] == [
        {"field": "Industry", "change": "removed or hidden", "before": "picklist", "after": "", "breaking": True}
    ]
    drift = [json.loads(line) for line in done.stderr.splitlines() if '"schema_drift"' in line]
    assert [line["drift"] for line in drift] == [detail]
    documents = [json.loads(line) for line in done.stderr.splitlines() if '"_aws"' in line]
    assert {document["SchemaChanges"] for document in documents if document.get("Object") == "Account"} == {1}


def test_a_task_that_vanished_holds_its_lease_for_a_while(task: Task, org: SimulatedOrg, aws: Aws) -> None:
    task.run()
    client = aws.client("dynamodb")
    item = next(item for item in client.scan(TableName=TABLE)["Items"] if "Account" in item["pk"]["S"])
    client.put_item(TableName=TABLE, Item={**item, "owner": {"S": "vanished"}, "expires": {"N": "99999999999"}})

    done = task.run()

    assert done.returncode == 75
    assert "vanished" in done.stderr
    assert {entry["object"]: entry["status"] for entry in task.manifests()[-1]["objects"]} == {
        "Account": "run again",
        "Contact": "complete",
    }


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--destination", "s3://no-such-bucket/x", "on the bucket no-such-bucket in eu-central-1: NoSuchBucket"),
        ("--state", "dynamodb://no-such-table", "on the table no-such-table in eu-central-1: ResourceNotFound"),
        ("--config", "secretsmanager://no-such-secret", "on the secret no-such-secret in eu-central-1: Resource"),
    ],
)
def test_what_is_not_there_is_named_before_anything_is_begun(
    task: Task, org: SimulatedOrg, option: str, value: str, says: str
) -> None:
    done = task.run(option, value)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Check its name, the account and the region." in done.stderr
    assert org.control.requests() == {}


def test_an_empty_secret_is_reported_with_the_remedy(task: Task, aws: Aws) -> None:
    aws.client("secretsmanager").create_secret(Name="empty")
    done = task.run("--config", "secretsmanager://empty")
    assert done.returncode == 2, done.stderr
    assert "The secret empty has no value yet." in done.stderr
    assert "put-secret-value --secret-id empty" in done.stderr


def test_without_a_region_it_is_the_user_who_has_to_act(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Aws, "environment", {**task.aws.environment, "AWS_DEFAULT_REGION": "", "AWS_REGION": ""})
    done = task.run()
    assert done.returncode == 2, done.stderr
    assert "You must specify a region." in done.stderr


def test_the_region_of_fargate_is_enough(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Aws, "environment", {**task.aws.environment, "AWS_DEFAULT_REGION": "", "AWS_REGION": REGION})
    done = task.run()
    assert done.returncode == 0, done.stderr


def test_a_secret_that_is_rotated_while_a_run_goes_on_does_not_end_it(task: Task, org: SimulatedOrg, aws: Aws) -> None:
    """An admin authorizes the app again after the second page, which ends the old sessions and tokens."""

    def authorize_again() -> None:
        app = next(app for app in org.org.tokens.apps.values() if app.refresh_tokens)
        app.refresh_tokens[:] = ["5Aep.brand.new.refresh.token"]
        secret = task.secret()
        secret["credentials"]["refresh_token"] = "5Aep.brand.new.refresh.token"
        aws.client("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=json.dumps(secret))
        org.control.expire_sessions()

    org.control.when_do("page_served", authorize_again, object="Contact", nth=2)

    done = task.run()

    assert done.returncode == 0, done.stderr
    assert org.control.pending_events() == 0
    assert task.ids("Contact") == Counter(row["Id"] for row in GroundTruth(org).records("Contact", fields=["Id"]))
