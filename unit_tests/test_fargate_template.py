"""The CloudFormation template: what cfn-lint knows, and what a task needs that neither cfn-lint nor moto would miss."""

from __future__ import annotations

import operator
import re
from datetime import UTC, datetime
from signal import SIGINT, SIGTERM
from typing import Any

import pytest
from click.testing import CliRunner

from source_salesforce_bulk.export.cli import export
from source_salesforce_bulk.export.metrics import NAMESPACE, RunReport, embedded
from source_salesforce_bulk.export.outcomes import ExitCode, ExportFailed, ObjectOutcome
from source_salesforce_bulk.registries.dynamodb_state import _key
from source_salesforce_bulk.salesforce.failures import Consequence
from source_salesforce_bulk.signals import Stop
from source_salesforce_bulk.spark.staging import STAGING
from unit_tests.cloudformation import DEPLOY, actions, lint, read_template, resolved, statements

TEMPLATE = DEPLOY / "fargate" / "template.yaml"


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return read_template(TEMPLATE)


@pytest.fixture(scope="module")
def resources(template: dict[str, Any]) -> dict[str, Any]:
    return template["Resources"]


@pytest.fixture(scope="module")
def container(resources: dict[str, Any]) -> dict[str, Any]:
    (only,) = resources["Task"]["Properties"]["ContainerDefinitions"]
    return only


def of_type(resources: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in resources.values() if resource["Type"] == kind]


def test_cfn_lint_finds_nothing() -> None:
    assert lint(TEMPLATE) == (0, "")


def test_the_only_way_out_is_one_address_that_is_told(template: dict[str, Any], resources: dict[str, Any]) -> None:
    (nat,) = of_type(resources, "AWS::EC2::NatGateway")
    allocated = {"Fn::GetAtt": ["EgressAddress", "AllocationId"]}
    assert nat["AllocationId"] == {"Fn::If": ["NeedsAddress", allocated, {"Ref": "EgressAllocationId"}]}
    told = {"Fn::If": ["NeedsAddress", {"Ref": "EgressAddress"}, {"Ref": "EgressAllocationId"}]}
    assert template["Outputs"]["AddressToAllow"]["Value"] == told
    assert resources["PrivateDefaultRoute"]["Properties"]["NatGatewayId"] == {"Ref": "NatGateway"}
    for name in ("A", "B"):
        routes = resources[f"PrivateSubnet{name}Routes"]["Properties"]["RouteTableId"]
        assert routes == {"Ref": "PrivateRoutes"}
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in of_type(resources, "AWS::EC2::Subnet"))
    network = resources["Schedule"]["Properties"]["Target"]["EcsParameters"]["NetworkConfiguration"]
    assert network["AwsvpcConfiguration"] == {
        "AssignPublicIp": "DISABLED",
        "SecurityGroups": [{"Ref": "TaskSecurityGroup"}],
        "Subnets": [{"Ref": "PrivateSubnetA"}, {"Ref": "PrivateSubnetB"}],
    }


def test_nothing_comes_in_and_only_https_goes_out(resources: dict[str, Any]) -> None:
    (group,) = of_type(resources, "AWS::EC2::SecurityGroup")
    assert "SecurityGroupIngress" not in group
    (egress,) = group["SecurityGroupEgress"]
    assert (egress["IpProtocol"], egress["FromPort"], egress["ToPort"]) == ("tcp", 443, 443)


def test_an_address_that_is_allowed_already_can_be_brought_along(
    template: dict[str, Any], resources: dict[str, Any]
) -> None:
    assert template["Conditions"]["NeedsAddress"] == {"Fn::Equals": [{"Ref": "EgressAllocationId"}, ""]}
    assert resources["EgressAddress"]["Condition"] == "NeedsAddress"
    pattern = re.compile(template["Parameters"]["EgressAllocationId"]["AllowedPattern"])
    assert pattern.fullmatch("")
    assert pattern.fullmatch("eipalloc-0123456789abcdef0")
    assert not pattern.fullmatch("203.0.113.7")


def test_files_and_state_have_endpoints_of_their_own(resources: dict[str, Any]) -> None:
    services = [endpoint["ServiceName"]["Fn::Sub"] for endpoint in of_type(resources, "AWS::EC2::VPCEndpoint")]
    assert sorted(service.rpartition(".")[2] for service in services) == ["dynamodb", "s3"]


def test_the_task_runs_as_the_image_wants(resources: dict[str, Any], container: dict[str, Any]) -> None:
    task = resources["Task"]["Properties"]
    assert (task["NetworkMode"], task["RequiresCompatibilities"]) == ("awsvpc", ["FARGATE"])
    assert task["Cpu"] == {"Ref": "TaskCpu"}
    assert container["User"] == "1000:1000"
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"] == {"InitProcessEnabled": True, "Capabilities": {"Drop": ["ALL"]}}
    assert container["StopTimeout"] == 120
    assert container["LogConfiguration"]["Options"]["mode"] == "non-blocking"


def test_pages_are_spooled_to_a_volume_that_is_declared(resources: dict[str, Any], container: dict[str, Any]) -> None:
    (environment,) = [entry["Value"] for entry in container["Environment"] if entry["Name"] == "TMPDIR"]
    (mount,) = container["MountPoints"]
    assert mount["ContainerPath"] == environment
    assert mount["SourceVolume"] in [volume["Name"] for volume in resources["Task"]["Properties"]["Volumes"]]


def test_no_secret_stands_in_the_task_definition(container: dict[str, Any]) -> None:
    assert "Secrets" not in container
    assert [entry["Name"] for entry in container["Environment"]] == ["TMPDIR", "AWS_REGION"]


@pytest.mark.parametrize("objects", [[], ["Account"], ["Account", "Opportunity*"]])
def test_the_command_is_one_that_the_console_script_takes(container: dict[str, Any], monkeypatch, objects) -> None:
    """Every option exists, every place has the form that is understood, and each object is an option of its own."""
    taken: list[Any] = []
    monkeypatch.setattr(
        "source_salesforce_bulk.export.cli.run_export", lambda options, stop: taken.append(options) or 0
    )
    command = resolved(container["Command"], {"Objects": objects, "OnDrift": "warn"}, {"HasObjects": bool(objects)})
    assert command[0] == "export"
    result = CliRunner().invoke(export, command[1:], obj=Stop())
    assert result.exit_code == 0, result.output
    (options,) = taken
    assert options.config.startswith("secretsmanager://")
    assert options.destination.startswith("s3://")
    assert options.state.startswith("dynamodb://")
    assert options.schemas.startswith("glue://")
    assert options.metrics == "emf"
    assert list(options.objects) == objects
    assert container["EntryPoint"][0].endswith("/bin/salesforce-bulk")


def test_an_option_behind_the_command_overrides_it(container: dict[str, Any], monkeypatch) -> None:
    """docs/export.md accepts a schema change by a run with ``--on-drift warn`` behind the stack's own command."""
    taken: list[Any] = []
    monkeypatch.setattr(
        "source_salesforce_bulk.export.cli.run_export", lambda options, stop: taken.append(options) or 0
    )
    command = resolved(container["Command"], {"OnDrift": "fail"}, {"HasObjects": False})
    assert CliRunner().invoke(export, [*command[1:], "--on-drift", "warn"], obj=Stop()).exit_code == 0
    assert [options.on_drift for options in taken] == ["warn"]


def test_the_table_has_the_keys_that_the_registry_writes(resources: dict[str, Any]) -> None:
    (table,) = of_type(resources, "AWS::DynamoDB::Table")
    assert [key["AttributeName"] for key in table["KeySchema"]] == list(_key("x", "y"))
    assert {entry["AttributeType"] for entry in table["AttributeDefinitions"]} == {"S"}


@pytest.mark.parametrize("role", ["ExecutionRole", "TaskRole", "SchedulerRole"])
def test_no_role_may_do_everything_or_anywhere(resources: dict[str, Any], role: str) -> None:
    for statement in statements(resources[role]):
        assert not any("*" in action for action in actions(statement)), statement
        assert statement["Resource"] != "*" or actions(statement) == ["ecr:GetAuthorizationToken"], statement


def test_only_the_task_itself_reads_the_configuration(resources: dict[str, Any]) -> None:
    secret = [
        (role, statement["Resource"])
        for role in ("ExecutionRole", "TaskRole", "SchedulerRole")
        for statement in statements(resources[role])
        if any(action.startswith("secretsmanager:") for action in actions(statement))
    ]
    assert secret == [("TaskRole", {"Ref": "Config"})]


def test_what_holds_data_outlives_the_stack_but_not_a_stack_that_could_not_be_made(resources: dict[str, Any]) -> None:
    for name in ("Config", "Data", "State", "Logs", "EgressAddress"):
        assert resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert resources[name]["UpdateReplacePolicy"] == "Retain"


def test_what_killed_runs_leave_expires_and_files_of_exports_do_not(resources: dict[str, Any]) -> None:
    rules = resources["Data"]["Properties"]["LifecycleConfiguration"]["Rules"]
    expiring = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule}
    assert set(expiring) == {f"salesforce/{STAGING}/", "glue-temp/"}
    longest = read_template(DEPLOY / "glue" / "template.yaml")["Parameters"]["TimeoutMinutes"]["MaxValue"]
    assert all(days * 24 * 60 > longest for days in expiring.values())
    assert all(rule["Status"] == "Enabled" for rule in rules)


def test_the_schedule_waits_for_the_secret_and_starts_no_task_without_a_way_out(
    template: dict[str, Any], resources: dict[str, Any]
) -> None:
    """A rate without a start begins at once, with a secret that is still empty."""
    state = template["Parameters"]["ScheduleState"]
    assert (state["Default"], state["AllowedValues"]) == ("DISABLED", ["ENABLED", "DISABLED"])
    schedule = resources["Schedule"]
    assert schedule["Properties"]["State"] == {"Ref": "ScheduleState"}
    assert {"PrivateDefaultRoute", "PrivateSubnetARoutes", "PrivateSubnetBRoutes"} == set(schedule["DependsOn"])
    assert template["Conditions"]["IsScheduled"] == {"Fn::Equals": [{"Ref": "ScheduleState"}, "ENABLED"]}
    assert resources["NoSuccessAlarm"]["Properties"]["ActionsEnabled"] == {"Fn::If": ["IsScheduled", True, False]}


def test_alarms_watch_what_runs_write_into_the_log_group_of_the_stack(resources: dict[str, Any]) -> None:
    """The metrics that runs write have no dimension for the stack: two stacks would hear of each other."""
    own = {"Fn::Sub": NAMESPACE + "/${AWS::StackName}"}
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    assert [(alarm["Namespace"], alarm["MetricName"]) for alarm in alarms] == [(own, "Failed"), (own, "Succeeded")]
    counted = {}
    for counter in of_type(resources, "AWS::Logs::MetricFilter"):
        assert counter["LogGroupName"] == {"Ref": "Logs"}
        (metric,) = counter["MetricTransformations"]
        assert (metric["MetricNamespace"], metric["MetricValue"]) == (own, "1")
        counted[metric["MetricName"]] = counter["FilterPattern"]
    busy = ObjectOutcome("Account", ExportFailed(Consequence.TRANSIENT, "Another run exports it."), busy=True)
    limited = ObjectOutcome("Account", ExportFailed(Consequence.TRANSIENT, "The limits are used up."))
    done = ObjectOutcome("Account")
    for exit_code, outcome, raised in (
        (0, done, {"Succeeded"}),
        (3, limited, {"Failed"}),
        (75, limited, {"Failed"}),
        (75, busy, set()),
        (143, done, set()),
    ):
        run, of_an_object = embedded(report(exit_code, outcome))
        assert {name for name, pattern in counted.items() if matches(pattern, run)} == raised, (exit_code, outcome)
        assert not any(matches(pattern, of_an_object) for pattern in counted.values())
    (silence,) = [alarm for alarm in alarms if alarm["MetricName"] == "Succeeded"]
    assert silence["TreatMissingData"] == "breaching"


def report(exit_code: int, outcome: ObjectOutcome) -> RunReport:
    counts = {"RecordsProcessed": 1.0}
    return RunReport("r", "00D", exit_code, datetime(2026, 11, 25, tzinfo=UTC), 1.0, [(outcome, counts)], {})


def matches(pattern: str, document: dict[str, Any]) -> bool:
    """CloudWatch Logs' filter, as far as these patterns go: comparisons with numbers, all of which must hold."""
    compare = {">": operator.gt, ">=": operator.ge}
    terms = re.findall(r"\$\.(\w+) (>=?) (\d+)", pattern)
    assert "{ " + " && ".join(f"$.{name} {sign} {number}" for name, sign, number in terms) + " }" == pattern
    return all(name in document and compare[sign](document[name], int(number)) for name, sign, number in terms)


def test_a_task_that_cannot_speak_for_itself_is_told_of(resources: dict[str, Any]) -> None:
    """Killed, or never started; and not what the run's own metric tells, or what the next run continues."""
    (rule,) = of_type(resources, "AWS::Events::Rule")
    pattern = rule["EventPattern"]
    assert (pattern["source"], pattern["detail-type"]) == (["aws.ecs"], ["ECS Task State Change"])
    assert pattern["detail"]["clusterArn"] == [{"Fn::GetAtt": ["Cluster", "Arn"]}]
    assert pattern["detail"]["lastStatus"] == ["STOPPED"]
    ended, failed_to_start = pattern["detail"]["$or"]
    assert failed_to_start == {"stopCode": ["TaskFailedToStart"]}
    ((left_out,),) = [condition.values() for condition in ended["containers"]["exitCode"]]
    assert left_out == [ExitCode.DONE, ExitCode.SOME_FAILED, ExitCode.RUN_AGAIN, 128 + SIGINT, 128 + SIGTERM]
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Ref": "Alarms"}
    lines = target["InputTransformer"]["InputTemplate"]["Fn::Sub"].splitlines()
    assert all(line.startswith('"') and line.endswith('"') for line in lines)
    assert set(re.findall(r"<(\w+)>", "".join(lines))) == set(target["InputTransformer"]["InputPathsMap"])


def test_alarms_and_rules_may_write_to_the_topic(resources: dict[str, Any]) -> None:
    """A policy of one's own replaces the topic's default, which lets the account's alarms in."""
    (policy,) = of_type(resources, "AWS::SNS::TopicPolicy")
    assert policy["Topics"] == [{"Ref": "Alarms"}]
    allowed = {one["Principal"]["Service"]: actions(one) for one in policy["PolicyDocument"]["Statement"]}
    assert allowed == {"cloudwatch.amazonaws.com": ["sns:Publish"], "events.amazonaws.com": ["sns:Publish"]}


def test_an_alarm_looks_back_no_further_than_cloudwatch_does(template: dict[str, Any]) -> None:
    """A week at most, where a period is an hour (PutMetricAlarm)."""
    assert template["Parameters"]["HoursWithoutSuccess"]["MaxValue"] <= 7 * 24


def test_the_outputs_are_enough_to_start_a_task_by_hand(template: dict[str, Any]) -> None:
    told = {name: output["Value"] for name, output in template["Outputs"].items()}
    assert told["Cluster"] == {"Ref": "Cluster"}
    assert told["TaskDefinition"] == {"Ref": "Task"}
    assert told["TaskSecurityGroup"] == {"Ref": "TaskSecurityGroup"}
    assert (told["PrivateSubnet"], told["PrivateSubnetB"]) == ({"Ref": "PrivateSubnetA"}, {"Ref": "PrivateSubnetB"})
    assert told["LogGroup"] == {"Ref": "Logs"}


def test_it_can_run_on_spot(template: dict[str, Any], resources: dict[str, Any]) -> None:
    assert template["Parameters"]["CapacityProvider"]["AllowedValues"] == ["FARGATE", "FARGATE_SPOT"]
    assert resources["Cluster"]["Properties"]["CapacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    strategy = resources["Schedule"]["Properties"]["Target"]["EcsParameters"]["CapacityProviderStrategy"]
    assert strategy == [{"CapacityProvider": {"Ref": "CapacityProvider"}, "Weight": 1, "Base": 0}]
