"""The CloudFormation template of the Glue job, compared with the job's script and with the Fargate stack."""

from __future__ import annotations

import re
from typing import Any

import pytest

from unit_tests.cloudformation import ACCOUNT, DEPLOY, REGION, Stack, lint, read_template
from unit_tests.iam import actions, allows

TEMPLATE = DEPLOY / "glue" / "template.yaml"
SCRIPT = (DEPLOY / "glue" / "job.py").read_text(encoding="utf-8")


SUBNET = "subnet-0a1b"
STACK = Stack(
    TEMPLATE,
    DataBucket="data",
    PrivateSubnet=SUBNET,
    ConfigSecret=f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:config-AbCdEf",
    AlarmTopic=f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms",
    DeadLetterQueue=f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead-letters",
)
TABLES = Stack(TEMPLATE, DataBucket="data", TablesDatabase="crm", TablesHistory="true")
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
WITH_KEY = Stack(TEMPLATE, KmsKeyArn=KEY, PermissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/boundary")
EC2 = f"arn:aws:ec2:{REGION}:{ACCOUNT}"


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return STACK.template


@pytest.fixture(scope="module")
def resources(template: dict[str, Any]) -> dict[str, Any]:
    return template["Resources"]


@pytest.fixture(scope="module")
def job(resources: dict[str, Any]) -> dict[str, Any]:
    return resources["Job"]["Properties"]


def may(action: str, resource: str, **context: str | list[str]) -> bool:
    """Return whether the job's role may do that; ``ec2_Subnet`` stands for the condition key ``ec2:Subnet``."""
    keys = {name.replace("_", ":"): value for name, value in context.items()}
    return allows(STACK.statements("JobRole"), action, resource, keys)


def test_cfn_lint_finds_nothing() -> None:
    assert lint(TEMPLATE) == (0, "")


def test_the_job_gets_every_argument_that_its_script_wants_and_no_other_of_ours(job: dict[str, Any]) -> None:
    """Glue sets JOB_NAME."""
    (required,) = re.findall(r"^REQUIRED = \((.+)\)$", SCRIPT, re.MULTILINE)
    (optional,) = re.findall(r"^OPTIONAL = \((.+)\)$", SCRIPT, re.MULTILINE)
    choices = re.findall(r'^    "([^"]+)": \(', SCRIPT, re.MULTILINE)
    assert "on-drift" in choices
    names = {f"--{name}" for name in (*re.findall(r'"([^"]+)"', f"{required}, {optional}"), *choices)} - {"--JOB_NAME"}
    glues = {"--TempDir", "--job-bookmark-option", "--disable-proxy-v2", "--metrics", "--conf"}
    given = {
        name
        for name in job["DefaultArguments"]
        if name not in glues and not name.startswith(("--enable-", "--custom-", "--additional-", "--python-"))
    }
    assert given == names - {"--metrics"}
    assert "--metrics" in job["DefaultArguments"]


def test_every_place_has_the_form_that_is_understood() -> None:
    arguments = STACK.properties("Job")["DefaultArguments"]
    assert arguments["--destination"] == "s3://data/salesforce"
    assert arguments["--state"].startswith("dynamodb://")
    assert arguments["--schemas"].startswith("glue://")
    assert not {"--warehouse", "--tables", "--history", "--keep-deleted"} & set(arguments)


def test_with_a_database_the_job_writes_tables_and_its_role_may_commit_them_and_delete_no_data() -> None:
    arguments = TABLES.properties("Job")["DefaultArguments"]
    assert arguments["--destination"] == "iceberg://glue/crm"
    assert (arguments["--warehouse"], arguments["--tables"]) == ("s3://data/tables", "both")
    assert (arguments["--history"], arguments["--keep-deleted"]) == ("true", "false")

    role, glue = TABLES.statements("JobRole"), f"arn:aws:glue:{REGION}:{ACCOUNT}"
    for action in ("glue:CreateTable", "glue:GetTable", "glue:UpdateTable"):
        assert allows(role, action, f"{glue}:table/crm/account_log", {})
        assert not allows(role, action, f"{glue}:table/another/account_log", {})
        assert not may(action, f"{glue}:table/crm/account_log")
    assert not allows(role, "glue:DeleteTable", f"{glue}:table/crm/account_log", {})
    table = "arn:aws:s3:::data/tables/crm.db/account_log"
    for action in ("s3:PutObject", "s3:GetObject"):
        assert allows(role, action, f"{table}/data/run=jr_1/1.parquet", {})
        assert not may(action, f"{table}/data/run=jr_1/1.parquet")
    assert allows(role, "s3:DeleteObject", f"{table}/metadata/00001-a.metadata.json", {})
    assert not allows(role, "s3:DeleteObject", f"{table}/data/run=jr_1/1.parquet", {})


def test_no_secret_stands_in_an_argument(template: dict[str, Any], job: dict[str, Any]) -> None:
    assert job["DefaultArguments"]["--secret-id"] == {"Ref": "ConfigSecret"}
    assert job["DefaultArguments"]["--session-secret"] == {"Ref": "Session"}
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
        *(
            "ConfigSecret",
            "DataBucket",
            "StateTable",
            "SchemaRegistry",
            "DriftEventBus",
            "AlarmTopic",
            "DeadLetterQueue",
        ),
        *("VpcId", "PrivateSubnet", "PrivateSubnetZone"),
    }
    assert shared <= set(fargate["Outputs"])


def test_the_role_may_not_do_everything_or_anywhere() -> None:
    assert "ManagedPolicyArns" not in STACK.properties("JobRole")
    for statement in [one for stack in (STACK, TABLES, WITH_KEY) for one in stack.statements("JobRole")]:
        assert not any("*" in action for action in actions(statement)), statement
        if statement["Resource"] == "*":
            assert statement["Condition"], statement
            assert all(
                one == "cloudwatch:PutMetricData" or one.startswith("ec2:Describe") for one in actions(statement)
            )


def test_the_job_removes_what_it_staged_and_never_what_has_become_part_of_an_export() -> None:
    for key in ("salesforce/_staging/jr_1/Account/wave-00001/part-0.parquet", "glue-temp/x"):
        assert may("s3:DeleteObject", f"arn:aws:s3:::data/{key}")
        assert may("s3:PutObject", f"arn:aws:s3:::data/{key}")
    for key in ("salesforce/Account/run=jr_1/w00000-p000000.parquet", "salesforce/_manifests/jr_1.json"):
        assert not may("s3:DeleteObject", f"arn:aws:s3:::data/{key}")
        assert may("s3:PutObject", f"arn:aws:s3:::data/{key}")
        assert may("s3:GetObject", f"arn:aws:s3:::data/{key}")
    assert not may("s3:PutObject", "arn:aws:s3:::another/salesforce/x")


def test_the_job_reads_its_script_and_wheels_and_cannot_write_them() -> None:
    for key in ("glue/job.py", "glue/x.gluewheels.zip"):
        assert may("s3:GetObject", f"arn:aws:s3:::data/{key}")
        assert not may("s3:PutObject", f"arn:aws:s3:::data/{key}")
        assert not may("s3:DeleteObject", f"arn:aws:s3:::data/{key}")


def test_network_interfaces_are_made_and_removed_in_the_jobs_own_subnet_alone() -> None:
    interface = f"{EC2}:network-interface/eni-1"
    own, others = f"{EC2}:subnet/{SUBNET}", f"{EC2}:subnet/subnet-0f0f"
    for action in ("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"):
        assert may(action, interface, ec2_Subnet=own)
        assert not may(action, interface, ec2_Subnet=others)
        assert not may(action, interface)
    assert may("ec2:CreateNetworkInterface", own)
    assert not may("ec2:CreateNetworkInterface", others)
    assert may("ec2:CreateNetworkInterface", f"{EC2}:security-group/workersecuritygroup")
    assert not may("ec2:CreateNetworkInterface", f"{EC2}:security-group/sg-of-others")


def test_network_interfaces_get_glues_own_tag_and_no_other() -> None:
    interface, subnet = f"{EC2}:network-interface/eni-1", f"{EC2}:subnet/{SUBNET}"
    glues = "aws-glue-service-resource"
    assert may("ec2:CreateTags", interface, ec2_Subnet=subnet, aws_TagKeys=[glues])
    assert not may("ec2:CreateTags", interface, ec2_Subnet=subnet, aws_TagKeys=[glues, "owner"])
    assert not may("ec2:CreateTags", f"{EC2}:instance/i-1", ec2_Subnet=subnet, aws_TagKeys=[glues])


def test_what_a_task_may_do_to_secret_state_and_schemas_the_job_may_too() -> None:
    fargate = Stack(DEPLOY / "fargate" / "template.yaml")
    services = ("secretsmanager:", "dynamodb:", "glue:CreateS", "glue:GetSchema", "glue:Register", "events:")

    def allowed(stack: Stack, role: str) -> set[str]:
        given = {action for statement in stack.statements(role) for action in actions(statement)}
        return {action for action in given if action.startswith(services)}

    assert allowed(STACK, "JobRole") == allowed(fargate, "TaskRole")


def test_executors_read_the_session_from_a_secret_of_its_own() -> None:
    session = STACK.arn("Session")
    assert STACK.properties("Job")["DefaultArguments"]["--session-secret"] == session
    assert may("secretsmanager:PutSecretValue", session)
    assert may("secretsmanager:GetSecretValue", session)
    assert not may("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:payroll-AbCdEf")


@pytest.mark.parametrize(
    ("stack", "s3"),
    [(STACK, {"S3EncryptionMode": "SSE-S3"}), (WITH_KEY, {"S3EncryptionMode": "SSE-KMS", "KmsKeyArn": KEY})],
)
def test_what_the_job_writes_anywhere_is_encrypted(stack: Stack, s3: dict[str, str]) -> None:
    job = stack.properties("Job")
    assert job["SecurityConfiguration"] == "encryption"
    assert stack.properties("Encryption")["EncryptionConfiguration"]["S3Encryptions"] == [s3]
    assert job["DefaultArguments"]["--conf"] == "spark.io.encryption.enabled=true"


def test_a_key_that_is_given_encrypts_logs_and_the_session_and_may_be_used_through_s3_and_secrets_manager() -> None:
    for name in ("Logs", "SparkLogs", "Session"):
        assert WITH_KEY.properties(name)["KmsKeyId"] == KEY
        assert "KmsKeyId" not in STACK.properties(name)
    rights = WITH_KEY.statements("JobRole")
    for service in ("s3", "secretsmanager"):
        assert allows(rights, "kms:Decrypt", KEY, {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"})
    assert not allows(rights, "kms:Decrypt", KEY)


def test_the_role_has_the_boundary_that_is_given() -> None:
    assert WITH_KEY.properties("JobRole")["PermissionsBoundary"] == f"arn:aws:iam::{ACCOUNT}:policy/boundary"
    assert "PermissionsBoundary" not in STACK.properties("JobRole")


def test_a_run_that_fails_is_told_where_failed_exports_are() -> None:
    rule = STACK.properties("FailedRun")
    assert (rule["EventPattern"]["source"], rule["EventPattern"]["detail"]["jobName"]) == (["aws.glue"], ["job"])
    assert {"FAILED", "TIMEOUT"} <= set(rule["EventPattern"]["detail"]["state"])
    assert "SUCCEEDED" not in rule["EventPattern"]["detail"]["state"]
    (target,) = rule["Targets"]
    assert target["Arn"] == f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"
    assert target["DeadLetterConfig"] == {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead-letters"}
    lines = target["InputTransformer"]["InputTemplate"]
    assert set(re.findall(r"<(\w+)>", lines)) == set(target["InputTransformer"]["InputPathsMap"])


def test_logs_go_to_groups_of_the_stack_and_a_second_stack_of_its_name_makes_its_own(
    resources: dict[str, Any], job: dict[str, Any]
) -> None:
    """Glue 5 always appends /output and /error to the prefix."""
    assert not any("continuous" in name for name in job["DefaultArguments"])
    prefix = STACK.properties("Job")["DefaultArguments"]["--custom-logGroup-prefix"]
    assert prefix == "/aws-glue/salesforce-bulk-0a1b2c3d"
    groups = STACK.of_type("AWS::Logs::LogGroup")
    assert {group["LogGroupName"] for group in groups.values()} == {f"{prefix}/output", f"{prefix}/error"}
    for name in groups:
        assert may("logs:PutLogEvents", STACK.arn(name))
        assert resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert resources[name]["UpdateReplacePolicy"] == "Retain"


def test_the_role_may_what_sparks_committers_do_to_uploads() -> None:
    """S3A, the file system of Glue 5.1, lists a bucket's unfinished uploads and the parts of one."""
    staged = "arn:aws:s3:::data/salesforce/_staging/jr_1/Account/wave-00001/part-0.parquet"
    for action in ("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:DeleteObject"):
        assert may(action, staged)
    for action in ("s3:ListBucket", "s3:ListBucketMultipartUploads"):
        assert may(action, "arn:aws:s3:::data")
