"""The CloudFormation template: cfn-lint passes, and the task has what neither cfn-lint nor moto would miss."""

from __future__ import annotations

import operator
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from source_salesforce_bulk.export import export_command
from source_salesforce_bulk.export.cli import commands
from source_salesforce_bulk.export.metrics_sink import NAMESPACE, RunReport, embedded
from source_salesforce_bulk.export.outcomes import ExportFailed, ObjectOutcome
from source_salesforce_bulk.export.schema_watch import EVENT_SOURCE, DriftAlert
from source_salesforce_bulk.registries.dynamodb_state import _key
from source_salesforce_bulk.salesforce.failures import Consequence
from source_salesforce_bulk.signals import Stop
from source_salesforce_bulk.spark.staging import STAGING
from unit_tests.cloudformation import ACCOUNT, DEPLOY, REGION, Stack, lint, read_template
from unit_tests.iam import actions, allows, resources

TEMPLATE = DEPLOY / "fargate" / "template.yaml"
NEW = Stack(TEMPLATE, ImageUri="registry/image:1", AlarmEmail="data@example.com", ScheduleState="ENABLED")
SUBNETS = ["subnet-0a", "subnet-0b"]
GIVEN = Stack(
    TEMPLATE,
    ImageUri="registry/image:1",
    AlarmEmail="data@example.com",
    ExistingVpcId="vpc-01",
    ExistingSubnetIds=",".join(SUBNETS),
    ExistingBucket="warehouse",
    KmsKeyArn=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
    PermissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/boundary",
    Architecture="ARM64",
)
ROLES = ("ExecutionRole", "TaskRole", "RunRole", "SchedulerRole")


def container_of(stack: Stack = NEW) -> dict[str, Any]:
    (only,) = stack.properties("Task")["ContainerDefinitions"]
    return only


def test_cfn_lint_finds_nothing() -> None:
    assert lint(TEMPLATE) == (0, "")


@pytest.mark.parametrize("stack", ["fargate", "glue"])
def test_a_template_is_small_enough_to_be_deployed_without_a_bucket_for_it(stack: str) -> None:
    assert (DEPLOY / stack / "template.yaml").stat().st_size <= 51_200


def test_the_only_way_out_is_one_address_that_is_told() -> None:
    (nat,) = NEW.of_type("AWS::EC2::NatGateway").values()
    assert nat["AllocationId"] == "egressaddress.AllocationId"
    assert NEW.outputs()["AddressToAllow"] == "egressaddress"
    assert NEW.properties("PrivateDefaultRoute")["NatGatewayId"] == "natgateway"
    for name in ("A", "B"):
        assert NEW.properties(f"PrivateSubnet{name}Routes")["RouteTableId"] == "privateroutes"
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in NEW.of_type("AWS::EC2::Subnet").values())
    assert network_of(NEW) == {
        "AssignPublicIp": "DISABLED",
        "SecurityGroups": ["tasksecuritygroup"],
        "Subnets": ["privatesubneta", "privatesubnetb"],
    }


def network_of(stack: Stack) -> dict[str, Any]:
    run = stack.properties("Export")["Definition"]["States"]["Run"]
    return run["Parameters"]["NetworkConfiguration"]["AwsvpcConfiguration"]


@pytest.mark.parametrize("stack", [NEW, GIVEN])
def test_nothing_comes_in_and_only_https_goes_out(stack: Stack) -> None:
    (group,) = stack.of_type("AWS::EC2::SecurityGroup").values()
    assert "SecurityGroupIngress" not in group
    (egress,) = group["SecurityGroupEgress"]
    assert (egress["IpProtocol"], egress["FromPort"], egress["ToPort"]) == ("tcp", 443, 443)


def test_an_address_that_is_allowed_already_can_be_brought_along() -> None:
    stack = Stack(TEMPLATE, EgressAllocationId="eipalloc-0123456789abcdef0")
    assert "EgressAddress" not in stack.names
    assert stack.properties("NatGateway")["AllocationId"] == "eipalloc-0123456789abcdef0"
    pattern = re.compile(stack.template["Parameters"]["EgressAllocationId"]["AllowedPattern"])
    assert pattern.fullmatch("")
    assert not pattern.fullmatch("203.0.113.7")


def test_files_and_state_have_endpoints_of_their_own() -> None:
    services = [endpoint["ServiceName"] for endpoint in NEW.of_type("AWS::EC2::VPCEndpoint").values()]
    assert sorted(service.rpartition(".")[2] for service in services) == ["dynamodb", "s3"]


def test_a_network_that_is_there_is_used_and_none_is_made() -> None:
    made = {GIVEN.template["Resources"][name]["Type"] for name in GIVEN.names}
    assert {one for one in made if one.startswith("AWS::EC2::")} == {"AWS::EC2::SecurityGroup"}
    assert GIVEN.properties("TaskSecurityGroup")["VpcId"] == "vpc-01"
    assert network_of(GIVEN)["Subnets"] == SUBNETS
    told = GIVEN.outputs()
    assert (told["VpcId"], told["Subnets"], told["PrivateSubnet"]) == ("vpc-01", "subnet-0a,subnet-0b", "subnet-0a")
    assert "AddressToAllow" not in told


def test_a_bucket_that_is_there_is_used_and_none_is_made() -> None:
    assert not GIVEN.of_type("AWS::S3::Bucket")
    assert not GIVEN.of_type("AWS::S3::BucketPolicy")
    assert "s3://warehouse/salesforce" in container_of(GIVEN)["Command"]
    assert GIVEN.outputs()["DataBucket"] == "warehouse"
    rights = GIVEN.statements("TaskRole")
    assert allows(rights, "s3:PutObject", "arn:aws:s3:::warehouse/salesforce/Account/run=1/w0.parquet")
    assert allows(rights, "s3:ListBucket", "arn:aws:s3:::warehouse")


def test_a_key_that_is_given_encrypts_configuration_files_and_logs_and_roles_may_use_it_through_them_alone() -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
    assert GIVEN.properties("Config")["KmsKeyId"] == key
    assert GIVEN.properties("Logs")["KmsKeyId"] == key
    own_bucket = Stack(TEMPLATE, KmsKeyArn=key).properties("Data")["BucketEncryption"]
    (rule,) = own_bucket["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rights = GIVEN.statements("TaskRole")
    for service in ("s3", "secretsmanager"):
        through = {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}
        assert allows(rights, "kms:Decrypt", key, through)
        assert allows(rights, "kms:GenerateDataKey", key, through)
    assert not allows(rights, "kms:Decrypt", key)
    assert not any("kms:Decrypt" in actions(one) for one in NEW.statements("TaskRole"))


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_the_boundary_that_is_given(role: str) -> None:
    assert set(GIVEN.of_type("AWS::IAM::Role")) == set(ROLES)
    assert GIVEN.properties(role)["PermissionsBoundary"] == f"arn:aws:iam::{ACCOUNT}:policy/boundary"
    assert "PermissionsBoundary" not in NEW.properties(role)


def test_the_task_runs_as_the_image_wants() -> None:
    task, container = NEW.properties("Task"), container_of()
    assert (task["NetworkMode"], task["RequiresCompatibilities"]) == ("awsvpc", ["FARGATE"])
    assert task["RuntimePlatform"]["CpuArchitecture"] == "X86_64"
    assert GIVEN.properties("Task")["RuntimePlatform"]["CpuArchitecture"] == "ARM64"
    assert container["User"] == "1000:1000"
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"] == {"InitProcessEnabled": True, "Capabilities": {"Drop": ["ALL"]}}
    assert container["StopTimeout"] == 120
    assert container["LogConfiguration"]["Options"]["mode"] == "non-blocking"


def test_pages_are_spooled_to_a_volume_that_is_declared() -> None:
    container = container_of()
    (environment,) = [entry["Value"] for entry in container["Environment"] if entry["Name"] == "TMPDIR"]
    (mount,) = container["MountPoints"]
    assert mount["ContainerPath"] == environment
    assert mount["SourceVolume"] in [volume["Name"] for volume in NEW.properties("Task")["Volumes"]]


def test_no_secret_stands_in_the_task_definition() -> None:
    assert "Secrets" not in container_of()
    assert [entry["Name"] for entry in container_of()["Environment"]] == ["TMPDIR", "AWS_REGION"]


def taken_by_the_console_script(monkeypatch: pytest.MonkeyPatch, command: list[str], **environment: str) -> Any:
    taken: list[Any] = []
    monkeypatch.setattr(export_command, "run_export", lambda options, stop: taken.append(options) or 0)
    result = CliRunner().invoke(commands, command, obj=Stop(), env=environment)
    assert result.exit_code == 0, result.output
    (options,) = taken
    return options


@pytest.mark.parametrize("objects", [[], ["Account"], ["Account", "Opportunity*"]])
def test_the_command_is_one_that_the_console_script_takes(monkeypatch, objects) -> None:
    """Every option exists, every place has the form that is understood, and each object is an option of its own."""
    container = container_of(Stack(TEMPLATE, Objects=",".join(objects)))
    options = taken_by_the_console_script(monkeypatch, container["Command"])
    assert options.config.startswith("secretsmanager://")
    assert options.destination.startswith("s3://")
    assert options.state.startswith("dynamodb://")
    assert options.schemas.startswith("glue://")
    assert options.metrics == "emf"
    assert list(options.objects) == objects
    assert container["EntryPoint"][0].endswith("/bin/salesforce-bulk")


def test_an_option_behind_the_command_overrides_it(monkeypatch) -> None:
    """docs/export.md accepts a schema change by a run with ``--on-drift warn`` added to the stack's command."""
    command = container_of(Stack(TEMPLATE, OnDrift="fail"))["Command"]
    assert taken_by_the_console_script(monkeypatch, [*command, "--on-drift", "warn"]).on_drift == "warn"


def test_the_run_id_that_the_state_machine_gives_is_the_exports(monkeypatch) -> None:
    run = NEW.properties("Export")["Definition"]["States"]["Run"]["Parameters"]
    (override,) = run["Overrides"]["ContainerOverrides"]
    assert override["Name"] == container_of()["Name"]
    ((name, path),) = [(one["Name"], one["Value.$"]) for one in override["Environment"]]
    assert path == "$$.Execution.Name"
    options = taken_by_the_console_script(monkeypatch, container_of()["Command"], **{name: "nightly-1"})
    assert options.run_id == "nightly-1"


def test_the_table_has_the_keys_that_the_registry_writes() -> None:
    (table,) = NEW.of_type("AWS::DynamoDB::Table").values()
    assert [key["AttributeName"] for key in table["KeySchema"]] == list(_key("x", "y"))
    assert {entry["AttributeType"] for entry in table["AttributeDefinitions"]} == {"S"}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("stack", [NEW, GIVEN])
def test_no_role_may_do_everything_or_anywhere(stack: Stack, role: str) -> None:
    for statement in stack.statements(role):
        assert not any("*" in action for action in actions(statement)), statement
        assert resources(statement) != ["*"] or actions(statement) == ["ecr:GetAuthorizationToken"], statement


def test_the_task_writes_what_belongs_to_exports_and_nothing_that_runs_elsewhere() -> None:
    """Glue runs glue/job.py and the wheels beside it with another role's permissions."""
    rights = NEW.statements("TaskRole")
    for key in ("salesforce/Account/run=1/w00000-p000000.parquet", "salesforce/_manifests/1.json"):
        assert allows(rights, "s3:PutObject", f"{NEW.arn('Data')}/{key}")
        assert allows(rights, "s3:GetObject", f"{NEW.arn('Data')}/{key}")
        assert not allows(rights, "s3:DeleteObject", f"{NEW.arn('Data')}/{key}")
    for key in ("glue/job.py", "glue/x.gluewheels.zip", "glue-temp/x", "salesforce.parquet", "salesforce_x/y"):
        assert not allows(rights, "s3:PutObject", f"{NEW.arn('Data')}/{key}")
        assert not allows(rights, "s3:GetObject", f"{NEW.arn('Data')}/{key}")
    assert not allows(rights, "s3:PutObject", "arn:aws:s3:::another/salesforce/x")


RIGHTS = {
    "batch_write_item": {"dynamodb:BatchWriteItem"},
    "create_registry": {"glue:CreateRegistry"},
    "create_schema": {"glue:CreateSchema"},
    "get_item": {"dynamodb:GetItem"},
    "get_object": {"s3:GetObject"},
    "get_paginator": {"dynamodb:Query"},
    "get_schema_version": {"glue:GetSchemaVersion"},
    "get_secret_value": {"secretsmanager:GetSecretValue"},
    "head_object": {"s3:GetObject"},
    "list_objects_v2": {"s3:ListBucket"},
    "put_events": {"events:PutEvents"},
    "put_object": {"s3:PutObject"},
    "put_secret_value": {"secretsmanager:PutSecretValue"},
    "register_schema_version": {"glue:RegisterSchemaVersion"},
    "transact_write_items": {"dynamodb:PutItem", "dynamodb:UpdateItem"},
    "update_item": {"dynamodb:UpdateItem"},
    "upload_file": {"s3:PutObject", "s3:AbortMultipartUpload"},
}
PACKAGE = DEPLOY.parent / "source_salesforce_bulk"


def test_the_task_may_do_what_the_code_asks_aws_for_and_nothing_else() -> None:
    """A new call of AWS needs a row in RIGHTS, and its right in the templates of both stacks."""
    sources = [
        path.read_text(encoding="utf-8")
        for folder in ("registries", "export")
        for path in PACKAGE.glob(f"{folder}/*.py")
    ]
    called = {name for source in sources for name in re.findall(r"client\.([a-z0-9_]+)\(", source)}
    assert called == set(RIGHTS)
    given = {action for statement in NEW.statements("TaskRole") for action in actions(statement)}
    assert given == set().union(*RIGHTS.values())


def test_only_the_task_itself_reads_the_configuration() -> None:
    secret = [
        (role, statement["Resource"])
        for role in ROLES
        for statement in NEW.statements(role)
        if any(action.startswith("secretsmanager:") for action in actions(statement))
    ]
    assert secret == [("TaskRole", NEW.arn("Config"))]


def test_the_execution_role_pulls_one_repository() -> None:
    rights = NEW.statements("ExecutionRole")
    repositories = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository"
    assert allows(rights, "ecr:BatchGetImage", f"{repositories}/source-salesforce-bulk")
    assert not allows(rights, "ecr:BatchGetImage", f"{repositories}/payroll")


def test_the_run_role_starts_this_task_in_this_cluster_and_stops_no_other() -> None:
    rights, cluster = NEW.statements("RunRole"), NEW.arn("Cluster")
    assert allows(rights, "ecs:RunTask", NEW.arn("Task"), {"ecs:cluster": cluster})
    assert not allows(rights, "ecs:RunTask", NEW.arn("Task"), {"ecs:cluster": f"{cluster}-of-others"})
    tasks = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task"
    assert allows(rights, "ecs:StopTask", f"{tasks}/cluster/1")
    assert not allows(rights, "ecs:StopTask", f"{tasks}/another/1")
    for_tasks = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    assert allows(rights, "iam:PassRole", NEW.arn("TaskRole"), for_tasks)
    assert not allows(rights, "iam:PassRole", NEW.arn("TaskRole"), {"iam:PassedToService": "glue.amazonaws.com"})
    assert not allows(rights, "iam:PassRole", NEW.arn("SchedulerRole"), for_tasks)
    machine = NEW.properties("Export")["StateMachineName"]
    machines = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine"
    assert allows(rights, "states:ListExecutions", f"{machines}:{machine}")


def test_the_schedule_starts_this_export_and_leaves_what_it_could_not_start_in_the_queue() -> None:
    rights = NEW.statements("SchedulerRole")
    assert allows(rights, "states:StartExecution", NEW.arn("Export"))
    assert allows(rights, "sqs:SendMessage", NEW.arn("DeadLetters"))
    assert {action for one in rights for action in actions(one)} == {"states:StartExecution", "sqs:SendMessage"}
    target = NEW.properties("NightlyExport")["Target"]
    assert (target["Arn"], target["RoleArn"]) == (NEW.arn("Export"), NEW.arn("SchedulerRole"))
    assert target["DeadLetterConfig"] == {"Arn": NEW.arn("DeadLetters")}


def test_what_holds_data_outlives_the_stack_but_not_a_stack_that_could_not_be_made() -> None:
    for name in ("Config", "Data", "State", "Logs", "EgressAddress"):
        assert NEW.template["Resources"][name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert NEW.template["Resources"][name]["UpdateReplacePolicy"] == "Retain"


def test_what_killed_runs_leave_expires_and_files_of_exports_do_not() -> None:
    rules = NEW.properties("Data")["LifecycleConfiguration"]["Rules"]
    expiring = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule}
    assert set(expiring) == {f"salesforce/{STAGING}/", "glue-temp/"}
    longest = read_template(DEPLOY / "glue" / "template.yaml")["Parameters"]["TimeoutMinutes"]["MaxValue"]
    assert all(days * 24 * 60 > longest for days in expiring.values())
    assert all(rule["Status"] == "Enabled" for rule in rules)


def test_the_schedule_waits_for_the_secret_and_nothing_is_missed_before_it_is_on() -> None:
    state = NEW.template["Parameters"]["ScheduleState"]
    assert (state["Default"], state["AllowedValues"]) == ("DISABLED", ["ENABLED", "DISABLED"])
    assert NEW.properties("NightlyExport")["State"] == "ENABLED"
    assert "NoSuccessAlarm" in NEW.names
    off = Stack(TEMPLATE)
    assert off.properties("NightlyExport")["State"] == "DISABLED"
    assert "NoSuccessAlarm" not in off.names


def scheduled(**parameters: Any) -> Stack:
    return Stack(TEMPLATE, ScheduleState="ENABLED", **parameters)


SCHEDULES = ["nightly", "weekdays", "six-hourly", "hourly"]
SUMMER_TIME_ENDS = datetime(2026, 10, 25, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def starts(stack: Stack, zone: ZoneInfo) -> list[datetime]:
    """Return the starts of exports in the days around the end of summer time, evaluating the expression by minute."""
    cron = re.fullmatch(
        r"cron\((\d+) (\S+) (\S+) \* (\S+) \*\)", stack.properties("NightlyExport")["ScheduleExpression"]
    )
    assert cron, stack.properties("NightlyExport")["ScheduleExpression"]
    minute, hours, _, days = cron.groups()
    hour_fits = {"*": lambda hour: True, "0/6": lambda hour: hour % 6 == 0}.get(hours, lambda hour: hour == int(hours))
    day_fits = {"*": lambda day: True, "?": lambda day: True, "MON-FRI": lambda day: day < 5}[days]
    first = SUMMER_TIME_ENDS - timedelta(days=9)
    found = []
    for passed in range(16 * 24 * 60):
        at = (first + timedelta(minutes=passed)).astimezone(zone)
        if at.minute == int(minute) and hour_fits(at.hour) and day_fits(at.weekday()) and not (days == "*" and at.fold):
            found.append(at.astimezone(UTC))
    return found


def alarms(stack: Stack, successes: list[datetime], until: datetime) -> list[datetime]:
    """The hours at which the alarm for a missing export is raised, as CloudWatch evaluates it."""
    alarm = stack.properties("NoSuccessAlarm")
    assert (alarm["Period"], alarm["TreatMissingData"], alarm["Statistic"]) == (3600, "breaching", "Sum")
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    periods = alarm["EvaluationPeriods"]
    assert alarm["DatapointsToAlarm"] == periods
    assert periods * alarm["Period"] <= 7 * 24 * 3600, "CloudWatch looks back a week at most"
    hours = {at.replace(minute=0, second=0, microsecond=0) for at in successes}
    hour, raised = min(hours), []
    while hour < until:
        hour += timedelta(hours=1)
        if not hours & {hour - timedelta(hours=back) for back in range(periods)}:
            raised.append(hour)
    return raised


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("zone", [BERLIN, ZoneInfo("UTC")])
def test_no_alarm_is_raised_while_exports_are_complete_however_long_each_takes(schedule: str, zone: ZoneInfo) -> None:
    stack = scheduled(Schedule=schedule, TimeZone=zone.key)
    assert stack.properties("NightlyExport")["ScheduleExpressionTimezone"] == zone.key
    begun = starts(stack, zone)
    long_and_short = [at + timedelta(minutes=355 if number % 2 else 2) for number, at in enumerate(begun)]
    assert len(begun) > 8
    assert alarms(stack, long_and_short, until=begun[-1]) == []


@pytest.mark.parametrize(("schedule", "within"), [("nightly", 24), ("weekdays", 24), ("six-hourly", 12), ("hourly", 8)])
def test_exports_that_stop_coming_raise_the_alarm(schedule: str, within: int) -> None:
    """Return the tasks that stop after a Friday's."""
    stack = scheduled(Schedule=schedule)
    begun = starts(stack, ZoneInfo("UTC"))
    friday = min(at for at in begun if at.weekday() == 4) + timedelta(hours=1)
    missed = min(at for at in begun if at > friday)
    raised = alarms(stack, [at for at in begun if at <= friday], until=friday + timedelta(days=6))
    assert raised
    assert raised[0] - missed <= timedelta(hours=within)


def test_a_schedule_of_ones_own_brings_its_own_hours() -> None:
    stack = scheduled(
        Schedule="own", OwnSchedule="cron(0 22 ? * SUN *)", HoursWithoutSuccess=100, TimeZone="Asia/Tokyo"
    )
    assert stack.properties("NightlyExport")["ScheduleExpression"] == "cron(0 22 ? * SUN *)"
    assert stack.properties("NoSuccessAlarm")["EvaluationPeriods"] == 100
    (needs_hours,) = stack.template["Rules"]["OwnSchedule"]["Assertions"]
    assert "HoursWithoutSuccess" in str(needs_hours["Assert"])
    assert stack.template["Parameters"]["HoursWithoutSuccess"]["MaxValue"] <= 7 * 24


def test_what_counts_as_a_complete_export_is_what_runs_write_into_the_log_group_of_the_stack() -> None:
    """The metrics of runs have no dimension for the stack, so two stacks would alarm for each other."""
    alarm = NEW.properties("NoSuccessAlarm")
    (counter,) = NEW.of_type("AWS::Logs::MetricFilter").values()
    assert counter["LogGroupName"] == "logs"
    (metric,) = counter["MetricTransformations"]
    assert metric["MetricNamespace"] == alarm["Namespace"] == f"{NAMESPACE}/salesforce-bulk"
    assert (metric["MetricName"], metric["MetricValue"]) == (alarm["MetricName"], "1")
    busy = ObjectOutcome("Account", ExportFailed(Consequence.TRANSIENT, "Another run exports it."), busy=True)
    limited = ObjectOutcome("Account", ExportFailed(Consequence.TRANSIENT, "The limits are used up."))
    done = ObjectOutcome("Account")
    for exit_code, outcome, counted in ((0, done, True), (3, limited, False), (75, busy, False), (143, done, False)):
        run, of_an_object = embedded(report(exit_code, outcome))
        assert matches(counter["FilterPattern"], run) is counted, (exit_code, outcome)
        assert not matches(counter["FilterPattern"], of_an_object)


def report(exit_code: int, outcome: ObjectOutcome) -> RunReport:
    counts = {"RecordsProcessed": 1.0}
    return RunReport("r", "00D", exit_code, datetime(2026, 11, 25, tzinfo=UTC), 1.0, [(outcome, counts)], {})


def matches(pattern: str, document: dict[str, Any]) -> bool:
    """CloudWatch Logs' filter, as far as these patterns go: comparisons with numbers, all of which must hold."""
    compare = {">": operator.gt, ">=": operator.ge}
    terms = re.findall(r"\$\.(\w+) (>=?) (\d+)", pattern)
    assert "{ " + " && ".join(f"$.{name} {sign} {number}" for name, sign, number in terms) + " }" == pattern
    return all(name in document and compare[sign](document[name], int(number)) for name, sign, number in terms)


def test_failed_exports_and_schema_changes_are_mailed_without_further_setup() -> None:
    (subscription,) = NEW.of_type("AWS::SNS::Subscription").values()
    assert subscription == {"TopicArn": NEW.arn("Alarms"), "Protocol": "email", "Endpoint": "data@example.com"}
    assert "Default" not in NEW.template["Parameters"]["AlarmEmail"]
    rules = NEW.of_type("AWS::Events::Rule")
    assert set(rules) == {"FailedExport", "SchemaChange"}
    for rule in rules.values():
        (target,) = rule["Targets"]
        assert target["Arn"] == NEW.arn("Alarms")
        assert target["DeadLetterConfig"] == {"Arn": NEW.arn("DeadLetters")}
        lines = target["InputTransformer"]["InputTemplate"].splitlines()
        assert all(line.startswith('"') and line.endswith('"') for line in lines)
        assert set(re.findall(r"<(\w+)>", "".join(lines))) == set(target["InputTransformer"]["InputPathsMap"])
    assert all(alarm["AlarmActions"] == [NEW.arn("Alarms")] for alarm in NEW.of_type("AWS::CloudWatch::Alarm").values())


def test_an_export_that_has_failed_for_good_is_told_of_and_one_that_is_tried_again_is_not() -> None:
    pattern = NEW.properties("FailedExport")["EventPattern"]
    assert pattern["detail"]["stateMachineArn"] == [NEW.arn("Export")]
    assert set(pattern["detail"]["status"]) == {"FAILED", "TIMED_OUT", "ABORTED"}


def test_the_rule_for_schema_changes_listens_to_the_bus_and_the_events_of_exports() -> None:
    rule = NEW.properties("SchemaChange")
    assert rule["EventBusName"] == "driftbus"
    assert rule["EventPattern"] == {"source": [EVENT_SOURCE]}
    event = DriftAlert("r", "00D", "Account", 3, ()).to_json()
    paths = rule["Targets"][0]["InputTransformer"]["InputPathsMap"].values()
    assert {path.removeprefix("$.detail.") for path in paths} <= set(event)


def test_alarms_and_rules_may_write_to_the_topic_and_rules_to_the_queue() -> None:
    """A policy of one's own replaces the topic's default, which lets the account's alarms in."""
    (policy,) = NEW.of_type("AWS::SNS::TopicPolicy").values()
    assert policy["Topics"] == [NEW.arn("Alarms")]
    allowed = {one["Principal"]["Service"]: actions(one) for one in policy["PolicyDocument"]["Statement"]}
    assert allowed == {"cloudwatch.amazonaws.com": ["sns:Publish"], "events.amazonaws.com": ["sns:Publish"]}
    (policy,) = NEW.of_type("AWS::SQS::QueuePolicy").values()
    rules = policy["PolicyDocument"]["Statement"]
    for source in (NEW.arn("FailedExport"), NEW.arn("SchemaChange"), NEW.arn("DriftBus")):
        assert allows(rules, "sqs:SendMessage", NEW.arn("DeadLetters"), {"aws:SourceArn": source})
    others = {"aws:SourceArn": f"arn:aws:events:{REGION}:999999999999:rule/theirs"}
    assert not allows(rules, "sqs:SendMessage", NEW.arn("DeadLetters"), others)


def test_what_could_not_be_delivered_raises_an_alarm() -> None:
    alarm = NEW.properties("UndeliveredAlarm")
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": "deadletters.QueueName"}]
    assert alarm["TreatMissingData"] == "notBreaching"


def test_the_outputs_are_enough_to_start_a_task_by_hand() -> None:
    told = NEW.outputs()
    assert (told["Cluster"], told["TaskDefinition"]) == ("cluster", NEW.arn("Task"))
    assert told["ExportMachine"] == NEW.arn("Export")
    assert (told["Subnets"], told["TaskSecurityGroup"]) == ("privatesubneta,privatesubnetb", "tasksecuritygroup")
    assert told["LogGroup"] == "logs"


def test_it_can_run_on_spot() -> None:
    assert NEW.template["Parameters"]["CapacityProvider"]["AllowedValues"] == ["FARGATE", "FARGATE_SPOT"]
    assert NEW.properties("Cluster")["CapacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    spot = Stack(TEMPLATE, CapacityProvider="FARGATE_SPOT").properties("Export")["Definition"]["States"]["Run"]
    strategy = [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1, "Base": 0}]
    assert spot["Parameters"]["CapacityProviderStrategy"] == strategy
