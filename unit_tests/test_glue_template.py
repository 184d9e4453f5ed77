"""The CloudFormation template of the Glue job, held against the job's script and against the Fargate stack."""

from __future__ import annotations

import re
from typing import Any

import pytest

from unit_tests.cloudformation import DEPLOY, actions, lint, read_template, resolved, statements

TEMPLATE = DEPLOY / "glue" / "template.yaml"
SCRIPT = (DEPLOY / "glue" / "job.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return read_template(TEMPLATE)


@pytest.fixture(scope="module")
def resources(template: dict[str, Any]) -> dict[str, Any]:
    return template["Resources"]


@pytest.fixture(scope="module")
def job(resources: dict[str, Any]) -> dict[str, Any]:
    return resources["Job"]["Properties"]


def test_cfn_lint_finds_nothing() -> None:
    assert lint(TEMPLATE) == (0, "")


def test_the_job_gets_every_argument_that_its_script_wants_and_no_other_of_ours(job: dict[str, Any]) -> None:
    """JOB_NAME is Glue's to give."""
    (required,) = re.findall(r"^REQUIRED = \((.+)\)$", SCRIPT, re.MULTILINE)
    (optional,) = re.findall(r"^OPTIONAL = \((.+)\)$", SCRIPT, re.MULTILINE)
    names = {f"--{name}" for name in re.findall(r'"([^"]+)"', f"{required}, {optional}")} - {"--JOB_NAME"}
    glues = {"--TempDir", "--job-bookmark-option", "--disable-proxy-v2", "--metrics"}
    given = {
        name
        for name in job["DefaultArguments"]
        if name not in glues and not name.startswith(("--enable-", "--custom-", "--additional-", "--python-"))
    }
    assert given == names - {"--metrics"}
    assert "--metrics" in job["DefaultArguments"]


def test_every_place_has_the_form_that_is_understood(job: dict[str, Any]) -> None:
    arguments = job["DefaultArguments"]
    assert arguments["--destination"]["Fn::Sub"].startswith("s3://")
    assert arguments["--state"]["Fn::Sub"].startswith("dynamodb://")
    assert arguments["--schemas"]["Fn::Sub"].startswith("glue://")


def test_no_secret_stands_in_an_argument(template: dict[str, Any], job: dict[str, Any]) -> None:
    assert job["DefaultArguments"]["--secret-id"] == {"Ref": "ConfigSecret"}
    assert template["Parameters"]["ConfigSecret"]["AllowedPattern"].startswith("arn:")
    assert not any(re.search("(?i)password|token|client", name) for name in job["DefaultArguments"])


def test_the_wheels_are_installed_without_a_package_index(job: dict[str, Any]) -> None:
    arguments = job["DefaultArguments"]
    assert arguments["--additional-python-modules"] == {"Ref": "WheelsLocation"}
    assert arguments["--python-modules-installer-option"] == "--no-index"


def test_one_run_at_a_time_and_every_run_ends(job: dict[str, Any]) -> None:
    assert job["ExecutionProperty"] == {"MaxConcurrentRuns": 1}
    assert job["Timeout"] == {"Ref": "TimeoutMinutes"}
    assert job["MaxRetries"] == 0
    assert job["DefaultArguments"]["--job-bookmark-option"] == "job-bookmark-disable"


def test_workers_are_in_the_private_subnet_and_only_they_get_in(resources: dict[str, Any], job: dict[str, Any]) -> None:
    assert job["Connections"] == {"Connections": [{"Ref": "Connection"}]}
    place = resources["Connection"]["Properties"]["ConnectionInput"]["PhysicalConnectionRequirements"]
    assert place["SubnetId"] == {"Ref": "PrivateSubnet"}
    group = {"Ref": "WorkerSecurityGroup"}
    assert place["SecurityGroupIdList"] == [group]
    ingress = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::EC2::SecurityGroupIngress"]
    assert [(one["GroupId"], one["SourceSecurityGroupId"]) for one in ingress] == [(group, group)]
    (egress,) = resources["WorkerSecurityGroup"]["Properties"]["SecurityGroupEgress"]
    assert (egress["FromPort"], egress["ToPort"]) == (443, 443)


def test_what_the_stack_wants_is_what_the_fargate_stack_tells(template: dict[str, Any]) -> None:
    fargate = read_template(DEPLOY / "fargate" / "template.yaml")
    shared = {
        name for name, one in template["Parameters"].items() if one["Description"].startswith(f"Output {name} of ")
    }
    assert shared == {
        *("ConfigSecret", "DataBucket", "StateTable", "SchemaRegistry", "DriftEventBus"),
        *("VpcId", "PrivateSubnet", "PrivateSubnetZone"),
    }
    assert shared <= set(fargate["Outputs"])


def test_the_role_may_not_do_everything_or_anywhere(resources: dict[str, Any]) -> None:
    assert "ManagedPolicyArns" not in resources["JobRole"]["Properties"]
    for statement in statements(resources["JobRole"]):
        assert not any("*" in action for action in actions(statement)), statement
        assert statement["Resource"] != "*" or all(
            action == "cloudwatch:PutMetricData" or action.startswith("ec2:Describe") for action in actions(statement)
        ), statement


def test_what_a_task_may_do_to_secret_state_and_schemas_the_job_may_too(resources: dict[str, Any]) -> None:
    fargate = read_template(DEPLOY / "fargate" / "template.yaml")["Resources"]
    services = ("secretsmanager:", "dynamodb:", "glue:CreateS", "glue:GetSchema", "glue:Register", "events:")

    def allowed(role: dict[str, Any]) -> set[str]:
        return {
            action for statement in statements(role) for action in actions(statement) if action.startswith(services)
        }

    assert allowed(resources["JobRole"]) == allowed(fargate["TaskRole"])


def test_logs_go_to_groups_of_the_stack_and_a_second_stack_of_its_name_makes_its_own(
    resources: dict[str, Any], job: dict[str, Any]
) -> None:
    """Glue 5 appends /output and /error to the prefix, and knows no other way to name a group."""
    assert not any("continuous" in name for name in job["DefaultArguments"])
    stack = {"AWS::StackName": "backfill", "AWS::StackId": "arn:aws:cloudformation:x:1:stack/backfill/0a1b2c3d-1-2-3-4"}
    prefix = resolved(job["DefaultArguments"]["--custom-logGroup-prefix"], stack, {})
    assert prefix == "/aws-glue/backfill-0a1b2c3d"
    groups = {name: one for name, one in resources.items() if one["Type"] == "AWS::Logs::LogGroup"}
    names = [resolved(group["Properties"]["LogGroupName"], stack, {}) for group in groups.values()]
    assert names == [f"{prefix}/output", f"{prefix}/error"]
    (may_write,) = [one for one in statements(resources["JobRole"]) if one["Sid"] == "WriteLogs"]
    assert [{"Fn::GetAtt": [name, "Arn"]} for name in groups] == may_write["Resource"][:2]
    for group in groups.values():
        assert group["DeletionPolicy"] == "RetainExceptOnCreate"
        assert group["UpdateReplacePolicy"] == "Retain"


def test_the_role_may_what_sparks_committers_do_to_uploads(resources: dict[str, Any]) -> None:
    """S3A, the file system of Glue 5.1, lists a bucket's unfinished uploads and the parts of one."""
    on_bucket, on_objects = set(), set()
    for statement in statements(resources["JobRole"]):
        places = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        for place in (str(place) for place in places if ":s3:::" in str(place)):
            (on_objects if "/salesforce/*" in place else on_bucket).update(actions(statement))
    assert {"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:DeleteObject"} <= on_objects
    assert {"s3:ListBucket", "s3:ListBucketMultipartUploads"} <= on_bucket
